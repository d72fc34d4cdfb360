/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is subscribed. The catalogue has the truth; rosters in memory follow it
 * after each COMMIT, in the order of the commits, so that what was answered to
 * a subscriber is on disk.
 *
 * One address has one subscription, which a repeat gives again; it has another
 * one when it subscribes with other options (XEP-0060, 6.1.6).
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <topic/state.h>
#include <topic/subscription_row.h>

#define SUBSCRIPTIONS_OF_TOPIC 10000U
#define SUBSCRIPTIONS_OF_PERSON 1000U
#define SUBSCRIPTIONS_OF_ADDRESS 10U

void topic_subscription_default(struct topic_subscription_options *options)
{
	*options = (struct topic_subscription_options){ .deliver = true };
}

static bool same_options(
	const struct topic_subscription_options *a, const struct topic_subscription_options *b)
{
	return a->deliver == b->deliver && a->body == b->body && a->temporary == b->temporary &&
	       a->expires_us == b->expires_us && a->show == b->show;
}

/* --- Following ------------------------------------------------------------ */

/* Under the lock: takes the new roster over. */
static int replace(struct node *node, struct roster *roster)
{
	if (roster == NULL) {
		return -XYLEM_E_MEMORY;
	}
	roster_unref(node->roster);
	node->roster = roster;
	node_changed(node);
	return 0;
}

static void note_expiry(struct topics *topics, int64_t expires_us)
{
	if (expires_us > 0 && (topics->next_expiry_us == 0 || expires_us < topics->next_expiry_us)) {
		topics->next_expiry_us = expires_us;
	}
}

static int follow_put(struct change *change)
{
	struct node *node = topics_node(change->topics, change->topic);
	size_t n;
	if (node == NULL) {
		return -XYLEM_E_MEMORY;
	}
	const struct subscriber *there = roster_find(node->roster, change->jid, &n);
	if (change->flag && there != NULL) { /* somebody was quicker */
		char *jid = xylem_arena_text(change->arena, xylem_span_of(there->jid));
		change->subscriber = *there;
		change->subscriber.jid = jid;
		change->tell = NULL;
		return jid != NULL ? 0 : -XYLEM_E_MEMORY;
	}
	note_expiry(change->topics, change->subscriber.options.expires_us);
	return replace(node, roster_with(node->roster, &change->subscriber));
}

static int follow_taken(struct change *change)
{
	struct node *node = topics_find(change->topics, change->topic);
	if (node == NULL) {
		return 0;
	}
	change->settings = node->settings;
	return replace(node, roster_without(node->roster, change->jid, change->subscriber.subid));
}

/* --- Telling -------------------------------------------------------------- */

static struct topic_event state_event(struct change *change, const char *state)
{
	return (struct topic_event){ .kind = TOPIC_EVENT_SUBSCRIPTION,
		.topic = change->topic,
		.jid = change->jid,
		.subid = change->subscriber.subid,
		.state = state };
}

static void tell_owners(struct change *change, const char *state)
{
	struct topic_state topic;
	struct topic_event event = state_event(change, state);
	if (topic_state(change->topics, change->topic, &topic) == 0 && topic.settings.notify_subscribers) {
		topics_tell_owners(change->topics, &event, change->topic);
	}
}

static void tell_subscriber(struct change *change, const char *state)
{
	struct topic_event event = state_event(change, state);
	struct topic_recipient one = { .jid = change->jid };
	topics_tell(change->topics, &event, &one, 1);
}

static void tell_new(struct change *change)
{
	struct topic_event request = { .kind = TOPIC_EVENT_REQUEST,
		.topic = change->topic,
		.jid = change->jid,
		.subid = change->subscriber.subid };
	if (change->subscriber.pending) {
		topics_tell_owners(change->topics, &request, change->topic);
	} else {
		topics_tell_last(change->topics, change->topic, &change->subscriber);
		tell_owners(change, "subscribed");
	}
}

static void tell_gone(struct change *change)
{
	tell_owners(change, "none");
}

static void tell_decided(struct change *change)
{
	tell_subscriber(change, "subscribed");
	tell_new(change);
}

static void tell_ended(struct change *change)
{
	tell_subscriber(change, "none");
	tell_gone(change);
}

/* --- Making --------------------------------------------------------------- */

