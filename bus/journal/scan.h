/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_SCAN_H
#define JOURNAL_SCAN_H

#include <journal/index.h>
#include <journal/record.h>
#include <journal/window.h>

/* Bytes of a segment that are not what was written, and the offsets that are lost with them. */
struct damage {
	uint64_t at, length;
	uint64_t first, end; /* [first, end); equal where only a marker was hit */
};

struct scan_result {
	uint64_t end;  /* offset after the last good record */
	uint64_t used; /* byte after the last good unit; at a damaged end the end of the file */
	uint64_t records, batches;
	uint64_t torn_bytes;
	uint64_t damaged_bytes, damaged_batches;
	struct damage *damages;
	size_t damage_count, damage_room;
	struct index index;
};

/* `expected_end` of a segment that is the last one: nobody knows. */
#define SCAN_OPEN_END UINT64_MAX

/*
 * Reads a whole segment whose data begins at SEGMENT_DATA and whose first
 * offset is `base`, and says what is good, torn and damaged. `expected_end` is
 * where the next segment begins. 0, -XYLEM_E_IO or -XYLEM_E_MEMORY; the result
 * is to be finished in every case.
 */
int journal_scan_segment(struct window *window, uint64_t epoch, uint64_t base, uint64_t expected_end,
	struct scan_result *ret_result);
void journal_scan_result_finish(struct scan_result *result);

/* The first whole record at or after byte `at` whose offset is at least `least`; false when there is none. */
bool journal_scan_next_record(struct window *window, uint32_t seed, uint64_t at, uint64_t least,
	uint64_t *ret_at, struct record *ret_record);

#endif
