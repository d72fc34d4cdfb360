/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic's items: rows in the catalogue that say which journal records they
 * are. An item with an id that was there before takes its place at the end; the
 * same record entered again (a redelivery after a crash) changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <topic/state.h>

#define ITEMS_AT_ONCE 1000U

/* --- Entering ------------------------------------------------------------- */

struct entering {
	struct topics *topics;
	topic_done done;
	void *context;
	size_t n;
	struct xylem_arena *arena;
	struct item_entry *entries;
};

static struct entering *entering_free(struct entering *entering)
{
	if (entering != NULL) {
		xylem_arena_free(entering->arena);
		free(entering);
	}
	return NULL;
}

static struct entering *entering_new(const struct item_entry *entries, size_t n)
{
	struct entering *entering = calloc(1, sizeof(*entering));
	struct xylem_arena *arena = entering == NULL ? NULL : xylem_arena_new(0);
	struct item_entry *copies = arena == NULL ? NULL : xylem_arena_zero(arena, n * sizeof(*copies));
	if (entering != NULL) {
		entering->arena = arena;
		entering->entries = copies;
		entering->n = n;
	}
	if (copies == NULL) {
		return entering_free(entering);
	}
	for (size_t i = 0; i < n; i++) {
		copies[i] = entries[i];
		copies[i].topic = xylem_arena_text(arena, xylem_span_of(entries[i].topic));
		copies[i].id = xylem_arena_copy(arena, entries[i].id);
		if (copies[i].topic == NULL || copies[i].id.at == NULL) {
			return entering_free(entering);
		}
	}
	return entering;
}

static void bind_span(sqlite3_stmt *statement, int at, struct xylem_span text)
{
	sqlite3_bind_text(statement, at, text.at, (int)text.n, SQLITE_STATIC);
}

static int enter_one(sqlite3 *database, const struct item_entry *entry, struct xylem_reason *reason)
{
	/* A row of a later record makes way; the same record again is left as it is. */
	sqlite3_stmt *statement = catalogue_statement(database,
		"DELETE FROM topic_items WHERE topic = ?1 AND item = ?2 AND (partition <> ?3 OR offset < ?4)",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
	bind_span(statement, 2, entry->id);
	sqlite3_bind_int64(statement, 3, entry->position.partition);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)entry->position.offset);
	int error = catalogue_step_done(database, statement, reason);
	statement = error != 0 ? NULL
			       : catalogue_statement(database,
					 "INSERT OR IGNORE INTO topic_items (topic, item, partition, offset, "
					 "time_us) "
					 "VALUES (?1, ?2, ?3, ?4, ?5)",
					 reason);
	if (statement == NULL) {
		return error != 0 ? error : -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
	bind_span(statement, 2, entry->id);
	sqlite3_bind_int64(statement, 3, entry->position.partition);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)entry->position.offset);
	sqlite3_bind_int64(statement, 5, entry->time_us);
	return catalogue_step_done(database, statement, reason);
}

/* Of a topic with a bound, the rows beyond it; of every topic, those that the journal no longer has. */
static int trim(sqlite3 *database, const struct item_entry *entry, struct xylem_position begin,
	struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"DELETE FROM topic_items WHERE topic = ?1 AND ((partition = ?2 AND offset < ?3) OR (?4 > 0 "
		"AND number <= "
		"(SELECT number FROM topic_items WHERE topic = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?4)))",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, begin.partition);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)begin.offset);
	sqlite3_bind_int64(statement, 4, entry->max_items);
	return catalogue_step_done(database, statement, reason);
}

static bool trims(const struct entering *entering, size_t i)
{
	const struct item_entry *entry = &entering->entries[i];
	bool last_of_topic = true;
	for (size_t j = i + 1; j < entering->n; j++) {
		last_of_topic = last_of_topic && strcmp(entering->entries[j].topic, entry->topic) != 0;
	}
	/* Without a bound, a look at what retention has removed now and then is enough: it costs a scan. */
	return last_of_topic && (entry->max_items > 0 || entry->position.offset % 1024 < entering->n);
}

static int enter(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct entering *entering = context;
	struct xylem_position begin = journal_begin(entering->topics->bus.journal);
	int error = 0;

	for (size_t i = 0; i < entering->n && error == 0; i++) {
		error = enter_one(database, &entering->entries[i], reason);
	}
	for (size_t i = 0; i < entering->n && error == 0; i++) {
		if (trims(entering, i)) {
			error = trim(database, &entering->entries[i], begin, reason);
		}
	}
	return error;
}

static void entered(void *context, int error, const struct xylem_reason *reason)
{
	struct entering *entering = context;
	struct topics *topics = entering->topics;

	entering->done(entering->context, error);
	entering_free(entering);
	topics_finished(topics);
}