static struct change *put_new(struct topics *topics, const char *name, const struct subscriber *subscriber)
{
	struct change *change = change_new(topics, name, subscriber->jid);
	if (change != NULL) {
		change->subscriber = *subscriber;
		change->subscriber.jid = change->jid;
		change->write = subscription_write;
		change->follow = follow_put;
	}
	return change;
}

static struct change *take_new(struct topics *topics, const char *name, const char *jid, const char *subid)
{
	struct change *change = change_new(topics, name, jid);
	if (change != NULL) {
		memcpy(change->subscriber.subid, subid, TOPIC_SUBID_SIZE);
		change->subscriber.jid = change->jid;
		change->write = subscription_delete;
		change->follow = follow_taken;
	}
	return change;
}

static int submit(struct change *change, topic_done done, void *context)
{
	if (change == NULL) {
		return -XYLEM_E_MEMORY;
	}
	change->done = done;
	change->context = context;
	return change_submit(change);
}

/* --- Subscribing ---------------------------------------------------------- */

/* Under the lock: of all topics; a full address counts for its bare one. */
static size_t count_person(const struct topics *topics, const char *bare)
{
	size_t n = 0, active;
	for (size_t i = 0; i < topics->node_count; i++) {
		n += roster_count(topics->nodes[i]->roster, bare, &active);
	}
	return n;
}

/* Under the lock: the one there is that a request is answered with; NULL: another is to be made. */
static const struct subscriber *existing(const struct node *node, const char *jid,
	const struct topic_subscription_options *options, int *ret_error)
{
	size_t n, pending = 0;
	const struct subscriber *first = roster_find(node->roster, jid, &n), *found = NULL;
	for (size_t i = 0; i < n; i++) {
		pending += first[i].pending ? 1 : 0;
		bool fits = options == NULL || same_options(&first[i].options, options);
		found = found == NULL && fits && !first[i].pending ? &first[i] : found;
	}
	*ret_error = found == NULL && pending > 0                     ? -XYLEM_E_CONFLICT
		     : found == NULL && n >= SUBSCRIPTIONS_OF_ADDRESS ? -XYLEM_E_LIMIT
								      : 0;
	return found;
}

/* Under the lock: what a new subscription of this address is. */
static int prepare(const struct topics *topics, const struct node *node, const char *jid,
	const struct topic_subscription_options *options, struct subscriber *ret_subscriber)
{
	char bare[JID_SIZE];
	if (!jid_normalise(xylem_span_of(jid), bare)) {
		return -XYLEM_E_INVALID;
	}
	int error = topics_right(topics, node, bare, TOPIC_SUBSCRIBE);
	if (error != 0) {
		return error;
	}
	if (!node->settings.subscribe) {
		return -XYLEM_E_UNSUPPORTED;
	}
	bool full = node->roster != NULL && node->roster->n >= SUBSCRIPTIONS_OF_TOPIC;
	if (full || count_person(topics, bare) >= SUBSCRIPTIONS_OF_PERSON) {
		return -XYLEM_E_LIMIT;
	}
	*ret_subscriber = (struct subscriber){ .jid = jid };
	subscription_name(ret_subscriber->subid);
	topic_subscription_default(&ret_subscriber->options);
	if (options != NULL) {
		ret_subscriber->options = *options;
	}
	ret_subscriber->options.temporary |= node->settings.temporary;
	ret_subscriber->pending = node->settings.access == ACCESS_AUTHORIZE &&
				  topics_affiliation(topics, node, bare) < TOPIC_MEMBER;
	return 0;
}

static void give(const char *name, const struct subscriber *there, struct topic_subscription *ret_given)
{
	*ret_given = (struct topic_subscription){
		.topic = name, .jid = there->jid, .pending = there->pending, .options = there->options
	};
	memcpy(ret_given->subid, there->subid, TOPIC_SUBID_SIZE);
}

int topic_subscribe(struct topics *topics, const char *name, const char *jid,
	const struct topic_subscription_options *options, topic_subscribed done, void *context)
{
	struct subscriber subscriber;
	struct topic_subscription given;
	const struct subscriber *there = NULL;

	pthread_mutex_lock(&topics->lock);
	struct node *node = topics_find(topics, name);
	int error = prepare(topics, node, jid, options, &subscriber), limit = 0;
	bool first = node != NULL;
	if (error == 0 || error == -XYLEM_E_LIMIT) {
		size_t n;
		there = existing(node, jid, options, &limit);
		first = roster_find(node->roster, jid, &n) == NULL;
	}
	if (there != NULL) {
		give(name, there, &given);
		given.jid = jid;
	}
	pthread_mutex_unlock(&topics->lock);
	if (there != NULL) {
		done(context, 0, &given);
		return 0;
	}
	if (error != 0 || limit != 0) {
		return limit != 0 ? limit : error;
	}
	struct change *change = put_new(topics, name, &subscriber);
	if (change != NULL) {
		change->flag = first;
		change->tell = tell_new;
		change->subscribed = done;
	}
	return submit(change, NULL, context);
}

