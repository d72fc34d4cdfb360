/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_TOPIC_H
#define TOPIC_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include <catalogue/catalogue.h>
#include <config/config.h>
#include <journal/journal.h>
#include <topic/settings.h>
#include <xylem/connector.h>

/*
 * Topics: named streams that people and programs subscribe to. A topic's items
 * are the journal's records with the ingress `topic:NAME`; the catalogue keeps
 * which records those are, who is subscribed, who may what, and the topics that
 * clients made. A topic of the configuration and one of a client are the same
 * thing. The faces (PubSub now; SSE and Web Push beside it) reach topics through
 * this header; how notifications leave is an outlet that a face attaches.
 * docs/topics.md.
 */
struct topics;

/* What topics need of the bus. Everything stays valid until topics_free(). */
struct topics_bus {
	struct journal *journal;
	struct catalogue *catalogue;
	/*
	 * Hands published messages to the intake, as xylem_source_submit() does on
	 * the door of `ingress` (`topic:NAME`): same results, same `done`.
	 */
	int (*publish)(void *context, const char *ingress, const struct xylem_message *messages, size_t n,
		xylem_submit_done done, void *done_context, struct xylem_reason *reason);
	void *context;
};

/* Reads topics, subscriptions and affiliations from the catalogue. */
int topics_new(struct topics **ret_topics, const struct topics_bus *bus, struct xylem_reason *reason);
/* After every lane with the fan-out sink and every face has stopped; waits for catalogue jobs under way. */
struct topics *topics_free(struct topics *topics);

/*
 * The topics of a generation replace those before: titles, access, users. The
 * view is only read during the call. What people made of a removed topic is kept,
 * and counts again when its name returns. Any thread. -XYLEM_E_MEMORY changes nothing.
 */
int topics_apply(struct topics *topics, const struct config_view *view);

/* The process's topics, for topic_fanout; set by main before lanes start, NULL after they stopped. */
struct topics *topics_current(void);
void topics_make_current(struct topics *topics);

#define TOPIC_NAME_SIZE 128   /* with its terminator */
#define TOPIC_BATCH_MOST 100U /* items published or retracted at once */
#define TOPIC_SUBID_SIZE 17   /* 16 hexadecimal digits */

/*
 * What changes the catalogue completes on its thread, after the COMMIT (error
 * 0); `done` must not block. An error that is returned at once: no `done` comes.
 */
typedef void (*topic_done)(void *context, int error);

/* --- Who may ------------------------------------------------------------ */

enum topic_affiliation {
	TOPIC_NONE,
	TOPIC_OUTCAST,
	TOPIC_MEMBER,
	TOPIC_PUBLISH_ONLY,
	TOPIC_PUBLISHER,
	TOPIC_OWNER,
};
const char *topic_affiliation_name(enum topic_affiliation affiliation);
/* False: no such word. */
bool topic_affiliation_of(struct xylem_span name, enum topic_affiliation *ret_affiliation);

enum topic_right {
	TOPIC_SEE,       /* that it exists */
	TOPIC_SUBSCRIBE, /* or ask an owner for it */
	TOPIC_READ,      /* its items */
	TOPIC_PUBLISH,
	TOPIC_OWN, /* configure, delete, purge, manage */
};

/*
 * `bare` is a normalised bare JID. 0; -XYLEM_E_NOT_FOUND (no such topic);
 * -XYLEM_E_METHOD (whitelist, not listed: pubsub `closed-node`);
 * -XYLEM_E_UNAUTHORIZED (reading: only subscribers may); -XYLEM_E_FORBIDDEN.
 */
int topic_check(struct topics *topics, const char *name, const char *bare, enum topic_right right);
/* What they are to the topic, of whatever source; TOPIC_NONE also without the topic. */
enum topic_affiliation topic_affiliation(struct topics *topics, const char *name, const char *bare);
/* Is there any topic that this JID may see? */
bool topics_known(struct topics *topics, const char *bare);
/* May they make topics: users from role deployer on, and those of `xmpp.create`. */
bool topics_may_create(struct topics *topics, const char *bare);
/* What a topic that they make begins with: the defaults, and `xmpp.create_access`. */
void topics_new_settings(struct topics *topics, struct topic_settings *ret_settings);

