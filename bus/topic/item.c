/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic's items, going in: rows in the catalogue that say which journal
 * records they are, in the order of the records. An item with an id that was
 * there before takes its place at the end; the same record entered again (by
 * the lane after whoever published it, or after a crash) changes nothing, also
 * when it was retracted or purged meanwhile.
 *
 * A row is most of what an item costs, so the plain case is one plain insert:
 * a record behind the journal's end of the last retraction cannot have been
 * taken away, and is not asked about; a row that the same job would trim again
 * is not made.
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
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

/* By topic, and there by their places in the journal. */
static int entry_order(const void *a, const void *b)
{
	const struct item_entry *x = a, *y = b;
	int topics = x->topic == y->topic ? 0 : strcmp(x->topic, y->topic);
	if (topics != 0) {
		return topics;
	}
	if (x->position.partition != y->position.partition) {
		return x->position.partition < y->position.partition ? -1 : 1;
	}
	return x->position.offset < y->position.offset ? -1 : x->position.offset > y->position.offset;
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
		bool same = i > 0 && strcmp(entries[i].topic, entries[i - 1].topic) == 0;
		copies[i].topic = same ? copies[i - 1].topic
				       : xylem_arena_text(arena, xylem_span_of(entries[i].topic));
		copies[i].id = xylem_arena_copy(arena, entries[i].id);
		if (copies[i].topic == NULL || copies[i].id.at == NULL) {
			return entering_free(entering);
		}
	}
	qsort(copies, n, sizeof(*copies), entry_order);
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

static int insert(
	sqlite3 *database, const char *sql, const struct item_entry *entry, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = bound(database, sql, entry, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(statement, 5, entry->time_us);
	return catalogue_step_done(database, statement, reason);
}

/* Whatever is there already: it may take another's place, or none if it was taken away itself. */
static int enter_carefully(sqlite3 *database, const struct item_entry *entry, struct xylem_reason *reason)
{
	return insert(database,
		"INSERT INTO topic_entries (topic, item, number, partition, offset, time_us) "
		"SELECT ?1, ?2, ?4, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM topic_purges "
		"WHERE topic = ?1 AND partition = ?3 AND offset > ?4) "
		"ON CONFLICT DO UPDATE SET number = ?4, partition = ?3, offset = ?4, time_us = ?5, gone = 0, "
		"carried = 0 "
		"WHERE partition <> ?3 OR offset < ?4",
		entry, reason);
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

/* Nothing that was ever taken away was behind the end that the journal had then. */
static bool may_be_gone(const struct topics *topics, const struct item_entry *entry)
{
	return entry->position.partition != topics->gone_before.partition ||
	       entry->position.offset < topics->gone_before.offset;
}

/* *ret_rows counts the rows that are new or have changed. */
static int enter_one(sqlite3 *database, const struct topics *topics, const struct item_entry *entry,
	int64_t *ret_rows, struct xylem_reason *reason)
{
	bool careful = may_be_gone(topics, entry);
	int error = careful ? 0
			    : insert(database,
				      "INSERT INTO topic_entries (topic, item, number, partition, offset, "
				      "time_us) VALUES (?1, ?2, ?4, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
				      entry, reason);
	if (error == 0 && (careful || sqlite3_changes(database) == 0)) {
		error = enter_carefully(database, entry, reason);
	}
	*ret_rows += error == 0 && sqlite3_changes(database) > 0;
	if (error == 0 && careful && entry->gone != NULL) {
		error = look_gone(database, entry, reason);
	}
	return error;
}

/* --- What goes for it ------------------------------------------------------- */

/* Those that the journal no longer has and that nobody carried beyond it, or not for long. `number` is the offset, and has an index. */
static int trim_old(sqlite3 *database, const struct item_entry *entry, struct xylem_position begin,
	struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"DELETE FROM topic_entries WHERE topic = ?1 AND number < ?3 AND partition = ?2 AND "
		"(carried = 0 OR gone = 1)",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, begin.partition);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)begin.offset);
	return catalogue_step_done(database, statement, reason);
}

