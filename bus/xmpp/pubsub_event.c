/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How topics' items leave: one notification (XEP-0060, 7.1.2.1) to each
 * subscriber, of type `normal`, since a headline is dropped for whoever is
 * offline. The part that all notifications of an item share is written once.
 *
 * An item's notifications are counted together: the topic is told once, when
 * the last is confirmed. A subscriber's error (a vanished account, a full
 * offline store) is logged and is nobody else's problem. An item that does not
 * fit into a stanza is announced without its payload, to be fetched elsewhere,
 * and the log says so; one whose id alone does not is logged, and not announced.
 *
 * The rule not to break: the id of a notification is made from the item and its
 * place in the journal, so that a repeat after a crash carries the same one.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xylem/log.h>
#include <xmpp/pubsub.h>

/* All notifications of one item. */
struct notice {
	struct notice *next, *before; /* under the outlet's lock */
	struct event_outlet *outlet;
	_Atomic size_t
		waiting; /* notifications not confirmed, and whoever holds it; 0: its `done` is being called */
	_Atomic int error;
	void (*done)(void *context, int error);
	void *context;
};

/* What is written for an item, and for each of those who are told of it. */
struct sending {
	struct event_outlet *outlet;
	struct notice *notice;
	struct xylem_buffer event; /* shared by all: from behind the attributes on */
	struct xylem_buffer body;  /* for those who want one */
	struct xylem_buffer stanza;
	const char *type;
	char id[LINK_ID_SIZE + 8]; /* longer than that of an item */
	int64_t patience_us;
	const _Atomic bool *interrupted;
};

struct event_outlet {
	struct link *link;
	pthread_mutex_t lock;
	pthread_cond_t completed;
	struct notice *notices;
	_Atomic uint64_t confirmed;
	struct sending fanout; /* of notify(), whose memory serves item after item: the fan-out's thread */
	struct topic_outlet face;
};

/* --- Confirmations -------------------------------------------------------- */

/* Under the lock. */
static void unlink_notice(struct event_outlet *outlet, struct notice *notice)
{
	*(notice->before != NULL ? &notice->before->next : &outlet->notices) = notice->next;
	if (notice->next != NULL) {
		notice->next->before = notice->before;
	}
}

/* One less to wait for; tells the topic and frees when it was the last. */
static void one_less(struct notice *notice, int error)
{
	struct event_outlet *outlet = notice->outlet;

	if (error != 0) {
		atomic_store(&notice->error, error);
	}
	if (atomic_fetch_sub(&notice->waiting, 1) > 1) {
		return;
	}
	notice->done(notice->context, atomic_load(&notice->error));
	pthread_mutex_lock(&outlet->lock);
	unlink_notice(outlet, notice);
	pthread_cond_broadcast(&outlet->completed);
	pthread_mutex_unlock(&outlet->lock);
	free(notice);
}

