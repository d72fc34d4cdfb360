/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message with its family and what each lane did with it.
 *
 * The message is in the journal; outcomes, cases and replays are in the
 * catalogue. What was derived from it (items of topics) is found in the journal
 * between the lane's taking it up and settling it, which the outcome says.
 *
 * A lane whose cursor has not passed the message says `pending`: it has not come
 * to it. Whether its route will take it is known only then.
 */
#include "span.h"

#include <stdlib.h>
#include <string.h>

#include <catalogue/column.h>
#include <hospital/hospital.h>
#include <message/ingress.h>

#define DERIVED_SCAN 200000    /* records read at most in looking for derived ones */
#define DERIVED_MARGIN 1000000 /* microseconds: the wall clock may have been set */
#define READ_BYTES (1 << 20)

struct show {
	struct journal *journal;
	struct catalogue *catalogue;
	const struct xylem_message *message;
	struct replay replay; /* of a replay; case_number 0 otherwise */
	struct trace_lanes lanes;
	struct outcome_entry *entries; /* by lane, outcome 0: none */
	json_t *object;
};

static int put(struct show *show, const char *name, json_t *value)
{
	return json_object_set_new(show->object, name, value) == 0 ? 0 : -XYLEM_E_MEMORY;
}

/* --- The message ---------------------------------------------------------- */

static const char *kind_name(enum xylem_message_kind kind)
{
	return kind == XYLEM_DERIVED ? "derived" : kind == XYLEM_REPLAY ? "replay" : "message";
}

static json_t *extensions_json(const struct xylem_message *message)
{
	json_t *object = json_object();
	for (size_t i = 0; i < message->extension_count; i++) {
		char name[32] = "";
		struct xylem_span given = message->extensions[i].name;
		memcpy(name, given.at, given.n < sizeof(name) ? given.n : sizeof(name) - 1);
		json_object_set_new(object, name, span_json(message->extensions[i].value));
	}
	return object;
}

/* From which bus it came and how that one calls it: `DOMAIN/STREAM/HANDLE...`, written by connectors/peer.c. */
static json_t *origin_json(const struct xylem_message *message)
{
	struct xylem_span from = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xylemfrom"));
	const char *end = from.at + from.n;
	const char *stream = from.n > 0 ? memchr(from.at, '/', from.n) : NULL;
	const char *name = stream ? memchr(stream + 1, '/', (size_t)(end - stream - 1)) : NULL;
	struct xylem_position at;
	if (!name) {
		return json_null();
	}
	const char *point = memchr(name, '.', (size_t)(end - name));
	struct xylem_span handle = xylem_span(name + 1, (size_t)((point ? point : end) - name - 1));
	return xylem_handle_parse(handle, &at) != 0
		       ? json_null()
		       : json_pack("{s:o, s:o}", "bus",
				 span_json(xylem_span(from.at, (size_t)(stream - from.at))), "handle",
				 span_json(handle));
}

static int put_message(struct show *show)
{
	const struct xylem_message *message = show->message;
	static const struct {
		const char *name;
		size_t offset;
	} spans[] = {
		{ "ingress", offsetof(struct xylem_message, ingress) },
		{ "key", offsetof(struct xylem_message, key) },
		{ "id", offsetof(struct xylem_message, id) },
		{ "source", offsetof(struct xylem_message, source) },
		{ "type", offsetof(struct xylem_message, type) },
		{ "subject", offsetof(struct xylem_message, subject) },
		{ "event_time", offsetof(struct xylem_message, time) },
		{ "datacontenttype", offsetof(struct xylem_message, datacontenttype) },
		{ "dataschema", offsetof(struct xylem_message, dataschema) },
	};
	int r = put(show, "handle", position_json(message->position));
	r = r < 0 ? r : put(show, "time", time_json(message->journal_time_us));
	r = r < 0 ? r : put(show, "kind", json_string(kind_name(message->kind)));
	for (size_t i = 0; r == 0 && i < sizeof(spans) / sizeof(spans[0]); i++) {
		const void *span = (const char *)message + spans[i].offset;
		r = put(show, spans[i].name, span_json(*(const struct xylem_span *)span));
	}
	r = r < 0 ? r : put(show, "extensions", extensions_json(message));
	r = r < 0 ? r : put(show, "origin", origin_json(message));
	return r < 0 ? r : put(show, "size", json_integer((json_int_t)message->data.n));
}

/* --- Lanes ---------------------------------------------------------------- */

static void note_entry(void *context, const struct trace_lane *lane, const struct outcome_entry *entry)
{
	struct show *show = context;
	show->entries[lane - show->lanes.all] = *entry;
}

