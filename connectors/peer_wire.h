/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_PEER_WIRE_H
#define CONNECTORS_PEER_WIRE_H

#include <xylem/message.h>
#include <xmpp/xml.h>

/*
 * The protocol between two buses, `urn:xylem:bus:0`: a batch of events in an IQ,
 * and what was taken of it in the result. docs/bus-to-bus.md is its
 * specification; nothing here knows a link or a journal.
 */
#define NS_PEER "urn:xylem:bus:0"
#define PEER_EVENTS_MAX 1000 /* of one batch */
#define PEER_NAME_MAX 96     /* bytes of `stream`, `call`, `ref` */
#define PEER_HOPS_MAX 8
#define PEER_FROM "xylemfrom" /* extension: PEER/STREAM/REF, by which a repeat is known */
#define PEER_HOPS "xylemhops" /* extension: how many buses have sent it on */

struct peer_event {
	struct xylem_span ref; /* the sender's name for this delivery, the same in every repeat */
	struct xylem_message message;
};

struct peer_batch {
	struct xylem_span stream; /* what is in one order at the sender: a lane */
	struct xylem_span
		call;    /* batches of one call are taken in the order of their numbers, or not at all */
	uint32_t number; /* in the call: 1, 2, ... */
	struct peer_event *events;
	size_t count;
};

/*
 * Reads a `batch` element. Spans borrow the tree or lie in the arena.
 * -XYLEM_E_INVALID with what is wrong, -XYLEM_E_MEMORY. The events' attributes
 * are what the other side wrote: xylem_message_check() stands before the journal.
 */
int peer_batch_read(const struct xml_node *element, struct xylem_arena *arena, struct peer_batch *ret_batch,
	struct xylem_reason *reason);

/* The stream of a lane: `ROUTE:CONNECTOR`; of two long names, what SHA-256 makes of that. */
void peer_stream_name(struct xylem_span route, const char *connector, char ret_name[PEER_NAME_MAX + 1]);
void peer_batch_open(
	struct xylem_buffer *out, struct xylem_span stream, struct xylem_span call, uint32_t number);
void peer_event_write(struct xylem_buffer *out, struct xylem_span ref, const struct xylem_message *message);
void peer_batch_close(struct xylem_buffer *out);
/* Bytes that the event may take when a server on the way escapes all that it could. */
size_t peer_event_cost(const struct xylem_message *message);

/* How many buses have sent it on; beyond all limits when it says something that is no number. */
unsigned peer_hops(const struct xylem_message *message);

/* What the receiver says of a batch: its first `count` events are on its disk, under these handles. */
struct peer_taken {
	size_t count;
	struct xylem_position *handles; /* offset 0: on disk, but under which handle is forgotten */
	struct xylem_span code,
		text; /* of the event behind them, if it was refused for what it is; else absent */
};
void peer_taken_write(struct xylem_buffer *out, const struct peer_taken *taken);
/* Reads a `taken` element. -XYLEM_E_INVALID, -XYLEM_E_MEMORY. */
int peer_taken_read(const struct xml_node *element, struct xylem_arena *arena, struct peer_taken *ret_taken);

#endif
