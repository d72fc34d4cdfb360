/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link's thread: connecting, the handshake, reading, writing, and what
 * follows when a stream ends. What it does with the outbox it does
 * under the lock; callbacks are called outside of it.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <base/clock.h>
#include <base/reason.h>
#include <xylem/log.h>
#include <xmpp/link_body.h>
#include <xmpp/socket.h>
#include <xmpp/stanza.h>

#define NS_STREAM_ERROR "urn:ietf:params:xml:ns:xmpp-streams"

#define CONNECT_US (5 * SECOND_US)
#define HANDSHAKE_US (15 * SECOND_US)
#define BACKOFF_US (SECOND_US / 5)
#define BACKOFF_MAX_US (10 * SECOND_US)
#define STEADY_US (2 * SECOND_US) /* up for this long: the next backoff starts small again */
#define READ_SIZE ((size_t)64 * 1024)
#define PIECES 128U

static void set_phase(struct link *link, enum phase phase)
{
	pthread_mutex_lock(&link->lock);
	link->phase = phase;
	pthread_mutex_unlock(&link->lock);
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
	metric_set(link->up, 1);
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

	if (barrier_take(link, stanza)) {
		return;
	}
	if (answer) {
		(void)requests_answered(link, stanza);
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
		metric_add(link->in, 1);
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
	link->written += n > 0 ? (size_t)n : 0;
}

static void on_header(void *context, const struct xml_node *header)
{
	struct link *link = context;
	char hex[41], text[80];
	struct xylem_span id = xml_attribute(header, "id");

	if (xml_is(header, NS_STREAM, "stream") && id.n == 0) {
		return; /* the server's reason follows: Prosody's, where it has no such component */
	}
	if (!xml_is(header, NS_STREAM, "stream") || !handshake_of(link, id, hex)) {
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
	bool reading = outbox_queued_bytes(link->outbox) < LINK_QUEUE_READ;
	bool writing = link->writable_wanted;
	pthread_mutex_unlock(&link->lock);
	struct epoll_event event = { .events = (reading ? EPOLLIN : 0U) | (writing ? EPOLLOUT : 0U),
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

/* How much may go now; 0 too while the socket is full. */
static size_t gather(struct link *link, struct iovec pieces[PIECES])
{
	pthread_mutex_lock(&link->lock);
	size_t n = link->writable_wanted ? 0 : outbox_gather(link->outbox, pieces, PIECES);
	pthread_mutex_unlock(&link->lock);
	return n;
}

static void set_full(struct link *link, bool full)
{
	pthread_mutex_lock(&link->lock);
	link->writable_wanted = full;
	pthread_mutex_unlock(&link->lock);
}

static void write_some(struct link *link)
{
	struct iovec pieces[PIECES];

	while (!link->ended) {
		size_t n = gather(link, pieces);
		if (n == 0) {
			return;
		}
		struct msghdr message = { .msg_iov = pieces, .msg_iovlen = n };
		ssize_t sent = sendmsg(link->fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			set_full(link, true);
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
		link->written += sent > 0 ? (size_t)sent : 0;
		if (link_has_room(link)) {
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
		if (barrier_overdue(link, now)) {
			xylem_reason_set(&link->why, "%s: no answer to a ping for 10 s", link->server);
			link->ended = true;
		}
		next = barrier_next(link, next);
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
			continue;
		}
		if (events[i].events & EPOLLOUT) {
			set_full(link, false);
		}
		if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
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
	set_full(link, false);
	link->written = link->acked = 0;
	link->received_us = link->moved_us = clock_mono_us();
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
	link->barrier_count = 0;
	link->since_barrier = link->since_bytes = 0;
	link->state.failures++;
	metric_set(link->up, 0);
	link->state.since_us = was_up ? clock_wall_us() : link->state.since_us;
	link->state.up = false;
	reason_copy(link->state.why, sizeof(link->state.why), link->why.text);
	pthread_cond_broadcast(&link->room);
	pthread_mutex_unlock(&link->lock);
	requests_expire(link, 0, true);
	barrier_settle(link);
	if (was_up && clock_mono_us() - link->up_since_us >= STEADY_US) {
		link->backoff_us = 0;
	}
}

static int64_t next_backoff(struct link *link)
{
	bool refused = strcmp(link->stream_error, "not-authorized") == 0 ||
		       strcmp(link->stream_error, "host-unknown") == 0;
	bool conflict = strcmp(link->stream_error, "conflict") == 0;
	int64_t least = refused ? BACKOFF_MAX_US : conflict ? 2 * SECOND_US : BACKOFF_US;

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

void *link_run(void *context)
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
	barrier_settle(link);
	return NULL;
}
