/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The teller: a thread that says what is not an item: what was retracted,
 * purged, deleted, configured, who is subscribed now, who asks to be, and the
 * last item to a new subscriber. Whoever makes such a change is on the
 * catalogue's thread, which must not wait for the link. Every second, and between
 * tidings, it looks at what is to be done by the clock: subscriptions that end,
 * items that are carried (carry.c).
 *
 * The rule not to break: it says nothing while the fan-out stands between
 * entering a batch and queueing its notifications, so that nobody gets an item
 * after hearing that it was retracted.
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <base/thread.h>
#include <topic/state.h>
#include <xylem/log.h>

#define TIDINGS_MOST 10000U
#define TICK_US ((int64_t)1000000)

struct tiding {
	struct tiding *next;
	struct xylem_arena *arena; /* of everything */
	struct topic_event event;
	bool last_item; /* not the event: the last item of event.topic */
	struct topic_recipient *recipients;
	size_t n;
};

/* --- Queueing ------------------------------------------------------------- */

static struct tiding *tiding_free(struct tiding *tiding)
{
	if (tiding != NULL) {
		xylem_arena_free(tiding->arena);
	}
	return NULL;
}

static const char *copy(struct xylem_arena *arena, const char *text, bool *failed)
{
	const char *result = text == NULL ? NULL : xylem_arena_text(arena, xylem_span_of(text));
	*failed = *failed || (text != NULL && result == NULL);
	return result;
}

static void copy_recipient(struct xylem_arena *arena, struct topic_recipient *to,
	const struct topic_recipient *from, bool *failed)
{
	const char **subids = xylem_arena_zero(arena, (from->subid_count + 1) * sizeof(*subids));
	*failed = *failed || subids == NULL;
	to->jid = copy(arena, from->jid, failed);
	to->body = from->body;
	for (size_t i = 0; i < from->subid_count && !*failed; i++) {
		subids[i] = copy(arena, from->subids[i], failed);
	}
	to->subids = subids;
	to->subid_count = from->subid_count;
}

static struct tiding *tiding_new(
	const struct topic_event *event, const struct topic_recipient *recipients, size_t n)
{
	bool failed = false;
	struct xylem_arena *arena = xylem_arena_new(0);
	struct tiding *tiding = arena == NULL ? NULL : xylem_arena_zero(arena, sizeof(*tiding));
	if (tiding == NULL) {
		xylem_arena_free(arena);
		return NULL;
	}
	tiding->arena = arena;
	tiding->event = *event;
	tiding->event.topic = copy(arena, event->topic, &failed);
	tiding->event.item = copy(arena, event->item, &failed);
	tiding->event.jid = copy(arena, event->jid, &failed);
	tiding->event.subid = copy(arena, event->subid, &failed);
	tiding->event.state = copy(arena, event->state, &failed);
	tiding->recipients = xylem_arena_zero(arena, (n + 1) * sizeof(*tiding->recipients));
	failed = failed || tiding->recipients == NULL;
	for (size_t i = 0; i < n && !failed; i++) {
		copy_recipient(arena, &tiding->recipients[i], &recipients[i], &failed);
	}
	tiding->n = n;
	return failed ? tiding_free(tiding) : tiding;
}

static void queue(struct topics *topics, struct tiding *tiding)
{
	if (tiding == NULL) {
		return;
	}
	pthread_mutex_lock(&topics->lock);
	bool room = topics->tiding_count < TIDINGS_MOST && topics->outlet != NULL;
	if (room) {
		*topics->tidings_end = tiding;
		topics->tidings_end = &tiding->next;
		topics->tiding_count++;
		pthread_cond_broadcast(&topics->news);
	}
	pthread_mutex_unlock(&topics->lock);
	if (!room) {
		tiding_free(tiding);
	}
}

void topics_tell(struct topics *topics, const struct topic_event *event,
	const struct topic_recipient *recipients, size_t n)
{
	if (n > 0) {
		queue(topics, tiding_new(event, recipients, n));
	}
}

void topics_tell_roster(struct topics *topics, const struct topic_event *event, struct roster *roster)
{
	struct recipients recipients;
	struct roster *own = roster_ref(roster);
	if (own == NULL) {
		pthread_mutex_lock(&topics->lock);
		struct node *node = topics_find(topics, event->topic);
		if (node == NULL || !topics_told(topics, node, &own)) {
			own = NULL;
		}
		pthread_mutex_unlock(&topics->lock);
	}
	if (recipients_of(topics, &event->settings, own, &recipients)) {
		topics_tell(topics, event, recipients.items, recipients.n);
		recipients_finish(&recipients);
	}
	roster_unref(own);
}

#define OWNERS_MOST 100

void topics_tell_owners(struct topics *topics, const struct topic_event *event, const char *topic)
{
	struct topic_recipient owners[OWNERS_MOST] = { 0 };
	size_t n = 0;

	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_existing(topics, topic);
	for (size_t i = 0; node != NULL && i < node->affiliated_count && n < OWNERS_MOST; i++) {
		if (node->affiliated[i].affiliation == TOPIC_OWNER) {
			owners[n++].jid = node->affiliated[i].jid;
		}
	}
	/* Only where nobody else is: those who own every topic. */
	for (size_t i = 0; n == 0 && i < topics->generation->people_count && i < OWNERS_MOST; i++) {
		const struct person *person = &topics->generation->people[i];
		if (person->role >= ROLE_DEPLOYER) {
			owners[n++].jid = person->jid;
		}
	}
	struct tiding *tiding = n > 0 ? tiding_new(event, owners, n) : NULL;
	pthread_mutex_unlock(&topics->lock);
	queue(topics, tiding);
}

