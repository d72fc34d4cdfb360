/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data forms (XEP-0004) as PubSub uses them: fields `pubsub#NAME`, FORM_TYPE
 * hidden and first. Unknown fields are passed over; one that is missing leaves
 * what was.
 */
#include <stdio.h>
#include <string.h>

#include <xmpp/pubsub.h>

#define PREFIX "pubsub#"

const struct xml_node *form_find(const struct xml_node *parent, bool *ret_cancel)
{
	const struct xml_node *form = xml_child(parent, NS_DATA, "x");
	*ret_cancel = form != NULL && xylem_span_is(xml_attribute(form, "type"), "cancel");
	return form;
}

struct xylem_span form_value(const struct xml_node *field, struct xylem_arena *arena)
{
	const struct xml_node *value = xml_child(field, NS_DATA, "value");
	struct xylem_span text = value != NULL ? xml_text(value, arena) : XYLEM_SPAN_NONE;
	return xylem_span_present(text) ? text : XYLEM_SPAN_LITERAL("");
}

static struct xylem_span type_of(const struct xml_node *form, struct xylem_arena *arena)
{
	for (const struct xml_node *field = xml_child(form, NS_DATA, "field"); field != NULL;
		field = xml_next(field, NS_DATA, "field")) {
		if (xylem_span_is(xml_attribute(field, "var"), "FORM_TYPE")) {
			return form_value(field, arena);
		}
	}
	return XYLEM_SPAN_NONE;
}

bool form_says(const struct xml_node *form, const char *form_type, struct xylem_arena *arena)
{
	return xylem_span_is(type_of(form, arena), form_type);
}

bool form_is(const struct xml_node *form, const char *form_type, struct xylem_arena *arena)
{
	return !xylem_span_present(type_of(form, arena)) || form_says(form, form_type, arena);
}

const struct xml_node *form_field(
	const struct xml_node *form, const struct xml_node *before, struct xylem_span *ret_name)
{
	const struct xml_node *field = before != NULL ? xml_next(before, NS_DATA, "field")
						      : xml_child(form, NS_DATA, "field");
	while (field != NULL && (!xylem_span_present(xml_attribute(field, "var")) ||
					xylem_span_is(xml_attribute(field, "var"), "FORM_TYPE"))) {
		field = xml_next(field, NS_DATA, "field");
	}
	if (field != NULL) {
		size_t prefix = sizeof(PREFIX) - 1;
		struct xylem_span name = xml_attribute(field, "var");
		bool ours = name.n > prefix && memcmp(name.at, PREFIX, prefix) == 0;
		*ret_name = ours ? xylem_span(name.at + prefix, name.n - prefix) : name;
	}
	return field;
}

struct xylem_span form_get(const struct xml_node *form, const char *name, struct xylem_arena *arena)
{
	struct xylem_span own;
	for (const struct xml_node *field = form_field(form, NULL, &own); field != NULL;
		field = form_field(form, field, &own)) {
		if (xylem_span_is(own, name)) {
			return form_value(field, arena);
		}
	}
	return XYLEM_SPAN_NONE;
}

/* --- Writing -------------------------------------------------------------- */

void form_open(struct xylem_buffer *out, const char *type, const char *form_type)
{
	xylem_buffer_format(out,
		"<x xmlns='" NS_DATA "' type='%s'><field var='FORM_TYPE' type='hidden'><value>%s</value>"
		"</field>",
		type, form_type);
}

void form_write(struct xylem_buffer *out, const char *name, const char *type, const char *label,
	struct xylem_span value)
{
	xylem_buffer_format(out, "<field var='" PREFIX "%s' type='%s'", name, type);
	xml_write_attribute(out, "label", xylem_span_of(label));
	xylem_buffer_byte(out, '>');
	if (xylem_span_present(value)) {
		xylem_buffer_text(out, "<value>");
		xml_escape_text(out, value);
		xylem_buffer_text(out, "</value>");
	}
	xylem_buffer_text(out, "</field>");
}

void form_close(struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</x>");
}

/* --- The settings of a topic ---------------------------------------------- */

static void write_choice(
	struct xylem_buffer *out, const struct topic_setting *setting, struct xylem_span value)
{
	xylem_buffer_format(out, "<field var='" PREFIX "%s' type='list-single'", setting->name);
	xml_write_attribute(out, "label", xylem_span_of(setting->label));
	xylem_buffer_byte(out, '>');
	for (const struct topic_choice *choice = setting->choices; choice->value != NULL; choice++) {
		xylem_buffer_text(out, "<option");
		xml_write_attribute(out, "label", xylem_span_of(choice->label));
		xylem_buffer_format(out, "><value>%s</value></option>", choice->value);
	}
	xylem_buffer_text(out, "<value>");
	xml_escape_text(out, value);
	xylem_buffer_text(out, "</value></field>");
}