struct topic_affiliated {
	const char *topic;
	const char *jid; /* bare */
	enum topic_affiliation affiliation;
};
/*
 * Of one topic (NULL: all) and of one JID (NULL: everybody's whom somebody has
 * affiliated, and those of the configuration). One free() for all.
 */
int topic_affiliations(struct topics *topics, const char *name, const char *bare,
	struct topic_affiliated **ret_affiliated, size_t *ret_n);
/*
 * Gives one JID an affiliation; TOPIC_NONE takes it away. -XYLEM_E_NOT_FOUND;
 * -XYLEM_E_UNPROCESSABLE: the last owner, or what the configuration says
 * otherwise; -XYLEM_E_LIMIT: 1,000 of a topic. An outcast's subscriptions end.
 */
int topic_affiliate(struct topics *topics, const char *name, const char *bare,
	enum topic_affiliation affiliation, topic_done done, void *context);

/* --- What there is ------------------------------------------------------ */

struct topic_state {
	char name[TOPIC_NAME_SIZE];
	struct topic_settings settings;
	bool declared; /* under `topics` of the configuration */
	char creator[256];
	int64_t created_us;     /* 0: of the configuration */
	uint64_t subscriptions; /* those that are pending not counted */
	uint64_t items;         /* notified since start */
};
/* Those that `bare` may see (NULL: all), sorted by name. The caller frees the array with free(). */
int topics_list(struct topics *topics, const char *bare, struct topic_state **ret_topics, size_t *ret_n);
int topic_state(struct topics *topics, const char *name, struct topic_state *ret_state);
bool topic_exists(struct topics *topics, const char *name);

/*
 * Makes a topic of the settings, with `creator` as its owner. -XYLEM_E_CONFLICT:
 * there is one; -XYLEM_E_INVALID: not a name (empty, 120 bytes or more,
 * a control character, or *); -XYLEM_E_LIMIT: 10,000 topics.
 */
int topic_create(struct topics *topics, const char *name, const char *creator,
	const struct topic_settings *settings, topic_done done, void *context);
/*
 * Replaces the settings and tells the subscribers if `notify_config`.
 * -XYLEM_E_METHOD: one that the configuration declares would change.
 */
int topic_configure(struct topics *topics, const char *name, const struct topic_settings *settings,
	topic_done done, void *context);
/* With its subscriptions and affiliations. -XYLEM_E_METHOD: it is declared in the configuration, or a route names it. */
int topic_delete(struct topics *topics, const char *name, topic_done done, void *context);

/* --- Subscriptions ------------------------------------------------------ */

struct topic_subscription_options {
	bool deliver;
	bool body;          /* notifications carry a text too */
	bool temporary;     /* ends when the subscriber goes offline */
	int64_t expires_us; /* 0: never */
	unsigned show;      /* set of TOPIC_SHOW_...: delivered only then; 0: always */
};
enum topic_show {
	TOPIC_SHOW_ONLINE = 1,
	TOPIC_SHOW_CHAT = 2,
	TOPIC_SHOW_AWAY = 4,
	TOPIC_SHOW_XA = 8,
	TOPIC_SHOW_DND = 16
};
void topic_subscription_default(struct topic_subscription_options *options);

struct topic_subscription {
	const char *topic;
	const char *jid;
	char subid[TOPIC_SUBID_SIZE];
	bool pending;
	struct topic_subscription_options options;
};

