/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The component link (XEP-0114): an XML stream with a handshake, one thread
 * that reads, writes and reconnects.
 *
 *     wait ── connect ── header ── handshake ── up ──(any failure)── wait
 *
 * Other threads only put stanzas into the outbox, under the lock, and wake the
 * thread by an eventfd. The thread writes what the outbox has in one sendmsg of
 * many stanzas, and calls back outside of the lock. Confirmation: an IQ to our
 * own domain goes through the server and comes back to us; the server works in
 * order, so that whatever error an earlier local stanza earned has come before.
 * While the outbox is long the link does not read: a server that cannot be
 * answered is not asked for more.
 *
 * The rules not to break: nothing enters the outbox that was not checked for
 * size and characters, because one bad byte closes the stream for everybody;
 * no callback is called with the lock held.
 *
 * What is not here: what stanzas mean (service.c), TLS (the server's component
 * port belongs on loopback or into a tunnel).
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <base/clock.h>
#include <base/hash.h>
#include <base/thread.h>
#include <xylem/log.h>
#include <base/jid.h>
#include <xmpp/link.h>
#include <xmpp/socket.h>
#include <xmpp/stanza.h>
#include <xmpp/stream.h>

#define LINK_MAGIC 0x6c696e6bU
#define SECOND_US ((int64_t)1000000)
#define CONNECT_US (5 * SECOND_US)
#define HANDSHAKE_US (15 * SECOND_US)
#define BARRIER_US (10 * SECOND_US) /* without its return the connection is given up */
#define BARRIER_AGE_US SECOND_US
#define BARRIER_COUNT 100U
#define IDLE_US (30 * SECOND_US)
#define BACKOFF_US (SECOND_US / 5)
#define BACKOFF_MAX_US (30 * SECOND_US)
#define STEADY_US (10 * SECOND_US) /* up for this long: the next backoff starts small again */
#define STANZA_DEFAULT ((size_t)256 * 1024)
#define QUEUE_HIGH ((size_t)4 << 20)
#define QUEUE_READ ((size_t)8 << 20) /* above: nothing more is read */
#define QUEUE_HARD ((size_t)32 << 20)
#define HELD_HIGH ((size_t)16 << 20)
#define UNCONFIRMED_HIGH 20000U
#define READ_SIZE ((size_t)64 * 1024)
#define PIECES 128U
#define REQUESTS_MAX 4096U

#define NS_STREAM_ERROR "urn:ietf:params:xml:ns:xmpp-streams"

enum phase { PHASE_DOWN, PHASE_HEADER, PHASE_HANDSHAKE, PHASE_UP };

struct request {
	struct request *next;
	char id[LINK_ID_SIZE];
	char *to;
	int64_t deadline_us;
	link_answered answered;
	void *context;
};

struct link {
	uint32_t magic;
	char *server, *domain;
	char *secret;
	size_t secret_n, max_stanza;
	void (*stanza)(void *context, const struct xml_node *stanza, int violation);
	void (*changed)(void *context, bool up, const char *why);
	void *context;

	pthread_t thread;
	bool started;
	int wake_fd, epoll_fd;
	_Atomic uint64_t ids;
	char id_base[12];

	/* Under the lock; the link's thread is the only one that changes `phase`. */
	pthread_mutex_t lock;
	pthread_cond_t room;  /* the outbox has drained, or the link went down */
	pthread_cond_t quiet; /* the callback under way has returned */
	struct outbox *outbox;
	enum phase phase;
	bool stopping, flush, woken;
	int64_t drain_until_us;
	size_t since_barrier;
	int64_t oldest_us;   /* when the first tracked stanza without a barrier was sent */
	const void *calling; /* context of the callback under way */
	struct request *requests;
	size_t request_count;
	struct link_state state;

	/* The link's thread only. */
	int fd;
	struct stream *stream;
	bool writable_wanted, reading;
	bool ended;
	bool idle_asked;
	int64_t up_since_us, received_us, barrier_sent_us, phase_until_us, backoff_us;
	char barrier_id[LINK_ID_SIZE];
	char stream_error[40];
	struct xylem_reason why;
};

static void set_phase(struct link *link, enum phase phase)
{
	pthread_mutex_lock(&link->lock);
	link->phase = phase;
	pthread_mutex_unlock(&link->lock);
}

static void wake(struct link *link)
{
	uint64_t one = 1;
	/* Full means that a wake is pending already. */
	(void)!write(link->wake_fd, &one, sizeof(one));
}

