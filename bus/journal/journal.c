/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The durable order of all messages: opening, closing, and what can be asked
 * of it. docs/journal.md tells the whole; the way of a message through this
 * room is append.c, commit.c (with room.c for the files), reader.c.
 *
 * Every start draws a new epoch and begins a new segment, so that whatever a
 * crash has left behind the end can never be read as something new.
 */
#include <journal/inside.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include <base/clock.h>
#include <base/thread.h>
#include <journal/folder.h>
#include <journal/record.h>
#include <journal/sidefile.h>

#define SEGMENT_SIZE_MIN ((uint64_t)16 * 1024)

/* --- Opening -------------------------------------------------------------- */

static int epoch_draw(struct journal *journal, struct xylem_reason *reason)
{
	do {
		if (getrandom(&journal->epoch, sizeof(journal->epoch), 0) !=
			(ssize_t)sizeof(journal->epoch)) {
			xylem_reason_set(reason, "the system has no random bytes for the journal's epoch");
			return -XYLEM_E_IO;
		}
	} while (journal->epoch == 0);
	journal->seed = journal_record_seed(journal->epoch);
	return 0;
}

static bool conditions_init(struct journal *journal)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&journal->lock, NULL);
	pthread_mutex_init(&journal->index_lock, NULL);
	bool made = pthread_cond_init(&journal->work, &attributes) == 0 &&
		    pthread_cond_init(&journal->quiet, &attributes) == 0;
	pthread_condattr_destroy(&attributes);
	return journal_waiter_start(journal) && made;
}

static struct journal *journal_make(const struct journal_options *options)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	if (!journal) {
		return NULL;
	}
	journal->options = *options;
	if (journal->options.segment_size < SEGMENT_SIZE_MIN) {
		journal->options.segment_size = SEGMENT_SIZE_MIN;
	}
	journal->io = options->io;
	journal->let_go = UINT64_MAX;
	journal->folder = strdup(options->folder);
	bool made = conditions_init(journal) && journal_commit_buffer_init(&journal->buffers[0]) &&
		    journal_commit_buffer_init(&journal->buffers[1]);
	journal->open = &journal->buffers[0];
	return made && journal->folder ? journal : journal_close(journal);
}

static int journal_start(
	struct journal *journal, struct journal_recovery *ret_recovery, struct xylem_reason *reason)
{
	int error = journal_folder_make(journal->io, journal->folder, reason);
	error = error ? error
		      : journal_folder_lock(journal->io, journal->folder, &journal->lock_file, reason);
	error = error ? error : epoch_draw(journal, reason);
	error = error ? error : journal_recover(journal, ret_recovery, reason);
	if (error) {
		return error;
	}
	error = journal_room_open(journal);
	if (error) {
		xylem_reason_set(reason, "no segment can be made in %s: %s", journal->folder,
			error == -XYLEM_E_FULL ? "no room on the disk" : journal->failure);
		return error == -XYLEM_E_FULL ? error : -XYLEM_E_IO;
	}
	error = thread_start(&journal->thread, "journal", 0, journal_commit_run, journal);
	journal->thread_started = error == 0;
	return error;
}

int journal_open(struct journal **ret_journal, const struct journal_options *options,
	struct journal_recovery *ret_recovery, struct xylem_reason *reason)
{
	struct xylem_reason unheard;
	reason = reason ? reason : &unheard;
	struct journal *journal = journal_make(options);
	if (!journal) {
		xylem_reason_set(reason, "no memory for the journal");
		return -XYLEM_E_MEMORY;
	}
	int error = journal_start(journal, ret_recovery, reason);
	if (error == -XYLEM_E_MEMORY) {
		xylem_reason_set(reason, "no memory for the journal");
	}
	if (error) {
		journal_close(journal);
		return error;
	}
	*ret_journal = journal;
	return 0;
}

/* --- Closing -------------------------------------------------------------- */

static void thread_end(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	journal->stopping = true;
	pthread_cond_signal(&journal->work);
	pthread_mutex_unlock(&journal->lock);
	if (!journal->thread_started) {
		return;
	}
	pthread_join(journal->thread, NULL);
	/* The unused part of the last file goes back to the system; the next start makes a new one. */
	struct segment *active = journal_active(journal);
	if (!journal->failed) {
		journal->io->truncate(journal->io, active->file, active->used);
	}
}

struct journal *journal_close(struct journal *journal)
{
	if (!journal) {
		return NULL;
	}
	thread_end(journal);
	for (size_t i = 0; i < journal->segment_count; i++) {
		journal_segment_free(journal->segments[i], journal->io);
	}
	free(journal->segments);
	journal_commit_buffer_finish(&journal->buffers[0]);
	journal_commit_buffer_finish(&journal->buffers[1]);
	free(journal->positions);
	if (journal->lock_file) {
		journal->io->close(journal->io, journal->lock_file);
	}
	journal_waiter_stop(journal);
	pthread_cond_destroy(&journal->work);
	pthread_cond_destroy(&journal->quiet);
	pthread_mutex_destroy(&journal->lock);
	pthread_mutex_destroy(&journal->index_lock);
	free(journal->folder);
	free(journal);
	return NULL;
}

/* --- Asking --------------------------------------------------------------- */

struct xylem_position journal_end(struct journal *journal)
{
	return (struct xylem_position){ JOURNAL_PARTITION, atomic_load(&journal->end) };
}

struct xylem_position journal_begin(struct journal *journal)
{
	return (struct xylem_position){ JOURNAL_PARTITION, atomic_load(&journal->begin) };
}

void journal_state(struct journal *journal, struct journal_state *ret_state)
{
	struct journal_state state = { .hold_bytes = journal->options.hold_bytes };
	pthread_mutex_lock(&journal->lock);
	state.failed = journal->failed;
	state.full = journal->full;
	state.held = journal->held;
	state.unreleased_bytes = journal_retention_unreleased(journal);
	state.appended = journal->appended;
	state.commits = journal->commits;
	state.last_sync_us = journal->last_sync_us;
	memcpy(state.failure, journal->failure, sizeof(state.failure));
	pthread_mutex_unlock(&journal->lock);
	pthread_mutex_lock(&journal->index_lock);
	state.segments = journal->segment_count;
	for (size_t i = 0; i < journal->segment_count; i++) {
		state.bytes += journal->segments[i]->size;
	}
	pthread_mutex_unlock(&journal->index_lock);
	*ret_state = state;
}

void journal_on_change(struct journal *journal, void (*changed)(void *context), void *context)
{
	pthread_mutex_lock(&journal->lock);
	journal->changed = changed;
	journal->changed_context = context;
	pthread_mutex_unlock(&journal->lock);
}
