/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Presence of others: who asks to see us, whom we see.
 *
 * A component has no server that keeps its roster, so the bus does what a
 * server does for an account: it decides about requests (who is admitted may
 * see what exists; nobody else learns whether it does), stores what was
 * granted, answers probes, and asks in return to see whoever sees it, once.
 *
 * The rule not to break: a grant is told after it is stored. What our own
 * addresses show is presence_show.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/thread.h>
#include <xmpp/presence_body.h>

/* How long after the link is up silence means nothing: servers answer probes, or do not if nobody is there. */
#define PROBE_US 5000000

static void answer(struct presence *presence, struct xylem_buffer *out)
{
	if (!xylem_buffer_failed(out) && out->n > 0) {
		link_answer(xmpp_service_link(presence->service), xylem_buffer_borrow(out));
	}
}

static void answer_type(struct presence *presence, const char *type, const char *local, const char *to)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	presence_write(presence, &out, type, local, to, false);
	answer(presence, &out);
}

static void answer_state(struct presence *presence, const char *local, const char *to)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	presence_write_state(presence, &out, local, to, true);
	answer(presence, &out);
}

/* --- They ask to see us ------------------------------------------------------- */

/* What is told when it is stored. */
struct welcome {
	struct presence *presence;
	bool granted, ask; /* they asked for it; we ask in return */
	char *jid;
	char local[];
};

static void welcome_done(void *context, int error)
{
	struct welcome *welcome = context;
	struct presence *presence = welcome->presence;

	if (error == 0 && welcome->granted) {
		answer_type(presence, "subscribed", welcome->local, welcome->jid);
	}
	if (error == 0) {
		answer_state(presence, welcome->local, welcome->jid);
	}
	if (error == 0 && welcome->ask) {
		answer_type(presence, "subscribe", welcome->local, welcome->jid);
	}
	free(welcome);
	xmpp_service_pending(presence->service, false);
}

static struct welcome *welcome_new(struct presence *presence, const char *local, const char *jid)
{
	size_t n = strlen(local) + 1, m = strlen(jid) + 1;
	struct welcome *welcome = malloc(sizeof(*welcome) + n + m);
	if (welcome != NULL) {
		memcpy(welcome->local, local, n);
		welcome->jid = memcpy(welcome->local + n, jid, m);
		welcome->presence = presence;
		xmpp_service_pending(presence->service, true);
	}
	return welcome;
}

/* `granted`: they asked; else their server believes that it was granted before. */
static void welcome(struct presence *presence, const char *local, const char *jid, bool granted)
{
	struct contact contact;
	struct welcome *job = welcome_new(presence, local, jid);

	if (job == NULL) {
		return;
	}
	contacts_find(presence->contacts, local, jid, &contact);
	job->granted = granted;
	job->ask = contacts_sight(presence->contacts, jid) == SIGHT_NONE;
	if (contact.watches && !job->ask) {
		welcome_done(job, 0);
		return;
	}
	contact = (struct contact){ local, jid, true, job->ask ? SIGHT_ASKED : contact.sight };
	int error = contacts_set(presence->contacts, &contact, welcome_done, job);
	if (error != 0) {
		welcome_done(job, error);
		answer_type(presence, "unsubscribed", local, jid);
	}
}

/* They do not want to see us any more; then we do not look at them either. */
static void part(struct presence *presence, const char *local, const char *jid)
{
	struct contact contact;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (!contacts_find(presence->contacts, local, jid, &contact)) {
		return;
	}
	if (contact.sight != SIGHT_NONE) {
		answer_type(presence, "unsubscribe", local, jid);
	}
	presence_write(presence, &out, "unavailable", local, jid, true);
	answer(presence, &out);
	answer_type(presence, "unsubscribed", local, jid);
	contact = (struct contact){ local, jid, false, SIGHT_NONE };
	(void)contacts_set(presence->contacts, &contact, NULL, NULL);
}

/* --- We see them ---------------------------------------------------------------- */

static void set_sight(struct presence *presence, const char *local, const char *jid, enum contact_sight sight)
{
	struct contact contact;

	if (contacts_find(presence->contacts, local, jid, &contact) && contact.sight != SIGHT_NONE) {
		contact = (struct contact){ local, jid, contact.watches, sight };
		(void)contacts_set(presence->contacts, &contact, NULL, NULL);
	}
}

