/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments as fields of forms. A label says everything that the table knows:
 * some clients show nothing else, and a list without its choices (Profanity).
 */
#include <stdlib.h>
#include <string.h>

#include <console/xmpp/form.h>
#include <xylem/json.h>

#define FIELDS_MOST 100
#define VALUES_MOST 1000

bool form_is_data(const struct xylem_option *option)
{
	return option->type == XYLEM_OPTION_JSON || strncmp(option->name, "data", 4) == 0;
}

static const char *type_of(const struct xylem_option *option, size_t choices)
{
	if (choices > 0 || option->type == XYLEM_OPTION_ENUM) {
		return "list-single";
	}
	switch (option->type) {
	case XYLEM_OPTION_BOOL:
		return "boolean";
	case XYLEM_OPTION_JID:
		return "jid-single";
	case XYLEM_OPTION_LIST:
	case XYLEM_OPTION_JSON:
		return "text-multi";
	default:
		return form_is_data(option) ? "text-multi" : "text-single";
	}
}

static void write_choices_in_words(struct xylem_buffer *out, const struct xylem_option *option)
{
	for (size_t i = 0; option->choices[i]; i++) {
		xylem_buffer_format(out, "%s%s", i ? ", " : " One of: ", option->choices[i]);
	}
	xylem_buffer_byte(out, '.');
}

static void write_label(struct xylem_buffer *out, const struct xylem_option *option)
{
	XYLEM_BUFFER_SCOPED label = { 0 };
	xylem_buffer_format(&label, "%s: %s", option->name, option->summary);
	if (option->type == XYLEM_OPTION_ENUM) {
		write_choices_in_words(&label, option);
	} else if (option->example) {
		xylem_buffer_format(&label, " For example: %s", option->example);
	}
	xml_write_attribute(out, "label", xylem_buffer_borrow(&label));
}

static void write_option(struct xylem_buffer *out, const char *value, const char *label)
{
	xylem_buffer_text(out, "<option");
	xml_write_attribute(out, "label", xylem_span_of(label));
	xylem_buffer_text(out, "><value>");
	xml_escape_words(out, xylem_span_of(value));
	xylem_buffer_text(out, "</value></option>");
}

/* Lines of a text-multi are values of their own (XEP-0004, 3.3). */
static void write_text(struct xylem_buffer *out, struct xylem_span text, bool lines)
{
	while (true) {
		const char *end = lines && text.n > 0 ? memchr(text.at, '\n', text.n) : NULL;
		size_t n = end ? (size_t)(end - text.at) : text.n;
		xylem_buffer_text(out, "<value>");
		xml_escape_words(out, xylem_span(text.at, n));
		xylem_buffer_text(out, "</value>");
		if (!end) {
			return;
		}
		text = xylem_span(end + 1, text.n - n - 1);
	}
}

static void write_value(struct xylem_buffer *out, const json_t *value, bool lines)
{
	size_t i;
	const json_t *item;
	if (json_is_string(value)) {
		write_text(out, xylem_span(json_string_value(value), json_string_length(value)), lines);
	} else if (json_is_integer(value)) {
		xylem_buffer_format(out, "<value>%lld</value>", (long long)json_integer_value(value));
	}
	json_array_foreach(value, i, item)
	{
		write_value(out, item, false);
	}
}

void form_write_field(struct xylem_buffer *out, const struct xylem_option *option, const json_t *value,
	const struct form_choice *choices, size_t n)
{
	const char *type = type_of(option, n);
	xylem_buffer_format(out, "<field var='%s' type='%s'", option->name, type);
	write_label(out, option);
	xylem_buffer_byte(out, '>');
	if (option->flags & XYLEM_OPTION_REQUIRED) {
		xylem_buffer_text(out, "<required/>");
	}
	if (value) {
		write_value(out, value, strcmp(type, "text-multi") == 0);
	} else if (option->default_value) {
		write_text(out, xylem_span_of(option->default_value), false);
	} else if (n > 0) {
		/* Clients that show no choices show at least the first. */
		write_text(out, xylem_span_of(choices[0].value), false);
	}
	for (size_t i = 0; i < n; i++) {
		write_option(out, choices[i].value, choices[i].label);
	}
	for (size_t i = 0; n == 0 && option->type == XYLEM_OPTION_ENUM && option->choices[i]; i++) {
		write_option(out, option->choices[i], option->choices[i]);
	}
	xylem_buffer_text(out, "</field>");
}

void form_write_hidden(struct xylem_buffer *out, const char *name, const json_t *value)
{
	xylem_buffer_format(out, "<field var='%s' type='hidden'>", name);
	write_value(out, value, false);
	xylem_buffer_text(out, "</field>");
}

