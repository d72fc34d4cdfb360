/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <base/io.h>
#include <xylem/error.h>
#include <xylem/message.h>

/*
 * The durable order of all messages. docs/journal.md has the format and the
 * promise. One commit thread writes and syncs; any thread appends and reads.
 *
 * Nobody outside assumes dense offsets, one partition, positions comparable
 * across partitions, or commits atomic across them.
 */
struct journal;

struct journal_options {
	const char *folder; /* DATA/journal, made if missing */
	struct io *io;
	uint64_t segment_size;  /* bytes, preallocated */
	uint64_t retain_bytes;  /* settled messages are kept up to this much */
	int64_t retain_us;      /* and this long */
	uint64_t hold_bytes;    /* BUSY above this much unsettled: `journal.max` */
	uint64_t reserve_bytes; /* kept free so that settlements go through when the disk is full */
	/* The end that the catalogue knows as acknowledged; offset 0: no catalogue yet. */
	struct xylem_position acknowledged_end;
	bool accept_gap;
};

/* What recovery found; for the log, `status` and tests. */
struct journal_recovery {
	uint64_t records;
	uint64_t torn_bytes;    /* cut from the tail: never acknowledged */
	uint64_t damaged_bytes; /* quarantined */
	uint64_t damaged_batches;
	char quarantine[256]; /* folder with the copies, if any */
};

/*
 * Opens and recovers. -XYLEM_E_DAMAGED when the journal ends below
 * `acknowledged_end` (and no accept_gap) or when records are damaged below the
 * tail; -XYLEM_E_BUSY when another process has the folder; -XYLEM_E_IO,
 * -XYLEM_E_FULL. `reason` names file and byte.
 */
int journal_open(struct journal **ret_journal, const struct journal_options *options,
	struct journal_recovery *ret_recovery, struct xylem_reason *reason);
/* Ends the commit thread after what was appended is committed and answered. */
struct journal *journal_close(struct journal *journal);

/* First offset that is not written yet, and first that is still kept: readable is [begin, end). Synced ones only. */
struct xylem_position journal_end(struct journal *journal);
struct xylem_position journal_begin(struct journal *journal);

typedef void (*journal_appended)(void *context, int error, const struct xylem_position *positions, size_t n);

/*
 * Serialises `n` messages into the open commit buffer, all in one batch, and
 * returns; position and journal_time_us of the given structs are ignored. The
 * callback comes once, on the commit thread, after the sync (or with the error
 * that made it impossible, and then nothing of it is readable, now or later,
 * unless the process restarts). -XYLEM_E_BUSY (`hold_bytes` reached, or more
 * than 64 MiB wait for the sync), -XYLEM_E_FULL, -XYLEM_E_DEAD,
 * -XYLEM_E_STOPPING, -XYLEM_E_TOO_LARGE, -XYLEM_E_INVALID (none, or a kind that
 * is not known): no callback. `urgent` appends
 * (replays, derived messages) may use the reserve and ignore `hold_bytes`.
 */
int journal_append(struct journal *journal, const struct xylem_message *messages, size_t n, bool urgent,
	journal_appended done, void *context);
/* The same, and waits. */
int journal_append_wait(struct journal *journal, const struct xylem_message *messages, size_t n, bool urgent,
	struct xylem_position *ret_positions);

/*
 * A counted batch of records, owned by the reader, reused from read to read.
 * The messages point into it: valid until the next read into it or _free.
 */
struct journal_batch {
	struct xylem_message *messages;
	size_t n;
	struct xylem_position next; /* where to read on */
};
struct journal_batch *journal_batch_new(void);
struct journal_batch *journal_batch_free(struct journal_batch *batch);
/* Lets a read that goes on where `before` ended find the place in the file without a search. */
void journal_batch_follow(struct journal_batch *batch, const struct journal_batch *before);
/* Bytes of memory that the batch holds, for whoever keeps spare ones. */
size_t journal_batch_room(const struct journal_batch *batch);

/*
 * Reads from the first record at or after `from`: at most `count` records and
 * about `bytes` bytes (at least one record). 0 with n 0: nothing there yet.
 * -XYLEM_E_GONE: `from` lies below journal_begin() (the caller decides whether
 * that is a gap); -XYLEM_E_DAMAGED: quarantined records start at `from`,
 * `batch->next` says where they end; -XYLEM_E_IO. Any thread, one batch each.
 */
int journal_read(struct journal *journal, struct xylem_position from, size_t count, size_t bytes,
	struct journal_batch *batch);
/* Exactly one record; -XYLEM_E_NOT_FOUND, -XYLEM_E_GONE. */
int journal_get(struct journal *journal, struct xylem_position at, struct journal_batch *batch);

/* The first position whose record was written at or after the time, by segment times and the sparse index. */
struct xylem_position journal_seek_time(struct journal *journal, int64_t wall_us);

/*
 * Waits until journal_end() has passed `from`, `mono_us` (CLOCK_MONOTONIC) is reached or journal_wake() is
 * called for this waiter. A waiter belongs to one thread at a time.
 */
struct journal_waiter;
struct journal_waiter *journal_waiter_new(struct journal *journal);
struct journal_waiter *journal_waiter_free(struct journal_waiter *waiter);
void journal_wait(struct journal_waiter *waiter, struct xylem_position from, int64_t mono_us);
void journal_wake(struct journal_waiter *waiter);

/* Lanes need nothing below `position` any more (committed in the catalogue): trimming may go up to it. */
void journal_release(struct journal *journal, struct xylem_position position);

/*
 * For somebody who has to copy records before they go: after journal_guard(),
 * segments go only below what journal_let_go() has named, whatever is released.
 * journal_leaving(): would something go if it were let go? Then *ret_before is
 * where that ends. Any thread; a guard is never taken away.
 */
void journal_guard(struct journal *journal);
bool journal_leaving(struct journal *journal, struct xylem_position *ret_before);
void journal_let_go(struct journal *journal, struct xylem_position before);

/* Bytes of journal from `from` to the end, to within the spacing of the sparse index. */
uint64_t journal_distance(struct journal *journal, struct xylem_position from);

struct journal_state {
	bool failed;    /* a write or sync failed: dead */
	bool full;      /* no room: held back */
	bool held;      /* hold_bytes reached */
	uint64_t bytes; /* on disk, all segments */
	uint64_t unreleased_bytes;
	uint64_t hold_bytes;
	uint64_t appended; /* records since start */
	uint64_t commits;
	uint64_t segments;
	int64_t last_sync_us; /* how long the last fdatasync took */
	char failure[128];
};
void journal_state(struct journal *journal, struct journal_state *ret_state);
/* Called on the commit thread when `held`, `full` or `failed` changes. Set before the first append. */
void journal_on_change(struct journal *journal, void (*changed)(void *context), void *context);

#endif