const char *link_id(struct link *link, char id[LINK_ID_SIZE])
{
	snprintf(id, LINK_ID_SIZE, "x%s-%llx", link->id_base,
		(unsigned long long)atomic_fetch_add(&link->ids, 1));
	return id;
}

const char *link_domain(const struct link *link)
{
	return link->domain;
}

size_t link_max_stanza(const struct link *link)
{
	return link->max_stanza;
}

/* --- Sending, from any thread -------------------------------------------- */

static bool has_room(const struct link *link)
{
	return outbox_queued_bytes(link->outbox) < QUEUE_HIGH &&
	       outbox_held_bytes(link->outbox) < HELD_HIGH &&
	       outbox_unconfirmed(link->outbox) < UNCONFIRMED_HIGH;
}

static int may_send(const struct link *link)
{
	if (link->stopping) {
		return -XYLEM_E_STOPPING;
	}
	if (link->phase != PHASE_UP) {
		return -XYLEM_E_UNREACHABLE;
	}
	return has_room(link) ? 0 : -XYLEM_E_BUSY;
}

static int check_stanza(const struct link *link, struct xylem_span stanza, struct xylem_reason *reason)
{
	size_t at;
	if (stanza.n > link->max_stanza) {
		xylem_reason_set(
			reason, "a stanza of %zu bytes; xmpp.max_stanza is %zu", stanza.n, link->max_stanza);
		return -XYLEM_E_TOO_LARGE;
	}
	if (!xml_check(stanza, &at)) {
		xylem_reason_set(reason,
			"byte %zu of the stanza (0x%02x) is no character of XML 1.0 in UTF-8", at,
			(unsigned char)stanza.at[at]);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

/* Under the lock. */
static int enqueue(struct link *link, struct xylem_span stanza, const struct outbox_track *track)
{
	int error = outbox_add(link->outbox, stanza, track);
	if (error != 0) {
		return error;
	}
	link->state.sent++;
	if (track != NULL && link->since_barrier++ == 0) {
		link->oldest_us = clock_mono_us();
	}
	if (!link->woken) {
		link->woken = true;
		wake(link);
	}
	return 0;
}

int link_send(struct link *link, struct xylem_span stanza, const struct outbox_track *track,
	struct xylem_reason *reason)
{
	int error = check_stanza(link, stanza, reason);
	if (error != 0) {
		return error;
	}
	pthread_mutex_lock(&link->lock);
	error = may_send(link);
	if (error == 0) {
		error = enqueue(link, stanza, track);
	} else {
		xylem_reason_set(reason, "the link to %s: %s", link->server,
			link->phase == PHASE_UP ? xylem_error_row(error)->text : link->state.why);
	}
	pthread_mutex_unlock(&link->lock);
	return error;
}

void link_answer(struct link *link, struct xylem_span stanza)
{
	struct xylem_reason reason;
	int error = check_stanza(link, stanza, &reason);

	pthread_mutex_lock(&link->lock);
	bool fits = link->phase == PHASE_UP && outbox_queued_bytes(link->outbox) + stanza.n < QUEUE_HARD;
	if (error != 0 || !fits || enqueue(link, stanza, NULL) != 0) {
		link->state.dropped_answers++;
	}
	pthread_mutex_unlock(&link->lock);
}

void link_flush(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	link->flush = true;
	if (!link->woken) {
		link->woken = true;
		wake(link);
	}
	pthread_mutex_unlock(&link->lock);
}

static void requests_forget(struct link *link, const void *context)
{
	for (struct request **at = &link->requests; *at != NULL;) {
		struct request *request = *at;
		if (request->context != context) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		link->request_count--;
		free(request->to);
		free(request);
	}
}

void link_forget(struct link *link, const void *context)
{
	pthread_mutex_lock(&link->lock);
	outbox_forget(link->outbox, context);
	requests_forget(link, context);
	while (link->calling == context) {
		pthread_cond_wait(&link->quiet, &link->lock);
	}
	pthread_mutex_unlock(&link->lock);
}

int link_wait_room(struct link *link, int64_t deadline_mono_us, const _Atomic bool *interrupted)
{
	int result;

	pthread_mutex_lock(&link->lock);
	while ((result = may_send(link)) == -XYLEM_E_BUSY) {
		int64_t now = clock_mono_us();
		if (interrupted != NULL && atomic_load(interrupted)) {
			result = -XYLEM_E_INTERRUPTED;
			break;
		}
		if (now >= deadline_mono_us) {
			result = -XYLEM_E_TIMEOUT;
			break;
		}
		/* Nobody signals an interruption here, so look at it now and then. */
		int64_t until = now + SECOND_US / 20 < deadline_mono_us ? now + SECOND_US / 20
									: deadline_mono_us;
		struct timespec ts = clock_timespec(until);
		pthread_cond_clockwait(&link->room, &link->lock, CLOCK_MONOTONIC, &ts);
	}
	pthread_mutex_unlock(&link->lock);
	return result;
}

/* --- Our own requests ---------------------------------------------------- */

static struct request *request_new(const char *id, const char *to, int64_t timeout_us)
{
	struct request *request = calloc(1, sizeof(*request));
	if (request == NULL) {
		return NULL;
	}
	snprintf(request->id, sizeof(request->id), "%s", id);
	request->to = strdup(to);
	request->deadline_us = clock_mono_us() + timeout_us;
	if (request->to == NULL) {
		free(request);
		return NULL;
	}
	return request;
}

int link_request(struct link *link, struct xylem_span iq, const char *id, const char *to, int64_t timeout_us,
	link_answered answered, void *context, struct xylem_reason *reason)
{
	int error = check_stanza(link, iq, reason);
	if (error != 0) {
		return error;
	}
	struct request *request = request_new(id, to, timeout_us);
	if (request == NULL) {
		return -XYLEM_E_MEMORY;
	}
	request->answered = answered;
	request->context = context;
	pthread_mutex_lock(&link->lock);
	error = may_send(link);
	error = error == 0 && link->request_count >= REQUESTS_MAX ? -XYLEM_E_BUSY : error;
	error = error == 0 ? enqueue(link, iq, NULL) : error;
	if (error == 0) {
		request->next = link->requests;
		link->requests = request;
		link->request_count++;
	}
	pthread_mutex_unlock(&link->lock);
	if (error != 0) {
		xylem_reason_set(reason, "the link to %s: %s", link->server, xylem_error_row(error)->text);
		free(request->to);
		free(request);
	}
	return error;
}

static void call_answered(struct link *link, struct request *request, const struct xml_node *answer)
{
	link->calling = request->context;
	link->request_count--;
	pthread_mutex_unlock(&link->lock);
	request->answered(request->context, answer);
	pthread_mutex_lock(&link->lock);
	link->calling = NULL;
	pthread_cond_broadcast(&link->quiet);
	free(request->to);
	free(request);
}

/* Takes those out that are past `now` (or all) and answers them with nothing. */
static void requests_expire(struct link *link, int64_t now, bool all)
{
	pthread_mutex_lock(&link->lock);
	struct request **at = &link->requests;
	while (*at != NULL) {
		struct request *request = *at;
		if (!all && request->deadline_us > now) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		call_answered(link, request, NULL);
		at = &link->requests;
	}
	pthread_mutex_unlock(&link->lock);
}

/* An IQ result or error: one of ours? Spoofed ones differ in their sender. */
static bool request_answered(struct link *link, const struct xml_node *iq)
{
	struct xylem_span id = xml_attribute(iq, "id"), from = xml_attribute(iq, "from");
	bool found = false;

	pthread_mutex_lock(&link->lock);
	for (struct request **at = &link->requests; *at != NULL; at = &(*at)->next) {
		struct request *request = *at;
		if (xylem_span_is(id, request->id) && xylem_span_is(from, request->to)) {
			*at = request->next;
			call_answered(link, request, iq);
			found = true;
			break;
		}
	}
	pthread_mutex_unlock(&link->lock);
	return found;
}

/* --- Barriers ------------------------------------------------------------ */

/* Queues a barrier. Under the lock. */
static void barrier_send(struct link *link, int64_t now)
{
	XYLEM_BUFFER_SCOPED iq = { 0 };

	link_id(link, link->barrier_id);
	xylem_buffer_format(&iq,
		"<iq type='get' id='%s' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
		link->barrier_id, link->domain, link->domain);
	if (xylem_buffer_failed(&iq) || outbox_barrier(link->outbox, xylem_buffer_borrow(&iq)) != 0) {
		link->ended = true;
		return;
	}
	link->barrier_sent_us = now;
	link->since_barrier = 0;
	link->flush = false;
}

static void barrier_consider(struct link *link, int64_t now)
{
	bool asked = link->flush || link->since_barrier >= BARRIER_COUNT ||
		     (link->since_barrier > 0 && now - link->oldest_us >= BARRIER_AGE_US);
	bool idle = now - link->received_us >= IDLE_US;

	if (outbox_barrier_out(link->outbox)) {
		return;
	}
	if ((asked && outbox_barrier_due(link->outbox)) || idle) {
		barrier_send(link, now);
	} else if (!outbox_barrier_due(link->outbox)) {
		link->flush = false;
		link->since_barrier = 0;
	}
}

/* Calls back for what is settled, outside of the lock. */
static void settle(struct link *link)
{
	link_confirmed done;
	void *context;
	struct link_outcome outcome;

	pthread_mutex_lock(&link->lock);
	while (outbox_settled(link->outbox, &done, &context, &outcome)) {
		link->state.refused += outcome.error == -XYLEM_E_UNPROCESSABLE ? 1 : 0;
		link->calling = context;
		pthread_mutex_unlock(&link->lock);
		done(context, &outcome);
		pthread_mutex_lock(&link->lock);
		link->calling = NULL;
		pthread_cond_broadcast(&link->quiet);
	}
	pthread_cond_broadcast(&link->room);
	pthread_mutex_unlock(&link->lock);
}

static bool is_barrier(const struct link *link, const struct xml_node *stanza)
{
	return xml_is(stanza, NS_COMPONENT, "iq") && link->barrier_id[0] != '\0' &&
	       xylem_span_is(xml_attribute(stanza, "id"), link->barrier_id) &&
	       xylem_span_is(xml_attribute(stanza, "from"), link->domain);
}

static void barrier_back(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	outbox_barrier_back(link->outbox);
	link->barrier_id[0] = '\0';
	/* Suspects go one by one, each with a barrier of its own. */
	link->flush = link->flush || outbox_barrier_due(link->outbox);
	pthread_mutex_unlock(&link->lock);
	settle(link);
}

/* --- What comes in ------------------------------------------------------- */

static struct xylem_span condition_of(const struct xml_node *error, const char *namespace)
{
	for (const struct xml_node *c = xml_child(error, namespace, NULL); c != NULL;
		c = xml_next(c, namespace, NULL)) {
		if (!xylem_span_is(c->name, "text")) {
			return c->name;
		}
	}
	return XYLEM_SPAN_NONE;
}

static void message_refused(struct link *link, const struct xml_node *stanza)
{
	const struct xml_node *error = xml_child(stanza, NULL, "error");
	const struct xml_node *text = xml_child(error, NS_STANZA_ERROR, "text");

	pthread_mutex_lock(&link->lock);
	outbox_refused(link->outbox, xml_attribute(stanza, "id"), xml_attribute(stanza, "from"),
		xml_attribute(error, "type"), condition_of(error, NS_STANZA_ERROR),
		text != NULL && text->first != NULL ? text->first->text : XYLEM_SPAN_NONE);
	pthread_mutex_unlock(&link->lock);
}

static void stream_failed(struct link *link, const struct xml_node *error)
{
	struct xylem_span condition = condition_of(error, NS_STREAM_ERROR);
	const struct xml_node *text = xml_child(error, NS_STREAM_ERROR, "text");
	struct xylem_span words = text != NULL && text->first != NULL ? text->first->text : XYLEM_SPAN_NONE;

	snprintf(link->stream_error, sizeof(link->stream_error), "%.*s", (int)condition.n,
		condition.n > 0 ? condition.at : "");
	xylem_reason_set(&link->why, "the server closed the stream: %s%s%.*s", link->stream_error,
		words.n > 0 ? ": " : "", (int)words.n, words.n > 0 ? words.at : "");
	link->ended = true;
}

static void went_up(struct link *link)
{
	int64_t now = clock_mono_us();

	pthread_mutex_lock(&link->lock);
	link->phase = PHASE_UP;
	link->state.up = true;
	link->state.why[0] = '\0';
	link->state.since_us = clock_wall_us();
	link->state.connects++;
	link->up_since_us = now;
	link->flush = true; /* what waits from the stream before */
	if (outbox_barrier_due(link->outbox)) {
		barrier_send(link, now);
	}
	pthread_mutex_unlock(&link->lock);
	xylem_log(XYLEM_LOG_NOTICE, "xmpp", "%s: connected as %s", link->server, link->domain);
	link->changed(link->context, true, "");
}

static void take_stanza(struct link *link, const struct xml_node *stanza, int violation)
{
	bool iq = xml_is(stanza, NS_COMPONENT, "iq");
	struct xylem_span type = xml_attribute(stanza, "type");
	bool answer = iq && (xylem_span_is(type, "result") || xylem_span_is(type, "error"));

	if (is_barrier(link, stanza)) {
		barrier_back(link);
		return;
	}
	if (answer) {
		(void)request_answered(link, stanza);
		return;
	}
	if (xylem_span_is(type, "error")) {
		message_refused(link, stanza);
	}
	link->stanza(link->context, stanza, violation);
}

static void on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct link *link = context;

	if (link->ended) {
		return;
	}
	if (xml_is(stanza, NS_STREAM, "error")) {
		stream_failed(link, stanza);
	} else if (link->phase == PHASE_HANDSHAKE && xml_is(stanza, NS_COMPONENT, "handshake")) {
		went_up(link);
	} else if (link->phase == PHASE_UP) {
		pthread_mutex_lock(&link->lock);
		link->state.received++;
		pthread_mutex_unlock(&link->lock);
		take_stanza(link, stanza, violation);
	}
}

/* SHA-1 over the stream's id and the secret (XEP-0114, 3). */
static bool handshake_of(const struct link *link, struct xylem_span id, char ret_hex[41])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1 &&
		  EVP_DigestUpdate(md, id.at, id.n) == 1 &&
		  EVP_DigestUpdate(md, link->secret, link->secret_n) == 1 &&
		  EVP_DigestFinal_ex(md, sum, &n) == 1 && n == 20;
	EVP_MD_CTX_free(md);
	for (unsigned i = 0; ok && i < n; i++) {
		snprintf(ret_hex + (size_t)2 * i, 3, "%02x", sum[i]);
	}
	return ok;
}

