/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON event format of CloudEvents 1.0.2 (formats/json-format.md), in and
 * out. Payload that is JSON goes through byte for byte in both directions:
 * digits, white space and the order of members stay.
 *
 * Which member holds the data: of a JSON content type (or none stated), valid
 * JSON stands in `data` as it is; text of another type is a string in `data`;
 * everything else is `data_base64`, so that what is written always reads back
 * to the same bytes (white space around a JSON value apart).
 *
 * What it does not do: it does not check attribute values beyond their JSON
 * type (xylem_message_check does), and it carries neither key nor position,
 * which are the bus's own.
 */
#include <xylem/json.h>
#include <xylem/message.h>

#include "json/check.h"
#include "json/utf8.h"
#include "message/attribute.h"
#include "message/base64.h"

/* --- Writing ---------------------------------------------------------------- */

static void write_attribute(struct xylem_buffer *out, struct xylem_span name, struct xylem_span value)
{
	if (xylem_span_present(value)) {
		xylem_json_write_comma(out);
		xylem_json_write_string(out, name);
		xylem_buffer_byte(out, ':');
		xylem_json_write_string(out, value);
	}
}

static void write_data(const struct xylem_message *message, struct xylem_buffer *out)
{
	bool json = xylem_content_type_is_json(message->datacontenttype);
	if (json && json_check_within(message->data, XYLEM_JSON_DEPTH - 1, NULL, NULL) == 0) {
		xylem_json_write_name(out, "data");
		xylem_buffer_span(out, message->data);
	} else if (!json && utf8_valid(message->data)) {
		xylem_json_write_name(out, "data");
		xylem_json_write_string(out, message->data);
	} else {
		xylem_json_write_name(out, "data_base64");
		xylem_buffer_byte(out, '"');
		message_base64_write(out, message->data);
		xylem_buffer_byte(out, '"');
	}
}

void xylem_message_write_json(const struct xylem_message *message, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "{\"specversion\":\"1.0\"");
	for (size_t i = 0; i < attribute_count; i++) {
		write_attribute(out, attribute_table[i].name, attribute_get(&attribute_table[i], message));
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		write_attribute(out, message->extensions[i].name, message->extensions[i].value);
	}
	if (xylem_span_present(message->data)) {
		write_data(message, out);
	}
	xylem_buffer_byte(out, '}');
}

/* --- Reading ---------------------------------------------------------------- */

struct reading {
	struct xylem_message message;
	struct xylem_extension *extensions;
	struct xylem_arena *arena;
	struct xylem_span data, base64; /* the values as they stand */
	bool version;
	struct xylem_reason *reason;
};

static int refuse(struct reading *reading, struct xylem_span name, const char *why)
{
	xylem_reason_set(
		reading->reason, "event member %.*s %s", (int)(name.n > 64 ? 64 : name.n), name.at, why);
	return -XYLEM_E_INVALID;
}

/* The canonical string of a value (CloudEvents 1.0.2, "Type system"); absent for null. */
static int attribute_text(
	struct reading *reading, struct xylem_span name, struct xylem_span value, struct xylem_span *ret_text)
{
	int64_t ignored;
	switch (xylem_json_type(value)) {
	case XYLEM_JSON_STRING:
		return xylem_json_string(value, reading->arena, ret_text);
	case XYLEM_JSON_NULL:
		*ret_text = XYLEM_SPAN_NONE;
		return 0;
	case XYLEM_JSON_NUMBER:
		if (xylem_json_int64(value, &ignored) < 0 || memchr(value.at, '.', value.n) ||
			memchr(value.at, 'e', value.n) || memchr(value.at, 'E', value.n)) {
			return refuse(reading, name, "is a number, but no integer: write it as a string");
		}
		*ret_text = value;
		return 0;
	case XYLEM_JSON_TRUE:
	case XYLEM_JSON_FALSE:
		*ret_text = value;
		return 0;
	default:
		return refuse(
			reading, name, "is an object or array; attributes are strings, booleans or integers");
	}
}

static int read_extension(struct reading *reading, struct xylem_span name, struct xylem_span text)
{
	struct xylem_message *message = &reading->message;
	size_t i = 0;
	while (i < message->extension_count && !xylem_span_equal(reading->extensions[i].name, name)) {
		i++;
	}
	if (!xylem_span_present(text)) {
		if (i < message->extension_count) {
			reading->extensions[i] = reading->extensions[--message->extension_count];
		}
		return 0;
	}
	if (i == ATTRIBUTE_EXTENSIONS_MAX) {
		return refuse(reading, name, "is one extension too many: 64 are taken");
	}
	reading->extensions[i] = (struct xylem_extension){ name, text };
	message->extension_count += i == message->extension_count;
	return 0;
}

