/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_PEER_SINK_H
#define CONNECTORS_PEER_SINK_H

#include <pthread.h>

#include <connectors/peer.h>
#include <connectors/peer_wire.h>

/* The inside of the sending half, for its own files only: peer_sink.c, peer_answer.c. */
#define PEER_FLIGHTS_MAX 64

enum flight_state { FLIGHT_OUT, FLIGHT_TAKEN, FLIGHT_REFUSED, FLIGHT_NO_ANSWER };

struct peer_worker;

/* A batch on its way, or a question. */
struct peer_flight {
	struct peer_worker *worker;
	size_t from, count; /* of the delivery's messages */
	char id[LINK_ID_SIZE];
	struct xylem_arena *arena; /* of `taken` */

	/* Under the worker's lock. */
	enum flight_state state;
	struct peer_taken taken;
	bool speaks; /* of a question: the other side has the feature */
	char type[16], condition[40], text[256], code[32];
	bool out_of_order;
};

struct peer_worker {
	struct peer *peer;
	int64_t timeout_us;
	char call[XYLEM_UUID_SIZE];
	struct xylem_buffer stanza;
	size_t most; /* messages of a batch: fewer after one was too large for somebody on the way */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool interrupted;

	/* Of the delivery under way. */
	const struct xylem_message *const *messages;
	struct xylem_result *results;
	size_t n, sent, settled;
	uint32_t number;
	bool over; /* something failed */
	int64_t deadline_us;
	struct peer_flight flights[PEER_FLIGHTS_MAX]; /* a ring: `flying` from `first` on */
	size_t first, flying;
};

/* --- peer_answer.c: on the link's thread; the context is the flight. See link_answered. */
void peer_answer_taken(void *flight, const struct xml_node *answer);
void peer_answer_features(void *flight, const struct xml_node *answer);

#endif
