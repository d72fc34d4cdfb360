/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Affiliations that owners have given: sorted by address in the node, rows in
 * the catalogue. What comes of roles and of the configuration is in rights.c.
 */
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <topic/state.h>

#define AFFILIATIONS_OF_TOPIC 10000U /* as many as there may be subscribers */

/* --- In memory ------------------------------------------------------------ */

static size_t place(const struct node *node, const char *jid)
{
	size_t low = 0, high = node->affiliated_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(node->affiliated[middle].jid, jid) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool stands_at(const struct node *node, size_t at, const char *jid)
{
	return at < node->affiliated_count && strcmp(node->affiliated[at].jid, jid) == 0;
}

enum topic_affiliation node_affiliated(const struct node *node, const char *jid)
{
	size_t at = place(node, jid);
	return stands_at(node, at, jid) ? node->affiliated[at].affiliation : TOPIC_NONE;
}

static void take_out(struct node *node, size_t at)
{
	free(node->affiliated[at].jid);
	node->affiliated_count--;
	memmove(node->affiliated + at, node->affiliated + at + 1,
		(node->affiliated_count - at) * sizeof(*node->affiliated));
}

static bool put_in(struct node *node, size_t at, const char *jid, enum topic_affiliation affiliation)
{
	char *copy = strdup(jid);
	struct affiliated *more = realloc(
		node->affiliated, (node->affiliated_count + 1) * sizeof(*node->affiliated));
	node->affiliated = more != NULL ? more : node->affiliated;
	if (copy == NULL || more == NULL) {
		free(copy);
		return false;
	}
	memmove(more + at + 1, more + at, (node->affiliated_count - at) * sizeof(*more));
	more[at] = (struct affiliated){ copy, affiliation };
	node->affiliated_count++;
	return true;
}

bool node_affiliate(struct node *node, const char *jid, enum topic_affiliation affiliation)
{
	size_t at = place(node, jid);
	bool there = stands_at(node, at, jid);

	node_changed(node);
	if (there && affiliation == TOPIC_NONE) {
		take_out(node, at);
	} else if (there) {
		node->affiliated[at].affiliation = affiliation;
	} else if (affiliation != TOPIC_NONE) {
		return put_in(node, at, jid, affiliation);
	}
	return true;
}

/* --- Giving --------------------------------------------------------------- */

/* Of two changes under way each may take away one of the last two owners: the second sees it here. */
static int check_owner(sqlite3 *database, const struct change *change, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT EXISTS (SELECT 1 FROM affiliations WHERE topic = ?1 AND jid <> ?2 AND affiliation = "
		"'owner') OR NOT EXISTS (SELECT 1 FROM affiliations WHERE topic = ?1 AND affiliation = "
		"'owner')",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, change->jid, -1, SQLITE_STATIC);
	int step = catalogue_step_row(database, statement, reason);
	bool owned = step == 1 && sqlite3_column_int64(statement, 0) != 0;
	return step < 0 ? step : owned ? 0 : -XYLEM_E_UNPROCESSABLE;
}

static int write_affiliation(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	int error = change_check_topic(database, change, reason);
	error = error == 0 && change->flag ? check_owner(database, change, reason) : error;
	if (error != 0) {
		return error;
	}
	if (change->affiliation == TOPIC_NONE) {
		return change_run(database, "DELETE FROM affiliations WHERE topic = ?1 AND jid = ?2",
			change->topic, change->jid, reason);
	}
	sqlite3_stmt *statement = catalogue_statement(database,
		"INSERT INTO affiliations (topic, jid, affiliation) VALUES (?1, ?2, ?3) "
		"ON CONFLICT DO UPDATE SET affiliation = ?3",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, change->jid, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, topic_affiliation_name(change->affiliation), -1, SQLITE_STATIC);
	return catalogue_step_done(database, statement, reason);
}

static int follow_affiliation(struct change *change)
{
	struct node *node = topics_find(change->topics, change->topic);
	if (node == NULL) {
		return 0;
	}
	return node_affiliate(node, change->jid, change->affiliation) ? 0 : -XYLEM_E_MEMORY;
}

static void tell_affiliation(struct change *change)
{
	struct topic_event event = { .kind = TOPIC_EVENT_AFFILIATION,
		.topic = change->topic,
		.jid = change->jid,
		.state = topic_affiliation_name(change->affiliation) };
	struct topic_recipient one = { .jid = change->jid };

	topics_tell(change->topics, &event, &one, 1);
	topics_review(change->topics, change->topic, change->jid);
}

/* Under the lock. */
static bool last_owner(const struct node *node, const char *jid)
{
	size_t owners = 0;
	for (size_t i = 0; i < node->affiliated_count; i++) {
		owners += node->affiliated[i].affiliation == TOPIC_OWNER ? 1 : 0;
	}
	return owners == 1 && node_affiliated(node, jid) == TOPIC_OWNER;
}

/* Under the lock. */
static int may_affiliate(const struct topics *topics, const struct node *node, const char *bare,
	enum topic_affiliation affiliation)
{
	if (!node_exists(node)) {
		return -XYLEM_E_NOT_FOUND;
	}
	enum topic_affiliation implied = topics_implied(topics, node, bare);
	/* What the configuration gives is not taken away here, but for those who are kept out. */
	bool lower = implied == TOPIC_OWNER ? affiliation != TOPIC_OWNER
					    : affiliation < implied && affiliation != TOPIC_OUTCAST;
	bool orphan = affiliation != TOPIC_OWNER && !node_declared(node) && last_owner(node, bare);
	if (lower || orphan) {
		return -XYLEM_E_UNPROCESSABLE;
	}
	return node->affiliated_count >= AFFILIATIONS_OF_TOPIC ? -XYLEM_E_LIMIT : 0;
}

int topic_affiliate(struct topics *topics, const char *name, const char *bare,
	enum topic_affiliation affiliation, topic_done done, void *context)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_find(topics, name);
	int error = may_affiliate(topics, node, bare, affiliation);
	bool owner = error == 0 && !node_declared(node) && node_affiliated(node, bare) == TOPIC_OWNER;
	pthread_mutex_unlock(&topics->lock);
	struct change *change = error != 0 ? NULL : change_new(topics, name, bare);
	if (change == NULL) {
		return error != 0 ? error : -XYLEM_E_MEMORY;
	}
	change->affiliation = affiliation;
	change->flag = owner && affiliation != TOPIC_OWNER;
	change->write = write_affiliation;
	change->follow = follow_affiliation;
	change->tell = tell_affiliation;
	change->done = done;
	change->context = context;
	return change_submit(change);
}

