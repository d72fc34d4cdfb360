/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account's connection, on libstrophe.
 *
 * libstrophe is not thread-safe and watches its sockets by select(): its
 * context belongs to one thread here, and the socket is moved to a low
 * descriptor number that was reserved when the connector was opened, because a
 * number of 1024 or more ends the process. It sends from a queue of its own
 * that cannot be bounded by bytes: what waits stays in our outbox, and
 * libstrophe is given at most 64 KiB at a time, the next when the last is out.
 *
 * Each connection is made anew (xmpp_conn_t), so that nothing of a dead one is
 * left: what was not confirmed is in our outbox and is sent again.
 *
 * The rule not to break: libstrophe is called on the session's thread only.
 */
#include "xmpp_session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/jid.h>
#include <xylem/log.h>
#include <xmpp/outbox.h>
#include <xmpp/xml.h>

#define SESSION_MAGIC 0x73657373U
#define SECOND_US ((int64_t)1000000)
#define PIECE ((size_t)64 * 1024)
#define STANZA_MOST ((size_t)256 * 1024)
#define QUEUE_HIGH ((size_t)1 << 20)
#define BARRIER_US (20 * SECOND_US)
/*
 * Debian's expat puts off parsing a tag that came in two reads until more comes, and libstrophe cannot
 * tell it not to: a ping's answer brings what is stuck.
 */
#define IDLE_US (15 * SECOND_US)
#define LOGIN_US (30 * SECOND_US)
#define BACKOFF_US (SECOND_US / 2)
#define BACKOFF_MAX_US (60 * SECOND_US)
#define READS 8 /* of 4 KiB each: libstrophe reads no more at once */

struct session {
	uint32_t magic;
	char *jid, *domain, *host, *ca, *password;
	unsigned short port;
	struct session_options options;
	pthread_t thread;
	bool started;
	int wake_fd;

	pthread_mutex_t lock;
	pthread_cond_t room, quiet;
	struct outbox *outbox;
	bool up, stopping, flush;
	char why[256];
	const void *calling;

	/* The session's thread only. */
	int low_fd; /* reserved; -1: the connection has it */
	int fd;
	xmpp_log_t log;
	xmpp_ctx_t *ctx;
	xmpp_conn_t *conn;
	struct xylem_buffer piece;
	bool ended;
	bool logged_in;
	int64_t backoff_us, began_us, heard_us, barrier_us;
	uint64_t pings;
	char barrier_id[32];
	char blame[40];
	char hint[200]; /* the last error that libstrophe logged */
};

static void wake(struct session *session)
{
	uint64_t one = 1;
	(void)!write(session->wake_fd, &one, sizeof(one));
}

/* --- libstrophe's corners --------------------------------------------------- */

static void on_log(void *context, xmpp_log_level_t level, const char *area, const char *text)
{
	struct session *session = context;
	/* The first says most: later ones tell what followed from it. */
	if (level >= XMPP_LEVEL_ERROR && session->hint[0] == '\0') {
		snprintf(session->hint, sizeof(session->hint), "%s", text);
	}
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* The parser keeps the allocator of the first context for ever: give it one that is never freed. */
static void library_start(void)
{
	xmpp_initialize();
	xmpp_ctx_t *lasting = xmpp_ctx_new(NULL, NULL);
	xmpp_conn_t *conn = lasting == NULL ? NULL : xmpp_conn_new(lasting);
	if (conn != NULL) {
		xmpp_conn_release(conn);
	}
}

static bool reserve_low(struct session *session)
{
	if (session->low_fd < 0) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		session->low_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (fd >= 0) {
			close(fd);
		}
	}
	if (session->low_fd >= FD_SETSIZE) {
		close(session->low_fd);
		session->low_fd = -1;
	}
	return session->low_fd >= 0;
}

/* The callbacks below get no context; a session's thread has but one. */
static __thread struct session *session_here;

static int on_bad_certificate(const xmpp_tlscert_t *certificate, const char *const why)
{
	snprintf(session_here->hint, sizeof(session_here->hint),
		"the server's certificate is not to be trusted: %s", why);
	return 0;
}