/* `subscription` is valid during the call. */
typedef void (*topic_subscribed)(void *context, int error, const struct topic_subscription *subscription);
/*
 * `jid` is bare or full, normalised. With `options` that differ from those of
 * the subscriptions that there are, another one is made; otherwise the one that
 * there is is given. Where owners approve, it is pending and they are asked.
 * Returned at once: what topic_check() says; -XYLEM_E_CONFLICT (pending
 * already); -XYLEM_E_UNSUPPORTED (the topic takes none); -XYLEM_E_LIMIT (10,000
 * of a topic, 1,000 of a bare JID, 10 of one JID and topic).
 */
int topic_subscribe(struct topics *topics, const char *name, const char *jid,
	const struct topic_subscription_options *options, topic_subscribed done, void *context);
/*
 * One subscription; `subid` absent: the only one. -XYLEM_E_NOT_FOUND (no such
 * topic); -XYLEM_E_CONFLICT (not subscribed); -XYLEM_E_INVALID (several, and none
 * is named); -XYLEM_E_UNPROCESSABLE (no such subid). `jid` and `topic` of the
 * result are those given.
 */
int topic_subscription(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	struct topic_subscription *ret_subscription);
/* Errors as topic_subscription(). */
int topic_unsubscribe(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	topic_done done, void *context);
int topic_subscription_set(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	const struct topic_subscription_options *options, topic_done done, void *context);
/* An owner subscribes somebody, approves, denies or ends it (`subscribed` false); they are told. */
int topic_subscription_decide(struct topics *topics, const char *name, const char *jid,
	struct xylem_span subid, bool subscribed, topic_done done, void *context);

/* Of one topic (NULL: all) and of one bare JID with its full ones (NULL: everybody's). One free() for all. */
int topic_subscriptions(struct topics *topics, const char *name, const char *bare,
	struct topic_subscription **ret_subscriptions, size_t *ret_n);
/* Asks the owner `bare` again about every pending subscription of the topic; how many there are. */
int topic_ask_pending(struct topics *topics, const char *name, const char *bare, size_t *ret_n);

/*
 * Somebody came online (`show` one of TOPIC_SHOW_...) or went (0). `full` with
 * its resource; without one, and 0: with all of them. Kept only for those who are subscribed somewhere; at most 100,000.
 */
void topics_presence(struct topics *topics, const char *full, unsigned show);

/*
 * An error came back from the address for a notification; `type` and `condition` are its own (RFC 6120,
 * 8.3). After a day of errors that time does not mend its subscriptions end. Any thread.
 */
void topics_refused(struct topics *topics, const char *jid, const char *type, const char *condition);
/* Something else came from the bare address. Costs nothing where nobody refuses. */
void topics_alive(struct topics *topics, const char *bare);

/* --- Items -------------------------------------------------------------- */

/* One item: called in the order asked for; the message is valid during the call. False ends the walk. */
typedef bool (*topic_item)(void *context, struct xylem_span id, const struct xylem_message *message);

/* Which items, in the order of their publication. */
struct topic_query {
	size_t count;               /* at most; 0 or more than 1,000: 1,000 */
	bool backward;              /* of the end of what is asked for; still given old to new */
	uint64_t skip;              /* so many of the beginning */
	int64_t from_us, until_us;  /* 0: no bound */
	bool has_after, has_before; /* exclusive */
	struct xylem_position after, before;
};
struct topic_page {
	uint64_t total; /* items within the times and the bounds of the query's before and after */
	uint64_t index; /* of the first given, in `total` */
	size_t n;       /* found; those that retention has removed are passed over */
};
/* -XYLEM_E_NOT_FOUND: no such topic; -XYLEM_E_UNSUPPORTED: it does not persist items. */
int topic_items(struct topics *topics, const char *name, const struct topic_query *query, topic_item item,
	void *context, struct topic_page *ret_page, struct xylem_reason *reason);
/* One by its id; -XYLEM_E_NOT_FOUND, and as above. */
int topic_item_get(struct topics *topics, const char *name, struct xylem_span id, topic_item item,
	void *context, struct xylem_reason *reason);
