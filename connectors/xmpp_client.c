/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmpp_client: the bus as an ordinary account of an XMPP server. For servers
 * that give no component, and for the account that people already know.
 *
 *     connectors:
 *       helper: { xmpp_client: { jid: helper@acme.test, password: { file: helper.pw }, to: ops@acme.test } }
 *
 * In: chat and normal messages from addresses of `allow`: their text, or the
 * CloudEvent they carry. A receipt (XEP-0184) is sent after the journal's sync.
 * Out: one message to each address of `to`; delivered means that the account's
 * server confirmed it (a ping behind it came back) and no error came before.
 *
 * The rule not to break: an error is never read as data. It promises text and
 * JSON, not foreign XML: libstrophe changes namespaces (docs/xmpp.md). The
 * meson option `xmpp_client` leaves it out.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <xylem/xylem.h>
#include <xmpp/payload.h>
#include <xmpp/stanza.h>

#include "xmpp_session.h"

enum body { BODY_DATA, BODY_EVENT, BODY_NONE };

struct options {
	const char *jid;
	const struct xylem_secret *password;
	const char *server;
	const char *resource;
	int64_t priority;
	const char *ca;
	bool insecure_skip_verify;
	bool plaintext;
	struct xylem_strings allow;
	const char *type_in;
	struct xylem_strings to;
	int type;
	int body;
	bool event;
};

struct instance {
	struct xylem_host *host;
	const struct options *options;
	struct session *session;
	struct xylem_arena *arena;   /* of the session's thread */
	pthread_mutex_t lock;        /* held while a message is handed in: stopping waits for it */
	struct xylem_source *source; /* NULL: takes nothing in */
};

struct worker {
	struct instance *instance;
	int64_t timeout_us;
	struct delivery *delivery;
	struct xylem_buffer stanza;
};

/* --- In --------------------------------------------------------------------- */

/* What has to be known of a message when it is on disk. */
struct intake {
	struct instance *instance;
	char *receipt; /* the stanza; NULL: none was asked for */
	size_t receipt_n;
	char *failure; /* the same, of an error */
	size_t failure_n;
};

static void intake_free(struct intake *intake)
{
	free(intake->receipt);
	free(intake->failure);
	free(intake);
}

static void on_journaled(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct intake *intake = context;

	if (error == 0 && intake->receipt != NULL) {
		session_post(intake->instance->session, xylem_span(intake->receipt, intake->receipt_n));
	} else if (error != 0 && intake->failure != NULL) {
		session_post(intake->instance->session, xylem_span(intake->failure, intake->failure_n));
	}
	intake_free(intake);
}

static char *write_receipt(xmpp_stanza_t *message, size_t *ret_n)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	xylem_buffer_text(&out, "<message");
	xml_write_attribute(&out, "to", xylem_span_of(xmpp_stanza_get_from(message)));
	xml_write_attribute(&out, "type", xylem_span_of(xmpp_stanza_get_type(message)));
	xylem_buffer_text(&out, "><received xmlns='" NS_RECEIPTS "'");
	xml_write_attribute(&out, "id", xylem_span_of(xmpp_stanza_get_id(message)));
	xylem_buffer_text(&out, "/></message>");
	return xylem_buffer_take(&out, ret_n);
}

static char *write_failure(
	xmpp_stanza_t *message, const char *type, const char *condition, const char *text, size_t *ret_n)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	xylem_buffer_text(&out, "<message type='error'");
	xml_write_attribute(&out, "to", xylem_span_of(xmpp_stanza_get_from(message)));
	xml_write_attribute(&out, "id", xylem_span_of(xmpp_stanza_get_id(message)));
	xylem_buffer_format(&out, "><error type='%s'><%s xmlns='" NS_STANZA_ERROR "'/>", type, condition);
	if (text != NULL) {
		xylem_buffer_text(&out, "<text xmlns='" NS_STANZA_ERROR "'>");
		xml_escape_text(&out, xylem_span_of(text));
		xylem_buffer_text(&out, "</text>");
	}
	xylem_buffer_text(&out, "</error></message>");
	return xylem_buffer_take(&out, ret_n);
}

static void refuse(struct instance *instance, xmpp_stanza_t *message, const char *type, const char *condition,
	const char *text)
{
	size_t n = 0;
	char *stanza = write_failure(message, type, condition, text, &n);
	if (stanza != NULL) {
		session_post(instance->session, xylem_span(stanza, n));
		free(stanza);
	}
}

