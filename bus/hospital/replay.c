/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replay record: a case's data as a message of its own in the journal.
 *
 * It carries the attributes and data of the stage where it failed (or of the
 * original, from the start, or the edited data of a draft), the ingress and the
 * key of the original, so that it is ordered with its like, and says in five
 * extension attributes where it goes. An unedited replay keeps the event id,
 * since it is the same event; an edited one has a new id and says by
 * `causationid` which it was made from.
 *
 * The rule not to break: the record is made from what the catalogue keeps and
 * from nothing else, so that it can be made again after a crash, the same.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

#include <message/envelope.h>

#define CAUSATION "causationid"
#define OWN_EXTENSIONS 6

static int read_number(
	const struct xylem_message *message, const char *name, uint64_t most, uint64_t *ret_number)
{
	struct xylem_span text = xylem_message_attribute(message, xylem_span_of(name));
	uint64_t number = 0;
	if (text.n == 0 || text.n > 19) {
		return -XYLEM_E_INVALID;
	}
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < '0' || text.at[i] > '9') {
			return -XYLEM_E_INVALID;
		}
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	}
	if (number > most) {
		return -XYLEM_E_INVALID;
	}
	*ret_number = number;
	return 0;
}

int replay_read(const struct xylem_message *message, struct replay *ret_replay)
{
	uint64_t case_number, number, step;
	struct xylem_span route = xylem_message_attribute(message, XYLEM_SPAN_LITERAL(REPLAY_ROUTE));
	if (message->kind != XYLEM_REPLAY || !xylem_span_present(route) ||
		read_number(message, REPLAY_CASE, INT64_MAX, &case_number) < 0 ||
		read_number(message, REPLAY_NUMBER, UINT32_MAX, &number) < 0 ||
		read_number(message, REPLAY_STEP, 1000000, &step) < 0) {
		return -XYLEM_E_INVALID;
	}
	*ret_replay = (struct replay){ .case_number = case_number,
		.number = (uint32_t)number,
		.route = route,
		.destination = xylem_message_attribute(message, XYLEM_SPAN_LITERAL(REPLAY_LANE)),
		.step = (int)step };
	return 0;
}

/* --- What the catalogue keeps --------------------------------------------- */

static int read_envelope(
	struct xylem_span column, struct xylem_arena *arena, struct xylem_message *ret_message)
{
	struct xylem_span bytes = xylem_arena_copy(arena, column);
	size_t n = bytes.at ? envelope_extensions(bytes) : 0;
	struct xylem_extension *room = xylem_arena_take(arena, (n + 1) * sizeof(*room));
	if (!bytes.at || !room) {
		return -XYLEM_E_MEMORY;
	}
	return envelope_read(bytes, ret_message, room);
}

static int load_stages(sqlite3 *database, uint64_t number, struct xylem_arena *arena,
	struct xylem_message *ret_original, struct xylem_message *ret_failing, struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT original, coalesce(failing, original) FROM case_data WHERE case_number = ?1", reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)number);
	int r = catalogue_step_row(database, row, reason);
	if (r == 1) {
		r = read_envelope(catalogue_column(row, 0), arena, ret_original);
		r = r < 0 ? r : read_envelope(catalogue_column(row, 1), arena, ret_failing);
	} else if (r == 0) {
		r = -XYLEM_E_DAMAGED;
	}
	sqlite3_reset(row);
	if (r < 0) {
		xylem_reason_set(reason, "the data of case %llu cannot be read: %s",
			(unsigned long long)number, xylem_error_row(r)->text);
	}
	return r;
}

static int load_draft(sqlite3 *database, uint64_t number, uint32_t draft, struct xylem_arena *arena,
	struct xylem_span *ret_data, struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(
		database, "SELECT data FROM drafts WHERE case_number = ?1 AND number = ?2", reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)number);
	sqlite3_bind_int64(row, 2, draft);
	int r = catalogue_step_row(database, row, reason);
	if (r == 1) {
		*ret_data = xylem_arena_copy(arena, catalogue_column(row, 0));
		r = ret_data->at ? 0 : -XYLEM_E_MEMORY;
	} else if (r == 0) {
		xylem_reason_set(
			reason, "draft %u of case %llu is missing", draft, (unsigned long long)number);
		r = -XYLEM_E_DAMAGED;
	}
	sqlite3_reset(row);
	return r;
}

/* --- The record ----------------------------------------------------------- */

