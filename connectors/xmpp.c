/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmpp: an address of the bus, NAME@domain, where every message is data.
 *
 *     connectors:
 *       desk:   { xmpp: { allow: ["@acme.test"] } }          # NAME is the connector's: desk@bus.acme.test
 *       alerts: { xmpp: { to: ops@acme.test, body: data } }
 *
 * In: a chat or normal message, or an IQ set, from an address of `allow`. Its
 * text, its CloudEvent, or the foreign element it carries becomes a message
 * (docs/xmpp.md has the forms). The answer (IQ result; receipt, XEP-0184, where
 * asked for) is sent after the journal's sync and not before.
 *
 * Out: one message to each address of `to`. Delivered means that the server
 * confirmed it by the barrier, and no error came before; that is as far as a
 * component can see.
 *
 * The rule not to break: an error stanza is never read as data, and a stranger
 * leaves nothing behind. What is not done here: rooms, presence, commands.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <xylem/connector.h>
#include <xmpp/deferred.h>
#include <xmpp/delivery.h>
#include <xmpp/payload.h>
#include <xmpp/service.h>

#define NS_ENCRYPTION "urn:xmpp:eme:0"
#define NS_OMEMO "eu.siacs.conversations.axolotl"

enum body { BODY_DATA, BODY_EVENT, BODY_NONE };

struct options {
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
	struct xmpp_service *service;
	char *address; /* NAME@domain */
	bool claimed;
	struct xylem_arena *arena;             /* of the link's thread */
	_Atomic(struct xylem_source *) source; /* NULL: takes nothing in */
};

struct worker {
	struct instance *instance;
	int64_t timeout_us;
	struct delivery *delivery;
	struct xylem_buffer stanza;
};

/* --- In: who and what ------------------------------------------------------ */

static bool is_allowed(const struct instance *instance, const char *bare)
{
	struct xylem_strings allow = instance->options->allow;
	return allow.n > 0 ? jid_listed(allow, bare) : xmpp_service_admits(instance->service, bare);
}

static bool on_known(void *context, const char *bare)
{
	return is_allowed(context, bare);
}

/* Extensions of chat that are about the message and not its content. */
static bool is_decoration(const struct xml_node *child)
{
	static const char *const namespaces[] = { NS_COMPONENT, NS_RECEIPTS, NS_SID, NS_DELAY,
		"urn:xmpp:hints", "urn:xmpp:chat-markers:0", "http://jabber.org/protocol/chatstates",
		"http://jabber.org/protocol/nick", "http://jabber.org/protocol/xhtml-im", "jabber:x:delay",
		"urn:xmpp:carbons:2" };

	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if (xml_is(child, namespaces[i], NULL)) {
			return true;
		}
	}
	return false;
}