/* Once more, so that it is not completed under our hands. False: it is being completed. */
static bool hold(struct notice *notice)
{
	size_t waiting = atomic_load(&notice->waiting);

	while (waiting > 0 && !atomic_compare_exchange_weak(&notice->waiting, &waiting, waiting + 1)) {
	}
	return waiting > 0;
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

/* Where an address has several subscriptions, which of them it is told for (XEP-0131). */
static void write_subids(struct xylem_buffer *out, const struct topic_recipient *to)
{
	if (to->subid_count < 2) {
		return;
	}
	xylem_buffer_text(out, "<headers xmlns='" NS_SHIM "'>");
	for (size_t i = 0; i < to->subid_count; i++) {
		xylem_buffer_format(out, "<header name='SubID'>%s</header>", to->subids[i]);
	}
	xylem_buffer_text(out, "</headers>");
}

#define HEAD_USUAL ((size_t)512) /* of the stanza around it: most need no more */

static void write_stanza(struct sending *sending, const struct topic_recipient *to)
{
	struct xylem_buffer *out = &sending->stanza;
	xylem_buffer_clear(out);
	(void)xylem_buffer_reserve(out, sending->event.n + sending->body.n + HEAD_USUAL);
	stanza_open(out, "message", sending->type, xylem_span_of(link_domain(sending->outlet->link)),
		xylem_span_of(to->jid), xylem_span_of(sending->id));
	xylem_buffer_byte(out, '>');
	if (to->body) {
		xylem_buffer_span(out, xylem_buffer_borrow(&sending->body));
	}
	xylem_buffer_span(out, xylem_buffer_borrow(&sending->event));
	write_subids(out, to);
	xylem_buffer_text(out, "</message>");
}

/* No link will ever take it: what the lane would repeat for ever, before everything behind it. */
static bool is_refused(int error)
{
	return error == -XYLEM_E_INVALID || error == -XYLEM_E_TOO_LARGE;
}

static int send_stanza(struct sending *sending, const struct outbox_track *track)
{
	struct link *link = sending->outlet->link;
	struct xylem_reason reason;
	int error;

	while ((error = link_send(link, xylem_buffer_borrow(&sending->stanza), track, &reason)) ==
		-XYLEM_E_BUSY) {
		link_flush(link);
		error = link_wait_room(link, clock_mono_us() + sending->patience_us, sending->interrupted);
		if (error != 0) {
			break;
		}
	}
	if (is_refused(error)) {
		xylem_log(XYLEM_LOG_WARNING, "topic", "a notification cannot be sent: %s", reason.text);
	}
	return error;
}

static int send_one(struct sending *sending, const struct topic_recipient *to)
{
	const struct outbox_track track = { sending->id, to->jid, confirmed, sending->notice, .more = true };

	write_stanza(sending, to);
	if (xylem_buffer_failed(&sending->event) || xylem_buffer_failed(&sending->stanza)) {
		return -XYLEM_E_MEMORY;
	}
	atomic_fetch_add(&sending->notice->waiting, 1);
	int error = send_stanza(sending, &track);
	if (error != 0) {
		one_less(sending->notice, 0);
	}
	return is_refused(error) ? 0 : error;
}

/* All recipients, or the first failure. */
static int send_all(struct sending *sending, const struct topic_recipient *recipients, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int error = send_one(sending, &recipients[i]);
		if (error != 0) {
			return error;
		}
	}
	return 0;
}

/* What stands around text and event in the largest notification: attributes, escaped, and subids. */
static size_t head_room(const struct sending *sending, const struct topic_recipient *recipients, size_t n)
{
	size_t longest = 0;
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(recipients[i].jid);
		longest = length > longest ? length : longest;
	}
	return 2048 + 6 * (longest + strlen(link_domain(sending->outlet->link)));
}

static bool wants_body(const struct topic_recipient *recipients, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (recipients[i].body) {
			return true;
		}
	}
	return false;
}

/* Whom replies go to (XEP-0033), where the topic says so. */
static void write_reply(
	struct sending *sending, const struct topic_settings *settings, const struct xylem_message *item)
{
	struct xylem_span one;
	struct xylem_span to = settings->item_reply == TOPIC_REPLY_PUBLISHER ? pubsub_publisher(item)
			       : settings->item_reply == TOPIC_REPLY_OWNER ? xylem_span_of(settings->contact)
									   : XYLEM_SPAN_NONE;
	if (to.n == 0) {
		return;
	}
	xylem_buffer_text(&sending->event, "<addresses xmlns='http://jabber.org/protocol/address'>");
	while (topic_setting_line(&to, &one)) {
		xylem_buffer_text(&sending->event, "<address type='replyto'");
		xml_write_attribute(&sending->event, "jid", one);
		xylem_buffer_text(&sending->event, "/>");
	}
	xylem_buffer_text(&sending->event, "</addresses>");
}

static void write_shared(struct sending *sending, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, bool with_payload)
{
	xylem_buffer_clear(&sending->event);
	pubsub_write_event(&sending->event, topic, settings, item, with_payload);
	write_reply(sending, settings, item);
}

/* What does not fit is left out: first the payload, then the text beside it. */
static void fit(struct sending *sending, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, size_t room)
{
	size_t most = link_max_stanza(sending->outlet->link);
	size_t whole = sending->event.n + room;

	if (whole > most) {
		write_shared(sending, topic, settings, item, false);
		xylem_log(XYLEM_LOG_WARNING, "topic",
			"%s of topic %s is announced without its payload: with it, the notification takes "
			"%zu "
			"bytes, and xmpp.max_stanza is %zu",
			sending->id, topic, whole, most);
	}
	if (sending->event.n + sending->body.n + room > most) {
		xylem_buffer_clear(&sending->body);
	}
}

