/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A webhook's request: what the headers can refuse, the body made messages and
 * handed in, put aside until the journal has answered, and the answer.
 *
 * The rule not to break: a request is put aside before its messages are handed
 * in, since the journal may answer before the call returns; and what happens
 * after the answer uses `struct pending` only, since the webhook may be gone.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <connectors/webhook.h>
#include <xylem/json.h>

/* What a request keeps from its submission to its answer. */
struct pending {
	struct http_request *request;
	int error;
	size_t n;
	struct xylem_receipt *receipts;
	struct xylem_receipt one;
	struct xylem_buffer ids; /* `],"ids":[...]}` */
	struct xylem_reason reason;
};

struct xylem_span webhook_header(const void *context, const char *name)
{
	return http_request_header(context, name);
}

static bool listed(struct xylem_strings list, struct xylem_span text)
{
	for (size_t i = 0; i < list.n; i++) {
		if (xylem_span_is(text, list.items[i])) {
			return true;
		}
	}
	return false;
}

/* The validation handshake (cloudevents/http-webhook.md, 4): may this origin send, and how fast. */
static void handshake(const struct webhook *webhook, struct http_request *request)
{
	struct xylem_span origin = http_request_header(request, "WebHook-Request-Origin");
	bool any = listed(webhook->options->origins, XYLEM_SPAN_LITERAL("*"));
	http_request_answer(request, 200, NULL, XYLEM_SPAN_NONE);
	http_request_answer_header(request, "Allow", webhook->allow);
	if (!xylem_span_present(origin) || (!any && !listed(webhook->options->origins, origin))) {
		return;
	}
	char value[256];
	snprintf(value, sizeof(value), "%.*s", (int)(origin.n < 255 ? origin.n : 255), origin.at);
	http_request_answer_header(request, "WebHook-Allowed-Origin", any ? "*" : value);
	if (xylem_span_present(http_request_header(request, "WebHook-Request-Rate"))) {
		snprintf(value, sizeof(value), "%lld", (long long)webhook->options->rate * 60);
		http_request_answer_header(
			request, "WebHook-Allowed-Rate", webhook->options->rate ? value : "*");
	}
}

/* A bucket of one second's requests. */
static bool rate_take(struct webhook *webhook)
{
	int64_t rate = webhook->options->rate;
	if (rate == 0) {
		return true;
	}
	int64_t now = clock_mono_us();
	webhook->tokens += (double)(now - webhook->tokens_us) * (double)rate / 1e6;
	webhook->tokens_us = now;
	if (webhook->tokens > (double)rate) {
		webhook->tokens = (double)rate;
	}
	if (webhook->tokens < 1) {
		return false;
	}
	webhook->tokens -= 1;
	return true;
}

static bool form_check(const struct webhook *webhook, struct http_request *request)
{
	struct webhook_request view = { .context = request, .header = webhook_header };
	enum webhook_form form;
	struct xylem_reason reason;
	struct xylem_span coding = http_request_header(request, "Content-Encoding");
	if (xylem_span_present(coding) && !xylem_span_is(coding, "identity")) {
		http_request_problem(
			request, -XYLEM_E_UNSUPPORTED, "send the body as it is, without a Content-Encoding");
		return false;
	}
	if (webhook_form_of(&webhook->rules, &view, &form, &reason)) {
		http_request_problem(request, -XYLEM_E_UNSUPPORTED, "%s", reason.text);
		return false;
	}
	return true;
}

static void begin_post(struct webhook *webhook, struct http_request *request)
{
	if (!webhook_sender_admits(webhook, request)) {
		xylem_host_count(webhook->host, "unauthorized", 1);
		return;
	}
	if (!form_check(webhook, request)) {
		xylem_host_count(webhook->host, "refused", 1);
		return;
	}
	if (!rate_take(webhook)) {
		http_request_problem(request, -XYLEM_E_LIMIT, "more than %lld requests a second: slow down",
			(long long)webhook->options->rate);
		xylem_host_count(webhook->host, "limited", 1);
		return;
	}
	if (xylem_source_held(webhook->source)) {
		http_request_problem(request, -XYLEM_E_BUSY,
			"the bus has as much waiting as it may hold: try again later");
		xylem_host_count(webhook->host, "held_back", 1);
		return;
	}
	http_request_take_body(request, (size_t)webhook->options->max_body);
}

static void begin(void *context, struct http_request *request)
{
	struct webhook *webhook = context;
	struct xylem_span method = http_request_method(request);
	if (listed(webhook->options->methods, method)) {
		begin_post(webhook, request);
	} else if (xylem_span_is(method, "OPTIONS")) {
		handshake(webhook, request);
	} else {
		http_request_problem(request, -XYLEM_E_METHOD, "this path takes %s", webhook->allow);
		http_request_answer_header(request, "Allow", webhook->allow);
	}
}

