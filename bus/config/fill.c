/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a tree to a struct, by an option table. Two walks: over what is
 * written, to refuse names that the table does not have; then over the table,
 * in its order, to set what is written and the defaults of what is not. The
 * second order is also the order of the digest, so that it does not matter in
 * which order the file says things. The rule: a wrong value is never made good
 * in silence.
 */
#include <stdio.h>
#include <string.h>

#include <config/nearest.h>
#include <config/report.h>
#include <config/value.h>

#define NAME_SIZE 128 /* longest dotted name of a table */

const struct xylem_option *option_short(const struct xylem_option *table)
{
	for (; table->name; table++) {
		if (table->flags & XYLEM_OPTION_SHORT) {
			return table;
		}
	}
	return NULL;
}

static bool begins_with(const char *name, const char *start, size_t n)
{
	return strncmp(name, start, n) == 0 && name[n] == '.';
}

/* An option of exactly this dotted name, or one below it. */
static const struct xylem_option *option_find(
	const struct xylem_option *table, const char *name, bool *ret_group)
{
	size_t n = strlen(name);
	for (; table->name; table++) {
		if (strcmp(table->name, name) == 0 || begins_with(table->name, name, n)) {
			*ret_group = table->name[n] == '.';
			return table;
		}
	}
	return NULL;
}

bool option_is_short_form(const struct xylem_option *table, const struct tree_node *value)
{
	const struct xylem_option *option = option_short(table);
	if (!option || tree_empty(value)) {
		return false;
	}
	if (value->kind != TREE_MAPPING) {
		return true;
	}
	bool group;
	for (size_t i = 0; i < value->n; i++) {
		if (option_find(table, value->members[i].key->text, &group)) {
			return false;
		}
	}
	return value->n && (option->type == XYLEM_OPTION_MAP || option->type == XYLEM_OPTION_FILES ||
				   option->type == XYLEM_OPTION_JSON);
}

bool option_is_bare_object(const struct xylem_option *table, const struct tree_node *value)
{
	const struct xylem_option *option = option_short(table);
	if (!option || option->type != XYLEM_OPTION_EXPRESSION || value->kind != TREE_MAPPING) {
		return false;
	}
	for (size_t i = 0; i < value->n; i++) {
		struct nearest nearest;
		nearest_init(&nearest, value->members[i].key->text);
		for (const struct xylem_option *own = table; own->name; own++) {
			nearest_offer(&nearest, own->name);
		}
		if (nearest.name) {
			return false;
		}
	}
	return value->n > 0;
}

static bool is_elsewhere(const struct fill *fill, const char *name)
{
	for (const char *const *at = fill->elsewhere; at && *at; at++) {
		if (strcmp(*at, name) == 0) {
			return true;
		}
	}
	return false;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot ? dot + 1 : name;
}

/* Where a name that stands in the wrong mapping belongs: the only option with that last part, or none. */
static const struct xylem_option *option_elsewhere(const struct xylem_option *table, const char *key)
{
	const struct xylem_option *found = NULL;
	for (; table->name; table++) {
		if (strcmp(last_part(table->name), key) == 0 || strcmp(table->name, key) == 0) {
			if (found) {
				return NULL;
			}
			found = table;
		}
	}
	return found;
}