void topics_tell_last(struct topics *topics, const char *topic, const struct subscriber *subscriber)
{
	struct topic_state state;
	const char *const subids[] = { subscriber->subid };
	struct topic_recipient one = { subscriber->jid, subids, 1, subscriber->options.body };
	if (topic_state(topics, topic, &state) != 0 || state.settings.send_last == TOPIC_LAST_NEVER ||
		!state.settings.persist || !subscriber->options.deliver) {
		return;
	}
	char bare[JID_SIZE];
	bool may = jid_normalise(xylem_span_of(subscriber->jid), bare) &&
		   topic_check(topics, topic, bare, TOPIC_READ) == 0;
	struct topic_event event = { .topic = topic, .settings = state.settings };
	struct tiding *tiding = may ? tiding_new(&event, &one, 1) : NULL;
	if (tiding != NULL) {
		tiding->last_item = true;
		queue(topics, tiding);
	}
}

/* --- Telling -------------------------------------------------------------- */

struct last {
	const struct topic_outlet *outlet;
	const struct tiding *tiding;
	int error;
};

static bool tell_item(void *context, struct xylem_span id, const struct xylem_message *message)
{
	struct last *last = context;
	const struct tiding *tiding = last->tiding;
	last->error = last->outlet->tell(
		last->outlet->outlet, &tiding->event, message, tiding->recipients, tiding->n);
	return true;
}

/* Negative: to be said again later. */
static int say(struct topics *topics, const struct tiding *tiding)
{
	const struct topic_outlet *outlet = outlet_take(topics);
	struct last last = { outlet, tiding, 0 };
	const struct topic_query newest = { .count = 1, .backward = true };
	struct topic_page page;
	struct xylem_reason reason = { "" };

	if (outlet != NULL && tiding->last_item) {
		(void)topic_items(topics, tiding->event.topic, &newest, tell_item, &last, &page, &reason);
	} else if (outlet != NULL) {
		last.error = outlet->tell(
			outlet->outlet, &tiding->event, NULL, tiding->recipients, tiding->n);
	}
	outlet_release(topics);
	return last.error;
}

/* Under the lock; NULL: there is nothing to say now. */
static struct tiding *next_tiding(struct topics *topics, int64_t not_before)
{
	bool now = topics->fanning == 0 && clock_mono_us() >= not_before;
	struct tiding *tiding = now ? topics->tidings : NULL;
	if (tiding != NULL) {
		topics->tidings = tiding->next;
		topics->tidings_end = topics->tidings == NULL ? &topics->tidings : topics->tidings_end;
		topics->tiding_count--;
	}
	return tiding;
}

/* What could not be said stays the first: the link is down, and will come back. */
static void put_back(struct topics *topics, struct tiding *tiding)
{
	pthread_mutex_lock(&topics->lock);
	tiding->next = topics->tidings;
	topics->tidings = tiding;
	topics->tidings_end = tiding->next == NULL ? &tiding->next : topics->tidings_end;
	topics->tiding_count++;
	pthread_mutex_unlock(&topics->lock);
}

static void *tell_all(void *context)
{
	struct topics *topics = context;
	int64_t tick = clock_mono_us() + TICK_US, not_before = 0;

	pthread_mutex_lock(&topics->lock);
	while (!topics->stopping) {
		struct tiding *tiding = next_tiding(topics, not_before);
		if (tiding == NULL && clock_mono_us() < tick) {
			struct timespec until = clock_timespec(tick);
			pthread_cond_clockwait(&topics->news, &topics->lock, CLOCK_MONOTONIC, &until);
			continue;
		}
		pthread_mutex_unlock(&topics->lock);
		if (tiding != NULL && say(topics, tiding) < 0) {
			put_back(topics, tiding);
			not_before = clock_mono_us() + TICK_US;
		} else if (tiding != NULL) {
			tiding_free(tiding);
		} else {
			topics_tick(topics);
			tick = clock_mono_us() + (topics_carry(topics) ? 0 : TICK_US);
		}
		pthread_mutex_lock(&topics->lock);
	}
	pthread_mutex_unlock(&topics->lock);
	return NULL;
}

void topics_fanning(struct topics *topics, bool begins)
{
	pthread_mutex_lock(&topics->lock);
	topics->fanning += begins ? 1U : (unsigned)-1;
	if (topics->fanning == 0) {
		pthread_cond_broadcast(&topics->news);
	}
	pthread_mutex_unlock(&topics->lock);
}

/* --- Life ----------------------------------------------------------------- */

int teller_start(struct topics *topics, struct xylem_reason *reason)
{
	int error = thread_start(&topics->teller, "topics", 0, tell_all, topics);
	topics->telling = error == 0;
	if (error != 0) {
		xylem_reason_set(reason, "topics: a thread cannot be started");
	}
	return error;
}

void teller_stop(struct topics *topics)
{
	if (topics->telling) {
		pthread_mutex_lock(&topics->lock);
		topics->stopping = true;
		pthread_cond_broadcast(&topics->news);
		pthread_mutex_unlock(&topics->lock);
		pthread_join(topics->teller, NULL);
		topics->telling = false;
	}
	while (topics->tidings != NULL) {
		struct tiding *tiding = topics->tidings;
		topics->tidings = tiding->next;
		tiding_free(tiding);
	}
}
