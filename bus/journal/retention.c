/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is kept. Whole segments go, the oldest first, when no lane needs
 * anything in them and there is more than `retain_bytes` or they are older than
 * `retain_us`. What lanes need is never trimmed: when it grows to `hold_bytes`,
 * sources are held back until an eighth of it is free again.
 *
 * The rule not to break: only journal_release() moves the line below which
 * anything may go, and it is called with committed positions.
 */
#include <journal/inside.h>

#include <base/clock.h>

uint64_t journal_retention_unreleased(const struct journal *journal)
{
	uint64_t all = journal->logical + journal->waiting_bytes;
	return all > journal->released_logical ? all - journal->released_logical : 0;
}

void journal_retention_hold(struct journal *journal)
{
	uint64_t hold = journal->options.hold_bytes, now = journal_retention_unreleased(journal);
	if (hold > 0 && now >= hold) {
		journal->held = true;
	} else if (now <= hold - hold / 8) {
		journal->held = false;
	}
}

/* --- Trimming ------------------------------------------------------------- */

static bool has_too_much(struct journal *journal)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < journal->segment_count; i++) {
		bytes += journal->segments[i]->size;
	}
	return bytes > journal->options.retain_bytes;
}

/* Whether the first segment may go; index_lock held. */
static bool first_may_go(struct journal *journal, uint64_t released)
{
	if (journal->segment_count < 2) {
		return false;
	}
	const struct segment *first = journal->segments[0];
	if (journal->segments[1]->header.base > released || first->refs > 0) {
		return false;
	}
	int64_t retain_us = journal->options.retain_us;
	return has_too_much(journal) ||
	       (retain_us > 0 && first->index.time_max < clock_wall_us() - retain_us);
}

static struct segment *first_take(struct journal *journal)
{
	struct segment *first = journal->segments[0];
	journal->segment_count--;
	memmove(journal->segments, journal->segments + 1, journal->segment_count * sizeof(struct segment *));
	journal->open_files -= first->file != NULL;
	atomic_store(&journal->begin, journal->segments[0]->header.base);
	return first;
}

void journal_retention_trim(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	uint64_t released = journal->released;
	pthread_mutex_unlock(&journal->lock);
	while (!journal->failed) {
		pthread_mutex_lock(&journal->index_lock);
		struct segment *first = first_may_go(journal, released) ? first_take(journal) : NULL;
		pthread_mutex_unlock(&journal->index_lock);
		if (!first) {
			break;
		}
		journal_room_give_back(journal, first);
	}
}

/* --- Releasing ------------------------------------------------------------ */

/* Bytes before the offset, to within the spacing of the index; index_lock held. */
static uint64_t logical_of(struct journal *journal, uint64_t offset)
{
	size_t i = journal_list_find(journal, offset);
	if (i == SIZE_MAX) {
		return 0;
	}
	const struct segment *segment = journal->segments[i];
	if (offset >= segment->end) {
		return segment->logical_base + (segment->used - SEGMENT_DATA);
	}
	const struct index_entry *entry = journal_index_find(&segment->index, offset);
	return segment->logical_base + (entry ? entry->at - SEGMENT_DATA : 0);
}

uint64_t journal_distance(struct journal *journal, struct xylem_position from)
{
	uint64_t end = atomic_load(&journal->end);
	pthread_mutex_lock(&journal->index_lock);
	uint64_t low = logical_of(journal, from.offset), high = logical_of(journal, end);
	pthread_mutex_unlock(&journal->index_lock);
	return high > low ? high - low : 0;
}

void journal_release(struct journal *journal, struct xylem_position position)
{
	uint64_t end = atomic_load(&journal->end);
	uint64_t offset = position.offset < end ? position.offset : end;
	pthread_mutex_lock(&journal->index_lock);
	uint64_t logical = logical_of(journal, offset);
	bool trim = journal->segment_count > 1 && journal->segments[1]->header.base <= offset;
	pthread_mutex_unlock(&journal->index_lock);

	pthread_mutex_lock(&journal->lock);
	if (offset > journal->released) {
		journal->released = offset;
	}
	if (logical > journal->released_logical) {
		journal->released_logical = logical;
	}
	if (trim || journal->held) {
		journal->trim_wanted = true;
		pthread_cond_signal(&journal->work);
	}
	pthread_mutex_unlock(&journal->lock);
}
