/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: what they are, who may do what with them, and their life.
 *
 * A node stands for a name: its subscribers outlive a configuration that does
 * not have the topic for a while. What the configuration says is a generation,
 * replaced as a whole. Items are not kept here: the journal has them, the
 * catalogue says which (item.c).
 *
 * The rule not to break: the lock is never held while the catalogue, the
 * journal or an outlet is called.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <topic/state.h>
#include <base/jid.h>

static _Atomic(struct topics *) current;

struct topics *topics_current(void)
{
	return atomic_load(&current);
}

void topics_make_current(struct topics *topics)
{
	atomic_store(&current, topics);
}

/* --- Nodes ---------------------------------------------------------------- */

static size_t place(const struct topics *topics, const char *name)
{
	size_t low = 0, high = topics->node_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(topics->nodes[middle]->name, name) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct node *topics_find(const struct topics *topics, const char *name)
{
	size_t at = place(topics, name);
	bool found = at < topics->node_count && strcmp(topics->nodes[at]->name, name) == 0;
	return found ? topics->nodes[at] : NULL;
}

static struct node *node_new(const char *name)
{
	struct node *node = calloc(1, sizeof(*node));
	if (node != NULL) {
		node->name = strdup(name);
		if (node->name == NULL) {
			free(node);
			return NULL;
		}
	}
	return node;
}

static bool grow(struct topics *topics)
{
	if (topics->node_count < topics->node_room) {
		return true;
	}
	size_t room = topics->node_room == 0 ? 16 : topics->node_room * 2;
	struct node **nodes = realloc(topics->nodes, room * sizeof(struct node *));
	if (nodes == NULL) {
		return false;
	}
	topics->nodes = nodes;
	topics->node_room = room;
	return true;
}

struct node *topics_node(struct topics *topics, const char *name)
{
	struct node *node = topics_find(topics, name);
	if (node != NULL) {
		return node;
	}
	node = grow(topics) ? node_new(name) : NULL;
	if (node == NULL) {
		return NULL;
	}
	size_t at = place(topics, name);
	memmove(topics->nodes + at + 1, topics->nodes + at,
		(topics->node_count - at) * sizeof(struct node *));
	topics->nodes[at] = node;
	topics->node_count++;
	return node;
}

/* --- Life ----------------------------------------------------------------- */

int topics_new(struct topics **ret_topics, const struct topics_bus *bus, struct xylem_reason *reason)
{
	struct topics *topics = calloc(1, sizeof(*topics));
	if (topics == NULL) {
		xylem_reason_set(reason, "topics: out of memory");
		return -XYLEM_E_MEMORY;
	}
	topics->magic = TOPICS_MAGIC;
	topics->bus = *bus;
	pthread_mutex_init(&topics->lock, NULL);
	pthread_cond_init(&topics->quiet, NULL);
	int error = subscriptions_load(topics, reason);
	if (error != 0) {
		topics_free(topics);
		return error;
	}
	*ret_topics = topics;
	return 0;
}

struct topics *topics_free(struct topics *topics)
{
	if (topics == NULL) {
		return NULL;
	}
	assert(topics->magic == TOPICS_MAGIC);
	pthread_mutex_lock(&topics->lock);
	while (topics->under_way > 0) {
		pthread_cond_wait(&topics->quiet, &topics->lock);
	}
	pthread_mutex_unlock(&topics->lock);
	for (size_t i = 0; i < topics->node_count; i++) {
		roster_unref(topics->nodes[i]->roster);
		free(topics->nodes[i]->name);
		free(topics->nodes[i]);
	}
	free(topics->nodes);
	generation_free(topics->generation);
	pthread_mutex_destroy(&topics->lock);
	pthread_cond_destroy(&topics->quiet);
	topics->magic = 0;
	free(topics);
	return NULL;
}

void topics_begin(struct topics *topics)
{
	pthread_mutex_lock(&topics->lock);
	topics->under_way++;
	pthread_mutex_unlock(&topics->lock);
}

void topics_finished(struct topics *topics)
{
	pthread_mutex_lock(&topics->lock);
	if (--topics->under_way == 0) {
		pthread_cond_broadcast(&topics->quiet);
	}
	pthread_mutex_unlock(&topics->lock);
}

/* Nodes for all topics of the generation first, so that nothing can fail half-way. */
static bool nodes_for(struct topics *topics, const struct generation *generation)
{
	for (size_t i = 0; i < generation->topic_count; i++) {
		if (topics_node(topics, generation->topics[i].name) == NULL) {
			return false;
		}
	}
	return true;
}

int topics_apply(struct topics *topics, const struct config_view *view)
{
	struct generation *generation = generation_new(view);
	if (generation == NULL) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_lock(&topics->lock);
	if (!nodes_for(topics, generation)) {
		pthread_mutex_unlock(&topics->lock);
		generation_free(generation);
		return -XYLEM_E_MEMORY;
	}
	struct generation *before = topics->generation;
	for (size_t i = 0; i < topics->node_count; i++) {
		topics->nodes[i]->configured = NULL;
	}
	for (size_t i = 0; i < generation->topic_count; i++) {
		topics_find(topics, generation->topics[i].name)->configured = &generation->topics[i];
	}
	topics->generation = generation;
	pthread_mutex_unlock(&topics->lock);
	generation_free(before);
	return 0;
}

void topics_attach(struct topics *topics, const struct topic_outlet *outlet)
{
	pthread_mutex_lock(&topics->lock);
	topics->outlet = outlet;
	while (topics->outlet_uses > 0) {
		pthread_cond_wait(&topics->quiet, &topics->lock);
	}
	pthread_mutex_unlock(&topics->lock);
}

/* --- Rights --------------------------------------------------------------- */

int topics_right(const struct topics *topics, const char *name, const char *bare, enum topic_right right)
{
	const struct node *node = topics_find(topics, name);
	if (node == NULL || node->configured == NULL) {
		return -XYLEM_E_NOT_FOUND;
	}
	const struct generation *generation = topics->generation;
	const struct config_topic *topic = node->configured;
	int role = generation_role(generation, bare);

	if (right == TOPIC_PUBLISH) {
		return role >= ROLE_OPERATOR || jid_listed(topic->publish, bare) ? 0 : -XYLEM_E_FORBIDDEN;
	}
	bool open = topic->access == ACCESS_OPEN && jid_listed(generation->allow, bare);
	bool listed = jid_listed(topic->subscribe, bare) || jid_listed(topic->publish, bare);
	return role > ROLE_NONE || open || listed ? 0 : -XYLEM_E_METHOD;
}

int topic_check(struct topics *topics, const char *name, const char *bare, enum topic_right right)
{
	pthread_mutex_lock(&topics->lock);
	int result = topics_right(topics, name, bare, right);
	pthread_mutex_unlock(&topics->lock);
	return result;
}

bool topics_known(struct topics *topics, const char *bare)
{
	bool known = false;

	pthread_mutex_lock(&topics->lock);
	for (size_t i = 0; i < topics->node_count && !known; i++) {
		known = topics_right(topics, topics->nodes[i]->name, bare, TOPIC_SUBSCRIBE) == 0;
	}
	pthread_mutex_unlock(&topics->lock);
	return known;
}

/* --- What there is -------------------------------------------------------- */

static void describe(const struct node *node, struct topic_state *state)
{
	const struct config_topic *topic = node->configured;

	memset(state, 0, sizeof(*state));
	snprintf(state->name, sizeof(state->name), "%s", topic->name);
	snprintf(state->title, sizeof(state->title), "%s", topic->title != NULL ? topic->title : topic->name);
	snprintf(state->description, sizeof(state->description), "%s",
		topic->description != NULL ? topic->description : "");
	state->access = topic->access;
	state->max_items = topic->max_items;
	state->subscriptions = node->roster != NULL ? node->roster->n : 0;
	state->items = node->items;
}

int topics_list(struct topics *topics, const char *bare, struct topic_state **ret_topics, size_t *ret_n)
{
	size_t n = 0;

	pthread_mutex_lock(&topics->lock);
	struct topic_state *list = calloc(topics->node_count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < topics->node_count; i++) {
		const struct node *node = topics->nodes[i];
		bool seen = node->configured != NULL &&
			    (bare == NULL || topics_right(topics, node->name, bare, TOPIC_SUBSCRIBE) == 0);
		if (seen) {
			describe(node, &list[n++]);
		}
	}
	pthread_mutex_unlock(&topics->lock);
	if (list == NULL) {
		return -XYLEM_E_MEMORY;
	}
	*ret_topics = list;
	*ret_n = n;
	return 0;
}

int topic_state(struct topics *topics, const char *name, struct topic_state *ret_state)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_find(topics, name);
	bool found = node != NULL && node->configured != NULL;
	if (found) {
		describe(node, ret_state);
	}
	pthread_mutex_unlock(&topics->lock);
	return found ? 0 : -XYLEM_E_NOT_FOUND;
}

int topic_publish(struct topics *topics, const char *name, const struct xylem_message *message,
	xylem_submit_done done, void *context, struct xylem_reason *reason)
{
	char ingress[160];
	struct topic_state state;

	if (topic_state(topics, name, &state) != 0) {
		xylem_reason_set(reason, "there is no topic %s", name);
		return -XYLEM_E_NOT_FOUND;
	}
	snprintf(ingress, sizeof(ingress), "topic:%s", name);
	return topics->bus.publish(topics->bus.context, ingress, message, done, context, reason);
}
