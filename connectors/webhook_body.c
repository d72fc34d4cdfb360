/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a request's body becomes messages. A CloudEvent (binary, structured,
 * batch) keeps its attributes; anything else is wrapped: the body, an element
 * of the array or a line is the data, untouched; id, type, subject and key
 * come from where the options say.
 *
 * The rule not to break: the form follows from the headers and from what the
 * connector's options allow, never from a look into the body. A sender cannot
 * choose how it is read.
 *
 * It does not verify who sent it: that was done on the raw bytes before.
 */

#include <strings.h>

#include <connectors/cloudevents_http.h>
#include <connectors/lines.h>
#include <connectors/webhook_body.h>
#include <xylem/json.h>

/* One body being read. */
struct reading {
	const struct webhook_rules *rules;
	const struct webhook_request *request;
	struct xylem_arena *arena;
	struct xylem_reason *reason;
	struct xylem_span content_type;
	struct xylem_span request_id; /* of a delivery that names itself; absent: none */
	bool many;
};

/* --- The form ---------------------------------------------------------- */

static bool media_type_is(struct xylem_span value, const char *type)
{
	size_t n = strlen(type);
	return value.n >= n && strncasecmp(value.at, type, n) == 0 &&
	       (value.n == n || value.at[n] == ';' || value.at[n] == ' ' || value.at[n] == '\t');
}

static bool is_ndjson(struct xylem_span type)
{
	return media_type_is(type, "application/x-ndjson") || media_type_is(type, "application/ndjson") ||
	       media_type_is(type, "application/jsonl");
}

static int form_refuse(struct xylem_reason *reason, struct xylem_span type, const char *what)
{
	xylem_reason_set(reason, "the content type \"%.*s\" is not taken here: %s",
		(int)(type.n < 100 ? type.n : 100), type.at, what);
	return -XYLEM_E_UNSUPPORTED;
}

static int form_single(const struct webhook_rules *rules, struct xylem_span type, enum webhook_form *ret_form,
	struct xylem_reason *reason)
{
	bool fixed = rules->content_type && xylem_span_present(type);
	if (fixed && !media_type_is(type, rules->content_type)) {
		xylem_reason_set(reason, "the content type \"%.*s\" is not taken here: send %s",
			(int)(type.n < 100 ? type.n : 100), type.at, rules->content_type);
		return -XYLEM_E_UNSUPPORTED;
	}
	if (rules->forms & WEBHOOK_ARRAY && xylem_span_present(type) && xylem_content_type_is_json(type)) {
		*ret_form = WEBHOOK_ARRAY;
		return 0;
	}
	if (rules->forms & WEBHOOK_SINGLE) {
		*ret_form = WEBHOOK_SINGLE;
		return 0;
	}
	return form_refuse(reason, xylem_span_present(type) ? type : xylem_span_of(""),
		"see the option `accept` of this webhook");
}

int webhook_form_of(const struct webhook_rules *rules, const struct webhook_request *request,
	enum webhook_form *ret_form, struct xylem_reason *reason)
{
	struct xylem_span type = request->header(request->context, "Content-Type");
	enum webhook_form form = WEBHOOK_SINGLE;
	switch (cloudevents_mode_of(type)) {
	case CLOUDEVENTS_BATCH:
		form = WEBHOOK_CLOUDEVENTS;
		break;
	case CLOUDEVENTS_STRUCTURED:
		form = WEBHOOK_CLOUDEVENT;
		break;
	case CLOUDEVENTS_UNSUPPORTED:
		return form_refuse(reason, type, "of the CloudEvents formats, JSON is");
	case CLOUDEVENTS_NONE:
		if (xylem_span_present(request->header(request->context, "ce-specversion"))) {
			form = WEBHOOK_CLOUDEVENT_BINARY;
		} else if (is_ndjson(type)) {
			form = WEBHOOK_NDJSON;
		} else {
			return form_single(rules, type, ret_form, reason);
		}
	}
	if (!(rules->forms & form)) {
		return form_refuse(reason, xylem_span_present(type) ? type : xylem_span_of(""),
			"see the option `accept` of this webhook");
	}
	*ret_form = form;
	return 0;
}

/* --- Plain messages ---------------------------------------------------- */