/* IQ payloads of protocols that are not spoken here are not data. */
static bool is_protocol(const struct xml_node *payload)
{
	struct xylem_span ns = payload->namespace;
	static const char *const prefixes[] = { "jabber:", "http://jabber.org/", "urn:ietf:", "vcard-temp" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (ns.n >= strlen(prefixes[i]) && memcmp(ns.at, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return ns.n == 0;
}

/* What carries the data: our wrapper, a foreign element, or (for messages) the body. NULL: nothing. */
static const struct xml_node *content_of(const struct xml_node *stanza)
{
	const struct xml_node *wrapper = xml_child(stanza, NS_XYLEM, "event");
	if (wrapper != NULL) {
		return xml_child(wrapper, NULL, NULL);
	}
	const struct xml_node *body = xml_child(stanza, NS_COMPONENT, "body");
	for (const struct xml_node *c = xml_child(stanza, NULL, NULL); body == NULL && c != NULL;
		c = xml_next(c, NULL, NULL)) {
		if (!is_decoration(c)) {
			return c;
		}
	}
	return body;
}

static struct xylem_span id_of(const struct xml_node *stanza)
{
	struct xylem_span origin = xml_attribute(xml_child(stanza, NS_SID, "origin-id"), "id");
	return origin.n > 0 ? origin : xml_attribute(stanza, "id");
}

static int read_message(const struct instance *instance, const struct xml_node *stanza, const char *sender,
	struct xylem_message *ret_message, struct xylem_reason *reason)
{
	const struct xml_node *content = content_of(stanza);
	const struct payload_defaults defaults = { .id = id_of(stanza),
		.type = xylem_span_of(instance->options->type_in),
		.source = xylem_span_of(xylem_arena_format(instance->arena, "xmpp:%s", sender)) };
	int error;

	if (xml_is(content, NS_COMPONENT, "body")) {
		struct xylem_span text = xml_text(content, instance->arena);
		error = payload_read_text(text, &defaults, instance->arena, ret_message, reason);
	} else {
		error = payload_read(content, &defaults, instance->arena, ret_message, reason);
	}
	if (error == 0) {
		/* What one sender sends keeps its order. */
		ret_message->key = xylem_span_of(sender);
		ret_message->subject = xylem_span_present(ret_message->subject)
					       ? ret_message->subject
					       : xml_text(xml_child(stanza, NS_COMPONENT, "subject"),
							 instance->arena);
		ret_message->subject = ret_message->subject.n > 0 ? ret_message->subject : XYLEM_SPAN_NONE;
	}
	return error;
}

/* --- In: answers ----------------------------------------------------------- */

static void refuse(
	const struct instance *instance, const struct xml_node *stanza, const struct stanza_error *error)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (stanza_error(&out, stanza, error) && !xylem_buffer_failed(&out)) {
		link_answer(xmpp_service_link(instance->service), xylem_buffer_borrow(&out));
	}
}

static void refuse_code(
	const struct instance *instance, const struct xml_node *stanza, int code, const char *text)
{
	const struct xylem_error_row *row = xylem_error_row(code);
	refuse(instance, stanza, &(struct stanza_error){ row->xmpp_type, row->xmpp_condition, text, NULL });
}

struct intake {
	struct deferred *deferred;
	bool iq;
	bool receipt;
};

static void write_receipt(struct xylem_buffer *out, const struct xml_node *message)
{
	stanza_open(out, "message", NULL, xml_attribute(message, "to"), xml_attribute(message, "from"),
		XYLEM_SPAN_NONE);
	xml_write_attribute(out, "type", xml_attribute(message, "type"));
	xylem_buffer_text(out, "><received xmlns='" NS_RECEIPTS "'");
	xml_write_attribute(out, "id", xml_attribute(message, "id"));
	xylem_buffer_text(out, "/></message>");
}

/* On the journal's thread, after the sync. */
static void on_journaled(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct intake *intake = context;
	const struct xml_node *request = &intake->deferred->iq;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		(void)stanza_error_code(&out, request, error, NULL);
	} else if (intake->iq) {
		stanza_result_open(&out, request);
		stanza_result_close(&out);
	} else if (intake->receipt) {
		write_receipt(&out, request);
	}
	deferred_answer(intake->deferred, &out);
	free(intake);
}

static void drop(struct intake *intake)
{
	XYLEM_BUFFER_SCOPED nothing = { 0 };

	deferred_answer(intake->deferred, &nothing);
	free(intake);
}

static void submit(struct instance *instance, struct xylem_source *source, const struct xml_node *stanza,
	const struct xylem_message *message)
{
	struct xylem_reason reason = { "" };
	struct intake *intake = calloc(1, sizeof(*intake));
	if (intake != NULL) {
		intake->deferred = deferred_new(instance->service, stanza);
	}
	if (intake == NULL || intake->deferred == NULL) {
		free(intake);
		refuse_code(instance, stanza, -XYLEM_E_MEMORY, NULL);
		return;
	}
	intake->iq = xml_is(stanza, NS_COMPONENT, "iq");
	intake->receipt = xml_child(stanza, NS_RECEIPTS, "request") != NULL &&
			  xml_attribute(stanza, "id").n > 0;
	int error = xylem_source_submit(source, message, 1, on_journaled, intake, &reason);
	if (error != 0) {
		drop(intake);
		refuse_code(instance, stanza, error, reason.text[0] != '\0' ? reason.text : NULL);
	}
}

/* --- In: a stanza ---------------------------------------------------------- */

static bool is_encrypted(const struct xml_node *stanza)
{
	return xml_child(stanza, NS_ENCRYPTION, NULL) != NULL ||
	       xml_child(stanza, NS_OMEMO, "encrypted") != NULL;
}

static void take(struct instance *instance, struct xylem_source *source, const struct xml_node *stanza,
	const char *sender)
{
	struct xylem_message message = { 0 };
	struct xylem_reason reason = { "" };

	if (is_encrypted(stanza)) {
		refuse(instance, stanza,
			&(struct stanza_error){ "modify", "not-acceptable",
				"this address cannot read encrypted messages: turn encryption off here",
				NULL });
		return;
	}
	int error = read_message(instance, stanza, sender, &message, &reason);
	if (error != 0) {
		refuse_code(instance, stanza, error, reason.text[0] != '\0' ? reason.text : NULL);
	} else {
		submit(instance, source, stanza, &message);
	}
	xylem_arena_reset(instance->arena);
}

static bool is_data(const struct xml_node *stanza)
{
	const struct xml_node *content = content_of(stanza);
	struct xylem_span type = xml_attribute(stanza, "type");

	if (content == NULL) {
		return false;
	}
	if (xml_is(stanza, NS_COMPONENT, "iq")) {
		return xylem_span_is(type, "set") && !is_protocol(content);
	}
	return !xylem_span_present(type) || xylem_span_is(type, "chat") || xylem_span_is(type, "normal");
}

static bool on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct instance *instance = context;
	struct xylem_source *source = atomic_load(&instance->source);
	char sender[JID_SIZE];

	if (!jid_normalise(xml_attribute(stanza, "from"), sender)) {
		return true;
	}
	if (violation != 0) {
		refuse_code(instance, stanza, violation, "the stanza exceeds a limit of the bus");
		return true;
	}
	if (!is_data(stanza)) {
		/* Chat states and receipts need no answer; an IQ gets the service's. */
		return xml_is(stanza, NS_COMPONENT, "message");
	}
	if (!is_allowed(instance, sender)) {
		refuse(instance, stanza, &(struct stanza_error){ "auth", "forbidden", NULL, NULL });
		return true;
	}
	if (source == NULL) {
		refuse(instance, stanza,
			&(struct stanza_error){
				"cancel", "service-unavailable", "no route reads from this address", NULL });
		return true;
	}
	take(instance, source, stanza, sender);
	return true;
}