/* Before connect(): the socket takes the place of the reserved descriptor, in one step. */
static int on_socket(xmpp_conn_t *conn, void *pointer)
{
	struct session *session = session_here;
	int *fd = pointer, one = 1;

	if (!reserve_low(session) || dup3(*fd, session->low_fd, O_CLOEXEC) < 0) {
		snprintf(session->hint, sizeof(session->hint),
			"no descriptor below %d is left for the connection", FD_SETSIZE);
		return -1;
	}
	close(*fd);
	*fd = session->low_fd;
	session->fd = session->low_fd;
	session->low_fd = -1;
	(void)setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return xmpp_sockopt_cb_keepalive(conn, pointer);
}

/* --- Sending, from any thread ------------------------------------------------ */

static bool has_room(const struct session *session)
{
	return outbox_held_bytes(session->outbox) < QUEUE_HIGH;
}

static int may_send(const struct session *session)
{
	return session->stopping    ? -XYLEM_E_STOPPING
	       : !session->up       ? -XYLEM_E_UNREACHABLE
	       : !has_room(session) ? -XYLEM_E_BUSY
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
	wake(session);
	return error;
}

static void carrier_flush(void *link)
{
	struct session *session = link;

	pthread_mutex_lock(&session->lock);
	session->flush = true;
	pthread_mutex_unlock(&session->lock);
	wake(session);
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
	wake(session);
}

/* --- Confirmations ----------------------------------------------------------- */

static void settle(struct session *session)
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
static void barrier_consider(struct session *session, int64_t now)
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

static bool is_barrier(const struct session *session, xmpp_stanza_t *iq)
{
	const char *id = xmpp_stanza_get_id(iq), *type = xmpp_stanza_get_type(iq);
	return id != NULL && type != NULL && session->barrier_id[0] != '\0' &&
	       strcmp(id, session->barrier_id) == 0 &&
	       (strcmp(type, "result") == 0 || strcmp(type, "error") == 0);
}