int items_enter(
	struct topics *topics, const struct item_entry *entries, size_t n, topic_done done, void *context)
{
	struct entering *entering = entering_new(entries, n);
	if (entering == NULL) {
		return -XYLEM_E_MEMORY;
	}
	entering->topics = topics;
	entering->done = done;
	entering->context = context;
	topics_begin(topics);
	int error = catalogue_submit(topics->bus.catalogue, enter, entered, entering, true);
	if (error != 0) {
		topics_finished(topics);
		entering_free(entering);
	}
	return error;
}

/* --- Reading -------------------------------------------------------------- */

struct selection {
	const char *topic;
	struct xylem_span id; /* absent: the newest */
	size_t count;
	int64_t not_before_us;            /* expired ones are older; 0: none expire */
	struct xylem_position *positions; /* newest first */
	size_t n;
};

static int select_rows(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct selection *selection = context;
	bool one = xylem_span_present(selection->id);
	sqlite3_stmt *statement =
		one ? catalogue_statement(database,
			      "SELECT partition, offset FROM topic_items WHERE topic = ?1 AND time_us >= ?2 "
			      "AND item = ?3",
			      reason)
		    : catalogue_statement(database,
			      "SELECT partition, offset FROM topic_items WHERE topic = ?1 AND time_us >= ?2 "
			      "ORDER BY number DESC LIMIT ?3",
			      reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, selection->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, selection->not_before_us);
	if (one) {
		bind_span(statement, 3, selection->id);
	} else {
		sqlite3_bind_int64(statement, 3, (sqlite3_int64)selection->count);
	}
	while (selection->n < selection->count && sqlite3_step(statement) == SQLITE_ROW) {
		selection->positions[selection->n++] = (struct xylem_position){
			(uint32_t)sqlite3_column_int64(statement, 0),
			(uint64_t)sqlite3_column_int64(statement, 1)
		};
	}
	return 0;
}

/* What the topic says about how many and how old; -XYLEM_E_NOT_FOUND. */
static int bounds(struct topics *topics, const char *name, struct selection *selection)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_find(topics, name);
	const struct config_topic *topic = node == NULL ? NULL : node->configured;
	if (topic != NULL) {
		int64_t most = topic->max_items > 0 && topic->max_items < (int64_t)ITEMS_AT_ONCE
				       ? topic->max_items
				       : (int64_t)ITEMS_AT_ONCE;
		bool bounded = selection->count > 0 && selection->count < (size_t)most;
		selection->count = bounded ? selection->count : (size_t)most;
		selection->not_before_us = topic->expire_us > 0 ? clock_wall_us() - topic->expire_us : 0;
	}
	pthread_mutex_unlock(&topics->lock);
	return topic == NULL ? -XYLEM_E_NOT_FOUND : 0;
}

static int walk(struct topics *topics, const struct selection *selection, topic_item item, void *context,
	size_t *ret_given)
{
	struct journal_batch *batch = journal_batch_new();
	if (batch == NULL) {
		return -XYLEM_E_MEMORY;
	}
	size_t given = 0;
	for (size_t i = selection->n; i-- > 0;) {
		/* One that retention has removed, or that is damaged, is no reason to withhold the others. */
		if (journal_get(topics->bus.journal, selection->positions[i], batch) == 0 && batch->n == 1) {
			given++;
			if (!item(context, batch->messages[0].id, &batch->messages[0])) {
				break;
			}
		}
	}
	journal_batch_free(batch);
	*ret_given = given;
	return 0;
}

static int read_items(struct topics *topics, struct selection *selection, topic_item item, void *context,
	size_t *ret_given, struct xylem_reason *reason)
{
	int error = bounds(topics, selection->topic, selection);
	if (error != 0) {
		xylem_reason_set(reason, "there is no topic %s", selection->topic);
		return error;
	}
	selection->positions = calloc(selection->count, sizeof(*selection->positions));
	if (selection->positions == NULL) {
		return -XYLEM_E_MEMORY;
	}
	error = catalogue_read(topics->bus.catalogue, select_rows, selection, reason);
	if (error == 0) {
		error = walk(topics, selection, item, context, ret_given);
	}
	free(selection->positions);
	return error;
}

int topic_items(struct topics *topics, const char *name, size_t count, topic_item item, void *context,
	struct xylem_reason *reason)
{
	struct selection selection = { .topic = name, .count = count };
	size_t given = 0;
	return read_items(topics, &selection, item, context, &given, reason);
}

int topic_item_get(struct topics *topics, const char *name, struct xylem_span id, topic_item item,
	void *context, struct xylem_reason *reason)
{
	struct selection selection = { .topic = name, .id = id, .count = 1 };
	size_t given = 0;
	int error = read_items(topics, &selection, item, context, &given, reason);
	if (error == 0 && given == 0) {
		xylem_reason_set(reason, "topic %s has no such item", name);
		return -XYLEM_E_NOT_FOUND;
	}
	return error;
}