static int read_attribute(struct reading *reading, struct xylem_span name, struct xylem_span value)
{
	const struct attribute *attribute = attribute_find(name);
	if (!attribute && !attribute_extension_name_valid(name)) {
		return refuse(reading, name, "is no attribute: names are 1 to 20 of a-z and 0-9");
	}
	if (attribute && xylem_json_type(value) != XYLEM_JSON_STRING &&
		xylem_json_type(value) != XYLEM_JSON_NULL) {
		return refuse(reading, name, "must be a string");
	}
	struct xylem_span text = XYLEM_SPAN_NONE;
	int error = attribute_text(reading, name, value, &text);
	if (error < 0) {
		return error;
	}
	if (!attribute) {
		return read_extension(reading, name, text);
	}
	attribute_set(attribute, &reading->message, text);
	return 0;
}

static int read_member(struct reading *reading, struct xylem_span name, struct xylem_span value)
{
	if (xylem_span_is(name, "data")) {
		reading->data = value;
		return 0;
	}
	if (xylem_span_is(name, "data_base64")) {
		reading->base64 = xylem_json_type(value) == XYLEM_JSON_NULL ? XYLEM_SPAN_NONE : value;
		return 0;
	}
	if (xylem_span_is(name, "specversion")) {
		reading->version = xylem_json_string_equals(value, XYLEM_SPAN_LITERAL("1.0"));
		return reading->version ? 0 : refuse(reading, name, "must be \"1.0\"");
	}
	return read_attribute(reading, name, value);
}

static int read_data(struct reading *reading)
{
	struct xylem_message *message = &reading->message;
	struct xylem_span text;
	if (xylem_span_present(reading->base64)) {
		if (xylem_span_present(reading->data)) {
			return refuse(reading, XYLEM_SPAN_LITERAL("data_base64"),
				"stands beside data; only one may be");
		}
		int error = xylem_json_string(reading->base64, reading->arena, &text);
		error = error < 0 ? error : message_base64_read(text, reading->arena, &message->data);
		return error == -XYLEM_E_INVALID ? refuse(reading, XYLEM_SPAN_LITERAL("data_base64"),
							   "is not base64 (RFC 4648, with padding)")
						 : error;
	}
	message->data = reading->data;
	if (xylem_content_type_is_json(message->datacontenttype)) {
		return 0;
	}
	if (xylem_json_type(reading->data) == XYLEM_JSON_STRING) {
		return xylem_json_string(reading->data, reading->arena, &message->data);
	}
	message->data = xylem_json_type(reading->data) == XYLEM_JSON_NULL ? XYLEM_SPAN_NONE : reading->data;
	return 0;
}

static int read_members(struct reading *reading, struct xylem_span object)
{
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, object);
	while (xylem_json_next(&iterator)) {
		struct xylem_span name;
		int error = xylem_json_string(iterator.name, reading->arena, &name);
		error = error < 0 ? error : read_member(reading, name, iterator.value);
		if (error < 0) {
			return error;
		}
	}
	return reading->version
		       ? read_data(reading)
		       : refuse(reading, XYLEM_SPAN_LITERAL("specversion"), "is missing; it must be \"1.0\"");
}

int xylem_message_read_json(struct xylem_message *ret_message, struct xylem_arena *arena,
	struct xylem_span json, struct xylem_reason *reason)
{
	int error = xylem_json_check(json, NULL, reason);
	if (error < 0) {
		return error;
	}
	json = xylem_json_trim(json);
	if (xylem_json_type(json) != XYLEM_JSON_OBJECT) {
		xylem_reason_set(reason, "an event is a JSON object, not of type %s",
			xylem_json_type_name(xylem_json_type(json)));
		return -XYLEM_E_INVALID;
	}
	struct reading reading = { .arena = arena, .reason = reason };
	reading.message.kind = XYLEM_MESSAGE;
	reading.extensions = xylem_arena_take(
		arena, ATTRIBUTE_EXTENSIONS_MAX * sizeof(struct xylem_extension));
	if (!reading.extensions) {
		return -XYLEM_E_MEMORY;
	}
	error = read_members(&reading, json);
	if (error == 0) {
		reading.message.extensions = reading.message.extension_count ? reading.extensions : NULL;
		*ret_message = reading.message;
	}
	return error;
}
