/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what lies behind a segment's header: recovery must not crash,
 * look outside, or call anything good that has not the right sums. The first
 * byte chooses: bit 0 makes the sums of everything that looks like a record or
 * marker right, bit 1 makes markers fit their records, bit 2 says where the
 * segment should end. The bytes are also taken as a header, as a side file and
 * as a list of accepted damage.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>
#include <journal/accepted.h>
#include <journal/marker.h>
#include <journal/scan.h>
#include <journal/sidefile.h>
#include <message/envelope.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { EPOCH = 0x5eed, BASE = 7 };

/* --- Right sums ---------------------------------------------------------------- */

static void record_mend(char *at, size_t n, uint32_t seed)
{
	char offset[8];
	memcpy(offset, at + 8, sizeof(offset));
	uint32_t sum = crc32c(crc32c(seed, offset, sizeof(offset)), at, 24);
	put_u32(at + 24, sum);
	uint32_t length = get_u32(at + 4);
	if (length <= n - RECORD_HEADER_SIZE) {
		put_u32(at + 28, crc32c(sum, at + RECORD_HEADER_SIZE, length));
	}
}

static void marker_fit(char *at, size_t n, uint32_t seed)
{
	struct marker marker = { .first = get_u64(at + 8) };
	struct record record;
	char *next = at + MARKER_SIZE;
	size_t left = n - MARKER_SIZE;
	while (journal_record_read(next, left, seed, true, &record) == RECORD_GOOD &&
		record.offset == marker.first + marker.count && journal_record_size(record.length) <= left) {
		marker.count++;
		marker.sum += record.sum;
		marker.length += journal_record_size(record.length);
		next += journal_record_size(record.length);
		left -= journal_record_size(record.length);
	}
	journal_marker_write(at, seed, &marker);
}

static void mend(char *bytes, size_t n, uint32_t seed, bool fit)
{
	for (size_t i = 0; i + RECORD_HEADER_SIZE <= n; i += UNIT_ALIGN) {
		if ((get_u32(bytes + i) & 0xFFFFU) == RECORD_MAGIC) {
			record_mend(bytes + i, n - i, seed);
		}
	}
	for (size_t i = 0; i + MARKER_SIZE <= n; i += UNIT_ALIGN) {
		if (journal_marker_looks(bytes + i) && fit) {
			marker_fit(bytes + i, n - i, seed);
		} else if (journal_marker_looks(bytes + i)) {
			put_u32(bytes + i + 44, crc32c(seed, bytes + i, 44));
		}
	}
}

/* --- What must hold ------------------------------------------------------------ */

static void result_check(const struct scan_result *result, size_t n, uint64_t expected_end)
{
	assert(result->end >= BASE);
	assert(expected_end == SCAN_OPEN_END || result->end <= expected_end || result->damage_count == 0);
	assert(result->used >= SEGMENT_DATA && (result->used <= n || n < SEGMENT_DATA));
	assert(result->records <= result->end - BASE);
	uint64_t at = 0, offset = BASE;
	for (size_t i = 0; i < result->damage_count; i++) {
		const struct damage *damage = &result->damages[i];
		assert(damage->at >= at && damage->length <= n && damage->at <= n - damage->length);
		assert(damage->first >= offset && damage->end >= damage->first && damage->end <= result->end);
		at = damage->at + damage->length;
		offset = damage->end;
	}
	for (size_t i = 0; i < result->index.n; i++) {
		const struct index_entry *entry = &result->index.entries[i];
		assert(entry->offset >= BASE && entry->offset < result->end && entry->at < n);
		assert(i == 0 || (entry->offset > entry[-1].offset && entry->at > entry[-1].at));
	}
}

static void records_check(struct window *window, uint32_t seed)
{
	struct record record;
	uint64_t at = SEGMENT_DATA;
	while (journal_scan_next_record(window, seed, at, 0, &at, &record)) {
		struct xylem_span body = xylem_span(record.body, record.length);
		struct xylem_extension *room = calloc(envelope_extensions(body) + 1, sizeof(*room));
		struct xylem_message message = { 0 };
		envelope_read(body, &message, room);
		free(room);
		at += journal_record_size(record.length);
	}
}

static void segment_try(const uint8_t *bytes, size_t n, unsigned flags)
{
	size_t all = SEGMENT_DATA + n;
	uint32_t seed = journal_record_seed(EPOCH);
	char *file = calloc(1, all);
	if (n > 0) {
		memcpy(file + SEGMENT_DATA, bytes, n);
	}
	if (flags & 1) {
		mend(file + SEGMENT_DATA, n, seed, flags & 2);
	}
	struct window window;
	struct scan_result result;
	uint64_t end = flags & 4 ? (uint64_t)BASE + (flags >> 3) : SCAN_OPEN_END;
	journal_window_init_bytes(&window, file, all);
	assert(journal_scan_segment(&window, EPOCH, BASE, end, &result) == 0);
	result_check(&result, all, end);
	journal_scan_result_finish(&result);
	records_check(&window, seed);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0) {
		return 0;
	}
	segment_try(bytes + 1, n - 1, bytes[0]);
	struct segment_header header;
	if (journal_segment_header_read((const char *)bytes, n, &header) != 0) {
		header = (struct segment_header){ .epoch = EPOCH, .base = BASE };
	}
	struct segment *segment = journal_segment_new(&header);
	segment->size = n;
	journal_sidefile_parse((const char *)bytes, n, segment);
	journal_segment_free(segment, NULL);
	struct accepted accepted = { 0 };
	journal_accepted_parse(&accepted, (const char *)bytes, n);
	journal_accepted_finish(&accepted);
	return 0;
}
