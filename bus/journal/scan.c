/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a segment whose writer may have been cut off, or whose bytes may
 * have been changed since. Bytes in, values out: nothing here writes.
 *
 * Good batches follow one another from SEGMENT_DATA on. Where one is not good:
 *   - if a good batch of the same epoch stands behind it, the disk has lost
 *     something that it had said it had: damage. What is whole in between is
 *     still counted as good, record by record;
 *   - if none does, in the last segment, the write was cut off by a crash
 *     before its sync: a torn tail, which nobody was told of. One batch is one
 *     write, and the next is written after the sync, so there can be only one;
 *   - if none does, in a segment that has a successor, it is damage again,
 *     because a successor is made after the sync of the last batch.
 *
 * The rule not to break: every byte is foreign. No length, count or offset is
 * believed before its sum is right, and none leads outside of the window.
 */
#include <journal/scan.h>

#include <errno.h>
#include <stdlib.h>

#include <journal/marker.h>
#include <xylem/error.h>

struct scan {
	struct window *window;
	uint32_t seed;
	uint64_t at;       /* byte */
	uint64_t expected; /* offset that should come next */
	struct scan_result *result;
	bool no_memory;
};

/* --- Good batches --------------------------------------------------------- */

static bool records_check(const char *bytes, uint32_t seed, const struct marker *marker)
{
	uint64_t at = 0, sum = 0;
	for (uint32_t i = 0; i < marker->count; i++) {
		struct record record;
		if (journal_record_read(bytes + at, marker->length - at, seed, true, &record) !=
				RECORD_GOOD ||
			record.offset != marker->first + i) {
			return false;
		}
		at += journal_record_size(record.length);
		sum += record.sum;
	}
	return at == marker->length && sum == marker->sum;
}

/* The marker at `at`, its bytes only. */
static bool marker_at(struct scan *scan, uint64_t at, struct marker *ret_marker)
{
	const char *bytes = journal_window_need(scan->window, at, MARKER_SIZE, NULL);
	return bytes && journal_marker_read(bytes, scan->seed, ret_marker);
}

/* The records of the marker at `at`, if all of them are good; valid until the window moves. */
static const char *batch_at(struct scan *scan, uint64_t at, const struct marker *marker)
{
	const char *bytes = journal_window_need(scan->window, at + MARKER_SIZE, marker->length, NULL);
	return bytes && records_check(bytes, scan->seed, marker) ? bytes : NULL;
}

static void batch_take(struct scan *scan, const struct marker *marker, const char *bytes)
{
	struct scan_result *result = scan->result;
	uint64_t at = 0;
	for (uint32_t i = 0; i < marker->count; i++) {
		struct record record;
		journal_record_read(bytes + at, marker->length - at, scan->seed, false, &record);
		journal_index_note(
			&result->index, record.offset, scan->at + MARKER_SIZE + at, record.time_us);
		at += journal_record_size(record.length);
	}
	result->records += marker->count;
	result->batches++;
	scan->at += MARKER_SIZE + marker->length;
	scan->expected = marker->first + marker->count;
}

/* --- What stands behind a bad one ----------------------------------------- */

/* The first good batch at or after `from` with offsets not below `expected`. */
static bool batch_find(struct scan *scan, uint64_t from, uint64_t *ret_at, struct marker *ret_marker)
{
	size_t n;
	const char *bytes;
	while ((bytes = journal_window_need(scan->window, from, MARKER_SIZE, &n))) {
		size_t i = 0;
		while (i + MARKER_SIZE <= n && !journal_marker_looks(bytes + i)) {
			i += UNIT_ALIGN;
		}
		from += i;
		if (i + MARKER_SIZE > n) {
			continue;
		}
		struct marker marker;
		if (journal_marker_read(bytes + i, scan->seed, &marker) && marker.first >= scan->expected &&
			batch_at(scan, from, &marker)) {
			*ret_at = from;
			*ret_marker = marker;
			return true;
		}
		from += UNIT_ALIGN;
	}
	return false;
}

