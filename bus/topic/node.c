/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics as clients make, set and delete them. The row of `topics` has who made
 * it and, as JSON, what was set beside the default (or, of a declared topic,
 * beside the declaration). A declared topic may have a row without a creator:
 * then it is there as long as it is declared, or named by a route.
 */
#include <stdlib.h>
#include <string.h>

#include <topic/state.h>

#define TOPICS_MOST 10000U
#define NAME_MOST 120U

/* --- At start ------------------------------------------------------------- */

static bool copy_column(sqlite3_stmt *statement, int column, char **ret_text)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	if (text == NULL) {
		return sqlite3_column_type(statement, column) == SQLITE_NULL;
	}
	free(*ret_text);
	*ret_text = strdup(text);
	return *ret_text != NULL;
}

static int load_topic(struct topics *topics, sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 0);
	struct node *node = name == NULL ? NULL : topics_node(topics, name);
	if (node == NULL || !copy_column(statement, 1, &node->creator) ||
		!copy_column(statement, 3, &node->stored)) {
		return -XYLEM_E_MEMORY;
	}
	node->created_us = sqlite3_column_int64(statement, 2);
	return 0;
}

static int load_affiliation(struct topics *topics, sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 0);
	const char *jid = (const char *)sqlite3_column_text(statement, 1);
	enum topic_affiliation affiliation;
	struct node *node = name == NULL || jid == NULL ? NULL : topics_node(topics, name);
	if (node == NULL) {
		return -XYLEM_E_MEMORY;
	}
	bool known = topic_affiliation_of(catalogue_column(statement, 2), &affiliation);
	return !known || node_affiliate(node, jid, affiliation) ? 0 : -XYLEM_E_MEMORY;
}

static int load_rows(sqlite3 *database, const char *sql, struct topics *topics,
	int (*load)(struct topics *topics, sqlite3_stmt *statement), struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	int step = statement == NULL ? -XYLEM_E_IO : 1;
	while (step == 1 && (step = catalogue_step_row(database, statement, reason)) == 1) {
		int error = load(topics, statement);
		if (error != 0) {
			xylem_reason_set(reason, "topics: out of memory");
			return error;
		}
	}
	return step;
}

static int load(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	int error = load_rows(database, "SELECT name, creator, created_us, options FROM topics", context,
		load_topic, reason);
	return error != 0 ? error
			  : load_rows(database, "SELECT topic, jid, affiliation FROM affiliations", context,
				    load_affiliation, reason);
}

int nodes_load(struct topics *topics, struct xylem_reason *reason)
{
	return catalogue_read(topics->bus.catalogue, load, topics, reason);
}

/* --- Making and setting --------------------------------------------------- */

static bool is_name(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '*') {
			return false;
		}
	}
	return n > 0 && n < NAME_MOST;
}

/* What of the settings is to be stored: under the lock. NULL: no memory. */
static const char *stored_text(
	const struct node *node, const struct topic_settings *settings, struct xylem_arena *arena)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct topic_settings base;

	if (node != NULL && node_declared(node)) {
		topic_settings_declared(&base, node->declared);
	} else {
		topic_settings_default(&base);
	}
	topic_settings_write(settings, &base, &text);
	return xylem_buffer_failed(&text) ? NULL : xylem_arena_text(arena, xylem_buffer_borrow(&text));
}

static int write_node(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"INSERT INTO topics (name, created_us, creator, options) VALUES (?1, ?2, ?3, ?4) "
		"ON CONFLICT DO UPDATE SET options = ?4, creator = coalesce(?3, creator), "
		"created_us = CASE WHEN ?3 IS NULL THEN created_us ELSE ?2 END",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, change->time_us);
	sqlite3_bind_text(statement, 3, change->jid, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, change->text, -1, SQLITE_STATIC);
	return catalogue_step_done(database, statement, reason);
}

/* Of two who make it at once, the second sees it here. */
static int check_unmade(sqlite3 *database, const struct change *change, struct xylem_reason *reason)
{
	int error = change_check_topic(database, change, reason);
	return error == 0 ? -XYLEM_E_CONFLICT : error == -XYLEM_E_NOT_FOUND ? 0 : error;
}

static int write_created(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	static const char *const owner = "INSERT INTO affiliations (topic, jid, affiliation) "
					 "VALUES (?1, ?2, 'owner') ON CONFLICT DO UPDATE SET "
					 "affiliation = 'owner'";
	int error = check_unmade(database, change, reason);
	error = error != 0 ? error : write_node(database, change, reason);
	return error != 0 ? error : change_run(database, owner, change->topic, change->jid, reason);
}

static int follow_created(struct change *change)
{
	struct node *node = topics_node(change->topics, change->topic);
	char *creator = strdup(change->jid), *stored = strdup(change->text);
	if (node == NULL || creator == NULL || stored == NULL ||
		!node_affiliate(node, change->jid, TOPIC_OWNER)) {
		free(creator);
		free(stored);
		return -XYLEM_E_MEMORY;
	}
	free(node->creator);
	free(node->stored);
	node->creator = creator;
	node->stored = stored;
	node->created_us = change->time_us;
	node_settle(node);
	return 0;
}

