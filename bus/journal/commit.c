/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit thread: everything that waits is one batch, one write, one sync,
 * and then the answers. While it syncs, appenders fill the other buffer; the
 * slower the disk, the larger the batches.
 *
 * The rule not to break: the next batch is written after the sync of the one
 * before. Recovery tells a crash from damage by it. And a sync that has failed
 * is never tried again: the kernel may have dropped the bytes and say "fine"
 * the second time (Rebello et al., 2020).
 *
 * What it does not do: it never holds a lock while it writes, syncs or answers.
 */
#include <journal/inside.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <base/clock.h>
#include <base/crash.h>
#include <journal/marker.h>
#include <journal/record.h>

#define TICK_US (5 * 1000000LL)     /* retention by age */
#define TICK_FULL_US (200 * 1000LL) /* looking for room */
#define SLIM_KEEP ((size_t)256 * 1024)
#define SLIM_ABOVE ((size_t)8 * 1024 * 1024)

/* --- Buffers -------------------------------------------------------------- */

static void buffer_clear(struct commit_buffer *buffer)
{
	buffer->touched = buffer->used > buffer->touched ? buffer->used : buffer->touched;
	buffer->used = MARKER_SIZE;
	buffer->count = 0;
	buffer->urgent = false;
	buffer->call_count = 0;
	atomic_store(&buffer->writers, 0);
	atomic_store(&buffer->sum, 0);
}

bool journal_commit_buffer_init(struct commit_buffer *buffer)
{
	void *bytes = mmap(NULL, MARKER_SIZE + BATCH_MAX, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bytes == MAP_FAILED) {
		return false;
	}
	buffer->bytes = bytes;
	buffer_clear(buffer);
	return true;
}

void journal_commit_buffer_finish(struct commit_buffer *buffer)
{
	if (buffer->bytes) {
		munmap(buffer->bytes, MARKER_SIZE + BATCH_MAX);
	}
	free(buffer->calls);
	*buffer = (struct commit_buffer){ 0 };
}

/* Gives memory back to the system: touching it again costs a fault for each page, so not after each batch. */
static void buffer_slim(struct commit_buffer *buffer)
{
	if (buffer->touched > SLIM_KEEP) {
		madvise(buffer->bytes + SLIM_KEEP, MARKER_SIZE + BATCH_MAX - SLIM_KEEP, MADV_DONTNEED);
		buffer->touched = 0;
	}
}

/* Nothing has come for a while. */
static void buffers_slim(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	if (journal->open->call_count == 0) {
		buffer_slim(&journal->buffers[0]);
		buffer_slim(&journal->buffers[1]);
	}
	pthread_mutex_unlock(&journal->lock);
}

void journal_commit_buffer_leave(struct journal *journal, struct commit_buffer *buffer)
{
	if (atomic_fetch_sub(&buffer->writers, 1) == COMMIT_CLOSED + 1) {
		pthread_mutex_lock(&journal->lock);
		pthread_cond_signal(&journal->quiet);
		pthread_mutex_unlock(&journal->lock);
	}
}

/* Waits for the appenders that are still in the buffer; nobody enters any more. */
static void buffer_settle(struct journal *journal, struct commit_buffer *buffer)
{
	if (atomic_fetch_or(&buffer->writers, COMMIT_CLOSED) == 0) {
		return;
	}
	pthread_mutex_lock(&journal->lock);
	while (atomic_load(&buffer->writers) != COMMIT_CLOSED) {
		pthread_cond_wait(&journal->quiet, &journal->lock);
	}
	pthread_mutex_unlock(&journal->lock);
}

/* --- Answers -------------------------------------------------------------- */

static bool positions_reserve(struct journal *journal, const struct commit_buffer *buffer)
{
	size_t most = 0;
	for (size_t i = 0; i < buffer->call_count; i++) {
		most = buffer->calls[i].n > most ? buffer->calls[i].n : most;
	}
	if (most > journal->position_room) {
		struct xylem_position *positions = realloc(journal->positions, most * sizeof(*positions));
		if (!positions) {
			return false;
		}
		journal->positions = positions;
		journal->position_room = most;
	}
	return true;
}

