/* SPDX-License-Identifier: Apache-2.0 */
/* Stages of commands: which there are, their forms, and what comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/noun.h>
#include <console/xmpp/answer.h>
#include <console/xmpp/carry.h>
#include <console/xmpp/stage.h>

#define CHOICES_MOST 200
#define CHOICE_LABEL 200
#define LIST_LIMIT "20"           /* of a page, where the operation would give more */
#define DATA_MOST (size_t)(32768) /* of a message's data in a form */
#define DATA_HIDDEN                                                                                        \
	"too long for a form, or no plain text, and not shown. What is written here takes its place as a " \
	"whole."

/* --- Which ------------------------------------------------------------------------ */

static bool fixed(
	const struct operation *operation, const struct scope *scope, const struct xylem_option *option)
{
	char value[SCOPE_LOCAL];
	return scope_fixes(scope, operation, option, value);
}

static bool is_chosen(const struct operation *operation, const struct scope *scope)
{
	const struct xylem_option *placed = operation_placed(operation);
	const struct operation *lister = operation_lister(operation);
	enum operation_noun noun = placed ? operation_noun(operation, placed) : NOUN_NONE;
	return noun != NOUN_NONE && lister && !fixed(operation, scope, placed);
}

/* Is the argument asked for in the second form? */
static bool is_filled(
	const struct operation *operation, const struct scope *scope, const struct xylem_option *option)
{
	if (fixed(operation, scope, option) || strcmp(option->name, "data_base64") == 0) {
		return false;
	}
	if (option == operation_placed(operation) && is_chosen(operation, scope)) {
		return false;
	}
	return !(strcmp(option->name, "version") == 0 && carry_has_version(operation));
}

static bool has_data(const struct operation *operation)
{
	return operation_option(operation, "data") != NULL;
}

static bool has_stage(const struct operation *operation, const struct scope *scope, int stage)
{
	if (stage == STAGE_CHOOSE) {
		return is_chosen(operation, scope);
	}
	/* Without another question, too: what is about to be changed is shown, and its version is what was seen. */
	if (stage == STAGE_FILL && carry_has_version(operation)) {
		return true;
	}
	if (stage == STAGE_CONFIRM) {
		return operation->bulk || (has_data(operation) && operation_placed(operation));
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (is_filled(operation, scope, option)) {
			return true;
		}
	}
	return false;
}

int stage_after(const struct operation *operation, const struct scope *scope, int stage)
{
	while (++stage < STAGES) {
		if (has_stage(operation, scope, stage)) {
			return stage;
		}
	}
	return -1;
}

int stage_before(const struct operation *operation, const struct scope *scope, int stage)
{
	while (--stage >= 0) {
		if (has_stage(operation, scope, stage)) {
			return stage;
		}
	}
	return -1;
}

/* --- Choosing ------------------------------------------------------------------------- */

static char *label_of(const json_t *row, const struct column *columns)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	for (const struct column *column = columns; column->title && text.n < CHOICE_LABEL; column++) {
		const json_t *value = columns_value(row, column->path);
		if (value && !json_is_null(value)) {
			xylem_buffer_text(&text, text.n ? " " : "");
			answer_write_value(&text, value, column->kind);
		}
	}
	return xylem_buffer_take(&text, NULL);
}

static char *value_of(const json_t *row, const struct column *columns)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	answer_write_value(&text, columns_value(row, columns->path), COLUMN_TEXT);
	return xylem_buffer_take(&text, NULL);
}

static void write_choices(const struct stage_request *request, const json_t *rows,
	const struct column *columns, struct xylem_buffer *out)
{
	struct form_choice *choices = calloc(CHOICES_MOST, sizeof(*choices));
	const struct xylem_option *placed = operation_placed(request->operation);
	size_t n = 0, i;
	const json_t *row;
	json_array_foreach(rows, i, row)
	{
		char *value = choices && n < CHOICES_MOST ? value_of(row, columns) : NULL;
		char *label = value ? label_of(row, columns) : NULL;
		if (label) {
			choices[n++] = (struct form_choice){ value, label };
		} else {
			free(value);
		}
	}
	form_write_field(out, placed, json_object_get(request->arguments, placed->name), choices, n);
	while (n-- > 0) {
		free((char *)(uintptr_t)choices[n].value);
		free((char *)(uintptr_t)choices[n].label);
	}
	free(choices);
}

