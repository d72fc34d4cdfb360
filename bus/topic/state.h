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

struct subscriber {
	const char *jid;
	char subid[TOPIC_SUBID_SIZE];
	bool pending;
	struct topic_subscription_options options;
};
/* The subscribers of a topic at one time: never changed, counted, replaced as a whole. Sorted by address and id. */
struct roster {
	_Atomic unsigned references;
	size_t n, active; /* active: not pending */
	struct subscriber items[];
};
struct roster *roster_ref(struct roster *roster);
struct roster *roster_unref(struct roster *roster);
/* Of many, sorted; the texts are copied. NULL without memory, as all below. */
struct roster *roster_new(const struct subscriber *subscribers, size_t n);
/* A copy with the subscriber put in, or replaced where it has the address and the id. */
struct roster *roster_with(const struct roster *roster, const struct subscriber *subscriber);
/* A copy without one. */
struct roster *roster_without(const struct roster *roster, const char *jid, const char *subid);
/* The first of an address, and how many it has; NULL: none. */
const struct subscriber *roster_find(const struct roster *roster, const char *jid, size_t *ret_n);
/* How many subscriptions the bare address and its full ones have; *ret_active: of which are not pending. */
size_t roster_count(const struct roster *roster, const char *bare, size_t *ret_active);

/* A topic as a delivery found it; counted, one thread's. */
struct snapshot {
	unsigned references;
	char name[TOPIC_NAME_SIZE];
	bool exists;
	struct roster *roster;
	struct topic_settings settings;
};
/* Of the topic that the message is for: once more `before` (NULL: none) where it is the same one's. NULL without memory. */
struct snapshot *snapshot_of(
	struct topics *topics, const struct xylem_message *message, struct snapshot *before);
struct snapshot *snapshot_unref(struct snapshot *snapshot);

struct affiliated {
	char *jid;
	enum topic_affiliation affiliation;
};

/* A topic that was ever declared, made or subscribed to in this process. */
struct node {
	char *name;
	const struct config_topic *declared; /* in the generation's arena; NULL: not in the configuration */
	char *creator;                       /* who made it; NULL: nobody */
	int64_t created_us;
	char *stored; /* what owners have set, JSON; NULL: nothing */
	struct topic_settings settings;
	struct roster *roster;         /* NULL: nobody */
	struct roster *told;           /* of them, who may be told; NULL: to be found out */
	struct affiliated *affiliated; /* sorted */
	size_t affiliated_count;
	size_t promised; /* items on their way into it, where it rejects what is too much */
	uint64_t items;
	struct metric *counted; /* the same, for Prometheus; NULL before the first */
};
/* Is it a topic now? */
static inline bool node_exists(const struct node *node)
{
	return node != NULL && (node->declared != NULL || node->creator != NULL);
}
/* Does the configuration say how it is? Not when only a route names it. */
static inline bool node_declared(const struct node *node)
{
	return node->declared != NULL && !node->declared->implied;
}
/* Something has changed on which it depends who may be told of its items. */
void node_changed(struct node *node);
/* Settles what it is set to: the default, the declaration, what is stored. */
void node_settle(struct node *node);
/* Sets or takes away (TOPIC_NONE) an explicit affiliation. False: no memory. */
bool node_affiliate(struct node *node, const char *jid, enum topic_affiliation affiliation);
enum topic_affiliation node_affiliated(const struct node *node, const char *jid);

struct person {
	const char *jid;
	int role; /* enum config_role */
};

/* What topics_apply() copied from a configuration. */
struct generation {
	struct xylem_arena *arena;
	struct person *people;
	size_t people_count;
	struct xylem_strings allow, create;
	int create_access; /* enum config_access */
	struct config_topic *topics;
	size_t topic_count;
};
struct generation *generation_new(const struct config_view *view);
struct generation *generation_free(struct generation *generation);
/* Is it one of the users? Their role; ROLE_NONE: no. */
int generation_role(const struct generation *generation, const char *bare);

/* What the teller has to say (teller.c). */
struct tiding;

struct attendance; /* attendance.c */

struct refusals; /* refusal.c */