static void answer_iq(struct session *session, xmpp_stanza_t *iq)
{
	const char *id = xmpp_stanza_get_id(iq), *from = xmpp_stanza_get_from(iq),
		   *type = xmpp_stanza_get_type(iq);
	bool asks = type != NULL && (strcmp(type, "get") == 0 || strcmp(type, "set") == 0);
	if (!asks || id == NULL) {
		return;
	}
	bool ping = strcmp(type, "get") == 0 && xmpp_stanza_get_child_by_ns(iq, "urn:xmpp:ping") != NULL;
	XYLEM_BUFFER_SCOPED out = { 0 };
	xylem_buffer_format(&out, "<iq type='%s'", ping ? "result" : "error");
	xml_write_attribute(&out, "id", xylem_span_of(id));
	xml_write_attribute(&out, "to", xylem_span_of(from));
	xylem_buffer_text(&out, ping ? "/>"
				     : "><error type='cancel'><service-unavailable "
				       "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
	if (!xylem_buffer_failed(&out)) {
		session_post(session, xylem_buffer_borrow(&out));
	}
}

static int on_iq(xmpp_conn_t *conn, xmpp_stanza_t *iq, void *context)
{
	struct session *session = context;

	session->heard_us = clock_mono_us();
	if (is_barrier(session, iq)) {
		session->barrier_id[0] = '\0';
		pthread_mutex_lock(&session->lock);
		outbox_barrier_back(session->outbox);
		pthread_mutex_unlock(&session->lock);
		settle(session);
	} else {
		answer_iq(session, iq);
	}
	return 1;
}

/* --- Coming in --------------------------------------------------------------- */

static void message_refused(struct session *session, xmpp_stanza_t *message)
{
	const char *id = xmpp_stanza_get_id(message), *from = xmpp_stanza_get_from(message);
	xmpp_stanza_t *error = xmpp_stanza_get_child_by_name(message, "error");
	const char *type = error == NULL ? NULL : xmpp_stanza_get_type(error), *condition = NULL;
	char *text = NULL;

	for (xmpp_stanza_t *c = error == NULL ? NULL : xmpp_stanza_get_children(error); c != NULL;
		c = xmpp_stanza_get_next(c)) {
		const char *name = xmpp_stanza_get_name(c);
		if (name != NULL && strcmp(name, "text") == 0) {
			text = xmpp_stanza_get_text(c);
		} else if (name != NULL && condition == NULL) {
			condition = name;
		}
	}
	pthread_mutex_lock(&session->lock);
	outbox_refused(session->outbox, xylem_span_of(id), xylem_span_of(from), xylem_span_of(type),
		xylem_span_of(condition), xylem_span_of(text));
	pthread_mutex_unlock(&session->lock);
	if (text != NULL) {
		xmpp_free(session->ctx, text);
	}
}

static int on_message(xmpp_conn_t *conn, xmpp_stanza_t *message, void *context)
{
	struct session *session = context;
	const char *type = xmpp_stanza_get_type(message);

	session->heard_us = clock_mono_us();
	if (type != NULL && strcmp(type, "error") == 0) {
		message_refused(session, message);
	} else {
		session->options.message(session->options.context, message);
	}
	return 1;
}

/* --- Up and down ------------------------------------------------------------- */

static void went_up(struct session *session)
{
	char presence[80];

	session->logged_in = true;
	session->heard_us = clock_mono_us();
	snprintf(presence, sizeof(presence), "<presence><priority>%lld</priority></presence>",
		(long long)session->options.priority);
	xmpp_handler_add(session->conn, on_message, NULL, "message", NULL, session);
	xmpp_handler_add(session->conn, on_iq, NULL, "iq", NULL, session);
	xmpp_send_raw(session->conn, presence, strlen(presence));
	pthread_mutex_lock(&session->lock);
	session->up = true;
	session->why[0] = '\0';
	pthread_mutex_unlock(&session->lock);
	session->options.changed(session->options.context, true, "");
}

static const char *stream_condition(xmpp_error_type_t type)
{
	static const char *const names[] = { "bad-format", "bad-namespace-prefix", "conflict",
		"connection-timeout", "host-gone", "host-unknown", "improper-addressing",
		"internal-server-error", "invalid-from", "invalid-id", "invalid-namespace", "invalid-xml",
		"not-authorized", "policy-violation", "remote-connection-failed", "resource-constraint",
		"restricted-xml", "see-other-host", "system-shutdown", "undefined-condition",
		"unsupported-encoding", "unsupported-stanza-type", "unsupported-version",
		"xml-not-well-formed" };
	size_t at = (size_t)type;
	return at < sizeof(names) / sizeof(names[0]) ? names[at] : "undefined-condition";
}

/* What one stanza of ours can have caused. */
static bool blames_stanza(xmpp_error_type_t type)
{
	return type == XMPP_SE_BAD_FORMAT || type == XMPP_SE_BAD_NS_PREFIX || type == XMPP_SE_INVALID_NS ||
	       type == XMPP_SE_INVALID_XML || type == XMPP_SE_POLICY_VIOLATION ||
	       type == XMPP_SE_RESTRICTED_XML || type == XMPP_SE_UNDEFINED_CONDITION ||
	       type == XMPP_SE_XML_NOT_WELL_FORMED;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error,
	xmpp_stream_error_t *stream_error, void *context)
{
	struct session *session = context;

	if (event == XMPP_CONN_CONNECT) {
		went_up(session);
		return;
	}
	if (event != XMPP_CONN_DISCONNECT && event != XMPP_CONN_FAIL) {
		return;
	}
	session->ended = true;
	if (stream_error != NULL) {
		const char *condition = stream_condition(stream_error->type);
		snprintf(session->hint, sizeof(session->hint), "the server closed the stream: %s%s%s",
			condition, stream_error->text != NULL ? ": " : "",
			stream_error->text != NULL ? stream_error->text : "");
		snprintf(session->blame, sizeof(session->blame), "%s",
			session->logged_in && blames_stanza(stream_error->type) ? condition : "");
	} else if (session->hint[0] == '\0') {
		snprintf(session->hint, sizeof(session->hint), "%s",
			session->logged_in ? "the connection ended"
			: error != 0       ? strerror(error)
					   : "no connection, or the server refused the account and password");
	}
}

/* --- The loop ---------------------------------------------------------------- */

static bool stopping(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	bool result = session->stopping;
	pthread_mutex_unlock(&session->lock);
	return result;
}

/* Under the lock: moves what may go into `piece`. */
static void gather(struct session *session)
{
	struct iovec pieces[64];
	size_t n = outbox_gather(session->outbox, pieces, 64), bytes = 0;

	xylem_buffer_clear(&session->piece);
	for (size_t i = 0; i < n && (i == 0 || bytes + pieces[i].iov_len <= PIECE); i++) {
		xylem_buffer_append(&session->piece, pieces[i].iov_base, pieces[i].iov_len);
		bytes += pieces[i].iov_len;
	}
	/* xmpp_send_raw() copies by strlen(): it wants an end. */
	xylem_buffer_byte(&session->piece, '\0');
	if (!xylem_buffer_failed(&session->piece)) {
		outbox_written(session->outbox, bytes);
		xylem_buffer_cut(&session->piece, bytes);
	}
}

/* Gives libstrophe the next piece when it has sent the last. True: there may be more. */
static bool push(struct session *session)
{
	if (!session->logged_in || xmpp_conn_send_queue_len(session->conn) > 0) {
		return false;
	}
	pthread_mutex_lock(&session->lock);
	barrier_consider(session, clock_mono_us());
	gather(session);
	if (has_room(session)) {
		pthread_cond_broadcast(&session->room);
	}
	pthread_mutex_unlock(&session->lock);
	if (session->piece.n == 0 || xylem_buffer_failed(&session->piece)) {
		return false;
	}
	xmpp_send_raw(session->conn, session->piece.bytes, session->piece.n);
	return true;
}

static void check_time(struct session *session)
{
	int64_t now = clock_mono_us();

	pthread_mutex_lock(&session->lock);
	bool silent = session->logged_in && outbox_barrier_out(session->outbox) &&
		      now - session->barrier_us >= BARRIER_US;
	pthread_mutex_unlock(&session->lock);
	if (silent || (!session->logged_in && now - session->began_us >= LOGIN_US)) {
		snprintf(session->hint, sizeof(session->hint), "%s",
			silent ? "no answer to a ping for 20 s" : "no login within 30 s");
		session->ended = true;
	}
}

static void wait_some(struct session *session, int ms)
{
	struct pollfd fds[2] = { { .fd = session->wake_fd, .events = POLLIN },
		{ .fd = session->fd, .events = POLLIN } };
	uint64_t count;

	(void)poll(fds, session->fd >= 0 ? 2 : 1, ms);
	if (fds[0].revents != 0) {
		(void)!read(session->wake_fd, &count, sizeof(count));
	}
}

static void run_connection(struct session *session)
{
	while (!session->ended && !stopping(session)) {
		for (int i = 0; i < READS && !session->ended; i++) {
			xmpp_run_once(session->ctx, 0);
		}
		if (session->ended) {
			break;
		}
		bool more = push(session);
		check_time(session);
		pthread_mutex_lock(&session->lock);
		/* libstrophe does not say when its queue has drained: look again soon while something is out. */
		bool busy = !session->logged_in || outbox_unconfirmed(session->outbox) > 0 ||
			    outbox_queued_bytes(session->outbox) > 0;
		pthread_mutex_unlock(&session->lock);
		if (!more) {
			wait_some(session, busy ? 5 : 1000);
		}
	}
}

/* What is queued, then the end of the stream; at most 2 s. */
static void log_out(struct session *session)
{
	int64_t deadline = clock_mono_us() + 2 * SECOND_US;

	while (session->logged_in && !session->ended && clock_mono_us() < deadline &&
		(push(session) || xmpp_conn_send_queue_len(session->conn) > 0)) {
		xmpp_run_once(session->ctx, 10);
	}
	if (!session->ended) {
		xmpp_disconnect(session->conn);
	}
	while (!session->ended && clock_mono_us() < deadline) {
		xmpp_run_once(session->ctx, 10);
	}
}

static long flags_of(const struct session *session)
{
	if (session->options.plaintext) {
		return XMPP_CONN_FLAG_DISABLE_TLS;
	}
	return XMPP_CONN_FLAG_MANDATORY_TLS |
	       (session->options.insecure_skip_verify ? XMPP_CONN_FLAG_TRUST_TLS : 0);
}

static bool connect_now(struct session *session)
{
	session->ended = false;
	session->logged_in = false;
	session->hint[0] = session->blame[0] = session->barrier_id[0] = '\0';
	session->began_us = clock_mono_us();
	session->conn = reserve_low(session) ? xmpp_conn_new(session->ctx) : NULL;
	if (session->conn == NULL) {
		snprintf(session->hint, sizeof(session->hint), "out of memory or of descriptors below %d",
			FD_SETSIZE);
		return false;
	}
	char full[JID_SIZE + 256];
	snprintf(full, sizeof(full), "%s/%s", session->jid, session->options.resource);
	xmpp_conn_set_jid(session->conn, full);
	xmpp_conn_set_pass(session->conn, session->password);
	if (session->ca != NULL) {
		xmpp_conn_set_cafile(session->conn, session->ca);
	}
	(void)xmpp_conn_set_flags(session->conn, flags_of(session));
	xmpp_conn_set_sockopt_callback(session->conn, on_socket);
	xmpp_conn_set_certfail_handler(session->conn, on_bad_certificate);
	int error = xmpp_connect_client(session->conn, session->host, session->port, on_connection, session);
	if (error != XMPP_EOK && session->hint[0] == '\0') {
		snprintf(session->hint, sizeof(session->hint), "cannot connect");
	}
	return error == XMPP_EOK;
}

static void end_connection(struct session *session)
{
	if (session->conn != NULL) {
		xmpp_conn_release(session->conn);
		session->conn = NULL;
	}
	session->fd = -1;
	(void)reserve_low(session);
	pthread_mutex_lock(&session->lock);
	session->up = false;
	snprintf(session->why, sizeof(session->why), "%s", session->hint);
	outbox_restart(session->outbox, session->blame[0] != '\0' ? session->blame : NULL);
	pthread_cond_broadcast(&session->room);
	pthread_mutex_unlock(&session->lock);
	settle(session);
}

static void rest(struct session *session)
{
	uint32_t dice = 0;
	session->backoff_us = session->logged_in ? BACKOFF_US : session->backoff_us * 2;
	session->backoff_us = session->backoff_us < BACKOFF_US ? BACKOFF_US : session->backoff_us;
	session->backoff_us = session->backoff_us > BACKOFF_MAX_US ? BACKOFF_MAX_US : session->backoff_us;
	(void)!getrandom(&dice, sizeof(dice), GRND_NONBLOCK);
	int64_t until = clock_mono_us() + session->backoff_us / 2 +
			(int64_t)(dice % 1000) * session->backoff_us / 2000;

	while (!stopping(session) && clock_mono_us() < until) {
		wait_some(session, (int)((until - clock_mono_us()) / 1000) + 1);
	}
}

static void *run(void *context)
{
	struct session *session = context;
	assert(session->magic == SESSION_MAGIC);

	session_here = session;
	while (!stopping(session)) {
		if (connect_now(session)) {
			run_connection(session);
		}
		if (stopping(session) && session->conn != NULL) {
			log_out(session);
		}
		end_connection(session);
		if (!stopping(session)) {
			session->options.changed(session->options.context, false, session->hint);
			rest(session);
		}
	}
	pthread_mutex_lock(&session->lock);
	outbox_abandon(session->outbox, -XYLEM_E_STOPPING);
	pthread_mutex_unlock(&session->lock);
	settle(session);
	return NULL;
}

/* --- Life -------------------------------------------------------------------- */

/* HOST:PORT, [V6]:PORT. */
static bool copy_server(struct session *session, const char *server)
{
	const char *colon = server == NULL ? NULL : strrchr(server, ':');
	if (colon == NULL) {
		return server == NULL;
	}
	bool brackets = server[0] == '[';
	session->host = strndup(server + brackets, (size_t)(colon - server) - (brackets ? 2 : 0));
	session->port = (unsigned short)strtoul(colon + 1, NULL, 10);
	return session->host != NULL;
}

static bool copy_options(struct session *session, const struct session_options *options)
{
	const char *at = strchr(options->jid, '@');
	session->options = *options;
	session->jid = strdup(options->jid);
	session->domain = strdup(at != NULL ? at + 1 : options->jid);
	session->password = strndup(
		options->password.at != NULL ? options->password.at : "", options->password.n);
	session->ca = options->ca == NULL ? NULL : strdup(options->ca);
	return session->jid != NULL && session->domain != NULL && session->password != NULL &&
	       (options->ca == NULL || session->ca != NULL) && copy_server(session, options->server);
}

static bool make_parts(struct session *session)
{
	session->log = (xmpp_log_t){ .handler = on_log, .userdata = session };
	session->ctx = xmpp_ctx_new(NULL, &session->log);
	session->outbox = outbox_new();
	session->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return session->ctx != NULL && session->outbox != NULL && session->wake_fd >= 0;
}

int session_new(
	struct session **ret_session, const struct session_options *options, struct xylem_reason *reason)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL) {
		return -XYLEM_E_MEMORY;
	}
	pthread_once(&library_once, library_start);
	session->magic = SESSION_MAGIC;
	session->low_fd = session->fd = session->wake_fd = -1;
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->room, NULL);
	pthread_cond_init(&session->quiet, NULL);
	snprintf(session->why, sizeof(session->why), "not connected yet");
	if (!copy_options(session, options) || !make_parts(session)) {
		session_free(session);
		xylem_reason_set(reason, "out of memory or descriptors");
		return -XYLEM_E_MEMORY;
	}
	if (!reserve_low(session)) {
		session_free(session);
		xylem_reason_set(reason, "no descriptor below %d is left: libstrophe cannot use higher ones",
			FD_SETSIZE);
		return -XYLEM_E_LIMIT;
	}
	*ret_session = session;
	return 0;
}