/* More than can be shown are asked for by name. */
static json_t *list_arguments(const struct operation *operation, const struct operation *lister)
{
	json_t *arguments = json_object();
	if (operation_option(lister, "limit")) {
		json_object_set_new(arguments, "limit", json_integer(CHOICES_MOST));
	}
	if (operation->among) {
		json_object_set_new(arguments, "state", json_string(operation->among));
	}
	return arguments;
}

static int write_choose(
	const struct stage_request *request, struct xylem_buffer *out, struct xylem_reason *reason)
{
	const struct operation *lister = operation_lister(request->operation);
	json_t *arguments = list_arguments(request->operation, lister), *answer = NULL;
	const json_t *rows;
	const struct column *columns;
	int error = carry_out(
		request->face, lister, request->scope, request->caller, arguments, &answer, reason);
	if (!error && answer_list(lister, answer, &rows, &columns)) {
		if (json_array_size(rows) == 0) {
			xylem_reason_set(reason, "%s: there is nothing to choose from", lister->words);
			error = -XYLEM_E_NOT_FOUND;
		} else {
			write_choices(request, rows, columns, out);
		}
	}
	json_decref(arguments);
	json_decref(answer);
	return error;
}

/* --- Filling in ------------------------------------------------------------------------- */

/* GET of the thing's data: the path of the thing, and `/data`. NULL: there is none, or the asker may not. */
static const struct operation *data_shower(const struct stage_request *request)
{
	const struct operation *shower = operation_shower(request->operation);
	char path[128];
	size_t n;
	const struct operation *const *table = operations(&n);
	snprintf(path, sizeof(path), "%s/data", shower ? shower->path : "");
	for (size_t i = 0; shower && i < n; i++) {
		if (strcmp(table[i]->path, path) == 0 && strcmp(table[i]->method, "GET") == 0) {
			return request->caller->role >= table[i]->role ? table[i] : NULL;
		}
	}
	return NULL;
}

/* Would it come back out of a form as it is? Some servers send a carriage return on as a line feed. */
static bool fits_form(const json_t *text)
{
	struct xylem_span bytes = { json_string_value(text), json_string_length(text) };
	size_t offset;
	return text && bytes.n <= DATA_MOST && !memchr(bytes.at, '\r', bytes.n) && xml_check(bytes, &offset);
}

/*
 * The data that stands there now, for the one notation that fits it: into the arguments, so that the form shows it.
 * False: it cannot be shown as it is.
 */
static bool add_data(const struct stage_request *request)
{
	const struct operation *shower = has_data(request->operation) ? data_shower(request) : NULL;
	const struct xylem_option *placed = operation_placed(request->operation);
	struct xylem_reason reason;
	json_t *shown = NULL, *given = json_object();
	bool faithful = true;
	if (shower && placed && !json_object_get(request->arguments, "data") &&
		!json_object_get(request->arguments, "data_text")) {
		json_object_set(given, placed->name, json_object_get(request->arguments, placed->name));
		if (carry_out(request->face, shower, request->scope, request->caller, given, &shown,
			    &reason) == 0) {
			json_t *text = json_object_get(shown, "data_text");
			const char *type = json_string_value(json_object_get(shown, "contenttype"));
			bool is_json = type && xylem_content_type_is_json(xylem_span_of(type));
			faithful = fits_form(text);
			if (faithful) {
				json_object_set(request->arguments, is_json ? "data" : "data_text", text);
			}
		}
	}
	json_decref(given);
	json_decref(shown);
	return faithful;
}

/* The thing itself, so that one sees what is about to be changed; its version goes with the form. */
static int add_thing(
	const struct stage_request *request, struct xylem_buffer *out, struct xylem_reason *reason)
{
	const struct operation *shower;
	json_t *shown = NULL;
	XYLEM_BUFFER_SCOPED text = { 0 };
	if (!operation_shower(request->operation) || !request->operation->unsafe) {
		return 0;
	}
	int error = carry_show(request->face, request->operation, request->scope, request->caller,
		request->arguments, &shower, &shown, reason);
	if (error) {
		return error;
	}
	answer_write_text(&text, shower, shown, true);
	xylem_buffer_text(out, "<instructions>");
	xml_escape_words(out, xylem_buffer_borrow(&text));
	xylem_buffer_text(out, "</instructions>");
	const json_t *version = json_object_get(shown, "version");
	if (carry_has_version(request->operation) && version) {
		json_object_set_new(request->arguments, "version",
			json_sprintf("%lld", (long long)json_integer_value(version)));
		form_write_hidden(out, "version", version);
	}
	json_decref(shown);
	return 0;
}