static void prepare(struct sending *sending, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, const struct topic_recipient *recipients, size_t n)
{
	char handle[XYLEM_HANDLE_SIZE];

	snprintf(sending->id, sizeof(sending->id), "item-%s", xylem_handle_format(item->position, handle));
	sending->type = settings->delivery == TOPIC_HEADLINE ? "headline" : "normal";
	xylem_buffer_clear(&sending->body);
	if (wants_body(recipients, n)) {
		pubsub_write_body(&sending->body, item);
	}
	write_shared(sending, topic, settings, item, true);
	fit(sending, topic, settings, item, head_room(sending, recipients, n));
}

static void sending_finish(struct sending *sending)
{
	xylem_buffer_finish(&sending->event);
	xylem_buffer_finish(&sending->body);
	xylem_buffer_finish(&sending->stanza);
}

static struct notice *notice_new(
	struct event_outlet *outlet, void (*done)(void *context, int error), void *context)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	if (notice == NULL) {
		return NULL;
	}
	notice->outlet = outlet;
	notice->waiting = 1; /* notify() still adds: it completes */
	notice->done = done;
	notice->context = context;
	pthread_mutex_lock(&outlet->lock);
	notice->next = outlet->notices;
	if (notice->next != NULL) {
		notice->next->before = notice;
	}
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

/* The memory stays for the next item, but not what one large item took. */
static void sending_rest(struct sending *sending)
{
	if (sending->event.room > 4 * link_max_stanza(sending->outlet->link)) {
		xylem_buffer_finish(&sending->event);
	}
}

static int notify(void *context, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, const struct topic_recipient *recipients, size_t n,
	int64_t patience_us, const _Atomic bool *interrupted, void (*done)(void *context, int error),
	void *done_context)
{
	struct event_outlet *outlet = context;
	struct sending *sending = &outlet->fanout;

	sending->patience_us = patience_us;
	sending->interrupted = interrupted;
	sending->notice = notice_new(outlet, done, done_context);
	if (sending->notice == NULL) {
		return -XYLEM_E_MEMORY;
	}
	prepare(sending, topic, settings, item, recipients, n);
	int error = send_all(sending, recipients, n);
	sending_rest(sending);
	if (error != 0) {
		notice_drop(sending->notice);
		return error;
	}
	/* From here on the last confirmation completes it, which may be this one. */
	one_less(sending->notice, 0);
	return 0;
}

/* --- What is no item ------------------------------------------------------ */

static void write_request(struct xylem_buffer *out, const struct topic_event *event)
{
	form_open(out, "form", FORM_AUTHORIZE);
	xylem_buffer_text(out,
		"<title>PubSub subscriber request</title><instructions>Submit the form to allow "
		"or deny the subscription.</instructions>");
	form_write(out, "subid", "hidden", NULL, xylem_span_of(event->subid));
	form_write(out, "node", "text-single", "Node", xylem_span_of(event->topic));
	form_write(out, "subscriber_jid", "jid-single", "Subscriber", xylem_span_of(event->jid));
	form_write(out, "allow", "boolean", "Allow this address to subscribe to this node?",
		XYLEM_SPAN_LITERAL("false"));
	form_close(out);
}

static void write_affiliation(struct xylem_buffer *out, const struct topic_event *event)
{
	xylem_buffer_text(out, "<pubsub xmlns='" NS_PUBSUB "'><affiliations");
	xml_write_attribute(out, "node", xylem_span_of(event->topic));
	xylem_buffer_text(out, "><affiliation");
	xml_write_attribute(out, "jid", xylem_span_of(event->jid));
	xml_write_attribute(out, "affiliation", xylem_span_of(event->state));
	xylem_buffer_text(out, "/></affiliations></pubsub>");
}

static void write_node(struct xylem_buffer *out, const char *element, const struct topic_event *event)
{
	xylem_buffer_format(out, "<event xmlns='" NS_PUBSUB_EVENT "'><%s", element);
	xml_write_attribute(out, "node", xylem_span_of(event->topic));
}

