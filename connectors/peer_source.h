/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_PEER_SOURCE_H
#define CONNECTORS_PEER_SOURCE_H

#include <pthread.h>

#include <connectors/peer.h>
#include <connectors/peer_known.h>

/* The inside of the receiving half, for its own files only: peer_source.c, peer_learn.c. */
struct landing;

struct peer_source {
	struct peer *peer;
	struct xylem_arena *arena; /* of the link's thread */
	_Atomic(struct xylem_source *) source;

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t changed;
	struct peer_known *known;
	struct xylem_position from;      /* what lies below it in the journal is known */
	struct landing *oldest, *newest; /* on their way to the disk, which they reach in this order */
	size_t unsaved;
	pthread_t saver;
	bool saving, ending;
};

/* --- peer_learn.c */
/* What came before, from the file and the journal. -XYLEM_E_IO, -XYLEM_E_MEMORY. */
int peer_learn(struct peer_source *in, struct xylem_source *source, struct xylem_reason *reason);
/* Writes the file; what fails is logged, since it costs time only. */
void peer_learn_save(struct peer_source *in);
/* A thread: writes the file after so many messages, until `ending`. */
void *peer_learn_saver(void *in);

#endif
