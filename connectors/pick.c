/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a source takes an attribute or the key from: a pointer, a header or a
 * text, compiled once when the connector opens. A value that is not there is
 * absent, never an error: a sender that leaves out a customer sends a message
 * without a key, which the documentation of `key` says.
 */

#include <connectors/pick.h>

static int pick_pointer(struct pick *pick, const char *text, struct xylem_reason *reason)
{
	size_t first = strcspn(text + 1, "/");
	struct xylem_span name = xylem_span(text + 1, first);
	if (xylem_span_is(name, "data")) {
		int error = xylem_json_pointer_new(&pick->pointer, xylem_span_of(text + 1 + first), reason);
		pick->kind = error ? PICK_NONE : PICK_DATA;
		return error;
	}
	if (text[1 + first] != '\0' || first == 0) {
		xylem_reason_set(reason,
			"%s: a pointer goes into the event: /data/... for the payload, or /NAME for an "
			"attribute",
			text);
		return -XYLEM_E_INVALID;
	}
	pick->kind = PICK_ATTRIBUTE;
	pick->text = name;
	return 0;
}

static int place_refuse(const char *text, struct xylem_reason *reason)
{
	xylem_reason_set(reason,
		"\"%.100s\" would be a text, the same for every message; a place in the event is written "
		"/data/customer",
		text);
	return -XYLEM_E_INVALID;
}

int pick_init(struct pick *pick, const char *text, bool has_headers, struct xylem_reason *reason)
{
	*pick = (struct pick){ .kind = PICK_NONE };
	if (!text) {
		return 0;
	}
	if (text[0] == '/') {
		return pick_pointer(pick, text, reason);
	}
	if (text[0] == '.' || text[0] == '$') {
		return place_refuse(text, reason);
	}
	pick->kind = PICK_TEXT;
	pick->text = xylem_span_of(text);
	if (strncmp(text, "header:", 7) == 0) {
		pick->kind = PICK_HEADER;
		pick->text = xylem_span_of(text + 7);
	}
	if (pick->text.n == 0 || (pick->kind == PICK_HEADER && !has_headers)) {
		pick->kind = PICK_NONE;
		xylem_reason_set(reason,
			has_headers ? "\"%s\": write /data/..., /NAME, header:NAME or a text"
				    : "\"%s\": write /data/..., /NAME or a text; there are no headers here",
			text);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

int pick_init_key(struct pick *pick, const char *text, bool has_headers, struct xylem_reason *reason)
{
	int error = pick_init(pick, text, has_headers, reason);
	if (!error && pick->kind == PICK_TEXT &&
		(strncmp(text, "data.", 5) == 0 || strncmp(text, "data/", 5) == 0)) {
		pick->kind = PICK_NONE;
		return place_refuse(text, reason);
	}
	return error;
}

void pick_finish(struct pick *pick)
{
	xylem_json_pointer_free(pick->pointer);
	*pick = (struct pick){ .kind = PICK_NONE };
}

static struct xylem_span json_text(struct xylem_span value, struct xylem_arena *arena)
{
	struct xylem_span text = XYLEM_SPAN_NONE;
	switch (xylem_json_type(value)) {
	case XYLEM_JSON_NONE:
	case XYLEM_JSON_NULL:
		return XYLEM_SPAN_NONE;
	case XYLEM_JSON_STRING:
		return xylem_json_string(value, arena, &text) ? XYLEM_SPAN_NONE : text;
	default:
		return value;
	}
}

struct xylem_span pick_value(const struct pick *pick, const struct xylem_message *message, bool json,
	pick_header header, const void *context, struct xylem_arena *arena)
{
	struct xylem_span value = XYLEM_SPAN_NONE;
	switch (pick->kind) {
	case PICK_NONE:
		break;
	case PICK_TEXT:
		value = pick->text;
		break;
	case PICK_HEADER:
		value = header(context, pick->text.at);
		break;
	case PICK_ATTRIBUTE:
		value = xylem_message_attribute(message, pick->text);
		break;
	case PICK_DATA:
		value = json ? json_text(xylem_json_pointer_get(pick->pointer, message->data), arena)
			     : XYLEM_SPAN_NONE;
		break;
	}
	return value.n > 0 ? value : XYLEM_SPAN_NONE; /* an empty id, type or key is none */
}
