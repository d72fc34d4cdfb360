/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compact vector of what a lane did with a span of messages.
 *
 * A full trace of every message has to cost next to nothing, so a lane writes
 * its outcomes as one blob for each step of its cursor. The first byte is the
 * version. An entry says only what differs from the one before it:
 *
 *     tag: outcome (3 bits) | SKIP | ATTEMPTS | CASE | TIMES | HANDLE
 *     [SKIP: offset - last offset - 1] [ATTEMPTS: attempts]
 *     [CASE: case number] [TIMES: begun - last begun, settled - begun]
 *     [HANDLE: partition, offset - last handle's offset]
 *
 * all as varints of 7 bits a byte, low first; times in milliseconds, signed
 * ones zigzag, because a wall clock may jump back. The outcome 0 is no outcome
 * but a run: that many more entries as the last, each one offset further on, and
 * its handle, if it has one, too. A batch that was delivered as a whole is thus
 * one entry and one run. A vector with a handle in it has the version 2.
 *
 * The rule not to break: the reader takes foreign bytes. It checks every
 * length and never believes a count. It does not say which lane or partition
 * the offsets belong to: the row does.
 */
#include <trace/outcome.h>

#include <assert.h>
#include <string.h>

#define VECTOR_VERSION 1
#define VECTOR_WITH_HANDLES 2
#define TAG_OUTCOME 0x07
#define TAG_SKIP 0x08
#define TAG_ATTEMPTS 0x10
#define TAG_CASE 0x20
#define TAG_TIMES 0x40
#define TAG_HANDLE 0x80
#define TAG_RUN 0x00

static const char *const names[] = {
	[OUTCOME_DELIVERED] = "delivered",
	[OUTCOME_FILTERED] = "filtered",
	[OUTCOME_EXPIRED] = "expired",
	[OUTCOME_HOSPITALISED] = "hospitalised",
	[OUTCOME_DISCARDED] = "discarded",
	[OUTCOME_UNROUTED] = "unrouted",
	[OUTCOME_DIVERTED] = "diverted",
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

const char *outcome_name(enum outcome outcome)
{
	return outcome > 0 && outcome < NAME_COUNT ? names[outcome] : "unknown";
}

int outcome_by_name(const char *name, enum outcome *ret_outcome)
{
	for (size_t i = 1; i < NAME_COUNT; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_outcome = (enum outcome)i;
			return 0;
		}
	}
	return -XYLEM_E_INVALID;
}

static uint64_t zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static void put(struct xylem_buffer *out, uint64_t value)
{
	char bytes[10];
	size_t n = 0;
	while (value >= 0x80) {
		bytes[n++] = (char)(value | 0x80);
		value >>= 7;
	}
	bytes[n++] = (char)value;
	xylem_buffer_append(out, bytes, n);
}

static bool get(struct outcome_reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64 && reader->at < reader->bytes.n; shift += 7) {
		uint64_t byte = (unsigned char)reader->bytes.at[reader->at++];
		if (shift == 63 && byte > 1) {
			return false;
		}
		value |= (byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* Differences of stored times wrap on purpose: the reader adds them back the same way. */
static int64_t minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

void outcome_vector_finish(struct outcome_vector *vector)
{
	if (!vector) {
		return;
	}
	xylem_buffer_finish(&vector->bytes);
	*vector = (struct outcome_vector){ 0 };
}

void outcome_vector_clear(struct outcome_vector *vector)
{
	struct xylem_buffer bytes = vector->bytes;
	xylem_buffer_clear(&bytes);
	*vector = (struct outcome_vector){ .bytes = bytes };
}

/* Is `next` what a run makes of `last`? */
static bool handle_continues(struct xylem_position last, struct xylem_position next)
{
	bool has = last.offset != 0, goes_on = next.offset != 0 && next.offset - 1 == last.offset;
	return has ? goes_on && next.partition == last.partition : next.offset == 0;
}

static bool continues(const struct outcome_vector *vector, const struct outcome_entry *entry)
{
	const struct outcome_entry *last = &vector->last;
	return vector->count > 0 && entry->offset == last->offset + 1 && entry->outcome == last->outcome &&
	       entry->attempts == last->attempts && entry->begun_us == last->begun_us &&
	       entry->settled_us == last->settled_us && entry->case_number == 0 && last->case_number == 0 &&
	       handle_continues(last->handle, entry->handle);
}

static void write_run(struct outcome_vector *vector)
{
	if (vector->run == 0) {
		vector->run_at = vector->bytes.n;
	} else if (!vector->bytes.failed) {
		xylem_buffer_cut(&vector->bytes, vector->run_at);
	}
	vector->run++;
	put(&vector->bytes, TAG_RUN);
	put(&vector->bytes, vector->run);
}

static void write_handle(
	struct outcome_vector *vector, struct xylem_position last, struct xylem_position handle)
{
	put(&vector->bytes, handle.partition);
	put(&vector->bytes, zigzag((int64_t)(handle.offset - last.offset)));
	if (!vector->bytes.failed) {
		vector->bytes.bytes[0] = VECTOR_WITH_HANDLES;
	}
}

static void write_entry(struct outcome_vector *vector, const struct outcome_entry *entry)
{
	const struct outcome_entry *last = &vector->last;
	uint64_t skip = entry->offset - last->offset - (vector->count ? 1 : 0);
	int64_t taken = minus(entry->settled_us, entry->begun_us);
	bool times = entry->begun_us != last->begun_us || taken != minus(last->settled_us, last->begun_us);
	uint64_t tag = entry->outcome | (skip ? TAG_SKIP : 0) |
		       (entry->attempts != last->attempts ? TAG_ATTEMPTS : 0) |
		       (entry->case_number ? TAG_CASE : 0) | (times ? TAG_TIMES : 0) |
		       (entry->handle.offset ? TAG_HANDLE : 0);
	put(&vector->bytes, tag);
	if (tag & TAG_SKIP) {
		put(&vector->bytes, skip);
	}
	if (tag & TAG_ATTEMPTS) {
		put(&vector->bytes, entry->attempts);
	}
	if (tag & TAG_CASE) {
		put(&vector->bytes, entry->case_number);
	}
	if (tag & TAG_TIMES) {
		put(&vector->bytes, zigzag(minus(entry->begun_us, last->begun_us)));
		put(&vector->bytes, zigzag(taken));
	}
	if (tag & TAG_HANDLE) {
		write_handle(vector, last->handle, entry->handle);
	}
	vector->run = 0;
}

void outcome_vector_add(struct outcome_vector *vector, const struct outcome_entry *entry)
{
	assert(entry->outcome > 0 && entry->outcome < NAME_COUNT);
	assert(vector->count == 0 || entry->offset > vector->last.offset);
	if (vector->count == 0) {
		xylem_buffer_byte(&vector->bytes, VECTOR_VERSION);
	}
	struct outcome_entry kept = *entry;
	kept.begun_us = entry->begun_us / 1000;
	kept.settled_us = entry->settled_us / 1000;
	kept.handle.partition = entry->handle.offset ? entry->handle.partition : 0;
	if (continues(vector, &kept)) {
		write_run(vector);
	} else {
		write_entry(vector, &kept);
	}
	vector->last = kept;
	vector->count++;
}

void outcome_reader_init(struct outcome_reader *reader, struct xylem_span bytes)
{
	*reader = (struct outcome_reader){ .bytes = bytes };
}

static int answer(const struct outcome_reader *reader, struct outcome_entry *ret_entry)
{
	*ret_entry = reader->last;
	if (__builtin_mul_overflow(reader->last.begun_us, 1000, &ret_entry->begun_us) ||
		__builtin_mul_overflow(reader->last.settled_us, 1000, &ret_entry->settled_us)) {
		return -XYLEM_E_DAMAGED;
	}
	return 1;
}

static bool read_handle(struct outcome_reader *reader, struct xylem_position *handle)
{
	uint64_t partition, change;
	if (!get(reader, &partition) || partition > UINT32_MAX || !get(reader, &change)) {
		return false;
	}
	handle->partition = (uint32_t)partition;
	handle->offset += (uint64_t)unzigzag(change);
	return handle->offset != 0;
}

static bool read_times(struct outcome_reader *reader, struct outcome_entry *next)
{
	uint64_t begun, taken;
	if (!get(reader, &begun) || !get(reader, &taken)) {
		return false;
	}
	next->begun_us = plus(next->begun_us, unzigzag(begun));
	next->settled_us = plus(next->begun_us, unzigzag(taken));
	return true;
}

static bool read_fields(struct outcome_reader *reader, uint64_t tag, struct outcome_entry *next)
{
	uint64_t skip = 0, attempts = next->attempts;
	if ((tag & TAG_SKIP) && !get(reader, &skip)) {
		return false;
	}
	if (__builtin_add_overflow(next->offset, skip, &next->offset) ||
		(reader->begun && __builtin_add_overflow(next->offset, 1, &next->offset))) {
		return false;
	}
	if ((tag & TAG_ATTEMPTS) && (!get(reader, &attempts) || attempts > UINT32_MAX)) {
		return false;
	}
	next->attempts = (uint32_t)attempts;
	next->case_number = 0;
	if ((tag & TAG_CASE) && !get(reader, &next->case_number)) {
		return false;
	}
	if ((tag & TAG_TIMES) && !read_times(reader, next)) {
		return false;
	}
	if (tag & TAG_HANDLE) {
		return read_handle(reader, &next->handle);
	}
	next->handle = (struct xylem_position){ 0 };
	return true;
}

static int read_run(struct outcome_reader *reader)
{
	uint64_t last;
	if (!reader->begun || !get(reader, &reader->run) || reader->run == 0 ||
		__builtin_add_overflow(reader->last.offset, reader->run, &last) ||
		__builtin_add_overflow(reader->last.handle.offset, reader->run, &last)) {
		return -XYLEM_E_DAMAGED;
	}
	reader->last.case_number = 0;
	return 0;
}

static int read_entry(struct outcome_reader *reader)
{
	uint64_t tag;
	if (!get(reader, &tag)) {
		return -XYLEM_E_DAMAGED;
	}
	if (tag == TAG_RUN) {
		return read_run(reader);
	}
	uint64_t outcome = tag & TAG_OUTCOME;
	struct outcome_entry next = reader->last;
	uint64_t known = reader->bytes.at[0] == VECTOR_WITH_HANDLES ? 0xff : 0x7f;
	if (tag > known || outcome == 0 || outcome >= NAME_COUNT || !read_fields(reader, tag, &next)) {
		return -XYLEM_E_DAMAGED;
	}
	next.outcome = (enum outcome)outcome;
	reader->last = next;
	reader->begun = true;
	return 1;
}

int outcome_read(struct outcome_reader *reader, struct outcome_entry *ret_entry)
{
	if (reader->at == 0 && reader->bytes.n > 0) {
		if (reader->bytes.at[0] != VECTOR_VERSION && reader->bytes.at[0] != VECTOR_WITH_HANDLES) {
			return -XYLEM_E_DAMAGED;
		}
		reader->at = 1;
	}
	if (reader->run == 0) {
		if (reader->at >= reader->bytes.n) {
			return 0;
		}
		int r = read_entry(reader);
		if (r != 0) {
			return r < 0 ? r : answer(reader, ret_entry);
		}
	}
	reader->run--;
	reader->last.offset++;
	reader->last.handle.offset += reader->last.handle.offset != 0;
	return answer(reader, ret_entry);
}
