/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each option type, from a node to the member of a struct. The notation of
 * single values is in text.c; this file knows the types of option.h, bounds,
 * lists and maps, and what a message says. The rule: a value is quoted as the
 * file has it, never after variables were put in, and never for a secret.
 */
#include <stdio.h>
#include <string.h>

#include <config/nearest.h>
#include <config/report.h>
#include <config/source_file.h>
#include <config/text.h>
#include <config/value.h>

static const char *const type_names[] = {
	[XYLEM_OPTION_BOOL] = "true or false",
	[XYLEM_OPTION_INTEGER] = "whole number",
	[XYLEM_OPTION_SIZE] = "size",
	[XYLEM_OPTION_DURATION] = "duration",
	[XYLEM_OPTION_STRING] = "text",
	[XYLEM_OPTION_ENUM] = "choice",
	[XYLEM_OPTION_NAME] = "name",
	[XYLEM_OPTION_URL] = "URL",
	[XYLEM_OPTION_ADDRESS] = "address",
	[XYLEM_OPTION_JID] = "JID",
	[XYLEM_OPTION_POINTER] = "JSON pointer",
	[XYLEM_OPTION_SECRET] = "secret",
	[XYLEM_OPTION_PATH] = "path",
	[XYLEM_OPTION_FILE] = "file",
	[XYLEM_OPTION_EXPRESSION] = "expression",
	[XYLEM_OPTION_LIST] = "list",
	[XYLEM_OPTION_MAP] = "mapping of names to text",
	[XYLEM_OPTION_FILES] = "mapping of names to files",
	[XYLEM_OPTION_JSON] = "any value",
};

const char *option_type_name(enum xylem_option_type type)
{
	return type_names[type];
}

static int refuse(const struct xylem_option *option, const struct tree_node *node, const struct fill *fill,
	const char *why)
{
	char quoted[TREE_QUOTE_SIZE];
	report_error(fill->report, tree_place(node), "`%s` of %s: %s %s", option->name, fill->subject,
		tree_quote(node, quoted), why);
	return -XYLEM_E_INVALID;
}

static int refuse_kind(const struct xylem_option *option, const struct tree_node *node,
	const struct fill *fill, const char *wanted)
{
	report_error(fill->report, tree_place(node), "`%s` of %s is %s; write %s", option->name,
		fill->subject, tree_kind_name(node), wanted);
	return -XYLEM_E_INVALID;
}

static int no_memory(const struct tree_node *node, const struct fill *fill)
{
	report_error(fill->report, tree_place(node),
		"the configuration needs more memory than it may have; make it smaller");
	return -XYLEM_E_MEMORY;
}

static void digest_add(const struct fill *fill, const char *text)
{
	if (fill->digest) {
		digest_text(fill->digest, text);
	}
}

static bool in_bounds(const struct xylem_option *option, int64_t value)
{
	return (option->minimum == 0 && option->maximum == 0) ||
	       (value >= option->minimum && value <= option->maximum);
}

static const char *number_format(
	const struct xylem_option *option, int64_t value, char text[TEXT_NUMBER_SIZE])
{
	if (option->type == XYLEM_OPTION_SIZE) {
		return text_size_format(value, text);
	}
	if (option->type == XYLEM_OPTION_DURATION) {
		return text_duration_format(value, text);
	}
	snprintf(text, TEXT_NUMBER_SIZE, "%lld", (long long)value);
	return text;
}

static int refuse_bounds(
	const struct xylem_option *option, const struct tree_node *node, const struct fill *fill)
{
	char least[TEXT_NUMBER_SIZE], most[TEXT_NUMBER_SIZE], why[128];
	number_format(option, option->minimum, least);
	number_format(option, option->maximum, most);
	if (option->maximum == 0 || option->maximum == INT64_MAX) {
		snprintf(why, sizeof(why), "is too small; write %s or more", least);
	} else {
		snprintf(why, sizeof(why), "is outside of its bounds; write %s to %s", least, most);
	}
	return refuse(option, node, fill, why);
}

