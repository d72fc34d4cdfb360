/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: one pread of synced bytes, one pass that checks the sums and
 * counts, one that decodes into one array. A batch remembers where it ended,
 * so that reading on needs no search. Readers share nothing but a short look
 * at the list of segments.
 *
 * Where a record is not what was written, reading stops before it; the next
 * read says DAMAGED and where to go on. The same search as in recovery finds
 * that place, so that both agree.
 *
 * The rule not to break: never a byte beyond `used` of a segment. What is not
 * synced may still vanish.
 */
#include <journal/inside.h>

#include <stdlib.h>

#include <journal/marker.h>
#include <journal/record.h>
#include <journal/scan.h>
#include <message/envelope.h>

/* The public part comes first. */
struct reader_batch {
	struct journal_batch batch;
	size_t message_room;
	struct xylem_extension *extensions;
	size_t extension_room;
	char *bytes;
	size_t byte_room;
	/* Where the last read stopped: offset `hint_offset` of the segment `hint_base` is at byte `hint_at`. */
	uint64_t hint_base, hint_offset, hint_at;
};

/* What one read looks at. */
struct reading {
	struct journal *journal;
	struct reader_batch *batch;
	struct segment *segment;
	uint64_t used, end;  /* of the segment, when the read began */
	uint64_t next_base;  /* where offsets go on after it */
	uint64_t from;       /* wanted */
	uint64_t at;         /* byte in the file */
	size_t count, bytes; /* limits */
	/* Found: */
	size_t n, extensions;
	uint64_t first_at; /* in batch->bytes, of the first record that is wanted */
	uint64_t expected; /* offset of what stands at `at`; 0: not known yet */
};

struct journal_batch *journal_batch_new(void)
{
	struct reader_batch *batch = calloc(1, sizeof(*batch));
	return batch ? &batch->batch : NULL;
}

struct journal_batch *journal_batch_free(struct journal_batch *public)
{
	struct reader_batch *batch = (struct reader_batch *)public;
	if (batch) {
		free(batch->batch.messages);
		free(batch->extensions);
		free(batch->bytes);
		free(batch);
	}
	return NULL;
}

void journal_batch_follow(struct journal_batch *public, const struct journal_batch *before)
{
	struct reader_batch *batch = (struct reader_batch *)public;
	const struct reader_batch *other = (const struct reader_batch *)before;
	batch->hint_base = other->hint_base;
	batch->hint_offset = other->hint_offset;
	batch->hint_at = other->hint_at;
}

size_t journal_batch_room(const struct journal_batch *public)
{
	const struct reader_batch *batch = (const struct reader_batch *)public;
	return batch->byte_room + batch->message_room * sizeof(struct xylem_message) +
	       batch->extension_room * sizeof(struct xylem_extension);
}

static bool room_for(void **memory, size_t *room, size_t want, size_t size)
{
	if (*room >= want) {
		return true;
	}
	size_t more = want + want / 2;
	void *grown = realloc(*memory, more * size);
	if (!grown) {
		return false;
	}
	*memory = grown;
	*room = more;
	return true;
}

/* --- Where ---------------------------------------------------------------- */

static int reading_find(struct reading *reading)
{
	struct journal *journal = reading->journal;
	pthread_mutex_lock(&journal->index_lock);
	size_t i = journal_list_find(journal, reading->from);
	int error = i == SIZE_MAX ? -XYLEM_E_GONE : 0;
	if (error == 0) {
		struct segment *segment = journal->segments[i];
		const struct index_entry *entry = journal_index_find(&segment->index, reading->from);
		reading->segment = segment;
		reading->used = segment->used;
		reading->end = segment->end;
		reading->next_base = i + 1 < journal->segment_count ? journal->segments[i + 1]->header.base
								    : segment->end;
		reading->at = entry ? entry->at : SEGMENT_DATA;
		reading->expected = entry ? 0 : segment->header.base;
		error = journal_list_ref(journal, segment);
	}
	pthread_mutex_unlock(&journal->index_lock);
	struct reader_batch *batch = reading->batch;
	if (error == 0 && batch->hint_offset == reading->from &&
		batch->hint_base == reading->segment->header.base && batch->hint_at <= reading->used) {
		reading->at = batch->hint_at;
		reading->expected = reading->from;
	}
	return error;
}

/* --- Bytes ---------------------------------------------------------------- */

