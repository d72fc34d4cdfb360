/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account's connection, on libstrophe.
 *
 * libstrophe is not thread-safe and watches its sockets by select(): its
 * context belongs to one thread here. It sends from a queue of its own
 * that cannot be bounded by bytes: what waits stays in our outbox, and
 * libstrophe is given at most 64 KiB at a time, the next when the last is out.
 *
 * Each connection is made anew (xmpp_conn_t). It is given the stream management
 * state (XEP-0198) of the one before, so that the server keeps what comes in
 * during a break; what was not confirmed by a ping is in our outbox and is sent
 * again, resumed or not.
 *
 * The rule not to break: libstrophe is called on the session's thread only.
 */
#include <connectors/xmpp_session_body.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/select.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/jid.h>
#include <xmpp/acked.h>

#define BARRIER_US (20 * SECOND_US) /* without its return, or any progress, the connection is given up */
#define BARRIER_MOST_US (120 * SECOND_US)
#define LOGIN_US (15 * SECOND_US)
#define BACKOFF_US (SECOND_US / 2)
#define BACKOFF_MAX_US (60 * SECOND_US)
#define BACKOFF_LOGIN_US (5 * SECOND_US) /* the most, where the login worked */
#define BACKOFF_CONFLICT_US (30 * SECOND_US)
#define STEADY_US (2 * SECOND_US) /* up for this long: the next backoff starts small again */
#define READS 8                   /* of 4 KiB each: libstrophe reads no more at once */

/* --- Up and down ------------------------------------------------------------- */

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
		session_went_up(session);
		return;
	}
	if (event != XMPP_CONN_DISCONNECT && event != XMPP_CONN_FAIL) {
		return;
	}
	session->ended = true;
	(void)session_reserve_low(session); /* at once: its number was closed just now */
	if (stream_error != NULL) {
		session->conflict = stream_error->type == XMPP_SE_CONFLICT;
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
	session_barrier(session, clock_mono_us());
	gather(session);
	if (session_has_room(session)) {
		pthread_cond_broadcast(&session->room);
	}
	pthread_mutex_unlock(&session->lock);
	if (session->piece.n == 0 || xylem_buffer_failed(&session->piece)) {
		return false;
	}
	xmpp_send_raw(session->conn, session->piece.bytes, session->piece.n);
	return true;
}

/* A slow line may have much to carry before the ping, and then goes on; but not for ever. */
static bool is_silent(struct session *session, int64_t now)
{
	int64_t waited = now - session->barrier_us;
	uint64_t acked = session->fd < 0 || waited < SECOND_US ? session->acked : acked_bytes(session->fd);

	if (acked != session->acked) {
		session->acked = acked;
		session->moved_us = now;
	}
	return waited >= BARRIER_US && (now - session->moved_us >= BARRIER_US || waited >= BARRIER_MOST_US);
}

