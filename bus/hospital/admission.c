/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a message gets into the hospital, and what a lane says of its replays.
 *
 * Admission runs inside the job that moves the lane's cursor over the message:
 * one commit, so that a message is either still ahead of the cursor or in the
 * hospital. The original record and the data at the failing stage are copied,
 * so that a case keeps no segment of the journal from being trimmed.
 *
 * The rule not to break: admission is never refused for reasons of its own
 * (a full hospital stops the lane before, by hospital_has_room()), and the same
 * failure admitted again, after a crash, is the same case.
 */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <message/envelope.h>
#include <trace/outcome.h>

#include "fingerprint.h"

#define CASE_OVERHEAD 1024 /* what a case's rows take beside its data, roughly */
#define PRUNE_AT_ONCE 16

static const char *destination_of(const struct hospital_admission *admission)
{
	return admission->destination ? admission->destination : "";
}

/* --- Groups --------------------------------------------------------------- */

static int group_touch(sqlite3 *database, const char *fingerprint, int64_t now, uint64_t *ret_group,
	struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(database,
		"UPDATE groups SET last_us = max(last_us, ?2), failures = failures + 1 WHERE fingerprint = ?1"
		" RETURNING number",
		reason);
	if (!update) {
		return -XYLEM_E_INTERNAL;
	}
	catalogue_bind_text(update, 1, xylem_span_of(fingerprint));
	sqlite3_bind_int64(update, 2, now);
	int r = catalogue_step_row(database, update, reason);
	if (r == 1) {
		*ret_group = (uint64_t)sqlite3_column_int64(update, 0);
	}
	sqlite3_reset(update);
	return r;
}

static int group_add(sqlite3 *database, const struct hospital_admission *admission, const char *fingerprint,
	const char *pattern, int64_t now, uint64_t *ret_group, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO groups (fingerprint, route, destination, stage, code, pattern, first_us, "
		"last_us, failures)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1)",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	catalogue_bind_text(insert, 1, xylem_span_of(fingerprint));
	catalogue_bind_text(insert, 2, xylem_span_of(admission->route));
	catalogue_bind_text(insert, 3, xylem_span_of(destination_of(admission)));
	catalogue_bind_text(insert, 4, xylem_span_of(admission->stage));
	catalogue_bind_text(insert, 5, xylem_span_of(admission->code));
	catalogue_bind_text(insert, 6, xylem_span_of(pattern));
	sqlite3_bind_int64(insert, 7, now);
	int r = catalogue_step_done(database, insert, reason);
	if (r == 0) {
		*ret_group = (uint64_t)sqlite3_last_insert_rowid(database);
	}
	return r;
}

static int group_of(sqlite3 *database, const struct hospital_admission *admission, int64_t now,
	uint64_t *ret_group, struct xylem_reason *reason)
{
	char pattern[PATTERN_SIZE], fingerprint[FINGERPRINT_SIZE];
	pattern_of(xylem_span_of(admission->reason), pattern);
	fingerprint_of(admission->route, destination_of(admission), admission->stage, admission->code,
		pattern, fingerprint);
	int r = group_touch(database, fingerprint, now, ret_group, reason);
	if (r == 0) {
		return group_add(database, admission, fingerprint, pattern, now, ret_group, reason);
	}
	return r < 0 ? r : 0;
}

/* --- Data ----------------------------------------------------------------- */

static int serialise(const struct xylem_message *message, struct xylem_buffer *out)
{
	size_t n = envelope_size(message);
	if (!xylem_buffer_reserve(out, n)) {
		return -XYLEM_E_MEMORY;
	}
	envelope_write(message, out->bytes);
	out->n = n;
	return 0;
}

static int keep_data(sqlite3 *database, uint64_t number, struct xylem_span original,
	struct xylem_span failing, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO case_data (case_number, original, failing) VALUES (?1, ?2, ?3)"
		" ON CONFLICT (case_number) DO UPDATE SET failing = ?3",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)number);
	catalogue_bind_blob(insert, 2, original);
	catalogue_bind_blob(insert, 3, failing);
	return catalogue_step_done(database, insert, reason);
}

/* --- A new case ----------------------------------------------------------- */

static int find(sqlite3 *database, const struct hospital_admission *admission, uint64_t *ret_number,
	struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT number FROM cases WHERE partition = ?1 AND offset = ?2 AND route = ?3 AND "
		"destination = ?4",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, admission->original->position.partition);
	sqlite3_bind_int64(row, 2, (int64_t)admission->original->position.offset);
	catalogue_bind_text(row, 3, xylem_span_of(admission->route));
	catalogue_bind_text(row, 4, xylem_span_of(destination_of(admission)));
	int r = catalogue_step_row(database, row, reason);
	if (r == 1) {
		*ret_number = (uint64_t)sqlite3_column_int64(row, 0);
	}
	sqlite3_reset(row);
	return r;
}

