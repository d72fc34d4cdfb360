/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the fan-out whose notifications are on their way. In a stream
 * some are kept from one call of the lane to the next, so that the server never
 * waits for the bus: the lane is told that they were not tried, gives them
 * again, and they are known by their places.
 *
 * The rule not to break: nobody holds a part that was let go; what may still
 * be confirmed is forgotten first, on the outlet that it went to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <topic/flight.h>

#define NOBODY SIZE_MAX

/* --- Parts ---------------------------------------------------------------- */

struct part *flight_part(struct flight *flight, struct topics *topics, const struct xylem_message *message,
	const struct part *before)
{
	struct part *part = calloc(1, sizeof(*part));
	if (part == NULL) {
		return NULL;
	}
	part->flight = flight;
	part->position = message->position;
	part->topic = snapshot_of(topics, message, before != NULL ? before->topic : NULL);
	if (part->topic == NULL) {
		free(part);
		return NULL;
	}
	return part;
}

size_t flight_settled(struct part *const *parts, size_t n)
{
	size_t settled = 0;

	if (n > 0) {
		pthread_mutex_lock(&parts[0]->flight->lock);
		while (settled < n && !parts[settled]->waiting) {
			settled++;
		}
		pthread_mutex_unlock(&parts[0]->flight->lock);
	}
	return settled;
}

void flight_begin(struct part *part)
{
	pthread_mutex_lock(&part->flight->lock);
	part->waiting = true;
	part->flight->waiting++;
	pthread_mutex_unlock(&part->flight->lock);
}

/* Under the lock. */
static void end(struct part *part, int error)
{
	struct flight *flight = part->flight;

	part->waiting = false;
	part->error = error;
	/* One of many wakes nobody. */
	if (--flight->waiting == flight->waited_for) {
		pthread_cond_broadcast(&flight->changed);
	}
}

void flight_cancel(struct part *part)
{
	flight_done(part, 0);
}

void flight_done(void *context, int error)
{
	struct part *part = context;
	struct flight *flight = part->flight;

	pthread_mutex_lock(&flight->lock);
	end(part, error);
	pthread_mutex_unlock(&flight->lock);
}

void flight_forget(struct part *const *parts, size_t n, const struct topic_outlet *outlet)
{
	for (size_t i = 0; i < n && outlet != NULL; i++) {
		struct part *part = parts[i];
		if (flight_settled(&part, 1) == 1) {
			continue;
		}
		outlet->forget(outlet->outlet, part);
		/* It may have come just before it was forgotten. */
		pthread_mutex_lock(&part->flight->lock);
		if (part->waiting) {
			end(part, -XYLEM_E_TIMEOUT);
		}
		pthread_mutex_unlock(&part->flight->lock);
	}
}

void flight_free(struct part *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snapshot_unref(parts[i]->topic);
		free(parts[i]);
	}
}

/* --- From one call to the next ---------------------------------------------- */

/* Lets go of those from `from` on, and of the outlet. */
static void drop(struct flight *flight, size_t from)
{
	if (flight->ahead_count == 0) {
		return;
	}
	flight_forget(flight->ahead + from, flight->ahead_count - from, flight->outlet);
	flight_free(flight->ahead + from, flight->ahead_count - from);
	free(flight->ahead);
	flight->ahead = NULL;
	flight->ahead_count = 0;
	outlet_release(flight->topics);
}

bool flight_keep(struct flight *flight, struct topics *topics, const struct topic_outlet *outlet,
	struct part *const *parts, size_t n)
{
	flight->ahead = n > 0 ? malloc(n * sizeof(struct part *)) : NULL;
	if (flight->ahead == NULL) {
		return n == 0;
	}
	memcpy(flight->ahead, parts, n * sizeof(struct part *));
	flight->ahead_count = n;
	flight->topics = topics;
	flight->outlet = outlet;
	(void)outlet_take(topics); /* once more: it is there for as long as somebody has it */
	return true;
}

static bool same_place(struct xylem_position a, struct xylem_position b)
{
	return a.partition == b.partition && a.offset == b.offset;
}

size_t flight_take(struct flight *flight, const struct topic_outlet *outlet,
	const struct xylem_message *const *messages, size_t n, struct part **parts)
{
	size_t most = flight->outlet == outlet ? flight->ahead_count : 0, known = 0;

	while (known < n && known < most &&
		same_place(flight->ahead[known]->position, messages[known]->position)) {
		parts[known] = flight->ahead[known];
		known++;
	}
	drop(flight, known);
	return known;
}

/* --- The flight ------------------------------------------------------------ */

void flight_init(struct flight *flight, int64_t timeout_us)
{
	*flight = (struct flight){ .waited_for = NOBODY, .timeout_us = timeout_us };
	pthread_mutex_init(&flight->lock, NULL);
	pthread_cond_init(&flight->changed, NULL);
}

void flight_finish(struct flight *flight)
{
	drop(flight, 0);
	pthread_mutex_destroy(&flight->lock);
	pthread_cond_destroy(&flight->changed);
}

void flight_interrupt(struct flight *flight)
{
	pthread_mutex_lock(&flight->lock);
	atomic_store(&flight->interrupted, true);
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
}

bool flight_await(struct flight *flight, const struct topic_outlet *outlet, size_t few)
{
	int64_t deadline = clock_mono_us() + flight->timeout_us;
	uint64_t seen = outlet != NULL ? outlet->confirmed(outlet->outlet) : 0;

	pthread_mutex_lock(&flight->lock);
	flight->waited_for = few;
	while (flight->waiting > few && !atomic_load(&flight->interrupted)) {
		struct timespec until = clock_timespec(deadline);
		if (pthread_cond_clockwait(&flight->changed, &flight->lock, CLOCK_MONOTONIC, &until) !=
			ETIMEDOUT) {
			continue;
		}
		uint64_t now = outlet != NULL ? outlet->confirmed(outlet->outlet) : 0;
		if (now == seen) {
			break;
		}
		seen = now;
		deadline = clock_mono_us() + flight->timeout_us;
	}
	flight->waited_for = NOBODY;
	bool reached = flight->waiting <= few;
	pthread_mutex_unlock(&flight->lock);
	return reached;
}
