/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person or program can do to the bus: the table, and the one way to
 * run a row of it. A face (REST, XMPP, CLI) finds the operation, hands in who
 * asks and the arguments, and shows what comes back; role, typing and audit
 * are here, so that no face can forget one.
 *
 * The rule not to break: the role is checked before anything is read from the
 * arguments, and whatever changes something or shows data of messages leaves
 * an audit record, also when it was refused.
 */
#include <stdlib.h>
#include <string.h>

#include <catalogue/audit.h>
#include <config/fill.h>
#include <console/operations/table.h>
#include <console/view.h>
#include <xylem/json.h>
#include <xylem/log.h>

/* Of what is kept for one call: typed arguments with everything they point at. */
#define ARGUMENTS_MAX (64 * 1024 * 1024)
/* Of the arguments as the audit shows them. */
#define AUDIT_VALUE_MAX 200

#define OPERATION_ROW(name) &operation_##name,
static const struct operation *const table[] = { OPERATIONS(OPERATION_ROW) };
#undef OPERATION_ROW

const struct operation *const *operations(size_t *ret_n)
{
	*ret_n = sizeof(table) / sizeof(table[0]);
	return table;
}

const struct operation *operation_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i]->name, name) == 0) {
			return table[i];
		}
	}
	return NULL;
}

/* --- Audit ----------------------------------------------------------------- */

static bool is_payload_option(const struct operation *operation, const char *name)
{
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (strcmp(option->name, name) == 0) {
			return option->type == XYLEM_OPTION_JSON || strncmp(name, "data", 4) == 0;
		}
	}
	return true;
}

/*
 * The arguments as one line of JSON, without data of messages: the audit says what was done,
 * not what was in it.
 */
static char *audit_arguments(
	const struct operation *operation, const struct operation_caller *caller, const json_t *arguments)
{
	json_t *shown = json_object();
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)arguments, name, value)
	{
		if (is_payload_option(operation, name)) {
			continue;
		}
		if (json_is_string(value) && json_string_length(value) > AUDIT_VALUE_MAX) {
			json_object_set_new(
				shown, name, json_sprintf("(%zu bytes)", json_string_length(value)));
		} else {
			json_object_set(shown, name, value);
		}
	}
	if (caller->from[0]) {
		json_object_set_new(shown, "(from)", json_string(caller->from));
	}
	char *text = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(shown);
	return text;
}

static void audit(struct bus *bus, const struct operation *operation, const struct operation_caller *caller,
	const json_t *arguments, int error)
{
	if (!operation->unsafe && !operation->payload) {
		return;
	}
	char *text = audit_arguments(operation, caller, arguments);
	struct audit_record record = {
		.who = caller->name,
		.role = config_role_name(caller->role),
		.operation = operation->name,
		.arguments = text ? text : "{}",
		.outcome = error ? xylem_error_row(error)->name : "ok",
	};
	struct xylem_reason why;
	if (audit_write(bus_catalogue(bus), &record, &why)) {
		xylem_log(XYLEM_LOG_WARNING, "console", "%s by %s is not in the audit: %s", operation->name,
			caller->name, why.text);
	}
	free(text);
}

/* --- Arguments --------------------------------------------------------------- */

/* The first `name` in back-quotes of a text that is an argument, as a JSON pointer; NULL: none. */
static json_t *pointer_of(const struct operation *operation, const char *text)
{
	static const char unknown[] = "unknown option `";
	if (strncmp(text, unknown, sizeof(unknown) - 1) == 0) {
		const char *name = text + sizeof(unknown) - 1; /* not the one that is suggested */
		return json_sprintf("/%.*s", (int)strcspn(name, "`"), name);
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		const char *at = strstr(text, option->name);
		size_t n = strlen(option->name);
		if (at && at > text && at[-1] == '`' && at[n] == '`') {
			return json_sprintf("/%s", option->name);
		}
	}
	return NULL;
}

/* {pointer, detail} of each thing that is wrong with the arguments. */
static json_t *argument_errors(const struct operation *operation, const struct config_report *report)
{
	json_t *errors = json_array();
	for (size_t i = 0; i < report->n; i++) {
		json_t *error = json_pack(
			"{s:o}", "detail", view_text(xylem_span_of(report->problems[i].text)));
		json_t *pointer = pointer_of(operation, report->problems[i].text);
		if (pointer) {
			json_object_set_new(error, "pointer", pointer);
		}
		json_array_append_new(errors, error);
	}
	return errors;
}

