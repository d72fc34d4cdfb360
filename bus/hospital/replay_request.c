/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person asks for a replay.
 *
 * Three steps: the intent is committed in the catalogue (the case is replaying,
 * its version has moved on); the records are appended to the journal in one
 * batch; their positions are committed. A crash after the first step is
 * repaired at the next start (replay_resume.c), so that what the person was
 * told happens once.
 *
 * The rule not to break: never append before the intent is on disk. When the
 * journal refuses (held, full, stopping) the intent is taken back and the
 * person is told; when the journal died it is kept, because nobody knows yet
 * whether the record is on the disk.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xylem/log.h>

#define TARGETS_MAX 256

struct request {
	struct hospital *hospital;
	uint64_t number, version;
	bool from_start;
	const char *destination; /* NULL: where it failed */
	const char *who;
	struct xylem_position scan;
	struct xylem_arena *arena;

	/* Made by the first job. */
	uint32_t action;
	size_t n;
	struct intent intents[TARGETS_MAX];
	struct xylem_message messages[TARGETS_MAX];
	struct xylem_position positions[TARGETS_MAX];
};

/* --- Where it goes -------------------------------------------------------- */

static int count(sqlite3 *database, const char *sql, const struct case_row *row, int64_t *ret_count,
	struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (!statement) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(statement, 1, (int64_t)row->number);
	catalogue_bind_text(statement, 2, xylem_span_of(row->route));
	int r = catalogue_step_row(database, statement, reason);
	if (r == 1) {
		*ret_count = sqlite3_column_int64(statement, 0);
	}
	sqlite3_reset(statement);
	return r < 0 ? r : 0;
}

static int add_target(struct request *request, const char *destination, struct xylem_reason *reason)
{
	if (request->n == TARGETS_MAX) {
		xylem_reason_set(reason, "case %llu failed on more than %d lanes",
			(unsigned long long)request->number, TARGETS_MAX);
		return -XYLEM_E_LIMIT;
	}
	struct intent *intent = &request->intents[request->n++];
	snprintf(intent->destination, sizeof(intent->destination), "%s", destination);
	return 0;
}

static int check_lane(
	sqlite3 *database, const struct case_row *row, const char *target, struct xylem_reason *reason)
{
	char route[128], destination[128];
	case_target(row, target, route, destination);
	sqlite3_stmt *lane = catalogue_statement(database,
		"SELECT 1 FROM lanes WHERE route = ?1 AND (destination = ?2 OR ?2 = '') AND retired = 0 AND "
		"dropped = 0",
		reason);
	if (!lane) {
		return -XYLEM_E_INTERNAL;
	}
	catalogue_bind_text(lane, 1, xylem_span_of(route));
	catalogue_bind_text(lane, 2, xylem_span_of(destination));
	int r = catalogue_step_row(database, lane, reason);
	sqlite3_reset(lane);
	if (r == 0) {
		xylem_reason_set(reason, "route %s has no destination %s in the running configuration", route,
			destination);
		return -XYLEM_E_NOT_FOUND;
	}
	return r < 0 ? r : 0;
}

static int add_failed_lanes(
	struct request *request, sqlite3 *database, const struct case_row *row, struct xylem_reason *reason)
{
	sqlite3_stmt *lanes = catalogue_statement(database,
		"SELECT DISTINCT destination FROM replay_lanes WHERE case_number = ?1 AND superseded = 0"
		" AND outcome IS NOT NULL AND outcome NOT IN (1, 2, 7) ORDER BY destination",
		reason);
	if (!lanes) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(lanes, 1, (int64_t)row->number);
	int r;
	while ((r = catalogue_step_row(database, lanes, reason)) == 1) {
		char destination[300];
		struct xylem_span text = catalogue_column(lanes, 0);
		snprintf(destination, sizeof(destination), "%.*s", (int)text.n, text.at);
		r = check_lane(database, row, destination, reason);
		r = r < 0 ? r : add_target(request, destination, reason);
		if (r < 0) {
			break;
		}
	}
	sqlite3_reset(lanes);
	return r;
}

/* A failure of the route that no lane has got past: one record for all of them, new ones included. */
static int goes_to_all(
	sqlite3 *database, const struct case_row *row, bool *ret_all, struct xylem_reason *reason)
{
	int64_t lanes = 0, others = 0;
	int r = count(database,
		"SELECT count(*) FROM lanes WHERE ?1 AND route = ?2 AND retired = 0 AND dropped = 0", row,
		&lanes, reason);
	if (r == 0) {
		r = count(database,
			"SELECT count(*) FROM replay_lanes WHERE case_number = ?1 AND ?2 IS NOT NULL AND "
			"superseded = 0"
			" AND (outcome IS NULL OR outcome IN (1, 2, 7))",
			row, &others, reason);
	}
	if (r == 0 && lanes == 0) {
		xylem_reason_set(reason, "route %s has no lanes in the running configuration", row->route);
		return -XYLEM_E_NOT_FOUND;
	}
	*ret_all = row->destination[0] == '\0' && others == 0;
	return r;
}

