/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sparse index: where in its segment an offset or a time is to be looked
 * for. It is small enough to stay in memory (24 bytes for 64 KiB: 4 MB for
 * 10 GB) and can always be made again by reading the segment.
 *
 * The rule not to break: an entry may be missing, never wrong.
 */
#include <journal/index.h>

#include <stdlib.h>

#include <journal/layout.h>

void journal_index_init(struct index *index)
{
	*index = (struct index){ .time_min = INT64_MAX, .time_max = INT64_MIN };
}

void journal_index_finish(struct index *index)
{
	free(index->entries);
	journal_index_init(index);
}

static void entry_add(struct index *index, struct index_entry entry)
{
	if (index->n == index->room) {
		size_t room = index->room ? index->room * 2 : 64;
		struct index_entry *entries = realloc(index->entries, room * sizeof(*entries));
		if (!entries) {
			return;
		}
		index->entries = entries;
		index->room = room;
	}
	index->entries[index->n++] = entry;
}

void journal_index_note(struct index *index, uint64_t offset, uint64_t at, int64_t time_us)
{
	if (index->n == 0 || at - index->entries[index->n - 1].at >= INDEX_SPACING) {
		entry_add(index, (struct index_entry){ .offset = offset, .at = at, .time_max = time_us });
	}
	if (index->n > 0 && time_us > index->entries[index->n - 1].time_max) {
		index->entries[index->n - 1].time_max = time_us;
	}
	index->time_min = time_us < index->time_min ? time_us : index->time_min;
	index->time_max = time_us > index->time_max ? time_us : index->time_max;
}

const struct index_entry *journal_index_find(const struct index *index, uint64_t offset)
{
	size_t low = 0, high = index->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->entries[middle].offset <= offset) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low > 0 ? &index->entries[low - 1] : NULL;
}
