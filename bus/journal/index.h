/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_INDEX_H
#define JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The sparse index of one segment: about one entry for 64 KiB, each at the
 * begin of a record or of its batch's marker.
 */
struct index_entry {
	uint64_t offset;  /* of the first record at or after `at` */
	uint64_t at;      /* byte in the file */
	int64_t time_max; /* latest journal time from here up to the next entry */
};

struct index {
	struct index_entry *entries;
	size_t n, room;
	int64_t time_min, time_max; /* of the segment; INT64_MAX and INT64_MIN when it is empty */
};

void journal_index_init(struct index *index);
void journal_index_finish(struct index *index);
/*
 * Notes that `offset` lies at `at`, with a journal time; adds an entry when the
 * last one is far enough behind. Without memory the index only gets sparser.
 */
void journal_index_note(struct index *index, uint64_t offset, uint64_t at, int64_t time_us);
/* The last entry at or below `offset`; NULL when there is none. Valid until the next note. */
const struct index_entry *journal_index_find(const struct index *index, uint64_t offset);

#endif
