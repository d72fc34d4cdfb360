/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_FLIGHT_H
#define TOPIC_FLIGHT_H

#include <topic/state.h>

/*
 * The fan-out's messages on their way, inside the room only: those of the call
 * under way, and those that are kept from one call to the next. One thread
 * calls; confirmations come from others and touch what is under the lock.
 */
struct flight;

/* One message, until its result is told. */
struct part {
	struct flight *flight;
	struct xylem_position position;
	struct snapshot *topic; /* shared by those of one topic behind each other */
	bool gone;
	bool waiting; /* its notifications are not confirmed yet; under the lock */
	bool indexed;
	int error;
};

struct flight {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t waiting, waited_for; /* parts that wait; `changed` is signalled when they are so few */
	_Atomic bool interrupted;
	int64_t timeout_us;
	struct part **ahead; /* kept since the call before */
	size_t ahead_count;
	struct topics *topics;             /* of `ahead` */
	const struct topic_outlet *outlet; /* of `ahead`: taken, so that it stays as long as they */
};
void flight_init(struct flight *flight, int64_t timeout_us);
void flight_finish(struct flight *flight);
/* Any thread: whoever waits goes on, until the next call. */
void flight_interrupt(struct flight *flight);
/*
 * Until no more than `few` wait, or nothing more has come back for the lane's
 * timeout (many subscribers take their time): then false.
 */
bool flight_await(struct flight *flight, const struct topic_outlet *outlet, size_t few);

/* `before` is the one before it, whose snapshot it shares if it is of the same topic; NULL: none. NULL without memory. */
struct part *flight_part(struct flight *flight, struct topics *topics, const struct xylem_message *message,
	const struct part *before);
/* How many from the first on do not wait any more; all of one flight. */
size_t flight_settled(struct part *const *parts, size_t n);
/* It waits for its notifications; `end` takes that back. `done` is how the outlet says that all are confirmed. */
void flight_begin(struct part *part);
void flight_cancel(struct part *part);
void flight_done(void *part, int error);
/* No `done` comes any more for those that wait: they have timed out. */
void flight_forget(struct part *const *parts, size_t n, const struct topic_outlet *outlet);
void flight_free(struct part *const *parts, size_t n);

/* Keeps the parts for the next call, with the outlet. False: no memory. */
bool flight_keep(struct flight *flight, struct topics *topics, const struct topic_outlet *outlet,
	struct part *const *parts, size_t n);
/* Those of the call that were kept, as its first parts; how many. Others that were kept are forgotten. */
size_t flight_take(struct flight *flight, const struct topic_outlet *outlet,
	const struct xylem_message *const *messages, size_t n, struct part **parts);

#endif