/* What a failure says, in the order of the columns that both INSERT and UPDATE below name. */
static void bind_failure(sqlite3_stmt *statement, const struct hospital_admission *admission, uint64_t group,
	int64_t now, size_t bytes)
{
	sqlite3_bind_int64(statement, 1, (int64_t)group);
	catalogue_bind_text(statement, 2, xylem_span_of(destination_of(admission)));
	catalogue_bind_text(statement, 3, xylem_span_of(admission->stage));
	sqlite3_bind_int64(statement, 4, admission->step);
	catalogue_bind_text(statement, 5, xylem_span_of(xylem_failure_name(admission->failure)));
	catalogue_bind_text(statement, 6, xylem_span_of(admission->code));
	catalogue_bind_text(statement, 7, xylem_span_of(admission->reason));
	sqlite3_bind_int64(statement, 8, admission->attempts);
	sqlite3_bind_int64(statement, 9, now);
	catalogue_bind_text(statement, 10, xylem_span_of(admission->generation));
	sqlite3_bind_int64(statement, 11, (int64_t)bytes);
}

static int add_case(sqlite3 *database, const struct hospital_admission *admission, uint64_t group,
	int64_t now, size_t bytes, uint64_t *ret_number, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO cases (group_number, failed_at, stage, step, failure, code, reason, attempts, "
		"first_us, last_us,"
		" generation, bytes, version, state, failures, partition, offset, journal_us, route, "
		"destination,"
		" ingress, key, id, source, type, subject)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, 1, 'open', 1, ?12, ?13, ?14, "
		"?15, ?2,"
		" ?16, ?17, ?18, ?19, ?20, ?21)",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	const struct xylem_message *original = admission->original;
	bind_failure(insert, admission, group, now, bytes);
	sqlite3_bind_int64(insert, 12, original->position.partition);
	sqlite3_bind_int64(insert, 13, (int64_t)original->position.offset);
	sqlite3_bind_int64(insert, 14, original->journal_time_us);
	catalogue_bind_text(insert, 15, xylem_span_of(admission->route));
	catalogue_bind_text(insert, 16, original->ingress);
	catalogue_bind_text(insert, 17, original->key);
	catalogue_bind_text(insert, 18, original->id);
	catalogue_bind_text(insert, 19, original->source);
	catalogue_bind_text(insert, 20, original->type);
	catalogue_bind_text(insert, 21, original->subject);
	int r = catalogue_step_done(database, insert, reason);
	if (r == 0) {
		*ret_number = (uint64_t)sqlite3_last_insert_rowid(database);
	}
	return r;
}

/* The first pass as replay 0: which lanes do not have the message because of this case. */
static int add_first_pass(sqlite3 *database, uint64_t number, const struct hospital_admission *admission,
	int64_t now, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO replays (case_number, number, action, destination, step, draft, id, who, "
		"time_us,"
		" scan_partition, scan_offset, partition, offset)"
		" SELECT number, 0, 0, destination, 0, 0, id, '', first_us, partition, offset, partition, "
		"offset"
		" FROM cases WHERE number = ?1",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)number);
	int r = catalogue_step_done(database, insert, reason);
	sqlite3_stmt *lanes = r < 0 ? NULL
				    : catalogue_statement(database,
					      "INSERT INTO replay_lanes (case_number, number, destination, "
					      "outcome, time_us)"
					      " SELECT ?1, 0, ?3, 4, ?4 WHERE ?3 <> '' UNION"
					      " SELECT ?1, 0, destination, 4, ?4 FROM lanes"
					      " WHERE ?3 = '' AND route = ?2 AND retired = 0 AND dropped = 0",
					      reason);
	if (!lanes) {
		return r < 0 ? r : -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(lanes, 1, (int64_t)number);
	catalogue_bind_text(lanes, 2, xylem_span_of(admission->route));
	catalogue_bind_text(lanes, 3, xylem_span_of(destination_of(admission)));
	sqlite3_bind_int64(lanes, 4, now);
	return catalogue_step_done(database, lanes, reason);
}

/* Resolved cases go first, then discarded ones, oldest first, while the copies take more than the bound. */
static int prune(struct hospital *hospital, sqlite3 *database, struct xylem_reason *reason)
{
	for (int i = 0; i < PRUNE_AT_ONCE; i++) {
		uint64_t cases = hospital->open + hospital->replaying + hospital->resolved +
				 hospital->discarded;
		if (hospital->resolved + hospital->discarded == 0 ||
			(cases <= hospital->max_cases && hospital->bytes <= hospital->max_bytes)) {
			return 0;
		}
		int r = case_run(database,
			"DELETE FROM cases WHERE number = coalesce("
			" (SELECT min(number) FROM cases WHERE state = 'resolved'),"
			" (SELECT min(number) FROM cases WHERE state = 'discarded'))",
			0, 0, 0, reason);
		if (r == 0) {
			r = hospital_count(hospital, database, reason);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int admit_new(struct hospital *hospital, sqlite3 *database, const struct hospital_admission *admission,
	uint64_t *ret_number, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED original = { 0 }, failing = { 0 };
	uint64_t group = 0, number = 0;
	int64_t now = clock_wall_us();
	int r = serialise(admission->original, &original);
	if (r == 0) {
		r = serialise(admission->failing, &failing);
	}
	if (r < 0) {
		return r;
	}
	bool same = xylem_span_equal(xylem_buffer_borrow(&original), xylem_buffer_borrow(&failing));
	size_t bytes = original.n + (same ? 0 : failing.n) + CASE_OVERHEAD;
	r = group_of(database, admission, now, &group, reason);
	if (r == 0) {
		r = add_case(database, admission, group, now, bytes, &number, reason);
	}
	if (r == 0) {
		r = keep_data(database, number, xylem_buffer_borrow(&original),
			same ? XYLEM_SPAN_NONE : xylem_buffer_borrow(&failing), reason);
	}
	if (r == 0) {
		r = add_first_pass(database, number, admission, now, reason);
	}
	if (r == 0) {
		r = hospital_count(hospital, database, reason);
	}
	if (r == 0) {
		r = prune(hospital, database, reason);
	}
	if (r == 0) {
		*ret_number = number;
	}
	return r;
}

/* --- A replay comes back -------------------------------------------------- */

/* The replay's own row should be there; one whose intent was taken back after all gets it now. */
static int ensure_replay(sqlite3 *database, const struct replay *replay, const struct xylem_message *message,
	struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT OR IGNORE INTO replays (case_number, number, action, destination, step, draft, id, "
		"who, time_us,"
		" scan_partition, scan_offset, partition, offset) VALUES (?1, ?2, ?2, ?3, ?4, 0, ?5, '', ?6, "
		"?7, ?8, ?7, ?8)",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)replay->case_number);
	sqlite3_bind_int64(insert, 2, replay->number);
	catalogue_bind_text(
		insert, 3, xylem_span_present(replay->destination) ? replay->destination : xylem_span_of(""));
	sqlite3_bind_int64(insert, 4, replay->step);
	catalogue_bind_text(insert, 5, message->id);
	sqlite3_bind_int64(insert, 6, message->journal_time_us);
	sqlite3_bind_int64(insert, 7, message->position.partition);
	sqlite3_bind_int64(insert, 8, (int64_t)message->position.offset);
	return catalogue_step_done(database, insert, reason);
}

/*
 * One lane's word on a replay, said once: a second one changes nothing.
 * `destination` "": all that have not spoken.
 */
static int settle_lane(sqlite3 *database, const struct replay *replay, const char *destination, int outcome,
	const char *code, const char *why, bool *ret_changed, struct xylem_reason *reason)
{
	sqlite3_stmt *settle = catalogue_statement(database,
		destination[0]
			? "INSERT INTO replay_lanes (case_number, number, destination, outcome, time_us, "
			  "code, reason)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
			  " ON CONFLICT DO UPDATE SET outcome = ?4, time_us = ?5, code = ?6, reason = ?7"
			  " WHERE outcome IS NULL"
			: "UPDATE replay_lanes SET outcome = ?4, time_us = ?5, code = ?6, reason = ?7"
			  " WHERE case_number = ?1 AND number = ?2 AND outcome IS NULL",
		reason);
	if (!settle) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(settle, 1, (int64_t)replay->case_number);
	sqlite3_bind_int64(settle, 2, replay->number);
	if (destination[0]) {
		catalogue_bind_text(settle, 3, xylem_span_of(destination));
	}
	sqlite3_bind_int64(settle, 4, outcome);
	sqlite3_bind_int64(settle, 5, clock_wall_us());
	catalogue_bind_text(settle, 6, xylem_span_of(code));
	catalogue_bind_text(settle, 7, xylem_span_of(why));
	int r = catalogue_step_done(database, settle, reason);
	if (r == 0) {
		*ret_changed = sqlite3_changes(database) > 0;
	}
	return r;
}

/* A draft replaced the data of the stage that failed before: after a new failure it is history. */
static int write_failure(sqlite3 *database, uint64_t number, const struct hospital_admission *admission,
	uint64_t group, int64_t now, size_t failing_bytes, struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(database,
		"UPDATE cases SET group_number = ?1, failed_at = ?2, stage = ?3, step = ?4, failure = ?5, "
		"code = ?6,"
		" reason = ?7, attempts = ?8, last_us = ?9, generation = ?10,"
		" bytes = ?11 + (SELECT length(original) FROM case_data WHERE case_number = ?12),"
		" failures = failures + 1, draft = 0 WHERE number = ?12",
		reason);
	if (!update) {
		return -XYLEM_E_INTERNAL;
	}
	bind_failure(update, admission, group, now, failing_bytes + CASE_OVERHEAD);
	sqlite3_bind_int64(update, 12, (int64_t)number);
	return catalogue_step_done(database, update, reason);
}

/*
 * How the case names the lane that speaks. A message that no route had taken is
 * answered by whichever routes take it now, and no longer by the lane that
 * counts such messages.
 */
static int name_lane(sqlite3 *database, const struct case_row *row, const struct replay *replay,
	const char *route, const char *destination, char ret_name[300], struct xylem_reason *reason)
{
	if (strcmp(row->route, route) == 0) {
		snprintf(ret_name, 300, "%s", destination);
		return 0;
	}
	snprintf(ret_name, 300, "%s/%s", route, destination);
	return case_run(database,
		"DELETE FROM replay_lanes WHERE case_number = ?1 AND number = ?2 AND outcome IS NULL"
		" AND instr(destination, '/') = 0",
		replay->case_number, replay->number, 0, reason);
}

static int fail_again(struct hospital *hospital, sqlite3 *database,
	const struct hospital_admission *admission, const struct replay *replay, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED failing = { 0 };
	uint64_t group = 0, number = replay->case_number;
	int64_t now = clock_wall_us();
	char text[768];
	snprintf(text, sizeof(text), "replay %u failed in %s (%s): %s", replay->number, admission->stage,
		admission->code, admission->reason);
	int r = serialise(admission->failing, &failing);
	if (r == 0) {
		r = group_of(database, admission, now, &group, reason);
	}
	if (r == 0) {
		r = keep_data(
			database, number, XYLEM_SPAN_LITERAL(""), xylem_buffer_borrow(&failing), reason);
	}
	if (r == 0) {
		r = write_failure(database, number, admission, group, now, failing.n, reason);
	}
	if (r == 0) {
		r = case_note(database, number, "failed", "", text, reason);
	}
	if (r == 0) {
		r = case_recompute(database, number, reason);
	}
	return r == 0 ? hospital_count(hospital, database, reason) : r;
}

static int reopen(struct hospital *hospital, sqlite3 *database, const struct hospital_admission *admission,
	const struct case_row *row, const struct replay *replay, struct xylem_reason *reason)
{
	bool changed = false;
	char name[300];
	int r = ensure_replay(database, replay, admission->original, reason);
	if (r == 0) {
		r = name_lane(
			database, row, replay, admission->route, destination_of(admission), name, reason);
	}
	if (r == 0) {
		r = settle_lane(database, replay, name, OUTCOME_HOSPITALISED, admission->code,
			admission->reason, &changed, reason);
	}
	return r < 0 || !changed ? r : fail_again(hospital, database, admission, replay, reason);
}

int hospital_admit(struct hospital *hospital, sqlite3 *database, const struct hospital_admission *admission,
	uint64_t *ret_case, struct xylem_reason *reason)
{
	struct replay replay;
	struct case_row row;
	struct xylem_reason none;
	if (admission->original->kind == XYLEM_REPLAY && replay_read(admission->original, &replay) == 0 &&
		case_load(database, replay.case_number, &row, &none) == 0) {
		int r = reopen(hospital, database, admission, &row, &replay, reason);
		if (r == 0) {
			*ret_case = replay.case_number;
		}
		return r;
	}
	int r = find(database, admission, ret_case, reason);
	if (r == 0) {
		return admit_new(hospital, database, admission, ret_case, reason);
	}
	return r < 0 ? r : 0;
}

int hospital_settle_replay(struct hospital *hospital, sqlite3 *database, const struct xylem_message *message,
	const char *route, const char *destination, int outcome, struct xylem_reason *reason)
{
	struct replay replay;
	struct case_row row;
	bool changed = false;
	char name[300];
	int r = replay_read(message, &replay);
	if (r < 0) {
		return 0; /* not one of ours; the lane has its outcome all the same */
	}
	r = case_load(database, replay.case_number, &row, reason);
	if (r < 0) {
		return r == -XYLEM_E_NOT_FOUND ? 0 : r; /* resolved otherwise and removed since */
	}
	r = ensure_replay(database, &replay, message, reason);
	if (r == 0) {
		r = name_lane(database, &row, &replay, route, destination ? destination : "", name, reason);
	}
	if (r == 0) {
		r = settle_lane(database, &replay, name, outcome, NULL, NULL, &changed, reason);
	}
	if (r == 0 && changed) {
		r = case_recompute(database, replay.case_number, reason);
	}
	return r == 0 && changed ? hospital_count(hospital, database, reason) : r;
}