static int choose_targets(
	struct request *request, sqlite3 *database, const struct case_row *row, struct xylem_reason *reason)
{
	bool all = false;
	if (request->destination) {
		int r = check_lane(database, row, request->destination, reason);
		return r < 0 ? r : add_target(request, request->destination, reason);
	}
	int r = goes_to_all(database, row, &all, reason);
	if (r < 0) {
		return r;
	}
	return all ? add_target(request, "", reason) : add_failed_lanes(request, database, row, reason);
}

/* --- The intent ----------------------------------------------------------- */

/*
 * What this action takes up again is no longer failed. A case of one lane sent
 * elsewhere is settled by the other lane; of a case of the whole route only the
 * chosen lane is taken up.
 */
static int supersede(struct request *request, sqlite3 *database, const struct case_row *row,
	const struct intent *intent, struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(database,
		"UPDATE replay_lanes SET superseded = ?2 WHERE case_number = ?1 AND superseded = 0 AND "
		"number < ?2"
		" AND outcome IS NOT NULL AND outcome NOT IN (1, 2, 7) AND (?3 OR destination = ?4)",
		reason);
	if (!update) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(update, 1, (int64_t)request->number);
	sqlite3_bind_int64(update, 2, request->action);
	sqlite3_bind_int(update, 3, intent->destination[0] == '\0' || row->destination[0] != '\0');
	catalogue_bind_text(update, 4, xylem_span_of(intent->destination));
	return catalogue_step_done(database, update, reason);
}

static int write_intent(
	struct request *request, sqlite3 *database, const struct intent *intent, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO replays (case_number, number, action, destination, step, draft, id, who, "
		"time_us,"
		" scan_partition, scan_offset) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)intent->case_number);
	sqlite3_bind_int64(insert, 2, intent->number);
	sqlite3_bind_int64(insert, 3, request->action);
	catalogue_bind_text(insert, 4, xylem_span_of(intent->destination));
	sqlite3_bind_int64(insert, 5, intent->step);
	sqlite3_bind_int64(insert, 6, intent->draft);
	catalogue_bind_text(insert, 7, intent->id);
	catalogue_bind_text(insert, 8, xylem_span_of(request->who));
	sqlite3_bind_int64(insert, 9, clock_wall_us());
	sqlite3_bind_int64(insert, 10, request->scan.partition);
	sqlite3_bind_int64(insert, 11, (int64_t)request->scan.offset);
	return catalogue_step_done(database, insert, reason);
}

static int write_lanes(sqlite3 *database, const struct case_row *row, const struct intent *intent,
	struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO replay_lanes (case_number, number, destination)"
		" SELECT ?1, ?2, ?4 WHERE ?4 <> '' UNION"
		" SELECT ?1, ?2, destination FROM lanes WHERE ?4 = '' AND route = ?3 AND retired = 0 AND "
		"dropped = 0",
		reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)intent->case_number);
	sqlite3_bind_int64(insert, 2, intent->number);
	catalogue_bind_text(insert, 3, xylem_span_of(row->route));
	catalogue_bind_text(insert, 4, xylem_span_of(intent->destination));
	return catalogue_step_done(database, insert, reason);
}

static int next_number(
	sqlite3 *database, const struct case_row *row, uint32_t *ret_number, struct xylem_reason *reason)
{
	int64_t most = 0;
	int r = count(database,
		"SELECT coalesce(max(number), 0) FROM replays WHERE case_number = ?1 AND ?2 IS NOT NULL", row,
		&most, reason);
	*ret_number = (uint32_t)(most + 1);
	return r;
}

static int intend_one(struct request *request, sqlite3 *database, const struct case_row *row, size_t i,
	const char *id, struct xylem_reason *reason)
{
	struct intent *intent = &request->intents[i];
	intent->case_number = row->number;
	intent->number = request->action + (uint32_t)i;
	intent->step = request->from_start ? 0 : row->step;
	intent->draft = intent->step == row->step ? row->draft : 0;
	intent->id = intent->draft ? xylem_span_of(id) : XYLEM_SPAN_NONE;
	int r = replay_message(database, row, intent, request->arena, &request->messages[i], reason);
	if (r < 0) {
		return r;
	}
	intent->id = request->messages[i].id;
	r = supersede(request, database, row, intent, reason);
	if (r == 0) {
		r = write_intent(request, database, intent, reason);
	}
	return r == 0 ? write_lanes(database, row, intent, reason) : r;
}

