/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hospital itself: opening, and whether there is room.
 *
 * Cases live in the catalogue; this room has no thread and no memory of its
 * own beside a few counts. Triggers keep the totals in the database; every
 * change reads them back inside its transaction. A transaction that is rolled
 * back afterwards leaves the counts wrong until the next look, which is why a
 * full hospital looks again by itself, at most once a second.
 *
 * The room: admission.c (lanes), replay*.c (records, requests, restart),
 * change.c (persons), view.c (JSON), case.c (rows), fingerprint.c (groups).
 */
#include "case.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>

#define LOOK_AGAIN_US 1000000

static _Atomic uint64_t *count_of(struct hospital *hospital, struct xylem_span state)
{
	if (xylem_span_is(state, "open")) {
		return &hospital->open;
	}
	if (xylem_span_is(state, "replaying")) {
		return &hospital->replaying;
	}
	return xylem_span_is(state, "resolved") ? &hospital->resolved : &hospital->discarded;
}

int hospital_count(struct hospital *hospital, sqlite3 *database, struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(
		database, "SELECT state, cases, bytes FROM hospital_totals", reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	uint64_t bytes = 0, held = 0;
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		_Atomic uint64_t *count = count_of(hospital, catalogue_column(row, 0));
		uint64_t taken = (uint64_t)sqlite3_column_int64(row, 2);
		*count = (uint64_t)sqlite3_column_int64(row, 1);
		bytes += taken;
		held += count == &hospital->open || count == &hospital->replaying ? taken : 0;
	}
	hospital->bytes = bytes;
	hospital->held_bytes = held;
	return r;
}

static int look(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return hospital_count(context, database, reason);
}

bool hospital_has_room(struct hospital *hospital)
{
	if (hospital->open + hospital->replaying < hospital->max_cases &&
		hospital->held_bytes < hospital->max_bytes) {
		return true;
	}
	int64_t now = clock_mono_us(), looked = hospital->looked_us;
	if (now - looked > LOOK_AGAIN_US &&
		atomic_compare_exchange_strong(&hospital->looked_us, &looked, now)) {
		catalogue_submit(hospital->catalogue, look, NULL, hospital, false);
	}
	return false;
}

static int count_groups(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct hospital_state *state = context;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT count(DISTINCT group_number) FROM cases WHERE state IN ('open', 'replaying')",
		reason);
	int r = row ? catalogue_step_row(database, row, reason) : -XYLEM_E_INTERNAL;
	if (r == 1) {
		state->groups = (uint64_t)sqlite3_column_int64(row, 0);
	}
	return r < 0 ? r : 0;
}

void hospital_state(struct hospital *hospital, struct hospital_state *ret_state)
{
	struct hospital_state state = { 0 };
	struct xylem_reason reason;
	catalogue_read(hospital->catalogue, look, hospital, &reason);
	catalogue_read(hospital->catalogue, count_groups, &state, &reason);
	state.open = hospital->open;
	state.replaying = hospital->replaying;
	state.discarded = hospital->discarded;
	state.bytes = hospital->bytes;
	state.max_cases = hospital->max_cases;
	state.max_bytes = hospital->max_bytes;
	*ret_state = state;
}

int hospital_open(
	struct hospital **ret_hospital, const struct hospital_options *options, struct xylem_reason *reason)
{
	struct hospital *hospital = calloc(1, sizeof(*hospital));
	if (!hospital) {
		return -XYLEM_E_MEMORY;
	}
	hospital->magic = HOSPITAL_MAGIC;
	hospital->catalogue = options->catalogue;
	hospital->journal = options->journal;
	hospital->max_cases = options->max_cases ? options->max_cases : UINT64_MAX;
	hospital->max_bytes = options->max_bytes ? options->max_bytes : UINT64_MAX;
	int r = catalogue_read(hospital->catalogue, look, hospital, reason);
	if (r == 0) {
		r = replay_resume(hospital, reason);
	}
	if (r < 0) {
		hospital_close(hospital);
		return r;
	}
	*ret_hospital = hospital;
	return 0;
}

/* A look that was submitted may still come: wait for it, since it writes here. */
static int nothing(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return 0;
}

struct hospital *hospital_close(struct hospital *hospital)
{
	if (!hospital) {
		return NULL;
	}
	assert(hospital->magic == HOSPITAL_MAGIC);
	struct xylem_reason reason;
	catalogue_write(hospital->catalogue, nothing, NULL, &reason);
	hospital->magic = 0;
	free(hospital);
	return NULL;
}
