/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic's items, going in: rows in the catalogue that say which journal
 * records they are, in the order of the records. An item with an id that was
 * there before takes its place at the end; the same record entered again (by
 * the lane after whoever published it, or after a crash) changes nothing, also
 * when it was retracted or purged meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include <topic/state.h>

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

static sqlite3_stmt *bound(
	sqlite3 *database, const char *sql, const struct item_entry *entry, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (statement != NULL) {
		sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
		catalogue_bind_text(statement, 2, entry->id);
		sqlite3_bind_int64(statement, 3, entry->position.partition);
		sqlite3_bind_int64(statement, 4, (sqlite3_int64)entry->position.offset);
	}
	return statement;
}

static int enter_one(sqlite3 *database, const struct item_entry *entry, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = bound(database,
		"INSERT INTO topic_entries (topic, item, number, partition, offset, time_us) "
		"SELECT ?1, ?2, ?4, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM topic_purges "
		"WHERE topic = ?1 AND partition = ?3 AND offset > ?4) "
		"ON CONFLICT DO UPDATE SET number = ?4, partition = ?3, offset = ?4, time_us = ?5, gone = 0, "
		"carried = 0 "
		"WHERE partition <> ?3 OR offset < ?4",
		entry, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(statement, 5, entry->time_us);
	return catalogue_step_done(database, statement, reason);
}

/* Was it, or what replaced it, retracted or purged before it could be told? */
static int look_gone(sqlite3 *database, const struct item_entry *entry, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = bound(database,
		"SELECT EXISTS (SELECT 1 FROM topic_entries WHERE topic = ?1 AND item = ?2 AND gone = 1 AND "
		"partition = ?3 AND offset >= ?4) OR EXISTS (SELECT 1 FROM topic_purges WHERE topic = ?1 AND "
		"partition = ?3 AND offset > ?4)",
		entry, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	int step = catalogue_step_row(database, statement, reason);
	*entry->gone = step == 1 && sqlite3_column_int64(statement, 0) != 0;
	return step < 0 ? step : 0;
}

/*
 * Of a topic with a bound, the rows beyond it; of every topic, those that the
 * journal no longer has and that nobody carried beyond it.
 */
static int trim(sqlite3 *database, const struct item_entry *entry, struct xylem_position begin,
	struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"DELETE FROM topic_entries WHERE topic = ?1 AND ((partition = ?2 AND offset < ?3 AND "
		"carried = 0) OR (?4 > 0 "
		"AND gone = 0 AND number <= (SELECT number FROM topic_entries WHERE topic = ?1 AND gone = 0 "
		"ORDER BY number DESC LIMIT 1 OFFSET ?4)))",
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
		if (error == 0 && entering->entries[i].gone != NULL) {
			error = look_gone(database, &entering->entries[i], reason);
		}
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
