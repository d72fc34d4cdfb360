/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Side files spare a start from reading every segment. They are written when a
 * segment is sealed and are never synced: their sum says whether they serve.
 *
 *     0  "XYLEMIDX"         24  u64  base offset      48  i64  earliest time
 *     8  u32  format, 1     32  u64  end offset       56  i64  latest time
 *    12  u32  entries       40  u64  used bytes       64  entries: u64 offset, u64 byte, i64 latest time
 *    16  u64  epoch                                       u32  CRC32C of everything before
 *
 * The rule not to break: nothing is known only here. Whether messages exist is
 * decided by segments alone, and a damaged segment has no side file.
 */
#include <journal/sidefile.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <base/hash.h>

enum { HEAD = 64, ENTRY = 24, TAIL = 4 };
#define SIDEFILE_MAX ((int64_t)64 * 1024 * 1024)

/* --- Bytes ---------------------------------------------------------------- */

static char *sidefile_format(const struct segment *segment, size_t *ret_n)
{
	const struct index *index = &segment->index;
	size_t n = HEAD + index->n * ENTRY + TAIL;
	char *bytes = calloc(1, n);
	if (!bytes) {
		return NULL;
	}
	memcpy(bytes, INDEX_MAGIC, 8);
	put_u32(bytes + 8, SEGMENT_FORMAT);
	put_u32(bytes + 12, (uint32_t)index->n);
	put_u64(bytes + 16, segment->header.epoch);
	put_u64(bytes + 24, segment->header.base);
	put_u64(bytes + 32, segment->end);
	put_u64(bytes + 40, segment->used);
	put_u64(bytes + 48, (uint64_t)index->time_min);
	put_u64(bytes + 56, (uint64_t)index->time_max);
	for (size_t i = 0; i < index->n; i++) {
		char *at = bytes + HEAD + i * ENTRY;
		put_u64(at, index->entries[i].offset);
		put_u64(at + 8, index->entries[i].at);
		put_u64(at + 16, (uint64_t)index->entries[i].time_max);
	}
	put_u32(bytes + n - TAIL, crc32c(0, bytes, n - TAIL));
	*ret_n = n;
	return bytes;
}

static bool entries_parse(const char *at, size_t count, uint64_t end, uint64_t used, struct index *index)
{
	uint64_t offset = 0, byte = 0;
	for (size_t i = 0; i < count; i++, at += ENTRY) {
		struct index_entry entry = { get_u64(at), get_u64(at + 8), (int64_t)get_u64(at + 16) };
		if (entry.offset < offset || entry.offset >= end || entry.at < byte || entry.at >= used) {
			return false;
		}
		offset = entry.offset;
		byte = entry.at;
		index->entries[i] = entry;
	}
	return true;
}

int journal_sidefile_parse(const char *bytes, size_t n, struct segment *segment)
{
	if (n < HEAD + TAIL || memcmp(bytes, INDEX_MAGIC, 8) != 0 || get_u32(bytes + 8) != SEGMENT_FORMAT ||
		get_u32(bytes + 12) != (n - HEAD - TAIL) / ENTRY || (n - HEAD - TAIL) % ENTRY != 0 ||
		crc32c(0, bytes, n - TAIL) != get_u32(bytes + n - TAIL)) {
		return -XYLEM_E_DAMAGED;
	}
	size_t count = get_u32(bytes + 12);
	uint64_t end = get_u64(bytes + 32), used = get_u64(bytes + 40);
	if (get_u64(bytes + 16) != segment->header.epoch || get_u64(bytes + 24) != segment->header.base ||
		end < segment->header.base || used < SEGMENT_DATA || used > segment->size) {
		return -XYLEM_E_DAMAGED;
	}
	struct index index;
	journal_index_init(&index);
	index.entries = calloc(count ? count : 1, sizeof(*index.entries));
	if (!index.entries) {
		return -XYLEM_E_MEMORY;
	}
	if (!entries_parse(bytes + HEAD, count, end, used, &index)) {
		journal_index_finish(&index);
		return -XYLEM_E_DAMAGED;
	}
	index.n = index.room = count;
	index.time_min = (int64_t)get_u64(bytes + 48);
	index.time_max = (int64_t)get_u64(bytes + 56);
	journal_index_finish(&segment->index);
	segment->index = index;
	segment->end = end;
	segment->used = used;
	return 0;
}

/* --- Files ---------------------------------------------------------------- */

void journal_sidefile_write(struct io *io, const char *folder, const struct segment *segment)
{
	char path[PATH_MAX];
	size_t n = 0;
	if (segment->damaged) {
		return;
	}
	char *bytes = sidefile_format(segment, &n);
	struct io_file *file;
	if (bytes && journal_segment_path(path, folder, segment->header.base, INDEX_SUFFIX) &&
		io->open(io, path, O_RDWR | O_CREAT | O_TRUNC, 0600, &file) == 0) {
		/* A half-written one is told from a whole one by its sum. */
		io->pwrite(io, file, bytes, n, 0);
		io->close(io, file);
	}
	free(bytes);
}

int journal_sidefile_read(struct io *io, const char *folder, struct segment *segment)
{
	char path[PATH_MAX];
	struct io_file *file;
	if (!journal_segment_path(path, folder, segment->header.base, INDEX_SUFFIX) ||
		io->open(io, path, O_RDONLY, 0, &file) != 0) {
		return -XYLEM_E_DAMAGED;
	}
	int error = -XYLEM_E_DAMAGED;
	int64_t size = io->size(io, file);
	char *bytes = size >= 0 && size <= SIDEFILE_MAX ? malloc((size_t)size + 1) : NULL;
	if (bytes && io->pread(io, file, bytes, (size_t)size, 0) == size) {
		error = journal_sidefile_parse(bytes, (size_t)size, segment);
	}
	free(bytes);
	io->close(io, file);
	return error;
}

void journal_sidefile_remove(struct io *io, const char *folder, uint64_t base)
{
	char path[PATH_MAX];
	if (journal_segment_path(path, folder, base, INDEX_SUFFIX)) {
		io->unlink(io, path);
	}
}