int session_start(struct session *session, struct xylem_reason *reason)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	session->started = pthread_create(&session->thread, NULL, run, session) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!session->started) {
		xylem_reason_set(reason, "the thread of %s cannot be started", session->jid);
		return -XYLEM_E_MEMORY;
	}
	pthread_setname_np(session->thread, "xmpp_client");
	return 0;
}

void session_stop(struct session *session)
{
	if (session == NULL || !session->started) {
		return;
	}
	pthread_mutex_lock(&session->lock);
	session->stopping = true;
	pthread_cond_broadcast(&session->room);
	pthread_mutex_unlock(&session->lock);
	wake(session);
	pthread_join(session->thread, NULL);
	session->started = false;
}

static void close_descriptor(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

struct session *session_free(struct session *session)
{
	if (session == NULL) {
		return NULL;
	}
	assert(session->magic == SESSION_MAGIC);
	session_stop(session);
	outbox_free(session->outbox);
	if (session->ctx != NULL) {
		xmpp_ctx_free(session->ctx);
	}
	close_descriptor(session->wake_fd);
	close_descriptor(session->low_fd);
	if (session->password != NULL) {
		explicit_bzero(session->password, strlen(session->password));
	}
	free(session->password);
	free(session->jid);
	free(session->domain);
	free(session->host);
	free(session->ca);
	xylem_buffer_finish(&session->piece);
	pthread_mutex_destroy(&session->lock);
	pthread_cond_destroy(&session->room);
	pthread_cond_destroy(&session->quiet);
	session->magic = 0;
	free(session);
	return NULL;
}