/* --- The body ---------------------------------------------------------- */

static void released(void *state)
{
	struct pending *pending = state;
	if (pending->receipts != &pending->one) {
		free(pending->receipts);
	}
	xylem_buffer_finish(&pending->ids);
	free(pending);
}

static struct pending *pending_new(
	struct http_request *request, const struct xylem_message *messages, size_t n)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	if (!pending) {
		return NULL;
	}
	pending->request = request;
	pending->n = n;
	pending->receipts = n == 1 ? &pending->one : malloc(n * sizeof(*pending->receipts));
	xylem_buffer_text(&pending->ids, "],\"ids\":[");
	for (size_t i = 0; i < n; i++) {
		xylem_json_write_comma(&pending->ids);
		xylem_json_write_string(&pending->ids, messages[i].id);
	}
	xylem_buffer_text(&pending->ids, "]}\n");
	if (!pending->receipts || xylem_buffer_failed(&pending->ids)) {
		released(pending);
		return NULL;
	}
	return pending;
}

/* The journal's commit thread: the least that will do. */
static void submitted(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct pending *pending = context;
	pending->error = error;
	if (!error) {
		memcpy(pending->receipts, receipts, n * sizeof(*receipts));
	}
	http_request_wake(pending->request);
}

static void hand_in(
	struct webhook *webhook, struct http_request *request, const struct xylem_message *messages, size_t n)
{
	struct pending *pending = pending_new(request, messages, n);
	if (!pending) {
		http_request_problem(request, -XYLEM_E_MEMORY, "no memory for this batch: try again");
		return;
	}
	http_request_attach(request, pending);
	http_request_hold(request);
	xylem_host_count(webhook->host, "messages", n);
	int error = xylem_source_submit(webhook->source, messages, n, submitted, pending, &pending->reason);
	if (error) {
		pending->error = error;
		http_request_wake(request);
	}
}

static void body_refuse(struct webhook *webhook, struct http_request *request, int error, const char *text)
{
	xylem_host_count(webhook->host, "refused", 1);
	/* A batch of too many messages is, to HTTP, a content that is too large. */
	http_request_problem(request, error == -XYLEM_E_LIMIT ? -XYLEM_E_TOO_LARGE : error, "%s", text);
}

static void complete(void *context, struct http_request *request)
{
	struct webhook *webhook = context;
	if (!webhook_sender_signed(webhook, request)) {
		xylem_host_count(webhook->host, "unauthorized", 1);
		return;
	}
	struct webhook_request view = {
		.context = request,
		.header = webhook_header,
		.header_at = NULL,
		.body = http_request_body(request),
	};
	view.header_at = (bool (*)(
		const void *, size_t, struct xylem_span *, struct xylem_span *))http_request_header_at;
	enum webhook_form form = WEBHOOK_SINGLE;
	struct xylem_message *messages = NULL;
	size_t n = 0;
	struct xylem_reason reason = { "out of memory" };
	int error = webhook_form_of(&webhook->rules, &view, &form, &reason);
	if (!error) {
		error = webhook_messages(
			&webhook->rules, &view, form, webhook->arena, &messages, &n, &reason);
	}
	if (error) {
		body_refuse(webhook, request, error, reason.text);
	} else {
		hand_in(webhook, request, messages, n);
	}
	xylem_arena_reset(webhook->arena);
}

static void accepted(struct http_request *request, struct pending *pending)
{
	struct xylem_buffer out = { 0 };
	char handle[XYLEM_HANDLE_SIZE];
	xylem_buffer_reserve(&out, 16 + pending->n * 28 + pending->ids.n);
	xylem_buffer_text(&out, "{\"handles\":[");
	for (size_t i = 0; i < pending->n; i++) {
		xylem_buffer_text(&out, i ? ",\"" : "\"");
		xylem_buffer_text(&out, xylem_handle_format(pending->receipts[i].position, handle));
		xylem_buffer_byte(&out, '"');
	}
	xylem_buffer_span(&out, xylem_buffer_borrow(&pending->ids));
	size_t n = 0;
	char *text = xylem_buffer_take(&out, &n);
	http_request_answer_take(request, 202, "application/json", text, text ? n : 0);
}

static void resumed(struct http_request *request, void *state)
{
	struct pending *pending = state;
	if (pending->error) {
		const char *text = pending->reason.text;
		http_request_problem(request, pending->error, "%s",
			*text ? text : "the bus could not write it down: send it again");
	} else {
		accepted(request, pending);
	}
}

const struct http_handler webhook_handler = {
	.begin = begin,
	.complete = complete,
	.resumed = resumed,
	.released = released,
};
