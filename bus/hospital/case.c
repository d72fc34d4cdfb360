/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case's row: loading it, its version, its state.
 *
 * The state of a case is not kept by hand: each lane of each replay has a row
 * (and "replay 0" is the first pass), and the case is `open` while a failed one
 * has not been taken up again, `replaying` while one is on its way, `resolved`
 * when all were delivered or filtered. Only `discarded` is a person's word.
 *
 * The rule not to break: whatever changes a case moves its version on, in the
 * same transaction, so that two persons never resolve one case twice.
 */
#include "case.h"

#include <stdio.h>
#include <string.h>

#include <base/clock.h>

int case_run(
	sqlite3 *database, const char *sql, uint64_t a, uint64_t b, uint64_t c, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (!statement) {
		return -XYLEM_E_INTERNAL;
	}
	const uint64_t values[] = { a, b, c };
	for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++) {
		sqlite3_bind_int64(statement, i + 1, (int64_t)values[i]);
	}
	return catalogue_step_done(database, statement, reason);
}

static void copy_column(char *out, size_t room, sqlite3_stmt *row, int column)
{
	struct xylem_span text = catalogue_column(row, column);
	snprintf(out, room, "%.*s", (int)text.n, text.at ? text.at : "");
}

int case_load(sqlite3 *database, uint64_t number, struct case_row *ret_row, struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT number, version, state, partition, offset, journal_us, route, destination, step, "
		"draft"
		" FROM cases WHERE number = ?1",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)number);
	int r = catalogue_step_row(database, row, reason);
	if (r == 0) {
		xylem_reason_set(reason, "there is no case %llu", (unsigned long long)number);
		return -XYLEM_E_NOT_FOUND;
	}
	if (r < 0) {
		return r;
	}
	*ret_row = (struct case_row){ .number = (uint64_t)sqlite3_column_int64(row, 0),
		.version = (uint64_t)sqlite3_column_int64(row, 1),
		.position = { (uint32_t)sqlite3_column_int64(row, 3),
			(uint64_t)sqlite3_column_int64(row, 4) },
		.journal_us = sqlite3_column_int64(row, 5),
		/* -1 is `where`: nothing runs before the first step. */
		.step = sqlite3_column_int(row, 8) > 0 ? sqlite3_column_int(row, 8) : 0,
		.draft = (uint32_t)sqlite3_column_int64(row, 9) };
	copy_column(ret_row->state, sizeof(ret_row->state), row, 2);
	copy_column(ret_row->route, sizeof(ret_row->route), row, 6);
	copy_column(ret_row->destination, sizeof(ret_row->destination), row, 7);
	sqlite3_reset(row);
	return 0;
}

int case_check_version(const struct case_row *row, uint64_t version, struct xylem_reason *reason)
{
	if (row->version == version) {
		return 0;
	}
	xylem_reason_set(reason,
		"case %llu was changed meanwhile: it is at version %llu (%s), the change was made for "
		"version %llu; look again",
		(unsigned long long)row->number, (unsigned long long)row->version, row->state,
		(unsigned long long)version);
	return -XYLEM_E_CONFLICT;
}

static int set_state(sqlite3 *database, uint64_t number, const char *state, struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(database,
		"UPDATE cases SET version = version + 1,"
		" state = CASE WHEN state = 'discarded' AND ?2 = 'replaying' THEN state ELSE ?2 END"
		" WHERE number = ?1",
		reason);
	if (!update) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(update, 1, (int64_t)number);
	catalogue_bind_text(update, 2, xylem_span_of(state));
	return catalogue_step_done(database, update, reason);
}

int case_recompute(sqlite3 *database, uint64_t number, struct xylem_reason *reason)
{
	/* Outcomes 1, 2 and 7: delivered, filtered, diverted (trace/outcome.h); NULL: on its way. */
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT count(*), count(*) FILTER (WHERE outcome IS NULL), count(*) FILTER (WHERE outcome IN "
		"(1, 2, 7))"
		" FROM replay_lanes WHERE case_number = ?1 AND superseded = 0",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)number);
	int r = catalogue_step_row(database, row, reason);
	if (r < 0) {
		return r;
	}
	int all = sqlite3_column_int(row, 0), under_way = sqlite3_column_int(row, 1),
	    good = sqlite3_column_int(row, 2);
	sqlite3_reset(row);
	const char *state = all == 0 || all > under_way + good ? "open"
			    : under_way > 0                    ? "replaying"
							       : "resolved";
	return set_state(database, number, state, reason);
}

int case_note(sqlite3 *database, uint64_t number, const char *kind, const char *who, const char *text,
	struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO notes (case_number, kind, who, time_us, text) VALUES (?1, ?2, ?3, ?4, ?5)",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)number);
	catalogue_bind_text(insert, 2, xylem_span_of(kind));
	catalogue_bind_text(insert, 3, xylem_span_of(who ? who : ""));
	sqlite3_bind_int64(insert, 4, clock_wall_us());
	catalogue_bind_text(insert, 5, xylem_span_of(text ? text : ""));
	return catalogue_step_done(database, insert, reason);
}

void case_target(
	const struct case_row *row, const char *target, char ret_route[128], char ret_destination[128])
{
	const char *slash = strcmp(row->route, UNROUTED) == 0 ? strchr(target, '/') : NULL;
	if (slash) {
		snprintf(ret_route, 128, "%.*s", (int)(slash - target), target);
		snprintf(ret_destination, 128, "%s", slash + 1);
	} else {
		snprintf(ret_route, 128, "%s", row->route);
		snprintf(ret_destination, 128, "%s", target);
	}
}