/* How far the copying of items out of segments that go has come (carry.c); the teller's thread only. */
struct carry {
	bool active, topic_done, failing;
	struct xylem_position before; /* records below it are about to go */
	char topic[TOPIC_NAME_SIZE];  /* topics are gone through by name; this one is under way */
	int64_t number;               /* its items up to here are done */
	uint64_t carried, left;
};

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
	unsigned fanning;    /* deliveries between entering and queueing */
	pthread_cond_t news; /* for the teller: `tidings`, `fanning`, `stopping` changed */
	struct tiding *tidings, **tidings_end;
	size_t tiding_count;
	bool telling, stopping;
	pthread_t teller;
	struct attendance *attendance;
	int64_t next_expiry_us; /* of a subscription; 0: none */
	struct carry carry;
	/* No record from here on was ever retracted or purged; the catalogue's thread only. */
	struct xylem_position gone_before;
	struct refusals *refusals;
	_Atomic size_t refusing; /* how many addresses stand in it */
};

/* Under the lock. */
struct node *topics_find(const struct topics *topics, const char *name);
/* Where it is, or would be, among the nodes. */
size_t topics_place(const struct topics *topics, const char *name);
/* Makes it if it is missing; NULL without memory. */
struct node *topics_node(struct topics *topics, const char *name);
/* Takes a node out that nothing is kept of. */
void topics_forget(struct topics *topics, struct node *node);
/* As topics_find(), but only what exists. */
struct node *topics_existing(const struct topics *topics, const char *name);
enum topic_affiliation topics_affiliation(
	const struct topics *topics, const struct node *node, const char *bare);
int topics_right(
	const struct topics *topics, const struct node *node, const char *bare, enum topic_right right);
/*
 * The subscribers who may be told of the topic's items, counted once more: of a
 * whitelist those who are on it, whatever was true when they subscribed. False:
 * no memory.
 */
bool topics_told(const struct topics *topics, struct node *node, struct roster **ret_roster);
/* Explicit affiliation aside: what the configuration makes of them. */
enum topic_affiliation topics_implied(const struct topics *topics, const struct node *node, const char *bare);

/* Counts a catalogue job under way; `finished` by its completion. */
void topics_begin(struct topics *topics);
void topics_finished(struct topics *topics);
const struct topic_outlet *outlet_take(struct topics *topics);
void outlet_release(struct topics *topics);

/* Reads topics, affiliations, subscriptions (at start). */
int nodes_load(struct topics *topics, struct xylem_reason *reason);
int subscriptions_load(struct topics *topics, struct xylem_reason *reason);
/*
 * Whoever may not read the topic any more is not subscribed any more; who was
 * waiting and may now, is. Of a bare address, or of all (NULL).
 */
void topics_review(struct topics *topics, const char *topic, const char *bare);
/* Ends subscriptions whose time has come. */
void topics_tick(struct topics *topics);

/*
 * A change of the catalogue: `write` in its transaction, `follow` under the lock
 * after the COMMIT (memory follows the disk), `tell` after that without the
 * lock, then `done`. The change is freed after all. All on the catalogue's thread.
 */
struct change {
	struct topics *topics;
	struct xylem_arena *arena; /* of the change and its texts */
	int (*write)(sqlite3 *database, struct change *change, struct xylem_reason *reason);
	int (*follow)(struct change *change);
	void (*tell)(struct change *change);
	topic_done done;
	topic_subscribed subscribed; /* instead of `done` */
	void *context;
	/* What it is about; each change uses what it needs. */
	const char *topic, *jid, *text;
	struct xylem_span *items;
	size_t item_count;
	struct subscriber subscriber;
	struct topic_settings settings;
	enum topic_affiliation affiliation;
	bool flag;
	struct roster *roster; /* who is to be told */
	struct xylem_position position;
	int64_t time_us;
};
struct change *change_new(struct topics *topics, const char *topic, const char *jid);
struct change *change_free(struct change *change);
/* Hands it in, or frees it. */
int change_submit(struct change *change);
/* Runs one statement with ?1 the topic and ?2 the JID (NULL: not bound). */
int change_run(
	sqlite3 *database, const char *sql, const char *topic, const char *jid, struct xylem_reason *reason);