/* The newest that is one too many; -1: none is. */
static int newest_beyond(
	sqlite3 *database, const struct item_entry *entry, int64_t *ret_number, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT number FROM topic_entries WHERE topic = ?1 AND gone = 0 ORDER BY number DESC LIMIT 1 "
		"OFFSET ?2",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, entry->max_items);
	int step = catalogue_step_row(database, statement, reason);
	*ret_number = step == 1 ? sqlite3_column_int64(statement, 0) : -1;
	return step < 0 ? step : 0;
}

static int trim_beyond(sqlite3 *database, const struct item_entry *entry, struct xylem_reason *reason)
{
	int64_t number;
	int error = newest_beyond(database, entry, &number, reason);
	if (error != 0 || number < 0) {
		return error;
	}
	sqlite3_stmt *statement = catalogue_statement(
		database, "DELETE FROM topic_entries WHERE topic = ?1 AND gone = 0 AND number <= ?2", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, entry->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, number);
	error = catalogue_step_done(database, statement, reason);
	return error != 0 ? error : copies_drop(database, entry->topic, number, reason);
}

int items_trim(sqlite3 *database, const char *topic, int64_t max_items, struct xylem_reason *reason)
{
	const struct item_entry any = { .topic = topic, .max_items = max_items };
	return trim_beyond(database, &any, reason);
}

static int trim(sqlite3 *database, const struct topics *topics, const struct item_entry *newest, size_t n,
	struct xylem_reason *reason)
{
	/* Without a bound, a look at what retention has removed now and then is enough. */
	bool bounded = newest->max_items > 0;
	bool due = bounded || newest->position.offset % 1024 < n;
	int error = due ? trim_old(database, newest, journal_begin(topics->bus.journal), reason) : 0;
	return error == 0 && bounded ? trim_beyond(database, newest, reason) : error;
}

/* --- On the catalogue's thread ---------------------------------------------- */

/*
 * The entries of one topic, in their order. Where they are more than it keeps,
 * the newest go first, and no row is made for those that would be trimmed at once.
 */
static int enter_topic(sqlite3 *database, const struct topics *topics, const struct item_entry *entries,
	size_t n, struct xylem_reason *reason)
{
	int64_t most = entries[n - 1].max_items, rows = 0;
	bool backward = most > 0 && n > (size_t)most;
	int error = 0;

	for (size_t i = 0; i < n && error == 0; i++) {
		const struct item_entry *entry = &entries[backward ? n - 1 - i : i];
		if (!backward || rows < most || may_be_gone(topics, entry)) {
			error = enter_one(database, topics, entry, &rows, reason);
		}
	}
	return error != 0 ? error : trim(database, topics, &entries[n - 1], n, reason);
}

/* An item has the time of its record, by which the archive shows it: who publishes does not know it. */
static int read_times(struct entering *entering)
{
	struct journal_batch *batch = journal_batch_new();
	if (batch == NULL) {
		return -XYLEM_E_MEMORY;
	}
	for (size_t i = 0; i < entering->n; i++) {
		struct item_entry *entry = &entering->entries[i];
		if (entry->time_us == 0) {
			bool read = journal_get(entering->topics->bus.journal, entry->position, batch) == 0 &&
				    batch->n == 1;
			entry->time_us = read ? batch->messages[0].journal_time_us : clock_wall_us();
		}
	}
	journal_batch_free(batch);
	return 0;
}

static int enter(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct entering *entering = context;
	const struct item_entry *entries = entering->entries;
	int error = entering->n > 0 && entries[0].time_us == 0 ? read_times(entering) : 0;

	for (size_t from = 0, to; from < entering->n && error == 0; from = to) {
		to = from + 1;
		while (to < entering->n && strcmp(entries[to].topic, entries[from].topic) == 0) {
			to++;
		}
		error = enter_topic(database, entering->topics, &entries[from], to - from, reason);
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
