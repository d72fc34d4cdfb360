/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages as HTTP requests: the six forms of body, the ce- headers of the
 * binary form, the three headers of Standard Webhooks.
 *
 * This is on the path of every delivered message, so that it allocates nothing
 * once warm: header lines are written one after the other into a buffer, and
 * the list that libcurl wants is an array of nodes that point into it.
 *
 * The rule not to break: nothing of a message reaches a header line but
 * percent-encoded (ce- headers) or checked to be printable ASCII (the content
 * type): CR and LF would be headers of the sender's own making.
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include <connectors/cloudevents_http.h>
#include <connectors/outgoing.h>
#include <xylem/json.h>

bool outgoing_form_is_batch(enum outgoing_form form)
{
	return form == OUTGOING_CLOUDEVENTS || form == OUTGOING_ARRAY || form == OUTGOING_NDJSON;
}

void outgoing_finish(struct outgoing *outgoing)
{
	xylem_buffer_finish(&outgoing->text);
	xylem_buffer_finish(&outgoing->room);
	free(outgoing->lines);
	*outgoing = (struct outgoing){ 0 };
}

/* --- Checks ------------------------------------------------------------ */

static bool printable(struct xylem_span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < 0x20 || text.at[i] > 0x7e) {
			return false;
		}
	}
	return true;
}

int outgoing_check(enum outgoing_form form, const struct xylem_message *message, const char **ret_code,
	struct xylem_reason *reason)
{
	struct xylem_reason why = { "" };
	switch (form) {
	case OUTGOING_CLOUDEVENT_BINARY:
	case OUTGOING_DATA:
		if (printable(message->datacontenttype)) {
			return 0;
		}
		*ret_code = "header-unsafe";
		xylem_reason_set(reason, "datacontenttype has characters that cannot stand in a header");
		return -XYLEM_E_INVALID;
	case OUTGOING_ARRAY:
	case OUTGOING_NDJSON:
		if (xylem_json_check(message->data, NULL, &why) == 0) {
			return 0;
		}
		*ret_code = "not-json";
		xylem_reason_set(reason, "the data cannot be part of a JSON body: %.300s", why.text);
		return -XYLEM_E_INVALID;
	case OUTGOING_CLOUDEVENT:
	case OUTGOING_CLOUDEVENTS:
		break;
	}
	return 0;
}

/* --- Header lines ------------------------------------------------------ */

static bool line_begin(struct outgoing *outgoing)
{
	if (outgoing->line_count == outgoing->line_room) {
		size_t room = outgoing->line_room ? outgoing->line_room * 2 : 32;
		struct curl_slist *lines = realloc(outgoing->lines, room * sizeof(*lines));
		if (!lines) {
			outgoing->text.failed = true; /* a request without one of its headers is not sent */
			return false;
		}
		outgoing->lines = lines;
		outgoing->line_room = room;
	}
	/* The buffer may move: the offset now, the pointer when all is written. */
	outgoing->lines[outgoing->line_count++].data = (char *)(uintptr_t)outgoing->text.n;
	return true;
}

static void line_text(struct outgoing *outgoing, const char *name, struct xylem_span value)
{
	if (xylem_span_present(value) && line_begin(outgoing)) {
		xylem_buffer_text(&outgoing->text, name);
		xylem_buffer_span(&outgoing->text, value);
		xylem_buffer_byte(&outgoing->text, '\0');
	}
}

static void line_encoded(struct outgoing *outgoing, const char *name, struct xylem_span value)
{
	if (xylem_span_present(value) && line_begin(outgoing)) {
		xylem_buffer_text(&outgoing->text, name);
		cloudevents_header_encode(&outgoing->text, value);
		xylem_buffer_byte(&outgoing->text, '\0');
	}
}

static void line_extension(struct outgoing *outgoing, const struct xylem_extension *extension)
{
	if (line_begin(outgoing)) {
		xylem_buffer_text(&outgoing->text, "ce-");
		xylem_buffer_span(&outgoing->text, extension->name);
		xylem_buffer_text(&outgoing->text, ": ");
		cloudevents_header_encode(&outgoing->text, extension->value);
		xylem_buffer_byte(&outgoing->text, '\0');
	}
}