static void write_lines(
	struct xylem_buffer *out, const struct topic_setting *setting, struct xylem_span value)
{
	struct xylem_span line;
	xylem_buffer_format(out, "<field var='" PREFIX "%s' type='jid-multi'", setting->name);
	xml_write_attribute(out, "label", xylem_span_of(setting->label));
	xylem_buffer_byte(out, '>');
	while (topic_setting_line(&value, &line)) {
		xylem_buffer_text(out, "<value>");
		xml_escape_text(out, line);
		xylem_buffer_text(out, "</value>");
	}
	xylem_buffer_text(out, "</field>");
}

/* `max` is a word of max_items and item_expire; a size is a number (XEP-0060, 16.4.4), and programs read it as one. */
static void write_value(const struct topic_settings *settings, const struct topic_setting *setting,
	size_t most, struct xylem_buffer *value)
{
	xylem_buffer_clear(value);
	if (most > 0 && settings->max_payload == 0 && strcmp(setting->name, "max_payload_size") == 0) {
		xylem_buffer_format(value, "%zu", most);
	} else {
		topic_settings_get(settings, setting, value);
	}
}

void settings_write_form(
	struct xylem_buffer *out, const struct topic_settings *settings, const char *type, size_t most)
{
	static const char *const kinds[] = {
		[TOPIC_TEXT] = "text-single", [TOPIC_FLAG] = "boolean", [TOPIC_NUMBER] = "text-single"
	};
	XYLEM_BUFFER_SCOPED value = { 0 };
	size_t n;
	const struct topic_setting *table = topic_settings_table(&n);

	form_open(out, type, FORM_CONFIG);
	xylem_buffer_text(out,
		"<field var='pubsub#node_type' type='list-single' label='Whether the node is a leaf'>"
		"<option label='A leaf node'><value>leaf</value></option><value>leaf</value></field>");
	for (size_t i = 0; i < n; i++) {
		write_value(settings, &table[i], most, &value);
		struct xylem_span text = value.n > 0 ? xylem_buffer_borrow(&value) : XYLEM_SPAN_LITERAL("");
		if (table[i].kind == TOPIC_CHOICE) {
			write_choice(out, &table[i], text);
		} else if (table[i].kind == TOPIC_LINES) {
			write_lines(out, &table[i], text);
		} else {
			form_write(out, table[i].name, kinds[table[i].kind], table[i].label, text);
		}
	}
	form_close(out);
	out->failed = out->failed || value.failed;
}

/* The values of a field, one a line; the others have one value. */
static struct xylem_span read_value(
	const struct xml_node *field, struct xylem_span name, struct xylem_arena *arena)
{
	const struct topic_setting *setting = topic_setting_find(name);
	const struct xml_node *value = xml_child(field, NS_DATA, "value");
	if (setting == NULL || setting->kind != TOPIC_LINES) {
		return form_value(field, arena);
	}
	const char *lines = "";
	for (; value != NULL && lines != NULL; value = xml_next(value, NS_DATA, "value")) {
		struct xylem_span text = xml_text(value, arena);
		lines = text.n == 0 ? lines
				    : xylem_arena_format(arena, "%s%s%.*s", lines,
					      lines[0] != '\0' ? "\n" : "", (int)text.n, text.at);
	}
	return xylem_span_of(lines != NULL ? lines : "");
}

int settings_read_form(struct topic_settings *settings, const struct xml_node *form, bool strict,
	struct xylem_arena *arena, struct xylem_reason *reason)
{
	struct xylem_span name;
	for (const struct xml_node *field = form_field(form, NULL, &name); field != NULL;
		field = form_field(form, field, &name)) {
		struct xylem_span value = read_value(field, name, arena);
		if (xylem_span_is(name, "node_type")) {
			if (!xylem_span_is(value, "leaf")) {
				xylem_reason_set(reason, "node_type: only leaf nodes");
				return -XYLEM_E_INVALID;
			}
			continue;
		}
		int error = topic_settings_set(settings, name, value, reason);
		if (error != 0 && (error != -XYLEM_E_NOT_FOUND || strict)) {
			return error;
		}
	}
	return 0;
}