/* Of the notations of data, the one that is there already, or the first two. */
static bool is_shown(const struct stage_request *request, const struct xylem_option *option)
{
	bool text = json_object_get(request->arguments, "data_text") != NULL;
	bool json = json_object_get(request->arguments, "data") != NULL;
	if (strcmp(option->name, "data") == 0) {
		return json || !text;
	}
	return strcmp(option->name, "data_text") != 0 || text || !json;
}

static int write_fill(
	const struct stage_request *request, struct xylem_buffer *out, struct xylem_reason *reason)
{
	const struct operation *operation = request->operation;
	json_t *page = json_string(LIST_LIMIT);
	int error = operation_placed(operation) ? add_thing(request, out, reason) : 0;
	if (!error && !add_data(request)) {
		form_write_fixed(out, "data", DATA_HIDDEN);
	}
	for (const struct xylem_option *option = operation->arguments; !error && option->name; option++) {
		if (is_filled(operation, request->scope, option) && is_shown(request, option)) {
			const json_t *value = json_object_get(request->arguments, option->name);
			bool limit = strcmp(option->name, "limit") == 0;
			form_write_field(out, option, value || !limit ? value : page, NULL, 0);
		}
	}
	json_decref(page);
	return error;
}

/* --- Confirming -------------------------------------------------------------------------- */

static void write_confirm(const struct stage_request *request, struct xylem_buffer *out)
{
	const char *name;
	json_t *value;
	json_object_foreach(request->arguments, name, value)
	{
		XYLEM_BUFFER_SCOPED text = { 0 };
		answer_write_value(&text, value, COLUMN_TEXT);
		xylem_buffer_byte(&text, '\0');
		if (!xylem_buffer_failed(&text)) {
			form_write_fixed(out, name, text.bytes);
		}
	}
}

int stage_write(
	const struct stage_request *request, int stage, struct xylem_buffer *out, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED fields = { 0 };
	const struct operation *operation = request->operation;
	int error = 0;
	if (stage == STAGE_CHOOSE) {
		error = write_choose(request, &fields, reason);
	} else if (stage == STAGE_FILL) {
		error = write_fill(request, &fields, reason);
	} else {
		write_confirm(request, &fields);
	}
	xylem_buffer_format(out, "<x xmlns='" NS_DATA "' type='form'><title>%s</title>", operation->words);
	bool has_instructions = fields.n > 1 && strncmp(fields.bytes, "<instructions>", 14) == 0;
	if (!has_instructions) {
		xylem_buffer_format(out, "<instructions>%s%s</instructions>", operation->summary,
			stage == STAGE_CONFIRM ? " Is this what you want?" : "");
	}
	xylem_buffer_span(out, xylem_buffer_borrow(&fields));
	xylem_buffer_text(out, "</x>");
	return error;
}

/* --- What comes back ------------------------------------------------------------------------ */

static bool is_asked(const struct stage_request *request, int stage, const struct xylem_option *option)
{
	bool version = strcmp(option->name, "version") == 0 && carry_has_version(request->operation);
	return stage == STAGE_CHOOSE ? option == operation_placed(request->operation)
	       : stage == STAGE_FILL ? version || is_filled(request->operation, request->scope, option)
				     : false;
}

int stage_take(
	const struct stage_request *request, int stage, const json_t *fields, struct xylem_reason *reason)
{
	for (const struct xylem_option *option = request->operation->arguments; option->name; option++) {
		if (!is_asked(request, stage, option)) {
			continue;
		}
		int error = fields ? form_take(fields, option, request->arguments, reason) : 0;
		if (error) {
			return error;
		}
		bool missing = !json_object_get(request->arguments, option->name);
		if (missing && (option->flags & XYLEM_OPTION_REQUIRED)) {
			xylem_reason_set(reason, "`%s` is missing: %s", option->name, option->summary);
			return -XYLEM_E_INVALID;
		}
	}
	return 0;
}
