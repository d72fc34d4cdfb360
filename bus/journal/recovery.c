/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start makes of the files it finds. First everything is looked at and
 * nothing is changed; then it is decided whether the bus may start; only then
 * is the torn tail cut and what nobody needs removed.
 *
 * A segment has to reach to where the next one begins, and the last one to
 * what the catalogue knows as acknowledged. What is missing is damage, whether
 * bytes were changed, cut off or whole files are gone; --accept-gap accepts it,
 * and it is written down so that the next start does not ask again.
 *
 * Reading all of a long journal would take minutes. The newest VERIFY_BYTES
 * are always read; older sealed segments are taken by their side file, and
 * their records are checked when somebody reads them.
 *
 * The rule not to break: bytes that may have been acknowledged are never cut,
 * overwritten or passed over in silence.
 */
#include <journal/inside.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <journal/accepted.h>
#include <journal/folder.h>
#include <journal/marker.h>
#include <journal/quarantine.h>
#include <journal/record.h>
#include <journal/scan.h>
#include <journal/sidefile.h>

#define VERIFY_BYTES ((uint64_t)1024 * 1024 * 1024)

struct recovery {
	struct journal *journal;
	struct io *io;
	const char *folder;
	struct segment **segments; /* the journal's own list, being filled */
	size_t n;
	struct accepted accepted;
	bool accepted_changed;
	bool refused;
	uint64_t acknowledged;
	struct journal_recovery found;
	struct xylem_reason *reason;
};

static int io_failed(struct recovery *recovery, const char *path, int error)
{
	xylem_reason_set(recovery->reason, "%s cannot be read: %s", path, strerrordesc_np(-error));
	return -XYLEM_E_IO;
}

/* --- Headers -------------------------------------------------------------- */

/* A segment of the name's base; epoch 0 and `damaged` where the header is not good. */
static int segment_load(struct recovery *recovery, uint64_t base)
{
	char path[PATH_MAX], bytes[SEGMENT_HEADER_SIZE] = { 0 };
	struct segment_header header = { 0 };
	struct io *io = recovery->io;
	struct io_file *file;
	if (!journal_segment_path(path, recovery->folder, base, SEGMENT_SUFFIX)) {
		return -XYLEM_E_INVALID;
	}
	int error = io->open(io, path, O_RDWR, 0, &file);
	if (error) {
		return io_failed(recovery, path, error);
	}
	int64_t size = io->size(io, file);
	ssize_t got = size < 0 ? (ssize_t)size : io->pread(io, file, bytes, sizeof(bytes), 0);
	if (got < 0) {
		io->close(io, file);
		return io_failed(recovery, path, (int)got);
	}
	int verdict = journal_segment_header_read(bytes, (size_t)got, &header);
	if (verdict == -XYLEM_E_UNSUPPORTED) {
		io->close(io, file);
		xylem_reason_set(recovery->reason, "%s has format version %" PRIu32 ", this program reads %d",
			path, get_u32(bytes + 8), SEGMENT_FORMAT);
		return verdict;
	}
	bool good = verdict == 0 && header.base == base && header.partition == JOURNAL_PARTITION;
	header = good ? header : (struct segment_header){ .base = base };
	struct segment *segment = journal_segment_new(&header);
	if (!segment || !journal_list_append(recovery->journal, segment)) {
		journal_segment_free(segment, io);
		io->close(io, file);
		return -XYLEM_E_MEMORY;
	}
	segment->damaged = !good;
	segment->size = (uint64_t)size;
	/* Opened again for each step: a long journal has more segments than a process has descriptors. */
	io->close(io, file);
	return 0;
}

static int segment_open(struct recovery *recovery, struct segment *segment)
{
	char path[PATH_MAX];
	journal_segment_path(path, recovery->folder, segment->header.base, SEGMENT_SUFFIX);
	int error = recovery->io->open(recovery->io, path, O_RDWR, 0, &segment->file);
	return error ? io_failed(recovery, path, error) : 0;
}

static void segment_close(struct recovery *recovery, struct segment *segment)
{
	recovery->io->close(recovery->io, segment->file);
	segment->file = NULL;
}

