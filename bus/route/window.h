/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_WINDOW_H
#define ROUTE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <route/lane_options.h>
#include <route/route.h>
#include <trace/outcome.h>

/*
 * What a lane has taken up and not settled: a bounded window over the journal.
 * An entry is one message of the journal; a unit is one thing to deliver (the
 * message, or a part of it after a split). Units of one key form a chain; only
 * the head of a chain may be delivered, so that order is kept while other keys
 * flow. Not locked: the lane's lock covers it.
 */

enum unit_state {
	UNIT_CHAINED, /* an earlier one of its key is not settled, or its key is held */
	UNIT_READY,
	UNIT_IN_FLIGHT,
	UNIT_WAITING, /* for a retry */
	UNIT_SETTLED,
};

struct key; /* a chain */
struct entry;

struct unit {
	enum unit_state state;
	struct entry *entry;
	const struct xylem_message *message; /* in the entry's batch */
	struct key *key;                     /* NULL: in no order */
	struct unit *chain_next, *chain_previous;
	struct unit *list_next, *list_previous; /* of the ready or the waiting list */
	int64_t due_us;                         /* of WAITING: CLOCK_MONOTONIC */
	uint32_t attempts;
};

struct entry {
	struct xylem_position position;
	struct route_batch *batch; /* keeps the message alive; NULL for a hole of the past */
	const struct evaluated *evaluated;
	enum outcome outcome; /* 0: not settled */
	uint32_t attempts;
	int64_t begun_us, settled_us; /* Unix time */
	struct xylem_position handle; /* where the destination keeps it, if it said so */
	struct unit *units;           /* `first`, or an array of its own */
	size_t unit_count, unsettled;
	struct unit first;
};

struct window {
	struct entry *entries; /* a ring */
	size_t capacity, head, count;
	size_t unsettled;
	enum lane_order order;
	bool runs; /* an ORDERED sink: a batch may hold several of one key */
	struct unit *ready_first, *ready_last;
	struct unit *waiting_first, *waiting_last; /* by due time */
	size_t ready, waiting, in_flight;
	struct key **buckets;
	size_t bucket_count, blocked_keys;
	struct key *spare_keys;
};

int window_init(struct window *window, size_t capacity, enum lane_order order, bool runs);
void window_finish(struct window *window);
/* Forgets every entry; nothing may be in flight. */
void window_clear(struct window *window);

/* How many more entries fit. */
size_t window_room(const struct window *window);
/*
 * Adds the next message. `settled`: it was settled before (a hole of the past),
 * with that outcome; then it is not delivered. DELIVER verdicts become units;
 * others are settled by the caller at once. Takes its own reference of `batch`.
 */
struct entry *window_add(struct window *window, struct route_batch *batch, const struct evaluated *evaluated,
	const struct outcome_entry *settled);

/* Picks what may be delivered now: at most `count` units and about `bytes` bytes of data. They are IN_FLIGHT then. */
size_t window_pick(struct window *window, size_t count, size_t bytes, struct unit **ret_units);

/* One unit is done. True when its whole entry is settled by that. The worst outcome of its units is the entry's. */
bool window_settle(struct window *window, struct unit *unit, enum outcome outcome, int64_t wall_us);
/* Settles an entry that has no units (filtered, failed in a step). */
void window_settle_entry(struct window *window, struct entry *entry, enum outcome outcome, int64_t wall_us);
/* Tries it again at `due_us`; its chain waits. */
void window_retry(struct window *window, struct unit *unit, int64_t due_us);
/* Was not tried: to the front of what is ready (or to the back, so that probes rotate over keys). */
void window_return(struct window *window, struct unit *unit, bool to_back);
/* Makes units ready whose time has come; the time of the next one, INT64_MAX if none. */
int64_t window_wake(struct window *window, int64_t mono_us);

/* Later units of this unit's key wait until window_release_key(); call before settling it. */
void window_hold_key(struct window *window, struct unit *unit);
void window_hold_key_named(struct window *window, struct xylem_span key);
void window_release_key(struct window *window, struct xylem_span key);
bool window_key_held(const struct window *window, struct xylem_span key);

/* The oldest entry; NULL when empty. */
struct entry *window_first(const struct window *window);
/* The i-th oldest. */
struct entry *window_at(const struct window *window, size_t i);
static inline bool window_settled(const struct entry *entry)
{
	return entry->outcome != 0 && entry->unsettled == 0;
}
/* Drops the oldest entry, which is settled. */
void window_pop(struct window *window);

#endif