/* --- One of them ---------------------------------------------------------- */

/* Under the lock. */
static int pick(const struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	const struct subscriber **ret_subscriber)
{
	size_t n;
	const struct node *node = topics_existing(topics, name);
	if (node == NULL) {
		return -XYLEM_E_NOT_FOUND;
	}
	const struct subscriber *first = roster_find(node->roster, jid, &n);
	if (n == 0) {
		return -XYLEM_E_CONFLICT;
	}
	if (!xylem_span_present(subid)) {
		*ret_subscriber = first;
		return n == 1 ? 0 : -XYLEM_E_INVALID;
	}
	for (size_t i = 0; i < n; i++) {
		if (xylem_span_is(subid, first[i].subid)) {
			*ret_subscriber = &first[i];
			return 0;
		}
	}
	return -XYLEM_E_UNPROCESSABLE;
}

int topic_subscription(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	struct topic_subscription *ret_subscription)
{
	const struct subscriber *found;

	pthread_mutex_lock(&topics->lock);
	int error = pick(topics, name, jid, subid, &found);
	if (error == 0) {
		give(name, found, ret_subscription);
		ret_subscription->jid = jid;
	}
	pthread_mutex_unlock(&topics->lock);
	return error;
}

static int take(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	void (*tell)(struct change *change), topic_done done, void *context)
{
	struct topic_subscription found;
	int error = topic_subscription(topics, name, jid, subid, &found);
	if (error != 0) {
		return error;
	}
	struct change *change = take_new(topics, name, jid, found.subid);
	if (change != NULL) {
		change->tell = tell;
	}
	return submit(change, done, context);
}

int topic_unsubscribe(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	topic_done done, void *context)
{
	return take(topics, name, jid, subid, tell_gone, done, context);
}

int topic_subscription_set(struct topics *topics, const char *name, const char *jid, struct xylem_span subid,
	const struct topic_subscription_options *options, topic_done done, void *context)
{
	struct topic_subscription found;
	int error = topic_subscription(topics, name, jid, subid, &found);
	if (error != 0) {
		return error;
	}
	struct subscriber subscriber = { .jid = jid, .pending = found.pending, .options = *options };
	memcpy(subscriber.subid, found.subid, TOPIC_SUBID_SIZE);
	return submit(put_new(topics, name, &subscriber), done, context);
}

int topic_subscription_decide(struct topics *topics, const char *name, const char *jid,
	struct xylem_span subid, bool subscribed, topic_done done, void *context)
{
	struct topic_subscription found;
	if (!subscribed) {
		return take(topics, name, jid, subid, tell_ended, done, context);
	}
	int error = topic_subscription(topics, name, jid, subid, &found);
	struct subscriber subscriber = { .jid = jid };
	topic_subscription_default(&subscriber.options);
	if (error == 0) {
		subscriber.options = found.options;
		memcpy(subscriber.subid, found.subid, TOPIC_SUBID_SIZE);
	} else if (error == -XYLEM_E_CONFLICT && !xylem_span_present(subid)) {
		subscription_name(subscriber.subid);
	} else {
		return error;
	}
	struct change *change = put_new(topics, name, &subscriber);
	if (change != NULL) {
		change->tell = error == 0 && !found.pending ? NULL : tell_decided;
	}
	return submit(change, done, context);
}

void topics_review(struct topics *topics, const char *topic, const char *bare)
{
	char own[JID_SIZE];
	struct topic_state state;
	struct topic_subscription *list = NULL;
	size_t n = 0;

	if (topic_state(topics, topic, &state) != 0 ||
		topic_subscriptions(topics, topic, bare, &list, &n) != 0) {
		return;
	}
	bool closed = state.settings.access == ACCESS_WHITELIST;
	for (size_t i = 0; i < n; i++) {
		bool valid = jid_normalise(xylem_span_of(list[i].jid), own);
		int right = valid ? topic_check(topics, topic, own, TOPIC_READ) : -XYLEM_E_FORBIDDEN;
		bool ends = right == -XYLEM_E_FORBIDDEN ||
			    (right == -XYLEM_E_METHOD && (closed || !list[i].pending));
		if (ends || (list[i].pending && right == 0)) {
			(void)topic_subscription_decide(
				topics, topic, list[i].jid, xylem_span_of(list[i].subid), !ends, NULL, NULL);
		}
	}
	free(list);
}