/* The segments of one run share their epoch: a lost header may be told from a neighbour's. */
static void epoch_guess(struct recovery *recovery, size_t i)
{
	struct segment *segment = recovery->segments[i];
	for (size_t k = i > 0 ? i - 1 : 0; k <= i + 1 && k < recovery->n; k++) {
		char bytes[MARKER_SIZE];
		struct marker marker;
		const struct segment *other = recovery->segments[k];
		if (k != i && !other->damaged &&
			recovery->io->pread(recovery->io, segment->file, bytes, sizeof(bytes),
				SEGMENT_DATA) == (ssize_t)sizeof(bytes) &&
			journal_marker_read(bytes, other->seed, &marker) &&
			marker.first == segment->header.base) {
			segment->header.epoch = other->header.epoch;
			segment->seed = other->seed;
		}
	}
}

/* --- Damage --------------------------------------------------------------- */

static void damage_explain(
	struct recovery *recovery, const struct segment *segment, const struct damage *damage)
{
	if (damage->end > damage->first) {
		xylem_reason_set(recovery->reason,
			"%" PRIu64 " messages, 0-%" PRIu64 " to 0-%" PRIu64
			", are damaged or missing: %s/%020" PRIu64 SEGMENT_SUFFIX " at byte %" PRIu64
			", %" PRIu64 " bytes. Restore the file from a copy, or start with --accept-gap to go "
			"on without them",
			damage->end - damage->first, damage->first, damage->end - 1, recovery->folder,
			segment ? segment->header.base : damage->first, damage->at, damage->length);
	} else {
		xylem_reason_set(recovery->reason,
			"%s/%020" PRIu64 SEGMENT_SUFFIX " is damaged at byte %" PRIu64 ", %" PRIu64
			" bytes; no message is lost. Restore the file from a copy, or start with "
			"--accept-gap",
			recovery->folder, segment->header.base, damage->at, damage->length);
	}
}

/* `segment` is NULL for records that no file has. */
static int damage_take(struct recovery *recovery, struct segment *segment, const struct damage *damage)
{
	uint64_t base = segment ? segment->header.base : 0;
	if (segment) {
		segment->damaged = true;
		journal_quarantine_copy(recovery->io, recovery->folder, segment, damage);
		snprintf(recovery->found.quarantine, sizeof(recovery->found.quarantine), "%.240s/quarantine",
			recovery->folder);
	}
	if (journal_accepted_has(&recovery->accepted, base, damage)) {
		return 0;
	}
	if (!recovery->journal->options.accept_gap) {
		if (!recovery->refused) {
			damage_explain(recovery, segment, damage);
		}
		recovery->refused = true;
		return 0;
	}
	recovery->accepted_changed = true;
	return journal_accepted_add(&recovery->accepted, base, damage);
}

static int result_take(struct recovery *recovery, struct segment *segment, struct scan_result *result)
{
	int error = 0;
	segment->end = result->end;
	segment->used = result->used;
	journal_index_finish(&segment->index);
	segment->index = result->index;
	journal_index_init(&result->index);
	recovery->found.records += result->records;
	recovery->found.torn_bytes += result->torn_bytes;
	recovery->found.damaged_bytes += result->damaged_bytes;
	recovery->found.damaged_batches += result->damaged_batches;
	for (size_t i = 0; i < result->damage_count && error == 0; i++) {
		error = damage_take(recovery, segment, &result->damages[i]);
	}
	return error;
}

/* --- One segment ---------------------------------------------------------- */

static int scan_file(struct recovery *recovery, struct segment *segment, uint64_t expected_end,
	struct scan_result *ret_result)
{
	struct window window;
	journal_window_init(&window, recovery->io, segment->file, segment->size);
	int error = journal_scan_segment(
		&window, segment->header.epoch, segment->header.base, expected_end, ret_result);
	if (error) {
		xylem_reason_set(recovery->reason, "%s/%020" PRIu64 SEGMENT_SUFFIX " cannot be read: %s",
			recovery->folder, segment->header.base,
			window.error ? strerrordesc_np(-window.error) : "no memory");
	}
	journal_window_finish(&window);
	return error;
}

/*
 * How far the last segment has to be good: to what was acknowledged, or to the
 * last record of a batch of which a part was acknowledged.
 */
static uint64_t acknowledged_end(
	struct recovery *recovery, struct segment *segment, const struct scan_result *result)
{
	uint64_t end = recovery->acknowledged, at = result->used;
	struct record record;
	struct window window;
	journal_window_init(&window, recovery->io, segment->file, segment->size);
	while (journal_scan_next_record(&window, segment->seed, at, result->end, &at, &record)) {
		end = record.offset + 1 > end ? record.offset + 1 : end;
		at += journal_record_size(record.length);
	}
	journal_window_finish(&window);
	return end;
}

