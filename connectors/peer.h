/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_PEER_H
#define CONNECTORS_PEER_H

#include <stdatomic.h>

#include <xmpp/service.h>
#include <xylem/connector.h>

/* The inside of the connector `peer`, for its own files only: peer.c, peer_source.c, peer_sink.c. */
struct peer_options {
	struct xylem_strings allow; /* domains of buses that may send here */
	const char *to;             /* an address of another bus */
	int64_t stanza, window, remember;
};

struct peer {
	struct xylem_host *host;
	const struct peer_options *options;
	struct xmpp_service *service;
	bool claimed;
	struct peer_source *source;
	_Atomic uint64_t
		agreed; /* the connection of the link on which the other side said that it speaks this; 0: none */
};

/* --- In (peer_source.c) --- */
struct peer_source;
/* NULL without memory. */
struct peer_source *peer_source_new(struct peer *peer);
struct peer_source *peer_source_free(struct peer_source *in);
/* Learns what came before, then takes in. -XYLEM_E_IO, -XYLEM_E_MEMORY. */
int peer_source_begin(struct peer_source *in, struct xylem_source *source, struct xylem_reason *reason);
void peer_source_end(struct peer_source *in);
/* On the link's thread; see struct xmpp_endpoint. */
bool peer_source_stanza(struct peer_source *in, const struct xml_node *stanza);
bool peer_source_admits(const struct peer_source *in, const char *bare);

/* --- Out (peer_sink.c); see struct xylem_connector --- */
int peer_sink_open(void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason);
void peer_sink_close(void *worker);
void peer_sink_interrupt(void *worker);
void peer_sink_deliver(
	void *worker, const struct xylem_message *const *messages, size_t n, struct xylem_result *results);
int peer_sink_probe(void *instance, int64_t timeout_us, struct xylem_result *result);

#endif
