/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: a thread for what the callbacks of other threads must not do
 * themselves. It holds the sources while the journal cannot take more, and
 * tries again to start sources that could not start.
 */
#include <base/clock.h>
#include <base/thread.h>
#include <main/bus_body.h>
#include <xylem/log.h>

#define TICK_US ((int64_t)1000000)

static void journal_changed(void *context)
{
	struct bus *bus = context;
	pthread_mutex_lock(&bus->keeper_lock);
	bus->journal_changed = true;
	pthread_cond_signal(&bus->keeper_wake);
	pthread_mutex_unlock(&bus->keeper_lock);
}

static void hold_for_journal(struct bus *bus)
{
	struct journal_state state;
	journal_state(bus->journal, &state);
	bool hold = state.held || state.full || state.failed;
	if (hold == bus->holding) {
		return;
	}
	bus->holding = hold;
	instances_hold(&bus->instances, hold);
	if (state.failed) {
		xylem_log(XYLEM_LOG_ERROR, "journal",
			"%s: nothing more is acknowledged; what is committed is still delivered; restart to recover from disk",
			state.failure);
	} else if (hold) {
		xylem_log(XYLEM_LOG_WARNING, "journal", "%s: sources are held back until there is room",
			state.full ? "the disk is full" : "journal.max is reached");
	} else {
		xylem_log(XYLEM_LOG_NOTICE, "journal", "there is room again: sources go on");
	}
}

/* The generation does not change meanwhile: a reload waits for the same lock. */
static void look(struct bus *bus)
{
	if (pthread_mutex_trylock(&bus->reload_lock) != 0) {
		return;
	}
	struct xylem_reason ignored;
	hold_for_journal(bus);
	instances_start(bus, &bus->instances, &ignored);
	pthread_mutex_unlock(&bus->reload_lock);
}

static void *keeper_run(void *context)
{
	struct bus *bus = context;
	pthread_mutex_lock(&bus->keeper_lock);
	while (!bus->keeper_ending) {
		if (!bus->journal_changed) {
			struct timespec until = clock_timespec(clock_mono_us() + TICK_US);
			pthread_cond_clockwait(&bus->keeper_wake, &bus->keeper_lock, CLOCK_MONOTONIC, &until);
		}
		if (bus->keeper_ending) {
			break;
		}
		bus->journal_changed = false;
		pthread_mutex_unlock(&bus->keeper_lock);
		look(bus);
		pthread_mutex_lock(&bus->keeper_lock);
	}
	pthread_mutex_unlock(&bus->keeper_lock);
	return NULL;
}

int keeper_start(struct bus *bus, struct xylem_reason *reason)
{
	journal_on_change(bus->journal, journal_changed, bus);
	int error = thread_start(&bus->keeper, "keeper", 0, keeper_run, bus);
	bus->keeping = !error;
	return error;
}

void keeper_stop(struct bus *bus)
{
	if (bus->keeping) {
		pthread_mutex_lock(&bus->keeper_lock);
		bus->keeper_ending = true;
		pthread_cond_signal(&bus->keeper_wake);
		pthread_mutex_unlock(&bus->keeper_lock);
		pthread_join(bus->keeper, NULL);
		bus->keeping = false;
	}
}
