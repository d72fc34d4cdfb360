/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: what there is, and their life.
 *
 * A node stands for a name: its subscribers outlive a configuration that does
 * not have the topic for a while. What the configuration says is a generation,
 * replaced as a whole; what clients made is in the catalogue (node.c). Items are
 * not kept here: the journal has them, the catalogue says which (item.c).
 *
 * The rule not to break: the lock is never held while the catalogue, the
 * journal or an outlet is called.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <metrics/metrics.h>
#include <topic/state.h>

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

size_t topics_place(const struct topics *topics, const char *name)
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
	size_t at = topics_place(topics, name);
	bool found = at < topics->node_count && strcmp(topics->nodes[at]->name, name) == 0;
	return found ? topics->nodes[at] : NULL;
}

struct node *topics_existing(const struct topics *topics, const char *name)
{
	struct node *node = topics_find(topics, name);
	return node_exists(node) ? node : NULL;
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
		topic_settings_default(&node->settings);
	}
	return node;
}

static void node_free(struct node *node)
{
	for (size_t i = 0; i < node->affiliated_count; i++) {
		free(node->affiliated[i].jid);
	}
	free(node->affiliated);
	roster_unref(node->roster);
	node_changed(node);
	free(node->creator);
	free(node->stored);
	free(node->name);
	if (node->counted != NULL) {
		metric_hide(node->counted);
	}
	free(node);
}

void node_settle(struct node *node)
{
	node_changed(node);
	if (node_declared(node)) {
		topic_settings_declared(&node->settings, node->declared);
	} else {
		topic_settings_default(&node->settings);
	}
	struct topic_settings base = node->settings;
	topic_settings_read(&node->settings, xylem_span_of(node->stored));
	/* What is declared counts, whatever was set before it was. */
	size_t n;
	const struct topic_setting *table = topic_settings_table(&n);
	for (size_t i = 0; i < n && node_declared(node); i++) {
		if (table[i].declared) {
			topic_setting_copy(&node->settings, &base, &table[i]);
		}
	}
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
	size_t at = topics_place(topics, name);
	memmove(topics->nodes + at + 1, topics->nodes + at,
		(topics->node_count - at) * sizeof(struct node *));
	topics->nodes[at] = node;
	topics->node_count++;
	return node;
}

void topics_forget(struct topics *topics, struct node *node)
{
	size_t at = topics_place(topics, node->name);
	topics->node_count--;
	memmove(topics->nodes + at, topics->nodes + at + 1,
		(topics->node_count - at) * sizeof(struct node *));
	node_free(node);
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
	pthread_cond_init(&topics->news, NULL);
	topics->tidings_end = &topics->tidings;
	journal_guard(bus->journal); /* what topics keep is copied before it goes */
	topics->gone_before = journal_end(bus->journal);
	int error = nodes_load(topics, reason);
	error = error != 0 ? error : subscriptions_load(topics, reason);
	error = error != 0 ? error : refusals_load(topics, reason);
	error = error != 0 ? error : teller_start(topics, reason);
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
	teller_stop(topics);
	pthread_mutex_lock(&topics->lock);
	while (topics->under_way > 0) {
		pthread_cond_wait(&topics->quiet, &topics->lock);
	}
	pthread_mutex_unlock(&topics->lock);
	for (size_t i = 0; i < topics->node_count; i++) {
		node_free(topics->nodes[i]);
	}
	free(topics->nodes);
	attendance_finish(topics);
	refusals_finish(topics);
	generation_free(topics->generation);
	pthread_mutex_destroy(&topics->lock);
	pthread_cond_destroy(&topics->quiet);
	pthread_cond_destroy(&topics->news);
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
		topics->nodes[i]->declared = NULL;
	}
	for (size_t i = 0; i < generation->topic_count; i++) {
		topics_find(topics, generation->topics[i].name)->declared = &generation->topics[i];
	}
	for (size_t i = 0; i < topics->node_count; i++) {
		node_settle(topics->nodes[i]);
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

/* --- What there is -------------------------------------------------------- */

static void describe(const struct node *node, struct topic_state *state)
{
	memset(state, 0, sizeof(*state));
	snprintf(state->name, sizeof(state->name), "%s", node->name);
	state->settings = node->settings;
	state->declared = node_declared(node);
	snprintf(state->creator, sizeof(state->creator), "%s", node->creator != NULL ? node->creator : "");
	state->created_us = node->created_us;
	state->subscriptions = node->roster != NULL ? node->roster->active : 0;
	state->items = node->items;
}

int topics_list(struct topics *topics, const char *bare, struct topic_state **ret_topics, size_t *ret_n)
{
	size_t n = 0;

	pthread_mutex_lock(&topics->lock);
	struct topic_state *list = calloc(topics->node_count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < topics->node_count; i++) {
		const struct node *node = topics->nodes[i];
		if (node_exists(node) && (bare == NULL || topics_right(topics, node, bare, TOPIC_SEE) == 0)) {
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
	const struct node *node = topics_existing(topics, name);
	if (node != NULL) {
		describe(node, ret_state);
	}
	pthread_mutex_unlock(&topics->lock);
	return node != NULL ? 0 : -XYLEM_E_NOT_FOUND;
}

bool topic_exists(struct topics *topics, const char *name)
{
	pthread_mutex_lock(&topics->lock);
	bool exists = topics_existing(topics, name) != NULL;
	pthread_mutex_unlock(&topics->lock);
	return exists;
}

const struct topic_outlet *outlet_take(struct topics *topics)
{
	pthread_mutex_lock(&topics->lock);
	const struct topic_outlet *outlet = topics->outlet;
	topics->outlet_uses++;
	pthread_mutex_unlock(&topics->lock);
	return outlet;
}

void outlet_release(struct topics *topics)
{
	pthread_mutex_lock(&topics->lock);
	if (--topics->outlet_uses == 0) {
		pthread_cond_broadcast(&topics->quiet);
	}
	pthread_mutex_unlock(&topics->lock);
}
