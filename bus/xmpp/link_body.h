/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_LINK_BODY_H
#define XMPP_LINK_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include <metrics/metrics.h>
#include <xmpp/link.h>
#include <xmpp/outbox.h>
#include <xmpp/stream.h>

/* The inside of the link, for its own files only: link.c and link_*.c. */

#define LINK_MAGIC 0x6c696e6bU
#define SECOND_US ((int64_t)1000000)
#define LINK_QUEUE_READ ((size_t)8 << 20) /* queued bytes above which nothing more is read */

enum phase { PHASE_DOWN, PHASE_HEADER, PHASE_HANDSHAKE, PHASE_UP };

struct request {
	struct request *next;
	char id[LINK_ID_SIZE];
	char *to;
	int64_t deadline_us;
	link_answered answered;
	void *context;
};

struct link_barrier {
	char id[LINK_ID_SIZE];
	int64_t sent_us;
	uint64_t end; /* bytes of the connection, up to the barrier's last */
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
	bool writable_wanted; /* the socket is full: EPOLLOUT wakes the thread, and nothing else needs to */
	int64_t drain_until_us;
	size_t since_barrier, since_bytes;
	int64_t oldest_us;   /* when the first tracked stanza without a barrier was sent */
	const void *calling; /* context of the callback under way */
	struct request *requests;
	size_t request_count;
	struct link_state state;
	struct metric *in, *out, *up;

	/* The link's thread only. */
	int fd;
	struct stream *stream;
	bool ended;
	int64_t up_since_us, received_us, phase_until_us, backoff_us;
	uint64_t written,
		acked;    /* bytes of this connection: given to the kernel, taken by the other side's */
	int64_t moved_us; /* when what is before the first barrier last went on */
	struct link_barrier barriers[OUTBOX_BARRIERS]; /* those under way, in the order of the outbox */
	size_t barrier_count;
	char stream_error[40];
	struct xylem_reason why;
};

/* --- link.c, under the lock */
int link_may_send(const struct link *link);
bool link_has_room(const struct link *link);
int link_enqueue(struct link *link, struct xylem_span stanza, const struct outbox_track *track);
int link_check(const struct link *link, struct xylem_span stanza, struct xylem_reason *reason);

/* --- link_request.c */
/* Under the lock. */
void requests_forget(struct link *link, const void *context);
/* Answers those past `now` (or all) with nothing. On the link's thread. */
void requests_expire(struct link *link, int64_t now, bool all);
/* An IQ result or error: was it one of ours? On the link's thread. */
bool requests_answered(struct link *link, const struct xml_node *iq);

/* --- link_barrier.c, on the link's thread */
/* Under the lock. */
void barrier_send(struct link *link, int64_t now);
/* Sends one if it is time. Under the lock. */
void barrier_consider(struct link *link, int64_t now);
/* When to consider it next; `next` if nothing waits for one. Under the lock. */
int64_t barrier_next(const struct link *link, int64_t next);
/* Has the first one no answer in time? Under the lock. */
bool barrier_overdue(struct link *link, int64_t now);
/* Was the stanza one that came back? What it covers is told. */
bool barrier_take(struct link *link, const struct xml_node *stanza);
/* Calls back for what is settled. */
void barrier_settle(struct link *link);

/* --- link_stream.c: the link's thread. */
void *link_run(void *link);

#endif
