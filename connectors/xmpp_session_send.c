/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session sends: stanzas into the outbox, from any thread; the barrier
 * behind them, a ping to the account's server; questions and their answers.
 */
#include <connectors/xmpp_session_body.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/jid.h>

/*
 * Debian's expat puts off parsing a tag that came in two reads until more comes, and libstrophe cannot
 * tell it not to: a ping's answer brings what is stuck.
 */
#define IDLE_US (15 * SECOND_US)

void session_wake(struct session *session)
{
	uint64_t one = 1;
	(void)!write(session->wake_fd, &one, sizeof(one));
}

/* --- Sending, from any thread ------------------------------------------------ */

bool session_has_room(const struct session *session)
{
	return outbox_held_bytes(session->outbox) < QUEUE_HIGH;
}

static int may_send(const struct session *session)
{
	return session->stopping            ? -XYLEM_E_STOPPING
	       : !session->up               ? -XYLEM_E_UNREACHABLE
	       : !session_has_room(session) ? -XYLEM_E_BUSY
					    : 0;
}

static int carrier_send(
	void *link, struct xylem_span stanza, const struct outbox_track *track, struct xylem_reason *reason)
{
	struct session *session = link;
	size_t at;

	if (stanza.n > STANZA_MOST || !xml_check(stanza, &at)) {
		bool large = stanza.n > STANZA_MOST;
		xylem_reason_set(
			reason, large ? "a stanza of more than 256 KiB"
				      : "the message has a byte that is no character of XML 1.0 in UTF-8");
		return large ? -XYLEM_E_TOO_LARGE : -XYLEM_E_INVALID;
	}
	pthread_mutex_lock(&session->lock);
	int error = may_send(session);
	if (error == 0) {
		error = outbox_add(session->outbox, stanza, track);
	} else {
		xylem_reason_set(reason, "%s: %s", session->jid,
			session->up ? xylem_error_row(error)->text : session->why);
	}
	pthread_mutex_unlock(&session->lock);
	session_wake(session);
	return error;
}

static void carrier_flush(void *link)
{
	struct session *session = link;

	pthread_mutex_lock(&session->lock);
	session->flush = true;
	pthread_mutex_unlock(&session->lock);
	session_wake(session);
}

static int carrier_wait_room(void *link, int64_t deadline_mono_us, const _Atomic bool *interrupted)
{
	struct session *session = link;
	int error;

	pthread_mutex_lock(&session->lock);
	while ((error = may_send(session)) == -XYLEM_E_BUSY) {
		int64_t now = clock_mono_us();
		if (atomic_load(interrupted) || now >= deadline_mono_us) {
			error = now >= deadline_mono_us ? -XYLEM_E_TIMEOUT : -XYLEM_E_INTERRUPTED;
			break;
		}
		int64_t until = now + SECOND_US / 20 < deadline_mono_us ? now + SECOND_US / 20
									: deadline_mono_us;
		struct timespec ts = clock_timespec(until);
		pthread_cond_clockwait(&session->room, &session->lock, CLOCK_MONOTONIC, &ts);
	}
	pthread_mutex_unlock(&session->lock);
	return error;
}

static void carrier_forget(void *link, const void *context)
{
	struct session *session = link;

	pthread_mutex_lock(&session->lock);
	outbox_forget(session->outbox, context);
	session_forget_requests(session, context);
	while (session->calling == context) {
		pthread_cond_wait(&session->quiet, &session->lock);
	}
	pthread_mutex_unlock(&session->lock);
}

bool session_up(struct session *session, char ret_why[256])
{
	pthread_mutex_lock(&session->lock);
	bool up = session->up;
	memcpy(ret_why, session->why, sizeof(session->why));
	pthread_mutex_unlock(&session->lock);
	return up;
}

static bool carrier_up(void *link, char ret_why[256])
{
	return session_up(link, ret_why);
}

const struct delivery_carrier session_carrier = { carrier_send, carrier_flush, carrier_wait_room,
	carrier_forget, carrier_up };

void session_post(struct session *session, struct xylem_span stanza)
{
	size_t at;

	pthread_mutex_lock(&session->lock);
	if (session->up && xml_check(stanza, &at) && outbox_queued_bytes(session->outbox) < 2 * QUEUE_HIGH) {
		/* Without memory an answer is lost, as it is by a broken connection: its receiver asks again. */
		(void)outbox_add(session->outbox, stanza, NULL);
	}
	pthread_mutex_unlock(&session->lock);
	session_wake(session);
}

/* --- Confirmations ----------------------------------------------------------- */

void session_settle(struct session *session)
{
	link_confirmed done;
	void *context;
	struct link_outcome outcome;

	pthread_mutex_lock(&session->lock);
	while (outbox_settled(session->outbox, &done, &context, &outcome)) {
		session->calling = context;
		pthread_mutex_unlock(&session->lock);
		done(context, &outcome);
		pthread_mutex_lock(&session->lock);
		session->calling = NULL;
		pthread_cond_broadcast(&session->quiet);
	}
	pthread_cond_broadcast(&session->room);
	pthread_mutex_unlock(&session->lock);
}