static int number_set(
	const struct xylem_option *option, int64_t *at, const struct tree_node *node, const struct fill *fill)
{
	struct xylem_reason reason;
	int64_t value = 0;
	int error = 0;
	if (option->type == XYLEM_OPTION_INTEGER) {
		error = text_integer(node->text, &value, &reason);
	} else if (option->type == XYLEM_OPTION_SIZE) {
		error = text_size(node->text, &value, &reason);
	} else {
		error = text_duration(node->text, &value, &reason);
	}
	if (error) {
		return refuse(option, node, fill, reason.text);
	}
	if (!in_bounds(option, value)) {
		return refuse_bounds(option, node, fill);
	}
	if (fill->digest) {
		digest_bytes(fill->digest, &value, sizeof(value));
	}
	*at = value;
	return 0;
}

static int choice_set(
	const struct xylem_option *option, int *at, const struct tree_node *node, const struct fill *fill)
{
	struct nearest nearest;
	nearest_init(&nearest, node->text);
	char why[256] = "is not one of its choices; write ";
	size_t n = strlen(why);
	for (int i = 0; option->choices[i]; i++) {
		if (strcmp(option->choices[i], node->text) == 0) {
			digest_add(fill, node->text);
			*at = i;
			return 0;
		}
		nearest_offer(&nearest, option->choices[i]);
		const char *before = i == 0 ? "" : option->choices[i + 1] ? ", " : " or ";
		if (n < sizeof(why)) {
			n += (size_t)snprintf(why + n, sizeof(why) - n, "%s`%s`", before, option->choices[i]);
		}
	}
	char hint[NEAREST_HINT_SIZE];
	if (n < sizeof(why) && nearest.name) {
		snprintf(why + n, sizeof(why) - n, "%s", nearest_hint(&nearest, hint));
	}
	return refuse(option, node, fill, why);
}

static int text_keep(const char **at, const char *text, const struct tree_node *node, const struct fill *fill)
{
	const char *copy = xylem_arena_text(fill->keep->arena, xylem_span_of(text));
	if (!copy) {
		return no_memory(node, fill);
	}
	digest_add(fill, text);
	*at = copy;
	return 0;
}

static int string_set(const struct xylem_option *option, const char **at, const struct tree_node *node,
	const struct fill *fill)
{
	if (node->n == 0 && ((option->flags & XYLEM_OPTION_REQUIRED) || option->minimum > 0)) {
		return refuse_kind(option, node, fill, "something between the quotes");
	}
	if (!in_bounds(option, (int64_t)node->n)) {
		char why[128];
		snprintf(why, sizeof(why), "has %zu bytes; write %lld to %lld", node->n,
			(long long)option->minimum, (long long)option->maximum);
		return refuse(option, node, fill, why);
	}
	return text_keep(at, node->text, node, fill);
}

/* Types that are text of a certain form. A URL is not quoted: it may have a password in it. */
static int form_set(const struct xylem_option *option, const char **at, const struct tree_node *node,
	const struct fill *fill)
{
	struct xylem_reason reason;
	char jid[TEXT_JID_SIZE];
	const char *text = node->text;
	int error = 0;
	if (option->type == XYLEM_OPTION_NAME) {
		error = text_name(text, &reason);
	} else if (option->type == XYLEM_OPTION_URL) {
		error = text_url(text, &reason);
	} else if (option->type == XYLEM_OPTION_ADDRESS) {
		error = text_address(text, &reason);
	} else {
		error = strlen(text) < TEXT_JID_SIZE ? text_jid(text, jid, &reason) : -XYLEM_E_LIMIT;
		text = jid;
	}
	if (error == -XYLEM_E_LIMIT) {
		return refuse(option, node, fill, "is too long for a JID; write `NAME@DOMAIN` or a domain");
	}
	if (error && option->type == XYLEM_OPTION_URL) {
		report_error(fill->report, tree_place(node), "`%s` of %s %s", option->name, fill->subject,
			reason.text);
		return error;
	}
	if (error) {
		return refuse(option, node, fill, reason.text);
	}
	if (option->type == XYLEM_OPTION_ADDRESS && strncmp(text, "unix:", 5) == 0) {
		const char *path = source_file_path(fill->keep->arena, node->file->folder, text + 5);
		text = path ? xylem_arena_format(fill->keep->arena, "unix:%s", path) : NULL;
		if (!text) {
			return no_memory(node, fill);
		}
	}
	return text_keep(at, text, node, fill);
}