static void damage_add(struct scan *scan, struct damage damage)
{
	struct scan_result *result = scan->result;
	if (result->damage_count == result->damage_room) {
		size_t room = result->damage_room ? result->damage_room * 2 : 8;
		struct damage *damages = realloc(result->damages, room * sizeof(*damages));
		if (!damages) {
			scan->no_memory = true;
			return;
		}
		result->damages = damages;
		result->damage_room = room;
	}
	result->damages[result->damage_count++] = damage;
	result->damaged_bytes += damage.length;
}

/* What stands at a byte of a damaged stretch. */
struct unit {
	bool good;
	uint64_t size;   /* to step over */
	uint64_t offset; /* what is expected at it, if it is good */
	bool is_record;
	int64_t time_us;
};

static struct unit unit_at(struct scan *scan, uint64_t at, uint64_t limit, uint64_t beyond)
{
	struct unit unit = { .size = UNIT_ALIGN };
	struct marker marker;
	struct record record;
	size_t n;
	const char *bytes = journal_window_need(scan->window, at, RECORD_HEADER_SIZE, &n);
	if (!bytes) {
		return unit;
	}
	enum record_verdict verdict = journal_record_read(
		bytes, limit - at < n ? limit - at : n, scan->seed, true, &record);
	if (verdict == RECORD_SHORT && journal_record_size(record.length) <= limit - at &&
		(bytes = journal_window_need(scan->window, at, journal_record_size(record.length), NULL))) {
		verdict = journal_record_read(
			bytes, journal_record_size(record.length), scan->seed, true, &record);
	}
	if (verdict == RECORD_GOOD && record.offset >= scan->expected && record.offset < beyond) {
		return (struct unit){ true, journal_record_size(record.length), record.offset, true,
			record.time_us };
	}
	/* A good header in front of a bad body: nothing inside of it is looked at. */
	if (verdict == RECORD_BAD && journal_record_read(bytes, limit - at < n ? limit - at : n, scan->seed,
					     false, &record) == RECORD_GOOD) {
		unit.size = journal_record_size(record.length);
		return unit;
	}
	if (limit - at >= MARKER_SIZE && marker_at(scan, at, &marker) && marker.first >= scan->expected &&
		marker.first < beyond) {
		return (struct unit){ true, MARKER_SIZE, marker.first, false, 0 };
	}
	return unit;
}

/* Goes through [scan->at, limit), which is damaged: offsets up to `beyond` should be in it. */
static void stretch_take(struct scan *scan, uint64_t limit, uint64_t beyond)
{
	size_t before = scan->result->damage_count;
	uint64_t batches_before = scan->result->damaged_batches;
	uint64_t begin = scan->at, bad = begin; /* first bad byte not yet told of */
	for (uint64_t at = begin; at < limit;) {
		struct unit unit = unit_at(scan, at, limit, beyond);
		if (unit.good) {
			if (bad < at || unit.offset > scan->expected) {
				damage_add(
					scan, (struct damage){ bad, at - bad, scan->expected, unit.offset });
			}
			scan->expected = unit.offset + (unit.is_record ? 1 : 0);
			bad = at + unit.size;
			scan->result->damaged_batches += unit.is_record ? 0 : 1;
			scan->result->records += unit.is_record ? 1 : 0;
			if (unit.is_record) {
				journal_index_note(&scan->result->index, unit.offset, at, unit.time_us);
			}
		}
		at += unit.size < limit - at ? unit.size : limit - at;
	}
	if (bad < limit || scan->expected < beyond) {
		damage_add(scan, (struct damage){ bad, limit - bad, scan->expected, beyond });
	}
	if (scan->result->damage_count == before) {
		/* Every part is good, but they are not what the marker says. */
		damage_add(scan, (struct damage){ begin, MARKER_SIZE, scan->expected, scan->expected });
	}
	scan->result->damaged_batches += scan->result->damaged_batches == batches_before;
	scan->at = limit;
	scan->expected = beyond;
}