/* What somebody had begun with the face ends when they go. */
static void tell_face(struct presence *presence, const struct xmpp_request *request)
{
	const struct xmpp_face *face = service_face_hold(presence->service);
	const char *full = xylem_arena_text(request->arena, xml_attribute(request->iq, "from"));

	if (face != NULL && full != NULL) {
		face->gone(face->context, full);
	}
	if (face != NULL) {
		service_face_release(presence->service);
	}
}

static void see(struct presence *presence, const struct xmpp_request *request, bool available)
{
	struct jid from;
	if (!jid_split(xml_attribute(request->iq, "from"), &from)) {
		return;
	}
	enum online_as as = !available                     ? ONLINE_NOT
			    : stanza_is_aside(request->iq) ? ONLINE_ASIDE
							   : ONLINE_HERE;
	bool changed = online_set(presence->online, request->sender, from.resource, as);
	avatar_see(presence, request, available, changed);
	if (!available) {
		tell_face(presence, request);
	}
	pthread_mutex_lock(&presence->listeners_lock);
	for (struct listener *l = presence->listeners; l != NULL; l = l->next) {
		l->seen(l->context, request->sender, from.resource, request->iq);
	}
	pthread_mutex_unlock(&presence->listeners_lock);
}

int xmpp_presence_listen(struct xmpp_service *service, presence_seen seen, void *context)
{
	struct presence *presence = service_presence(service);
	struct listener *listener = calloc(1, sizeof(*listener));
	if (listener == NULL) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_lock(&presence->listeners_lock);
	*listener = (struct listener){ presence->listeners, seen, context };
	presence->listeners = listener;
	pthread_mutex_unlock(&presence->listeners_lock);
	return 0;
}

void xmpp_presence_unlisten(struct xmpp_service *service, const void *context)
{
	struct presence *presence = service_presence(service);
	pthread_mutex_lock(&presence->listeners_lock);
	for (struct listener **at = &presence->listeners; *at != NULL;) {
		struct listener *listener = *at;
		if (listener->context == context) {
			*at = listener->next;
			free(listener);
		} else {
			at = &listener->next;
		}
	}
	pthread_mutex_unlock(&presence->listeners_lock);
}

enum presence_sight xmpp_presence_of(struct xmpp_service *service, const char *jid)
{
	struct presence *presence = service_presence(service);
	char bare[JID_SIZE];

	if (online_has(presence->online, jid)) {
		return PRESENCE_ONLINE;
	}
	pthread_mutex_lock(&presence->lock);
	bool told = presence->up && clock_mono_us() - presence->up_since_us > PROBE_US;
	pthread_mutex_unlock(&presence->lock);
	return told && jid_normalise(xylem_span_of(jid), bare) &&
			       contacts_sight(presence->contacts, bare) == SIGHT_GRANTED
		       ? PRESENCE_OFFLINE
		       : PRESENCE_UNKNOWN;
}

int xmpp_presence_ask(struct xmpp_service *service, const char *local, const char *bare)
{
	struct presence *presence = service_presence(service);
	struct contact contact;

	contacts_find(presence->contacts, local, bare, &contact);
	if (contact.sight != SIGHT_NONE) {
		return 0;
	}
	contact = (struct contact){ local, bare, contact.watches, SIGHT_ASKED };
	int error = contacts_set(presence->contacts, &contact, NULL, NULL);
	if (error == 0) {
		answer_type(presence, "subscribe", local, bare);
	}
	return error;
}

/* --- The way in ------------------------------------------------------------------- */

static void take_probe(struct presence *presence, const char *local, const char *jid)
{
	struct contact contact;

	contacts_find(presence->contacts, local, jid, &contact);
	if (contact.watches) {
		answer_state(presence, local, jid);
	} else {
		welcome(presence, local, jid, false);
	}
}

static void take_request(struct presence *presence, const struct xmpp_request *request,
	struct xylem_span type, const char *local)
{
	const char *jid = request->sender;

	if (xylem_span_is(type, "unsubscribe")) {
		part(presence, local, jid);
	} else if (xylem_span_is(type, "subscribed")) {
		set_sight(presence, local, jid, SIGHT_GRANTED);
	} else if (xylem_span_is(type, "unsubscribed")) {
		set_sight(presence, local, jid, SIGHT_NONE);
	} else if (xylem_span_is(type, "subscribe") && request->entitled) {
		welcome(presence, local, jid, true);
	} else if (xylem_span_is(type, "probe") && request->entitled) {
		take_probe(presence, local, jid);
	} else if (xylem_span_is(type, "subscribe") || xylem_span_is(type, "probe")) {
		answer_type(presence, "unsubscribed", local, jid);
	}
}