static bool is_ours(struct xylem_span name, bool edited)
{
	return xylem_span_is(name, REPLAY_CASE) || xylem_span_is(name, REPLAY_NUMBER) ||
	       xylem_span_is(name, REPLAY_ROUTE) || xylem_span_is(name, REPLAY_LANE) ||
	       xylem_span_is(name, REPLAY_STEP) || (edited && xylem_span_is(name, CAUSATION));
}

static void add(struct xylem_extension *extensions, size_t *n, const char *name, const char *value)
{
	extensions[(*n)++] = (struct xylem_extension){ xylem_span_of(name), xylem_span_of(value) };
}

/* The event's own extensions without any of an earlier replay, then where this one goes. */
static int address(struct xylem_message *message, const struct case_row *row, const struct intent *intent,
	struct xylem_arena *arena)
{
	struct xylem_extension *all = xylem_arena_take(
		arena, (message->extension_count + OWN_EXTENSIONS) * sizeof(*all));
	const char *case_text = xylem_arena_format(arena, "%llu", (unsigned long long)intent->case_number);
	const char *number = xylem_arena_format(arena, "%u", intent->number);
	const char *step = xylem_arena_format(arena, "%d", intent->step);
	char target_route[128], target_lane[128];
	case_target(row, intent->destination, target_route, target_lane);
	const char *route = xylem_arena_text(arena, xylem_span_of(target_route));
	const char *lane = xylem_arena_text(arena, xylem_span_of(target_lane));
	if (!all || !case_text || !number || !step || !route || !lane) {
		return -XYLEM_E_MEMORY;
	}
	size_t n = 0;
	for (size_t i = 0; i < message->extension_count; i++) {
		if (!is_ours(message->extensions[i].name, intent->draft > 0)) {
			all[n++] = message->extensions[i];
		}
	}
	add(all, &n, REPLAY_CASE, case_text);
	add(all, &n, REPLAY_NUMBER, number);
	add(all, &n, REPLAY_ROUTE, route);
	add(all, &n, REPLAY_STEP, step);
	if (lane[0]) {
		add(all, &n, REPLAY_LANE, lane);
	}
	if (intent->draft > 0) {
		all[n++] = (struct xylem_extension){ XYLEM_SPAN_LITERAL(CAUSATION), message->id };
	}
	message->extensions = all;
	message->extension_count = n;
	return 0;
}

int replay_message(sqlite3 *database, const struct case_row *row, const struct intent *intent,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason)
{
	struct xylem_message original, failing;
	if (intent->step != row->step && intent->step != 0) {
		xylem_reason_set(reason, "case %llu failed at another stage meanwhile",
			(unsigned long long)row->number);
		return -XYLEM_E_CONFLICT;
	}
	int r = load_stages(database, row->number, arena, &original, &failing, reason);
	if (r < 0) {
		return r;
	}
	struct xylem_message message = intent->step == row->step ? failing : original;
	if (intent->draft > 0) {
		r = load_draft(database, row->number, intent->draft, arena, &message.data, reason);
	}
	if (r == 0) {
		r = address(&message, row, intent, arena);
	}
	if (r < 0) {
		return r;
	}
	if (xylem_span_present(intent->id)) {
		message.id = intent->id;
	}
	message.kind = XYLEM_REPLAY;
	message.parent = row->position;
	message.ingress = original.ingress;
	message.key = original.key;
	*ret_message = message;
	return 0;
}

int replay_confirm(sqlite3 *database, uint64_t case_number, uint32_t number, struct xylem_position at,
	struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(database,
		"UPDATE replays SET partition = ?3, offset = ?4 WHERE case_number = ?1 AND number = ?2",
		reason);
	if (!update) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(update, 1, (int64_t)case_number);
	sqlite3_bind_int64(update, 2, number);
	sqlite3_bind_int64(update, 3, at.partition);
	sqlite3_bind_int64(update, 4, (int64_t)at.offset);
	return catalogue_step_done(database, update, reason);
}

int replay_withdraw(sqlite3 *database, uint64_t case_number, uint32_t action, struct xylem_reason *reason)
{
	int r = case_run(database, "DELETE FROM replays WHERE case_number = ?1 AND action = ?2", case_number,
		action, 0, reason);
	if (r == 0) {
		r = case_run(database,
			"UPDATE replay_lanes SET superseded = 0 WHERE case_number = ?1 AND superseded = ?2",
			case_number, action, 0, reason);
	}
	return r == 0 ? case_recompute(database, case_number, reason) : r;
}
