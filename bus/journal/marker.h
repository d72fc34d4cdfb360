/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_MARKER_H
#define JOURNAL_MARKER_H

#include <journal/layout.h>

/* The commit marker: what one write, and so one sync, carries. It stands in front of its records. */
struct marker {
	uint64_t first;  /* offset of the first record */
	uint64_t length; /* bytes of all records, padding included */
	uint64_t sum;    /* of the records' sums, modulo 2^64 */
	int64_t time_us; /* when it was written */
	uint32_t count;
};

void journal_marker_write(char at[MARKER_SIZE], uint32_t seed, const struct marker *marker);

static inline bool journal_marker_looks(const char *at)
{
	return get_u32(at) == MARKER_MAGIC;
}

/* False for bytes that are no marker of this epoch. `at` has MARKER_SIZE bytes, from anywhere. */
bool journal_marker_read(const char *at, uint32_t seed, struct marker *ret_marker);

#endif
