/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is subscribed. The catalogue has the truth; rosters in memory follow it
 * after each COMMIT, in the order of the commits, so that what was answered to
 * a subscriber is on disk.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <topic/state.h>
#include <base/jid.h>

#define SUBSCRIPTIONS_OF_TOPIC 10000U
#define SUBSCRIPTIONS_OF_PERSON 1000U

/* --- At start ------------------------------------------------------------- */

static int load_row(struct topics *topics, sqlite3_stmt *statement)
{
	const char *topic = (const char *)sqlite3_column_text(statement, 0);
	const char *jid = (const char *)sqlite3_column_text(statement, 1);
	struct node *node = topic == NULL || jid == NULL ? NULL : topics_node(topics, topic);
	struct roster *roster = node == NULL ? NULL : roster_with(node->roster, jid);
	if (roster == NULL) {
		return -XYLEM_E_MEMORY;
	}
	roster_unref(node->roster);
	node->roster = roster;
	return 0;
}

static int load(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT topic, jid FROM subscriptions WHERE state = 'subscribed' ORDER BY topic, jid",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	int step;
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		int error = load_row(context, statement);
		if (error != 0) {
			return error;
		}
	}
	if (step != SQLITE_DONE) {
		xylem_reason_set(reason, "topic subscriptions: %s", sqlite3_errmsg(database));
		return -XYLEM_E_IO;
	}
	return 0;
}

int subscriptions_load(struct topics *topics, struct xylem_reason *reason)
{
	return catalogue_read(topics->bus.catalogue, load, topics, reason);
}

/* --- Changes -------------------------------------------------------------- */

struct change {
	struct topics *topics;
	bool subscribe;
	topic_done done;
	void *context;
	char *jid; /* behind the name */
	char name[];
};

static struct change *change_new(
	struct topics *topics, const char *name, const char *jid, topic_done done, void *context)
{
	size_t name_n = strlen(name) + 1, jid_n = strlen(jid) + 1;
	struct change *change = malloc(sizeof(*change) + name_n + jid_n);
	if (change != NULL) {
		change->topics = topics;
		change->done = done;
		change->context = context;
		change->jid = change->name + name_n;
		memcpy(change->name, name, name_n);
		memcpy(change->jid, jid, jid_n);
	}
	return change;
}

static int write_change(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct change *change = context;
	sqlite3_stmt *statement =
		change->subscribe
			? catalogue_statement(database,
				  "INSERT OR IGNORE INTO subscriptions (topic, jid, subid, state, created_us) "
				  "VALUES (?1, ?2, '', 'subscribed', ?3)",
				  reason)
			: catalogue_statement(database,
				  "DELETE FROM subscriptions WHERE topic = ?1 AND jid = ?2", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, change->jid, -1, SQLITE_STATIC);
	if (change->subscribe) {
		sqlite3_bind_int64(statement, 3, clock_wall_us());
	}
	return catalogue_step_done(database, statement, reason);
}

/* The roster follows what is now on disk. */
static int follow(struct change *change)
{
	struct topics *topics = change->topics;
	int error = -XYLEM_E_MEMORY;

	pthread_mutex_lock(&topics->lock);
	struct node *node = topics_node(topics, change->name);
	struct roster *roster = NULL;
	if (node != NULL) {
		roster = change->subscribe ? roster_with(node->roster, change->jid)
					   : roster_without(node->roster, change->jid);
	}
	if (roster != NULL) {
		roster_unref(node->roster);
		node->roster = roster;
		error = 0;
	}
	pthread_mutex_unlock(&topics->lock);
	return error;
}

static void change_done(void *context, int error, const struct xylem_reason *reason)
{
	struct change *change = context;
	struct topics *topics = change->topics;

	change->done(change->context, error == 0 ? follow(change) : error);
	free(change);
	topics_finished(topics);
}

static int submit(struct topics *topics, const char *name, const char *jid, bool subscribe, topic_done done,
	void *context)
{
	struct change *change = change_new(topics, name, jid, done, context);
	if (change == NULL) {
		return -XYLEM_E_MEMORY;
	}
	change->subscribe = subscribe;
	topics_begin(topics);
	int error = catalogue_submit(topics->bus.catalogue, write_change, change_done, change, true);
	if (error != 0) {
		topics_finished(topics);
		free(change);
	}
	return error;
}

