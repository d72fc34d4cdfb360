/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The http sink: messages to a URL, as CloudEvents or as bare data, singly or
 * in batches.
 *
 *     partner: { http: { url: "https://partner.example/orders",
 *                        bearer: { env: PARTNER_TOKEN }, body: data } }
 *
 * This file has the options and the life of an instance; outgoing.c makes
 * requests of messages, http_transfer.c sends them. A delivery is acknowledged
 * by a 2xx; any other answer falls into its class by the one table
 * (bus/contract/failure.c), connections that fail by http_failure.c.
 *
 * The rule not to break: an instance is read-only once open, so that its
 * workers need no lock.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <connectors/http_transfer.h>
#include <connectors/signature.h>
#include <xylem/connector.h>
#include <xylem/log.h>

#define HTTP_MAGIC 0x68747470

struct options {
	const char *url;
	int method; /* of `methods` */
	int body;   /* enum outgoing_form */
	int64_t timeout_us;
	int64_t connect_timeout_us;
	int64_t connections;
	struct xylem_pairs headers;
	const struct xylem_secret *bearer;
	const char *user;
	const struct xylem_secret *password;
	const char *secret_header_name;
	const struct xylem_secret *secret_header_value;
	int sign; /* 0 none, 1 standard-webhooks */
	const struct xylem_secret *secret, *previous_secret;
	struct xylem_strings allow;
	const char *proxy;
	const char *tls_ca, *tls_certificate, *tls_key;
	bool insecure_skip_verify;
};

struct instance {
	uint32_t magic;
	struct xylem_host *host;
	const struct options *options;
	struct http_target target;
	struct curl_slist *headers;
};

/* A lane worker's own: keys are for one thread. */
struct worker {
	struct instance *instance;
	struct outgoing_rules rules;
	struct signature_key *keys[2];
	struct http_worker *transfer;
	enum xylem_failure said; /* to the health view; -1: nothing yet */
};

static const char *const methods[] = { "POST", "PUT", "PATCH", NULL };
static const char *const bodies[] = { "cloudevents-binary", "cloudevents", "cloudevents-batch", "data",
	"array", "ndjson", NULL };

/* --- Options ----------------------------------------------------------- */

static bool header_name_valid(const char *name)
{
	static const char others[] = "!#$%&'*+-.^_`|~"; /* RFC 9110, 5.6.2 */
	for (const char *at = name; *at; at++) {
		bool plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') ||
			     (*at >= 'A' && *at <= 'Z');
		if (!plain && !strchr(others, *at)) {
			return false;
		}
	}
	return *name != '\0';
}

static bool header_value_valid(struct xylem_span value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.at[i] < 0x20 || value.at[i] > 0x7e) {
			return false;
		}
	}
	return true;
}

static int refuse(struct xylem_reason *reason, const char *text)
{
	xylem_reason_set(reason, "%s", text);
	return -XYLEM_E_INVALID;
}

static int headers_check(const struct options *options, struct xylem_reason *reason)
{
	static const char *const ours[] = { "Content-Length", "Transfer-Encoding", "Connection", "Host",
		NULL };
	for (size_t i = 0; i < options->headers.n; i++) {
		const struct xylem_pair *pair = &options->headers.items[i];
		if (!header_name_valid(pair->name) || !header_value_valid(xylem_span_of(pair->value))) {
			xylem_reason_set(reason,
				"headers: \"%s\" or its value has characters that cannot stand in a header",
				pair->name);
			return -XYLEM_E_INVALID;
		}
		for (size_t k = 0; ours[k]; k++) {
			if (strcasecmp(pair->name, ours[k]) == 0) {
				xylem_reason_set(reason, "headers: %s is the connector's to say", ours[k]);
				return -XYLEM_E_INVALID;
			}
		}
	}
	return 0;
}

static int check(const void *opaque, struct xylem_reason *reason)
{
	const struct options *options = opaque;
	struct address_guard guard;
	if (!options->user != !options->password) {
		return refuse(reason, "user and password belong together");
	}
	if (options->bearer && options->user) {
		return refuse(reason, "bearer and user: a request has one Authorization");
	}
	if (!options->secret_header_name != !options->secret_header_value) {
		return refuse(reason, "secret_header.name and secret_header.value belong together");
	}
	if (options->secret_header_name && !header_name_valid(options->secret_header_name)) {
		return refuse(reason, "secret_header.name: there are characters in it that cannot stand in a "
				      "header's name");
	}
	if ((options->sign != 0) != (options->secret != NULL)) {
		return refuse(reason, "sign and secret belong together");
	}
	if (!options->tls_certificate != !options->tls_key) {
		return refuse(reason, "tls.certificate and tls.key belong together");
	}
	int error = headers_check(options, reason);
	return error ? error : address_guard_init(&guard, options->allow, reason);
}