/* --- Lists ---------------------------------------------------------------- */

struct collection {
	struct topic_affiliated *list; /* NULL: only measured */
	char *text;
	size_t n, text_n;
};

static void collect(
	struct collection *collection, const char *topic, const char *jid, enum topic_affiliation affiliation)
{
	size_t topic_n = strlen(topic) + 1, jid_n = strlen(jid) + 1;

	if (collection->list != NULL) {
		char *at = collection->text + collection->text_n;
		memcpy(at, topic, topic_n);
		memcpy(at + topic_n, jid, jid_n);
		collection->list[collection->n] = (struct topic_affiliated){ at, at + topic_n, affiliation };
	}
	collection->n++;
	collection->text_n += topic_n + jid_n;
}

static void collect_listed(const struct topics *topics, const struct node *node, struct xylem_strings listed,
	struct xylem_strings before, struct collection *collection)
{
	for (size_t i = 0; i < listed.n; i++) {
		if (listed.items[i][0] != '@' && !jid_listed(before, listed.items[i]) &&
			node_affiliated(node, listed.items[i]) == TOPIC_NONE) {
			collect(collection, node->name, listed.items[i],
				topics_affiliation(topics, node, listed.items[i]));
		}
	}
}

static void collect_node(
	const struct topics *topics, const struct node *node, const char *bare, struct collection *collection)
{
	if (bare != NULL) {
		enum topic_affiliation own = topics_affiliation(topics, node, bare);
		if (own != TOPIC_NONE) {
			collect(collection, node->name, bare, own);
		}
		return;
	}
	for (size_t i = 0; i < node->affiliated_count; i++) {
		collect(collection, node->name, node->affiliated[i].jid,
			topics_affiliation(topics, node, node->affiliated[i].jid));
	}
	if (node->declared != NULL) {
		collect_listed(
			topics, node, node->declared->publish, (struct xylem_strings){ 0 }, collection);
		collect_listed(topics, node, node->declared->subscribe, node->declared->publish, collection);
	}
}

static void collect_all(
	const struct topics *topics, const char *name, const char *bare, struct collection *collection)
{
	collection->n = collection->text_n = 0;
	for (size_t i = 0; i < topics->node_count; i++) {
		const struct node *node = topics->nodes[i];
		if (node_exists(node) && (name == NULL || strcmp(name, node->name) == 0)) {
			collect_node(topics, node, bare, collection);
		}
	}
}

int topic_affiliations(struct topics *topics, const char *name, const char *bare,
	struct topic_affiliated **ret_affiliated, size_t *ret_n)
{
	struct collection collection = { 0 };

	pthread_mutex_lock(&topics->lock);
	collect_all(topics, name, bare, &collection);
	size_t rows = (collection.n + 1) * sizeof(*collection.list);
	struct topic_affiliated *list = malloc(rows + collection.text_n);
	if (list != NULL) {
		collection.list = list;
		collection.text = (char *)list + rows;
		collect_all(topics, name, bare, &collection);
	}
	pthread_mutex_unlock(&topics->lock);
	if (list == NULL) {
		return -XYLEM_E_MEMORY;
	}
	*ret_affiliated = list;
	*ret_n = collection.n;
	return 0;
}