static void unknown_report(const struct xylem_option *table, const struct tree_node *key, const char *prefix,
	const struct fill *fill)
{
	char quoted[TREE_QUOTE_SIZE], hint[NEAREST_HINT_SIZE];
	const struct xylem_option *belongs = option_elsewhere(table, key->text);
	if (belongs) {
		const char *dot = strchr(belongs->name, '.');
		if (dot) {
			report_error(fill->report, tree_place(key),
				"unknown option %s of %s; write `%.*s: { %s: ... }`", tree_quote(key, quoted),
				fill->subject, (int)(dot - belongs->name), belongs->name, dot + 1);
		} else {
			report_error(fill->report, tree_place(key),
				"unknown option %s in `%.*s` of %s; it stands one mapping further out",
				tree_quote(key, quoted), (int)strlen(prefix) - 1, prefix, fill->subject);
		}
		return;
	}
	struct nearest nearest;
	nearest_init(&nearest, key->text);
	char parts[64][NAME_SIZE];
	size_t n = strlen(prefix), count = 0;
	for (; table->name && count < 64; table++) {
		if (strncmp(table->name, prefix, n) == 0) {
			size_t length = strcspn(table->name + n, ".");
			memcpy(parts[count], table->name + n, length);
			parts[count][length] = '\0';
			nearest_offer(&nearest, parts[count++]);
		}
	}
	for (const char *const *at = fill->elsewhere; at && *at && !n; at++) {
		nearest_offer(&nearest, *at);
	}
	if (nearest.name) {
		nearest_hint(&nearest, hint);
	} else {
		strcpy(hint, "; remove it, or see `xylemd explain`");
	}
	report_error(fill->report, tree_place(key), "unknown option %s%s%.*s%s of %s%s",
		tree_quote(key, quoted), n ? " in `" : "", n ? (int)n - 1 : 0, prefix, n ? "`" : "",
		fill->subject, hint);
}

/* The first option of a group, as it is called in it. */
static const char *first_below(const struct xylem_option *table, const char *group)
{
	size_t n = strlen(group);
	while (table->name && (strncmp(table->name, group, n) != 0 || table->name[n] != '.')) {
		table++;
	}
	return table->name ? table->name + n + 1 : "...";
}

/* Names below `prefix` ("" or "tls."). Recursion is bounded by the dots of the table's names. */
static int names_check(const struct xylem_option *table, const struct tree_node *mapping, const char *prefix,
	const struct fill *fill)
{
	int result = 0;
	for (size_t i = 0; i < mapping->n; i++) {
		const struct tree_member *member = &mapping->members[i];
		char name[NAME_SIZE], below[NAME_SIZE + 1];
		bool group = false;
		bool fits = (size_t)snprintf(name, sizeof(name), "%s%s", prefix, member->key->text) <
			    sizeof(name);
		if (!*prefix && is_elsewhere(fill, member->key->text)) {
			continue;
		}
		if (!fits || strchr(member->key->text, '.') || !option_find(table, name, &group)) {
			unknown_report(table, member->key, prefix, fill);
			result = -XYLEM_E_INVALID;
		} else if (group && member->value->kind == TREE_MAPPING) {
			snprintf(below, sizeof(below), "%s.", name);
			int error = names_check(table, member->value, below, fill);
			result = error ? error : result;
		} else if (group && !tree_empty(member->value)) {
			report_error(fill->report, tree_place(member->value),
				"`%s` of %s is %s; write a mapping with its options, such as `%s: { %s: ... "
				"}`",
				name, fill->subject, tree_kind_name(member->value), member->key->text,
				first_below(table, name));
			result = -XYLEM_E_INVALID;
		}
	}
	return result;
}

static const struct tree_node *node_find(const struct tree_node *mapping, const char *name)
{
	char part[NAME_SIZE];
	const char *dot;
	while (mapping && (dot = strchr(name, '.')) != NULL) {
		memcpy(part, name, (size_t)(dot - name));
		part[dot - name] = '\0';
		mapping = tree_find(mapping, part);
		name = dot + 1;
	}
	return tree_find(mapping, name);
}

static const struct tree_file no_file = { .name = "(default)" };