/* How much of the write that was cut off has reached the file, as far as it can be known. */
static uint64_t torn_measure(struct scan *scan)
{
	struct marker marker;
	uint64_t end = scan->at, at = scan->at, left = scan->window->end - scan->at;
	if (marker_at(scan, at, &marker) && marker.first == scan->expected) {
		return MARKER_SIZE + marker.length < left ? MARKER_SIZE + marker.length : left;
	}
	const char *bytes = journal_window_need(scan->window, at, sizeof(uint32_t), NULL);
	if (bytes && journal_marker_looks(bytes)) {
		end = at + (left < MARKER_SIZE ? left : MARKER_SIZE);
	}
	struct record record;
	uint64_t found;
	while (journal_scan_next_record(scan->window, scan->seed, at, scan->expected, &found, &record)) {
		at = end = found + journal_record_size(record.length);
	}
	return end - scan->at;
}

/* --- The whole ------------------------------------------------------------ */

static bool step_over_damage(
	struct scan *scan, const struct marker *marker, bool marker_good, uint64_t expected_end)
{
	uint64_t found, from = scan->at + UNIT_ALIGN;
	struct marker later;
	if (marker_good) {
		from = scan->at + MARKER_SIZE + marker->length;
	}
	if (batch_find(scan, from, &found, &later) && later.first <= expected_end) {
		stretch_take(scan, found, later.first);
		return true;
	}
	if (expected_end == SCAN_OPEN_END) {
		scan->result->torn_bytes = torn_measure(scan);
	} else {
		stretch_take(scan, scan->window->end, expected_end);
	}
	return false;
}

int journal_scan_segment(struct window *window, uint64_t epoch, uint64_t base, uint64_t expected_end,
	struct scan_result *ret_result)
{
	*ret_result = (struct scan_result){ .end = base, .used = SEGMENT_DATA };
	journal_index_init(&ret_result->index);
	struct scan scan = { .window = window,
		.seed = journal_record_seed(epoch),
		.at = SEGMENT_DATA,
		.expected = base,
		.result = ret_result };
	while (scan.expected < expected_end) {
		struct marker marker;
		bool good = marker_at(&scan, scan.at, &marker) && marker.first == scan.expected &&
			    marker.count <= expected_end - scan.expected;
		const char *bytes = good ? batch_at(&scan, scan.at, &marker) : NULL;
		if (bytes) {
			batch_take(&scan, &marker, bytes);
		} else if (scan.window->end <= scan.at && expected_end == SCAN_OPEN_END) {
			break;
		} else if (!step_over_damage(&scan, &marker, good, expected_end)) {
			break;
		}
	}
	ret_result->end = scan.expected;
	ret_result->used = scan.at;
	if (window->error) {
		return window->error == -ENOMEM ? -XYLEM_E_MEMORY : -XYLEM_E_IO;
	}
	return scan.no_memory ? -XYLEM_E_MEMORY : 0;
}

void journal_scan_result_finish(struct scan_result *result)
{
	free(result->damages);
	result->damages = NULL;
	result->damage_count = result->damage_room = 0;
	journal_index_finish(&result->index);
}

bool journal_scan_next_record(struct window *window, uint32_t seed, uint64_t at, uint64_t least,
	uint64_t *ret_at, struct record *ret_record)
{
	size_t n;
	const char *bytes;
	while ((bytes = journal_window_need(window, at, RECORD_HEADER_SIZE, &n))) {
		struct record record;
		enum record_verdict verdict = journal_record_read(bytes, n, seed, true, &record);
		if (verdict == RECORD_SHORT &&
			(bytes = journal_window_need(window, at, journal_record_size(record.length), NULL))) {
			verdict = journal_record_read(
				bytes, journal_record_size(record.length), seed, true, &record);
		}
		if (verdict == RECORD_GOOD && record.offset >= least) {
			*ret_at = at;
			*ret_record = record;
			return true;
		}
		at += verdict == RECORD_GOOD ? journal_record_size(record.length) : UNIT_ALIGN;
	}
	return false;
}