static void refuse_code(
	struct instance *instance, xmpp_stanza_t *message, int code, const struct xylem_reason *reason)
{
	const struct xylem_error_row *row = xylem_error_row(code);
	refuse(instance, message, row->xmpp_type, row->xmpp_condition,
		reason->text[0] != '\0' ? reason->text : NULL);
}

static struct intake *intake_new(struct instance *instance, xmpp_stanza_t *message)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	if (intake == NULL) {
		return NULL;
	}
	intake->instance = instance;
	xmpp_stanza_t *request = xmpp_stanza_get_child_by_ns(message, NS_RECEIPTS);
	if (request != NULL && strcmp(xmpp_stanza_get_name(request), "request") == 0 &&
		xmpp_stanza_get_id(message) != NULL) {
		intake->receipt = write_receipt(message, &intake->receipt_n);
	}
	intake->failure = write_failure(message, "wait", "internal-server-error", NULL, &intake->failure_n);
	return intake;
}

/* The text that is data: JSON of our wrapper, else the body. NULL: none; freed with xmpp_free(). */
static char *content_of(xmpp_stanza_t *message, bool *ret_json)
{
	xmpp_stanza_t *wrapper = xmpp_stanza_get_child_by_ns(message, NS_XYLEM);
	xmpp_stanza_t *json = wrapper == NULL ? NULL : xmpp_stanza_get_child_by_ns(wrapper, NS_JSON);

	*ret_json = json != NULL;
	return json != NULL ? xmpp_stanza_get_text(json) : xmpp_message_get_body(message);
}

static struct xylem_span id_of(xmpp_stanza_t *message)
{
	xmpp_stanza_t *origin = xmpp_stanza_get_child_by_ns(message, NS_SID);
	bool found = origin != NULL && strcmp(xmpp_stanza_get_name(origin), "origin-id") == 0;
	return xylem_span_of(found ? xmpp_stanza_get_id(origin) : xmpp_stanza_get_id(message));
}

static int read_message(const struct instance *instance, xmpp_stanza_t *stanza, const char *text, bool json,
	const char *sender, struct xylem_message *ret_message, struct xylem_reason *reason)
{
	const struct payload_defaults defaults = { .id = id_of(stanza),
		.type = xylem_span_of(instance->options->type_in),
		.source = xylem_span_of(xylem_arena_format(instance->arena, "xmpp:%s", sender)) };
	size_t offset;

	if (json && xylem_json_check(xylem_span_of(text), &offset, reason) != 0) {
		return -XYLEM_E_INVALID;
	}
	int error = payload_read_text(xylem_span_of(text), &defaults, instance->arena, ret_message, reason);
	if (error == 0) {
		ret_message->key = xylem_span_of(sender); /* what one sender sends keeps its order */
	}
	return error;
}

static void submit(struct instance *instance, xmpp_stanza_t *stanza, const struct xylem_message *message)
{
	struct xylem_reason reason = { "" };
	struct intake *intake = intake_new(instance, stanza);
	int error = intake == NULL ? -XYLEM_E_MEMORY
				   : xylem_source_submit(
					     instance->source, message, 1, on_journaled, intake, &reason);
	if (error != 0) {
		if (intake != NULL) {
			intake_free(intake);
		}
		refuse_code(instance, stanza, error, &reason);
	}
}

static void take(struct instance *instance, xmpp_stanza_t *stanza, const char *sender)
{
	struct xylem_message message = { 0 };
	struct xylem_reason reason = { "" };
	bool json;
	char *text = content_of(stanza, &json);
	if (text == NULL) {
		return; /* chat states, receipts */
	}
	int error = read_message(instance, stanza, text, json, sender, &message, &reason);
	if (error != 0) {
		refuse_code(instance, stanza, error, &reason);
	} else {
		submit(instance, stanza, &message);
	}
	xmpp_free(xmpp_stanza_get_context(stanza), text);
	xylem_arena_reset(instance->arena);
}

static bool is_encrypted(xmpp_stanza_t *stanza)
{
	return xmpp_stanza_get_child_by_ns(stanza, "urn:xmpp:eme:0") != NULL ||
	       xmpp_stanza_get_child_by_ns(stanza, "eu.siacs.conversations.axolotl") != NULL;
}