static int pointer_set(const struct xylem_option *option, const struct xylem_json_pointer **at,
	const struct tree_node *node, const struct fill *fill)
{
	struct xylem_json_pointer *pointer;
	struct xylem_reason reason;
	if (xylem_json_pointer_new(&pointer, xylem_span(node->text, node->n), &reason) < 0) {
		if (node->interpolated) {
			return refuse(
				option, node, fill, "is not a JSON pointer; write for example `/order/id`");
		}
		report_error(fill->report, tree_place(node), "`%s` of %s: %s", option->name, fill->subject,
			reason.text);
		return -XYLEM_E_INVALID;
	}
	if (keep_pointer_take(fill->keep, pointer) < 0) {
		return no_memory(node, fill);
	}
	digest_add(fill, node->text);
	*at = pointer;
	return 0;
}

static int refuse_foreign(
	const struct xylem_option *option, const struct tree_node *node, const struct fill *fill)
{
	report_error(fill->report, tree_place(node),
		"`%s` of %s names a file, and may be set in the configuration only", option->name,
		fill->subject);
	return -XYLEM_E_INVALID;
}

static int path_set(const struct xylem_option *option, const char **at, const struct tree_node *node,
	const struct fill *fill)
{
	if (fill->foreign) {
		return refuse_foreign(option, node, fill);
	}
	if (node->n == 0) {
		return refuse_kind(option, node, fill, "a path");
	}
	const char *path = source_file_path(fill->keep->arena, node->file->folder, node->text);
	if (!path) {
		return no_memory(node, fill);
	}
	digest_add(fill, path);
	*at = path;
	return 0;
}

static int file_set(const struct xylem_option *option, const struct xylem_file **at,
	const struct tree_node *node, const struct fill *fill)
{
	if (fill->foreign) {
		return refuse_foreign(option, node, fill);
	}
	struct xylem_reason reason;
	struct xylem_file *file = xylem_arena_zero(fill->keep->arena, sizeof(*file));
	const char *path = source_file_path(fill->keep->arena, node->file->folder, node->text);
	if (!file || !path) {
		return no_memory(node, fill);
	}
	int error = source_file_take(path, SOURCE_FILE_LIMIT, fill->keep->arena, &file->bytes, &reason);
	if (error) {
		report_error(fill->report, tree_place(node), "`%s` of %s: the file %s %s; looked for at %s",
			option->name, fill->subject, node->raw, reason.text, path);
		return error;
	}
	file->path = path;
	digest_sha256(file->bytes.at, file->bytes.n, file->sha256);
	if (fill->digest) {
		digest_text(fill->digest, node->text);
		digest_bytes(fill->digest, file->sha256, sizeof(file->sha256));
	}
	*at = file;
	return 0;
}

static int list_set(const struct xylem_option *option, struct xylem_strings *at, const struct tree_node *node,
	const struct fill *fill)
{
	if (node->kind != TREE_LIST) {
		return refuse_kind(option, node, fill, "a list such as `[a, b]`, also for one entry");
	}
	const char **items = xylem_arena_zero(fill->keep->arena, (node->n + 1) * sizeof(*items));
	int result = items ? 0 : no_memory(node, fill);
	for (size_t i = 0; items && i < node->n; i++) {
		const struct tree_node *item = node->items[i];
		int error = 0;
		if (item->kind != TREE_SCALAR || tree_empty(item)) {
			error = refuse_kind(option, item, fill, "text as an entry of the list");
		} else {
			error = text_keep(&items[i], item->text, item, fill);
		}
		result = error ? error : result;
	}
	if (!result) {
		*at = (struct xylem_strings){ items, node->n };
	}
	return result;
}

static int map_set(const struct xylem_option *option, struct xylem_pairs *at, const struct tree_node *node,
	const struct fill *fill)
{
	if (node->kind != TREE_MAPPING) {
		return refuse_kind(option, node, fill, "a mapping such as `{ name: text }`");
	}
	struct xylem_pair *pairs = xylem_arena_zero(fill->keep->arena, (node->n + 1) * sizeof(*pairs));
	int result = pairs ? 0 : no_memory(node, fill);
	for (size_t i = 0; pairs && i < node->n; i++) {
		const struct tree_node *value = node->members[i].value;
		int error = text_keep(&pairs[i].name, node->members[i].key->text, node, fill);
		if (!error && (value->kind != TREE_SCALAR || tree_empty(value))) {
			error = refuse_kind(option, value, fill, "text as the value of each name");
		} else if (!error) {
			error = text_keep(&pairs[i].value, value->text, value, fill);
		}
		result = error ? error : result;
	}
	if (!result) {
		*at = (struct xylem_pairs){ pairs, node->n };
	}
	return result;
}