/* --- Life of an instance ----------------------------------------------- */

static bool header_add(struct instance *instance, const struct xylem_buffer *line)
{
	struct curl_slist *more = line->failed ? NULL : curl_slist_append(instance->headers, line->bytes);
	if (more) {
		instance->headers = more;
	}
	return more != NULL;
}

/* "NAME: before" and the secret, wiped here after libcurl has copied it. */
static bool secret_header_add(
	struct instance *instance, const char *before, struct xylem_span secret, bool base64)
{
	struct xylem_buffer line = { 0 };
	xylem_buffer_text(&line, before);
	if (base64) {
		base64_write(&line, secret);
	} else {
		xylem_buffer_span(&line, secret);
	}
	xylem_buffer_byte(&line, '\0');
	bool ok = header_add(instance, &line);
	if (line.bytes) {
		OPENSSL_cleanse(line.bytes, line.n);
	}
	xylem_buffer_finish(&line);
	return ok;
}

static bool basic_add(struct instance *instance)
{
	struct xylem_buffer pair = { 0 };
	xylem_buffer_format(&pair, "%s:", instance->options->user);
	xylem_buffer_span(&pair, xylem_secret_borrow(instance->options->password));
	bool ok = secret_header_add(instance, "Authorization: Basic ", xylem_buffer_borrow(&pair), true);
	if (pair.bytes) {
		OPENSSL_cleanse(pair.bytes, pair.n);
	}
	xylem_buffer_finish(&pair);
	return ok;
}

static bool plain_header_add(struct instance *instance, const char *name, const char *value)
{
	/* libcurl's notation: a header without a value ends in a semicolon. */
	XYLEM_BUFFER_SCOPED line = { 0 };
	xylem_buffer_format(&line, *value ? "%s: %s" : "%s;", name, value);
	xylem_buffer_byte(&line, '\0');
	return header_add(instance, &line);
}

static int headers_make(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	const struct xylem_secret *const secrets[] = { options->bearer, options->password,
		options->secret_header_value };
	for (size_t i = 0; i < 3; i++) {
		if (secrets[i] && i != 1 && !header_value_valid(xylem_secret_borrow(secrets[i]))) {
			return refuse(reason, "a secret for a header has characters that cannot stand in one "
					      "(a line break?)");
		}
	}
	/* A body is sent at once, not asked for. */
	bool ok = plain_header_add(instance, "Accept", "*/*");
	struct curl_slist *more = ok ? curl_slist_append(instance->headers, "Expect:") : NULL;
	ok = more != NULL;
	for (size_t i = 0; ok && i < options->headers.n; i++) {
		ok = plain_header_add(
			instance, options->headers.items[i].name, options->headers.items[i].value);
	}
	if (ok && options->bearer) {
		ok = secret_header_add(
			instance, "Authorization: Bearer ", xylem_secret_borrow(options->bearer), false);
	}
	if (ok && options->user) {
		ok = basic_add(instance);
	}
	if (ok && options->secret_header_name) {
		XYLEM_BUFFER_SCOPED before = { 0 };
		xylem_buffer_format(&before, "%s: ", options->secret_header_name);
		xylem_buffer_byte(&before, '\0');
		ok = !before.failed && secret_header_add(instance, before.bytes,
					       xylem_secret_borrow(options->secret_header_value), false);
	}
	return ok ? 0 : -XYLEM_E_MEMORY;
}

static void close_instance(void *opaque)
{
	struct instance *instance = opaque;
	if (!instance) {
		return;
	}
	for (struct curl_slist *line = instance->headers; line; line = line->next) {
		OPENSSL_cleanse(line->data, strlen(line->data));
	}
	curl_slist_free_all(instance->headers);
	instance->magic = 0;
	free(instance);
}

static void curl_start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int target_init(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	instance->target = (struct http_target){
		.url = options->url,
		.method = methods[options->method],
		.proxy = options->proxy,
		.ca = options->tls_ca,
		.certificate = options->tls_certificate,
		.key = options->tls_key,
		.verify = !options->insecure_skip_verify,
		.timeout_us = options->timeout_us,
		.connect_timeout_us = options->connect_timeout_us,
		.connections = (unsigned)options->connections,
	};
	return address_guard_init(&instance->target.guard, options->allow, reason);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, curl_start);
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance) {
		return -XYLEM_E_MEMORY;
	}
	instance->magic = HTTP_MAGIC;
	instance->host = host;
	instance->options = options;
	int error = target_init(instance, reason);
	error = error ? error : headers_make(instance, reason);
	if (error) {
		close_instance(instance);
		return error;
	}
	if (!instance->target.verify) {
		xylem_log(XYLEM_LOG_WARNING, "http",
			"%s: insecure_skip_verify: anybody on the way can read and change "
			"what is sent",
			xylem_host_name(host));
	}
	*ret_instance = instance;
	return 0;
}

