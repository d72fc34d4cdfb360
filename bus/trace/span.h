/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_SPAN_H
#define TRACE_SPAN_H

#include <xylem/arena.h>

#include "trace.h"

/*
 * Inside the room: the lanes that there are and were, and what they did with a
 * span of positions. Everything lies in the arena.
 */
struct trace_lane {
	uint32_t number;
	bool live; /* in the configuration, or retired with a backlog */
	const char *route, *destination;
	const char *name; /* ROUTE/DESTINATION */
	struct xylem_position cursor;
	struct xylem_span holes; /* settled above the cursor */
};
struct trace_lanes {
	struct trace_lane *all;
	size_t n;
};
/* Inside a catalogue_read() work. */
int trace_lanes_load(sqlite3 *database, struct xylem_arena *arena, struct trace_lanes *ret_lanes,
	struct xylem_reason *reason);

typedef void (*trace_found)(void *context, const struct trace_lane *lane, const struct outcome_entry *entry);
/* Every outcome of every lane at the offsets [from, to) of a partition, lane by lane, in order of offset. */
int trace_outcomes(sqlite3 *database, const struct trace_lanes *lanes, uint32_t partition, uint64_t from,
	uint64_t to, trace_found found, void *context, struct xylem_reason *reason);

/* Lanes of the bus's own: what no route takes (`bus.unrouted`), a topic's subscribers (`topic.NAME`). */
bool trace_lane_internal(const struct trace_lane *lane);

#endif