static void check_time(struct session *session)
{
	int64_t now = clock_mono_us();

	pthread_mutex_lock(&session->lock);
	bool out = session->logged_in && outbox_barrier_out(session->outbox);
	pthread_mutex_unlock(&session->lock);
	bool silent = out && is_silent(session, now);
	if (silent || (!session->logged_in && now - session->began_us >= LOGIN_US)) {
		snprintf(session->hint, sizeof(session->hint), "%s",
			silent ? "no answer to a ping for 20 s" : "no login within 15 s");
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
		session_expire(session, clock_mono_us(), false);
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
	session->ended = session->logged_in = session->resumed = session->conflict = false;
	session->hint[0] = session->blame[0] = session->barrier_id[0] = '\0';
	session->began_us = clock_mono_us();
	if (session->kept != NULL && !session_reachable(session)) {
		return false;
	}
	session->conn = session_reserve_low(session) ? xmpp_conn_new(session->ctx) : NULL;
	if (session->conn == NULL) {
		snprintf(session->hint, sizeof(session->hint), "out of memory or of descriptors below %d",
			FD_SETSIZE);
		return false;
	}
	if (session->kept != NULL && xmpp_conn_set_sm_state(session->conn, session->kept) == XMPP_EOK) {
		session->kept = NULL;
	}
	char full[JID_SIZE + 256];
	snprintf(full, sizeof(full), "%s/%s", session->jid, session->options.resource);
	xmpp_conn_set_jid(session->conn, full);
	xmpp_conn_set_pass(session->conn, session->password);
	if (session->ca != NULL) {
		xmpp_conn_set_cafile(session->conn, session->ca);
	}
	(void)xmpp_conn_set_flags(session->conn, flags_of(session));
	xmpp_conn_set_sockopt_callback(session->conn, session_socket);
	xmpp_conn_set_certfail_handler(session->conn, session_bad_certificate);
	int error = xmpp_connect_client(session->conn, session->host, session->port, on_connection, session);
	if (error != XMPP_EOK && session->hint[0] == '\0') {
		snprintf(session->hint, sizeof(session->hint), "cannot connect");
	}
	return error == XMPP_EOK;
}

static void end_connection(struct session *session)
{
	if (session->conn != NULL) {
		session->kept = session->ended ? xmpp_conn_get_sm_state(session->conn) : NULL;
		xmpp_conn_release(session->conn);
		session->conn = NULL;
	}
	session_expire(session, 0, true);
	roster_down(session->roster);
	session->fd = -1;
	(void)session_reserve_low(session);
	pthread_mutex_lock(&session->lock);
	session->up = false;
	snprintf(session->why, sizeof(session->why), "%s", session->hint);
	outbox_restart(session->outbox, session->blame[0] != '\0' ? session->blame : NULL);
	pthread_cond_broadcast(&session->room);
	pthread_mutex_unlock(&session->lock);
	session_settle(session);
}

/* Another connection with our resource took our place: two that come back at once would do so for ever. */
static int64_t next_backoff(const struct session *session)
{
	bool steady = session->logged_in && clock_mono_us() - session->up_us >= STEADY_US;
	int64_t most = session->logged_in ? BACKOFF_LOGIN_US : BACKOFF_MAX_US;
	int64_t backoff = steady ? BACKOFF_US : session->backoff_us * 2;

	if (session->conflict) {
		return BACKOFF_CONFLICT_US;
	}
	return backoff < BACKOFF_US ? BACKOFF_US : backoff > most ? most : backoff;
}

static void rest(struct session *session)
{
	uint32_t dice = 0;
	session->backoff_us = next_backoff(session);
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

	session_here(session);
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
	session_settle(session);
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
	session->log = (xmpp_log_t){ .handler = session_log, .userdata = session };
	session->ctx = xmpp_ctx_new(NULL, &session->log);
	session->outbox = outbox_new();
	session->arena = xylem_arena_new((size_t)16 << 20);
	session->roster = roster_new(session);
	session->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return session->ctx != NULL && session->outbox != NULL && session->arena != NULL &&
	       session->roster != NULL && session->wake_fd >= 0;
}

int session_new(
	struct session **ret_session, const struct session_options *options, struct xylem_reason *reason)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL) {
		return -XYLEM_E_MEMORY;
	}
	session_library();
	session->magic = SESSION_MAGIC;
	session->fd = session->wake_fd = -1;
	for (size_t i = 0; i < LOW_DESCRIPTORS; i++) {
		session->low_fds[i] = -1;
	}
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->room, NULL);
	pthread_cond_init(&session->quiet, NULL);
	snprintf(session->why, sizeof(session->why), "not connected yet");
	if (!copy_options(session, options) || !make_parts(session)) {
		session_free(session);
		xylem_reason_set(reason, "out of memory or descriptors");
		return -XYLEM_E_MEMORY;
	}
	if (!session_reserve_low(session)) {
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
	session_wake(session);
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
	roster_free(session->roster);
	xylem_arena_free(session->arena);
	if (session->kept != NULL) {
		xmpp_free_sm_state(session->kept);
	}
	if (session->ctx != NULL) {
		xmpp_ctx_free(session->ctx);
	}
	close_descriptor(session->wake_fd);
	for (size_t i = 0; i < LOW_DESCRIPTORS; i++) {
		close_descriptor(session->low_fds[i]);
	}
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
