/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane commits: its cursor, the outcomes of the span that the cursor passed,
 * what is settled above it, and its new cases go to the catalogue in one job,
 * which is all or nothing. One commit of a lane is under way at a time; the
 * lane delivers on meanwhile, bounded by its window.
 *
 * The rule not to break: the cursor in the catalogue never passes a message
 * whose outcome, or case, is not in the same commit or an earlier one.
 */
#include <assert.h>
#include <stdlib.h>

#include <base/clock.h>
#include <route/lane_body.h>
#include <trace/trace.h>
#include <xylem/log.h>

/* A cursor that only passed what is not the lane's is not worth a commit of its own more often than this. */
#define IDLE_COMMIT_US ((int64_t)500000)
#define AGAIN_US ((int64_t)1000000)

struct lane_commit {
	struct lane *lane;
	struct xylem_position from, to; /* the span of the outcomes; `to` is the new cursor */
	struct outcome_vector outcomes, holes;
	uint64_t journal_end;
	struct lane_case *cases;
	size_t case_count;
	struct lane_replay *replays;
	size_t replay_count;
	bool stop; /* `on_case: stop`: the pause must survive a restart */
	char why[256];
};

static void notes_drop(
	struct lane_case *cases, size_t case_count, struct lane_replay *replays, size_t replay_count)
{
	for (size_t i = 0; i < case_count; i++) {
		route_batch_unref(cases[i].batch);
	}
	for (size_t i = 0; i < replay_count; i++) {
		route_batch_unref(replays[i].batch);
	}
	free(cases);
	free(replays);
}

static void commit_free(struct lane_commit *commit)
{
	notes_drop(commit->cases, commit->case_count, commit->replays, commit->replay_count);
	outcome_vector_finish(&commit->outcomes);
	outcome_vector_finish(&commit->holes);
	free(commit);
}

/* --- On the commit thread of the catalogue --------------------------------- */

static struct hospital_admission admission_of(const struct lane *lane, const struct lane_case *lane_case)
{
	return (struct hospital_admission){
		.route = lane->record.route,
		.destination = lane_case->whole_route ? NULL : lane->record.destination,
		.stage = lane_case->stage,
		.step = lane_case->step,
		.failure = lane_case->result.failure,
		.code = lane_case->result.code,
		.reason = lane_case->result.reason.text,
		.attempts = lane_case->attempts,
		.original = lane_case->original,
		.failing = lane_case->failing,
		.generation = route_generation(lane->plan.route),
	};
}

static int write_cases(struct lane_commit *commit, sqlite3 *database, struct xylem_reason *reason)
{
	const struct lane *lane = commit->lane;
	int error = 0;
	for (size_t i = 0; i < commit->case_count && !error; i++) {
		struct hospital_admission admission = admission_of(lane, &commit->cases[i]);
		error = hospital_admit(
			lane->services->hospital, database, &admission, &commit->cases[i].number, reason);
	}
	for (size_t i = 0; i < commit->replay_count && !error; i++) {
		const struct lane_replay *replay = &commit->replays[i];
		error = hospital_settle_replay(lane->services->hospital, database, replay->original,
			lane->record.route, lane->record.destination, (int)replay->outcome, reason);
	}
	return error;
}

static void tell_cases(const struct lane_commit *commit)
{
	const struct lane_services *services = commit->lane->services;
	for (size_t i = 0; i < commit->case_count && services->admitted; i++) {
		struct hospital_admission admission = admission_of(commit->lane, &commit->cases[i]);
		services->admitted(services->context, commit->cases[i].number, &admission);
	}
}

static int write_commit(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct lane_commit *commit = context;
	const struct lane *lane = commit->lane;
	int error = write_cases(commit, database, reason);
	if (!error && commit->stop) {
		error = lane_record_pause(database, lane->record.number, commit->why, reason);
	}
	if (!error && commit->outcomes.count > 0) {
		struct trace_lane_row row = { lane->record.number, commit->from, commit->to,
			xylem_buffer_borrow(&commit->outcomes.bytes) };
		error = trace_write(database, &row, reason);
	}
	if (!error) {
		error = lane_record_write(database, lane->record.number, commit->to,
			xylem_buffer_borrow(&commit->holes.bytes), commit->journal_end, reason);
	}
	return error;
}

/* Locked. */
static void keep_committed(struct lane *lane, struct lane_commit *commit)
{
	lane->record.cursor = commit->to;
	if (commit->stop && lane->stopped) {
		lane->record.paused = true;
		memcpy(lane->record.paused_why, commit->why, sizeof(commit->why));
	}
	lane->record.journal_end = commit->journal_end;
	xylem_buffer_clear(&lane->record.holes);
	xylem_buffer_span(&lane->record.holes, xylem_buffer_borrow(&commit->holes.bytes));
	lane->committed_us = clock_mono_us();
	commit_free(commit);
}

