/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_TOPIC_H
#define TOPIC_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include <catalogue/catalogue.h>
#include <config/config.h>
#include <journal/journal.h>
#include <xylem/connector.h>

/*
 * Topics: named streams that people and programs subscribe to. A topic's items
 * are the journal's records with the ingress `topic:NAME`; the catalogue keeps
 * which records those are (newest `max_items`) and who is subscribed. The faces
 * (PubSub now; SSE and Web Push beside it) reach topics through this header;
 * how notifications leave is an outlet that a face attaches. docs/topics.md.
 */
struct topics;

/* What topics need of the bus. Everything stays valid until topics_free(). */
struct topics_bus {
	struct journal *journal;
	struct catalogue *catalogue;
	/*
	 * Hands a published message to the intake, as xylem_source_submit() does on
	 * the door of `ingress` (`topic:NAME`): same results, same `done`.
	 */
	int (*publish)(void *context, const char *ingress, const struct xylem_message *message,
		xylem_submit_done done, void *done_context, struct xylem_reason *reason);
	void *context;
};

/* Reads the subscriptions from the catalogue. Topics exist after the first topics_apply(). */
int topics_new(struct topics **ret_topics, const struct topics_bus *bus, struct xylem_reason *reason);
/* After every lane with the fan-out sink and every face has stopped; waits for catalogue jobs under way. */
struct topics *topics_free(struct topics *topics);

/*
 * The topics of a generation replace those before: titles, access, users. The
 * view is only read during the call. Subscriptions of a removed topic are kept,
 * and count again when its name returns. Any thread. -XYLEM_E_MEMORY changes nothing.
 */
int topics_apply(struct topics *topics, const struct config_view *view);

/* The process's topics, for topic_fanout; set by main before lanes start, NULL after they stopped. */
struct topics *topics_current(void);
void topics_make_current(struct topics *topics);

/* --- Who may ------------------------------------------------------------ */

enum topic_right {
	TOPIC_SUBSCRIBE, /* also: see it, read its items */
	TOPIC_PUBLISH,
};

/*
 * `bare` is a normalised bare JID. 0; -XYLEM_E_NOT_FOUND (no such topic);
 * -XYLEM_E_METHOD (whitelist, not listed: pubsub `closed-node`);
 * -XYLEM_E_FORBIDDEN (publishing).
 */
int topic_check(struct topics *topics, const char *name, const char *bare, enum topic_right right);
/* Is there any topic that this JID may subscribe to? */
bool topics_known(struct topics *topics, const char *bare);

/* --- What there is ------------------------------------------------------ */

struct topic_state {
	char name[128];
	char title[256];
	char description[512];
	int access;        /* enum config_access */
	int64_t max_items; /* 0: all that the journal keeps */
	uint64_t subscriptions;
	uint64_t items; /* notified since start */
};
/* Those that `bare` may subscribe to (NULL: all), sorted by name. The caller frees the array with free(). */
int topics_list(struct topics *topics, const char *bare, struct topic_state **ret_topics, size_t *ret_n);
int topic_state(struct topics *topics, const char *name, struct topic_state *ret_state);

/* --- Subscriptions ------------------------------------------------------ */

/*
 * `jid` is bare or full, normalised. Both complete on the catalogue's thread,
 * after the COMMIT; `done` must not block. Subscribing again is a success.
 * Returned at once, without `done`: -XYLEM_E_NOT_FOUND, -XYLEM_E_METHOD (see
 * topic_check), -XYLEM_E_LIMIT (10,000 subscriptions of a topic, 1,000 of a
 * bare JID), unsubscribing: -XYLEM_E_CONFLICT (not subscribed).
 */
typedef void (*topic_done)(void *context, int error);
int topic_subscribe(struct topics *topics, const char *name, const char *jid, topic_done done, void *context);
int topic_unsubscribe(
	struct topics *topics, const char *name, const char *jid, topic_done done, void *context);
bool topic_subscribed(struct topics *topics, const char *name, const char *jid);

struct topic_subscription {
	const char *topic;
	const char *jid;
};
/* Of one topic (NULL: all) and of one bare JID with its full ones (NULL: everybody's). One free() for all. */
int topic_subscriptions(struct topics *topics, const char *name, const char *bare,
	struct topic_subscription **ret_subscriptions, size_t *ret_n);

/* --- Items -------------------------------------------------------------- */

/* One item: called in the order asked for; the message is valid during the call. False ends the walk. */
typedef bool (*topic_item)(void *context, struct xylem_span id, const struct xylem_message *message);

/*
 * The newest `count` items (0: as many as the topic keeps, at most 1,000), from
 * old to new. Those that retention has removed are passed over.
 */
int topic_items(struct topics *topics, const char *name, size_t count, topic_item item, void *context,
	struct xylem_reason *reason);
/* One by its id; -XYLEM_E_NOT_FOUND. */
int topic_item_get(struct topics *topics, const char *name, struct xylem_span id, topic_item item,
	void *context, struct xylem_reason *reason);

/* Publishes; results and `done` as xylem_source_submit(). Check topic_check(TOPIC_PUBLISH) before. */
int topic_publish(struct topics *topics, const char *name, const struct xylem_message *message,
	xylem_submit_done done, void *context, struct xylem_reason *reason);

/* --- Fan-out ------------------------------------------------------------ */

/*
 * How notifications leave: attached by the XMPP face. Without an outlet an item
 * is settled as soon as it can be retrieved.
 */
struct topic_outlet {
	/*
	 * Queues one item to the subscribers. Returns when they are queued;
	 * waits for room for at most `patience_us` each time, or until *interrupted. Then
	 * `done` comes once, from any thread, when the server has confirmed all of
	 * them (error 0; a subscriber's own error is no error here) or never will.
	 * Negative return: nothing more is sent and `done` does not come.
	 */
	int (*notify)(void *outlet, const char *topic, const struct xylem_message *item,
		const char *const *subscribers, size_t n, int64_t patience_us,
		const _Atomic bool *interrupted, void (*done)(void *context, int error), void *done_context);
	/* Asks for the confirmation of what was queued so far to be fetched now. */
	void (*flush)(void *outlet);
	/* After it returns, no `done` with this context comes any more. */
	void (*forget)(void *outlet, void *done_context);
	/* How many notifications were confirmed since the start: as long as it grows, waiting is worth it. */
	uint64_t (*confirmed)(void *outlet);
	void *outlet;
};
/* NULL: detached; waits for calls under way. */
void topics_attach(struct topics *topics, const struct topic_outlet *outlet);

/*
 * The fan-out as a sink, named `subscribers`, with no options: one instance
 * serves every topic (a message's ingress says which). Its messages are those
 * of the internal routes `topic.NAME` (from `topic:NAME`). Delivered: the item
 * can be retrieved and the server has confirmed its notifications.
 */
extern const struct xylem_connector topic_fanout;

#endif