/* JSON arguments are taken from the body as they stand there, digit by digit. */
static void bind_json(const struct operation *operation, struct xylem_span body, void *options)
{
	if (xylem_json_type(body) != XYLEM_JSON_OBJECT) {
		return;
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (option->type == XYLEM_OPTION_JSON) {
			struct xylem_span value = xylem_json_member(body, xylem_span_of(option->name));
			if (xylem_span_present(value)) {
				*(struct xylem_span *)(void *)((char *)options +
							       option->offset) = xylem_json_trim(value);
			}
		}
	}
}

static int fill_arguments(const struct operation *operation, const json_t *arguments, struct keep *keep,
	void *options, json_t **ret_errors, struct xylem_reason *reason)
{
	static const struct tree_file file = { .name = "arguments", .folder = "/" };
	struct config_report report = { 0 };
	struct tree_node *node = tree_json_new(keep->arena, &file, arguments);
	if (!node) {
		xylem_reason_set(reason, "the arguments are nested too deeply or too large");
		return -XYLEM_E_TOO_LARGE;
	}
	struct fill fill = { .keep = keep, .report = &report, .subject = operation->name, .foreign = true };
	int error = config_fill(operation->arguments, options, node, &fill);
	if (error) {
		*ret_errors = argument_errors(operation, &report);
		xylem_reason_set(
			reason, "%s", report.n ? report.problems[0].text : "the arguments are not valid");
	}
	config_report_finish(&report);
	return error;
}

static int run_filled(struct bus *bus, const struct operation *operation,
	const struct operation_caller *caller, const json_t *arguments, struct xylem_span body,
	struct keep *keep, json_t **ret_result, json_t **ret_errors, struct xylem_reason *reason)
{
	size_t size = operation->arguments_size;
	void *options = xylem_arena_zero(keep->arena, size ? size : 1);
	if (!options) {
		return -XYLEM_E_MEMORY;
	}
	int error = fill_arguments(operation, arguments, keep, options, ret_errors, reason);
	if (error) {
		return error;
	}
	bind_json(operation, xylem_json_trim(body), options);
	json_t *result = NULL;
	error = operation->run(bus, caller, options, body, &result, reason);
	if (error) {
		*ret_errors = result;
		return error;
	}
	if (!result) { /* only without memory */
		xylem_reason_set(reason, "no memory for the answer");
		return -XYLEM_E_MEMORY;
	}
	*ret_result = result;
	return 0;
}

static int check_role(
	const struct operation *operation, const struct operation_caller *caller, struct xylem_reason *reason)
{
	if (caller->role >= operation->role) {
		return 0;
	}
	xylem_reason_set(reason, "%s needs the role %s; %s has %s", operation->name,
		config_role_name(operation->role), caller->name[0] ? caller->name : "the caller",
		config_role_name(caller->role));
	return -XYLEM_E_FORBIDDEN;
}

static int run_checked(struct bus *bus, const struct operation *operation,
	const struct operation_caller *caller, const json_t *arguments, struct xylem_span body,
	json_t **ret_result, json_t **ret_errors, struct xylem_reason *reason)
{
	struct keep keep;
	int error = keep_init(&keep, ARGUMENTS_MAX);
	if (error) {
		return error;
	}
	error = run_filled(bus, operation, caller, arguments, body, &keep, ret_result, ret_errors, reason);
	keep_finish(&keep);
	return error;
}

int operation_run_report(struct bus *bus, const struct operation *operation,
	const struct operation_caller *caller, const json_t *arguments, struct xylem_span body,
	json_t **ret_result, json_t **ret_errors, struct xylem_reason *reason)
{
	json_t *errors = NULL;
	struct xylem_reason why;
	why.text[0] = '\0';
	int error = check_role(operation, caller, &why);
	if (!error) {
		error = run_checked(bus, operation, caller, arguments, body, ret_result, &errors, &why);
	}
	audit(bus, operation, caller, arguments, error);
	if (error) {
		xylem_reason_set(reason, "%s", why.text[0] ? why.text : xylem_error_row(error)->text);
		*ret_errors = errors;
	}
	return error;
}

int operation_run(struct bus *bus, const struct operation *operation, const struct operation_caller *caller,
	const json_t *arguments, struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	json_t *errors = NULL;
	int error = operation_run_report(
		bus, operation, caller, arguments, body, ret_result, &errors, reason);
	json_decref(errors);
	return error;
}
