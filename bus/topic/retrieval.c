/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic's items, coming out: the catalogue says which records, the journal
 * has them, or the catalogue where retention has removed them (carry.c). Pages go by the order of the records, so that whoever goes on behind
 * an item misses nothing that came meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <topic/state.h>

#define ITEMS_AT_ONCE 1000U

struct selection {
	const char *topic;
	struct xylem_span id;            /* the one item, or */
	const struct topic_query *query; /* a page; NULL: by id */
	size_t count;
	int64_t from_us; /* expired ones are older */
	struct xylem_position *positions;
	size_t n;
	uint64_t total, index;
};

static int64_t until_of(const struct topic_query *query)
{
	return query->until_us > 0 ? query->until_us : INT64_MAX;
}

/* What all statements share: ?1 topic, ?2 ?3 times, ?4 ?5 bounds of the order, exclusive. */
#define WITHIN                                                                                       \
	" FROM topic_entries WHERE topic = ?1 AND gone = 0 AND time_us >= ?2 AND time_us <= ?3 AND " \
	"number > ?4 AND number < ?5"

static sqlite3_stmt *bound(sqlite3 *database, const char *sql, const struct selection *selection,
	int64_t after, int64_t before, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (statement != NULL) {
		sqlite3_bind_text(statement, 1, selection->topic, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, selection->from_us);
		sqlite3_bind_int64(statement, 3, until_of(selection->query));
		sqlite3_bind_int64(statement, 4, after);
		sqlite3_bind_int64(statement, 5, before);
	}
	return statement;
}

static int count_rows(sqlite3 *database, const struct selection *selection, int64_t after, int64_t before,
	uint64_t *ret_count, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = bound(database, "SELECT count(*)" WITHIN, selection, after, before, reason);
	int step = statement == NULL ? -XYLEM_E_IO : catalogue_step_row(database, statement, reason);
	*ret_count = step == 1 ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	return step < 0 ? step : 0;
}

static int read_rows(sqlite3 *database, struct selection *selection, int64_t after, int64_t before,
	struct xylem_reason *reason)
{
	static const char *const up = "SELECT partition, offset, number" WITHIN
				      " ORDER BY number LIMIT ?6 OFFSET ?7";
	static const char *const down = "SELECT partition, offset, number" WITHIN
					" ORDER BY number DESC LIMIT ?6 OFFSET ?7";
	sqlite3_stmt *statement = bound(
		database, selection->query->backward ? down : up, selection, after, before, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)selection->count);
	sqlite3_bind_int64(statement, 7, (sqlite3_int64)selection->query->skip);
	int step;
	int64_t lowest = INT64_MAX;
	while ((step = catalogue_step_row(database, statement, reason)) == 1) {
		selection->positions[selection->n++] = (struct xylem_position){
			(uint32_t)sqlite3_column_int64(statement, 0),
			(uint64_t)sqlite3_column_int64(statement, 1)
		};
		int64_t number = sqlite3_column_int64(statement, 2);
		lowest = number < lowest ? number : lowest;
	}
	if (step == 0 && selection->n > 0) {
		step = count_rows(database, selection, -1, lowest, &selection->index, reason);
	}
	return step;
}

static void reverse(struct selection *selection)
{
	for (size_t i = 0; i < selection->n / 2; i++) {
		struct xylem_position swap = selection->positions[i];
		selection->positions[i] = selection->positions[selection->n - 1 - i];
		selection->positions[selection->n - 1 - i] = swap;
	}
}

static int select_page(sqlite3 *database, struct selection *selection, struct xylem_reason *reason)
{
	const struct topic_query *query = selection->query;
	int64_t after = query->has_after ? (int64_t)query->after.offset : -1;
	int64_t before = query->has_before ? (int64_t)query->before.offset : INT64_MAX;
	int error = count_rows(database, selection, -1, INT64_MAX, &selection->total, reason);
	error = error != 0 ? error : read_rows(database, selection, after, before, reason);
	if (error == 0 && query->backward) {
		reverse(selection);
	}
	return error;
}

static int select_one(sqlite3 *database, struct selection *selection, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT partition, offset FROM topic_entries WHERE topic = ?1 AND item = ?2 AND gone = 0 AND "
		"time_us >= ?3",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, selection->topic, -1, SQLITE_STATIC);
	catalogue_bind_text(statement, 2, selection->id);
	sqlite3_bind_int64(statement, 3, selection->from_us);
	int step = catalogue_step_row(database, statement, reason);
	if (step == 1) {
		selection->positions[selection->n++] = (struct xylem_position){
			(uint32_t)sqlite3_column_int64(statement, 0),
			(uint64_t)sqlite3_column_int64(statement, 1)
		};
	}
	return step < 0 ? step : 0;
}

static int select_rows(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct selection *selection = context;
	return selection->query == NULL ? select_one(database, selection, reason)
					: select_page(database, selection, reason);
}

