/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit marker. A batch counts only as a whole: it has as many records,
 * of as many bytes, with the sums that its marker says, or it does not count.
 *
 *     0  u32  "COMT"     8  u64  first offset     24  i64  time, us
 *     4  u32  count     16  u64  length           32  u64  sum of the records' sums
 *                                                 40  u32  0
 *                                                 44  u32  CRC32C of bytes 0..43
 *
 * It stands before the records, not after: one write carries both, and a
 * reader can step from batch to batch. The sum adds the records' own sums, so
 * that many threads can fill one batch without passing over the bytes twice.
 */
#include <journal/marker.h>

#include <base/hash.h>

void journal_marker_write(char at[MARKER_SIZE], uint32_t seed, const struct marker *marker)
{
	put_u32(at, MARKER_MAGIC);
	put_u32(at + 4, marker->count);
	put_u64(at + 8, marker->first);
	put_u64(at + 16, marker->length);
	put_u64(at + 24, (uint64_t)marker->time_us);
	put_u64(at + 32, marker->sum);
	put_u32(at + 40, 0);
	put_u32(at + 44, crc32c(seed, at, 44));
}

bool journal_marker_read(const char *at, uint32_t seed, struct marker *ret_marker)
{
	if (!journal_marker_looks(at) || crc32c(seed, at, 44) != get_u32(at + 44)) {
		return false;
	}
	struct marker marker = {
		.count = get_u32(at + 4),
		.first = get_u64(at + 8),
		.length = get_u64(at + 16),
		.time_us = (int64_t)get_u64(at + 24),
		.sum = get_u64(at + 32),
	};
	if (marker.count == 0 || marker.first > UINT64_MAX - marker.count ||
		marker.length % UNIT_ALIGN != 0 || marker.length > BATCH_MAX ||
		marker.length / RECORD_HEADER_SIZE < marker.count) {
		return false;
	}
	*ret_marker = marker;
	return true;
}