/* Before the outbox is in use: a few bytes that the fresh socket's buffer takes whole. */
static void send_now(struct link *link, const char *text)
{
	ssize_t n = send(link->fd, text, strlen(text), MSG_NOSIGNAL);
	if (n != (ssize_t)strlen(text)) {
		xylem_reason_set(
			&link->why, "%s: %s", link->server, n < 0 ? strerror(errno) : "cannot write");
		link->ended = true;
	}
}

static void on_header(void *context, const struct xml_node *header)
{
	struct link *link = context;
	char hex[41], text[80];
	struct xylem_span id = xml_attribute(header, "id");

	if (!xml_is(header, NS_STREAM, "stream") || id.n == 0 || !handshake_of(link, id, hex)) {
		xylem_reason_set(&link->why, "%s: this is no XMPP component port", link->server);
		link->ended = true;
		return;
	}
	snprintf(text, sizeof(text), "<handshake>%s</handshake>", hex);
	send_now(link, text);
	set_phase(link, PHASE_HANDSHAKE);
}

static void on_end(void *context)
{
	struct link *link = context;

	if (!link->ended) {
		xylem_reason_set(&link->why, "the server closed the stream");
		link->ended = true;
	}
}

static const struct stream_events stream_events = { on_header, on_stanza, on_end };