static struct xylem_span id_for(
	const struct reading *reading, const struct xylem_message *message, bool json, size_t i)
{
	const struct webhook_request *request = reading->request;
	const struct pick *pick = &reading->rules->pick_id;
	struct xylem_span id = pick_value(
		pick, message, json, request->header, request->context, reading->arena);
	bool of_request = pick->kind == PICK_HEADER && id.n > 0;
	if (id.n == 0) {
		id = reading->request_id;
		of_request = id.n > 0;
	}
	if (of_request && reading->many) {
		/* The delivery's id is the same in every attempt, and so must be the ids of its parts. */
		return xylem_span_of(xylem_arena_format(reading->arena, "%.*s/%zu", (int)id.n, id.at, i));
	}
	if (id.n == 0) {
		char *text = xylem_arena_take(reading->arena, XYLEM_UUID_SIZE);
		return xylem_span_of(text ? xylem_uuid_new(text) : NULL);
	}
	return id;
}

static struct xylem_span key_for(
	const struct reading *reading, const struct xylem_message *message, bool json)
{
	const struct webhook_request *request = reading->request;
	const struct pick *pick = &reading->rules->pick_key;
	if (pick->kind == PICK_NONE) {
		struct xylem_span key = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("partitionkey"));
		return key.n > 0 ? key : XYLEM_SPAN_NONE;
	}
	return pick_value(pick, message, json, request->header, request->context, reading->arena);
}

/* version-traceid-parentid-flags (W3C Trace Context, 3.2), no zero ids. */
static bool traceparent_valid(struct xylem_span text)
{
	static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
	if (text.n != sizeof(form) - 1 || memcmp(text.at, "ff", 2) == 0) {
		return false;
	}
	for (size_t i = 0; i < text.n; i++) {
		char byte = text.at[i];
		bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
		if (form[i] == 'h' ? !hex : byte != '-') {
			return false;
		}
	}
	return strspn(text.at + 3, "0") < 32 && strspn(text.at + 36, "0") < 16;
}

static int trace_carry(const struct reading *reading, struct xylem_message *message)
{
	const struct webhook_request *request = reading->request;
	struct xylem_span parent = request->header(request->context, "traceparent");
	if (!reading->rules->carry_trace || !traceparent_valid(parent) ||
		xylem_span_present(xylem_message_attribute(message, XYLEM_SPAN_LITERAL("traceparent")))) {
		return 0;
	}
	struct xylem_span state = request->header(request->context, "tracestate");
	int error = xylem_message_set_attribute(
		message, reading->arena, XYLEM_SPAN_LITERAL("traceparent"), parent);
	if (!error && state.n > 0) {
		error = xylem_message_set_attribute(
			message, reading->arena, XYLEM_SPAN_LITERAL("tracestate"), state);
	}
	return error;
}

/* `json`: the data has passed xylem_json_check. */
static int plain_message(const struct reading *reading, struct xylem_span data, struct xylem_span type,
	bool json, size_t i, struct xylem_message *message)
{
	const struct webhook_rules *rules = reading->rules;
	const struct webhook_request *request = reading->request;
	*message = (struct xylem_message){
		.source = xylem_span_of(rules->source),
		.datacontenttype = type,
		.data = data,
	};
	message->subject = pick_value(
		&rules->pick_subject, message, json, request->header, request->context, reading->arena);
	message->type = pick_value(
		&rules->pick_type, message, json, request->header, request->context, reading->arena);
	if (message->type.n == 0) {
		message->type = xylem_span_of(rules->type);
	}
	message->id = id_for(reading, message, json, i);
	if (!xylem_span_present(message->id)) {
		return -XYLEM_E_MEMORY;
	}
	message->key = key_for(reading, message, json);
	return trace_carry(reading, message);
}

static int json_check(struct xylem_span text, struct xylem_reason *reason)
{
	struct xylem_reason why = { "" };
	if (xylem_json_check(text, NULL, &why) == 0) {
		return 0;
	}
	xylem_reason_set(reason, "the body: %.300s", why.text);
	return -XYLEM_E_INVALID;
}

static int read_single(const struct reading *reading, struct xylem_message *message)
{
	struct xylem_span body = reading->request->body;
	struct xylem_span type = reading->content_type;
	if (!xylem_span_present(type)) {
		type = reading->rules->content_type ? xylem_span_of(reading->rules->content_type)
						    : XYLEM_SPAN_LITERAL("application/octet-stream");
	}
	bool json = xylem_content_type_is_json(type);
	int error = json ? json_check(body, reading->reason) : 0;
	if (error) {
		return error;
	}
	struct xylem_span data = body.n > 0 ? body : XYLEM_SPAN_NONE;
	return plain_message(reading, data, body.n > 0 ? type : XYLEM_SPAN_NONE, json, 0, message);
}