/* May this lane still come to the message? */
static bool is_pending(const struct show *show, const struct trace_lane *lane)
{
	const struct xylem_message *message = show->message;
	if (!lane->live || lane->cursor.partition != message->position.partition ||
		lane->cursor.offset > message->position.offset || strcmp(lane->route, "bus.unrouted") == 0) {
		return false;
	}
	if (show->replay.case_number) {
		return xylem_span_is(show->replay.route, lane->route) &&
		       (!xylem_span_present(show->replay.destination) ||
			       xylem_span_is(show->replay.destination, lane->destination));
	}
	struct xylem_span only = message_ingress_only(message);
	if (xylem_span_present(only)) {
		return xylem_span_is(only, lane->name);
	}
	bool of_topic = message->ingress.n > 6 && memcmp(message->ingress.at, "topic:", 6) == 0;
	/* The bus's own lane takes what is in topics. */
	return of_topic || !trace_lane_internal(lane);
}

static double milliseconds(int64_t from_us, int64_t to_us)
{
	return (double)(to_us - from_us) / 1000.0;
}

static json_t *lane_json(
	const struct show *show, const struct trace_lane *lane, const struct outcome_entry *entry)
{
	if (entry->outcome == 0) {
		return json_pack("{s:s, s:s, s:s, s:s}", "lane", lane->name, "route", lane->route,
			"destination", lane->destination, "outcome", "pending");
	}
	int64_t accepted = show->message->journal_time_us;
	/* The last member is left out where the other side did not say how it calls the message. */
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:f, s:f, s:f, s:o*}", "lane", lane->name,
		"route", lane->route, "destination", lane->destination, "outcome",
		outcome_name(entry->outcome), "attempts", (json_int_t)entry->attempts, "begun",
		time_json(entry->begun_us), "settled", time_json(entry->settled_us), "waited_ms",
		milliseconds(accepted / 1000 * 1000, entry->begun_us), "took_ms",
		milliseconds(entry->begun_us, entry->settled_us), "total_ms",
		milliseconds(accepted / 1000 * 1000, entry->settled_us),
		entry->outcome == OUTCOME_DIVERTED ? "diverted_to" : "remote_handle",
		entry->handle.offset != 0 ? position_json(entry->handle) : NULL);
}

static int put_lanes(struct show *show)
{
	json_t *array = json_array();
	int r = put(show, "lanes", array);
	for (size_t i = 0; r == 0 && i < show->lanes.n; i++) {
		const struct trace_lane *lane = &show->lanes.all[i];
		const struct outcome_entry *entry = &show->entries[i];
		if (entry->outcome == 0 && !is_pending(show, lane)) {
			continue;
		}
		r = json_array_append_new(array, lane_json(show, lane, entry)) == 0 ? 0 : -XYLEM_E_MEMORY;
	}
	return r;
}

/* --- Family in the catalogue ---------------------------------------------- */

static json_t *case_json(sqlite3_stmt *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "case", column_json(row, 0), "state",
		column_json(row, 1), "route", column_json(row, 2), "destination", column_name(row, 3),
		"stage", column_json(row, 4), "code", column_json(row, 5), "reason", column_json(row, 6));
}

static json_t *replay_json(sqlite3_stmt *row)
{
	struct xylem_position at = { (uint32_t)sqlite3_column_int64(row, 2),
		(uint64_t)sqlite3_column_int64(row, 3) };
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "handle", position_json(at), "case",
		column_json(row, 0), "replay", column_json(row, 1), "destination", column_name(row, 4), "who",
		column_json(row, 5), "time", column_time(row, 6));
}

/* The case that a replay belongs to counts as its own. */
static int list(struct show *show, sqlite3 *database, const char *name, const char *sql,
	json_t *(*json)(sqlite3_stmt *row), struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database, sql, reason);
	json_t *array = json_array();
	if (put(show, name, array) < 0 || !row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, show->message->position.partition);
	sqlite3_bind_int64(row, 2, (int64_t)show->message->position.offset);
	if (sqlite3_bind_parameter_count(row) > 2) {
		sqlite3_bind_int64(row, 3, (int64_t)show->replay.case_number);
	}
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (json_array_append_new(array, json(row)) < 0) {
			return -XYLEM_E_MEMORY;
		}
	}
	return r;
}

struct reading {
	struct show *show;
	struct xylem_arena *arena;
};

static int read_catalogue(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct reading *reading = context;
	struct show *show = reading->show;
	int r = trace_lanes_load(database, reading->arena, &show->lanes, reason);
	if (r < 0) {
		return r;
	}
	show->entries = xylem_arena_zero(reading->arena, (show->lanes.n + 1) * sizeof(*show->entries));
	if (!show->entries) {
		return -XYLEM_E_MEMORY;
	}
	struct xylem_position at = show->message->position;
	r = trace_outcomes(
		database, &show->lanes, at.partition, at.offset, at.offset + 1, note_entry, show, reason);
	r = r < 0 ? r
		  : list(show, database, "cases",
			    "SELECT number, state, route, destination, stage, code, reason FROM cases"
			    " WHERE (partition = ?1 AND offset = ?2) OR number = ?3 ORDER BY number",
			    case_json, reason);
	return r < 0 ? r
		     : list(show, database, "replays",
			       "SELECT r.case_number, r.number, r.partition, r.offset, r.destination, r.who, "
			       "r.time_us"
			       " FROM cases c JOIN replays r ON r.case_number = c.number AND r.number > 0"
			       " WHERE c.partition = ?1 AND c.offset = ?2 AND r.offset IS NOT NULL ORDER BY "
			       "r.partition, r.offset",
			       replay_json, reason);
}

