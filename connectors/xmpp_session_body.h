/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_SESSION_BODY_H
#define CONNECTORS_XMPP_SESSION_BODY_H

#include <pthread.h>

#include <connectors/xmpp_roster.h>
#include <connectors/xmpp_session.h>
#include <xmpp/outbox.h>
#include <xmpp/stanza.h>

/* The inside of a session, for its own files: loop and life, what goes out, what comes in, libstrophe's corners. */

#define SESSION_MAGIC 0x73657373U
#define NS_CAPS "http://jabber.org/protocol/caps"
#define NS_CLIENT_NODE "https://xylem.example/client" /* of our caps: another bus, where another has it */
#define SECOND_US ((int64_t)1000000)
#define PIECE ((size_t)64 * 1024)
#define STANZA_MOST ((size_t)256 * 1024)
#define QUEUE_HIGH ((size_t)1 << 20)
#define REQUESTS_MAX 256U
#define LOW_DESCRIPTORS 8

struct session_request;

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
	struct session_request *requests;
	size_t request_count;
	bool up, stopping, flush;
	char why[256];
	const void *calling;

	/* The session's thread only. */
	int low_fds[LOW_DESCRIPTORS]; /* reserved for connections, below FD_SETSIZE; -1: none */
	int fd;
	xmpp_log_t log;
	xmpp_ctx_t *ctx;
	xmpp_conn_t *conn;
	struct xylem_buffer piece;
	bool ended;
	bool logged_in;
	int64_t backoff_us, began_us, up_us, heard_us, barrier_us, moved_us;
	uint64_t acked; /* bytes that the server's kernel has taken, as of `moved_us` */
	uint64_t pings;
	char barrier_id[32];
	char blame[40];
	char hint[200]; /* the first error that libstrophe logged */
	bool resumed, conflict;
	xmpp_sm_state_t *kept;     /* of the connection before: what can be resumed; NULL: nothing */
	struct xylem_arena *arena; /* of the stanza that is being taken */
	struct roster *roster;
	const char *const *features;
	char caps[32]; /* XEP-0115, `ver` */
};

/* --- xmpp_session_corners.c: what libstrophe needs to be told -------------------- */

void session_library(void);
bool session_reserve_low(struct session *session);
void session_log(void *context, xmpp_log_level_t level, const char *area, const char *text);
/* Does the configured server take connections? Without one (DNS decides) it is not asked: true. */
bool session_reachable(struct session *session);
int session_socket(xmpp_conn_t *conn, void *fd);
int session_bad_certificate(const xmpp_tlscert_t *certificate, const char *why);
/* The callbacks above get no context; a session's thread has but one. */
void session_here(struct session *session);

/* --- xmpp_session_send.c: what goes out, and what became of it -------------------- */

void session_wake(struct session *session);
/* Under the lock. */
bool session_has_room(const struct session *session);
void session_barrier(struct session *session, int64_t now);
/* Calls back for what is finished. */
void session_settle(struct session *session);
/* An IQ result or error: a barrier's, or of a request. */
void session_answered(struct session *session, const struct xml_node *iq);
/* Those past their time, or all: answered with nothing. */
void session_expire(struct session *session, int64_t now, bool all);
void session_forget_requests(struct session *session, const void *context);

/* --- xmpp_session_take.c: what comes in --------------------------------------------- */

/* Adds the handlers to a new connection that is up, and says hello. */
void session_went_up(struct session *session);

#endif