static bool bare_equals(const char *jid, const char *bare)
{
	struct xylem_span own = jid_bare(xylem_span_of(jid));
	return xylem_span_is(own, bare);
}

static size_t count_person(const struct topics *topics, const char *bare)
{
	size_t n = 0;
	for (size_t i = 0; i < topics->node_count; i++) {
		const struct roster *roster = topics->nodes[i]->roster;
		n += roster_has(roster, bare) ? 1 : 0;
	}
	return n;
}

static int may_subscribe(struct topics *topics, const char *name, const char *jid)
{
	char bare[JID_SIZE];
	if (!jid_normalise(xylem_span_of(jid), bare)) {
		return -XYLEM_E_INVALID;
	}
	pthread_mutex_lock(&topics->lock);
	int error = topics_right(topics, name, bare, TOPIC_SUBSCRIBE);
	if (error == 0) {
		const struct roster *roster = topics_find(topics, name)->roster;
		bool again = roster_has(roster, jid);
		bool full = roster != NULL && roster->n >= SUBSCRIPTIONS_OF_TOPIC;
		error = !again && (full || count_person(topics, bare) >= SUBSCRIPTIONS_OF_PERSON)
				? -XYLEM_E_LIMIT
				: 0;
	}
	pthread_mutex_unlock(&topics->lock);
	return error;
}

int topic_subscribe(struct topics *topics, const char *name, const char *jid, topic_done done, void *context)
{
	int error = may_subscribe(topics, name, jid);
	return error != 0 ? error : submit(topics, name, jid, true, done, context);
}

int topic_unsubscribe(
	struct topics *topics, const char *name, const char *jid, topic_done done, void *context)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_find(topics, name);
	int error = node == NULL || node->configured == NULL ? -XYLEM_E_NOT_FOUND
		    : roster_has(node->roster, jid)          ? 0
							     : -XYLEM_E_CONFLICT;
	pthread_mutex_unlock(&topics->lock);
	return error != 0 ? error : submit(topics, name, jid, false, done, context);
}

bool topic_subscribed(struct topics *topics, const char *name, const char *jid)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_find(topics, name);
	bool result = node != NULL && roster_has(node->roster, jid);
	pthread_mutex_unlock(&topics->lock);
	return result;
}

/* --- Lists ---------------------------------------------------------------- */

struct collection {
	struct topic_subscription *list;
	char *text;
	size_t n, text_n;
};

/* The first pass (no list yet) only measures. */
static void collect(struct collection *collection, const char *name, const char *jid)
{
	size_t name_n = strlen(name) + 1, jid_n = strlen(jid) + 1;

	if (collection->list != NULL) {
		char *at = collection->text + collection->text_n;
		memcpy(at, name, name_n);
		memcpy(at + name_n, jid, jid_n);
		collection->list[collection->n] = (struct topic_subscription){ at, at + name_n };
	}
	collection->n++;
	collection->text_n += name_n + jid_n;
}

static void collect_all(
	const struct topics *topics, const char *name, const char *bare, struct collection *collection)
{
	collection->n = 0;
	collection->text_n = 0;
	for (size_t i = 0; i < topics->node_count; i++) {
		const struct node *node = topics->nodes[i];
		if (node->configured == NULL || (name != NULL && strcmp(name, node->name) != 0)) {
			continue;
		}
		for (size_t j = 0; node->roster != NULL && j < node->roster->n; j++) {
			if (bare == NULL || bare_equals(node->roster->jids[j], bare)) {
				collect(collection, node->name, node->roster->jids[j]);
			}
		}
	}
}

int topic_subscriptions(struct topics *topics, const char *name, const char *bare,
	struct topic_subscription **ret_subscriptions, size_t *ret_n)
{
	struct collection collection = { 0 };

	pthread_mutex_lock(&topics->lock);
	collect_all(topics, name, bare, &collection);
	size_t rows = (collection.n + 1) * sizeof(*collection.list);
	struct topic_subscription *list = malloc(rows + collection.text_n);
	if (list != NULL) {
		collection.list = list;
		collection.text = (char *)list + rows;
		collect_all(topics, name, bare, &collection);
	}
	pthread_mutex_unlock(&topics->lock);
	if (list == NULL) {
		return -XYLEM_E_MEMORY;
	}
	*ret_subscriptions = list;
	*ret_n = collection.n;
	return 0;
}
