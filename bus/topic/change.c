/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How topics change: in the catalogue first, then in memory, then whoever has
 * to hear of it is told, then who asked is answered. So what was answered is on
 * disk, and memory follows the order of the commits.
 */
#include <string.h>

#include <base/clock.h>
#include <topic/state.h>

struct change *change_new(struct topics *topics, const char *topic, const char *jid)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct change *change = arena == NULL ? NULL : xylem_arena_zero(arena, sizeof(*change));
	if (change == NULL) {
		xylem_arena_free(arena);
		return NULL;
	}
	change->topics = topics;
	change->arena = arena;
	change->time_us = clock_wall_us();
	change->topic = xylem_arena_text(arena, xylem_span_of(topic));
	change->jid = jid == NULL ? NULL : xylem_arena_text(arena, xylem_span_of(jid));
	if (change->topic == NULL || (jid != NULL && change->jid == NULL)) {
		return change_free(change);
	}
	return change;
}

struct change *change_free(struct change *change)
{
	if (change != NULL) {
		roster_unref(change->roster);
		xylem_arena_free(change->arena);
	}
	return NULL;
}

int change_run(
	sqlite3 *database, const char *sql, const char *topic, const char *jid, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, topic, -1, SQLITE_STATIC);
	if (jid != NULL) {
		sqlite3_bind_text(statement, 2, jid, -1, SQLITE_STATIC);
	}
	return catalogue_step_done(database, statement, reason);
}

static bool is_declared(const struct change *change)
{
	pthread_mutex_lock(&change->topics->lock);
	const struct node *node = topics_find(change->topics, change->topic);
	bool declared = node != NULL && node->declared != NULL;
	pthread_mutex_unlock(&change->topics->lock);
	return declared;
}

int change_check_topic(sqlite3 *database, const struct change *change, struct xylem_reason *reason)
{
	if (is_declared(change)) {
		return 0;
	}
	sqlite3_stmt *statement = catalogue_statement(
		database, "SELECT 1 FROM topics WHERE name = ?1 AND creator IS NOT NULL", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	int step = catalogue_step_row(database, statement, reason);
	return step == 1 ? 0 : step == 0 ? -XYLEM_E_NOT_FOUND : step;
}

static int work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct change *change = context;
	return change->write(database, change, reason);
}

static void answer(struct change *change, int error)
{
	if (change->subscribed != NULL) {
		struct topic_subscription given = { .topic = change->topic,
			.jid = change->subscriber.jid,
			.pending = change->subscriber.pending,
			.options = change->subscriber.options };
		memcpy(given.subid, change->subscriber.subid, sizeof(given.subid));
		change->subscribed(change->context, error, &given);
	} else if (change->done != NULL) {
		change->done(change->context, error);
	}
}

static void done(void *context, int error, const struct xylem_reason *reason)
{
	struct change *change = context;
	struct topics *topics = change->topics;

	if (error == 0 && change->follow != NULL) {
		pthread_mutex_lock(&topics->lock);
		error = change->follow(change);
		pthread_mutex_unlock(&topics->lock);
	}
	/* First the answer, then the news: a new subscriber learns that it is one before it gets items. */
	answer(change, error);
	if (error == 0 && change->tell != NULL) {
		change->tell(change);
	}
	change_free(change);
	topics_finished(topics);
}

int change_submit(struct change *change)
{
	struct topics *topics = change->topics;

	topics_begin(topics);
	int error = catalogue_submit(topics->bus.catalogue, work, done, change, true);
	if (error != 0) {
		change_free(change);
		topics_finished(topics);
	}
	return error;
}
