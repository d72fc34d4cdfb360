/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_OUTBOX_H
#define XMPP_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <xylem/error.h>
#include <xylem/span.h>

/*
 * What is to go out and what is out but not confirmed. Not thread-safe: the
 * link calls it under its lock. Confirmation works by barriers: a stanza of
 * our own to ourselves, which the server brings back after it has dealt with
 * everything before it (RFC 6120, 10.1, in-order processing).
 */
struct outbox;

/* What became of a tracked stanza. */
struct link_outcome {
	/*
	 * 0: the server has it, and no error came before the barrier.
	 * -XYLEM_E_UNPROCESSABLE: an error stanza came; type, condition and text are its own.
	 * -XYLEM_E_INVALID: the server closed the stream because of it; condition is the stream's, or
	 * `connection-lost` when it said nothing (four ends with this one, the last with it alone).
	 * -XYLEM_E_STOPPING: the link ends.
	 */
	int error;
	char type[16];
	char condition[40];
	char text[256];
};
typedef void (*link_confirmed)(void *context, const struct link_outcome *outcome);

struct outbox_track {
	const char *id; /* the stanza's; repeats of one id to different addresses are fine */
	const char *to;
	link_confirmed done;
	void *context;
	bool more; /* others, or link_flush(), follow at once: not worth waking the link for */
};

struct outbox *outbox_new(void);
struct outbox *outbox_free(struct outbox *outbox);

/* Queues a copy, with spaces behind it where it is long. `track` NULL: sent once, never repeated. -XYLEM_E_MEMORY. */
int outbox_add(struct outbox *outbox, struct xylem_span stanza, const struct outbox_track *track);

#define OUTBOX_BARRIERS 16U
/* Queues a barrier behind what is covered by it. `due` while one is wanted and none is under way. */
bool outbox_barrier_due(const struct outbox *outbox);
int outbox_barrier(struct outbox *outbox, struct xylem_span stanza);
/* May one be queued though others are under way? */
bool outbox_barrier_room(const struct outbox *outbox);
/* The first one came back: everything before it can be collected by outbox_settled(). */
void outbox_barrier_back(struct outbox *outbox);
bool outbox_barrier_out(const struct outbox *outbox);

/* The next bytes to write, in order; 0: nothing may go now. They stay there until outbox_written(). */
size_t outbox_gather(struct outbox *outbox, struct iovec *pieces, size_t room);
void outbox_written(struct outbox *outbox, size_t n);

/* An error stanza: marks the tracked one it answers. False: none does. */
bool outbox_refused(struct outbox *outbox, struct xylem_span id, struct xylem_span from,
	struct xylem_span type, struct xylem_span condition, struct xylem_span text);

/*
 * The stream has ended. Untracked stanzas are dropped, tracked ones that are
 * not confirmed wait in order for the next stream. `blame` names the stream
 * error when the server closed it because of a stanza: the only one that can be
 * at fault is failed; of several, each is then sent alone until it is found.
 */
void outbox_restart(struct outbox *outbox, const char *blame);

/* One that is finished, with its outcome; false: none. */
bool outbox_settled(struct outbox *outbox, link_confirmed *ret_done, void **ret_context,
	struct link_outcome *ret_outcome);
/* Fails all tracked ones with `error`. */
void outbox_abandon(struct outbox *outbox, int error);
/* Forgets the callbacks of this context; what is not written yet is not sent. */
void outbox_forget(struct outbox *outbox, const void *context);

size_t outbox_queued_bytes(const struct outbox *outbox);
size_t outbox_left_bytes(const struct outbox *outbox); /* the same without what of the first is written */
size_t outbox_unconfirmed(const struct outbox *outbox);
size_t outbox_held_bytes(const struct outbox *outbox); /* memory of all that is kept */
uint64_t outbox_resent(const struct outbox *outbox);

#endif
