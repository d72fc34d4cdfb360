/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the journal's end to move. One broadcast a commit wakes everyone
 * who waits; when nobody does, a commit pays for one lock. A wake that comes
 * before the wait is kept, so that none is lost.
 */
#include <journal/inside.h>

#include <errno.h>
#include <stdlib.h>

#include <base/clock.h>

struct journal_waiter {
	struct journal *journal;
	bool woken; /* under wait_lock */
};

bool journal_waiter_start(struct journal *journal)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&journal->wait_lock, NULL);
	bool made = pthread_cond_init(&journal->synced, &attributes) == 0;
	pthread_condattr_destroy(&attributes);
	return made;
}

void journal_waiter_stop(struct journal *journal)
{
	pthread_cond_destroy(&journal->synced);
	pthread_mutex_destroy(&journal->wait_lock);
}

void journal_waiter_tell(struct journal *journal)
{
	pthread_mutex_lock(&journal->wait_lock);
	if (journal->waiting > 0) {
		pthread_cond_broadcast(&journal->synced);
	}
	pthread_mutex_unlock(&journal->wait_lock);
}

struct journal_waiter *journal_waiter_new(struct journal *journal)
{
	struct journal_waiter *waiter = calloc(1, sizeof(*waiter));
	if (waiter) {
		waiter->journal = journal;
	}
	return waiter;
}

struct journal_waiter *journal_waiter_free(struct journal_waiter *waiter)
{
	free(waiter);
	return NULL;
}

void journal_wait(struct journal_waiter *waiter, struct xylem_position from, int64_t mono_us)
{
	struct journal *journal = waiter->journal;
	struct timespec deadline = clock_timespec(mono_us);
	pthread_mutex_lock(&journal->wait_lock);
	journal->waiting++;
	int timed_out = 0;
	while (!waiter->woken && timed_out != ETIMEDOUT && atomic_load(&journal->end) <= from.offset) {
		timed_out = pthread_cond_timedwait(&journal->synced, &journal->wait_lock, &deadline);
	}
	journal->waiting--;
	waiter->woken = false;
	pthread_mutex_unlock(&journal->wait_lock);
}

void journal_wake(struct journal_waiter *waiter)
{
	struct journal *journal = waiter->journal;
	pthread_mutex_lock(&journal->wait_lock);
	waiter->woken = true;
	pthread_cond_broadcast(&journal->synced);
	pthread_mutex_unlock(&journal->wait_lock);
}