static int scan_last(struct recovery *recovery, struct segment *segment, struct scan_result *ret_result)
{
	int error = scan_file(recovery, segment, SCAN_OPEN_END, ret_result);
	if (error == 0 && ret_result->end < recovery->acknowledged) {
		uint64_t end = acknowledged_end(recovery, segment, ret_result);
		journal_scan_result_finish(ret_result);
		error = scan_file(recovery, segment, end, ret_result);
	}
	return error;
}

/* A header that is lost is damage; with it the segment, unless its epoch can be told. */
static int header_damage(struct recovery *recovery, struct segment *segment, uint64_t expected_end)
{
	bool known = segment->header.epoch != 0;
	uint64_t base = segment->header.base;
	uint64_t end = expected_end != SCAN_OPEN_END   ? expected_end
		       : recovery->acknowledged > base ? recovery->acknowledged
						       : base;
	struct damage damage = { 0, known ? SEGMENT_DATA : segment->size, base, known ? base : end };
	recovery->found.damaged_bytes += damage.length;
	recovery->found.damaged_batches++;
	if (!known) {
		segment->end = end;
		segment->used = SEGMENT_DATA;
	}
	return damage_take(recovery, segment, &damage);
}

static int segment_scan(struct recovery *recovery, struct segment *segment, uint64_t expected_end)
{
	int error = segment_open(recovery, segment);
	if (error) {
		return error;
	}
	bool scannable = true;
	if (segment->damaged) {
		size_t i = journal_list_find(recovery->journal, segment->header.base);
		epoch_guess(recovery, i);
		scannable = segment->header.epoch != 0;
		error = header_damage(recovery, segment, expected_end);
	}
	if (error == 0 && scannable) {
		struct scan_result result;
		error = expected_end == SCAN_OPEN_END ? scan_last(recovery, segment, &result)
						      : scan_file(recovery, segment, expected_end, &result);
		error = error ? error : result_take(recovery, segment, &result);
		journal_scan_result_finish(&result);
	}
	segment_close(recovery, segment);
	return error;
}

/* By its side file if that serves, and `trust` allows it; by reading it otherwise. */
static int segment_recover(struct recovery *recovery, size_t i, bool trust)
{
	struct segment *segment = recovery->segments[i];
	bool last = i + 1 == recovery->n;
	uint64_t next = last ? SCAN_OPEN_END : recovery->segments[i + 1]->header.base;
	bool side = !last && !segment->damaged &&
		    journal_sidefile_read(recovery->io, recovery->folder, segment) == 0 &&
		    segment->end == next;
	if (side && trust) {
		recovery->found.records += segment->end - segment->header.base;
		return 0;
	}
	int error = segment_scan(recovery, segment, next);
	if (error == 0 && !last && !segment->damaged && !side) {
		journal_sidefile_write(recovery->io, recovery->folder, segment);
	} else if (segment->damaged) {
		journal_sidefile_remove(recovery->io, recovery->folder, segment->header.base);
	}
	return error;
}

/* --- All of them ---------------------------------------------------------- */

static int segments_recover(struct recovery *recovery)
{
	uint64_t newer = 0;
	for (size_t i = recovery->n; i-- > 0;) {
		uint64_t size = recovery->segments[i]->size;
		int error = segment_recover(recovery, i, newer >= VERIFY_BYTES);
		if (error) {
			return error;
		}
		newer += size;
	}
	return 0;
}

/* Records that were acknowledged and are in no file at all. */
static int nothing_recover(struct recovery *recovery)
{
	struct damage damage = { 0, 0, JOURNAL_FIRST_OFFSET, recovery->acknowledged };
	return recovery->acknowledged > JOURNAL_FIRST_OFFSET ? damage_take(recovery, NULL, &damage) : 0;
}

/* Cuts what the crash left behind the end; a last segment without records goes. */
static int last_settle(struct recovery *recovery)
{
	struct journal *journal = recovery->journal;
	struct segment *last = journal_active(journal);
	struct io *io = recovery->io;
	char path[PATH_MAX];
	if (last->damaged) {
		return 0;
	}
	int error = 0;
	journal_segment_path(path, recovery->folder, last->header.base, SEGMENT_SUFFIX);
	if (last->end == last->header.base) {
		error = io->unlink(io, path);
		error = error ? error : io->sync_folder(io, recovery->folder);
		journal->segment_count--;
		journal_segment_free(last, io);
	} else if (last->size > last->used) {
		error = segment_open(recovery, last);
		if (error == 0) {
			error = io->truncate(io, last->file, last->used);
			error = error ? error : io->fdatasync(io, last->file);
			last->size = last->used;
			segment_close(recovery, last);
		}
	}
	return error ? io_failed(recovery, path, error) : 0;
}

