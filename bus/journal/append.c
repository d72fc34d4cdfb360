/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending: a place in the open buffer is taken under the lock, for the whole
 * call at once; the messages are serialised and summed after it, so that many
 * threads fill one batch side by side. The commit thread waits for the last of
 * them before it writes.
 *
 * The rule not to break: between taking the place and journal_commit_buffer_leave()
 * nothing may fail, because offsets behind it are already given out.
 */
#include <journal/inside.h>

#include <stdlib.h>

#include <base/clock.h>
#include <base/crash.h>
#include <journal/record.h>
#include <message/envelope.h>

static bool kinds_known(const struct xylem_message *messages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (messages[i].kind < XYLEM_MESSAGE || messages[i].kind > XYLEM_REPLAY) {
			return false;
		}
	}
	return n > 0;
}

/* Bytes in the buffer; 0 when it is more than a batch may have. */
static uint64_t append_size(const struct xylem_message *messages, size_t n)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < n && bytes <= BATCH_MAX; i++) {
		bytes += journal_record_size(envelope_size(&messages[i]));
	}
	return bytes <= BATCH_MAX ? bytes : 0;
}

static int append_gate(struct journal *journal, bool urgent)
{
	if (journal->stopping) {
		return -XYLEM_E_STOPPING;
	}
	if (journal->failed) {
		return -XYLEM_E_DEAD;
	}
	if (urgent) {
		return 0;
	}
	if (journal->full) {
		return -XYLEM_E_FULL;
	}
	uint64_t hold = journal->options.hold_bytes;
	if (hold > 0 && (journal->held || journal_retention_unreleased(journal) >= hold)) {
		if (!journal->held) {
			journal->trim_wanted = true; /* the commit thread is to say so */
			pthread_cond_signal(&journal->work);
		}
		return -XYLEM_E_BUSY;
	}
	return 0;
}

static int call_add(struct commit_buffer *buffer, struct call call)
{
	if (buffer->call_count == buffer->call_room) {
		size_t room = buffer->call_room ? buffer->call_room * 2 : 64;
		struct call *calls = realloc(buffer->calls, room * sizeof(*calls));
		if (!calls) {
			return -XYLEM_E_MEMORY;
		}
		buffer->calls = calls;
		buffer->call_room = room;
	}
	buffer->calls[buffer->call_count++] = call;
	return 0;
}

/* Takes the place; lock held. `call` comes with everything but offset and place. */
static int append_place(struct journal *journal, struct call *call, bool urgent)
{
	int error = append_gate(journal, urgent);
	struct commit_buffer *buffer = journal->open;
	if (error) {
		return error;
	}
	if (buffer->used + call->length > MARKER_SIZE + BATCH_MAX || buffer->count + call->n > UINT32_MAX) {
		return -XYLEM_E_BUSY;
	}
	call->first = journal->next_offset;
	call->at = buffer->used;
	error = call_add(buffer, *call);
	if (error) {
		return error;
	}
	if (buffer->call_count == 1) {
		buffer->first = call->first;
		pthread_cond_signal(&journal->work);
	}
	buffer->used += call->length;
	buffer->count += call->n;
	buffer->urgent |= urgent;
	journal->next_offset += call->n;
	journal->waiting_bytes += call->length;
	atomic_fetch_add(&buffer->writers, 1);
	return 0;
}

static void append_serialise(struct journal *journal, struct commit_buffer *buffer, const struct call *call,
	const struct xylem_message *messages)
{
	char *at = buffer->bytes + call->at;
	uint64_t sum = 0;
	for (size_t i = 0; i < call->n; i++) {
		size_t length = envelope_size(&messages[i]);
		sum += journal_record_write(
			at, journal->seed, call->first + i, call->time_us, &messages[i], length);
		at += journal_record_size(length);
	}
	atomic_fetch_add(&buffer->sum, sum);
}

int journal_append(struct journal *journal, const struct xylem_message *messages, size_t n, bool urgent,
	journal_appended done, void *context)
{
	if (!kinds_known(messages, n)) {
		return -XYLEM_E_INVALID;
	}
	struct call call = { .done = done, .context = context, .n = n, .length = append_size(messages, n) };
	if (call.length == 0) {
		return -XYLEM_E_TOO_LARGE;
	}
	pthread_mutex_lock(&journal->lock);
	call.time_us = clock_wall_us();
	int error = append_place(journal, &call, urgent);
	struct commit_buffer *buffer = journal->open;
	pthread_mutex_unlock(&journal->lock);
	if (error) {
		return error;
	}
	append_serialise(journal, buffer, &call, messages);
	crash_point("append");
	journal_commit_buffer_leave(journal, buffer);
	return 0;
}

/* --- Waiting for it ------------------------------------------------------- */

struct append_wait {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done;
	int error;
	struct xylem_position *positions;
};

static void append_done(void *context, int error, const struct xylem_position *positions, size_t n)
{
	struct append_wait *wait = context;
	pthread_mutex_lock(&wait->lock);
	if (error == 0 && wait->positions) {
		memcpy(wait->positions, positions, n * sizeof(*positions));
	}
	wait->error = error;
	wait->is_done = true;
	pthread_cond_signal(&wait->done);
	pthread_mutex_unlock(&wait->lock);
}

int journal_append_wait(struct journal *journal, const struct xylem_message *messages, size_t n, bool urgent,
	struct xylem_position *ret_positions)
{
	struct append_wait wait = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.done = PTHREAD_COND_INITIALIZER,
		.positions = ret_positions };
	int error = journal_append(journal, messages, n, urgent, append_done, &wait);
	if (error) {
		return error;
	}
	pthread_mutex_lock(&wait.lock);
	while (!wait.is_done) {
		pthread_cond_wait(&wait.done, &wait.lock);
	}
	pthread_mutex_unlock(&wait.lock);
	pthread_cond_destroy(&wait.done);
	pthread_mutex_destroy(&wait.lock);
	return wait.error;
}