/* --- One connection ------------------------------------------------------ */

static void watch(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	bool reading = outbox_queued_bytes(link->outbox) < QUEUE_READ;
	pthread_mutex_unlock(&link->lock);
	struct epoll_event event = { .events = (reading ? EPOLLIN : 0U) |
					       (link->writable_wanted ? EPOLLOUT : 0U),
		.data.fd = link->fd };
	(void)epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, link->fd, &event);
}

static void read_some(struct link *link)
{
	char bytes[READ_SIZE];

	ssize_t n = recv(link->fd, bytes, sizeof(bytes), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		xylem_reason_set(&link->why, "%s: %s", link->server,
			n == 0 ? "the server closed the connection" : strerror(errno));
		link->ended = true;
		return;
	}
	link->received_us = clock_mono_us();
	struct xylem_reason reason;
	if (stream_feed(link->stream, xylem_span(bytes, (size_t)n), &reason) != 0 && !link->ended) {
		link->why = reason;
		link->ended = true;
	}
}

static void write_some(struct link *link)
{
	struct iovec pieces[PIECES];

	link->writable_wanted = false;
	while (!link->ended) {
		pthread_mutex_lock(&link->lock);
		size_t n = outbox_gather(link->outbox, pieces, PIECES);
		pthread_mutex_unlock(&link->lock);
		if (n == 0) {
			return;
		}
		struct msghdr message = { .msg_iov = pieces, .msg_iovlen = n };
		ssize_t sent = sendmsg(link->fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			link->writable_wanted = true;
			return;
		}
		if (sent < 0 && errno != EINTR) {
			/* What the server says about the end may still be in the socket. */
			xylem_reason_set(&link->why, "%s: %s", link->server, strerror(errno));
			read_some(link);
			link->ended = true;
			return;
		}
		pthread_mutex_lock(&link->lock);
		outbox_written(link->outbox, sent > 0 ? (size_t)sent : 0);
		if (has_room(link)) {
			pthread_cond_broadcast(&link->room);
		}
		pthread_mutex_unlock(&link->lock);
	}
}