static void on_message(void *context, xmpp_stanza_t *stanza)
{
	struct instance *instance = context;
	const char *type = xmpp_stanza_get_type(stanza);
	char sender[JID_SIZE];
	bool data = type == NULL || strcmp(type, "chat") == 0 || strcmp(type, "normal") == 0;

	if (!data || !jid_normalise(xylem_span_of(xmpp_stanza_get_from(stanza)), sender)) {
		return;
	}
	pthread_mutex_lock(&instance->lock);
	if (instance->source != NULL && jid_listed(instance->options->allow, sender)) {
		if (is_encrypted(stanza)) {
			refuse(instance, stanza, "modify", "not-acceptable",
				"this account cannot read encrypted messages: turn encryption off here");
		} else {
			take(instance, stanza, sender);
		}
	}
	/* Others get nothing: an answer would tell strangers that the account is online. */
	pthread_mutex_unlock(&instance->lock);
}

static int source_start(void *context, struct xylem_source *source, struct xylem_reason *reason)
{
	struct instance *instance = context;

	pthread_mutex_lock(&instance->lock);
	instance->source = source;
	pthread_mutex_unlock(&instance->lock);
	return 0;
}

static void source_stop(void *context)
{
	struct instance *instance = context;

	pthread_mutex_lock(&instance->lock);
	instance->source = NULL;
	pthread_mutex_unlock(&instance->lock);
}

/* --- Out -------------------------------------------------------------------- */

static int sink_open(void *context, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct instance *instance = context;
	if (instance->options->to.n == 0) {
		xylem_reason_set(reason, "connector %s: `to` says whom messages go to; it is missing",
			xylem_host_name(instance->host));
		return -XYLEM_E_INVALID;
	}
	struct worker *worker = calloc(1, sizeof(*worker));
	if (worker == NULL) {
		return -XYLEM_E_MEMORY;
	}
	worker->instance = instance;
	worker->timeout_us = timeout_us;
	worker->delivery = delivery_new(&session_carrier, instance->session);
	if (worker->delivery == NULL) {
		free(worker);
		return -XYLEM_E_MEMORY;
	}
	*ret_worker = worker;
	return 0;
}

static void sink_close(void *context)
{
	struct worker *worker = context;
	if (worker != NULL) {
		delivery_free(worker->delivery);
		xylem_buffer_finish(&worker->stanza);
		free(worker);
	}
}

static void interrupt(void *context)
{
	struct worker *worker = context;
	delivery_interrupt(worker->delivery);
}

static void write_json(struct xylem_buffer *out, const struct xylem_message *message)
{
	XYLEM_BUFFER_SCOPED json = { 0 };

	xylem_message_write_json(message, &json);
	payload_write_json(out, xylem_buffer_borrow(&json));
	out->failed = out->failed || xylem_buffer_failed(&json);
}

static const char *const types[] = { "chat", "normal", "headline", NULL };
static const char *const bodies[] = { "data", "event", "none", NULL };

static void write_stanza(struct xylem_buffer *out, const struct options *options,
	const struct xylem_message *message, const char *id, const char *to)
{
	stanza_open(
		out, "message", types[options->type], XYLEM_SPAN_NONE, xylem_span_of(to), xylem_span_of(id));
	xylem_buffer_byte(out, '>');
	if (options->body != BODY_NONE) {
		xylem_buffer_text(out, "<body>");
		if (options->body == BODY_EVENT) {
			write_json(out, message);
		} else if (xylem_content_type_is_json(message->datacontenttype)) {
			payload_write_json(out, message->data);
		} else {
			xml_escape_text(out, message->data);
		}
		xylem_buffer_text(out, "</body>");
	}
	if (options->event) {
		xylem_buffer_text(out, "<event xmlns='" NS_XYLEM "'><json xmlns='" NS_JSON "'>");
		write_json(out, message);
		xylem_buffer_text(out, "</json></event>");
	}
	xylem_buffer_text(out, "<origin-id xmlns='" NS_SID "'");
	xml_write_attribute(out, "id", message->id);
	xylem_buffer_text(out, "/></message>");
}