static int source_start(void *context, struct xylem_source *source, struct xylem_reason *reason)
{
	struct instance *instance = context;
	atomic_store(&instance->source, source);
	return 0;
}

static void source_stop(void *context)
{
	struct instance *instance = context;

	atomic_store(&instance->source, NULL);
	/* One that is being handed in has read the source before: wait until it is through. */
	xmpp_service_settle(instance->service);
}

/* --- Out ------------------------------------------------------------------- */

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
	worker->delivery = delivery_new(&link_carrier, xmpp_service_link(instance->service));
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

/* Everything behind the attributes. */
static void write_content(
	struct xylem_buffer *out, const struct options *options, const struct xylem_message *message)
{
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

static const char *const types[] = { "chat", "normal", "headline", NULL };
static const char *const bodies[] = { "data", "event", "none", NULL };

static bool send_one(struct worker *worker, size_t i, const struct xylem_message *message, const char *to)
{
	const struct options *options = worker->instance->options;
	char id[XYLEM_HANDLE_SIZE + 8], handle[XYLEM_HANDLE_SIZE];

	/* The place in the journal makes the id: a retry carries the same. */
	snprintf(id, sizeof(id), "m-%s", xylem_handle_format(message->position, handle));
	xylem_buffer_clear(&worker->stanza);
	stanza_open(&worker->stanza, "message", types[options->type],
		xylem_span_of(worker->instance->address), xylem_span_of(to), xylem_span_of(id));
	xylem_buffer_byte(&worker->stanza, '>');
	write_content(&worker->stanza, options, message);
	if (xylem_buffer_failed(&worker->stanza)) {
		delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "memory", "out of memory");
		return false;
	}
	return delivery_send(worker->delivery, i, xylem_buffer_borrow(&worker->stanza), id, to);
}

static void send_all(struct worker *worker, const struct xylem_message *const *messages, size_t n)
{
	struct xylem_strings to = worker->instance->options->to;
	bool going = true;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < to.n && going; j++) {
			going = send_one(worker, i, messages[i], to.items[j]);
		}
		if (!going) {
			delivery_fail(
				worker->delivery, i, XYLEM_FAILURE_DOWN, "xmpp-link", "the link is down");
		}
	}
}

static void deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = context;

	if (delivery_begin(worker->delivery, n, clock_mono_us() + worker->timeout_us) != 0) {
		for (size_t i = 0; i < n; i++) {
			xylem_result_fail(&results[i], XYLEM_FAILURE_DOWN, "memory", "out of memory");
		}
		return;
	}
	send_all(worker, messages, n);
	delivery_end(worker->delivery, results);
}