static void drain_wakes(struct link *link)
{
	uint64_t count;
	(void)!read(link->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&link->lock);
	link->woken = false;
	pthread_mutex_unlock(&link->lock);
}

/* Time-driven work; the time of the next. */
static int64_t tick(struct link *link)
{
	int64_t now = clock_mono_us();

	requests_expire(link, now, false);
	pthread_mutex_lock(&link->lock);
	int64_t next = now + SECOND_US;
	if (link->phase != PHASE_UP) {
		next = link->phase_until_us;
		if (now >= next && !link->ended) {
			xylem_reason_set(&link->why, "%s: no answer to the handshake", link->server);
			link->ended = true;
		}
	} else {
		barrier_consider(link, now);
		if (outbox_barrier_out(link->outbox) && now - link->barrier_sent_us >= BARRIER_US) {
			xylem_reason_set(&link->why, "%s: no answer to a ping for 10 s", link->server);
			link->ended = true;
		}
		if (link->since_barrier > 0) {
			next = link->oldest_us + BARRIER_AGE_US;
		}
	}
	if (link->stopping && (outbox_queued_bytes(link->outbox) == 0 || now >= link->drain_until_us)) {
		link->ended = true;
	}
	pthread_mutex_unlock(&link->lock);
	return next;
}

static void wait_for_events(struct link *link, int64_t until_us)
{
	struct epoll_event events[2];
	int64_t left = until_us - clock_mono_us();

	int n = epoll_wait(link->epoll_fd, events, 2, left <= 0 ? 0 : (int)(left / 1000) + 1);
	for (int i = 0; i < n && !link->ended; i++) {
		if (events[i].data.fd == link->wake_fd) {
			drain_wakes(link);
		} else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
			read_some(link);
		}
	}
}

