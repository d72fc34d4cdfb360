/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an item is written. An event whose data are XML is that element, as its
 * publisher wrote it; any other is the CloudEvent in JSON (XEP-0335); where the
 * topic's type asks for Atom, what is no entry is rendered as one.
 *
 * The rule not to break: data come from anywhere, and are parsed before they
 * stand in a stanza: bytes that only call themselves XML would end the stream.
 */
#include <string.h>

#include <xylem/json.h>
#include <xmpp/payload.h>
#include <xmpp/pubsub.h>
#include <xmpp/stream.h>

#define HEADER "<stream:stream xmlns='' xmlns:stream='" NS_STREAM "'>"

/* --- XML ------------------------------------------------------------------ */

static bool is_xml(struct xylem_span type)
{
	const char *end = memchr(type.at != NULL ? type.at : "", ';', type.n);
	struct xylem_span bare = end != NULL ? xylem_span(type.at, (size_t)(end - type.at)) : type;
	while (bare.n > 0 && bare.at[bare.n - 1] == ' ') {
		bare.n--;
	}
	bool suffix = bare.n > 4 && memcmp(bare.at + bare.n - 4, "+xml", 4) == 0;
	return suffix || xylem_span_is(bare, "application/xml") || xylem_span_is(bare, "text/xml");
}

struct reading {
	struct xylem_buffer *out, *title;
	unsigned elements;
	bool failed;
};

static void ignore_header(void *context, const struct xml_node *header)
{
}

static void ignore_end(void *context)
{
}

/* The words of a title, which may be XHTML (RFC 4287, 3.1.1.3). */
static void write_words(const struct xml_node *title, struct xylem_buffer *out)
{
	const struct xml_node *node = title->first;

	while (node != NULL) {
		if (!xylem_span_present(node->name)) {
			xylem_buffer_span(out, node->text);
		}
		if (node->first != NULL) {
			node = node->first;
			continue;
		}
		while (node != title && node->next == NULL) {
			node = node->parent;
		}
		node = node == title ? NULL : node->next;
	}
}

static void take_element(void *context, const struct xml_node *element, int violation)
{
	struct reading *reading = context;
	reading->failed = reading->failed || violation != 0 || ++reading->elements > 1;
	if (reading->failed) {
		return;
	}
	xml_write(element, reading->out);
	const struct xml_node *title = xml_is(element, NS_ATOM, "entry")
					       ? xml_child(element, NS_ATOM, "title")
					       : NULL;
	if (reading->title != NULL && title != NULL) {
		write_words(title, reading->title);
	}
}

/* Without the declaration that a document may begin with. */
static struct xylem_span skip_declaration(struct xylem_span text)
{
	if (text.n > 5 && memcmp(text.at, "<?xml", 5) == 0) {
		const char *end = memmem(text.at, text.n, "?>", 2);
		if (end != NULL) {
			size_t n = (size_t)(end - text.at) + 2;
			return xylem_span(text.at + n, text.n - n);
		}
	}
	return text;
}

bool payload_write_xml(
	const struct xylem_message *message, struct xylem_buffer *out, struct xylem_buffer *title)
{
	static const struct stream_events events = { ignore_header, take_element, ignore_end };
	struct xylem_reason reason;
	size_t before = out->n;
	if (!is_xml(message->datacontenttype)) {
		return false;
	}
	struct reading reading = { .out = out, .title = title };
	struct stream *stream = stream_new(message->data.n + sizeof(HEADER) + 64, &events, &reading);
	bool read = stream != NULL && stream_feed(stream, XYLEM_SPAN_LITERAL(HEADER), &reason) == 0 &&
		    stream_feed(stream, skip_declaration(message->data), &reason) == 0 &&
		    stream_feed(stream, XYLEM_SPAN_LITERAL("</stream:stream>"), &reason) == 0;
	stream_free(stream);
	read = read && !reading.failed && reading.elements == 1;
	if (!read) {
		xylem_buffer_cut(out, before);
	}
	return read;
}

/* --- Items ---------------------------------------------------------------- */

struct xylem_span pubsub_publisher(const struct xylem_message *message)
{
	struct jid jid;
	bool address = message->kind == XYLEM_MESSAGE && message->key.n > 0 &&
		       jid_split(message->key, &jid) && jid.local.n > 0 && jid.resource.n == 0;
	return address ? message->key : XYLEM_SPAN_NONE;
}

#define ROOM \
	((size_t)512) /* for an event's attributes, or an item's elements; more is made where it is not enough */

