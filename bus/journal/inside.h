/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_INSIDE_H
#define JOURNAL_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include <journal/journal.h>
#include <journal/segment.h>

/*
 * What the files of this room share, and nobody else sees.
 *
 * Locks, in the order in which they may be taken:
 *   lock        the open buffer and the conditions below it; appenders, commit thread
 *   index_lock  the list of segments and what readers see of them
 *   wait_lock   waiters only; nothing is taken under it
 * Neither is held while a file is written or synced.
 */

/* One append that waits for its sync. */
struct call {
	journal_appended done;
	void *context;
	uint64_t first;
	size_t n;
	uint64_t at; /* of its first record in the buffer */
	uint64_t length;
	int64_t time_us;
};

/* What the next write will carry: a marker's room, then records. */
struct commit_buffer {
	char *bytes;    /* MARKER_SIZE + BATCH_MAX, touched as needed */
	size_t used;    /* MARKER_SIZE when it is empty */
	size_t touched; /* the most it has held since memory was given back */
	uint64_t first;
	uint64_t count;
	bool urgent; /* holds an urgent append: the reserve may be used for it */
	struct call *calls;
	size_t call_count, call_room;
	atomic_uint writers;  /* appenders that still serialise, and COMMIT_CLOSED */
	_Atomic uint64_t sum; /* of the records' sums */
};

#define COMMIT_CLOSED 0x80000000U /* in `writers`: the commit thread waits for the last one */
#define SPARES_MAX 2

struct journal {
	struct journal_options options;
	char *folder;
	struct io *io;
	struct io_file *lock_file;
	uint64_t epoch;
	uint32_t seed;
	pthread_t thread;
	bool thread_started;

	pthread_mutex_t lock;
	pthread_cond_t work;  /* for the commit thread: something to do */
	pthread_cond_t quiet; /* for the commit thread: the last writer has left its buffer */
	struct commit_buffer buffers[2];
	struct commit_buffer *open;
	uint64_t next_offset;      /* of the next record to be serialised */
	uint64_t logical;          /* committed bytes, counted from the journal's begin when it was opened */
	uint64_t waiting_bytes;    /* appended and not committed yet */
	uint64_t released_logical; /* the same as `logical`, at the released position */
	uint64_t released;         /* offset */
	uint64_t let_go;           /* offset; UINT64_MAX: nobody guards */
	bool trim_wanted;
	bool stopping, failed, full, held;
	char failure[128];
	void (*changed)(void *context);
	void *changed_context;
	uint64_t appended, commits;
	int64_t last_sync_us;

	pthread_mutex_t index_lock;
	struct segment **segments; /* in order; the last one is written to */
	size_t segment_count, segment_room;
	unsigned open_files;
	_Atomic uint64_t begin, end; /* readable offsets */

	/* The commit thread's own. */
	struct xylem_position *positions; /* for callbacks */
	size_t position_room;
	uint64_t spares[SPARES_MAX]; /* numbers of FOLDER/spare-N */
	size_t spare_count;
	uint64_t spare_next;
	bool reserve_there;
	bool told_failed, told_full, told_held;

	pthread_mutex_t wait_lock;
	pthread_cond_t synced;
	unsigned waiting;
};

static inline struct segment *journal_active(struct journal *journal)
{
	return journal->segments[journal->segment_count - 1];
}

/* recovery.c: fills the list of segments; nothing is changed on disk before everything has been looked at. */
int journal_recover(
	struct journal *journal, struct journal_recovery *ret_recovery, struct xylem_reason *reason);

/* room.c: files to write into; commit thread and open. -XYLEM_E_FULL, or -XYLEM_E_DEAD with `failure` set. */
int journal_room_open(struct journal *journal);
/* Makes a new last segment with room for `bytes` of a batch. */
int journal_room_roll(struct journal *journal, uint64_t base, uint64_t bytes, bool urgent);
/* While full: tries to have a spare segment and the reserve again. True when there is room. */
bool journal_room_retry(struct journal *journal);
/* Takes the file of a segment that is not needed any more: for reuse, or for good. */
void journal_room_give_back(struct journal *journal, struct segment *segment);
void journal_room_failed(struct journal *journal, const char *what, int error);

/* commit.c */
void *journal_commit_run(void *context);
bool journal_commit_buffer_init(struct commit_buffer *buffer);
void journal_commit_buffer_finish(struct commit_buffer *buffer);
/* An appender has finished with the buffer. */
void journal_commit_buffer_leave(struct journal *journal, struct commit_buffer *buffer);

/* retention.c; commit thread. */
void journal_retention_trim(struct journal *journal);
/* Bytes that lanes still need; lock held. */
uint64_t journal_retention_unreleased(const struct journal *journal);
/* Sets or clears `held`; lock held. */
void journal_retention_hold(struct journal *journal);

/* list.c: the segments in memory. */
/* The new last one; the one before it is sealed. False without memory. */
bool journal_list_append(struct journal *journal, struct segment *segment);
/* The last segment whose base is not above the offset; index_lock held. SIZE_MAX: none. */
size_t journal_list_find(struct journal *journal, uint64_t offset);
/* Keeps the segment's file open for a reader: -XYLEM_E_IO. index_lock held. */
int journal_list_ref(struct journal *journal, struct segment *segment);
void journal_list_unref(struct journal *journal, struct segment *segment);

/* waiter.c */
bool journal_waiter_start(struct journal *journal);
void journal_waiter_stop(struct journal *journal);
void journal_waiter_tell(struct journal *journal);

#endif
