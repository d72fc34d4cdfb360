/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The webhook source: messages by HTTP POST, answered with 202 when they are
 * on disk and not before.
 *
 *     shop: { webhook: { path: /shop, verify: standard-webhooks,
 *                        secret: { file: shop.key }, key: /data/order/customer } }
 *
 * Many webhooks share one listener (http_server.c). What can be refused by the
 * headers is refused there: method, credentials, form, size, a held bus. The
 * body is then verified as raw bytes, read into messages (webhook_body.c) and
 * handed in; the connection is put aside until the journal has answered.
 *
 * The rule not to break: a request is put aside before its messages are handed
 * in, since the journal may answer before the call returns; and what happens
 * after the answer uses `struct pending` only, since the instance may be gone.
 *
 * It does no TLS (docs/webhooks.md: behind a reverse proxy), and does not
 * remember ids: a message sent twice comes in twice, with the same id.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/crypto.h>

#include <base/clock.h>
#include <connectors/http_server.h>
#include <connectors/signature.h>
#include <connectors/webhook_body.h>
#include <xylem/connector.h>
#include <xylem/json.h>

#define WEBHOOK_MAGIC 0x77656268

enum verify {
	VERIFY_NONE,
	VERIFY_STANDARD_WEBHOOKS,
	VERIFY_GITHUB,
	VERIFY_STRIPE,
	VERIFY_HMAC,
	VERIFY_BEARER,
	VERIFY_BASIC,
	VERIFY_TOKEN,
};

struct options {
	const char *path;
	const char *listen;
	int verify; /* enum verify */
	const struct xylem_secret *secret;
	const struct xylem_secret *previous_secret;
	int64_t tolerance_us;
	const char *user;
	const char *token_header;
	const char *hmac_header;
	const char *hmac_prefix;
	const char *hmac_timestamp;
	int hmac_digest;   /* enum signature_digest */
	int hmac_encoding; /* enum signature_encoding */
	struct xylem_strings methods;
	struct xylem_strings accept;
	const char *content_type;
	const char *id, *type, *subject, *key, *source;
	int64_t max_body;
	int64_t max_batch;
	int64_t rate;
	int trace; /* 0 auto, 1 continue, 2 restart */
	struct xylem_strings origins;
};

struct instance {
	uint32_t magic;
	struct xylem_host *host;
	const struct options *options;
	struct xylem_source *source;
	struct http_server *server;
	struct http_claim *claim;
	struct http_route *route;

	struct webhook_rules rules;
	char *own_source, *own_type; /* /connectors/NAME, NAME.received */

	struct signature_form form; /* of HMAC kinds */
	struct signature_key *keys[2];
	size_t key_count;
	char *credentials[2]; /* of the others: the whole Authorization or token value */
	size_t credential_count;
	char *allow; /* the Allow header */

	/* The server's thread only. */
	struct xylem_arena *arena;
	double tokens; /* of `rate` */
	int64_t tokens_us;
};

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

/* --- Who sends it ------------------------------------------------------ */

static struct xylem_span lookup(const void *context, const char *name)
{
	return http_request_header(context, name);
}

static bool signs(const struct instance *instance)
{
	return instance->key_count > 0;
}

/* Equal, in a time that depends on the lengths only. */
static bool credential_equal(struct xylem_span given, const char *expected)
{
	size_t n = strlen(expected);
	return given.n == n && CRYPTO_memcmp(given.at, expected, n) == 0;
}

static bool credential_holds(const struct instance *instance, const struct http_request *request)
{
	const char *header = instance->options->verify == VERIFY_TOKEN ? instance->options->token_header
								       : "Authorization";
	struct xylem_span given = http_request_header(request, header);
	bool holds = false;
	for (size_t i = 0; i < instance->credential_count; i++) {
		holds |= credential_equal(given, instance->credentials[i]);
	}
	return holds;
}

static void credential_refuse(const struct instance *instance, struct http_request *request)
{
	const char *header = instance->options->verify == VERIFY_TOKEN ? instance->options->token_header
								       : "Authorization";
	http_request_problem(
		request, -XYLEM_E_UNAUTHORIZED, "the header %s is missing or not the right one", header);
	if (instance->options->verify == VERIFY_BEARER) {
		http_request_answer_header(request, "WWW-Authenticate", "Bearer realm=\"xylem\"");
	} else if (instance->options->verify == VERIFY_BASIC) {
		http_request_answer_header(
			request, "WWW-Authenticate", "Basic realm=\"xylem\", charset=\"UTF-8\"");
	}
}

