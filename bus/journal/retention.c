/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is kept. Whole segments go, the oldest first, when no lane needs
 * anything in them and there is more than `retain_bytes` or they are older than
 * `retain_us`. What lanes need is never trimmed: when it grows to `hold_bytes`,
 * sources are held back until an eighth of it is free again.
 *
 * The rule not to break: only journal_release() moves the line below which
 * anything may go, and it is called with committed positions. Where somebody
 * guards, what is to go is asked for first and let go when it was copied.
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

/* index_lock held. */
static uint64_t all_bytes(const struct journal *journal)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < journal->segment_count; i++) {
		bytes += journal->segments[i]->size;
	}
	return bytes;
}

/* Whether segment `i` may go, those before it being gone, so that there are `bytes`; index_lock held. */
static bool may_go(const struct journal *journal, size_t i, uint64_t bytes, uint64_t released)
{
	if (i + 1 >= journal->segment_count || journal->segments[i + 1]->header.base > released) {
		return false;
	}
	int64_t retain_us = journal->options.retain_us;
	return bytes > journal->options.retain_bytes ||
	       (retain_us > 0 && journal->segments[i]->index.time_max < clock_wall_us() - retain_us);
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
	uint64_t line = journal->released < journal->let_go ? journal->released : journal->let_go;
	pthread_mutex_unlock(&journal->lock);
	while (!journal->failed) {
		pthread_mutex_lock(&journal->index_lock);
		bool go = may_go(journal, 0, all_bytes(journal), line) && journal->segments[0]->refs == 0;
		struct segment *first = go ? first_take(journal) : NULL;
		pthread_mutex_unlock(&journal->index_lock);
		if (!first) {
			break;
		}
		journal_room_give_back(journal, first);
	}
}

/* --- Guarding ------------------------------------------------------------- */

void journal_guard(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	journal->let_go = 0;
	pthread_mutex_unlock(&journal->lock);
}

bool journal_leaving(struct journal *journal, struct xylem_position *ret_before)
{
	pthread_mutex_lock(&journal->lock);
	uint64_t released = journal->released, let_go = journal->let_go, before = 0;
	pthread_mutex_unlock(&journal->lock);
	pthread_mutex_lock(&journal->index_lock);
	uint64_t bytes = all_bytes(journal);
	for (size_t i = 0; may_go(journal, i, bytes, released); i++) {
		bytes -= journal->segments[i]->size;
		before = journal->segments[i + 1]->header.base;
	}
	pthread_mutex_unlock(&journal->index_lock);
	if (before <= let_go) {
		return false;
	}
	*ret_before = (struct xylem_position){ JOURNAL_PARTITION, before };
	return true;
}

void journal_let_go(struct journal *journal, struct xylem_position before)
{
	pthread_mutex_lock(&journal->lock);
	if (before.offset > journal->let_go) {
		journal->let_go = before.offset;
	}
	journal->trim_wanted = true;
	pthread_cond_signal(&journal->work);
	pthread_mutex_unlock(&journal->lock);
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
