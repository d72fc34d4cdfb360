/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: another Xylem, reached through XMPP.
 *
 *     connectors:
 *       to_partner:   { peer: { to: from_acme@bus.partner.example } }
 *       from_partner: { peer: { allow: [bus.partner.example] } }      # from_partner@ of our own domain
 *
 * Out: batches of events in IQs to an address of the other bus; delivered means
 * that they are on the other bus's disk. In: batches from the buses of `allow`;
 * each event is taken in once, however often it is sent. docs/bus-to-bus.md is
 * the protocol. This file has the options and the life; peer_source.c takes in,
 * peer_known.c knows the repeats (and peer_learn.c learns them), peer_sink.c sends,
 * peer_answer.c reads the answers, peer_wire.c is the XML.
 *
 * The rule not to break: who sends is who the server says, and that is the
 * domain of a bus, nobody at it.
 */
#include <stddef.h>
#include <stdlib.h>

#include <base/jid.h>
#include <connectors/peer.h>
#include <connectors/peer_wire.h>

static int source_start(void *context, struct xylem_source *source, struct xylem_reason *reason)
{
	struct peer *peer = context;
	return peer->options->allow.n > 0 ? peer_source_begin(peer->source, source, reason) : 0;
}

static void source_stop(void *context)
{
	struct peer *peer = context;
	peer_source_end(peer->source);
}

/* --- The address ------------------------------------------------------------- */

static bool on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct peer *peer = context;
	return violation == 0 && peer_source_stanza(peer->source, stanza);
}

static bool on_known(void *context, const char *bare)
{
	struct peer *peer = context;
	return peer_source_admits(peer->source, bare);
}

static void on_changed(void *context, bool up, const char *why)
{
	struct peer *peer = context;
	xylem_host_health(peer->host, up, "%s", up ? "connected" : why);
}

static int claim(struct peer *peer, struct xylem_reason *reason)
{
	static const char *const features[] = { NS_PEER, NULL };
	const struct xmpp_endpoint face = { .stanza = on_stanza,
		.features = features,
		.known = on_known,
		.changed = on_changed,
		.context = peer };
	int error = xmpp_service_claim(peer->service, xylem_host_name(peer->host), &face);
	if (error != 0) {
		xylem_reason_set(reason, "out of memory");
		return error;
	}
	peer->claimed = true;
	struct link_state state;
	link_state(xmpp_service_link(peer->service), &state);
	if (state.up || state.failures > 0) {
		on_changed(peer, state.up, state.why);
	}
	return 0;
}

/* --- Life ---------------------------------------------------------------------- */

static int check(const void *context, struct xylem_reason *reason)
{
	const struct peer_options *options = context;
	char bare[JID_SIZE];

	if (options->to == NULL && options->allow.n == 0) {
		xylem_reason_set(reason,
			"it needs `to`, an address of another bus, or `allow`, the buses that may send here");
		return -XYLEM_E_INVALID;
	}
	for (size_t i = 0; i < options->allow.n; i++) {
		const char *domain = options->allow.items[i];
		if (strchr(domain, '@') != NULL || !jid_normalise(xylem_span_of(domain), bare)) {
			xylem_reason_set(reason,
				"`allow`: %s is no domain; write the domain of a bus, such as "
				"bus.partner.example",
				domain);
			return -XYLEM_E_INVALID;
		}
	}
	if (options->to != NULL && strchr(options->to, '@') == NULL) {
		xylem_reason_set(reason,
			"`to`: %s is a domain; write the address of one of its connectors, NAME@%s",
			options->to, options->to);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static void close_instance(void *context)
{
	struct peer *peer = context;
	if (peer != NULL) {
		if (peer->claimed) {
			xmpp_service_release(peer->service, xylem_host_name(peer->host), peer);
		}
		peer_source_free(peer->source);
		free(peer);
	}
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
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL) {
		return -XYLEM_E_MEMORY;
	}
	peer->host = host;
	peer->options = options;
	peer->service = service;
	peer->source = peer_source_new(peer);
	int error = peer->source == NULL ? -XYLEM_E_MEMORY : claim(peer, reason);
	if (error != 0) {
		close_instance(peer);
		return error;
	}
	*ret_instance = peer;
	return 0;
}

/* --- Options --------------------------------------------------------------------- */

#define AT(member) offsetof(struct peer_options, member)

static const struct xylem_option option_table[] = {
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(allow),
		.since = "0.1",
		.summary =
			"The domains of the buses that may send to this connector's address; no other may.",
		.example = "[bus.partner.example]" },
	{ .name = "to",
		.type = XYLEM_OPTION_JID,
		.offset = AT(to),
		.since = "0.1",
		.summary =
			"The address of a `peer` connector of another bus, where messages of the routes go.",
		.example = "from_acme@bus.partner.example" },
	{ .name = "stanza",
		.type = XYLEM_OPTION_SIZE,
		.offset = AT(stanza),
		.default_value = "64KiB",
		.minimum = 10000,
		.maximum = 10485760,
		.since = "0.1",
		.summary = "The largest stanza to send, as a server writes it that escapes all it can; no "
			   "larger than "
			   "what every server on the way takes. A message that needs more becomes a case." },
	{ .name = "window",
		.type = XYLEM_OPTION_INTEGER,
		.offset = AT(window),
		.default_value = "8",
		.minimum = 1,
		.maximum = 64,
		.since = "0.1",
		.summary = "How many batches of one delivery may be on their way without an answer." },
	{ .name = "remember",
		.type = XYLEM_OPTION_INTEGER,
		.offset = AT(remember),
		.default_value = "65536",
		.minimum = 256,
		.maximum = 4194304,
		.since = "0.1",
		.summary = "How many messages of each stream are remembered, so that a repeat is known; at "
			   "least twice "
			   "the `window` of the sender's lane, times the parts that its steps make of a "
			   "message." },
	XYLEM_OPTIONS_END,
};

extern const struct xylem_connector xylem_connector_peer;

const struct xylem_connector xylem_connector_peer = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED,
	.name = "peer",
	.summary = "Another Xylem, reached through XMPP servers: each message is in its journal once.",
	.options = option_table,
	.options_size = sizeof(struct peer_options),
	.batch = { .count = 1000, .bytes = 1 << 20 },
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.probe = peer_sink_probe,
	.source_start = source_start,
	.source_stop = source_stop,
	.sink_open = peer_sink_open,
	.deliver = peer_sink_deliver,
	.interrupt = peer_sink_interrupt,
	.sink_close = peer_sink_close,
};