static int claim_read(const struct instance *instance, const struct http_request *request,
	struct signature_claim *ret_claim, struct xylem_reason *reason)
{
	return signature_claim_read(ret_claim, &instance->form, lookup, request, clock_wall_us() / 1000000,
		instance->options->tolerance_us / 1000000, reason);
}

/* By the headers alone. False: answered. */
static bool sender_check(const struct instance *instance, struct http_request *request)
{
	if (instance->credential_count > 0 && !credential_holds(instance, request)) {
		credential_refuse(instance, request);
		return false;
	}
	struct signature_claim claim;
	struct xylem_reason reason;
	if (signs(instance) && claim_read(instance, request, &claim, &reason)) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED, "%s", reason.text);
		return false;
	}
	return true;
}

/* Over the raw bytes. False: answered. */
static bool signature_check(const struct instance *instance, struct http_request *request)
{
	if (!signs(instance)) {
		return true;
	}
	struct signature_claim claim;
	struct xylem_reason reason;
	if (claim_read(instance, request, &claim, &reason)) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED, "%s", reason.text);
		return false;
	}
	if (!signature_claim_holds(&claim, &instance->form, instance->keys, instance->key_count,
		    http_request_body(request))) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED,
			"the signature in %s is not that of this body: check the secret, and sign the raw "
			"bytes",
			instance->form.header);
		return false;
	}
	return true;
}

/* --- The headers ------------------------------------------------------- */

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
static void handshake(const struct instance *instance, struct http_request *request)
{
	struct xylem_span origin = http_request_header(request, "WebHook-Request-Origin");
	bool any = listed(instance->options->origins, XYLEM_SPAN_LITERAL("*"));
	http_request_answer(request, 200, NULL, XYLEM_SPAN_NONE);
	http_request_answer_header(request, "Allow", instance->allow);
	if (!xylem_span_present(origin) || (!any && !listed(instance->options->origins, origin))) {
		return;
	}
	char value[256];
	snprintf(value, sizeof(value), "%.*s", (int)(origin.n < 255 ? origin.n : 255), origin.at);
	http_request_answer_header(request, "WebHook-Allowed-Origin", any ? "*" : value);
	if (xylem_span_present(http_request_header(request, "WebHook-Request-Rate"))) {
		snprintf(value, sizeof(value), "%lld", (long long)instance->options->rate * 60);
		http_request_answer_header(
			request, "WebHook-Allowed-Rate", instance->options->rate ? value : "*");
	}
}

/* A bucket of one second's requests. */
static bool rate_take(struct instance *instance)
{
	int64_t rate = instance->options->rate;
	if (rate == 0) {
		return true;
	}
	int64_t now = clock_mono_us();
	instance->tokens += (double)(now - instance->tokens_us) * (double)rate / 1e6;
	instance->tokens_us = now;
	if (instance->tokens > (double)rate) {
		instance->tokens = (double)rate;
	}
	if (instance->tokens < 1) {
		return false;
	}
	instance->tokens -= 1;
	return true;
}

static bool form_check(const struct instance *instance, struct http_request *request)
{
	struct webhook_request view = { .context = request, .header = lookup };
	enum webhook_form form;
	struct xylem_reason reason;
	struct xylem_span coding = http_request_header(request, "Content-Encoding");
	if (xylem_span_present(coding) && !xylem_span_is(coding, "identity")) {
		http_request_problem(
			request, -XYLEM_E_UNSUPPORTED, "send the body as it is, without a Content-Encoding");
		return false;
	}
	if (webhook_form_of(&instance->rules, &view, &form, &reason)) {
		http_request_problem(request, -XYLEM_E_UNSUPPORTED, "%s", reason.text);
		return false;
	}
	return true;
}

static void begin_post(struct instance *instance, struct http_request *request)
{
	if (!sender_check(instance, request)) {
		xylem_host_count(instance->host, "unauthorized", 1);
		return;
	}
	if (!form_check(instance, request)) {
		xylem_host_count(instance->host, "refused", 1);
		return;
	}
	if (!rate_take(instance)) {
		http_request_problem(request, -XYLEM_E_LIMIT, "more than %lld requests a second: slow down",
			(long long)instance->options->rate);
		xylem_host_count(instance->host, "limited", 1);
		return;
	}
	if (xylem_source_held(instance->source)) {
		http_request_problem(request, -XYLEM_E_BUSY,
			"the bus has as much waiting as it may hold: try again later");
		xylem_host_count(instance->host, "held_back", 1);
		return;
	}
	http_request_take_body(request, (size_t)instance->options->max_body);
}

