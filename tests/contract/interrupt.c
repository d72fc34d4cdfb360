/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of interrupt(): the one call of a sink that comes from another thread than its delivery's. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <xylem/xylem.h>

#include "cases.h"
#include "load.h"
#include "suite.h"

struct delivery {
	struct suite *suite;
	struct load load;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool over;
};

static void *delivery_run(void *context)
{
	struct delivery *delivery = context;
	load_deliver(delivery->suite, &delivery->load);
	pthread_mutex_lock(&delivery->lock);
	delivery->over = true;
	pthread_cond_signal(&delivery->changed);
	pthread_mutex_unlock(&delivery->lock);
	return NULL;
}

/* deliver() hangs at a silent peer with an hour to go: only the interrupt ends it. */
const char *interrupt_ends_it(struct suite *suite)
{
	struct delivery delivery = { .suite = suite };
	if (!suite->kind->interrupt) {
		suite_failed(suite, "it has no interrupt");
		return suite_skip;
	}
	const char *why = suite_peer_mode(suite, "stall");
	why = why ? why : suite_worker_open(suite, 3600 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &delivery.load, 3);
	pthread_mutex_init(&delivery.lock, NULL);
	pthread_cond_init(&delivery.changed, NULL);
	pthread_t thread;
	pthread_create(&thread, NULL, delivery_run, &delivery);
	enum peer_answer stalled = peer_ask(&suite->peer, PATIENCE, "wait-stalled %d", (PATIENCE - 5) * 1000);
	suite->kind->interrupt(suite->worker);

	struct timespec end = clock_timespec(clock_mono_us() + PATIENCE * SECOND);
	int late = 0;
	pthread_mutex_lock(&delivery.lock);
	while (!delivery.over && !late) {
		late = pthread_cond_clockwait(&delivery.changed, &delivery.lock, CLOCK_MONOTONIC, &end);
	}
	pthread_mutex_unlock(&delivery.lock);
	if (late) {
		printf("Bail out! deliver() did not return after interrupt()\n");
		exit(1);
	}
	pthread_join(thread, NULL);
	if (stalled == PEER_FAILED) {
		return suite_failed(suite, "peer: %s", suite->peer.line);
	}
	if (load_count(&delivery.load, XYLEM_DELIVERED) > 0) {
		return load_shown(suite, &delivery.load, "interrupted");
	}
	why = suite_peer_mode(suite, "accept");
	why = why ? why : load_insist(suite, &delivery.load);
	return why ? why : load_arrived(suite, &delivery.load);
}

/* An interrupt before the call is over when the call begins. */
const char *interrupt_is_forgotten(struct suite *suite)
{
	struct load load;
	if (!suite->kind->interrupt) {
		suite_failed(suite, "it has no interrupt");
		return suite_skip;
	}
	const char *why = suite_peer_mode(suite, "accept");
	why = why ? why : suite_worker_open(suite, 10 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &load, 2);
	why = load_insist(suite, &load);
	if (why) {
		return why;
	}
	suite->kind->interrupt(suite->worker);
	load_make(suite, &load, 2);
	load_deliver(suite, &load);
	return load_count(&load, XYLEM_DELIVERED) == 2 ? load_arrived(suite, &load)
						       : load_shown(suite, &load, "after it");
}