/*
 * Within a change that adds to a topic: is it still there? Of a topic that was deleted
 * before, in the same transaction maybe, nothing may be left. -XYLEM_E_NOT_FOUND.
 */
int change_check_topic(sqlite3 *database, const struct change *change, struct xylem_reason *reason);

/* The teller: a thread that says what is not an item, and ends subscriptions at their time. */
int teller_start(struct topics *topics, struct xylem_reason *reason);
void teller_stop(struct topics *topics);
/*
 * Queues an event to be told behind the items that the fan-out is queueing
 * now. Everything is copied. Not under the lock.
 */
void topics_tell(struct topics *topics, const struct topic_event *event,
	const struct topic_recipient *recipients, size_t n);
/* The same to all who get items of the topic (`roster` NULL: the one it has), or to its owners. */
void topics_tell_roster(struct topics *topics, const struct topic_event *event, struct roster *roster);
void topics_tell_owners(struct topics *topics, const struct topic_event *event, const char *topic);
/* The last item to a subscriber. Queued, read by the teller. */
void topics_tell_last(struct topics *topics, const char *topic, const struct subscriber *subscriber);
/* Around the fan-out's entering and queueing. */
void topics_fanning(struct topics *topics, bool begins);

/* Who of a roster gets an item now: one recipient an address. False: no memory. */
struct recipients {
	struct topic_recipient *items;
	const char **subids;
	size_t n;
};
bool recipients_of(struct topics *topics, const struct topic_settings *settings, const struct roster *roster,
	struct recipients *ret_recipients);
void recipients_finish(struct recipients *recipients);
/* Under the lock: the `show` of whoever is online, the union over the resources of a bare one; 0: offline or unknown. */
unsigned attendance_show(const struct topics *topics, const char *jid);
void attendance_finish(struct topics *topics);

/* Addresses that refuse notifications: read at start; freed. */
int refusals_load(struct topics *topics, struct xylem_reason *reason);
void refusals_finish(struct topics *topics);
/* topics_refused() at a time; what it came to, for tests. */
enum topic_refusal {
	TOPIC_REFUSAL_PASSED, /* it may be over soon, or nobody is subscribed there */
	TOPIC_REFUSAL_NOTED,
	TOPIC_REFUSAL_KNOWN,
	TOPIC_REFUSAL_ENDED,
};
enum topic_refusal topics_refused_at(
	struct topics *topics, const char *jid, const char *type, const char *condition, int64_t now_us);
/* An item was sent there. */
void refusals_sent(struct topics *topics, const char *jid, int64_t now_us);

/* Within a change: what is more than the topic now keeps goes. */
int items_trim(sqlite3 *database, const char *topic, int64_t max_items, struct xylem_reason *reason);
/* Within a change that takes items away: records so far may be gone from now on. */
void items_may_go(struct topics *topics);
/* Within a change: no record so far is an item of the topic any more. */
int items_purge(sqlite3 *database, struct change *change, struct xylem_reason *reason);

/* One row of the items' index. */
struct item_entry {
	const char *topic;
	struct xylem_span id;
	struct xylem_position position;
	int64_t time_us;   /* of the record; 0: to be read there */
	int64_t max_items; /* of the topic; 0: no bound */
	bool *gone;        /* where to say that it was retracted; NULL. Written before `done` comes */
};
/*
 * Enters items in the catalogue: later readers find them in the order of their
 * records. `done` comes on the catalogue's thread after the COMMIT. The entries
 * are copied; what `gone` points to stays until then.
 */
int items_enter(
	struct topics *topics, const struct item_entry *entries, size_t n, topic_done done, void *context);

/*
 * One step of copying what topics keep out of journal segments that are about
 * to go; true: there may be more to do. The teller's thread.
 */
bool topics_carry(struct topics *topics);
/* Removes the copies of the topic's items up to `number`; for whoever removes those rows, in the same transaction. */
int copies_drop(sqlite3 *database, const char *topic, int64_t number, struct xylem_reason *reason);
/* An item whose record the journal no longer has; the message lives in the arena. -XYLEM_E_NOT_FOUND. */
int item_carried(struct topics *topics, const char *topic, struct xylem_position position,
	struct xylem_arena *arena, struct xylem_message *ret_message);

#endif