int topic_create(struct topics *topics, const char *name, const char *creator,
	const struct topic_settings *settings, topic_done done, void *context)
{
	struct change *change = is_name(name) ? change_new(topics, name, creator) : NULL;
	if (change == NULL) {
		return is_name(name) ? -XYLEM_E_MEMORY : -XYLEM_E_INVALID;
	}
	pthread_mutex_lock(&topics->lock);
	struct node *node = topics_find(topics, name);
	int error = node_exists(node)                   ? -XYLEM_E_CONFLICT
		    : topics->node_count >= TOPICS_MOST ? -XYLEM_E_LIMIT
							: 0;
	change->text = stored_text(NULL, settings, change->arena);
	pthread_mutex_unlock(&topics->lock);
	if (error != 0 || change->text == NULL) {
		change_free(change);
		return error != 0 ? error : -XYLEM_E_MEMORY;
	}
	change->write = write_created;
	change->follow = follow_created;
	change->done = done;
	change->context = context;
	return change_submit(change);
}

static int follow_configured(struct change *change)
{
	struct node *node = topics_existing(change->topics, change->topic);
	char *stored = strdup(change->text);
	if (node == NULL || stored == NULL) {
		free(stored);
		return node == NULL ? 0 : -XYLEM_E_MEMORY;
	}
	int access = node->settings.access;
	free(node->stored);
	node->stored = stored;
	node_settle(node);
	change->flag = node->settings.access != access;
	return 0;
}

static int write_configured(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	int error = write_node(database, change, reason);
	bool bounded = change->settings.persist && change->settings.max_items > 0;
	return error == 0 && bounded ? items_trim(database, change->topic, change->settings.max_items, reason)
				     : error;
}

static void tell_configured(struct change *change)
{
	struct topic_state state;
	if (change->flag) {
		topics_review(change->topics, change->topic, NULL);
	}
	if (topic_state(change->topics, change->topic, &state) != 0 || !state.settings.notify_config) {
		return;
	}
	struct topic_event event = {
		.kind = TOPIC_EVENT_CONFIGURED, .topic = change->topic, .settings = state.settings
	};
	topics_tell_roster(change->topics, &event, NULL);
}

/* Under the lock. */
static int may_configure(const struct node *node, const struct topic_settings *settings)
{
	size_t n;
	const struct topic_setting *table = topic_settings_table(&n);
	if (!node_exists(node)) {
		return -XYLEM_E_NOT_FOUND;
	}
	for (size_t i = 0; i < n && node_declared(node); i++) {
		if (table[i].declared && !topic_setting_same(settings, &node->settings, &table[i])) {
			return -XYLEM_E_METHOD;
		}
	}
	return 0;
}

int topic_configure(struct topics *topics, const char *name, const struct topic_settings *settings,
	topic_done done, void *context)
{
	struct change *change = change_new(topics, name, NULL);
	if (change == NULL) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_lock(&topics->lock);
	struct node *node = topics_find(topics, name);
	int error = may_configure(node, settings);
	change->text = error != 0 ? NULL : stored_text(node, settings, change->arena);
	pthread_mutex_unlock(&topics->lock);
	if (change->text == NULL) {
		change_free(change);
		return error != 0 ? error : -XYLEM_E_MEMORY;
	}
	change->settings = *settings;
	change->write = write_configured;
	change->follow = follow_configured;
	change->tell = tell_configured;
	change->done = done;
	change->context = context;
	return change_submit(change);
}

/* --- Deleting ------------------------------------------------------------- */

static int write_deleted(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	static const char *const statements[] = { "DELETE FROM topics WHERE name = ?1",
		"DELETE FROM affiliations WHERE topic = ?1", "DELETE FROM subscriptions WHERE topic = ?1" };
	int error = items_purge(database, change, reason);
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && error == 0; i++) {
		error = change_run(database, statements[i], change->topic, NULL, reason);
	}
	return error;
}

static int follow_deleted(struct change *change)
{
	struct node *node = topics_find(change->topics, change->topic);
	if (node == NULL) {
		return 0;
	}
	change->roster = node->roster; /* to be told */
	change->settings = node->settings;
	node->roster = NULL;
	node_changed(node);
	for (size_t i = 0; i < node->affiliated_count; i++) {
		free(node->affiliated[i].jid);
	}
	free(node->affiliated);
	free(node->creator);
	free(node->stored);
	node->affiliated = NULL;
	node->affiliated_count = 0;
	node->creator = node->stored = NULL;
	topics_forget(change->topics, node);
	return 0;
}

static void tell_deleted(struct change *change)
{
	struct topic_event event = {
		.kind = TOPIC_EVENT_DELETED, .topic = change->topic, .settings = change->settings
	};
	const struct roster *roster = change->roster;
	if (roster == NULL || !change->settings.notify_delete) {
		return;
	}
	topics_tell_roster(change->topics, &event, change->roster);
	/* Those, too, who wait for an answer that will not come (8.4.2). */
	for (size_t i = 0; i < roster->n; i++) {
		struct topic_recipient one = { .jid = roster->items[i].jid };
		if (roster->items[i].pending) {
			topics_tell(change->topics, &event, &one, 1);
		}
	}
}

int topic_delete(struct topics *topics, const char *name, topic_done done, void *context)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_existing(topics, name);
	int error = node == NULL ? -XYLEM_E_NOT_FOUND : node->declared != NULL ? -XYLEM_E_METHOD : 0;
	pthread_mutex_unlock(&topics->lock);
	struct change *change = error != 0 ? NULL : change_new(topics, name, NULL);
	if (change == NULL) {
		return error != 0 ? error : -XYLEM_E_MEMORY;
	}
	change->write = write_deleted;
	change->follow = follow_deleted;
	change->tell = tell_deleted;
	change->done = done;
	change->context = context;
	return change_submit(change);
}
