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
 * handed in; the connection is put aside until the journal has answered
 * (webhook_request.c, webhook_sender.c). This file has its options and its life.
 *
 * It does no TLS (docs/webhooks.md: behind a reverse proxy), and does not
 * remember ids: a message sent twice comes in twice, with the same id.
 */

#include <stdio.h>
#include <stdlib.h>

#include <connectors/webhook.h>

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
static int picks_init(
	struct webhook_rules *rules, const struct webhook_options *options, struct xylem_reason *reason)
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
		int error = rows[i].pick == &rules->pick_key
				    ? pick_init_key(rows[i].pick, rows[i].text, true, &why)
				    : pick_init(rows[i].pick, rows[i].text, true, &why);
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

static int check(const void *opaque, struct xylem_reason *reason)
{
	const struct webhook_options *options = opaque;
	if (options->path[0] != '/' || strpbrk(options->path, "?# \t")) {
		xylem_reason_set(reason, "path: \"%s\" is no path: it begins with / and has no ?, # or blank",
			options->path);
		return -XYLEM_E_INVALID;
	}
	unsigned taken = 0;
	struct webhook_rules rules = { 0 };
	int error = webhook_sender_options(options, reason);
	error = error ? error : methods_check(options->methods, reason);
	error = error ? error : accept_read(options->accept, &taken, reason);
	error = error ? error : picks_init(&rules, options, reason);
	picks_finish(&rules);
	return error;
}

/* --- Life -------------------------------------------------------------- */

static int rules_init(struct webhook *webhook, struct xylem_reason *reason)
{
	const struct webhook_options *options = webhook->options;
	struct webhook_rules *rules = &webhook->rules;
	const char *name = xylem_host_name(webhook->host);
	if (asprintf(&webhook->own_source, "/connectors/%s", name) < 0) {
		webhook->own_source = NULL;
		return -XYLEM_E_MEMORY;
	}
	if (asprintf(&webhook->own_type, "%s.received", name) < 0) {
		webhook->own_type = NULL;
		return -XYLEM_E_MEMORY;
	}
	rules->source = options->source ? options->source : webhook->own_source;
	rules->type = webhook->own_type;
	rules->content_type = options->content_type;
	rules->max_batch = (size_t)options->max_batch;
	/* A stranger's trace ids are not to be believed. */
	rules->carry_trace = options->trace == 1 || (options->trace == 0 && options->verify != VERIFY_NONE);
	int error = accept_read(options->accept, &rules->forms, reason);
	return error ? error : picks_init(rules, options, reason);
}

static int allow_init(struct webhook *webhook)
{
	struct xylem_buffer allow = { 0 };
	for (size_t i = 0; i < webhook->options->methods.n; i++) {
		xylem_buffer_format(&allow, "%s, ", webhook->options->methods.items[i]);
	}
	xylem_buffer_text(&allow, "OPTIONS");
	webhook->allow = xylem_buffer_take(&allow, NULL);
	return webhook->allow ? 0 : -XYLEM_E_MEMORY;
}

static void close_instance(void *opaque)
{
	struct webhook *webhook = opaque;
	if (!webhook) {
		return;
	}
	http_route_close(webhook->route);
	http_claim_free(webhook->claim);
	http_server_unref(webhook->server);
	webhook_sender_finish(webhook);
	picks_finish(&webhook->rules);
	xylem_arena_free(webhook->arena);
	free(webhook->own_source);
	free(webhook->own_type);
	free(webhook->allow);
	webhook->magic = 0;
	free(webhook);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct webhook *webhook = calloc(1, sizeof(*webhook));
	if (!webhook) {
		return -XYLEM_E_MEMORY;
	}
	webhook->magic = WEBHOOK_MAGIC;
	webhook->host = host;
	webhook->options = options;
	webhook->arena = xylem_arena_new(0);
	int error = webhook->arena ? 0 : -XYLEM_E_MEMORY;
	error = error ? error : webhook_sender_init(webhook, reason);
	error = error ? error : rules_init(webhook, reason);
	error = error ? error : allow_init(webhook);
	webhook->claim = error ? NULL : http_claim_new(webhook->options->listen, webhook->options->path);
	if (!error && !webhook->claim) {
		error = -XYLEM_E_MEMORY;
	}
	if (error) {
		close_instance(webhook);
		return error;
	}
	*ret_instance = webhook;
	return 0;
}

static int source_start(void *opaque, struct xylem_source *source, struct xylem_reason *reason)
{
	struct webhook *webhook = opaque;
	webhook->source = source;
	int error = 0;
	if (!webhook->server) {
		error = http_server_open(&webhook->server, webhook->options->listen, reason);
	}
	if (!error) {
		error = http_route_open(&webhook->route, webhook->server, webhook->options->path,
			&webhook_handler, webhook, reason);
	}
	if (error) {
		xylem_host_health(webhook->host, false, "%s", reason->text);
		return error;
	}
	xylem_host_health(
		webhook->host, true, "listening on %s%s", webhook->options->listen, webhook->options->path);
	return 0;
}

/*
 * The listener stays until close(): it answers what is under way, and 503 to
 * what still comes.
 */
static void source_stop(void *opaque)
{
	struct webhook *webhook = opaque;
	webhook->route = http_route_close(webhook->route);
}

#define OPTION(field) .offset = offsetof(struct webhook_options, field)

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
	.options_size = sizeof(struct webhook_options),
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.source_start = source_start,
	.source_stop = source_stop,
};