/* --- Family in the journal ------------------------------------------------ */

static bool is_child(const struct show *show, const struct xylem_message *message)
{
	return message->kind == XYLEM_DERIVED &&
	       message->parent.partition == show->message->position.partition &&
	       message->parent.offset == show->message->position.offset;
}

static json_t *derived_json(const struct xylem_message *message)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "handle", position_json(message->position), "ingress",
		span_json(message->ingress), "id", span_json(message->id), "time",
		time_json(message->journal_time_us));
}

/* When topics' lanes had the message in hand and appended derived records. False: none settled it. */
static bool derived_between(const struct show *show, int64_t *ret_from_us, int64_t *ret_to_us)
{
	bool any = false;
	for (size_t i = 0; i < show->lanes.n; i++) {
		const struct outcome_entry *entry = &show->entries[i];
		bool topic = strncmp(show->lanes.all[i].destination, "topic:", 6) == 0;
		if (entry->outcome != OUTCOME_DIVERTED && !(topic && entry->outcome == OUTCOME_DELIVERED)) {
			continue;
		}
		*ret_from_us = !any || entry->begun_us < *ret_from_us ? entry->begun_us : *ret_from_us;
		*ret_to_us = !any || entry->settled_us > *ret_to_us ? entry->settled_us : *ret_to_us;
		any = true;
	}
	return any;
}

static int scan_derived(
	struct show *show, json_t *array, struct journal_batch *batch, int64_t from_us, int64_t to_us)
{
	struct xylem_position at = journal_seek_time(show->journal, from_us - DERIVED_MARGIN);
	struct xylem_position own = show->message->position;
	at = at.offset > own.offset ? at : own;
	for (size_t read = 0; read < DERIVED_SCAN; read += batch->n) {
		int r = journal_read(show->journal, at, 1000, READ_BYTES, batch);
		bool passed = (r == -XYLEM_E_DAMAGED || r == -XYLEM_E_GONE) && batch->next.offset > at.offset;
		if ((r < 0 && !passed) || (r == 0 && batch->n == 0)) {
			return r;
		}
		for (size_t i = 0; r == 0 && i < batch->n; i++) {
			const struct xylem_message *message = &batch->messages[i];
			if (message->journal_time_us > to_us + DERIVED_MARGIN) {
				return 0;
			}
			if (is_child(show, message) &&
				json_array_append_new(array, derived_json(message)) < 0) {
				return -XYLEM_E_MEMORY;
			}
		}
		at = batch->next;
	}
	return 0;
}

static int put_derived(struct show *show)
{
	int64_t from_us = 0, to_us = 0;
	json_t *array = json_array();
	int r = put(show, "derived", array);
	if (r < 0 || !derived_between(show, &from_us, &to_us)) {
		return r;
	}
	struct journal_batch *batch = journal_batch_new();
	r = batch ? scan_derived(show, array, batch, from_us, to_us) : -XYLEM_E_MEMORY;
	journal_batch_free(batch);
	return r;
}

static int put_parent(struct show *show)
{
	bool has = show->message->kind == XYLEM_DERIVED || show->message->kind == XYLEM_REPLAY;
	return put(show, "parent", has ? position_json(show->message->parent) : json_null());
}

static int show_message(struct show *show, struct xylem_reason *reason)
{
	struct reading reading = { show, xylem_arena_new(0) };
	int r = reading.arena && show->object ? put_message(show) : -XYLEM_E_MEMORY;
	r = r < 0 ? r : put_parent(show);
	r = r < 0 ? r : catalogue_read(show->catalogue, read_catalogue, &reading, reason);
	r = r < 0 ? r : put_lanes(show);
	r = r < 0 ? r : put_derived(show);
	xylem_arena_free(reading.arena);
	return r;
}

int trace_show(struct journal *journal, struct catalogue *catalogue, struct xylem_position at,
	json_t **ret_message, struct xylem_reason *reason)
{
	struct journal_batch *batch = journal_batch_new();
	int r = batch ? journal_get(journal, at, batch) : -XYLEM_E_MEMORY;
	if (r < 0) {
		char handle[XYLEM_HANDLE_SIZE];
		xylem_reason_set(
			reason, "message %s: %s", xylem_handle_format(at, handle), xylem_error_row(r)->text);
		journal_batch_free(batch);
		return r;
	}
	struct show show = { .journal = journal,
		.catalogue = catalogue,
		.message = &batch->messages[0],
		.object = json_object() };
	replay_read(show.message, &show.replay);
	r = show_message(&show, reason);
	journal_batch_free(batch);
	if (r < 0) {
		json_decref(show.object);
		return r;
	}
	*ret_message = show.object;
	return 0;
}
