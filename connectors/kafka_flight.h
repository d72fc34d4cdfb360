/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_KAFKA_FLIGHT_H
#define CONNECTORS_KAFKA_FLIGHT_H

#include <librdkafka/rdkafka.h>

#include <xylem/message.h>

/*
 * Records that are with a producer, and that no delivery waits for any more:
 * when the lane brings the message again, its flight is found by position and
 * content, and waited for instead of making a second one.
 */

#define UNREPORTED RD_KAFKA_RESP_ERR__IN_PROGRESS

/* One record with the producer. */
struct flight {
	struct flight *next; /* of those that no call waits for */
	struct xylem_position position;
	uint64_t content;
	rd_kafka_resp_err_t error; /* UNREPORTED until the report */
};

struct flights {
	struct flight *first;
	size_t n;
};

struct flight *kafka_flight_new(void); /* UNREPORTED; NULL without memory */
/* Takes the flight of this message out of those left over; NULL: there is none. */
struct flight *kafka_flight_take(struct flights *flights, const struct xylem_message *message);
void kafka_flight_leave(struct flights *flights, struct flight *flight, const struct xylem_message *message);
/* Forgets flights that failed, and the oldest when there are too many. No flight may be under way without a client. */
void kafka_flights_sweep(struct flights *flights);
/* The client is gone: whatever had no report has none to come. */
void kafka_flights_lost(struct flights *flights);

#endif