static void begin(void *context, struct http_request *request)
{
	struct instance *instance = context;
	struct xylem_span method = http_request_method(request);
	if (listed(instance->options->methods, method)) {
		begin_post(instance, request);
	} else if (xylem_span_is(method, "OPTIONS")) {
		handshake(instance, request);
	} else {
		http_request_problem(request, -XYLEM_E_METHOD, "this path takes %s", instance->allow);
		http_request_answer_header(request, "Allow", instance->allow);
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

static void hand_in(struct instance *instance, struct http_request *request,
	const struct xylem_message *messages, size_t n)
{
	struct pending *pending = pending_new(request, messages, n);
	if (!pending) {
		http_request_problem(request, -XYLEM_E_MEMORY, "no memory for this batch: try again");
		return;
	}
	http_request_attach(request, pending);
	http_request_hold(request);
	xylem_host_count(instance->host, "messages", n);
	int error = xylem_source_submit(instance->source, messages, n, submitted, pending, &pending->reason);
	if (error) {
		pending->error = error;
		http_request_wake(request);
	}
}

static void body_refuse(struct instance *instance, struct http_request *request, int error, const char *text)
{
	xylem_host_count(instance->host, "refused", 1);
	/* A batch of too many messages is, to HTTP, a content that is too large. */
	http_request_problem(request, error == -XYLEM_E_LIMIT ? -XYLEM_E_TOO_LARGE : error, "%s", text);
}

static void complete(void *context, struct http_request *request)
{
	struct instance *instance = context;
	if (!signature_check(instance, request)) {
		xylem_host_count(instance->host, "unauthorized", 1);
		return;
	}
	struct webhook_request view = {
		.context = request,
		.header = lookup,
		.header_at = NULL,
		.body = http_request_body(request),
	};
	view.header_at = (bool (*)(
		const void *, size_t, struct xylem_span *, struct xylem_span *))http_request_header_at;
	enum webhook_form form = WEBHOOK_SINGLE;
	struct xylem_message *messages = NULL;
	size_t n = 0;
	struct xylem_reason reason = { "out of memory" };
	int error = webhook_form_of(&instance->rules, &view, &form, &reason);
	if (!error) {
		error = webhook_messages(
			&instance->rules, &view, form, instance->arena, &messages, &n, &reason);
	}
	if (error) {
		body_refuse(instance, request, error, reason.text);
	} else {
		hand_in(instance, request, messages, n);
	}
	xylem_arena_reset(instance->arena);
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

static const struct http_handler handler = {
	.begin = begin,
	.complete = complete,
	.resumed = resumed,
	.released = released,
};

/* --- Options ----------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned forms;
} forms[] = {
	{ "single", WEBHOOK_SINGLE },
	{ "array", WEBHOOK_ARRAY },
	{ "ndjson", WEBHOOK_NDJSON },
	{ "cloudevents", WEBHOOK_CLOUDEVENT_BINARY | WEBHOOK_CLOUDEVENT },
	{ "cloudevents-batch", WEBHOOK_CLOUDEVENTS },
};

static int accept_read(struct xylem_strings accept, unsigned *ret_forms, struct xylem_reason *reason)
{
	unsigned taken = 0;
	for (size_t i = 0; i < accept.n; i++) {
		unsigned found = 0;
		for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
			found |= strcmp(accept.items[i], forms[f].name) == 0 ? forms[f].forms : 0;
		}
		if (!found) {
			xylem_reason_set(reason,
				"accept: \"%s\" is no form of body; there are single, array, ndjson, "
				"cloudevents and cloudevents-batch",
				accept.items[i]);
			return -XYLEM_E_INVALID;
		}
		taken |= found;
	}
	if (!taken) {
		xylem_reason_set(reason, "accept: name at least one form of body");
		return -XYLEM_E_INVALID;
	}
	*ret_forms = taken;
	return 0;
}

/* Compiles the picks; on failure those made so far are finished. */
static int picks_init(struct webhook_rules *rules, const struct options *options, struct xylem_reason *reason)
{
	const char *id = options->id;
	if (!id && options->verify == VERIFY_GITHUB) {
		id = "header:X-GitHub-Delivery";
	}
	struct {
		const char *name, *text;
		struct pick *pick;
	} const rows[] = {
		{ "id", id, &rules->pick_id },
		{ "type", options->type, &rules->pick_type },
		{ "subject", options->subject, &rules->pick_subject },
		{ "key", options->key, &rules->pick_key },
	};
	for (size_t i = 0; i < 4; i++) {
		struct xylem_reason why = { "out of memory" };
		int error = pick_init(rows[i].pick, rows[i].text, true, &why);
		if (!error && i == 0 && rows[i].pick->kind == PICK_TEXT) {
			xylem_reason_set(&why, "\"%s\" would be the id of every message", id);
			error = -XYLEM_E_INVALID;
		}
		if (error) {
			xylem_reason_set(reason, "%s: %.400s", rows[i].name, why.text);
			for (size_t k = 0; k <= i; k++) {
				pick_finish(rows[k].pick);
			}
			return error;
		}
	}
	return 0;
}

static void picks_finish(struct webhook_rules *rules)
{
	pick_finish(&rules->pick_id);
	pick_finish(&rules->pick_type);
	pick_finish(&rules->pick_subject);
	pick_finish(&rules->pick_key);
}

static int methods_check(struct xylem_strings methods, struct xylem_reason *reason)
{
	static const char *const known[] = { "POST", "PUT", "PATCH" };
	for (size_t i = 0; i < methods.n; i++) {
		bool found = false;
		for (size_t k = 0; k < 3; k++) {
			found |= strcmp(methods.items[i], known[k]) == 0;
		}
		if (!found) {
			xylem_reason_set(
				reason, "methods: \"%s\" is none of POST, PUT and PATCH", methods.items[i]);
			return -XYLEM_E_INVALID;
		}
	}
	if (methods.n == 0) {
		xylem_reason_set(reason, "methods: name at least one of POST, PUT and PATCH");
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int verify_check(const struct options *options, struct xylem_reason *reason)
{
	const char *missing = NULL;
	if (options->verify != VERIFY_NONE && !options->secret) {
		missing = "secret: this kind of `verify` needs one";
	} else if (options->verify == VERIFY_NONE && options->secret) {
		missing =
			"secret: `verify: none` uses none; say how senders prove themselves, or take it out";
	} else if (options->previous_secret && !options->secret) {
		missing = "previous_secret: there is no `secret` that came after it";
	} else if (options->verify == VERIFY_HMAC && !options->hmac_header) {
		missing = "hmac.header: say in which header the signature stands";
	} else if (options->verify == VERIFY_BASIC && !options->user) {
		missing = "user: `verify: basic` needs one";
	}
	if (missing) {
		xylem_reason_set(reason, "%s", missing);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int check(const void *opaque, struct xylem_reason *reason)
{
	const struct options *options = opaque;
	if (options->path[0] != '/' || strpbrk(options->path, "?# \t")) {
		xylem_reason_set(reason, "path: \"%s\" is no path: it begins with / and has no ?, # or blank",
			options->path);
		return -XYLEM_E_INVALID;
	}
	unsigned taken = 0;
	struct webhook_rules rules = { 0 };
	int error = verify_check(options, reason);
	error = error ? error : methods_check(options->methods, reason);
	error = error ? error : accept_read(options->accept, &taken, reason);
	error = error ? error : picks_init(&rules, options, reason);
	picks_finish(&rules);
	return error;
}

/* --- Life -------------------------------------------------------------- */

static int key_add(struct instance *instance, const struct xylem_secret *secret, struct xylem_reason *reason)
{
	if (!secret) {
		return 0;
	}
	struct xylem_span text = xylem_secret_borrow(secret);
	char bytes[64];
	size_t n = 0;
	if (instance->options->verify == VERIFY_STANDARD_WEBHOOKS) {
		int error = signature_secret_decode(text, bytes, &n, reason);
		if (error) {
			return error;
		}
		text = xylem_span(bytes, n);
	}
	int error = signature_key_new(&instance->keys[instance->key_count], text, instance->form.digest);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (!error) {
		instance->key_count++;
	}
	return error;
}

/* What the header will have to say, made once. */
static int credential_add(struct instance *instance, const struct xylem_secret *secret)
{
	if (!secret) {
		return 0;
	}
	struct xylem_span text = xylem_secret_borrow(secret);
	struct xylem_buffer value = { 0 };
	if (instance->options->verify == VERIFY_BASIC) {
		struct xylem_buffer pair = { 0 };
		xylem_buffer_format(&pair, "%s:", instance->options->user);
		xylem_buffer_span(&pair, text);
		xylem_buffer_text(&value, "Basic ");
		base64_write(&value, xylem_buffer_borrow(&pair));
		OPENSSL_cleanse(pair.bytes, pair.n);
		xylem_buffer_finish(&pair);
	} else {
		xylem_buffer_text(&value, instance->options->verify == VERIFY_BEARER ? "Bearer " : "");
		xylem_buffer_span(&value, text);
	}
	char *credential = xylem_buffer_take(&value, NULL);
	if (!credential) {
		return -XYLEM_E_MEMORY;
	}
	instance->credentials[instance->credential_count++] = credential;
	return 0;
}

static int verify_init(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	const struct xylem_secret *const secrets[] = { options->secret, options->previous_secret };
	switch ((enum verify)options->verify) {
	case VERIFY_NONE:
		return 0;
	case VERIFY_STANDARD_WEBHOOKS:
		instance->form = signature_standard_webhooks;
		break;
	case VERIFY_GITHUB:
		instance->form = signature_github;
		break;
	case VERIFY_STRIPE:
		instance->form = signature_stripe;
		break;
	case VERIFY_HMAC:
		instance->form = (struct signature_form){
			.header = options->hmac_header,
			.prefix = options->hmac_prefix ? options->hmac_prefix : "",
			.timestamp_header = options->hmac_timestamp,
			.digest = (enum signature_digest)options->hmac_digest,
			.encoding = (enum signature_encoding)options->hmac_encoding,
		};
		break;
	case VERIFY_BEARER:
	case VERIFY_BASIC:
	case VERIFY_TOKEN:
		break;
	}
	int error = 0;
	for (size_t i = 0; !error && i < 2; i++) {
		error = instance->form.header ? key_add(instance, secrets[i], reason)
					      : credential_add(instance, secrets[i]);
	}
	return error;
}

static int rules_init(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	struct webhook_rules *rules = &instance->rules;
	const char *name = xylem_host_name(instance->host);
	if (asprintf(&instance->own_source, "/connectors/%s", name) < 0) {
		instance->own_source = NULL;
		return -XYLEM_E_MEMORY;
	}
	if (asprintf(&instance->own_type, "%s.received", name) < 0) {
		instance->own_type = NULL;
		return -XYLEM_E_MEMORY;
	}
	rules->source = options->source ? options->source : instance->own_source;
	rules->type = instance->own_type;
	rules->content_type = options->content_type;
	rules->max_batch = (size_t)options->max_batch;
	/* A stranger's trace ids are not to be believed. */
	rules->carry_trace = options->trace == 1 || (options->trace == 0 && options->verify != VERIFY_NONE);
	int error = accept_read(options->accept, &rules->forms, reason);
	return error ? error : picks_init(rules, options, reason);
}

static int allow_init(struct instance *instance)
{
	struct xylem_buffer allow = { 0 };
	for (size_t i = 0; i < instance->options->methods.n; i++) {
		xylem_buffer_format(&allow, "%s, ", instance->options->methods.items[i]);
	}
	xylem_buffer_text(&allow, "OPTIONS");
	instance->allow = xylem_buffer_take(&allow, NULL);
	return instance->allow ? 0 : -XYLEM_E_MEMORY;
}

static void close_instance(void *opaque)
{
	struct instance *instance = opaque;
	if (!instance) {
		return;
	}
	http_route_close(instance->route);
	http_claim_free(instance->claim);
	http_server_unref(instance->server);
	for (size_t i = 0; i < instance->key_count; i++) {
		signature_key_free(instance->keys[i]);
	}
	for (size_t i = 0; i < instance->credential_count; i++) {
		OPENSSL_cleanse(instance->credentials[i], strlen(instance->credentials[i]));
		free(instance->credentials[i]);
	}
	picks_finish(&instance->rules);
	xylem_arena_free(instance->arena);
	free(instance->own_source);
	free(instance->own_type);
	free(instance->allow);
	instance->magic = 0;
	free(instance);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance) {
		return -XYLEM_E_MEMORY;
	}
	instance->magic = WEBHOOK_MAGIC;
	instance->host = host;
	instance->options = options;
	instance->arena = xylem_arena_new(0);
	int error = instance->arena ? 0 : -XYLEM_E_MEMORY;
	error = error ? error : verify_init(instance, reason);
	error = error ? error : rules_init(instance, reason);
	error = error ? error : allow_init(instance);
	instance->claim = error ? NULL : http_claim_new(instance->options->listen, instance->options->path);
	if (!error && !instance->claim) {
		error = -XYLEM_E_MEMORY;
	}
	if (error) {
		close_instance(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

static int source_start(void *opaque, struct xylem_source *source, struct xylem_reason *reason)
{
	struct instance *instance = opaque;
	instance->source = source;
	int error = 0;
	if (!instance->server) {
		error = http_server_open(&instance->server, instance->options->listen, reason);
	}
	if (!error) {
		error = http_route_open(&instance->route, instance->server, instance->options->path, &handler,
			instance, reason);
	}
	if (error) {
		xylem_host_health(instance->host, false, "%s", reason->text);
		return error;
	}
	xylem_host_health(instance->host, true, "listening on %s%s", instance->options->listen,
		instance->options->path);
	return 0;
}

/*
 * The listener stays until close(): it answers what is under way, and 503 to
 * what still comes.
 */
static void source_stop(void *opaque)
{
	struct instance *instance = opaque;
	instance->route = http_route_close(instance->route);
}

#define OPTION(field) .offset = offsetof(struct options, field)

static const struct xylem_option options[] = {
	{ .name = "path",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		OPTION(path),
		.minimum = 1,
		.maximum = 1024,
		.since = "0.1",
		.summary = "The path that takes the messages: this one, or all below it when it ends in `/`.",
		.example = "/shop" },
	{ .name = "listen",
		.type = XYLEM_OPTION_ADDRESS,
		OPTION(listen),
		.default_value = "127.0.0.1:8080",
		.since = "0.1",
		.summary = "Where to listen; webhooks that name the same address share it." },
	{ .name = "verify",
		.type = XYLEM_OPTION_ENUM,
		.flags = XYLEM_OPTION_REQUIRED,
		OPTION(verify),
		.choices = (const char *const[]){ "none", "standard-webhooks", "github", "stripe", "hmac",
			"bearer", "basic", "token", NULL },
		.since = "0.1",
		.summary = "How a sender proves itself; `none` has to be said.",
		.example = "standard-webhooks" },
	{ .name = "secret",
		.type = XYLEM_OPTION_SECRET,
		OPTION(secret),
		.since = "0.1",
		.summary = "The key of the signature, the bearer token, the password or the token.",
		.example = "{ file: shop.key }" },
	{ .name = "previous_secret",
		.type = XYLEM_OPTION_SECRET,
		OPTION(previous_secret),
		.since = "0.1",
		.summary = "Taken as well, while senders change over to the new one.",
		.example = "{ file: shop.key.old }" },
	{ .name = "tolerance",
		.type = XYLEM_OPTION_DURATION,
		OPTION(tolerance_us),
		.default_value = "5m",
		.maximum = 86400LL * 1000000,
		.since = "0.1",
		.summary = "How far a signature's timestamp may be from this clock; `0s` is any." },
	{ .name = "user",
		.type = XYLEM_OPTION_STRING,
		OPTION(user),
		.since = "0.1",
		.summary = "The user of `verify: basic`.",
		.example = "shop" },
	{ .name = "token_header",
		.type = XYLEM_OPTION_STRING,
		OPTION(token_header),
		.default_value = "X-Api-Key",
		.minimum = 1,
		.maximum = 100,
		.since = "0.1",
		.summary = "The header of `verify: token`.",
		.example = "X-Gitlab-Token" },
	{ .name = "hmac.header",
		.type = XYLEM_OPTION_STRING,
		OPTION(hmac_header),
		.since = "0.1",
		.summary = "The header in which `verify: hmac` finds the signature.",
		.example = "X-Signature" },
	{ .name = "hmac.prefix",
		.type = XYLEM_OPTION_STRING,
		OPTION(hmac_prefix),
		.since = "0.1",
		.summary = "What stands before the signature in that header.",
		.example = "sha256=" },
	{ .name = "hmac.timestamp",
		.type = XYLEM_OPTION_STRING,
		OPTION(hmac_timestamp),
		.since = "0.1",
		.summary = "A header with Unix seconds that are signed before the body, with a dot between.",
		.example = "X-Timestamp" },
	{ .name = "hmac.digest",
		.type = XYLEM_OPTION_ENUM,
		OPTION(hmac_digest),
		.default_value = "sha256",
		.choices = (const char *const[]){ "sha256", "sha512", "sha1", NULL },
		.since = "0.1",
		.summary = "The hash of `verify: hmac`." },
	{ .name = "hmac.encoding",
		.type = XYLEM_OPTION_ENUM,
		OPTION(hmac_encoding),
		.default_value = "hex",
		.choices = (const char *const[]){ "hex", "base64", NULL },
		.since = "0.1",
		.summary = "How the signature of `verify: hmac` is written." },
	{ .name = "methods",
		.type = XYLEM_OPTION_LIST,
		OPTION(methods),
		.default_value = "[POST]",
		.since = "0.1",
		.summary = "The methods taken: POST, PUT, PATCH." },
	{ .name = "accept",
		.type = XYLEM_OPTION_LIST,
		OPTION(accept),
		.default_value = "[single, ndjson, cloudevents, cloudevents-batch]",
		.since = "0.1",
		.summary = "The forms of body taken; `array` makes each element of a JSON array a message.",
		.example = "[array]" },
	{ .name = "content_type",
		.type = XYLEM_OPTION_STRING,
		OPTION(content_type),
		.since = "0.1",
		.summary = "The only media type taken for plain messages, and what they are without one.",
		.example = "application/json" },
	{ .name = "id",
		.type = XYLEM_OPTION_STRING,
		OPTION(id),
		.since = "0.1",
		.summary = "Where a plain message's id is: a pointer or `header:NAME`; else `webhook-id`, "
			   "else a new one.",
		.example = "/data/order/id" },
	{ .name = "type",
		.type = XYLEM_OPTION_STRING,
		OPTION(type),
		.since = "0.1",
		.summary =
			"A plain message's type: a pointer, `header:NAME` or a text; else `NAME.received`.",
		.example = "header:X-GitHub-Event" },
	{ .name = "subject",
		.type = XYLEM_OPTION_STRING,
		OPTION(subject),
		.since = "0.1",
		.summary = "A plain message's subject: a pointer, `header:NAME` or a text.",
		.example = "/data/order/number" },
	{ .name = "source",
		.type = XYLEM_OPTION_STRING,
		OPTION(source),
		.since = "0.1",
		.summary = "A plain message's source, a URI reference; else `/connectors/NAME`.",
		.example = "https://shop.example" },
	{ .name = "key",
		.type = XYLEM_OPTION_STRING,
		OPTION(key),
		.since = "0.1",
		.summary = "The ordering key: a pointer, `header:NAME` or a text; else an event's "
			   "`partitionkey`.",
		.example = "/data/order/customer" },
	{ .name = "max_body",
		.type = XYLEM_OPTION_SIZE,
		OPTION(max_body),
		.default_value = "8MiB",
		.minimum = 1,
		.maximum = 1LL << 30,
		.since = "0.1",
		.summary = "The largest body taken; one message of it may have `bus.max_message` bytes." },
	{ .name = "max_batch",
		.type = XYLEM_OPTION_INTEGER,
		OPTION(max_batch),
		.default_value = "10000",
		.minimum = 1,
		.maximum = 1000000,
		.since = "0.1",
		.summary = "The most messages taken in one body." },
	{ .name = "rate",
		.type = XYLEM_OPTION_INTEGER,
		OPTION(rate),
		.default_value = "0",
		.maximum = 1000000,
		.since = "0.1",
		.summary = "Requests a second, in bursts of one second's worth; 0 is no limit." },
	{ .name = "trace",
		.type = XYLEM_OPTION_ENUM,
		OPTION(trace),
		.default_value = "auto",
		.choices = (const char *const[]){ "auto", "continue", "restart", NULL },
		.since = "0.1",
		.summary =
			"Whether a sender's `traceparent` is believed; `auto`: if the sender is verified." },
	{ .name = "origins",
		.type = XYLEM_OPTION_LIST,
		OPTION(origins),
		.since = "0.1",
		.summary = "Origins that pass the CloudEvents handshake (OPTIONS); `*` is any.",
		.example = "[eventgrid.example]" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_connector xylem_connector_webhook;
const struct xylem_connector xylem_connector_webhook = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE,
	.name = "webhook",
	.summary = "Takes messages by HTTP POST, answered when they are on disk.",
	.options = options,
	.options_size = sizeof(struct options),
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.source_start = source_start,
	.source_stop = source_stop,
};
