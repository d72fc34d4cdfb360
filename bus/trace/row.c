/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome rows of lanes: what a lane did with a span of positions.
 *
 * A lane writes a row in the same transaction that moves its cursor over the
 * span, so that each (lane, position) is in one row and never in none. A row
 * is immutable; one that is written again (the same span after a crash before
 * the commit was known) replaces itself.
 */
#include "span.h"

#include <assert.h>
#include <string.h>

int trace_write(sqlite3 *database, const struct trace_lane_row *row, struct xylem_reason *reason)
{
	assert(row->from.partition == row->to.partition);
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT OR REPLACE INTO outcomes (lane, partition, from_offset, to_offset, vector)"
		" VALUES (?1, ?2, ?3, ?4, ?5)",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, row->lane);
	sqlite3_bind_int64(insert, 2, row->from.partition);
	sqlite3_bind_int64(insert, 3, (int64_t)row->from.offset);
	sqlite3_bind_int64(insert, 4, (int64_t)row->to.offset);
	catalogue_bind_blob(insert, 5, row->outcomes);
	return catalogue_step_done(database, insert, reason);
}

int trace_trim(sqlite3 *database, struct xylem_position begin, struct xylem_reason *reason)
{
	sqlite3_stmt *trim = catalogue_statement(database,
		"DELETE FROM outcomes WHERE lane IN (SELECT number FROM lanes)"
		" AND partition = ?1 AND from_offset < ?2 AND to_offset <= ?2",
		reason);
	if (!trim) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(trim, 1, begin.partition);
	sqlite3_bind_int64(trim, 2, (int64_t)begin.offset);
	return catalogue_step_done(database, trim, reason);
}

/* --- Reading -------------------------------------------------------------- */

static int load_lane(sqlite3_stmt *row, struct xylem_arena *arena, struct trace_lane *ret_lane)
{
	*ret_lane = (struct trace_lane){ .number = (uint32_t)sqlite3_column_int64(row, 0),
		.route = xylem_arena_text(arena, catalogue_column(row, 1)),
		.destination = xylem_arena_text(arena, catalogue_column(row, 2)),
		.cursor = { (uint32_t)sqlite3_column_int64(row, 3), (uint64_t)sqlite3_column_int64(row, 4) },
		.holes = xylem_arena_copy(arena, catalogue_column(row, 5)),
		.live = sqlite3_column_int(row, 6) == 0 };
	if (!ret_lane->route || !ret_lane->destination) {
		return -XYLEM_E_MEMORY;
	}
	ret_lane->name = xylem_arena_format(arena, "%s/%s", ret_lane->route, ret_lane->destination);
	return ret_lane->name ? 0 : -XYLEM_E_MEMORY;
}

int trace_lanes_load(sqlite3 *database, struct xylem_arena *arena, struct trace_lanes *ret_lanes,
	struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT number, route, destination, cursor_partition, cursor_offset, holes, dropped,"
		" (SELECT count(*) FROM lanes) FROM lanes ORDER BY route, destination, number",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	struct trace_lanes lanes = { 0 };
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (!lanes.all) {
			lanes.all = xylem_arena_zero(
				arena, (size_t)sqlite3_column_int64(row, 7) * sizeof(*lanes.all));
		}
		if (!lanes.all || load_lane(row, arena, &lanes.all[lanes.n++]) < 0) {
			return -XYLEM_E_MEMORY;
		}
	}
	if (r == 0) {
		*ret_lanes = lanes;
	}
	return r;
}

/* A vector that cannot be read further gives what came before: a trace with a hole beats none. */
static void tell(struct xylem_span vector, const struct trace_lane *lane, uint64_t from, uint64_t to,
	trace_found found, void *context)
{
	struct outcome_reader reader;
	struct outcome_entry entry;
	outcome_reader_init(&reader, vector);
	while (outcome_read(&reader, &entry) == 1 && entry.offset < to) {
		if (entry.offset >= from) {
			found(context, lane, &entry);
		}
	}
}

int trace_outcomes(sqlite3 *database, const struct trace_lanes *lanes, uint32_t partition, uint64_t from,
	uint64_t to, trace_found found, void *context, struct xylem_reason *reason)
{
	/* Rows of a lane do not overlap: the last that begins at or below `from` is the first to read. */
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT vector FROM outcomes WHERE lane = ?1 AND partition = ?2 AND from_offset < ?4 AND "
		"from_offset >="
		" coalesce((SELECT max(from_offset) FROM outcomes"
		" WHERE lane = ?1 AND partition = ?2 AND from_offset <= ?3), 0) ORDER BY from_offset",
		reason);
	int r = row ? 0 : -XYLEM_E_INTERNAL;
	for (size_t i = 0; r == 0 && i < lanes->n; i++) {
		const struct trace_lane *lane = &lanes->all[i];
		sqlite3_reset(row);
		sqlite3_bind_int64(row, 1, lane->number);
		sqlite3_bind_int64(row, 2, partition);
		sqlite3_bind_int64(row, 3, (int64_t)from);
		sqlite3_bind_int64(row, 4, (int64_t)to);
		while ((r = catalogue_step_row(database, row, reason)) == 1) {
			tell(catalogue_column(row, 0), lane, from, to, found, context);
		}
		if (lane->cursor.partition == partition) {
			tell(lane->holes, lane, from, to, found, context);
		}
	}
	return r;
}

bool trace_lane_internal(const struct trace_lane *lane)
{
	return strchr(lane->route, '.') != NULL; /* configured routes have no dot */
}
