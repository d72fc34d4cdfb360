/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome rows of lanes: what a lane did with a span of positions.
 *
 * A lane writes a row in the same transaction that moves its cursor over the
 * span, so that each (lane, position) is in one row and never in none. A row
 * is immutable; one that is written again (the same span after a crash before
 * the commit was known) replaces itself.
 */
#include <trace/trace.h>

#include <assert.h>

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
