/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdint.h>

#include <jansson.h>

#include <catalogue/catalogue.h>
#include <journal/journal.h>
#include <trace/outcome.h>

/*
 * Everything that happened to a message, on every lane: the journal has the
 * message, the catalogue the outcome rows of the lanes (one row for a span of
 * a lane's cursor) and the cases. docs/trace.md.
 */
struct trace_lane_row {
	uint32_t lane;              /* number of the lane in the catalogue */
	struct xylem_position from; /* the span [from, to) that the row covers */
	struct xylem_position to;
	struct xylem_span outcomes; /* an outcome_vector */
};
/* Inside a catalogue job of the lane's: one commit with its cursor. */
int trace_write(sqlite3 *database, const struct trace_lane_row *row, struct xylem_reason *reason);
/* Removes rows that lie wholly below `begin`; called after trimming. */
int trace_trim(sqlite3 *database, struct xylem_position begin, struct xylem_reason *reason);

struct trace_filter {
	const char *id, *key, *source, *type,
		*text; /* exact, but `text`: bytes anywhere in attributes or data */
	const char *route, *destination, *ingress;
	int outcome;                  /* enum outcome; 0: any */
	int64_t since_us, until_us;   /* journal time; 0: open */
	struct xylem_position before; /* cursor: newest first, below this; offset 0: from the end */
	size_t limit;
	int64_t deadline_mono_us; /* a scan stops here and says where it got to */
};
/*
 * { "messages": [ {handle, time, ingress, id, type, source, subject, key, size,
 * outcomes: {"ROUTE/DEST": "delivered", ...}} ... ], "next": handle or null, "scanned": n, "complete": bool }
 */
int trace_search(struct journal *journal, struct catalogue *catalogue, const struct trace_filter *filter,
	json_t **ret_page, struct xylem_reason *reason);
/*
 * One message: attributes, size, family (parent, derived, replays, cases), and
 * for each lane its outcome, attempts, times and the waits between the hops.
 * Lanes that have not settled it say `pending`. -XYLEM_E_NOT_FOUND, -XYLEM_E_GONE.
 */
int trace_show(struct journal *journal, struct catalogue *catalogue, struct xylem_position at,
	json_t **ret_message, struct xylem_reason *reason);

#endif
