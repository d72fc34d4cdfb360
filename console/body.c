/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's body as arguments: one JSON object whose members are the
 * operation's. Members that carry data of messages (XYLEM_OPTION_JSON) never
 * pass through a JSON library, which would change 1e400 or a long integer;
 * they stay in the body, checked, for operation_run to point at.
 */
#include <stdio.h>
#include <string.h>

#include <config/nearest.h>
#include <console/operation.h>
#include <xylem/json.h>

/* Of one name or text value, in the arena that unescapes it. */
#define SCRATCH_MAX (64 * 1024 * 1024)

static json_t *problem(struct xylem_span name, const char *detail)
{
	json_t *errors = json_array();
	json_t *pointer = json_sprintf("/%.*s", (int)(name.n > 64 ? 64 : name.n), name.at);
	json_array_append_new(errors, json_pack("{s:o*, s:s}", "pointer", pointer, "detail", detail));
	return errors;
}

static const struct xylem_option *find_option(const struct operation *operation, struct xylem_span name)
{
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (xylem_span_is(name, option->name)) {
			return option;
		}
	}
	return NULL;
}

static int refuse(
	struct xylem_span name, const char *detail, json_t **ret_errors, struct xylem_reason *reason)
{
	*ret_errors = problem(name, detail);
	xylem_reason_set(reason, "`%.*s`: %s", (int)(name.n > 64 ? 64 : name.n), name.at, detail);
	return -XYLEM_E_INVALID;
}

static int refuse_unknown(const struct operation *operation, struct xylem_span name, json_t **ret_errors,
	struct xylem_reason *reason)
{
	char wanted[65], hint[NEAREST_HINT_SIZE], detail[NEAREST_HINT_SIZE + 64];
	struct nearest nearest;
	snprintf(wanted, sizeof(wanted), "%.*s", (int)(name.n > 64 ? 64 : name.n), name.at);
	nearest_init(&nearest, wanted);
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		nearest_offer(&nearest, option->name);
	}
	snprintf(
		detail, sizeof(detail), "the operation has no such argument%s", nearest_hint(&nearest, hint));
	return refuse(name, detail, ret_errors, reason);
}

static int read_member(const struct operation *operation, struct xylem_span name, struct xylem_span value,
	json_t *arguments, json_t **ret_errors, struct xylem_reason *reason)
{
	const struct xylem_option *option = find_option(operation, name);
	if (!option) {
		return refuse_unknown(operation, name, ret_errors, reason);
	}
	if (json_object_get(arguments, option->name)) {
		return refuse(name, "is there twice", ret_errors, reason);
	}
	json_t *read = option->type == XYLEM_OPTION_JSON
			       ? json_true() /* holds the place, against doubles; taken out at the end */
			       : json_loadb(value.at, value.n,
					 JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!read) {
		return refuse(name, "cannot be read as a value of this argument", ret_errors, reason);
	}
	return json_object_set_new(arguments, option->name, read) ? -XYLEM_E_MEMORY : 0;
}

static int read_members(const struct operation *operation, struct xylem_span body, struct xylem_arena *arena,
	json_t *arguments, json_t **ret_errors, struct xylem_reason *reason)
{
	struct xylem_json_iterator iterator = { 0 };
	xylem_json_iterate(&iterator, body);
	while (xylem_json_next(&iterator)) {
		struct xylem_span name;
		int error = xylem_json_string(iterator.name, arena, &name);
		if (!error) {
			error = read_member(operation, name, iterator.value, arguments, ret_errors, reason);
		}
		if (error) {
			return error;
		}
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (option->type == XYLEM_OPTION_JSON) {
			json_object_del(arguments, option->name);
		}
	}
	return 0;
}

static int check(struct xylem_span body, struct xylem_reason *reason)
{
	struct xylem_reason why;
	int error = xylem_json_check(body, NULL, &why);
	if (error) {
		xylem_reason_set(reason, "the body: %s", why.text);
		return -XYLEM_E_INVALID;
	}
	if (xylem_json_type(xylem_json_trim(body)) != XYLEM_JSON_OBJECT) {
		xylem_reason_set(reason, "the body is a JSON %s; arguments are the members of a JSON object",
			xylem_json_type_name(xylem_json_type(xylem_json_trim(body))));
		return -XYLEM_E_INVALID;
	}
	return 0;
}

int operation_read_body(const struct operation *operation, struct xylem_span body, json_t **ret_arguments,
	json_t **ret_errors, struct xylem_reason *reason)
{
	int error = check(body, reason);
	if (error) {
		return error;
	}
	struct xylem_arena *arena = xylem_arena_new(SCRATCH_MAX);
	json_t *arguments = json_object();
	error = arena && arguments
			? read_members(operation, xylem_json_trim(body), arena, arguments, ret_errors, reason)
			: -XYLEM_E_MEMORY;
	xylem_arena_free(arena);
	if (error) {
		json_decref(arguments);
		return error;
	}
	*ret_arguments = arguments;
	return 0;
}