static bool send_one(struct worker *worker, size_t i, const struct xylem_message *message, const char *to)
{
	char id[XYLEM_HANDLE_SIZE + 8], handle[XYLEM_HANDLE_SIZE];

	snprintf(id, sizeof(id), "m-%s", xylem_handle_format(message->position, handle));
	xylem_buffer_clear(&worker->stanza);
	write_stanza(&worker->stanza, worker->instance->options, message, id, to);
	if (xylem_buffer_failed(&worker->stanza)) {
		delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "memory", "out of memory");
		return false;
	}
	return delivery_send(worker->delivery, i, xylem_buffer_borrow(&worker->stanza), id, to);
}

static void deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = context;
	struct xylem_strings to = worker->instance->options->to;
	bool going = true;

	if (delivery_begin(worker->delivery, n, clock_mono_us() + worker->timeout_us) != 0) {
		for (size_t i = 0; i < n; i++) {
			xylem_result_fail(&results[i], XYLEM_FAILURE_DOWN, "memory", "out of memory");
		}
		return;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < to.n && going; j++) {
			going = send_one(worker, i, messages[i], to.items[j]);
		}
		if (!going) {
			delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "xmpp-link",
				"the connection is down");
		}
	}
	delivery_end(worker->delivery, results);
}

static int probe(void *context, int64_t timeout_us, struct xylem_result *result)
{
	struct instance *instance = context;
	char why[256];

	if (session_up(instance->session, why)) {
		return 0;
	}
	xylem_result_fail(result, XYLEM_FAILURE_DOWN, "xmpp-link", "%s", why);
	return -XYLEM_E_UNREACHABLE;
}

/* --- Life ------------------------------------------------------------------- */

static int check_addresses(
	const char *option, struct xylem_strings list, bool domains, struct xylem_reason *reason)
{
	char bare[JID_SIZE];

	for (size_t i = 0; i < list.n; i++) {
		const char *item = list.items[i];
		if (!jid_normalise(xylem_span_of(domains && item[0] == '@' ? item + 1 : item), bare)) {
			xylem_reason_set(reason, "`%s`: %s is no address%s", option, item,
				domains ? "; write user@domain or @domain" : "; write user@domain");
			return -XYLEM_E_INVALID;
		}
	}
	return 0;
}

static bool is_loopback(const char *server)
{
	return server != NULL && (strncmp(server, "127.", 4) == 0 || strncmp(server, "[::1]:", 6) == 0);
}

static int check(const void *context, struct xylem_reason *reason)
{
	const struct options *options = context;

	if (strchr(options->jid, '@') == NULL) {
		xylem_reason_set(reason, "`jid`: %s is no account; write user@domain", options->jid);
		return -XYLEM_E_INVALID;
	}
	if (options->server != NULL && strncmp(options->server, "unix:", 5) == 0) {
		xylem_reason_set(reason, "`server`: XMPP goes over TCP; write HOST:PORT");
		return -XYLEM_E_INVALID;
	}
	if (options->plaintext && !is_loopback(options->server)) {
		xylem_reason_set(reason, "`tls.plaintext` is for a `server` on 127.0.0.1 or [::1] only");
		return -XYLEM_E_INVALID;
	}
	if (options->plaintext && (options->ca != NULL || options->insecure_skip_verify)) {
		xylem_reason_set(reason, "`tls.plaintext` excludes `tls.ca` and `tls.insecure_skip_verify`");
		return -XYLEM_E_INVALID;
	}
	if (options->body == BODY_NONE && !options->event) {
		xylem_reason_set(reason, "`body: none` without `event: true` sends messages without content");
		return -XYLEM_E_INVALID;
	}
	int error = check_addresses("allow", options->allow, true, reason);
	return error != 0 ? error : check_addresses("to", options->to, false, reason);
}

static void on_changed(void *context, bool up, const char *why)
{
	struct instance *instance = context;
	xylem_host_health(instance->host, up, "%s", up ? "connected" : why);
}

static void close_instance(void *context)
{
	struct instance *instance = context;
	if (instance != NULL) {
		session_free(instance->session);
		xylem_arena_free(instance->arena);
		pthread_mutex_destroy(&instance->lock);
		free(instance);
	}
}

