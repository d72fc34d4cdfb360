/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking items away, one or several at once, of which all go or none. The
 * journal keeps the record, as it keeps everything; what goes is the row that
 * makes it an item. A retracted row stays, marked, and a purge leaves the place
 * up to which records are no items: so the fan-out, which may come to a record
 * later or again, does not bring it back. It asks only about records from before
 * the last of these changes.
 */
#include <string.h>

#include <topic/state.h>

void items_may_go(struct topics *topics)
{
	topics->gone_before = journal_end(topics->bus.journal);
}

static int mark_retracted(
	sqlite3 *database, const char *topic, struct xylem_span item, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"UPDATE topic_entries SET gone = 1 WHERE topic = ?1 AND item = ?2 AND gone = 0", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, topic, -1, SQLITE_STATIC);
	catalogue_bind_text(statement, 2, item);
	int error = catalogue_step_done(database, statement, reason);
	return error == 0 && sqlite3_changes(database) == 0 ? -XYLEM_E_NOT_FOUND : error;
}

/* One that is not there takes the marks of the others back: the change is a savepoint. */
static int write_retracted(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	int error = 0;
	items_may_go(change->topics);
	for (size_t i = 0; i < change->item_count && error == 0; i++) {
		error = mark_retracted(database, change->topic, change->items[i], reason);
	}
	return error;
}

static void tell_retracted(struct change *change)
{
	struct topic_state state;
	if (topic_state(change->topics, change->topic, &state) != 0 ||
		(!change->flag && !state.settings.notify_retract)) {
		return;
	}
	for (size_t i = 0; i < change->item_count; i++) {
		struct topic_event event = { .kind = TOPIC_EVENT_RETRACTED,
			.topic = change->topic,
			.item = xylem_arena_text(change->arena, change->items[i]),
			.settings = state.settings };
		if (event.item != NULL) {
			topics_tell_roster(change->topics, &event, NULL);
		}
	}
}

/* -XYLEM_E_NOT_FOUND, -XYLEM_E_UNSUPPORTED: there is none, or it keeps no items. */
static struct change *begin(struct topics *topics, const char *name, int *ret_error)
{
	struct topic_state state;
	int error = topic_state(topics, name, &state);
	error = error == 0 && !state.settings.persist ? -XYLEM_E_UNSUPPORTED : error;
	struct change *change = error != 0 ? NULL : change_new(topics, name, NULL);
	*ret_error = error == 0 && change == NULL ? -XYLEM_E_MEMORY : error;
	return change;
}

/* False: no memory. */
static bool take_items(struct change *change, const struct xylem_span *ids, size_t n)
{
	change->items = xylem_arena_zero(change->arena, n * sizeof(*change->items));
	for (size_t i = 0; change->items != NULL && i < n; i++) {
		change->items[i] = xylem_arena_copy(change->arena, ids[i]);
		if (change->items[i].at == NULL) {
			return false;
		}
	}
	change->item_count = n;
	return change->items != NULL;
}

int topic_retract(struct topics *topics, const char *name, const struct xylem_span *ids, size_t n,
	bool notify, topic_done done, void *context)
{
	int error;
	struct change *change = begin(topics, name, &error);
	if (change == NULL) {
		return error;
	}
	if (!take_items(change, ids, n)) {
		change_free(change);
		return -XYLEM_E_MEMORY;
	}
	change->flag = notify;
	change->write = write_retracted;
	change->tell = tell_retracted;
	change->done = done;
	change->context = context;
	return change_submit(change);
}

/* Places that the journal has left behind say nothing any more. */
static int forget_purges(sqlite3 *database, const struct change *change, struct xylem_reason *reason)
{
	struct xylem_position begin = journal_begin(change->topics->bus.journal);
	sqlite3_stmt *statement = catalogue_statement(
		database, "DELETE FROM topic_purges WHERE partition = ?1 AND offset <= ?2", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(statement, 1, begin.partition);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)begin.offset);
	return catalogue_step_done(database, statement, reason);
}

int items_purge(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	items_may_go(change->topics);
	struct xylem_position end = change->topics->gone_before;
	int error = change_run(
		database, "DELETE FROM topic_entries WHERE topic = ?1", change->topic, NULL, reason);
	error = error != 0 ? error : copies_drop(database, change->topic, INT64_MAX, reason);
	error = error != 0 ? error : forget_purges(database, change, reason);
	sqlite3_stmt *statement =
		error != 0
			? NULL
			: catalogue_statement(database,
				  "INSERT INTO topic_purges (topic, partition, offset) VALUES (?1, ?2, ?3) "
				  "ON CONFLICT DO UPDATE SET offset = ?3",
				  reason);
	if (statement == NULL) {
		return error != 0 ? error : -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, end.partition);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)end.offset);
	return catalogue_step_done(database, statement, reason);
}

static void tell_purged(struct change *change)
{
	struct topic_state state;
	struct topic_event event = { .kind = TOPIC_EVENT_PURGED, .topic = change->topic };
	if (topic_state(change->topics, change->topic, &state) == 0 && state.settings.notify_retract) {
		event.settings = state.settings;
		topics_tell_roster(change->topics, &event, NULL);
	}
}

int topic_purge(struct topics *topics, const char *name, topic_done done, void *context)
{
	int error;
	struct change *change = begin(topics, name, &error);
	if (change == NULL) {
		return error;
	}
	change->write = items_purge;
	change->tell = tell_purged;
	change->done = done;
	change->context = context;
	return change_submit(change);
}
