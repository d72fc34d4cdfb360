/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libstrophe's corners: the socket is moved to a low descriptor number that was
 * reserved when the connector was opened, because its select() ends the process
 * with a number of 1024 or more; the allocator of its parser has to live for
 * ever; and whether a stream was resumed it says in its log only.
 */
#include <connectors/xmpp_session_body.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

bool session_reserve_low(struct session *session)
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

	if (!session_reserve_low(session) || dup3(*fd, session->low_fd, O_CLOEXEC) < 0) {
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
