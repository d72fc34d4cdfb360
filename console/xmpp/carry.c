/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what people wrote to a call of an operation. Role, typing and audit are
 * the operation's own (console/operation.c); here texts are put where it looks
 * for them: JSON into the body, digit by digit, everything else into arguments.
 */
#include <string.h>

#include <console/noun.h>
#include <console/xmpp/carry.h>
#include <xylem/json.h>

/* At a route's address: one of its lanes, by its whole name or by the destination alone. */
static json_t *lane_of(const struct scope *scope, const char *lane, struct xylem_reason *reason)
{
	size_t n = strlen(scope->name);
	if (!strchr(lane, '/') || strncmp(lane, "topic:", 6) == 0) {
		return json_sprintf("%s/%s", scope->name, lane);
	}
	if (strncmp(lane, scope->name, n) == 0 && lane[n] == '/') {
		return json_string(lane);
	}
	xylem_reason_set(reason, "this address is about the route %s alone; for `%s` write to the bus itself",
		scope->name, lane);
	return NULL;
}

/* A value that the place fixes, or the given one. */
static int add_argument(const struct scope *scope, const struct operation *operation,
	const struct xylem_option *option, const json_t *given, json_t *arguments,
	struct xylem_reason *reason)
{
	char fixed[SCOPE_LOCAL];
	json_t *value = json_object_get(given, option->name);
	if (scope_fixes(scope, operation, option, fixed)) {
		if (json_is_string(value) && strcmp(json_string_value(value), fixed) != 0) {
			xylem_reason_set(reason,
				"this address is about %s alone; for `%s` write to the bus itself",
				scope->name, json_string_value(value));
			return -XYLEM_E_INVALID;
		}
		return json_object_set_new(arguments, option->name, json_string(fixed)) ? -XYLEM_E_MEMORY : 0;
	}
	if (!value || option->type == XYLEM_OPTION_JSON) {
		return 0;
	}
	bool lane = scope->kind == SCOPE_ROUTE && operation_noun(operation, option) == NOUN_LANE;
	if (!lane || !json_is_string(value)) {
		return json_object_set(arguments, option->name, value) ? -XYLEM_E_MEMORY : 0;
	}
	json_t *own = lane_of(scope, json_string_value(value), reason);
	return own && json_object_set_new(arguments, option->name, own) == 0 ? 0 : -XYLEM_E_INVALID;
}

static int add_json(const struct xylem_option *option, const json_t *given, struct xylem_buffer *body,
	struct xylem_reason *reason)
{
	const json_t *value = json_object_get(given, option->name);
	struct xylem_span text = { json_string_value(value), json_string_length(value) };
	struct xylem_reason why = { "" };
	if (option->type != XYLEM_OPTION_JSON || !value) {
		return 0;
	}
	if (xylem_json_check(text, NULL, &why) != 0) {
		xylem_reason_set(reason, "`%s`: %s", option->name, why.text);
		return -XYLEM_E_INVALID;
	}
	xylem_json_write_name(body, option->name);
	xylem_buffer_span(body, text);
	return 0;
}

int carry_out(struct face *face, const struct operation *operation, const struct scope *scope,
	const struct operation_caller *caller, const json_t *given, json_t **ret_result,
	struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED body = { 0 };
	json_t *arguments = json_object();
	int error = 0;
	xylem_buffer_byte(&body, '{');
	for (const struct xylem_option *option = operation->arguments; !error && option->name; option++) {
		error = add_argument(scope, operation, option, given, arguments, reason);
		error = error ? error : add_json(option, given, &body, reason);
	}
	xylem_buffer_byte(&body, '}');
	if (!error && xylem_buffer_failed(&body)) {
		error = -XYLEM_E_MEMORY;
	}
	if (!error) {
		error = operation_run(face->bus, operation, caller, arguments,
			body.n > 2 ? xylem_buffer_borrow(&body) : XYLEM_SPAN_NONE, ret_result, reason);
	}
	json_decref(arguments);
	return error;
}

/* --- The thing that is changed ------------------------------------------------------- */

bool carry_has_version(const struct operation *operation)
{
	return operation->unsafe && operation_option(operation, "version") != NULL &&
	       operation_shower(operation) != NULL;
}

int carry_show(struct face *face, const struct operation *operation, const struct scope *scope,
	const struct operation_caller *caller, const json_t *arguments, const struct operation **ret_shower,
	json_t **ret_shown, struct xylem_reason *reason)
{
	const struct operation *shower = operation_shower(operation);
	const struct xylem_option *placed = operation_placed(operation);
	if (!shower) {
		return -XYLEM_E_UNSUPPORTED;
	}
	json_t *given = json_object();
	json_object_set(given, placed->name, json_object_get(arguments, placed->name));
	int error = carry_out(face, shower, scope, caller, given, ret_shown, reason);
	json_decref(given);
	*ret_shower = shower;
	return error;
}

int carry_version(struct face *face, const struct operation *operation, const struct scope *scope,
	const struct operation_caller *caller, json_t *arguments, struct xylem_reason *reason)
{
	const struct operation *shower;
	json_t *shown = NULL;
	if (!carry_has_version(operation) || json_object_get(arguments, "version")) {
		return 0;
	}
	int error = carry_show(face, operation, scope, caller, arguments, &shower, &shown, reason);
	if (!error && json_object_get(shown, "version")) {
		json_object_set(arguments, "version", json_object_get(shown, "version"));
	}
	json_decref(shown);
	return error;
}
