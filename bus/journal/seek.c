/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a time to a position. Journal times follow the wall clock, which may
 * jump, so they are not sorted: segments and entries of the sparse index know
 * their latest time, and the first that reaches the wanted one is looked into.
 */
#include <journal/inside.h>

/* Where to begin looking; index_lock held. The end of the journal when nothing is that late. */
static uint64_t seek_begin(struct journal *journal, int64_t wall_us)
{
	for (size_t i = 0; i < journal->segment_count; i++) {
		const struct segment *segment = journal->segments[i];
		if (segment->end == segment->header.base || segment->index.time_max < wall_us) {
			continue;
		}
		for (size_t k = 0; k < segment->index.n; k++) {
			if (segment->index.entries[k].time_max >= wall_us) {
				return segment->index.entries[k].offset;
			}
		}
	}
	return UINT64_MAX;
}

struct xylem_position journal_seek_time(struct journal *journal, int64_t wall_us)
{
	struct xylem_position at = { JOURNAL_PARTITION, 0 };
	pthread_mutex_lock(&journal->index_lock);
	at.offset = seek_begin(journal, wall_us);
	pthread_mutex_unlock(&journal->index_lock);
	struct journal_batch *batch = journal_batch_new();
	while (batch && at.offset < atomic_load(&journal->end)) {
		int error = journal_read(journal, at, 256, INDEX_SPACING, batch);
		if (error != 0 && error != -XYLEM_E_DAMAGED && error != -XYLEM_E_GONE) {
			break; /* the caller reads from here and hears of it */
		}
		for (size_t i = 0; i < batch->n; i++) {
			if (batch->messages[i].journal_time_us >= wall_us) {
				at = batch->messages[i].position;
				journal_batch_free(batch);
				return at;
			}
		}
		at = batch->next;
	}
	journal_batch_free(batch);
	uint64_t end = atomic_load(&journal->end);
	at.offset = at.offset < end ? at.offset : end;
	return at;
}