/* Locked. The same commit is tried again: what it holds is nowhere else. */
static void keep_refused(struct lane *lane, struct lane_commit *commit, int error, const char *why)
{
	lane->refused = commit;
	lane->refused_until_us = clock_mono_us() + AGAIN_US;
	lane_block(lane, AGAIN_US, "the catalogue refuses the lane's state (%s): %.150s",
		xylem_error_row(error)->name, why);
}

static void committed(void *context, int error, const struct xylem_reason *reason)
{
	struct lane_commit *commit = context;
	struct lane *lane = commit->lane;
	if (!error) {
		tell_cases(commit);
	}
	pthread_mutex_lock(&lane->lock);
	lane->committing = false;
	if (error) {
		keep_refused(lane, commit, error, reason ? reason->text : "");
	} else {
		keep_committed(lane, commit);
		lane_commit(lane, false);
	}
	pthread_cond_broadcast(&lane->idle);
	lane_wake(lane);
	pthread_mutex_unlock(&lane->lock);
}

/* --- On the lane's threads, locked ------------------------------------------ */

static void note_outcome(struct outcome_vector *vector, const struct entry *entry)
{
	struct outcome_entry outcome = { entry->position.offset, entry->outcome, entry->attempts,
		entry->begun_us, entry->settled_us, 0, entry->handle };
	outcome_vector_add(vector, &outcome);
}

static void collect_outcomes(struct lane *lane, struct lane_commit *commit)
{
	struct entry *entry;
	while ((entry = window_first(&lane->window)) && window_settled(entry)) {
		note_outcome(&commit->outcomes, entry);
		window_pop(&lane->window);
	}
	for (size_t i = 0;
		lane->window.unsettled < lane->window.count && (entry = window_at(&lane->window, i)); i++) {
		if (window_settled(entry)) {
			note_outcome(&commit->holes, entry);
		}
	}
}

/* Up to where what this lane appended itself is settled too; 0: it appends nothing. */
static uint64_t appended_end(const struct lane *lane)
{
	if (!lane->plan.topic && !lane->plan.otherwise) {
		return 0;
	}
	uint64_t end = journal_end(lane->services->journal).offset;
	for (size_t i = 0; i < lane->worker_count; i++) {
		uint64_t from = lane->workers[i].appends_from;
		end = from > 0 && from < end ? from : end;
	}
	return end;
}

static struct lane_commit *commit_new(struct lane *lane)
{
	struct lane_commit *commit = calloc(1, sizeof(*commit));
	if (!commit) {
		return NULL;
	}
	commit->lane = lane;
	commit->from = lane->record.cursor;
	collect_outcomes(lane, commit);
	commit->to = lane_cursor(lane);
	commit->journal_end = appended_end(lane);
	commit->stop = lane->stopped && lane->case_count > 0;
	memcpy(commit->why, lane->why, sizeof(commit->why));
	commit->cases = lane->cases;
	commit->case_count = lane->case_count;
	commit->replays = lane->replays;
	commit->replay_count = lane->replay_count;
	lane->cases = NULL;
	lane->replays = NULL;
	lane->case_count = lane->case_room = lane->replay_count = lane->replay_room = 0;
	lane->dirty = false;
	return commit;
}

static void submit(struct lane *lane, struct lane_commit *commit, bool urgent)
{
	lane->committing = true;
	int error = catalogue_submit(lane->services->catalogue, write_commit, committed, commit, urgent);
	if (error) {
		lane->committing = false;
		keep_refused(lane, commit, error, "the catalogue has stopped");
	}
}

void lane_commit(struct lane *lane, bool urgent)
{
	int64_t now = clock_mono_us();
	if (lane->committing) {
		return;
	}
	if (lane->refused) {
		if (now >= lane->refused_until_us || urgent) {
			struct lane_commit *commit = lane->refused;
			lane->refused = NULL;
			submit(lane, commit, urgent);
		}
		return;
	}
	bool moved = lane_cursor(lane).offset != lane->record.cursor.offset;
	if (!lane->dirty && !(moved && (urgent || now - lane->committed_us > IDLE_COMMIT_US))) {
		return;
	}
	struct lane_commit *commit = commit_new(lane);
	if (commit) {
		submit(lane, commit, urgent);
	}
}

void lane_commit_drop(struct lane *lane)
{
	if (lane->refused) {
		commit_free(lane->refused);
		lane->refused = NULL;
	}
	notes_drop(lane->cases, lane->case_count, lane->replays, lane->replay_count);
	lane->cases = NULL;
	lane->replays = NULL;
	lane->case_count = lane->case_room = lane->replay_count = lane->replay_room = 0;
}