static int start(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	const struct session_options session = { .jid = options->jid,
		.resource = options->resource,
		.password = xylem_secret_borrow(options->password),
		.server = options->server,
		.ca = options->ca,
		.insecure_skip_verify = options->insecure_skip_verify,
		.plaintext = options->plaintext,
		.priority = options->priority,
		.message = on_message,
		.changed = on_changed,
		.context = instance };
	int error = session_new(&instance->session, &session, reason);
	return error != 0 ? error : session_start(instance->session, reason);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (instance == NULL) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_init(&instance->lock, NULL);
	instance->host = host;
	instance->options = options;
	instance->arena = xylem_arena_new(0);
	int error = instance->arena == NULL ? -XYLEM_E_MEMORY : start(instance, reason);
	if (error != 0) {
		close_instance(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

/* --- Options ---------------------------------------------------------------- */

#define AT(member) offsetof(struct options, member)

static const struct xylem_option option_table[] = {
	{ .name = "jid",
		.type = XYLEM_OPTION_JID,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(jid),
		.since = "0.1",
		.summary = "The account.",
		.example = "helper@acme.test" },
	{ .name = "password",
		.type = XYLEM_OPTION_SECRET,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(password),
		.since = "0.1",
		.summary = "Its password; SCRAM is used where the server offers it.",
		.example = "{ file: helper.password }" },
	{ .name = "server",
		.type = XYLEM_OPTION_ADDRESS,
		.offset = AT(server),
		.since = "0.1",
		.summary = "Where to connect; without it, what the domain's DNS says (SRV).",
		.example = "127.0.0.1:5222" },
	{ .name = "resource",
		.type = XYLEM_OPTION_NAME,
		.offset = AT(resource),
		.default_value = "xylem",
		.since = "0.1",
		.summary = "The resource of the connection; two connections of one account need two." },
	{ .name = "priority",
		.type = XYLEM_OPTION_INTEGER,
		.offset = AT(priority),
		.default_value = "0",
		.minimum = -128,
		.maximum = 127,
		.since = "0.1",
		.summary =
			"The presence priority; a negative one gets no messages sent to the bare address." },
	{ .name = "tls.ca",
		.type = XYLEM_OPTION_PATH,
		.offset = AT(ca),
		.since = "0.1",
		.summary = "A file of certificates (PEM) to trust instead of the system's.",
		.example = "ca.pem" },
	{ .name = "tls.insecure_skip_verify",
		.type = XYLEM_OPTION_BOOL,
		.offset = AT(insecure_skip_verify),
		.default_value = "false",
		.since = "0.1",
		.summary = "Whether any certificate is taken: whoever is on the way can then read the "
			   "password." },
	{ .name = "tls.plaintext",
		.type = XYLEM_OPTION_BOOL,
		.offset = AT(plaintext),
		.default_value = "false",
		.since = "0.1",
		.summary = "Whether to speak without TLS; only to a server on the loopback." },
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(allow),
		.since = "0.1",
		.summary = "Whose messages are taken in: addresses, or `@domain` for everybody there; "
			   "without it nobody's.",
		.example = "[\"@acme.test\"]" },
	{ .name = "event_type",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(type_in),
		.default_value = "xmpp.message",
		.minimum = 1,
		.maximum = 256,
		.since = "0.1",
		.summary = "The event type of messages that come in and are not CloudEvents themselves." },
	{ .name = "to",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(to),
		.since = "0.1",
		.summary = "Whom messages of the routes go to; each gets every message.",
		.example = "[ops@acme.test]" },
	{ .name = "type",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(type),
		.default_value = "chat",
		.choices = types,
		.since = "0.1",
		.summary = "The type of messages that go out; a server drops `headline` for whoever is "
			   "offline." },
	{ .name = "body",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(body),
		.default_value = "data",
		.choices = bodies,
		.since = "0.1",
		.summary = "The text that people see: the data as it stands, the whole CloudEvent as JSON, "
			   "or none." },
	{ .name = "event",
		.type = XYLEM_OPTION_BOOL,
		.offset = AT(event),
		.default_value = "false",
		.since = "0.1",
		.summary =
			"Whether the CloudEvent goes along for programs, as JSON in an element of its own." },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC extern const struct xylem_connector xylem_connector_xmpp_client;

const struct xylem_connector xylem_connector_xmpp_client = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK,
	.name = "xmpp_client",
	.summary = "Messages to and from people through an ordinary account of an XMPP server.",
	.options = option_table,
	.options_size = sizeof(struct options),
	.batch = { .count = 100, .bytes = 1 << 20 },
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.probe = probe,
	.source_start = source_start,
	.source_stop = source_stop,
	.sink_open = sink_open,
	.deliver = deliver,
	.interrupt = interrupt,
	.sink_close = sink_close,
};
