/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmpp: an address of the bus, NAME@domain, where every message is data; and
 * from where the bus talks to people, says things in a room, and hears what
 * people publish about themselves.
 *
 *     connectors:
 *       desk:   { xmpp: { allow: ["@acme.test"] } }          # NAME is the connector's: desk@bus.acme.test
 *       alerts: { xmpp: { to: [ops@acme.test], confirm: receipt, offline: hold } }
 *       war:    { xmpp: { room: { jid: war@rooms.acme.test } } }
 *
 * This file is the address on the component link: claiming it, and what carries
 * its stanzas. All that it says and hears is in xmpp_endpoint.c and its
 * neighbours, which xmpp_client shares.
 *
 * Delivered means what `confirm` says; at least that the server confirmed the
 * message by the barrier, and no error came before.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <connectors/xmpp_endpoint.h>
#include <xylem/connector.h>
#include <xmpp/presence.h>
#include <xmpp/service.h>

struct options {
	struct endpoint_options endpoint;
};

struct instance {
	struct xylem_host *host;
	struct xmpp_service *service;
	struct endpoint *endpoint;
	bool claimed;
};

/* --- The component link as carrier ------------------------------------------ */

static void post(void *context, struct xylem_span stanza)
{
	link_answer(context, stanza);
}

static int request(void *context, struct xylem_span iq, const char *id, const char *to, int64_t timeout_us,
	link_answered answered, void *answered_context, struct xylem_reason *reason)
{
	return link_request(context, iq, id, to, timeout_us, answered, answered_context, reason);
}

static bool admits(void *context, const char *bare)
{
	const struct instance *instance = context;
	return xmpp_service_admits(instance->service, bare);
}

static void pending(void *context, bool more)
{
	const struct instance *instance = context;
	xmpp_service_pending(instance->service, more);
}

static enum endpoint_sight sight(void *context, const char *bare)
{
	const struct instance *instance = context;

	switch (xmpp_presence_of(instance->service, bare)) {
	case PRESENCE_ONLINE:
		return ENDPOINT_ONLINE;
	case PRESENCE_OFFLINE:
		return ENDPOINT_OFFLINE;
	case PRESENCE_UNKNOWN:
		break;
	}
	(void)xmpp_presence_ask(instance->service, xylem_host_name(instance->host), bare);
	return ENDPOINT_UNKNOWN;
}

static const struct endpoint_carrier carrier = {
	.delivery = &link_carrier,
	.post = post,
	.request = request,
	.sight = sight,
	.admits = admits,
	.pending = pending,
	.answers_strangers = true,
};

/* --- The endpoint's face to the service --------------------------------------- */

static bool on_known(void *context, const char *bare)
{
	struct instance *instance = context;
	return endpoint_concerns(instance->endpoint, bare);
}

static bool on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct instance *instance = context;
	return endpoint_stanza(instance->endpoint, stanza, violation);
}

static bool on_conversation(void *context, const struct xml_node *stanza)
{
	struct instance *instance = context;
	return endpoint_conversation(instance->endpoint, stanza);
}

static void on_seen(
	void *context, const char *bare, struct xylem_span resource, const struct xml_node *presence)
{
	struct instance *instance = context;
	endpoint_seen(instance->endpoint, bare);
}

static void on_changed(void *context, bool up, const char *why)
{
	struct instance *instance = context;
	endpoint_changed(instance->endpoint, up, why);
}

static int claim(struct instance *instance, struct xylem_reason *reason)
{
	const struct xmpp_endpoint face = { .stanza = on_stanza,
		.conversation = on_conversation,
		.features = endpoint_features(instance->endpoint),
		.known = on_known,
		.changed = on_changed,
		.context = instance };
	int error = xmpp_service_claim(instance->service, xylem_host_name(instance->host), &face);
	if (error == 0) {
		instance->claimed = true;
		error = xmpp_presence_listen(instance->service, on_seen, instance);
	}
	if (error != 0) {
		xylem_reason_set(reason, "out of memory");
		return error;
	}
	struct link_state state;
	link_state(xmpp_service_link(instance->service), &state);
	if (state.up || state.failures > 0) {
		on_changed(instance, state.up, state.why);
	}
	return 0;
}

/* --- The contract ----------------------------------------------------------------- */

static int source_start(void *context, struct xylem_source *source, struct xylem_reason *reason)
{
	struct instance *instance = context;
	endpoint_source_start(instance->endpoint, source);
	return 0;
}

static void source_stop(void *context)
{
	struct instance *instance = context;
	endpoint_source_stop(instance->endpoint);
}

static int sink_open(void *context, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct instance *instance = context;
	return endpoint_sink_open(instance->endpoint, timeout_us, ret_worker, reason);
}

static int probe(void *context, int64_t timeout_us, struct xylem_result *result)
{
	struct instance *instance = context;
	struct link_state state;

	link_state(xmpp_service_link(instance->service), &state);
	if (state.up) {
		return endpoint_probe(instance->endpoint, result);
	}
	xylem_result_fail(result, XYLEM_FAILURE_DOWN, "xmpp-link", "%s", state.why);
	return -XYLEM_E_UNREACHABLE;
}

static int check(const void *context, struct xylem_reason *reason)
{
	const struct options *options = context;
	return endpoint_check(&options->endpoint, reason);
}

/* --- Life --------------------------------------------------------------------------- */

static void close_instance(void *context)
{
	struct instance *instance = context;
	if (instance != NULL) {
		if (instance->claimed) {
			xmpp_presence_unlisten(instance->service, instance);
			xmpp_service_release(instance->service, xylem_host_name(instance->host), instance);
		}
		endpoint_free(instance->endpoint);
		free(instance);
	}
}

static int make_endpoint(
	struct instance *instance, const struct options *options, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED address = { 0 };
	struct link *link = xmpp_service_link(instance->service);

	xylem_buffer_format(&address, "%s@%s%c", xylem_host_name(instance->host), link_domain(link), '\0');
	if (xylem_buffer_failed(&address)) {
		return -XYLEM_E_MEMORY;
	}
	const struct endpoint_place place = { .carrier = &carrier,
		.link = link,
		.owner = instance,
		.address = address.bytes,
		.resource = "bus",
		.stamp = true };
	return endpoint_new(&instance->endpoint, instance->host, &options->endpoint, &place, reason);
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
	instance->service = service;
	int error = make_endpoint(instance, options, reason);
	error = error != 0 ? error : claim(instance, reason);
	if (error != 0) {
		close_instance(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

/* --- Options --------------------------------------------------------------- */

static const struct xylem_option option_table[] = {
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = offsetof(struct options, endpoint.allow),
		.since = "0.1",
		.summary = "Who may send messages here, and whom an event may name: addresses, or `@domain` "
			   "for everybody there; without it, the `users` and `xmpp.allow`.",
		.example = "[\"@acme.test\", partner@other.example]" },
	ENDPOINT_OPTIONS(struct options),
	XYLEM_OPTIONS_END,
};

extern const struct xylem_connector xylem_connector_xmpp;

const struct xylem_connector xylem_connector_xmpp = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK | XYLEM_SINK_DISCARDS,
	.name = "xmpp",
	.summary = "Messages to and from people, programs and a room at an XMPP address of the bus.",
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
	.deliver = endpoint_deliver,
	.interrupt = endpoint_interrupt,
	.sink_close = endpoint_sink_close,
};