static int probe(void *opaque, int64_t timeout_us, struct xylem_result *result)
{
	struct instance *instance = opaque;
	return http_target_probe(&instance->target, instance->headers, timeout_us, result);
}

/* --- Life of a worker -------------------------------------------------- */

static int key_add(struct worker *worker, const struct xylem_secret *secret, struct xylem_reason *reason)
{
	if (!secret) {
		return 0;
	}
	char bytes[64];
	size_t n = 0;
	int error = signature_secret_decode(xylem_secret_borrow(secret), bytes, &n, reason);
	if (!error) {
		error = signature_key_new(
			&worker->keys[worker->rules.key_count], xylem_span(bytes, n), SIGNATURE_SHA256);
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	worker->rules.key_count += error ? 0 : 1;
	return error;
}

static void sink_close(void *opaque)
{
	struct worker *worker = opaque;
	if (worker) {
		http_worker_free(worker->transfer);
		signature_key_free(worker->keys[0]);
		signature_key_free(worker->keys[1]);
		free(worker);
	}
}

static int sink_open(void *opaque, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct instance *instance = opaque;
	struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker) {
		return -XYLEM_E_MEMORY;
	}
	worker->instance = instance;
	worker->said = (enum xylem_failure) - 1;
	worker->rules.form = (enum outgoing_form)instance->options->body;
	worker->rules.fixed = instance->headers;
	worker->rules.keys = worker->keys;
	int error = key_add(worker, instance->options->secret, reason);
	error = error ? error : key_add(worker, instance->options->previous_secret, reason);
	error = error ? error
		      : http_worker_new(&worker->transfer, &instance->target, &worker->rules, timeout_us);
	if (error) {
		sink_close(worker);
		return error;
	}
	*ret_worker = worker;
	return 0;
}

/* Says to the health view what changed: the first down or misconfigured result, or that all is well. */
static void health_say(struct worker *worker, const struct xylem_result *results, size_t n)
{
	const struct xylem_result *bad = NULL;
	bool tried = false;
	for (size_t i = 0; i < n && !bad; i++) {
		tried |= results[i].failure != XYLEM_NOT_TRIED;
		if (results[i].failure == XYLEM_FAILURE_DOWN ||
			results[i].failure == XYLEM_FAILURE_MISCONFIGURED) {
			bad = &results[i];
		}
	}
	enum xylem_failure now = bad ? bad->failure : XYLEM_DELIVERED;
	if (!tried || now == worker->said) {
		return;
	}
	worker->said = now;
	xylem_host_health(worker->instance->host, !bad, "%s", bad ? bad->reason.text : "delivering");
}

static void deliver(
	void *opaque, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = opaque;
	http_worker_deliver(worker->transfer, messages, n, results);
	health_say(worker, results, n);
}

static void interrupt(void *opaque)
{
	struct worker *worker = opaque;
	http_worker_interrupt(worker->transfer);
}

/* --- The tables -------------------------------------------------------- */

#define OPTION(field) .offset = offsetof(struct options, field)
#define SECONDS(n) ((n)*1000000LL)

