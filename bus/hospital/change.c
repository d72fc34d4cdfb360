/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person does to a case beside replaying it: an edited draft, discard,
 * restore, a note.
 *
 * Each is one job: load the row, compare the version that the person saw,
 * change, write a line of history. A note changes nothing that could be done
 * twice, so it names no version.
 */
#include "case.h"

#include <string.h>

#include <base/clock.h>

struct change {
	struct hospital *hospital;
	uint64_t number, version;
	struct xylem_span data;
	const char *text, *who;
};

static int load(
	sqlite3 *database, const struct change *change, struct case_row *ret_row, struct xylem_reason *reason)
{
	int r = case_load(database, change->number, ret_row, reason);
	return r < 0 ? r : case_check_version(ret_row, change->version, reason);
}

static int refuse(const struct case_row *row, const char *why, struct xylem_reason *reason)
{
	xylem_reason_set(reason, "case %llu is %s: %s", (unsigned long long)row->number, row->state, why);
	return -XYLEM_E_CONFLICT;
}

static int change_case(
	struct change *change, catalogue_work work, json_t **ret_case, struct xylem_reason *reason)
{
	change->who = change->who ? change->who : "";
	int r = catalogue_write(change->hospital->catalogue, work, change, reason);
	return r < 0 ? r : case_show(change->hospital, change->number, ret_case, reason);
}

/* --- Draft ---------------------------------------------------------------- */

static int write_draft(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct change *change = context;
	struct case_row row;
	int r = load(database, change, &row, reason);
	if (r == 0 && strcmp(row.state, "open") != 0) {
		r = refuse(&row, "only an open case takes a draft", reason);
	}
	sqlite3_stmt *insert =
		r < 0 ? NULL
		      : catalogue_statement(database,
				"INSERT INTO drafts (case_number, number, step, who, time_us, data)"
				" SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5 FROM drafts WHERE "
				"case_number = ?1",
				reason);
	if (!insert) {
		return r < 0 ? r : -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)change->number);
	sqlite3_bind_int64(insert, 2, row.step);
	catalogue_bind_text(insert, 3, xylem_span_of(change->who));
	sqlite3_bind_int64(insert, 4, clock_wall_us());
	catalogue_bind_blob(insert, 5, change->data);
	r = catalogue_step_done(database, insert, reason);
	r = r < 0 ? r
		  : case_run(database,
			    "UPDATE cases SET version = version + 1, bytes = bytes + ?2,"
			    " draft = (SELECT max(number) FROM drafts WHERE case_number = ?1) WHERE number = "
			    "?1",
			    change->number, change->data.n, 0, reason);
	r = r < 0 ? r : case_note(database, change->number, "draft", change->who, "edited the data", reason);
	return r < 0 ? r : hospital_count(change->hospital, database, reason);
}

int hospital_draft(struct hospital *hospital, uint64_t number, uint64_t version, struct xylem_span data,
	const char *who, json_t **ret_case, struct xylem_reason *reason)
{
	struct xylem_span given = xylem_span_present(data) ? data : xylem_span_of("");
	struct change change = { hospital, number, version, given, NULL, who };
	return change_case(&change, write_draft, ret_case, reason);
}

/* --- Discard and restore -------------------------------------------------- */

static int discard(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct change *change = context;
	struct case_row row;
	int r = load(database, change, &row, reason);
	if (r == 0 && strcmp(row.state, "open") != 0 && strcmp(row.state, "replaying") != 0) {
		r = refuse(&row, "there is nothing to discard", reason);
	}
	r = r < 0 ? r
		  : case_run(database,
			    "UPDATE cases SET state = 'discarded', version = version + 1 WHERE number = ?1",
			    change->number, 0, 0, reason);
	r = r < 0 ? r : case_note(database, change->number, "discard", change->who, change->text, reason);
	return r < 0 ? r : hospital_count(change->hospital, database, reason);
}

int hospital_discard(struct hospital *hospital, uint64_t number, uint64_t version, const char *note,
	const char *who, json_t **ret_case, struct xylem_reason *reason)
{
	struct change change = { hospital, number, version, XYLEM_SPAN_NONE, note, who };
	return change_case(&change, discard, ret_case, reason);
}

static int restore(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct change *change = context;
	struct case_row row;
	int r = load(database, change, &row, reason);
	if (r == 0 && strcmp(row.state, "discarded") != 0) {
		r = refuse(&row, "only a discarded case can be restored", reason);
	}
	/* What the lanes say decides whether it is open or still being replayed. */
	r = r < 0 ? r
		  : case_run(database, "UPDATE cases SET state = 'open' WHERE number = ?1", change->number, 0,
			    0, reason);
	r = r < 0 ? r : case_recompute(database, change->number, reason);
	r = r < 0 ? r : case_note(database, change->number, "restore", change->who, NULL, reason);
	return r < 0 ? r : hospital_count(change->hospital, database, reason);
}

int hospital_restore(struct hospital *hospital, uint64_t number, uint64_t version, const char *who,
	json_t **ret_case, struct xylem_reason *reason)
{
	struct change change = { hospital, number, version, XYLEM_SPAN_NONE, NULL, who };
	return change_case(&change, restore, ret_case, reason);
}

/* --- Note ----------------------------------------------------------------- */

static int note(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct change *change = context;
	struct case_row row;
	int r = case_load(database, change->number, &row, reason);
	return r < 0 ? r : case_note(database, change->number, "note", change->who, change->text, reason);
}

int hospital_note(struct hospital *hospital, uint64_t number, const char *text, const char *who,
	json_t **ret_case, struct xylem_reason *reason)
{
	struct change change = { hospital, number, 0, XYLEM_SPAN_NONE, text, who };
	return change_case(&change, note, ret_case, reason);
}
