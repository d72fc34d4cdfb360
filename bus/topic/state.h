/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_STATE_H
#define TOPIC_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <topic/topic.h>
#include <xylem/arena.h>

/*
 * Inside the room only: what the files of the room share. The lock guards
 * everything but the fields that never change after topics_new().
 */

/* The subscribers of a topic at one time: never changed, counted, replaced as a whole. Sorted. */
struct roster {
	_Atomic unsigned references;
	size_t n;
	const char *jids[];
};
struct roster *roster_ref(struct roster *roster);
struct roster *roster_unref(struct roster *roster);
/* A copy with the address in or without it; NULL without memory. */
struct roster *roster_with(const struct roster *roster, const char *jid);
struct roster *roster_without(const struct roster *roster, const char *jid);
bool roster_has(const struct roster *roster, const char *jid);

/* A topic that was ever configured or subscribed to in this process. */
struct node {
	char *name;
	struct roster *roster; /* NULL: nobody */
	uint64_t items;
	const struct config_topic *configured; /* in the generation's arena; NULL: not in the configuration */
};

struct person {
	const char *jid;
	int role; /* enum config_role */
};

/* What topics_apply() copied from a configuration. */
struct generation {
	struct xylem_arena *arena;
	struct person *people;
	size_t people_count;
	struct xylem_strings allow;
	struct config_topic *topics;
	size_t topic_count;
};
struct generation *generation_new(const struct config_view *view);
struct generation *generation_free(struct generation *generation);
/* Is it one of the users? Their role; ROLE_NONE: no. */
int generation_role(const struct generation *generation, const char *bare);

#define TOPICS_MAGIC 0x746f7069U

struct topics {
	uint32_t magic;
	struct topics_bus bus;
	pthread_mutex_t lock;
	pthread_cond_t quiet; /* `under_way` or `outlet_uses` has become 0 */
	size_t under_way;     /* catalogue jobs */
	struct node **nodes;  /* sorted by name */
	size_t node_count, node_room;
	struct generation *generation;
	const struct topic_outlet *outlet;
	size_t outlet_uses;
};

/* Under the lock. */
struct node *topics_find(const struct topics *topics, const char *name);
/* Makes it if it is missing; NULL without memory. */
struct node *topics_node(struct topics *topics, const char *name);
int topics_right(const struct topics *topics, const char *name, const char *bare, enum topic_right right);

/* Counts a catalogue job under way; `finished` by its completion. */
void topics_begin(struct topics *topics);
void topics_finished(struct topics *topics);

/* Reads all subscriptions (at start). */
int subscriptions_load(struct topics *topics, struct xylem_reason *reason);

/* One row of the items' index. */
struct item_entry {
	const char *topic;
	struct xylem_span id;
	struct xylem_position position;
	int64_t time_us;
	int64_t max_items; /* of the topic; 0: no bound */
};
/*
 * Enters items in the catalogue: later readers find them in this order. `done`
 * comes on the catalogue's thread after the COMMIT. The entries are copied.
 */
int items_enter(
	struct topics *topics, const struct item_entry *entries, size_t n, topic_done done, void *context);

#endif
