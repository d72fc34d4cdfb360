/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libstrophe's corners: the socket is moved to a low descriptor number that was
 * reserved when the connector was opened, because its select() ends the process
 * with a number of 1024 or more; the allocator of its parser has to live for
 * ever; whether a stream was resumed it says in its log only; and an attempt to
 * connect that fails spoils what could have been resumed, so that the server is
 * looked for first.
 */
#include <connectors/xmpp_session_body.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

void session_log(void *context, xmpp_log_level_t level, const char *area, const char *text)
{
	struct session *session = context;
	/* There is no other sign of it; where the words change, streams count as begun anew, which costs repeats. */
	if (level == XMPP_LEVEL_DEBUG && strncmp(text, "Session resumed", 15) == 0) {
		session->resumed = true;
	}
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

void session_library(void)
{
	pthread_once(&library_once, library_start);
}

static int low_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int low = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0) {
		close(fd);
	}
	if (low >= FD_SETSIZE) {
		close(low);
		low = -1;
	}
	return low;
}

/*
 * A connection's number is free for a moment when libstrophe closes it, and any thread of the bus may get it: so
 * several are held, and what was lost is fetched again whenever there is one.
 */
bool session_reserve_low(struct session *session)
{
	bool any = false;

	for (size_t i = 0; i < LOW_DESCRIPTORS; i++) {
		if (session->low_fds[i] < 0) {
			session->low_fds[i] = low_descriptor();
		}
		any = any || session->low_fds[i] >= 0;
	}
	return any;
}

/* One of those held; -1: none. The caller has it. */
static int take_low(struct session *session)
{
	for (size_t i = 0; i < LOW_DESCRIPTORS; i++) {
		int fd = session->low_fds[i];
		if (fd >= 0) {
			session->low_fds[i] = -1;
			return fd;
		}
	}
	return -1;
}

static __thread struct session *here;

void session_here(struct session *session)
{
	here = session;
}

int session_bad_certificate(const xmpp_tlscert_t *certificate, const char *why)
{
	snprintf(here->hint, sizeof(here->hint), "the server's certificate is not to be trusted: %s", why);
	return 0;
}

/* Before connect(): the socket takes the place of the reserved descriptor, in one step. */
int session_socket(xmpp_conn_t *conn, void *pointer)
{
	struct session *session = here;
	int *fd = pointer, one = 1;

	int low = session_reserve_low(session) ? take_low(session) : -1;
	if (low < 0 || dup3(*fd, low, O_CLOEXEC) < 0) {
		if (low >= 0) {
			close(low);
		}
		snprintf(session->hint, sizeof(session->hint),
			"no descriptor below %d is left for the connection", FD_SETSIZE);
		return -1;
	}
	close(*fd);
	*fd = session->fd = low;
	(void)setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return xmpp_sockopt_cb_keepalive(conn, pointer);
}

/* --- Looking for the server ---------------------------------------------------- */

#define LOOK_MS 5000

/* 0, or why not. */
static int try_address(const struct addrinfo *address)
{
	int error = 0, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(error);

	if (fd < 0) {
		return errno;
	}
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
		struct pollfd writable = { .fd = fd, .events = POLLOUT };
		error = errno != EINPROGRESS ? errno : poll(&writable, 1, LOOK_MS) == 1 ? 0 : ETIMEDOUT;
		if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) {
			error = errno;
		}
	}
	close(fd);
	return error;
}

bool session_reachable(struct session *session)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char port[8];

	if (session->host == NULL) {
		return true;
	}
	snprintf(port, sizeof(port), "%u", session->port);
	int error = getaddrinfo(session->host, port, &hints, &list) == 0 ? EHOSTUNREACH : EHOSTDOWN;
	for (const struct addrinfo *a = list; a != NULL && error != 0; a = a->ai_next) {
		error = try_address(a);
	}
	if (list != NULL) {
		freeaddrinfo(list);
	}
	if (error != 0) {
		snprintf(session->hint, sizeof(session->hint), "%s", strerror(error));
	}
	return error == 0;
}