/* Written where it is to stand; only what is to be escaped is written once more. */
static void write_json(struct xylem_buffer *out, const struct xylem_message *message)
{
	xylem_buffer_text(out, "<json xmlns='" NS_JSON "'>");
	size_t from = out->n;
	xylem_message_write_json(message, out);
	if (xylem_buffer_failed(out)) {
		return;
	}
	if (!xml_is_plain(xylem_span(out->bytes + from, out->n - from))) {
		XYLEM_BUFFER_SCOPED json = { 0 };
		xylem_buffer_append(&json, out->bytes + from, out->n - from);
		xylem_buffer_cut(out, from);
		payload_write_json(out, xylem_buffer_borrow(&json));
		out->failed = out->failed || xylem_buffer_failed(&json);
	}
	xylem_buffer_text(out, "</json>");
}

static void write_payload(
	struct xylem_buffer *out, const struct topic_settings *settings, const struct xylem_message *message)
{
	bool json = strcmp(settings->type, NS_JSON) == 0;
	if (!json && payload_write_xml(message, out, NULL)) {
		return;
	}
	if (atom_type(settings->type)) {
		atom_write(out, message);
	} else {
		write_json(out, message);
	}
}

/* Published as an item without payload; an event without data is more than that, and is told. */
static bool is_bare(const struct xylem_message *message)
{
	return message->kind == XYLEM_MESSAGE && !xylem_span_present(message->data) &&
	       xylem_span_is(message->type, PUBSUB_ITEM_TYPE);
}

void pubsub_write_item(struct xylem_buffer *out, const struct topic_settings *settings,
	const struct xylem_message *message, bool with_payload)
{
	xylem_buffer_text(out, "<item");
	xml_write_attribute(out, "id", message->id);
	xml_write_attribute(out, "publisher", pubsub_publisher(message));
	if (!with_payload || is_bare(message)) {
		xylem_buffer_text(out, "/>");
		return;
	}
	xylem_buffer_byte(out, '>');
	write_payload(out, settings, message);
	xylem_buffer_text(out, "</item>");
}

#define AROUND ((size_t)8 * 1024) /* of a stanza: addresses, node, a <set/> */

size_t pubsub_item_most(const struct link *link)
{
	size_t most = link_max_stanza(link);
	return most > 2 * AROUND ? most - AROUND : most / 2;
}

void pubsub_write_event(struct xylem_buffer *out, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, bool with_payload)
{
	(void)xylem_buffer_reserve(out, item->data.n + (size_t)2 * ROOM);
	xylem_buffer_text(out, "<event xmlns='" NS_PUBSUB_EVENT "'><items");
	xml_write_attribute(out, "node", xylem_span_of(topic));
	/* A transient node without payloads has no items to speak of (XEP-0060, 4.3). */
	if (!settings->persist && !settings->deliver_payloads) {
		xylem_buffer_text(out, "/></event>");
		return;
	}
	xylem_buffer_byte(out, '>');
	pubsub_write_item(out, settings, item, with_payload && settings->deliver_payloads);
	xylem_buffer_text(out, "</items></event>");
}

/* --- The text beside it --------------------------------------------------- */

#define BODY_MOST 1000U

static struct xylem_span cut(struct xylem_span text)
{
	if (text.n > BODY_MOST) {
		text.n = BODY_MOST;
		while (text.n > 0 && ((unsigned char)text.at[text.n] & 0xc0) == 0x80) {
			text.n--;
		}
	}
	return text;
}

void pubsub_write_body(struct xylem_buffer *out, const struct xylem_message *message)
{
	XYLEM_BUFFER_SCOPED title = { 0 };
	XYLEM_BUFFER_SCOPED xml = { 0 };
	XYLEM_BUFFER_SCOPED text = { 0 };
	size_t at;

	if (payload_write_xml(message, &xml, &title)) {
		xylem_buffer_span(&text, cut(xylem_json_trim(xylem_buffer_borrow(&title))));
	} else {
		xylem_buffer_span(&text, cut(message->type));
		xylem_buffer_text(&text, message->subject.n > 0 ? " " : "");
		xylem_buffer_span(&text, cut(message->subject));
		if (message->data.n > 0 && xml_check(cut(message->data), &at)) {
			xylem_buffer_text(&text, ": ");
			xylem_buffer_span(&text, cut(message->data));
		}
	}
	if (text.n > 0 && !text.failed && xml_check(xylem_buffer_borrow(&text), &at)) {
		xylem_buffer_text(out, "<body>");
		xml_escape_text(out, xylem_buffer_borrow(&text));
		xylem_buffer_text(out, "</body>");
	}
}