static bool begin(struct link *link)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = link->fd };
	XYLEM_BUFFER_SCOPED header = { 0 };

	link->stream = stream_new(link->max_stanza, &stream_events, link);
	xylem_buffer_text(&header,
		"<?xml version='1.0'?><stream:stream xmlns='" NS_COMPONENT "' xmlns:stream='" NS_STREAM "'");
	xml_write_attribute(&header, "to", xylem_span_of(link->domain));
	xylem_buffer_append(&header, ">", 2); /* with its terminator */
	if (link->stream == NULL || xylem_buffer_failed(&header) ||
		epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->fd, &event) != 0) {
		xylem_reason_set(&link->why, "out of memory or descriptors");
		return false;
	}
	link->received_us = clock_mono_us();
	link->phase_until_us = link->received_us + HANDSHAKE_US;
	set_phase(link, PHASE_HEADER);
	send_now(link, header.bytes);
	return true;
}

static void run_stream(struct link *link)
{
	if (!begin(link)) {
		return;
	}
	while (!link->ended) {
		int64_t next = tick(link);
		if (link->ended) {
			break;
		}
		if (link->phase == PHASE_UP) {
			write_some(link);
		}
		watch(link);
		wait_for_events(link, next);
	}
	if (link->phase == PHASE_UP) {
		(void)!send(link->fd, "</stream:stream>", 16, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

/* --- Ends and reconnects ------------------------------------------------- */

/* Stream errors that one stanza can cause (RFC 6120, 4.9.3). */
static bool caused_by_stanza(const char *condition)
{
	static const char *const conditions[] = { "bad-format", "bad-namespace-prefix", "improper-addressing",
		"invalid-from", "invalid-namespace", "invalid-xml", "not-well-formed", "policy-violation",
		"restricted-xml", "undefined-condition", "unsupported-encoding", "unsupported-stanza-type" };

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (strcmp(condition, conditions[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void end_stream(struct link *link)
{
	link->stream = stream_free(link->stream);
	if (link->fd >= 0) {
		close(link->fd);
		link->fd = -1;
	}
	pthread_mutex_lock(&link->lock);
	bool was_up = link->phase == PHASE_UP;
	outbox_restart(
		link->outbox, was_up && caused_by_stanza(link->stream_error) ? link->stream_error : NULL);
	link->phase = PHASE_DOWN;
	link->barrier_id[0] = '\0';
	link->since_barrier = 0;
	link->state.failures++;
	link->state.since_us = was_up ? clock_wall_us() : link->state.since_us;
	link->state.up = false;
	snprintf(link->state.why, sizeof(link->state.why), "%.255s", link->why.text);
	pthread_cond_broadcast(&link->room);
	pthread_mutex_unlock(&link->lock);
	requests_expire(link, 0, true);
	settle(link);
	if (was_up && clock_mono_us() - link->up_since_us >= STEADY_US) {
		link->backoff_us = 0;
	}
}

static int64_t next_backoff(struct link *link)
{
	bool refused = strcmp(link->stream_error, "not-authorized") == 0 ||
		       strcmp(link->stream_error, "host-unknown") == 0;
	bool conflict = strcmp(link->stream_error, "conflict") == 0;
	int64_t least = refused ? BACKOFF_MAX_US / 3 : conflict ? 2 * SECOND_US : BACKOFF_US;

	link->backoff_us = link->backoff_us * 2 < least ? least : link->backoff_us * 2;
	link->backoff_us = link->backoff_us > BACKOFF_MAX_US ? BACKOFF_MAX_US : link->backoff_us;
	uint32_t dice = 0;
	(void)!getrandom(&dice, sizeof(dice), GRND_NONBLOCK);
	/* Half to whole, so that many buses do not come back as one. */
	return link->backoff_us / 2 + (int64_t)(dice % 1000) * link->backoff_us / 2000;
}

static bool stopping(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	bool result = link->stopping;
	pthread_mutex_unlock(&link->lock);
	return result;
}

static void rest(struct link *link, int64_t span_us)
{
	int64_t until = clock_mono_us() + span_us;

	while (!stopping(link) && clock_mono_us() < until) {
		wait_for_events(link, until);
	}
}

static void *run(void *context)
{
	struct link *link = context;
	assert(link->magic == LINK_MAGIC);

	while (true) {
		drain_wakes(link); /* before the look at `stopping`, so that the wake of a stop is not lost */
		if (stopping(link)) {
			break;
		}
		link->ended = false;
		link->stream_error[0] = '\0';
		link->fd = socket_connect(link->server, CONNECT_US, link->wake_fd, &link->why);
		if (link->fd >= 0) {
			run_stream(link);
		}
		end_stream(link);
		if (stopping(link)) {
			break;
		}
		int64_t span = next_backoff(link);
		xylem_log(XYLEM_LOG_WARNING, "xmpp", "%s; next try in %.1f s", link->why.text,
			(double)span / 1e6);
		link->changed(link->context, false, link->why.text);
		rest(link, span);
	}
	pthread_mutex_lock(&link->lock);
	outbox_abandon(link->outbox, -XYLEM_E_STOPPING);
	pthread_mutex_unlock(&link->lock);
	settle(link);
	return NULL;
}

/* --- Lifecycle ----------------------------------------------------------- */

static bool copy_options(struct link *link, const struct link_options *options)
{
	link->server = strdup(options->server);
	link->domain = strdup(options->domain);
	link->secret = malloc(options->secret.n + 1);
	if (link->server == NULL || link->domain == NULL || link->secret == NULL) {
		return false;
	}
	if (options->secret.n > 0) {
		memcpy(link->secret, options->secret.at, options->secret.n);
	}
	link->secret_n = options->secret.n;
	link->max_stanza = options->max_stanza != 0 ? options->max_stanza : STANZA_DEFAULT;
	link->stanza = options->stanza;
	link->changed = options->changed;
	link->context = options->context;
	return true;
}

static bool make_parts(struct link *link)
{
	struct epoll_event event = { .events = EPOLLIN };
	unsigned char random[4] = { 0 };

	(void)!getrandom(random, sizeof(random), GRND_NONBLOCK);
	snprintf(link->id_base, sizeof(link->id_base), "%02x%02x%02x%02x", random[0], random[1], random[2],
		random[3]);
	link->outbox = outbox_new();
	link->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = link->wake_fd;
	return link->outbox != NULL && link->wake_fd >= 0 && link->epoll_fd >= 0 &&
	       epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->wake_fd, &event) == 0;
}

int link_new(struct link **ret_link, const struct link_options *options, struct xylem_reason *reason)
{
	struct jid jid;
	size_t at;
	if (!jid_split(xylem_span_of(options->domain), &jid) || jid.local.n > 0 || jid.resource.n > 0 ||
		strpbrk(options->domain, "'<>&\" ") != NULL || !xml_check(jid.domain, &at)) {
		xylem_reason_set(reason, "xmpp.domain: %s is no domain", options->domain);
		return -XYLEM_E_INVALID;
	}
	struct link *link = calloc(1, sizeof(*link));
	if (link == NULL) {
		return -XYLEM_E_MEMORY;
	}
	link->magic = LINK_MAGIC;
	link->fd = link->wake_fd = link->epoll_fd = -1;
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->room, NULL);
	pthread_cond_init(&link->quiet, NULL);
	snprintf(link->state.why, sizeof(link->state.why), "not connected yet");
	if (!copy_options(link, options) || !make_parts(link)) {
		link_free(link);
		xylem_reason_set(reason, "out of memory or descriptors");
		return -XYLEM_E_MEMORY;
	}
	*ret_link = link;
	return 0;
}

int link_start(struct link *link, struct xylem_reason *reason)
{
	if (thread_start(&link->thread, "xmpp", (size_t)1 << 20, run, link) != 0) {
		xylem_reason_set(reason, "the XMPP thread cannot be started");
		return -XYLEM_E_MEMORY;
	}
	link->started = true;
	return 0;
}

void link_stop(struct link *link, int64_t drain_us)
{
	if (link == NULL || !link->started) {
		return;
	}
	pthread_mutex_lock(&link->lock);
	link->stopping = true;
	link->drain_until_us = clock_mono_us() + drain_us;
	pthread_cond_broadcast(&link->room);
	pthread_mutex_unlock(&link->lock);
	wake(link);
	pthread_join(link->thread, NULL);
	link->started = false;
}

static void close_descriptor(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

struct link *link_free(struct link *link)
{
	if (link == NULL) {
		return NULL;
	}
	assert(link->magic == LINK_MAGIC);
	link_stop(link, 0);
	outbox_free(link->outbox);
	close_descriptor(link->wake_fd);
	close_descriptor(link->epoll_fd);
	if (link->secret != NULL) {
		explicit_bzero(link->secret, link->secret_n);
	}
	free(link->secret);
	free(link->server);
	free(link->domain);
	pthread_mutex_destroy(&link->lock);
	pthread_cond_destroy(&link->room);
	pthread_cond_destroy(&link->quiet);
	link->magic = 0;
	free(link);
	return NULL;
}

void link_state(struct link *link, struct link_state *ret_state)
{
	pthread_mutex_lock(&link->lock);
	*ret_state = link->state;
	ret_state->resent = outbox_resent(link->outbox);
	ret_state->queued_bytes = outbox_queued_bytes(link->outbox);
	ret_state->unconfirmed = outbox_unconfirmed(link->outbox);
	pthread_mutex_unlock(&link->lock);
}

/* --- For deliveries -------------------------------------------------------- */

static int carrier_send(
	void *link, struct xylem_span stanza, const struct outbox_track *track, struct xylem_reason *reason)
{
	return link_send(link, stanza, track, reason);
}

static void carrier_flush(void *link)
{
	link_flush(link);
}

static int carrier_wait_room(void *link, int64_t deadline_mono_us, const _Atomic bool *interrupted)
{
	return link_wait_room(link, deadline_mono_us, interrupted);
}

static void carrier_forget(void *link, const void *context)
{
	link_forget(link, context);
}

static bool carrier_up(void *link, char ret_why[256])
{
	struct link_state state;

	link_state(link, &state);
	memcpy(ret_why, state.why, sizeof(state.why));
	return state.up;
}

const struct delivery_carrier link_carrier = { carrier_send, carrier_flush, carrier_wait_room, carrier_forget,
	carrier_up };
