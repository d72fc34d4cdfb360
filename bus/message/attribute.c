/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context attributes of a message by name (CloudEvents 1.0.2, "Context
 * attributes"): one table says which names are fields of the struct, all
 * others are extensions, searched in turn since events carry few.
 *
 * The rule not to break: an extension array that came with a message is never
 * written to; it may be shared. Changing one extension copies the array.
 */
#include "message/attribute.h"

#include <strings.h>

#define ROW(name, required)                                                               \
	{                                                                                 \
		XYLEM_SPAN_LITERAL(#name), offsetof(struct xylem_message, name), required \
	}
const struct attribute attribute_table[] = {
	ROW(id, true),
	ROW(source, true),
	ROW(type, true),
	ROW(subject, false),
	ROW(time, false),
	ROW(datacontenttype, false),
	ROW(dataschema, false),
};
const size_t attribute_count = sizeof(attribute_table) / sizeof(attribute_table[0]);

const struct attribute *attribute_find(struct xylem_span name)
{
	for (size_t i = 0; i < attribute_count; i++) {
		if (xylem_span_equal(attribute_table[i].name, name)) {
			return &attribute_table[i];
		}
	}
	return NULL;
}

bool attribute_extension_name_valid(struct xylem_span name)
{
	if (name.n < 1 || name.n > 20 || xylem_span_is(name, "data") || xylem_span_is(name, "specversion") ||
		attribute_find(name)) {
		return false;
	}
	for (size_t i = 0; i < name.n; i++) {
		char c = name.at[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
			return false;
		}
	}
	return true;
}

struct xylem_span xylem_message_attribute(const struct xylem_message *message, struct xylem_span name)
{
	const struct attribute *attribute = attribute_find(name);
	if (attribute) {
		return attribute_get(attribute, message);
	}
	if (xylem_span_is(name, "specversion")) {
		return XYLEM_SPAN_LITERAL("1.0");
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		if (xylem_span_equal(message->extensions[i].name, name)) {
			return message->extensions[i].value;
		}
	}
	return XYLEM_SPAN_NONE;
}

/* Copies all extensions but `name`, and that one at the end when there is a value. */
static int extension_set(struct xylem_message *message, struct xylem_arena *arena, struct xylem_span name,
	struct xylem_span value)
{
	struct xylem_extension *room = xylem_arena_take(
		arena, (message->extension_count + 1) * sizeof(struct xylem_extension));
	if (!room) {
		return -XYLEM_E_MEMORY;
	}
	size_t n = 0;
	bool placed = !xylem_span_present(value);
	for (size_t i = 0; i < message->extension_count; i++) {
		const struct xylem_extension *old = &message->extensions[i];
		if (!xylem_span_equal(old->name, name)) {
			room[n++] = *old;
		} else if (!placed) {
			room[n++] = (struct xylem_extension){ old->name, value };
			placed = true;
		}
	}
	if (!placed) {
		room[n++] = (struct xylem_extension){ name, value };
	}
	message->extensions = room;
	message->extension_count = n;
	return 0;
}

int xylem_message_set_attribute(struct xylem_message *message, struct xylem_arena *arena,
	struct xylem_span name, struct xylem_span value)
{
	const struct attribute *attribute = attribute_find(name);
	if (attribute) {
		if (attribute->required && value.n == 0) {
			return -XYLEM_E_INVALID;
		}
		attribute_set(attribute, message, value);
		return 0;
	}
	if (!attribute_extension_name_valid(name)) {
		return -XYLEM_E_INVALID;
	}
	return extension_set(message, arena, name, value);
}

static bool is_token(struct xylem_span text, const char *token)
{
	return text.n == strlen(token) && strncasecmp(text.at, token, text.n) == 0;
}

bool xylem_content_type_is_json(struct xylem_span datacontenttype)
{
	if (!xylem_span_present(datacontenttype)) {
		return true;
	}
	const char *at = datacontenttype.at, *end = at + datacontenttype.n;
	while (at < end && (*at == ' ' || *at == '\t')) {
		at++;
	}
	const char *stop = at;
	while (stop < end && *stop != ';' && *stop != ' ' && *stop != '\t') {
		stop++;
	}
	struct xylem_span type = xylem_span(at, (size_t)(stop - at));
	return is_token(type, "application/json") || is_token(type, "text/json") ||
	       (type.n > 5 && memchr(type.at, '/', type.n) && strncasecmp(stop - 5, "+json", 5) == 0);
}