static int note_intent(struct request *request, sqlite3 *database, struct xylem_reason *reason)
{
	const struct intent *first = &request->intents[0];
	char text[512];
	snprintf(text, sizeof(text), "replay %u from stage %d%s to %s%s", first->number, first->step + 1,
		first->draft ? ", edited," : "",
		first->destination[0] ? first->destination : "every destination",
		request->n > 1 ? " and others" : "");
	return case_note(database, request->number, "replay", request->who, text, reason);
}

static int check_open(const struct case_row *row, struct xylem_reason *reason)
{
	if (strcmp(row->state, "open") == 0) {
		return 0;
	}
	xylem_reason_set(reason, "case %llu is %s%s", (unsigned long long)row->number, row->state,
		strcmp(row->state, "discarded") == 0 ? ": restore it first" : "");
	return -XYLEM_E_CONFLICT;
}

static int intend(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct request *request = context;
	struct case_row row;
	int r = case_load(database, request->number, &row, reason);
	r = r < 0 ? r : case_check_version(&row, request->version, reason);
	r = r < 0 ? r : check_open(&row, reason);
	r = r < 0 ? r : choose_targets(request, database, &row, reason);
	r = r < 0 ? r : next_number(database, &row, &request->action, reason);
	char uuid[XYLEM_UUID_SIZE];
	const char *id = r < 0 ? NULL : xylem_arena_text(request->arena, xylem_span_of(xylem_uuid_new(uuid)));
	if (r == 0 && !id) {
		r = -XYLEM_E_MEMORY;
	}
	for (size_t i = 0; r == 0 && i < request->n; i++) {
		r = intend_one(request, database, &row, i, id, reason);
	}
	r = r < 0 ? r : note_intent(request, database, reason);
	r = r < 0 ? r : case_recompute(database, request->number, reason);
	return r < 0 ? r : hospital_count(request->hospital, database, reason);
}

/* --- After the journal ---------------------------------------------------- */

static int confirm(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct request *request = context;
	int r = 0;
	for (size_t i = 0; r == 0 && i < request->n; i++) {
		r = replay_confirm(
			database, request->number, request->intents[i].number, request->positions[i], reason);
	}
	return r;
}

static int withdraw(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct request *request = context;
	int r = case_note(database, request->number, "replay", "",
		"the journal refused the replay: it was taken back", reason);
	r = r < 0 ? r : replay_withdraw(database, request->number, request->action, reason);
	return r < 0 ? r : hospital_count(request->hospital, database, reason);
}

static int append(struct request *request, struct xylem_reason *reason)
{
	struct hospital *hospital = request->hospital;
	int r = journal_append_wait(
		hospital->journal, request->messages, request->n, true, request->positions);
	if (r == 0) {
		struct xylem_reason late;
		if (catalogue_write(hospital->catalogue, confirm, request, &late) < 0) {
			/* It is in the journal; the next start finds it there. */
			xylem_log(XYLEM_LOG_WARNING, "hospital", "replay of case %llu: %s",
				(unsigned long long)request->number, late.text);
		}
		return 0;
	}
	xylem_reason_set(reason, "the journal does not take the replay: %s", xylem_error_row(r)->text);
	if (r != -XYLEM_E_DEAD) {
		catalogue_write(hospital->catalogue, withdraw, request, NULL);
	}
	return r;
}

int hospital_replay(struct hospital *hospital, uint64_t number, uint64_t version, const char *from,
	const char *destination, const char *who, json_t **ret_case, struct xylem_reason *reason)
{
	if (from && strcmp(from, "step") != 0 && strcmp(from, "start") != 0) {
		xylem_reason_set(
			reason, "a replay is from \"step\" or from \"start\", not from \"%s\"", from);
		return -XYLEM_E_INVALID;
	}
	struct request *request = calloc(1, sizeof(*request));
	if (!request) {
		return -XYLEM_E_MEMORY;
	}
	*request = (struct request){ .hospital = hospital,
		.number = number,
		.version = version,
		.from_start = from && strcmp(from, "start") == 0,
		.destination = destination && destination[0] ? destination : NULL,
		.who = who ? who : "",
		.scan = journal_end(hospital->journal),
		.arena = xylem_arena_new(0) };
	int r = request->arena ? catalogue_write(hospital->catalogue, intend, request, reason)
			       : -XYLEM_E_MEMORY;
	r = r < 0 ? r : append(request, reason);
	xylem_arena_free(request->arena);
	free(request);
	return r < 0 ? r : case_show(hospital, number, ret_case, reason);
}
