/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How topics' items leave: one notification (XEP-0060, 7.1.2.1) to each
 * subscriber, of type `normal`, since a headline is dropped for whoever is
 * offline. The part that all notifications of an item share is written once.
 *
 * An item's notifications are counted together: the topic is told once, when
 * the last is confirmed. A subscriber's error (a vanished account, a full
 * offline store) is logged and is nobody else's problem. An item that does not
 * fit into a stanza is announced without its payload, to be fetched elsewhere.
 *
 * The rule not to break: the id of a notification is made from the item and its
 * place in the journal, so that a repeat after a crash carries the same one.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <xylem/log.h>
#include <xmpp/feature.h>
#include <xmpp/payload.h>

/* All notifications of one item. */
struct notice {
	struct notice *next;
	struct event_outlet *outlet;
	size_t waiting; /* under the outlet's lock */
	int error;
	bool queueing;   /* notify() still adds: it completes */
	bool completing; /* its `done` is being called */
	void (*done)(void *context, int error);
	void *context;
};

struct event_outlet {
	struct link *link;
	pthread_mutex_t lock;
	pthread_cond_t completed;
	struct notice *notices;
	_Atomic uint64_t confirmed;
	struct topic_outlet face;
};

/* --- What is written ------------------------------------------------------ */

void pubsub_write_item(struct xylem_buffer *out, const struct xylem_message *message, bool with_payload)
{
	xylem_buffer_text(out, "<item");
	xml_write_attribute(out, "id", message->id);
	if (!with_payload) {
		xylem_buffer_text(out, "/>");
		return;
	}
	XYLEM_BUFFER_SCOPED json = { 0 };
	xylem_message_write_json(message, &json);
	xylem_buffer_text(out, "><json xmlns='" NS_JSON "'>");
	payload_write_json(out, xylem_buffer_borrow(&json));
	xylem_buffer_text(out, "</json></item>");
	if (xylem_buffer_failed(&json)) {
		out->failed = true;
	}
}

static void write_event(
	struct xylem_buffer *out, const char *topic, const struct xylem_message *item, bool with_payload)
{
	xylem_buffer_text(out, "><event xmlns='" NS_PUBSUB_EVENT "'><items");
	xml_write_attribute(out, "node", xylem_span_of(topic));
	xylem_buffer_byte(out, '>');
	pubsub_write_item(out, item, with_payload);
	xylem_buffer_text(out, "</items></event></message>");
}

/* --- Confirmations -------------------------------------------------------- */

/* Under the lock. */
static void unlink_notice(struct event_outlet *outlet, struct notice *notice)
{
	struct notice **at = &outlet->notices;
	while (*at != notice) {
		at = &(*at)->next;
	}
	*at = notice->next;
}

/* One less to wait for; tells the topic and frees when it was the last. */
static void one_less(struct notice *notice, int error)
{
	struct event_outlet *outlet = notice->outlet;

	pthread_mutex_lock(&outlet->lock);
	notice->error = notice->error != 0 ? notice->error : error;
	bool last = --notice->waiting == 0 && !notice->queueing;
	notice->completing = last;
	pthread_mutex_unlock(&outlet->lock);
	if (!last) {
		return;
	}
	notice->done(notice->context, notice->error);
	pthread_mutex_lock(&outlet->lock);
	unlink_notice(outlet, notice);
	pthread_cond_broadcast(&outlet->completed);
	pthread_mutex_unlock(&outlet->lock);
	free(notice);
}

static void confirmed(void *context, const struct link_outcome *outcome)
{
	struct notice *notice = context;

	if (outcome->error == -XYLEM_E_UNPROCESSABLE || outcome->error == -XYLEM_E_INVALID) {
		xylem_log(XYLEM_LOG_INFO, "topic", "a subscriber could not be notified: %s %s",
			outcome->condition, outcome->text);
	}
	atomic_fetch_add(&notice->outlet->confirmed, 1);
	one_less(notice, outcome->error == -XYLEM_E_STOPPING ? -XYLEM_E_STOPPING : 0);
}

/* --- Sending -------------------------------------------------------------- */

struct sending {
	struct event_outlet *outlet;
	struct notice *notice;
	struct xylem_buffer event; /* shared by all: from behind the attributes on */
	struct xylem_buffer stanza;
	char id[XYLEM_HANDLE_SIZE + 8];
	int64_t patience_us;
	const _Atomic bool *interrupted;
};

static void write_head(struct sending *sending, const char *to)
{
	xylem_buffer_clear(&sending->stanza);
	stanza_open(&sending->stanza, "message", "normal", xylem_span_of(link_domain(sending->outlet->link)),
		xylem_span_of(to), xylem_span_of(sending->id));
	xylem_buffer_span(&sending->stanza, xylem_buffer_borrow(&sending->event));
}