/* Where its record is; by id, or by handle (then: is that one of its items?). -XYLEM_E_NOT_FOUND. */
int topic_item_find(struct topics *topics, const char *name, struct xylem_span id,
	struct xylem_position *ret_position, struct xylem_reason *reason);
int topic_item_check(
	struct topics *topics, const char *name, struct xylem_position position, struct xylem_reason *reason);

/*
 * Publishes, all or none; results as xylem_source_submit(), and -XYLEM_E_NOT_FOUND,
 * -XYLEM_E_CONFLICT (full, and it rejects). `done` comes when the items are on
 * disk and can be retrieved. Check topic_check(TOPIC_PUBLISH) before.
 */
int topic_publish(struct topics *topics, const char *name, const struct xylem_message *messages, size_t n,
	topic_done done, void *context, struct xylem_reason *reason);
/*
 * All or none, at most TOPIC_BATCH_MOST. After the COMMIT they cannot be retrieved any more.
 * `done`: -XYLEM_E_NOT_FOUND (one of them). `notify`: tell even if the topic does not.
 */
int topic_retract(struct topics *topics, const char *name, const struct xylem_span *ids, size_t n,
	bool notify, topic_done done, void *context);
int topic_purge(struct topics *topics, const char *name, topic_done done, void *context);

/* --- Fan-out ------------------------------------------------------------ */

/* One notification. An address with several subscriptions gets one, with all their ids. */
struct topic_recipient {
	const char *jid;
	const char *const *subids;
	size_t subid_count;
	bool body;
};

/* What is told beside items. */
enum topic_event_kind {
	TOPIC_EVENT_RETRACTED,
	TOPIC_EVENT_PURGED,
	TOPIC_EVENT_DELETED,
	TOPIC_EVENT_CONFIGURED,
	TOPIC_EVENT_SUBSCRIPTION, /* to the subscriber, or to owners: the state of a subscription */
	TOPIC_EVENT_REQUEST,      /* to owners: somebody asks to be subscribed */
	TOPIC_EVENT_AFFILIATION,  /* to the one concerned */
};
struct topic_event {
	enum topic_event_kind kind;
	const char *topic;
	struct topic_settings settings;
	const char *item;  /* RETRACTED */
	const char *jid;   /* SUBSCRIPTION, REQUEST, AFFILIATION: whose */
	const char *subid; /* SUBSCRIPTION, REQUEST */
	const char *state; /* SUBSCRIPTION: subscribed, pending, none; AFFILIATION: its name */
};

/*
 * How notifications leave: attached by the XMPP face. Without an outlet an item
 * is settled as soon as it can be retrieved.
 */
struct topic_outlet {
	/*
	 * Queues one item to the recipients. Returns when they are queued, which may
	 * be well before they are written: flush() follows the last of several. Waits
	 * for room for at most `patience_us` each time, or until *interrupted. Then
	 * `done` comes once, from any thread, when the server has confirmed all of
	 * them (error 0; a subscriber's own error is no error here) or never will.
	 * Negative return: nothing more is sent and `done` does not come.
	 */
	int (*notify)(void *outlet, const char *topic, const struct topic_settings *settings,
		const struct xylem_message *item, const struct topic_recipient *recipients, size_t n,
		int64_t patience_us, const _Atomic bool *interrupted, void (*done)(void *context, int error),
		void *done_context);
	/*
	 * Queues an event, or one item that was published before (`item`); waits for room for some seconds at
	 * most. A negative return, such as -XYLEM_E_UNREACHABLE: it is told again later, to all of them.
	 */
	int (*tell)(void *outlet, const struct topic_event *event, const struct xylem_message *item,
		const struct topic_recipient *recipients, size_t n);
	/* Writes what was queued so far, and fetches its confirmation, now. */
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
 * of the internal route `bus.topics` (from every topic). Delivered: the item
 * can be retrieved and the server has confirmed its notifications.
 */
extern const struct xylem_connector topic_fanout;

#endif
