/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays that were intended when the bus stopped.
 *
 * An intent without a position means that the bus went down between the two
 * commits: the record may be in the journal or not. The journal is read from
 * where it ended when the intent was written; what is found is noted, what is
 * not found is appended now, made from the catalogue the same way. Lanes have
 * not started yet, so that nobody delivers meanwhile.
 *
 * The rule not to break: only a journal that was read to its end says that a
 * record is missing.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

#include <xylem/log.h>

#define SCAN_RECORDS 1000
#define SCAN_BYTES (1 << 20)

struct pending {
	struct intent intent;
	char id[64]; /* of edited ones: a UUID */
	uint32_t action;
	struct xylem_position scan;
	struct xylem_position at;
	bool found, withdrawn;
};

struct resume {
	struct hospital *hospital;
	struct pending *pending;
	size_t n, room;
	struct pending *current;
	struct xylem_arena *arena;
	struct xylem_message message;
};

static int grow(struct resume *resume)
{
	if (resume->n < resume->room) {
		return 0;
	}
	size_t room = resume->room ? 2 * resume->room : 16;
	struct pending *pending = reallocarray(resume->pending, room, sizeof(*pending));
	if (!pending) {
		return -XYLEM_E_MEMORY;
	}
	resume->pending = pending;
	resume->room = room;
	return 0;
}

static int load(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct resume *resume = context;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT case_number, number, action, destination, step, draft, scan_partition, scan_offset, "
		"id"
		" FROM replays WHERE offset IS NULL ORDER BY case_number, number",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (grow(resume) < 0) {
			return -XYLEM_E_MEMORY;
		}
		struct pending *pending = &resume->pending[resume->n++];
		*pending = (struct pending){
			.intent = { .case_number = (uint64_t)sqlite3_column_int64(row, 0),
				.number = (uint32_t)sqlite3_column_int64(row, 1),
				.step = sqlite3_column_int(row, 4),
				.draft = (uint32_t)sqlite3_column_int64(row, 5) },
			.action = (uint32_t)sqlite3_column_int64(row, 2),
			.scan = { (uint32_t)sqlite3_column_int64(row, 6),
				(uint64_t)sqlite3_column_int64(row, 7) },
		};
		struct xylem_span text = catalogue_column(row, 3), id = catalogue_column(row, 8);
		snprintf(pending->intent.destination, sizeof(pending->intent.destination), "%.*s",
			(int)text.n, text.at);
		snprintf(pending->id, sizeof(pending->id), "%.*s", (int)id.n, id.at);
	}
	return r;
}

static void match(struct resume *resume, const struct xylem_message *message)
{
	struct replay replay;
	if (message->kind != XYLEM_REPLAY || replay_read(message, &replay) < 0) {
		return;
	}
	for (size_t i = 0; i < resume->n; i++) {
		struct pending *pending = &resume->pending[i];
		if (pending->intent.case_number == replay.case_number &&
			pending->intent.number == replay.number) {
			pending->found = true;
			pending->at = message->position;
		}
	}
}

static struct xylem_position scan_begin(struct resume *resume)
{
	struct xylem_position from = journal_begin(resume->hospital->journal);
	struct xylem_position lowest = resume->pending[0].scan;
	for (size_t i = 1; i < resume->n; i++) {
		if (resume->pending[i].scan.offset < lowest.offset) {
			lowest = resume->pending[i].scan;
		}
	}
	return lowest.offset > from.offset ? lowest : from;
}

static int scan(struct resume *resume, struct xylem_reason *reason)
{
	struct journal_batch *batch = journal_batch_new();
	if (!batch) {
		return -XYLEM_E_MEMORY;
	}
	struct xylem_position at = scan_begin(resume);
	int r;
	for (;;) {
		r = journal_read(resume->hospital->journal, at, SCAN_RECORDS, SCAN_BYTES, batch);
		bool damaged = r == -XYLEM_E_DAMAGED && batch->next.offset > at.offset;
		if ((r < 0 && !damaged) || (r == 0 && batch->n == 0)) {
			break;
		}
		for (size_t i = 0; !damaged && i < batch->n; i++) {
			match(resume, &batch->messages[i]);
		}
		at = batch->next;
	}
	journal_batch_free(batch);
	if (r < 0) {
		xylem_reason_set(
			reason, "hospital: looking for replays in the journal: %s", xylem_error_row(r)->text);
	}
	return r;
}

static int make(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct resume *resume = context;
	struct case_row row;
	struct pending *pending = resume->current;
	int r = case_load(database, pending->intent.case_number, &row, reason);
	if (r == 0 && pending->intent.draft > 0) {
		pending->intent.id = xylem_span_of(pending->id);
	}
	return r < 0 ? r
		     : replay_message(
			       database, &row, &pending->intent, resume->arena, &resume->message, reason);
}

static int settle(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct resume *resume = context;
	int r = 0;
	for (size_t i = 0; r == 0 && i < resume->n; i++) {
		struct pending *pending = &resume->pending[i];
		if (pending->found) {
			r = replay_confirm(database, pending->intent.case_number, pending->intent.number,
				pending->at, reason);
		} else if (pending->withdrawn) {
			r = replay_withdraw(database, pending->intent.case_number, pending->action, reason);
		}
	}
	return r;
}

/* One that cannot be appended now stays intended until the next start; one that cannot be made is taken back. */
static void append(struct resume *resume, struct pending *pending)
{
	struct xylem_reason reason = { "" };
	resume->current = pending;
	int r = catalogue_read(resume->hospital->catalogue, make, resume, &reason);
	pending->withdrawn = r == -XYLEM_E_CONFLICT || r == -XYLEM_E_DAMAGED;
	if (r == 0) {
		r = journal_append_wait(resume->hospital->journal, &resume->message, 1, true, &pending->at);
		pending->found = r == 0;
		xylem_reason_set(&reason, "%s", xylem_error_row(r)->text);
	}
	xylem_arena_reset(resume->arena);
	if (r < 0) {
		xylem_log(XYLEM_LOG_WARNING, "hospital",
			"replay %u of case %llu, intended before the stop, %s: %s", pending->intent.number,
			(unsigned long long)pending->intent.case_number,
			pending->withdrawn ? "is taken back" : "waits for the next start", reason.text);
	}
}

int replay_resume(struct hospital *hospital, struct xylem_reason *reason)
{
	struct resume resume = { .hospital = hospital, .arena = xylem_arena_new(0) };
	int r = resume.arena ? catalogue_read(hospital->catalogue, load, &resume, reason) : -XYLEM_E_MEMORY;
	if (r == 0 && resume.n > 0) {
		r = scan(&resume, reason);
		for (size_t i = 0; r == 0 && i < resume.n; i++) {
			if (!resume.pending[i].found) {
				append(&resume, &resume.pending[i]);
			}
		}
		r = r < 0 ? r : catalogue_write(hospital->catalogue, settle, &resume, reason);
	}
	free(resume.pending);
	xylem_arena_free(resume.arena);
	return r;
}