static int send_one(struct sending *sending, const char *to)
{
	const struct outbox_track track = { sending->id, to, confirmed, sending->notice };
	struct link *link = sending->outlet->link;
	struct xylem_reason reason;
	int error;

	write_head(sending, to);
	if (xylem_buffer_failed(&sending->stanza)) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_lock(&sending->outlet->lock);
	sending->notice->waiting++;
	pthread_mutex_unlock(&sending->outlet->lock);
	while ((error = link_send(link, xylem_buffer_borrow(&sending->stanza), &track, &reason)) ==
		-XYLEM_E_BUSY) {
		link_flush(link);
		error = link_wait_room(link, clock_mono_us() + sending->patience_us, sending->interrupted);
		if (error != 0) {
			break;
		}
	}
	if (error != 0) {
		one_less(sending->notice, 0);
	}
	if (error == -XYLEM_E_INVALID) {
		xylem_log(XYLEM_LOG_WARNING, "topic", "an item cannot be written as XML: %s", reason.text);
		return 0;
	}
	return error;
}

/* All subscribers, or the first failure. */
static int send_all(struct sending *sending, const char *const *subscribers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int error = send_one(sending, subscribers[i]);
		if (error != 0) {
			return error;
		}
	}
	return 0;
}

#define HEAD_ROOM ((size_t)2 * JID_SIZE) /* attributes of the largest notification */

static void prepare(struct sending *sending, const char *topic, const struct xylem_message *item)
{
	char handle[XYLEM_HANDLE_SIZE];

	snprintf(sending->id, sizeof(sending->id), "item-%s", xylem_handle_format(item->position, handle));
	write_event(&sending->event, topic, item, true);
	if (sending->event.n + HEAD_ROOM > link_max_stanza(sending->outlet->link)) {
		xylem_buffer_clear(&sending->event);
		write_event(&sending->event, topic, item, false);
	}
}

static struct notice *notice_new(
	struct event_outlet *outlet, void (*done)(void *context, int error), void *context)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	if (notice == NULL) {
		return NULL;
	}
	notice->outlet = outlet;
	notice->queueing = true;
	notice->done = done;
	notice->context = context;
	pthread_mutex_lock(&outlet->lock);
	notice->next = outlet->notices;
	outlet->notices = notice;
	pthread_mutex_unlock(&outlet->lock);
	return notice;
}

static void notice_drop(struct notice *notice)
{
	link_forget(notice->outlet->link, notice);
	pthread_mutex_lock(&notice->outlet->lock);
	unlink_notice(notice->outlet, notice);
	pthread_mutex_unlock(&notice->outlet->lock);
	free(notice);
}

static int notify(void *context, const char *topic, const struct xylem_message *item,
	const char *const *subscribers, size_t n, int64_t patience_us, const _Atomic bool *interrupted,
	void (*done)(void *context, int error), void *done_context)
{
	struct sending sending = {
		.outlet = context, .patience_us = patience_us, .interrupted = interrupted
	};

	sending.notice = notice_new(sending.outlet, done, done_context);
	if (sending.notice == NULL) {
		return -XYLEM_E_MEMORY;
	}
	prepare(&sending, topic, item);
	int error = send_all(&sending, subscribers, n);
	xylem_buffer_finish(&sending.event);
	xylem_buffer_finish(&sending.stanza);
	if (error != 0) {
		notice_drop(sending.notice);
		return error;
	}
	/* From here on the last confirmation completes it, which may be this one. */
	pthread_mutex_lock(&sending.outlet->lock);
	sending.notice->waiting++;
	sending.notice->queueing = false;
	pthread_mutex_unlock(&sending.outlet->lock);
	one_less(sending.notice, 0);
	return 0;
}

static void flush(void *context)
{
	struct event_outlet *outlet = context;
	link_flush(outlet->link);
}

static uint64_t confirmed_count(void *context)
{
	struct event_outlet *outlet = context;
	return atomic_load(&outlet->confirmed);
}

/* Under the lock. */
static struct notice *notice_of(const struct event_outlet *outlet, const void *done_context)
{
	struct notice *notice = outlet->notices;
	while (notice != NULL && notice->context != done_context) {
		notice = notice->next;
	}
	return notice;
}

static void forget(void *context, void *done_context)
{
	struct event_outlet *outlet = context;
	struct notice *notice;

	pthread_mutex_lock(&outlet->lock);
	while ((notice = notice_of(outlet, done_context)) != NULL && notice->completing) {
		pthread_cond_wait(&outlet->completed, &outlet->lock);
	}
	if (notice != NULL) {
		notice->waiting++; /* held so, it is not completed under our hands */
	}
	pthread_mutex_unlock(&outlet->lock);
	if (notice != NULL) {
		notice_drop(notice);
	}
}

/* --- Life ----------------------------------------------------------------- */

struct event_outlet *event_outlet_new(struct link *link)
{
	struct event_outlet *outlet = calloc(1, sizeof(*outlet));
	if (outlet != NULL) {
		outlet->link = link;
		pthread_mutex_init(&outlet->lock, NULL);
		pthread_cond_init(&outlet->completed, NULL);
		outlet->face = (struct topic_outlet){ .notify = notify,
			.flush = flush,
			.forget = forget,
			.confirmed = confirmed_count,
			.outlet = outlet };
	}
	return outlet;
}

struct event_outlet *event_outlet_free(struct event_outlet *outlet)
{
	if (outlet != NULL) {
		while (outlet->notices != NULL) {
			notice_drop(outlet->notices);
		}
		pthread_mutex_destroy(&outlet->lock);
		pthread_cond_destroy(&outlet->completed);
		free(outlet);
	}
	return NULL;
}

const struct topic_outlet *event_outlet_face(struct event_outlet *outlet)
{
	return &outlet->face;
}