static void event_lines(struct outgoing *outgoing, const struct xylem_message *message)
{
	line_text(outgoing, "ce-specversion: ", XYLEM_SPAN_LITERAL("1.0"));
	line_encoded(outgoing, "ce-id: ", message->id);
	line_encoded(outgoing, "ce-source: ", message->source);
	line_encoded(outgoing, "ce-type: ", message->type);
	line_encoded(outgoing, "ce-subject: ", message->subject);
	line_encoded(outgoing, "ce-time: ", message->time);
	line_encoded(outgoing, "ce-dataschema: ", message->dataschema);
	for (size_t i = 0; i < message->extension_count; i++) {
		line_extension(outgoing, &message->extensions[i]);
	}
}

/* The hop's own header beside the extension (W3C Trace Context); a value that is none is not passed on. */
static void trace_lines(struct outgoing *outgoing, const struct xylem_message *message)
{
	struct xylem_span parent = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("traceparent"));
	struct xylem_span state = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("tracestate"));
	if (parent.n == 55 && printable(parent)) {
		line_text(outgoing, "traceparent: ", parent);
		if (state.n > 0 && state.n <= 512 && printable(state)) {
			line_text(outgoing, "tracestate: ", state);
		}
	}
}

/* Without a type libcurl would claim a form; an empty header takes its own away. */
static void type_line(struct outgoing *outgoing, const struct xylem_message *message)
{
	if (message->datacontenttype.n > 0) {
		line_text(outgoing, "Content-Type: ", message->datacontenttype);
	} else {
		line_text(outgoing, "Content-Type:",
			xylem_span_present(message->data) ? XYLEM_SPAN_LITERAL(" application/json")
							  : XYLEM_SPAN_LITERAL(""));
	}
}

/* --- Signatures -------------------------------------------------------- */

static bool plain_id(struct xylem_span id)
{
	for (size_t i = 0; i < id.n; i++) {
		char byte = id.at[i];
		bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
			     (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_';
		if (!plain) {
			return false;
		}
	}
	return id.n > 0 && id.n <= 256;
}

/*
 * The delivery's id, the same in every attempt. An event's own id where it has
 * no dot and nothing else that the signed text would trip over; else a digest
 * of what names the events.
 */
static struct xylem_span delivery_id(const struct xylem_message *const *messages, size_t n, char text[40])
{
	if (n == 1 && plain_id(messages[0]->id)) {
		return messages[0]->id;
	}
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool made = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
	for (size_t i = 0; made && i < n; i++) {
		made = EVP_DigestUpdate(context, messages[i]->source.at, messages[i]->source.n) &&
		       EVP_DigestUpdate(context, "\n", 1) &&
		       EVP_DigestUpdate(context, messages[i]->id.at, messages[i]->id.n) &&
		       EVP_DigestUpdate(context, "\n", 1);
	}
	made = made && EVP_DigestFinal_ex(context, digest, NULL);
	EVP_MD_CTX_free(context);
	if (!made) {
		return XYLEM_SPAN_NONE;
	}
	memcpy(text, "msg_", 4);
	for (size_t i = 0; i < 16; i++) {
		snprintf(text + 4 + 2 * i, 3, "%02x", digest[i]);
	}
	return xylem_span_of(text);
}

static int signature_lines(struct outgoing *outgoing, const struct outgoing_rules *rules,
	const struct xylem_message *const *messages, size_t n, int64_t now_s)
{
	char id_text[40], seconds[24];
	struct xylem_span id = delivery_id(messages, n, id_text);
	if (!xylem_span_present(id)) {
		return -XYLEM_E_MEMORY;
	}
	snprintf(seconds, sizeof(seconds), "%lld", (long long)now_s);
	struct xylem_span timestamp = xylem_span_of(seconds);
	line_text(outgoing, "webhook-id: ", id);
	line_text(outgoing, "webhook-timestamp: ", timestamp);
	if (!line_begin(outgoing)) {
		return -XYLEM_E_MEMORY;
	}
	xylem_buffer_text(&outgoing->text, "webhook-signature:");
	for (size_t i = 0; i < rules->key_count; i++) {
		xylem_buffer_byte(&outgoing->text, ' ');
		int error = signature_write(&outgoing->text, &signature_standard_webhooks, rules->keys[i], id,
			timestamp, outgoing->body);
		if (error) {
			return error;
		}
	}
	xylem_buffer_byte(&outgoing->text, '\0');
	return 0;
}

/* --- Bodies ------------------------------------------------------------ */

/* A line break in valid JSON is white space; in a line it would end it. */
static void line_write(struct xylem_buffer *out, struct xylem_span json)
{
	for (size_t i = 0; i < json.n; i++) {
		xylem_buffer_byte(out, json.at[i] == '\n' || json.at[i] == '\r' ? ' ' : json.at[i]);
	}
}

static void part_write(enum outgoing_form form, struct xylem_buffer *out, const struct xylem_message *message)
{
	if (form == OUTGOING_CLOUDEVENT || form == OUTGOING_CLOUDEVENTS) {
		xylem_message_write_json(message, out);
	} else if (form == OUTGOING_ARRAY) {
		xylem_buffer_span(out, xylem_json_trim(message->data));
	} else if (memchr(message->data.at, '\n', message->data.n) ||
		   memchr(message->data.at, '\r', message->data.n)) {
		line_write(out, message->data);
	} else {
		xylem_buffer_span(out, message->data);
	}
}

static void body_make(struct outgoing *outgoing, enum outgoing_form form,
	const struct xylem_message *const *messages, size_t n)
{
	if (form == OUTGOING_DATA || form == OUTGOING_CLOUDEVENT_BINARY) {
		outgoing->body = xylem_span(
			messages[0]->data.n ? messages[0]->data.at : "", messages[0]->data.n);
		return;
	}
	bool list = form == OUTGOING_ARRAY || form == OUTGOING_CLOUDEVENTS;
	struct xylem_buffer *out = &outgoing->room;
	xylem_buffer_clear(out);
	xylem_buffer_text(out, list ? "[" : "");
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_text(out, list && i ? "," : "");
		part_write(form, out, messages[i]);
		xylem_buffer_text(out, form == OUTGOING_NDJSON ? "\n" : "");
	}
	xylem_buffer_text(out, list ? "]" : "");
	outgoing->body = xylem_buffer_borrow(out);
}