/* What the topic says: that there is one, that it keeps items, how old they may be. */
static int bounds(struct topics *topics, struct selection *selection, struct xylem_reason *reason)
{
	struct topic_state state;
	if (topic_state(topics, selection->topic, &state) != 0) {
		xylem_reason_set(reason, "there is no topic %.100s", selection->topic);
		return -XYLEM_E_NOT_FOUND;
	}
	if (!state.settings.persist) {
		return -XYLEM_E_UNSUPPORTED;
	}
	int64_t expired = state.settings.expire_s > 0 ? clock_wall_us() - state.settings.expire_s * 1000000
						      : 0;
	int64_t asked = selection->query != NULL ? selection->query->from_us : 0;
	selection->from_us = asked > expired ? asked : expired;
	return 0;
}

static int read_selection(struct topics *topics, struct selection *selection, struct xylem_reason *reason)
{
	int error = bounds(topics, selection, reason);
	if (error != 0) {
		return error;
	}
	selection->positions = calloc(selection->count + 1, sizeof(*selection->positions));
	if (selection->positions == NULL) {
		return -XYLEM_E_MEMORY;
	}
	return catalogue_read(topics->bus.catalogue, select_rows, selection, reason);
}

/* The record, or its copy; NULL: neither. Valid until the next call with the same batch and arena. */
static const struct xylem_message *find_record(struct topics *topics, const char *topic,
	struct xylem_position position, struct journal_batch *batch, struct xylem_arena *arena)
{
	if (journal_get(topics->bus.journal, position, batch) == 0 && batch->n == 1) {
		return &batch->messages[0];
	}
	xylem_arena_reset(arena);
	struct xylem_message *message = xylem_arena_zero(arena, sizeof(*message));
	return message != NULL && item_carried(topics, topic, position, arena, message) == 0 ? message : NULL;
}

static int walk(struct topics *topics, const struct selection *selection, topic_item item, void *context,
	size_t *ret_given)
{
	struct journal_batch *batch = journal_batch_new();
	struct xylem_arena *arena = xylem_arena_new(0);
	bool on = batch != NULL && arena != NULL;
	int error = on ? 0 : -XYLEM_E_MEMORY;
	for (size_t i = 0; i < selection->n && on; i++) {
		/* One that retention has removed, or that is damaged, is no reason to withhold the others. */
		const struct xylem_message *message = find_record(
			topics, selection->topic, selection->positions[i], batch, arena);
		if (message != NULL) {
			++*ret_given;
			on = item(context, message->id, message);
		}
	}
	xylem_arena_free(arena);
	journal_batch_free(batch);
	return error;
}

int topic_items(struct topics *topics, const char *name, const struct topic_query *query, topic_item item,
	void *context, struct topic_page *ret_page, struct xylem_reason *reason)
{
	size_t given = 0, count = query->count;
	struct selection selection = { .topic = name, .query = query };
	selection.count = count == 0 || count > ITEMS_AT_ONCE ? ITEMS_AT_ONCE : count;
	int error = read_selection(topics, &selection, reason);
	error = error != 0 ? error : walk(topics, &selection, item, context, &given);
	if (error == 0) {
		*ret_page = (struct topic_page){ selection.total, selection.index, selection.n };
	}
	free(selection.positions);
	return error;
}

int topic_item_get(struct topics *topics, const char *name, struct xylem_span id, topic_item item,
	void *context, struct xylem_reason *reason)
{
	size_t given = 0;
	struct selection selection = { .topic = name, .id = id, .count = 1 };
	int error = read_selection(topics, &selection, reason);
	error = error != 0 ? error : walk(topics, &selection, item, context, &given);
	free(selection.positions);
	if (error == 0 && given == 0) {
		xylem_reason_set(reason, "topic %.100s has no such item", name);
		return -XYLEM_E_NOT_FOUND;
	}
	return error;
}

int topic_item_find(struct topics *topics, const char *name, struct xylem_span id,
	struct xylem_position *ret_position, struct xylem_reason *reason)
{
	struct selection selection = { .topic = name, .id = id, .count = 1 };
	int error = read_selection(topics, &selection, reason);
	error = error == 0 && selection.n == 0 ? -XYLEM_E_NOT_FOUND : error;
	if (error == 0) {
		*ret_position = selection.positions[0];
	}
	free(selection.positions);
	return error;
}

int topic_item_check(
	struct topics *topics, const char *name, struct xylem_position position, struct xylem_reason *reason)
{
	struct topic_query query = { .count = 1,
		.has_before = true,
		.before = { position.partition, position.offset + 1 },
		.backward = true };
	struct selection selection = { .topic = name, .query = &query, .count = 1 };
	int error = read_selection(topics, &selection, reason);
	bool found = error == 0 && selection.n == 1 &&
		     selection.positions[0].partition == position.partition &&
		     selection.positions[0].offset == position.offset;
	free(selection.positions);
	return error == 0 && !found ? -XYLEM_E_NOT_FOUND : error;
}