/* Reads [at, at + want) of the segment, or as much as is synced. */
static int reading_fill(struct reading *reading, uint64_t want, size_t *ret_n)
{
	struct reader_batch *batch = reading->batch;
	struct io *io = reading->journal->io;
	uint64_t left = reading->used - reading->at;
	size_t n = want < left ? (size_t)want : (size_t)left;
	if (!room_for((void **)&batch->bytes, &batch->byte_room, n, 1)) {
		return -XYLEM_E_MEMORY;
	}
	ssize_t got = io->pread(io, reading->segment->file, batch->bytes, n, reading->at);
	if (got < 0) {
		return -XYLEM_E_IO;
	}
	*ret_n = (size_t)got;
	return 0;
}

enum walk_end {
	WALK_DONE,  /* the limits are reached, or the bytes end between two records */
	WALK_SHORT, /* a unit reaches beyond the bytes; `need` says how far */
	WALK_BAD,
};

/* Goes over units until a limit; sets n, extensions, first_at, expected and moves `at`. */
static enum walk_end walk(struct reading *reading, size_t n, uint64_t *ret_need)
{
	const char *bytes = reading->batch->bytes;
	uint64_t begin = reading->at, taken = 0;
	while (reading->n < reading->count && (reading->n == 0 || taken < reading->bytes)) {
		uint64_t i = reading->at - begin;
		struct marker marker;
		struct record record;
		*ret_need = n - i < RECORD_HEADER_SIZE ? RECORD_HEADER_SIZE : MARKER_SIZE;
		if (reading->at >= reading->used) {
			return WALK_DONE;
		}
		if (n - i < RECORD_HEADER_SIZE || (journal_marker_looks(bytes + i) && n - i < MARKER_SIZE)) {
			return reading->used - reading->at < *ret_need ? WALK_BAD : WALK_SHORT;
		}
		if (journal_marker_looks(bytes + i)) {
			if (!journal_marker_read(bytes + i, reading->segment->seed, &marker) ||
				(reading->expected && marker.first != reading->expected)) {
				return WALK_BAD;
			}
			reading->expected = marker.first;
			reading->at += MARKER_SIZE;
			continue;
		}
		bool wanted = reading->expected >= reading->from;
		enum record_verdict verdict = journal_record_read(
			bytes + i, n - i, reading->segment->seed, wanted, &record);
		if (verdict != RECORD_BAD && reading->expected == 0) {
			reading->expected = record.offset;
			continue;
		}
		if (verdict == RECORD_BAD || record.offset != reading->expected) {
			return WALK_BAD;
		}
		*ret_need = journal_record_size(record.length);
		if (verdict == RECORD_SHORT) {
			return reading->used - reading->at < *ret_need ? WALK_BAD : WALK_SHORT;
		}
		if (wanted) {
			reading->first_at = reading->n == 0 ? i : reading->first_at;
			reading->n++;
			reading->extensions += envelope_extensions(xylem_span(record.body, record.length));
			taken += *ret_need;
		}
		reading->at += *ret_need;
		reading->expected++;
	}
	return WALK_DONE;
}

/* --- Around damage -------------------------------------------------------- */

/*
 * The bytes at `at` are bad. Moves on to the next good record; if offsets that
 * are wanted are lost, says so.
 */
static int reading_skip(struct reading *reading)
{
	struct window window;
	struct record record;
	uint64_t at, lost_until = reading->next_base;
	uint64_t least = reading->expected ? reading->expected : reading->segment->header.base;
	journal_window_init(&window, reading->journal->io, reading->segment->file, reading->used);
	bool found = journal_scan_next_record(
		&window, reading->segment->seed, reading->at, least, &at, &record);
	int error = window.error ? -XYLEM_E_IO : 0;
	if (found && record.offset < reading->end) {
		lost_until = record.offset;
	}
	if (error == 0 && lost_until > reading->from) {
		reading->batch->batch.next.offset = lost_until;
		error = -XYLEM_E_DAMAGED;
	} else if (error == 0 && found) {
		reading->at = at;
		reading->expected = record.offset;
	} else if (error == 0) {
		error = -XYLEM_E_DAMAGED;
	}
	journal_window_finish(&window);
	return error;
}

/* --- Messages ------------------------------------------------------------- */

