/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments in memory, in the order of their offsets. Sealed ones are
 * opened when somebody reads them; so many stay open that lanes which are
 * close to each other share them, and a long journal does not use up the
 * process's descriptors.
 *
 * The rule not to break: a segment that somebody reads (refs) is neither
 * closed nor given back; the last segment is always open.
 */
#include <journal/inside.h>

#include <fcntl.h>
#include <stdlib.h>

enum { OPEN_FILES_MAX = 64 };

static void file_close_if_many(struct journal *journal, struct segment *segment)
{
	if (segment->file && segment->refs == 0 && segment != journal_active(journal) &&
		journal->open_files > OPEN_FILES_MAX) {
		journal->io->close(journal->io, segment->file);
		segment->file = NULL;
		journal->open_files--;
	}
}

bool journal_list_append(struct journal *journal, struct segment *segment)
{
	pthread_mutex_lock(&journal->index_lock);
	if (journal->segment_count == journal->segment_room) {
		size_t room = journal->segment_room ? journal->segment_room * 2 : 16;
		struct segment **segments = realloc(journal->segments, room * sizeof(struct segment *));
		if (!segments) {
			pthread_mutex_unlock(&journal->index_lock);
			return false;
		}
		journal->segments = segments;
		journal->segment_room = room;
	}
	struct segment *sealed = journal->segment_count > 0 ? journal_active(journal) : NULL;
	journal->segments[journal->segment_count++] = segment;
	journal->open_files += segment->file != NULL;
	if (sealed) {
		file_close_if_many(journal, sealed);
	}
	pthread_mutex_unlock(&journal->index_lock);
	return true;
}

size_t journal_list_find(struct journal *journal, uint64_t offset)
{
	size_t low = 0, high = journal->segment_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (journal->segments[middle]->header.base <= offset) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low > 0 ? low - 1 : SIZE_MAX;
}

int journal_list_ref(struct journal *journal, struct segment *segment)
{
	if (!segment->file) {
		char path[PATH_MAX];
		if (!journal_segment_path(path, journal->folder, segment->header.base, SEGMENT_SUFFIX) ||
			journal->io->open(journal->io, path, O_RDONLY, 0, &segment->file) != 0) {
			segment->file = NULL;
			return -XYLEM_E_IO;
		}
		journal->open_files++;
	}
	segment->refs++;
	return 0;
}

void journal_list_unref(struct journal *journal, struct segment *segment)
{
	pthread_mutex_lock(&journal->index_lock);
	segment->refs--;
	file_close_if_many(journal, segment);
	pthread_mutex_unlock(&journal->index_lock);
}