/* --- Batches ----------------------------------------------------------- */

static int batch_room(const struct reading *reading, size_t n, struct xylem_message **ret_messages)
{
	if (n == 0) {
		xylem_reason_set(reading->reason, "the batch is empty");
		return -XYLEM_E_INVALID;
	}
	if (n > reading->rules->max_batch) {
		xylem_reason_set(reading->reason,
			"the batch has %zu messages; this path takes %zu: send smaller ones", n,
			reading->rules->max_batch);
		return -XYLEM_E_LIMIT;
	}
	*ret_messages = xylem_arena_zero(reading->arena, n * sizeof(**ret_messages));
	return *ret_messages ? 0 : -XYLEM_E_MEMORY;
}

static int batch_name(const struct reading *reading, int error, const char *unit, size_t i)
{
	if (error == -XYLEM_E_INVALID) {
		struct xylem_reason why = *reading->reason;
		xylem_reason_set(reading->reason, "%s %zu: %.400s (nothing of the batch was taken)", unit, i,
			why.text);
	}
	return error;
}

static int array_open(const struct reading *reading, struct xylem_message **ret_messages, size_t *ret_n)
{
	struct xylem_span body = xylem_json_trim(reading->request->body);
	int error = json_check(body, reading->reason);
	if (error) {
		return error;
	}
	if (xylem_json_type(body) != XYLEM_JSON_ARRAY) {
		xylem_reason_set(reading->reason,
			"the body is a JSON %s; this path takes an array of messages",
			xylem_json_type_name(xylem_json_type(body)));
		return -XYLEM_E_INVALID;
	}
	*ret_n = xylem_json_count(body);
	return batch_room(reading, *ret_n, ret_messages);
}

static int read_array(const struct reading *reading, struct xylem_message **ret_messages, size_t *ret_n)
{
	int error = array_open(reading, ret_messages, ret_n);
	struct xylem_json_iterator iterator = { 0 };
	if (!error) {
		xylem_json_iterate(&iterator, xylem_json_trim(reading->request->body));
	}
	for (size_t i = 0; !error && xylem_json_next(&iterator); i++) {
		error = batch_name(reading,
			plain_message(reading, iterator.value, XYLEM_SPAN_LITERAL("application/json"), true,
				i, &(*ret_messages)[i]),
			"element", i);
	}
	return error;
}

static int read_lines(const struct reading *reading, struct xylem_message **ret_messages, size_t *ret_n)
{
	struct xylem_span rest = reading->request->body, line;
	size_t n = 0;
	while (lines_next(&rest, &line)) {
		n++;
	}
	int error = batch_room(reading, n, ret_messages);
	rest = reading->request->body;
	for (size_t i = 0; !error && lines_next(&rest, &line); i++) {
		error = json_check(line, reading->reason);
		if (!error) {
			error = plain_message(reading, line, XYLEM_SPAN_LITERAL("application/json"), true, i,
				&(*ret_messages)[i]);
		}
		error = batch_name(reading, error, "line", i + 1);
	}
	*ret_n = n;
	return error;
}

/* --- CloudEvents ------------------------------------------------------- */

static int event_finish(const struct reading *reading, struct xylem_message *message)
{
	bool json = reading->rules->pick_key.kind == PICK_DATA && xylem_span_present(message->data) &&
		    xylem_content_type_is_json(message->datacontenttype) &&
		    xylem_json_check(message->data, NULL, NULL) == 0;
	message->key = key_for(reading, message, json);
	return trace_carry(reading, message);
}

/* Reads the event format; it checks what it reads. */
static int event_read(const struct reading *reading, struct xylem_span json, struct xylem_message *message)
{
	int error = xylem_message_read_json(message, reading->arena, json, reading->reason);
	return error ? error : event_finish(reading, message);
}

static int read_events(const struct reading *reading, struct xylem_message **ret_messages, size_t *ret_n)
{
	int error = array_open(reading, ret_messages, ret_n);
	struct xylem_json_iterator iterator = { 0 };
	if (!error) {
		xylem_json_iterate(&iterator, xylem_json_trim(reading->request->body));
	}
	for (size_t i = 0; !error && xylem_json_next(&iterator); i++) {
		error = batch_name(
			reading, event_read(reading, iterator.value, &(*ret_messages)[i]), "element", i);
	}
	return error;
}

