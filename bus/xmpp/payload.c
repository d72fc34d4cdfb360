/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in XML: what a payload means as a CloudEvent. JSON stays the bytes
 * that were sent; foreign XML is written so that it stands for itself.
 */
#include <xylem/json.h>
#include <xmpp/payload.h>
#include <xmpp/stanza.h>

static int set_defaults(
	struct xylem_message *message, const struct payload_defaults *defaults, struct xylem_arena *arena)
{
	if (!xylem_span_present(message->id)) {
		message->id = defaults->id;
	}
	if (message->id.n == 0) {
		char text[XYLEM_UUID_SIZE];
		message->id = xylem_arena_copy(arena, xylem_span_of(xylem_uuid_new(text)));
	}
	if (!xylem_span_present(message->type)) {
		message->type = defaults->type;
	}
	if (!xylem_span_present(message->source)) {
		message->source = defaults->source;
	}
	return message->id.at == NULL ? -XYLEM_E_MEMORY : 0;
}

static int set_data(struct xylem_message *message, struct xylem_span data, const char *type,
	const struct payload_defaults *defaults, struct xylem_arena *arena)
{
	*message = (struct xylem_message){
		.kind = XYLEM_MESSAGE, .data = data, .datacontenttype = xylem_span_of(type)
	};
	return set_defaults(message, defaults, arena);
}

static bool is_event(struct xylem_span json)
{
	return xylem_json_type(json) == XYLEM_JSON_OBJECT &&
	       xylem_span_present(xylem_json_member(json, XYLEM_SPAN_LITERAL("specversion")));
}

static int read_json(struct xylem_span json, const struct payload_defaults *defaults,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason)
{
	if (!is_event(xylem_json_trim(json))) {
		return set_data(ret_message, json, "application/json", defaults, arena);
	}
	struct xylem_message message = { 0 };
	int error = xylem_message_read_json(&message, arena, json, reason);
	if (error != 0) {
		return error;
	}
	message.kind = XYLEM_MESSAGE;
	*ret_message = message;
	return set_defaults(ret_message, defaults, arena);
}

int payload_read_text(struct xylem_span text, const struct payload_defaults *defaults,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason)
{
	size_t offset;
	struct xylem_reason ignored;
	struct xylem_span trimmed = xylem_json_trim(text);
	bool structured = trimmed.n > 0 && (trimmed.at[0] == '{' || trimmed.at[0] == '[');

	/* A word or a number is a person's text, though it may be JSON. */
	if (structured && xylem_json_check(text, &offset, &ignored) == 0) {
		return read_json(text, defaults, arena, ret_message, reason);
	}
	return set_data(ret_message, text, "text/plain", defaults, arena);
}

int payload_read(const struct xml_node *payload, const struct payload_defaults *defaults,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason)
{
	if (xml_is(payload, NS_JSON, "json")) {
		size_t offset;
		struct xylem_span json = xml_text(payload, arena);
		if (xml_child(payload, NULL, NULL) != NULL) {
			xylem_reason_set(reason, "an element in the JSON");
			return -XYLEM_E_INVALID;
		}
		int error = xylem_json_check(json, &offset, reason);
		return error != 0 ? -XYLEM_E_INVALID : read_json(json, defaults, arena, ret_message, reason);
	}
	XYLEM_BUFFER_SCOPED xml = { 0 };
	xml_write(payload, &xml);
	struct xylem_span copy = xylem_arena_copy(arena, xylem_buffer_borrow(&xml));
	if (xylem_buffer_failed(&xml) || copy.at == NULL) {
		return -XYLEM_E_MEMORY;
	}
	return set_data(ret_message, copy, "application/xml", defaults, arena);
}

void payload_write_json(struct xylem_buffer *out, struct xylem_span json)
{
	size_t at;

	while (!xml_check(json, &at) && json.n - at >= 3) {
		xml_escape_text(out, xylem_span(json.at, at));
		xylem_buffer_text(out, (unsigned char)json.at[at + 2] == 0xbe ? "\\ufffe" : "\\uffff");
		json = xylem_span(json.at + at + 3, json.n - at - 3);
	}
	xml_escape_text(out, json);
}