void presence_take(struct presence *presence, const struct xmpp_request *request)
{
	struct xylem_span type = xml_attribute(request->iq, "type");
	const char *local = request->local.n > 0 ? xylem_arena_text(request->arena, request->local) : "";

	if (local == NULL) {
		return;
	}
	if (type.n == 0) {
		/* Nothing is kept about strangers. */
		if (request->entitled) {
			see(presence, request, true);
		}
	} else if (xylem_span_is(type, "unavailable") || xylem_span_is(type, "error")) {
		see(presence, request, false);
	} else {
		take_request(presence, request, type, local);
	}
}

/* --- Life ---------------------------------------------------------------------------- */

void presence_link(struct presence *presence, bool up)
{
	if (!up) {
		online_clear(presence->online);
		online_clear(presence->pictured);
	}
	pthread_mutex_lock(&presence->lock);
	presence->up = presence->announce = presence->probe = presence->woken = up;
	presence->up_since_us = clock_mono_us();
	pthread_cond_signal(&presence->wake);
	pthread_mutex_unlock(&presence->lock);
}

void presence_review(struct presence *presence)
{
	pthread_mutex_lock(&presence->lock);
	presence->review = presence->woken = true;
	pthread_cond_signal(&presence->wake);
	pthread_mutex_unlock(&presence->lock);
}

int presence_new(struct presence **ret_presence, struct xmpp_service *service, struct catalogue *catalogue,
	struct xylem_reason *reason)
{
	struct presence *presence = calloc(1, sizeof(*presence));
	if (presence == NULL) {
		xylem_reason_set(reason, "xmpp: out of memory");
		return -XYLEM_E_MEMORY;
	}
	presence->service = service;
	pthread_mutex_init(&presence->listeners_lock, NULL);
	pthread_mutex_init(&presence->refresh_lock, NULL);
	pthread_mutex_init(&presence->lock, NULL);
	pthread_cond_init(&presence->wake, NULL);
	presence->online = online_new();
	presence->pictured = online_new();
	bool made = presence->online != NULL && presence->pictured != NULL;
	int error = !made ? -XYLEM_E_MEMORY : contacts_open(&presence->contacts, catalogue, reason);
	if (error != 0) {
		presence_free(presence);
		return error;
	}
	*ret_presence = presence;
	return 0;
}

int presence_start(struct presence *presence, struct xylem_reason *reason)
{
	if (thread_start(&presence->thread, "presence", 0, presence_run, presence) != 0) {
		xylem_reason_set(reason, "the presence thread cannot be started");
		return -XYLEM_E_MEMORY;
	}
	presence->started = true;
	return 0;
}

static void end_thread(struct presence *presence)
{
	if (presence->started) {
		pthread_mutex_lock(&presence->lock);
		atomic_store(&presence->ending, true);
		pthread_cond_signal(&presence->wake);
		pthread_mutex_unlock(&presence->lock);
		pthread_join(presence->thread, NULL);
		presence->started = false;
	}
}

void presence_stop(struct presence *presence, int64_t deadline_mono_us)
{
	if (presence != NULL && presence->started) {
		end_thread(presence);
		presence_say_goodbye(presence, deadline_mono_us);
	}
}

struct presence *presence_free(struct presence *presence)
{
	if (presence == NULL) {
		return NULL;
	}
	end_thread(presence);
	contacts_close(presence->contacts);
	online_free(presence->online);
	online_free(presence->pictured);
	for (size_t i = 0; i < presence->n; i++) {
		free(presence->addresses[i]->local);
		free(presence->addresses[i]);
	}
	free(presence->addresses);
	while (presence->listeners != NULL) {
		struct listener *next = presence->listeners->next;
		free(presence->listeners);
		presence->listeners = next;
	}
	pthread_mutex_destroy(&presence->listeners_lock);
	pthread_mutex_destroy(&presence->refresh_lock);
	pthread_mutex_destroy(&presence->lock);
	pthread_cond_destroy(&presence->wake);
	free(presence);
	return NULL;
}
