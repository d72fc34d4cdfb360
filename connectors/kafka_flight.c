/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flights that outlived the delivery that handed them in. They are few unless
 * brokers are away: then at most what a lane has in its window.
 */
#include <stdlib.h>

#include "kafka_flight.h"

#define FLIGHTS_KEPT 65536 /* that arrived and that nobody asked for again */

static uint64_t hash_span(uint64_t hash, struct xylem_span span)
{
	size_t i;

	for (i = 0; i < span.n; i++) {
		hash = (hash ^ (unsigned char)span.at[i]) * 1099511628211u;
	}
	return (hash ^ 0x100) * 1099511628211u; /* FNV-1a with a mark between spans */
}

static uint64_t content_of(const struct xylem_message *message)
{
	uint64_t hash = 14695981039346656037u;

	hash = hash_span(hash, message->id);
	hash = hash_span(hash, message->key);
	return hash_span(hash, message->data);
}

struct flight *kafka_flight_new(void)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (flight != NULL) {
		flight->error = UNREPORTED;
	}
	return flight;
}

/* Takes the flight of this message out of those left over; NULL: there is none. */
struct flight *kafka_flight_take(struct flights *flights, const struct xylem_message *message)
{
	struct flight **link;
	uint64_t content;

	if (flights->first == NULL) {
		return NULL;
	}
	content = content_of(message);
	for (link = &flights->first; *link != NULL; link = &(*link)->next) {
		struct flight *flight = *link;

		if (flight->position.offset == message->position.offset &&
			flight->position.partition == message->position.partition &&
			flight->content == content) {
			*link = flight->next;
			flights->n--;
			return flight;
		}
	}
	return NULL;
}

void kafka_flight_leave(struct flights *flights, struct flight *flight, const struct xylem_message *message)
{
	flight->position = message->position;
	flight->content = content_of(message);
	flight->next = flights->first;
	flights->first = flight;
	flights->n++;
}

/* Forgets flights that failed, and the oldest when there are too many. No flight may be under way without a client. */
void kafka_flights_sweep(struct flights *flights)
{
	struct flight **link = &flights->first;
	size_t kept = 0;

	while (*link != NULL) {
		struct flight *flight = *link;
		bool arrived = flight->error == RD_KAFKA_RESP_ERR_NO_ERROR;

		if (flight->error == UNREPORTED || (arrived && kept < FLIGHTS_KEPT)) {
			kept++;
			link = &flight->next;
		} else {
			*link = flight->next;
			flights->n--;
			free(flight);
		}
	}
}

/* The client is gone: whatever had no report has none to come. */
void kafka_flights_lost(struct flights *flights)
{
	struct flight *flight;

	for (flight = flights->first; flight != NULL; flight = flight->next) {
		flight->error = flight->error == UNREPORTED ? RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
							    : flight->error;
	}
	kafka_flights_sweep(flights);
}