static void answer(struct journal *journal, const struct commit_buffer *buffer, int error)
{
	for (size_t i = 0; i < buffer->call_count; i++) {
		const struct call *call = &buffer->calls[i];
		for (size_t k = 0; error == 0 && k < call->n; k++) {
			journal->positions[k] = (struct xylem_position){ JOURNAL_PARTITION, call->first + k };
		}
		if (call->done) {
			call->done(call->context, error, error ? NULL : journal->positions, call->n);
		}
	}
}

/* What is to be answered, taken out of its buffer, which is empty after. */
static struct commit_buffer calls_take(struct commit_buffer *buffer)
{
	struct commit_buffer taken = { .calls = buffer->calls, .call_count = buffer->call_count };
	buffer->calls = NULL;
	buffer->call_room = 0;
	buffer_clear(buffer);
	return taken;
}

/*
 * Nothing of the buffer is written. What waits in the open one has offsets
 * behind it, so it is refused too, and the offsets are given out again. Who
 * hears of it can append at once what may still be appended.
 */
static void refuse(struct journal *journal, struct commit_buffer *buffer, int error)
{
	struct commit_buffer first = calls_take(buffer);
	pthread_mutex_lock(&journal->lock);
	struct commit_buffer *behind = journal->open;
	journal->open = buffer;
	journal->next_offset = atomic_load(&journal->end);
	journal->waiting_bytes = 0;
	pthread_mutex_unlock(&journal->lock);
	buffer_settle(journal, behind);
	struct commit_buffer second = calls_take(behind);
	answer(journal, &first, error);
	answer(journal, &second, error);
	free(first.calls);
	free(second.calls);
}

/* --- One commit ----------------------------------------------------------- */

/* Entries of the sparse index for what was written at byte `at`; index_lock held. */
static void index_calls(struct segment *segment, const struct commit_buffer *buffer, uint64_t at)
{
	for (size_t i = 0; i < buffer->call_count; i++) {
		const struct call *call = &buffer->calls[i];
		uint64_t place = call->at;
		journal_index_note(&segment->index, call->first, at + place, call->time_us);
		for (size_t k = 0; k < call->n && call->length >= INDEX_SPACING; k++) {
			journal_index_note(&segment->index, call->first + k, at + place, call->time_us);
			place += journal_record_size(get_u32(buffer->bytes + place + 4));
		}
	}
}

static void publish(struct journal *journal, const struct commit_buffer *buffer, int64_t took_us)
{
	struct segment *segment = journal_active(journal);
	uint64_t end = buffer->first + buffer->count;
	pthread_mutex_lock(&journal->index_lock);
	index_calls(segment, buffer, segment->used);
	segment->used += buffer->used;
	segment->end = end;
	pthread_mutex_unlock(&journal->index_lock);
	atomic_store(&journal->end, end);

	pthread_mutex_lock(&journal->lock);
	journal->logical += buffer->used;
	journal->waiting_bytes -= buffer->used - MARKER_SIZE;
	journal->appended += buffer->count;
	journal->commits++;
	journal->last_sync_us = took_us;
	pthread_mutex_unlock(&journal->lock);
	journal_waiter_tell(journal);
}

static int write_and_sync(struct journal *journal, const struct commit_buffer *buffer)
{
	struct segment *segment = journal_active(journal);
	struct marker marker = {
		.first = buffer->first,
		.count = (uint32_t)buffer->count,
		.length = buffer->used - MARKER_SIZE,
		.sum = atomic_load(&buffer->sum),
		.time_us = clock_wall_us(),
	};
	journal_marker_write(buffer->bytes, segment->seed, &marker);
	int error = journal->io->pwrite(
		journal->io, segment->file, buffer->bytes, buffer->used, segment->used);
	if (error) {
		journal_room_failed(journal, "write", error);
		return -XYLEM_E_DEAD;
	}
	crash_point("written");
	error = journal->io->fdatasync(journal->io, segment->file);
	if (error) {
		journal_room_failed(journal, "fdatasync", error);
		return -XYLEM_E_DEAD;
	}
	crash_point("synced");
	return 0;
}