/* ce-NAME into the attribute NAME; header names are of any case, attribute names lower. */
static int attribute_read(const struct reading *reading, struct xylem_span header, struct xylem_span value,
	struct xylem_message *message)
{
	char *name = xylem_arena_take(reading->arena, header.n);
	if (!name) {
		return -XYLEM_E_MEMORY;
	}
	size_t n = header.n - 3;
	for (size_t i = 0; i < n; i++) {
		char byte = header.at[i + 3];
		name[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
	}
	struct xylem_span attribute = xylem_span(name, n), text = XYLEM_SPAN_NONE;
	if (xylem_span_is(attribute, "datacontenttype")) {
		xylem_reason_set(
			reading->reason, "say the data's type in Content-Type, there is no such header");
		return -XYLEM_E_INVALID;
	}
	int error = cloudevents_header_decode(value, reading->arena, &text, reading->reason);
	if (error) {
		return error;
	}
	if (xylem_span_is(attribute, "specversion")) {
		if (xylem_span_is(text, "1.0")) {
			return 0;
		}
		xylem_reason_set(reading->reason, "this bus speaks CloudEvents 1.0");
		return -XYLEM_E_INVALID;
	}
	error = xylem_message_set_attribute(message, reading->arena, attribute, text);
	if (error == -XYLEM_E_INVALID) {
		xylem_reason_set(reading->reason, "attribute names are [a-z0-9], at most 20 characters");
	}
	return error;
}

static int read_binary(const struct reading *reading, struct xylem_message *message)
{
	const struct webhook_request *request = reading->request;
	struct xylem_span name, value;
	*message = (struct xylem_message){ .datacontenttype = reading->content_type };
	for (size_t i = 0; request->header_at(request->context, i, &name, &value); i++) {
		if (name.n <= 3 || strncasecmp(name.at, "ce-", 3) != 0) {
			continue;
		}
		int error = attribute_read(reading, name, value, message);
		if (error == -XYLEM_E_INVALID) {
			struct xylem_reason why = *reading->reason;
			xylem_reason_set(reading->reason, "header %.*s: %.400s",
				(int)(name.n < 60 ? name.n : 60), name.at, why.text);
		}
		if (error) {
			return error;
		}
	}
	message->data = request->body.n > 0 ? request->body : XYLEM_SPAN_NONE;
	bool json = message->data.n > 0 && xylem_span_present(reading->content_type) &&
		    xylem_content_type_is_json(reading->content_type);
	int error = json ? json_check(message->data, reading->reason) : 0;
	return error ? error : event_finish(reading, message);
}

/* --- All of them ------------------------------------------------------- */

static int read_one(const struct reading *reading, enum webhook_form form,
	struct xylem_message **ret_messages, size_t *ret_n)
{
	struct xylem_message *message = xylem_arena_zero(reading->arena, sizeof(*message));
	if (!message) {
		return -XYLEM_E_MEMORY;
	}
	*ret_messages = message;
	*ret_n = 1;
	switch (form) {
	case WEBHOOK_CLOUDEVENT:
		return event_read(reading, reading->request->body, message);
	case WEBHOOK_CLOUDEVENT_BINARY:
		return read_binary(reading, message);
	default:
		return read_single(reading, message);
	}
}

int webhook_messages(const struct webhook_rules *rules, const struct webhook_request *request,
	enum webhook_form form, struct xylem_arena *arena, struct xylem_message **ret_messages, size_t *ret_n,
	struct xylem_reason *reason)
{
	struct reading reading = {
		.rules = rules,
		.request = request,
		.arena = arena,
		.reason = reason,
		.content_type = request->header(request->context, "Content-Type"),
		.request_id = request->header(request->context, "webhook-id"),
	};
	struct xylem_message *messages = NULL;
	size_t n = 0;
	int error = 0;
	reading.many = form == WEBHOOK_ARRAY || form == WEBHOOK_NDJSON;
	switch (form) {
	case WEBHOOK_ARRAY:
		error = read_array(&reading, &messages, &n);
		break;
	case WEBHOOK_NDJSON:
		error = read_lines(&reading, &messages, &n);
		break;
	case WEBHOOK_CLOUDEVENTS:
		error = read_events(&reading, &messages, &n);
		break;
	default:
		error = read_one(&reading, form, &messages, &n);
	}
	if (!error) {
		*ret_messages = messages;
		*ret_n = n;
	}
	return error;
}