/* --- The request ------------------------------------------------------- */

static void form_lines(
	struct outgoing *outgoing, enum outgoing_form form, const struct xylem_message *first, size_t n)
{
	switch (form) {
	case OUTGOING_CLOUDEVENT_BINARY:
		event_lines(outgoing, first);
		type_line(outgoing, first);
		break;
	case OUTGOING_DATA:
		type_line(outgoing, first);
		break;
	case OUTGOING_CLOUDEVENT:
		line_text(outgoing,
			"Content-Type: ", XYLEM_SPAN_LITERAL("application/cloudevents+json; charset=UTF-8"));
		break;
	case OUTGOING_CLOUDEVENTS:
		line_text(outgoing, "Content-Type: ",
			XYLEM_SPAN_LITERAL("application/cloudevents-batch+json; charset=UTF-8"));
		break;
	case OUTGOING_ARRAY:
		line_text(outgoing, "Content-Type: ", XYLEM_SPAN_LITERAL("application/json"));
		break;
	case OUTGOING_NDJSON:
		line_text(outgoing, "Content-Type: ", XYLEM_SPAN_LITERAL("application/x-ndjson"));
		break;
	}
	if (n == 1) {
		trace_lines(outgoing, first);
	}
}

static void lines_link(struct outgoing *outgoing, struct curl_slist *fixed)
{
	for (size_t i = 0; i < outgoing->line_count; i++) {
		struct curl_slist *line = &outgoing->lines[i];
		line->data = outgoing->text.bytes + (uintptr_t)line->data;
		line->next = i + 1 < outgoing->line_count ? line + 1 : fixed;
	}
	outgoing->headers = outgoing->line_count ? outgoing->lines : fixed;
}

/* Data that is itself an event in some form would be taken for the event, if its type stood in the header. */
static enum outgoing_form form_of(const struct outgoing_rules *rules, const struct xylem_message *first)
{
	return rules->form == OUTGOING_CLOUDEVENT_BINARY &&
			       cloudevents_mode_of(first->datacontenttype) != CLOUDEVENTS_NONE
		       ? OUTGOING_CLOUDEVENT
		       : rules->form;
}

int outgoing_make(struct outgoing *outgoing, const struct outgoing_rules *rules,
	const struct xylem_message *const *messages, size_t n, int64_t now_s)
{
	xylem_buffer_clear(&outgoing->text);
	outgoing->line_count = 0;
	enum outgoing_form form = form_of(rules, messages[0]);
	body_make(outgoing, form, messages, n);
	form_lines(outgoing, form, messages[0], n);
	int error = rules->key_count ? signature_lines(outgoing, rules, messages, n, now_s) : 0;
	if (!error && (xylem_buffer_failed(&outgoing->text) || xylem_buffer_failed(&outgoing->room))) {
		error = -XYLEM_E_MEMORY;
	}
	if (error) {
		xylem_buffer_finish(&outgoing->text);
		xylem_buffer_finish(&outgoing->room);
		return error;
	}
	lines_link(outgoing, rules->fixed);
	return 0;
}