static int probe(void *context, int64_t timeout_us, struct xylem_result *result)
{
	struct instance *instance = context;
	struct link_state state;

	link_state(xmpp_service_link(instance->service), &state);
	if (state.up) {
		return 0;
	}
	xylem_result_fail(result, XYLEM_FAILURE_DOWN, "xmpp-link", "%s", state.why);
	return -XYLEM_E_UNREACHABLE;
}

/* --- Life ------------------------------------------------------------------ */

static int check_addresses(
	const char *option, struct xylem_strings list, bool domains, struct xylem_reason *reason)
{
	char bare[JID_SIZE];

	for (size_t i = 0; i < list.n; i++) {
		const char *item = list.items[i];
		const char *address = domains && item[0] == '@' ? item + 1 : item;
		if (!jid_normalise(xylem_span_of(address), bare)) {
			xylem_reason_set(reason, "`%s`: %s is no address%s", option, item,
				domains ? "; write user@domain or @domain" : "; write user@domain");
			return -XYLEM_E_INVALID;
		}
	}
	return 0;
}

static int check(const void *context, struct xylem_reason *reason)
{
	const struct options *options = context;
	int error = check_addresses("allow", options->allow, true, reason);

	error = error != 0 ? error : check_addresses("to", options->to, false, reason);
	if (error == 0 && options->body == BODY_NONE && !options->event) {
		xylem_reason_set(reason, "`body: none` without `event: true` sends messages without content");
		error = -XYLEM_E_INVALID;
	}
	return error;
}

static void on_changed(void *context, bool up, const char *why)
{
	struct instance *instance = context;
	xylem_host_health(instance->host, up, "%s", up ? "connected" : why);
}

static int claim(struct instance *instance, struct xylem_reason *reason)
{
	const struct xmpp_endpoint face = {
		.stanza = on_stanza, .known = on_known, .changed = on_changed, .context = instance
	};
	int error = xmpp_service_claim(instance->service, xylem_host_name(instance->host), &face);
	if (error != 0) {
		xylem_reason_set(reason, "out of memory");
		return error;
	}
	instance->claimed = true;
	struct link_state state;
	link_state(xmpp_service_link(instance->service), &state);
	if (state.up || state.failures > 0) {
		on_changed(instance, state.up, state.why);
	}
	return 0;
}

static void close_instance(void *context)
{
	struct instance *instance = context;
	if (instance != NULL) {
		if (instance->claimed) {
			xmpp_service_release(instance->service, xylem_host_name(instance->host), instance);
		}
		xylem_arena_free(instance->arena);
		free(instance->address);
		free(instance);
	}
}

static char *address_of(struct xylem_host *host, struct xmpp_service *service)
{
	XYLEM_BUFFER_SCOPED address = { 0 };

	xylem_buffer_format(
		&address, "%s@%s", xylem_host_name(host), link_domain(xmpp_service_link(service)));
	return xylem_buffer_take(&address, NULL);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct xmpp_service *service = xmpp_service_current();
	if (service == NULL) {
		xylem_reason_set(reason,
			"connector %s: there is no link to an XMPP server; write the section `xmpp`",
			xylem_host_name(host));
		return -XYLEM_E_INVALID;
	}
	struct instance *instance = calloc(1, sizeof(*instance));
	if (instance == NULL) {
		return -XYLEM_E_MEMORY;
	}
	instance->host = host;
	instance->options = options;
	instance->service = service;
	instance->arena = xylem_arena_new(0);
	instance->address = address_of(host, service);
	int error = instance->arena == NULL || instance->address == NULL ? -XYLEM_E_MEMORY
									 : claim(instance, reason);
	if (error != 0) {
		close_instance(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

/* --- Options --------------------------------------------------------------- */

#define AT(member) offsetof(struct options, member)

static const struct xylem_option option_table[] = {
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(allow),
		.since = "0.1",
		.summary = "Who may send messages here: addresses, or `@domain` for everybody there; without "
			   "it, the "
			   "`users` and `xmpp.allow`.",
		.example = "[\"@acme.test\", partner@other.example]" },
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

extern const struct xylem_connector xylem_connector_xmpp;

const struct xylem_connector xylem_connector_xmpp = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK,
	.name = "xmpp",
	.summary = "Messages to and from people and programs at an XMPP address of the bus.",
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