static const struct xylem_option options[] = {
	{ .name = "url",
		.type = XYLEM_OPTION_URL,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		OPTION(url),
		.since = "0.1",
		.summary = "Where to send.",
		.example = "https://partner.example/orders" },
	{ .name = "method",
		.type = XYLEM_OPTION_ENUM,
		OPTION(method),
		.default_value = "POST",
		.choices = methods,
		.since = "0.1",
		.summary = "The method." },
	{ .name = "body",
		.type = XYLEM_OPTION_ENUM,
		OPTION(body),
		.default_value = "cloudevents-binary",
		.choices = bodies,
		.since = "0.1",
		.summary = "What is sent: an event (binary, structured, batch), the bare data, or many data "
			   "as an array or as lines." },
	{ .name = "timeout",
		.type = XYLEM_OPTION_DURATION,
		OPTION(timeout_us),
		.default_value = "20s",
		.minimum = 10000,
		.maximum = SECONDS(3600),
		.since = "0.1",
		.summary = "How long one request may take, from its start to the answer's end." },
	{ .name = "connect_timeout",
		.type = XYLEM_OPTION_DURATION,
		OPTION(connect_timeout_us),
		.default_value = "5s",
		.minimum = 10000,
		.maximum = SECONDS(300),
		.since = "0.1",
		.summary = "How long connecting may take, with name and TLS." },
	{ .name = "connections",
		.type = XYLEM_OPTION_INTEGER,
		OPTION(connections),
		.default_value = "8",
		.minimum = 1,
		.maximum = 256,
		.since = "0.1",
		.summary = "Requests at a time, of one lane worker." },
	{ .name = "headers",
		.type = XYLEM_OPTION_MAP,
		OPTION(headers),
		.since = "0.1",
		.summary = "Headers of every request; for secret ones there are other options.",
		.example = "{ X-Tenant: acme }" },
	{ .name = "bearer",
		.type = XYLEM_OPTION_SECRET,
		OPTION(bearer),
		.since = "0.1",
		.summary = "Sent as `Authorization: Bearer`.",
		.example = "{ env: PARTNER_TOKEN }" },
	{ .name = "user",
		.type = XYLEM_OPTION_STRING,
		OPTION(user),
		.since = "0.1",
		.summary = "Sent as `Authorization: Basic`, with `password`.",
		.example = "acme" },
	{ .name = "password",
		.type = XYLEM_OPTION_SECRET,
		OPTION(password),
		.since = "0.1",
		.summary = "The password of `user`.",
		.example = "{ file: partner.password }" },
	{ .name = "secret_header.name",
		.type = XYLEM_OPTION_STRING,
		OPTION(secret_header_name),
		.since = "0.1",
		.summary = "A header whose value is a secret.",
		.example = "X-Api-Key" },
	{ .name = "secret_header.value",
		.type = XYLEM_OPTION_SECRET,
		OPTION(secret_header_value),
		.since = "0.1",
		.summary = "The value of that header.",
		.example = "{ file: partner.key }" },
	{ .name = "sign",
		.type = XYLEM_OPTION_ENUM,
		OPTION(sign),
		.default_value = "none",
		.choices = (const char *const[]){ "none", "standard-webhooks", NULL },
		.since = "0.1",
		.summary = "Signs each request (standard-webhooks 1.0.0)." },
	{ .name = "secret",
		.type = XYLEM_OPTION_SECRET,
		OPTION(secret),
		.since = "0.1",
		.summary = "The signing key, `whsec_...`.",
		.example = "{ file: partner.whsec }" },
	{ .name = "previous_secret",
		.type = XYLEM_OPTION_SECRET,
		OPTION(previous_secret),
		.since = "0.1",
		.summary = "Signs as well, while the receiver changes over to the new one.",
		.example = "{ file: partner.whsec.old }" },
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		OPTION(allow),
		.default_value = "[public, private, loopback]",
		.since = "0.1",
		.summary = "Addresses that may be connected to: public, private, loopback, link-local, "
			   "networks.",
		.example = "[public, 10.1.0.0/16]" },
	{ .name = "proxy",
		.type = XYLEM_OPTION_URL,
		OPTION(proxy),
		.since = "0.1",
		.summary = "An HTTP proxy; the environment's is not used.",
		.example = "http://proxy.acme.test:3128" },
	{ .name = "tls.ca",
		.type = XYLEM_OPTION_PATH,
		OPTION(tls_ca),
		.since = "0.1",
		.summary = "Certificates to trust instead of the system's (PEM).",
		.example = "partner-ca.pem" },
	{ .name = "tls.certificate",
		.type = XYLEM_OPTION_PATH,
		OPTION(tls_certificate),
		.since = "0.1",
		.summary = "Our own certificate (PEM).",
		.example = "client.pem" },
	{ .name = "tls.key",
		.type = XYLEM_OPTION_PATH,
		OPTION(tls_key),
		.since = "0.1",
		.summary = "The key of our own certificate (PEM).",
		.example = "client.key" },
	{ .name = "insecure_skip_verify",
		.type = XYLEM_OPTION_BOOL,
		OPTION(insecure_skip_verify),
		.default_value = "false",
		.since = "0.1",
		.summary = "Takes any certificate: for a test, never for anything that matters." },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_connector xylem_connector_http;
const struct xylem_connector xylem_connector_http = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SINK,
	.name = "http",
	.summary = "Sends messages to a URL, as CloudEvents or as they are.",
	.options = options,
	.options_size = sizeof(struct options),
	.batch = { .count = 100, .bytes = 1024 * 1024 },
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.probe = probe,
	.sink_open = sink_open,
	.deliver = deliver,
	.interrupt = interrupt,
	.sink_close = sink_close,
};