/* Under the lock. */
void session_barrier(struct session *session, int64_t now)
{
	char iq[160 + JID_SIZE];
	bool due = outbox_barrier_due(
		session->outbox); /* deliveries flush: something tracked asks for it at once */
	bool idle = now - session->heard_us >= IDLE_US;

	if (outbox_barrier_out(session->outbox) || !(due || idle)) {
		return;
	}
	snprintf(session->barrier_id, sizeof(session->barrier_id), "xylem-%llu",
		(unsigned long long)++session->pings);
	snprintf(iq, sizeof(iq), "<iq type='get' id='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
		session->barrier_id, session->domain);
	if (outbox_barrier(session->outbox, xylem_span_of(iq)) == 0) {
		session->barrier_us = now;
		session->flush = false;
	}
}

/* The server's own answer: anybody may send a result, and the ids can be guessed. */
static bool is_barrier(const struct session *session, const struct xml_node *iq)
{
	struct xylem_span from = xml_attribute(iq, "from");
	char bare[JID_SIZE];
	bool server = !xylem_span_present(from) ||
		      (jid_normalise(from, bare) && strcmp(bare, session->domain) == 0);
	return server && session->barrier_id[0] != '\0' &&
	       xylem_span_is(xml_attribute(iq, "id"), session->barrier_id);
}

/* --- Requests ---------------------------------------------------------------------- */

struct session_request {
	struct session_request *next;
	char id[XYLEM_UUID_SIZE];
	char *to;
	int64_t deadline_us;
	link_answered answered;
	void *context;
};

static void request_free(struct session_request *request)
{
	free(request->to);
	free(request);
}

/* Under the lock. */
void session_forget_requests(struct session *session, const void *context)
{
	for (struct session_request **at = &session->requests; *at != NULL;) {
		struct session_request *request = *at;
		if (request->context != context) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		session->request_count--;
		request_free(request);
	}
}

/* Under the lock, which it gives back for the call. */
static void call_answered(struct session *session, struct session_request **at, const struct xml_node *answer)
{
	struct session_request *request = *at;

	*at = request->next;
	session->request_count--;
	session->calling = request->context;
	pthread_mutex_unlock(&session->lock);
	request->answered(request->context, answer);
	pthread_mutex_lock(&session->lock);
	session->calling = NULL;
	pthread_cond_broadcast(&session->quiet);
	request_free(request);
}

void session_expire(struct session *session, int64_t now, bool all)
{
	pthread_mutex_lock(&session->lock);
	for (struct session_request **at = &session->requests; *at != NULL;) {
		if (!all && (*at)->deadline_us > now) {
			at = &(*at)->next;
			continue;
		}
		call_answered(session, at, NULL);
		at = &session->requests;
	}
	pthread_mutex_unlock(&session->lock);
}

int session_request(struct session *session, struct xylem_span iq, const char *id, const char *to,
	int64_t timeout_us, link_answered answered, void *context, struct xylem_reason *reason)
{
	struct session_request *request = calloc(1, sizeof(*request));
	if (request == NULL || (request->to = strdup(to)) == NULL) {
		free(request);
		return -XYLEM_E_MEMORY;
	}
	snprintf(request->id, sizeof(request->id), "%s", id);
	request->deadline_us = clock_mono_us() + timeout_us;
	request->answered = answered;
	request->context = context;
	pthread_mutex_lock(&session->lock);
	int error = may_send(session);
	error = error == 0 && session->request_count >= REQUESTS_MAX ? -XYLEM_E_BUSY : error;
	error = error == 0 ? outbox_add(session->outbox, iq, NULL) : error;
	if (error == 0) {
		request->next = session->requests;
		session->requests = request;
		session->request_count++;
	}
	pthread_mutex_unlock(&session->lock);
	if (error != 0) {
		xylem_reason_set(reason, "%s: %s", session->jid, xylem_error_row(error)->text);
		request_free(request);
	}
	session_wake(session);
	return error;
}

void session_answered(struct session *session, const struct xml_node *iq)
{
	struct xylem_span id = xml_attribute(iq, "id"), from = xml_attribute(iq, "from");

	pthread_mutex_lock(&session->lock);
	if (is_barrier(session, iq)) {
		session->barrier_id[0] = '\0';
		outbox_barrier_back(session->outbox);
		pthread_mutex_unlock(&session->lock);
		session_settle(session);
		return;
	}
	for (struct session_request **at = &session->requests; *at != NULL; at = &(*at)->next) {
		/* Of one's own account the server may leave the sender out (RFC 6120, 8.1.2.1). */
		bool own = from.n == 0 && strcmp((*at)->to, session->jid) == 0;
		if (xylem_span_is(id, (*at)->id) && (own || xylem_span_is(from, (*at)->to))) {
			call_answered(session, at, iq);
			break;
		}
	}
	pthread_mutex_unlock(&session->lock);
}