/* Spares that can be used are kept; what a smaller segment size or a crash has left goes. */
static void spares_take(struct journal *journal, const struct folder *folder)
{
	struct io *io = journal->io;
	for (size_t i = 0; i < folder->spare_count; i++) {
		char path[PATH_MAX];
		struct io_file *file;
		int64_t size = 0;
		snprintf(path, sizeof(path), "%s/" SPARE_PREFIX "%" PRIu64, journal->folder,
			folder->spares[i]);
		if (io->open(io, path, O_RDWR, 0, &file) == 0) {
			size = io->size(io, file);
			io->close(io, file);
		}
		if (size >= (int64_t)journal->options.segment_size && journal->spare_count < SPARES_MAX) {
			journal->spares[journal->spare_count++] = folder->spares[i];
		} else {
			io->unlink(io, path);
		}
		journal->spare_next = folder->spares[i] >= journal->spare_next ? folder->spares[i] + 1
									       : journal->spare_next;
	}
}

static void reserve_take(struct journal *journal, const struct folder *folder)
{
	char path[PATH_MAX];
	struct io_file *file;
	snprintf(path, sizeof(path), "%s/reserve", journal->folder);
	if (folder->reserve && journal->io->open(journal->io, path, O_RDWR, 0, &file) == 0) {
		journal->reserve_there = journal->io->size(journal->io, file) ==
					 (int64_t)journal->options.reserve_bytes;
		journal->io->close(journal->io, file);
	}
	if (folder->reserve && !journal->reserve_there) {
		journal->io->unlink(journal->io, path);
	}
}

static void totals(struct journal *journal, uint64_t end)
{
	uint64_t begin = end;
	for (size_t i = 0; i < journal->segment_count; i++) {
		struct segment *segment = journal->segments[i];
		segment->logical_base = journal->logical;
		journal->logical += segment->used - SEGMENT_DATA;
		begin = i == 0 ? segment->header.base : begin;
	}
	atomic_store(&journal->begin, begin);
	atomic_store(&journal->end, end);
	journal->next_offset = end;
	journal->released = begin;
}

/* What is decided is carried out. */
static int recovery_apply(struct recovery *recovery, const struct folder *folder)
{
	struct journal *journal = recovery->journal;
	uint64_t end = journal->segment_count > 0 ? journal_active(journal)->end : JOURNAL_FIRST_OFFSET;
	end = recovery->acknowledged > end ? recovery->acknowledged : end;
	int error = recovery->accepted_changed
			    ? journal_accepted_save(&recovery->accepted, recovery->io, recovery->folder)
			    : 0;
	if (error) {
		xylem_reason_set(recovery->reason, "%s/accepted cannot be written", recovery->folder);
		return error;
	}
	error = journal->segment_count > 0 ? last_settle(recovery) : 0;
	if (error == 0) {
		spares_take(journal, folder);
		reserve_take(journal, folder);
		totals(journal, end);
	}
	return error;
}

static int recovery_look(struct recovery *recovery, const struct folder *folder)
{
	struct journal *journal = recovery->journal;
	int error = journal_accepted_load(&recovery->accepted, recovery->io, recovery->folder);
	for (size_t i = 0; i < folder->segment_count && error == 0; i++) {
		error = segment_load(recovery, folder->segments[i]);
	}
	recovery->segments = journal->segments;
	recovery->n = journal->segment_count;
	if (error == 0) {
		error = recovery->n > 0 ? segments_recover(recovery) : nothing_recover(recovery);
	}
	return error ? error : recovery->refused ? -XYLEM_E_DAMAGED : 0;
}

int journal_recover(
	struct journal *journal, struct journal_recovery *ret_recovery, struct xylem_reason *reason)
{
	struct folder folder;
	struct recovery recovery = {
		.journal = journal,
		.io = journal->io,
		.folder = journal->folder,
		.acknowledged = journal->options.acknowledged_end.offset,
		.reason = reason,
	};
	int error = journal_folder_list(&folder, journal->folder, reason);
	if (error) {
		return error;
	}
	error = recovery_look(&recovery, &folder);
	if (error == 0) {
		error = recovery_apply(&recovery, &folder);
	}
	if (ret_recovery) {
		*ret_recovery = recovery.found;
	}
	journal_accepted_finish(&recovery.accepted);
	journal_folder_finish(&folder);
	return error;
}