static int decode(struct reading *reading)
{
	struct reader_batch *batch = reading->batch;
	if (!room_for((void **)&batch->batch.messages, &batch->message_room, reading->n,
		    sizeof(struct xylem_message)) ||
		!room_for((void **)&batch->extensions, &batch->extension_room, reading->extensions,
			sizeof(struct xylem_extension))) {
		return -XYLEM_E_MEMORY;
	}
	struct xylem_extension *extensions = batch->extensions;
	const char *at = batch->bytes + reading->first_at;
	size_t n = 0;
	while (n < reading->n) {
		if (journal_marker_looks(at)) {
			at += MARKER_SIZE;
			continue;
		}
		struct xylem_message *message = &batch->batch.messages[n];
		struct xylem_span body = xylem_span(at + RECORD_HEADER_SIZE, get_u32(at + 4));
		*message = (struct xylem_message){ 0 };
		if (envelope_read(body, message, extensions) != 0) {
			break;
		}
		message->position = (struct xylem_position){ JOURNAL_PARTITION, get_u64(at + 8) };
		message->journal_time_us = (int64_t)get_u64(at + 16);
		extensions += message->extension_count;
		at += journal_record_size(body.n);
		n++;
	}
	batch->batch.n = n;
	batch->batch.next.offset = reading->from + n;
	if (n == 0) {
		/* The sums are right, and yet it is no message: written by something else. */
		batch->batch.next.offset = reading->from + 1;
		return -XYLEM_E_DAMAGED;
	}
	return 0;
}

static void hint_set(struct reading *reading)
{
	struct reader_batch *batch = reading->batch;
	batch->hint_base = reading->segment->header.base;
	batch->hint_offset = batch->batch.n == reading->n ? reading->expected : 0;
	batch->hint_at = reading->at;
}

/* --- The read ------------------------------------------------------------- */

static int reading_run(struct reading *reading)
{
	uint64_t want = reading->bytes + (reading->expected == reading->from ? 0 : INDEX_SPACING);
	want = want < SEGMENT_DATA ? SEGMENT_DATA : want > BATCH_MAX ? BATCH_MAX : want;
	for (;;) {
		if (reading->expected >= reading->end || reading->at >= reading->used) {
			reading->batch->batch.next.offset = reading->next_base;
			return -XYLEM_E_DAMAGED;
		}
		size_t n;
		uint64_t need, begin = reading->at;
		int error = reading_fill(reading, want, &n);
		if (error) {
			return error;
		}
		enum walk_end end = walk(reading, n, &need);
		if (reading->n > 0) {
			return 0;
		}
		if (end == WALK_BAD) {
			error = reading_skip(reading);
			if (error) {
				return error;
			}
		} else if (end == WALK_SHORT) {
			if (reading->at == begin && n < want && n < reading->used - begin) {
				return -XYLEM_E_IO; /* the file is shorter than what was synced to it */
			}
			want = need > want ? need : want;
		}
	}
}

static int read_from(
	struct journal *journal, uint64_t from, size_t count, size_t bytes, struct reader_batch *batch)
{
	struct reading reading = { .journal = journal,
		.batch = batch,
		.from = from,
		.count = count,
		.bytes = bytes < BATCH_MAX ? bytes : BATCH_MAX };
	int error = reading_find(&reading);
	if (error) {
		return error;
	}
	if (from >= reading.end) {
		batch->batch.next.offset = reading.next_base;
		error = -XYLEM_E_DAMAGED;
	} else {
		error = reading_run(&reading);
		error = error ? error : decode(&reading);
		if (error == 0) {
			hint_set(&reading);
		}
	}
	journal_list_unref(journal, reading.segment);
	return error;
}

int journal_read(struct journal *journal, struct xylem_position from, size_t count, size_t bytes,
	struct journal_batch *public)
{
	struct reader_batch *batch = (struct reader_batch *)public;
	public->n = 0;
	public->next = from;
	if (from.offset < atomic_load(&journal->begin)) {
		public->next.offset = atomic_load(&journal->begin);
		return -XYLEM_E_GONE;
	}
	if (from.offset >= atomic_load(&journal->end) || count == 0) {
		return 0;
	}
	return read_from(journal, from.offset, count, bytes, batch);
}

int journal_get(struct journal *journal, struct xylem_position at, struct journal_batch *batch)
{
	int error = journal_read(journal, at, 1, 0, batch);
	if (error == 0 && (batch->n == 0 || batch->messages[0].position.offset != at.offset)) {
		batch->n = 0;
		return -XYLEM_E_NOT_FOUND;
	}
	return error;
}