/* --- At their time -------------------------------------------------------- */

struct end {
	char *topic, *jid;
	char subid[TOPIC_SUBID_SIZE];
};

#define ENDS_AT_ONCE 256

/* Under the lock: those that end now, and when to look again. */
static size_t collect_ended(struct topics *topics, int64_t now, struct end *ends)
{
	size_t n = 0;
	topics->next_expiry_us = 0;
	for (size_t i = 0; i < topics->node_count; i++) {
		const struct roster *roster = topics->nodes[i]->roster;
		for (size_t j = 0; roster != NULL && j < roster->n; j++) {
			const struct subscriber *one = &roster->items[j];
			bool ended = one->options.expires_us > 0 && one->options.expires_us <= now;
			if (ended && n < ENDS_AT_ONCE) {
				ends[n] = (struct end){ strdup(topics->nodes[i]->name), strdup(one->jid),
					"" };
				memcpy(ends[n++].subid, one->subid, TOPIC_SUBID_SIZE);
			}
			note_expiry(topics, one->options.expires_us);
		}
	}
	return n;
}

void topics_tick(struct topics *topics)
{
	struct end ends[ENDS_AT_ONCE];
	size_t n = 0;
	int64_t now = clock_wall_us();

	pthread_mutex_lock(&topics->lock);
	if (topics->next_expiry_us > 0 && topics->next_expiry_us <= now) {
		n = collect_ended(topics, now, ends);
	}
	pthread_mutex_unlock(&topics->lock);
	for (size_t i = 0; i < n; i++) {
		if (ends[i].topic != NULL && ends[i].jid != NULL) {
			(void)take(topics, ends[i].topic, ends[i].jid, xylem_span_of(ends[i].subid),
				tell_ended, NULL, NULL);
		}
		free(ends[i].topic);
		free(ends[i].jid);
	}
}

int topic_ask_pending(struct topics *topics, const char *name, const char *bare, size_t *ret_n)
{
	struct topic_subscription *list;
	size_t n, asked = 0;
	int error = topic_subscriptions(topics, name, NULL, &list, &n);

	for (size_t i = 0; error == 0 && i < n; i++) {
		struct topic_event request = {
			.kind = TOPIC_EVENT_REQUEST, .topic = name, .jid = list[i].jid, .subid = list[i].subid
		};
		struct topic_recipient one = { .jid = bare };
		if (list[i].pending) {
			topics_tell(topics, &request, &one, 1);
			asked++;
		}
	}
	if (error == 0) {
		free(list);
		*ret_n = asked;
	}
	return error;
}

/* --- Lists ---------------------------------------------------------------- */

struct collection {
	struct topic_subscription *list; /* NULL: only measured */
	char *text;
	size_t n, text_n;
};

static void collect(struct collection *collection, const char *name, const struct subscriber *subscriber)
{
	size_t name_n = strlen(name) + 1, jid_n = strlen(subscriber->jid) + 1;

	if (collection->list != NULL) {
		char *at = collection->text + collection->text_n;
		memcpy(at, name, name_n);
		memcpy(at + name_n, subscriber->jid, jid_n);
		struct topic_subscription *to = &collection->list[collection->n];
		give(at, subscriber, to);
		to->jid = at + name_n;
	}
	collection->n++;
	collection->text_n += name_n + jid_n;
}

static void collect_all(
	const struct topics *topics, const char *name, const char *bare, struct collection *collection)
{
	collection->n = collection->text_n = 0;
	for (size_t i = 0; i < topics->node_count; i++) {
		const struct node *node = topics->nodes[i];
		if (!node_exists(node) || (name != NULL && strcmp(name, node->name) != 0)) {
			continue;
		}
		for (size_t j = 0; node->roster != NULL && j < node->roster->n; j++) {
			const struct subscriber *one = &node->roster->items[j];
			if (bare == NULL || xylem_span_is(jid_bare(xylem_span_of(one->jid)), bare)) {
				collect(collection, node->name, one);
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