static int make_room(struct journal *journal, const struct commit_buffer *buffer)
{
	const struct segment *segment = journal_active(journal);
	if (segment->used + buffer->used <= segment->size) {
		return 0;
	}
	return journal_room_roll(journal, buffer->first, buffer->used, buffer->urgent);
}

static void commit(struct journal *journal, struct commit_buffer *buffer)
{
	buffer_settle(journal, buffer);
	int error = journal->failed ? -XYLEM_E_DEAD : 0; /* written by this thread only */
	error = error ? error : positions_reserve(journal, buffer) ? 0 : -XYLEM_E_MEMORY;
	error = error ? error : make_room(journal, buffer);
	if (error == 0) {
		int64_t before = clock_mono_us();
		error = write_and_sync(journal, buffer);
		if (error == 0) {
			publish(journal, buffer, clock_mono_us() - before);
			answer(journal, buffer, 0);
			buffer_clear(buffer);
		}
	}
	if (error) {
		refuse(journal, buffer, error);
		return; /* the buffer is open again */
	}
	if (buffer->touched > SLIM_ABOVE) {
		buffer_slim(buffer);
	}
}

/* --- The thread ----------------------------------------------------------- */

/* Looks for work; the buffer to commit, or NULL for upkeep. False when all is done. */
static bool work_take(struct journal *journal, struct commit_buffer **ret_buffer, bool *ret_idle)
{
	pthread_mutex_lock(&journal->lock);
	struct timespec tick = clock_timespec(clock_mono_us() + (journal->full ? TICK_FULL_US : TICK_US));
	int timed_out = 0;
	while (journal->open->call_count == 0 && !journal->stopping && !journal->trim_wanted &&
		timed_out == 0) {
		timed_out = pthread_cond_timedwait(&journal->work, &journal->lock, &tick);
	}
	*ret_buffer = NULL;
	*ret_idle = timed_out != 0;
	bool more = journal->open->call_count > 0 || !journal->stopping;
	if (journal->open->call_count > 0) {
		*ret_buffer = journal->open;
		journal->open = &journal->buffers[journal->open == &journal->buffers[0]];
	}
	journal->trim_wanted = false;
	pthread_mutex_unlock(&journal->lock);
	return more;
}

/* Tells the owner once of each change of held, full and failed. */
static void tell_changes(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	journal_retention_hold(journal);
	bool changed = journal->told_held != journal->held || journal->told_full != journal->full ||
		       journal->told_failed != journal->failed;
	journal->told_held = journal->held;
	journal->told_full = journal->full;
	journal->told_failed = journal->failed;
	void (*tell)(void *context) = journal->changed;
	void *context = journal->changed_context;
	pthread_mutex_unlock(&journal->lock);
	if (changed && tell) {
		tell(context);
	}
}

static void upkeep(struct journal *journal, int64_t *next_try)
{
	if (!journal->failed) {
		journal_retention_trim(journal);
	}
	if (journal->full && !journal->failed && clock_mono_us() >= *next_try) {
		*next_try = clock_mono_us() + TICK_FULL_US;
		if (journal_room_retry(journal)) {
			pthread_mutex_lock(&journal->lock);
			journal->full = false;
			pthread_mutex_unlock(&journal->lock);
		}
	}
	tell_changes(journal);
}

void *journal_commit_run(void *context)
{
	struct journal *journal = context;
	struct commit_buffer *buffer;
	int64_t next_try = 0;
	bool idle;
	while (work_take(journal, &buffer, &idle)) {
		if (buffer) {
			commit(journal, buffer);
		} else if (idle) {
			buffers_slim(journal);
		}
		upkeep(journal, &next_try);
	}
	return NULL;
}