static int default_set(const struct xylem_option *option, void *options, const struct tree_node *mapping,
	const struct fill *fill)
{
	struct tree_file *file = xylem_arena_zero(fill->keep->arena, sizeof(*file));
	struct tree_node *node = NULL;
	if (!file) {
		return -XYLEM_E_MEMORY;
	}
	*file = no_file;
	file->folder = mapping ? mapping->file->folder : NULL;
	file->text = xylem_span_of(option->default_value);
	if (option->type == XYLEM_OPTION_LIST || option->type == XYLEM_OPTION_MAP ||
		option->type == XYLEM_OPTION_JSON || option->type == XYLEM_OPTION_SECRET) {
		tree_read(file, fill->keep->arena, fill->report, &node);
	} else {
		node = tree_scalar_new(fill->keep->arena, file, option->default_value);
	}
	return node ? value_set(option, options, node, fill) : 0;
}

static int missing_report(
	const struct xylem_option *option, const struct tree_node *mapping, const struct fill *fill)
{
	static const struct tree_file nowhere = { .name = "" };
	static const struct tree_node none = { .file = &nowhere, .line = 1, .column = 1 };
	const struct tree_node *place = mapping ? mapping : &none;
	if (option->example) {
		report_error(fill->report, tree_place(place),
			"`%s` is missing in %s; write for example `%s: %s`", option->name, fill->subject,
			option->name, option->example);
	} else {
		report_error(fill->report, tree_place(place), "`%s` is missing in %s; it is required: %s",
			option->name, fill->subject, option->summary);
	}
	return -XYLEM_E_INVALID;
}

static int option_fill(const struct xylem_option *option, void *options, const struct tree_node *mapping,
	const struct fill *fill)
{
	const struct tree_node *node = node_find(mapping, option->name);
	if (fill->digest) {
		digest_text(fill->digest, option->name);
	}
	if (node) {
		return value_set(option, options, node, fill);
	}
	if (fill->digest && (fill->overlay || !option->default_value)) {
		digest_text(fill->digest, NULL);
	}
	if (fill->overlay) {
		return 0;
	}
	if ((option->flags & XYLEM_OPTION_REQUIRED) && (mapping || !fill->optional)) {
		return missing_report(option, mapping, fill);
	}
	return option->default_value ? default_set(option, options, mapping, fill) : 0;
}

int config_fill(const struct xylem_option *table, void *options, const struct tree_node *node,
	const struct fill *fill)
{
	int result = 0;
	const struct tree_node *mapping = node;
	if (node && tree_empty(node)) {
		/* Keeps its place for what is missing. */
		struct tree_node *empty = xylem_arena_zero(fill->keep->arena, sizeof(*empty));
		if (!empty) {
			return -XYLEM_E_MEMORY;
		}
		*empty = *node;
		empty->kind = TREE_MAPPING;
		empty->n = 0;
		mapping = empty;
	} else if (node && node->kind != TREE_MAPPING) {
		report_error(fill->report, tree_place(node), "%s is %s; write a mapping of its options",
			fill->subject, tree_kind_name(node));
		return -XYLEM_E_INVALID;
	}
	if (mapping) {
		result = names_check(table, mapping, "", fill);
	}
	for (const struct xylem_option *option = table; option->name; option++) {
		if (is_elsewhere(fill, option->name)) {
			continue;
		}
		int error = option_fill(option, options, mapping, fill);
		result = error ? error : result;
	}
	return result;
}

int config_fill_short(const struct xylem_option *table, void *options, const struct tree_node *value,
	const struct fill *fill)
{
	const struct xylem_option *option = option_short(table);
	struct tree_node *mapping = xylem_arena_zero(fill->keep->arena, sizeof(*mapping));
	struct tree_member *member = xylem_arena_zero(fill->keep->arena, sizeof(*member));
	struct tree_node *key = tree_scalar_new(fill->keep->arena, value->file, option->name);
	if (!mapping || !member || !key) {
		return -XYLEM_E_MEMORY;
	}
	*member = (struct tree_member){ key, (struct tree_node *)(uintptr_t)value };
	*mapping = (struct tree_node){ .kind = TREE_MAPPING,
		.file = value->file,
		.line = value->line,
		.column = value->column,
		.members = member,
		.n = 1,
		.weight = 1 };
	return config_fill(table, options, mapping, fill);
}
