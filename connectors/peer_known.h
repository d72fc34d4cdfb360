/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_PEER_KNOWN_H
#define CONNECTORS_PEER_KNOWN_H

#include <stdbool.h>

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/message.h>

/*
 * What a receiving address knows of what its peers have sent: for each stream of
 * a peer the last names (`ref`) and under which handle each lies in the journal.
 * By that a repeat is known. Not locked.
 *
 * A name is kept as the first 128 bits of its SHA-256.
 */
#define PEER_STREAMS_MAX 32                    /* of one peer; its own unused for longest gives way, */
#define PEER_STREAM_KEPT_US (86400000000 * 30) /* if it was unused for so long; else a new one is refused */
#define PEER_STREAMS_ALL 1024                  /* of all peers that an address has heard of, the same way */
#define PEER_CALLS_MAX 64                      /* kept of one stream: as many as a lane has workers */

struct peer_known;
struct peer_stream;

/* `remember`: names of one stream, the oldest goes first. NULL without memory. */
struct peer_known *peer_known_new(size_t remember);
struct peer_known *peer_known_free(struct peer_known *known);

/*
 * The stream of a peer, made if it is not there. `now_us` (wall time) is when it was used last.
 * -XYLEM_E_LIMIT, -XYLEM_E_MEMORY.
 */
int peer_known_stream(struct peer_known *known, struct xylem_span peer, struct xylem_span stream,
	int64_t now_us, struct peer_stream **ret_stream);

/* The name of an event, or of a call. */
struct peer_name {
	unsigned char bytes[16];
};
struct peer_name peer_name_of(struct xylem_span ref);

/* Is the batch the next of its call? Number 1 begins the call. */
bool peer_stream_next(const struct peer_stream *stream, struct xylem_span call, uint32_t number);
/* What was taken did not get to the disk: no further batch of the call is taken. */
void peer_stream_break(struct peer_stream *stream, struct peer_name call);
/* It was taken: the next number is due. `broken`: no further batch of the call is taken. */
void peer_stream_took(struct peer_stream *stream, struct xylem_span call, uint32_t number, bool broken);

enum peer_verdict {
	PEER_NEW,
	PEER_UNDER_WAY, /* on its way to the disk */
	PEER_TAKEN,     /* on the disk, under *ret_handle */
};
enum peer_verdict peer_stream_find(
	const struct peer_stream *stream, struct peer_name name, struct xylem_position *ret_handle);
/* A new one is under way, or (handle given) is on the disk. -XYLEM_E_MEMORY. */
int peer_stream_add(struct peer_stream *stream, struct peer_name name, struct xylem_position handle);
/* What was under way is on the disk. */
void peer_stream_settle(struct peer_stream *stream, struct peer_name name, struct xylem_position handle);
/* What was under way did not get there. */
void peer_stream_drop(struct peer_stream *stream, struct peer_name name);

/* All that is on the disk, with the position from which the journal has to be read on. */
void peer_known_write(const struct peer_known *known, struct xylem_position from, struct xylem_buffer *out);
/* Into an empty one. -XYLEM_E_DAMAGED (nothing is known then), -XYLEM_E_MEMORY. */
int peer_known_read(struct peer_known *known, struct xylem_span bytes, struct xylem_position *ret_from);

#endif