static void write_subscription(struct xylem_buffer *out, const struct topic_event *event)
{
	write_node(out, "subscription", event);
	xml_write_attribute(out, "jid", xylem_span_of(event->jid));
	xml_write_attribute(out, "subid", xylem_span_of(event->subid));
	xml_write_attribute(out, "subscription", xylem_span_of(event->state));
	xylem_buffer_text(out, "/></event>");
}

static void write_configuration(struct xylem_buffer *out, const struct topic_event *event, size_t most)
{
	write_node(out, "configuration", event);
	xylem_buffer_byte(out, '>');
	if (event->settings.deliver_payloads) {
		settings_write_form(out, &event->settings, "result", most);
	}
	xylem_buffer_text(out, "</configuration></event>");
}

static void write_retraction(struct xylem_buffer *out, const struct topic_event *event)
{
	write_node(out, "items", event);
	xylem_buffer_text(out, "><retract");
	xml_write_attribute(out, "id", xylem_span_of(event->item));
	xylem_buffer_text(out, "/></items></event>");
}

static void write_event(struct xylem_buffer *out, const struct topic_event *event, size_t most)
{
	switch (event->kind) {
	case TOPIC_EVENT_RETRACTED:
		write_retraction(out, event);
		break;
	case TOPIC_EVENT_PURGED:
		write_node(out, "purge", event);
		xylem_buffer_text(out, "/></event>");
		break;
	case TOPIC_EVENT_DELETED:
		write_node(out, "delete", event);
		xylem_buffer_text(out, "/></event>");
		break;
	case TOPIC_EVENT_CONFIGURED:
		write_configuration(out, event, most);
		break;
	case TOPIC_EVENT_SUBSCRIPTION:
		write_subscription(out, event);
		break;
	case TOPIC_EVENT_REQUEST:
		write_request(out, event);
		break;
	case TOPIC_EVENT_AFFILIATION:
		write_affiliation(out, event);
	}
}

/* Nobody waits for the confirmation; until it comes, a lost link sends it again. */
static void told(void *context, const struct link_outcome *outcome)
{
}

/* Can the same be sent later? Not what is too large or no XML, whoever it goes to. */
static bool again(int error)
{
	return error == -XYLEM_E_UNREACHABLE || error == -XYLEM_E_TIMEOUT || error == -XYLEM_E_BUSY;
}

#define TELL_US ((int64_t)5000000)

static int tell(void *context, const struct topic_event *event, const struct xylem_message *item,
	const struct topic_recipient *recipients, size_t n)
{
	char stamp[CLOCK_TEXT_SIZE], name[LINK_ID_SIZE];
	static const _Atomic bool never;
	struct event_outlet *outlet = context;
	struct sending sending = { .outlet = outlet, .patience_us = TELL_US, .interrupted = &never };

	if (item != NULL) {
		prepare(&sending, event->topic, &event->settings, item, recipients, n);
		xylem_buffer_format(&sending.event, "<delay xmlns='" NS_DELAY "' stamp='%s'/>",
			clock_format(item->journal_time_us, stamp));
	} else {
		write_event(&sending.event, event, pubsub_item_most(outlet->link));
	}
	bool headline = event->settings.delivery == TOPIC_HEADLINE && event->kind <= TOPIC_EVENT_CONFIGURED;
	sending.type = headline ? "headline" : "normal";
	int error = 0;
	for (size_t i = 0; i < n && error == 0; i++) {
		const struct outbox_track track = { sending.id, recipients[i].jid, told, outlet };
		snprintf(sending.id, sizeof(sending.id), "e-%s", link_id(outlet->link, name));
		write_stanza(&sending, &recipients[i]);
		error = send_stanza(&sending, &track);
		error = again(error) ? error : 0;
	}
	sending_finish(&sending);
	return error;
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
	while ((notice = notice_of(outlet, done_context)) != NULL && !hold(notice)) {
		pthread_cond_wait(&outlet->completed, &outlet->lock);
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
		outlet->fanout.outlet = outlet;
		pthread_mutex_init(&outlet->lock, NULL);
		pthread_cond_init(&outlet->completed, NULL);
		outlet->face = (struct topic_outlet){ .notify = notify,
			.tell = tell,
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
		link_forget(outlet->link, outlet);
		while (outlet->notices != NULL) {
			notice_drop(outlet->notices);
		}
		sending_finish(&outlet->fanout);
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
