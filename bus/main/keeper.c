/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: a thread for what the callbacks of other threads must not do
 * themselves. It holds the sources while the journal, or a lane that they
 * feed, cannot take more, says when the journal fills, and tries again to start
 * sources that could not start.
 */
#include <base/clock.h>
#include <base/thread.h>
#include <main/bus_body.h>
#include <xylem/log.h>

#define TICK_US ((int64_t)250000)

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

/* Sources whose lanes have as much waiting as they may. */
static void hold_for_lanes(struct bus *bus)
{
	for (size_t i = 0; i < bus->instances.n; i++) {
		struct instance *instance = bus->instances.items[i];
		bool hold = lanes_hold(bus->lanes, instance_name(instance));
		if (hold != bus->instances.held[i]) {
			bus->instances.held[i] = hold;
			instance_hold(instance, hold);
			xylem_log(hold ? XYLEM_LOG_WARNING : XYLEM_LOG_NOTICE, "lane", "source %s is %s", instance_name(instance),
				hold ? "held back: a lane that it feeds has max_backlog waiting" : "let in again");
		}
	}
}

/* Said when the journal passes half and four fifths of what it may hold, and when it is below half again. */
static void alarm_look(struct bus *bus)
{
	struct journal_state state;
	journal_state(bus->journal, &state);
	uint64_t percent = state.hold_bytes ? state.unreleased_bytes * 100 / state.hold_bytes : 0;
	unsigned alarm = percent >= 80 ? 80 : percent >= 50 ? 50 : 0;
	if (alarm > bus->alarm_percent) {
		xylem_log(XYLEM_LOG_WARNING, "journal",
			"unsettled messages fill %lu %% of journal.max; at 100 %% the sources are held back: see `xylemctl lanes`",
			(unsigned long)percent);
	} else if (alarm == 0 && bus->alarm_percent > 0) {
		xylem_log(XYLEM_LOG_NOTICE, "journal", "unsettled messages fill less than half of journal.max again");
	}
	bus->alarm_percent = alarm;
}

/* The generation does not change meanwhile: a reload waits for the same lock. */
static void look(struct bus *bus)
{
	if (pthread_mutex_trylock(&bus->reload_lock) != 0) {
		return;
	}
	struct xylem_reason ignored;
	hold_for_journal(bus);
	hold_for_lanes(bus);
	alarm_look(bus);
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
