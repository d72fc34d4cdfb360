/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on the disk: segments are allocated in full before they are used, so
 * that "no room" is found out here, while nothing has been promised, and not
 * in the middle of a batch. Files of trimmed segments are kept as spares and
 * written over, which spares each sync the work of growing a file.
 *
 * A reserve file stands beside them. When the disk is full it becomes a
 * segment by its name alone: what settles the messages that are held can still
 * be written, whoever else eats up the space. When there is room again, a spare
 * and a new reserve are made first; then sources are let in.
 *
 * The rule not to break: a spare is written to only after the folder knows its
 * new name, so that no crash can show it as the segment that it was.
 */
#include <journal/inside.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <base/clock.h>
#include <journal/sidefile.h>
#include <xylem/log.h>

void journal_room_failed(struct journal *journal, const char *what, int error)
{
	pthread_mutex_lock(&journal->lock);
	if (!journal->failed) {
		journal->failed = true;
		snprintf(journal->failure, sizeof(journal->failure), "%s failed: %s", what,
			strerrordesc_np(-error) ? strerrordesc_np(-error) : "unknown error");
		xylem_log(XYLEM_LOG_ERROR, "journal",
			"%s in %s: nothing more is acknowledged; restart when the disk is well",
			journal->failure, journal->folder);
	}
	pthread_mutex_unlock(&journal->lock);
}

static void set_full(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	journal->full = true;
	pthread_mutex_unlock(&journal->lock);
}

static bool spare_path(const struct journal *journal, char path[PATH_MAX], uint64_t number)
{
	return snprintf(path, PATH_MAX, "%s/" SPARE_PREFIX "%" PRIu64, journal->folder, number) < PATH_MAX;
}

static bool reserve_path(const struct journal *journal, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/reserve", journal->folder) < PATH_MAX;
}

/* 0, -XYLEM_E_FULL, or -XYLEM_E_DEAD, which is final. */
static int allocate(struct journal *journal, const char *path, uint64_t size)
{
	int cause;
	int error = journal_segment_allocate(journal->io, path, size, &cause);
	if (error == -XYLEM_E_DEAD) {
		journal_room_failed(journal, "making a segment", cause);
	}
	return error;
}

/* A file to make a segment of. */
static int file_take(struct journal *journal, char path[PATH_MAX], uint64_t size, bool urgent)
{
	if (journal->spare_count > 0 && size <= journal->options.segment_size) {
		return spare_path(journal, path, journal->spares[--journal->spare_count]) ? 0 : -XYLEM_E_DEAD;
	}
	int error = spare_path(journal, path, journal->spare_next++) ? allocate(journal, path, size)
								     : -XYLEM_E_DEAD;
	if (error != -XYLEM_E_FULL) {
		return error;
	}
	set_full(journal);
	if (!urgent || !journal->reserve_there || size > journal->options.reserve_bytes) {
		return error;
	}
	journal->reserve_there = false;
	return reserve_path(journal, path) ? 0 : -XYLEM_E_DEAD;
}

int journal_room_roll(struct journal *journal, uint64_t base, uint64_t bytes, bool urgent)
{
	char path[PATH_MAX];
	uint64_t least = SEGMENT_DATA + bytes;
	uint64_t size = least > journal->options.segment_size ? least : journal->options.segment_size;
	int error = file_take(journal, path, size, false);
	if (error == -XYLEM_E_FULL && urgent) {
		/* The reserve is smaller than a segment, but larger than a batch. */
		error = file_take(journal, path, least, true);
	}
	if (error) {
		return error;
	}
	struct segment_header header = { .epoch = journal->epoch,
		.base = base,
		.created_us = clock_wall_us(),
		.partition = JOURNAL_PARTITION };
	struct segment *segment, *sealed = journal->segment_count > 0 ? journal_active(journal) : NULL;
	int cause;
	error = journal_segment_make(journal->io, journal->folder, path, &header, &segment, &cause);
	if (error) {
		/* With no room even for a header, a restart is needed: the file's state is not known. */
		journal_room_failed(journal, "making a segment", cause);
		return -XYLEM_E_DEAD;
	}
	segment->logical_base = journal->logical;
	if (!journal_list_append(journal, segment)) {
		journal_segment_free(segment, journal->io);
		journal_room_failed(journal, "making a segment", -ENOMEM);
		return -XYLEM_E_DEAD;
	}
	if (sealed) {
		journal_sidefile_write(journal->io, journal->folder, sealed);
	}
	return 0;
}

static bool reserve_make(struct journal *journal)
{
	char path[PATH_MAX];
	if (!journal->reserve_there && journal->options.reserve_bytes > 0) {
		journal->reserve_there = reserve_path(journal, path) &&
					 allocate(journal, path, journal->options.reserve_bytes) == 0;
	}
	return journal->reserve_there || journal->options.reserve_bytes == 0;
}

bool journal_room_retry(struct journal *journal)
{
	char path[PATH_MAX];
	if (journal->spare_count == 0) {
		uint64_t number = journal->spare_next++;
		if (!spare_path(journal, path, number) ||
			allocate(journal, path, journal->options.segment_size) != 0) {
			return false;
		}
		journal->spares[journal->spare_count++] = number;
	}
	return reserve_make(journal);
}

int journal_room_open(struct journal *journal)
{
	if (!reserve_make(journal) && !journal->failed) {
		set_full(journal);
	}
	return journal->failed ? -XYLEM_E_DEAD : journal_room_roll(journal, journal->next_offset, 0, true);
}

void journal_room_give_back(struct journal *journal, struct segment *segment)
{
	char path[PATH_MAX], spare[PATH_MAX];
	struct io *io = journal->io;
	uint64_t base = segment->header.base, size = segment->size;
	journal_sidefile_remove(io, journal->folder, base);
	journal_segment_free(segment, io);
	if (!journal_segment_path(path, journal->folder, base, SEGMENT_SUFFIX)) {
		return;
	}
	uint64_t number = journal->spare_next;
	bool keep = journal->spare_count < SPARES_MAX && size >= journal->options.segment_size &&
		    spare_path(journal, spare, number) && io->rename(io, path, spare) == 0;
	if (!keep) {
		io->unlink(io, path);
	}
	/* In order: were a later one gone and this one back after a crash, there would be a hole. */
	int error = io->sync_folder(io, journal->folder);
	if (error) {
		journal_room_failed(journal, "sync of the folder", error);
		return;
	}
	if (keep) {
		journal->spares[journal->spare_count++] = number;
		journal->spare_next++;
	}
}
