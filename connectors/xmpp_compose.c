/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the bus as messages of XMPP: what people read (`text`, `body`,
 * `subject`), what programs read (`event`), and what makes an answer one.
 *
 * The rule not to break: the stanza's id is made of the message's place in the
 * journal, so that a retry carries the same one.
 */
#include <connectors/xmpp_endpoint_body.h>

#include <xylem/json.h>
#include <xmpp/payload.h>

struct xylem_span endpoint_from(const struct endpoint *endpoint, bool full, struct xylem_arena *arena)
{
	if (!endpoint->stamp) {
		return XYLEM_SPAN_NONE;
	}
	return full ? xylem_span_of(xylem_arena_format(arena, "%s/%s", endpoint->address, endpoint->resource))
		    : xylem_span_of(endpoint->address);
}

static void write_event(struct xylem_buffer *out, const struct xylem_message *message)
{
	XYLEM_BUFFER_SCOPED json = { 0 };

	xylem_message_write_json(message, &json);
	payload_write_json(out, xylem_buffer_borrow(&json));
	out->failed = out->failed || xylem_buffer_failed(&json);
}

static bool data_is_json(const struct xylem_message *message)
{
	size_t offset;
	struct xylem_reason ignored;

	return xylem_content_type_is_json(message->datacontenttype) &&
	       xylem_json_check(message->data, &offset, &ignored) == 0;
}

/* JSON stays as it stands; but of a string people want the text, without quotes and escapes. */
static void write_data(
	struct xylem_buffer *out, const struct xylem_message *message, bool json, struct xylem_arena *arena)
{
	struct xylem_span text = xylem_json_trim(message->data);

	if (json && xylem_json_type(text) == XYLEM_JSON_STRING &&
		xylem_json_string(text, arena, &text) == 0) {
		xml_escape_text(out, text);
	} else if (json) {
		payload_write_json(out, message->data);
	} else {
		xml_escape_text(out, message->data);
	}
}

static void write_template(struct xylem_buffer *out, const char *element, const struct template *template,
	const struct xylem_message *message, bool json, struct xylem_arena *arena)
{
	XYLEM_BUFFER_SCOPED text = { 0 };

	template_write(template, message, json, arena, &text);
	if (text.n > 0) {
		xylem_buffer_format(out, "<%s>", element);
		xml_escape_text(out, xylem_buffer_borrow(&text));
		xylem_buffer_format(out, "</%s>", element);
	}
	out->failed = out->failed || xylem_buffer_failed(&text);
}

static void write_body(struct xylem_buffer *out, const struct endpoint *endpoint,
	const struct xylem_message *message, bool json, struct xylem_arena *arena)
{
	if (endpoint->text != NULL) {
		write_template(out, "body", endpoint->text, message, json, arena);
		return;
	}
	if (endpoint->options->body == BODY_NONE) {
		return;
	}
	xylem_buffer_text(out, "<body>");
	if (endpoint->options->body == BODY_EVENT) {
		write_event(out, message);
	} else {
		write_data(out, message, json, arena);
	}
	xylem_buffer_text(out, "</body>");
}

/* The thread of what it answers, and what it answers (XEP-0461). */
static void write_reference(struct xylem_buffer *out, const struct xylem_message *message)
{
	struct xylem_span thread = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppthread"));
	struct xylem_span id = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppid"));

	if (xylem_span_present(thread)) {
		xylem_buffer_text(out, "<thread>");
		xml_escape_text(out, thread);
		xylem_buffer_text(out, "</thread>");
	}
	if (xylem_span_present(id)) {
		xylem_buffer_text(out, "<reply xmlns='" NS_REPLY "'");
		xml_write_attribute(
			out, "to", xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppfrom")));
		xml_write_attribute(out, "id", id);
		xylem_buffer_text(out, "/>");
	}
}

static void write_programs_part(
	struct xylem_buffer *out, const struct endpoint *endpoint, const struct letter *letter)
{
	if (endpoint->options->event) {
		xylem_buffer_text(out, "<event xmlns='" NS_XYLEM "'><json xmlns='" NS_JSON "'>");
		write_event(out, letter->message);
		xylem_buffer_text(out, "</json></event>");
	}
	if (letter->receipt) {
		xylem_buffer_text(out, "<request xmlns='" NS_RECEIPTS "'/>");
	}
	xylem_buffer_text(out, "<origin-id xmlns='" NS_SID "'");
	xml_write_attribute(out, "id", letter->message->id);
	xylem_buffer_text(out, "/></message>");
}

void compose(const struct endpoint *endpoint, const struct letter *letter, struct xylem_arena *arena,
	struct xylem_buffer *out)
{
	bool json = data_is_json(letter->message);

	xylem_buffer_clear(out);
	stanza_open(out, "message", letter->room ? "groupchat" : endpoint_types[endpoint->options->type],
		endpoint_from(endpoint, letter->room, arena), xylem_span_of(letter->to),
		xylem_span_of(letter->id));
	xylem_buffer_byte(out, '>');
	if (endpoint->subject != NULL && !letter->room) {
		write_template(out, "subject", endpoint->subject, letter->message, json, arena);
	}
	if (endpoint->options->reply && !letter->room) {
		write_reference(out, letter->message);
	}
	write_body(out, endpoint, letter->message, json, arena);
	write_programs_part(out, endpoint, letter);
}