static int files_set(const struct xylem_option *option, struct xylem_files *at, const struct tree_node *node,
	const struct fill *fill)
{
	if (node->kind != TREE_MAPPING) {
		return refuse_kind(option, node, fill, "a mapping such as `{ name: file }`");
	}
	struct xylem_named_file *files = xylem_arena_zero(fill->keep->arena, (node->n + 1) * sizeof(*files));
	int result = files ? 0 : no_memory(node, fill);
	for (size_t i = 0; files && i < node->n; i++) {
		const struct tree_node *value = node->members[i].value;
		int error = text_keep(&files[i].name, node->members[i].key->text, node, fill);
		if (!error && (value->kind != TREE_SCALAR || tree_empty(value))) {
			error = refuse_kind(option, value, fill, "a file for each name");
		} else if (!error) {
			error = file_set(option, &files[i].file, value, fill);
		}
		result = error ? error : result;
	}
	if (!result) {
		*at = (struct xylem_files){ files, node->n };
	}
	return result;
}

static int json_set(struct xylem_span *at, const struct tree_node *node, const struct fill *fill)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	if (value_json(node, &text) < 0) {
		return no_memory(node, fill);
	}
	struct xylem_span copy = xylem_arena_copy(fill->keep->arena, xylem_buffer_borrow(&text));
	if (!copy.at) {
		return no_memory(node, fill);
	}
	if (fill->digest) {
		digest_bytes(fill->digest, copy.at, copy.n);
	}
	*at = copy;
	return 0;
}

static int scalar_set(
	const struct xylem_option *option, void *at, const struct tree_node *node, const struct fill *fill)
{
	struct xylem_reason reason;
	if (node->kind != TREE_SCALAR) {
		char wanted[96];
		snprintf(wanted, sizeof(wanted), "one value (%s)", option_type_name(option->type));
		return refuse_kind(option, node, fill, wanted);
	}
	switch (option->type) {
	case XYLEM_OPTION_BOOL:
		if (text_bool(node->text, at, &reason) < 0) {
			return refuse(option, node, fill, reason.text);
		}
		digest_add(fill, node->text);
		return 0;
	case XYLEM_OPTION_INTEGER:
	case XYLEM_OPTION_SIZE:
	case XYLEM_OPTION_DURATION:
		return number_set(option, at, node, fill);
	case XYLEM_OPTION_ENUM:
		return choice_set(option, at, node, fill);
	case XYLEM_OPTION_NAME:
	case XYLEM_OPTION_URL:
	case XYLEM_OPTION_ADDRESS:
	case XYLEM_OPTION_JID:
		return form_set(option, at, node, fill);
	case XYLEM_OPTION_POINTER:
		return pointer_set(option, at, node, fill);
	case XYLEM_OPTION_PATH:
		return path_set(option, at, node, fill);
	case XYLEM_OPTION_FILE:
		return file_set(option, at, node, fill);
	default:
		return string_set(option, at, node, fill);
	}
}

int value_set(const struct xylem_option *option, void *options, const struct tree_node *node,
	const struct fill *fill)
{
	void *at = (char *)options + option->offset;
	if (node->unset) {
		return -XYLEM_E_INVALID; /* not a second complaint about the text of the variable */
	}
	if (option->type == XYLEM_OPTION_JSON) {
		return json_set(at, node, fill);
	}
	if (tree_empty(node)) {
		report_error(fill->report, tree_place(node),
			"`%s` of %s has no value; write one (%s), or remove the line", option->name,
			fill->subject, option_type_name(option->type));
		return -XYLEM_E_INVALID;
	}
	switch (option->type) {
	case XYLEM_OPTION_SECRET:
		return fill->foreign ? refuse_foreign(option, node, fill)
				     : secret_set(option, at, node, fill);
	case XYLEM_OPTION_LIST:
		return list_set(option, at, node, fill);
	case XYLEM_OPTION_MAP:
		return map_set(option, at, node, fill);
	case XYLEM_OPTION_FILES:
		return files_set(option, at, node, fill);
	default:
		return scalar_set(option, at, node, fill);
	}
}