void form_write_fixed(struct xylem_buffer *out, const char *name, const char *text)
{
	xylem_buffer_format(out, "<field type='fixed' label='%s'><value>%s: ", name, name);
	xml_escape_words(out, xylem_span_of(text));
	xylem_buffer_text(out, "</value></field>");
}

/* --- Reading ---------------------------------------------------------------------- */

static int read_values(const struct xml_node *field, struct xylem_arena *arena, size_t *count, json_t *values)
{
	for (const struct xml_node *value = xml_child(field, NS_DATA, "value"); value;
		value = xml_next(value, NS_DATA, "value")) {
		struct xylem_span text = xml_text(value, arena);
		json_t *string = xylem_span_present(text) ? json_stringn(text.at, text.n) : NULL;
		if (++*count > VALUES_MOST) {
			json_decref(string);
			return -XYLEM_E_LIMIT;
		}
		if (!string || json_array_append_new(values, string)) {
			return -XYLEM_E_MEMORY;
		}
	}
	return 0;
}

static int read_field(const struct xml_node *field, struct xylem_arena *arena, size_t *count, json_t *fields)
{
	const char *name = xylem_arena_text(arena, xml_attribute(field, "var"));
	if (!name) {
		return -XYLEM_E_MEMORY;
	}
	/* Words between the fields, sent back: a form that is submitted need not say of what type they are. */
	if (name[0] == '\0') {
		return 0;
	}
	if (json_object_get(fields, name)) {
		return -XYLEM_E_INVALID;
	}
	json_t *values = json_array();
	int error = read_values(field, arena, count, values);
	if (!error && json_array_size(values) == 1) {
		json_object_set(fields, name, json_array_get(values, 0));
	} else if (!error) {
		json_object_set(fields, name, values);
	}
	json_decref(values);
	return error;
}

int form_read(const struct xml_node *form, struct xylem_arena *arena, json_t **ret_fields)
{
	size_t fields = 0, values = 0;
	int error = 0;
	if (!xylem_span_is(xml_attribute(form, "type"), "submit")) {
		return -XYLEM_E_INVALID;
	}
	json_t *read = json_object();
	for (const struct xml_node *field = xml_child(form, NS_DATA, "field"); !error && field;
		field = xml_next(field, NS_DATA, "field")) {
		error = ++fields > FIELDS_MOST ? -XYLEM_E_LIMIT : read_field(field, arena, &values, read);
	}
	if (error) {
		json_decref(read);
		return error;
	}
	*ret_fields = read;
	return 0;
}

/* The lines of a field of several values, as one text. */
static json_t *joined(const json_t *value)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	size_t i;
	const json_t *line;
	json_array_foreach(value, i, line)
	{
		xylem_buffer_text(&text, i ? "\n" : "");
		xylem_buffer_append(&text, json_string_value(line), json_string_length(line));
	}
	return json_stringn(text.bytes ? text.bytes : "", text.n);
}

static json_t *as_boolean(const json_t *text, struct xylem_reason *reason)
{
	const char *value = json_string_value(text);
	bool yes = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
	if (!yes && strcmp(value, "0") != 0 && strcmp(value, "false") != 0) {
		xylem_reason_set(reason, "`%.40s` is neither true nor false", value);
		return NULL;
	}
	return json_boolean(yes);
}

static int check_json(const struct xylem_option *option, const json_t *text, struct xylem_reason *reason)
{
	struct xylem_reason why = { "" };
	struct xylem_span bytes = { json_string_value(text), json_string_length(text) };
	if (xylem_json_check(bytes, NULL, &why) == 0) {
		return 0;
	}
	xylem_reason_set(reason, "`%s`: %s", option->name, why.text);
	return -XYLEM_E_INVALID;
}

int form_take(const json_t *fields, const struct xylem_option *option, json_t *arguments,
	struct xylem_reason *reason)
{
	const json_t *value = json_object_get(fields, option->name);
	if (!value) {
		return 0;
	}
	bool empty = json_is_array(value) ? json_array_size(value) == 0 : json_string_length(value) == 0;
	if (empty) {
		json_object_del(arguments, option->name);
		return 0;
	}
	json_t *taken;
	if (option->type == XYLEM_OPTION_LIST) {
		taken = json_is_array(value) ? json_deep_copy(value) : json_pack("[O]", value);
	} else if (json_is_array(value)) {
		taken = joined(value);
	} else {
		taken = json_copy((json_t *)(uintptr_t)value);
	}
	if (taken && option->type == XYLEM_OPTION_BOOL) {
		json_t *text = taken;
		taken = as_boolean(text, reason);
		json_decref(text);
		if (!taken) {
			return -XYLEM_E_INVALID;
		}
	}
	int error = taken && option->type == XYLEM_OPTION_JSON ? check_json(option, taken, reason) : 0;
	if (error) {
		json_decref(taken);
		return error;
	}
	return json_object_set_new(arguments, option->name, taken) ? -XYLEM_E_MEMORY : 0;
}
