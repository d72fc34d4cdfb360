/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment file: how it comes to be, and its header.
 *
 *     0  "XYLEMSEG"            24  u64  epoch           48  u64  0
 *     8  u32  format, 1        32  u64  base offset     56  u32  0
 *    12  u32  header size, 64  40  i64  created, us     60  u32  CRC32C of bytes 0..59
 *    16  u32  partition
 *    20  u32  0
 *
 * The rest of the first 4096 bytes is zero, so that the header shares no block
 * with records. A file gets all of its space before it is used, because a
 * growing file costs a second write for each sync, and because "no room" is to
 * be found out before a message is accepted, not in the middle of it.
 *
 * The rule not to break: allocate, header, sync, rename, sync of the folder,
 * in this order, and a record only after all of them. A file that bears a
 * segment's name has a good header; anything else is damage.
 */
#include <journal/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/hash.h>
#include <journal/record.h>

/* --- Header --------------------------------------------------------------- */

void journal_segment_header_write(char at[SEGMENT_HEADER_SIZE], const struct segment_header *header)
{
	memset(at, 0, SEGMENT_HEADER_SIZE);
	memcpy(at, SEGMENT_MAGIC, 8);
	put_u32(at + 8, SEGMENT_FORMAT);
	put_u32(at + 12, SEGMENT_HEADER_SIZE);
	put_u32(at + 16, header->partition);
	put_u64(at + 24, header->epoch);
	put_u64(at + 32, header->base);
	put_u64(at + 40, (uint64_t)header->created_us);
	put_u32(at + 60, crc32c(0, at, 60));
}

int journal_segment_header_read(const char *bytes, size_t n, struct segment_header *ret_header)
{
	if (n < SEGMENT_HEADER_SIZE || memcmp(bytes, SEGMENT_MAGIC, 8) != 0 ||
		crc32c(0, bytes, 60) != get_u32(bytes + 60)) {
		return -XYLEM_E_DAMAGED;
	}
	if (get_u32(bytes + 8) != SEGMENT_FORMAT || get_u32(bytes + 12) != SEGMENT_HEADER_SIZE) {
		return -XYLEM_E_UNSUPPORTED;
	}
	*ret_header = (struct segment_header){
		.partition = get_u32(bytes + 16),
		.epoch = get_u64(bytes + 24),
		.base = get_u64(bytes + 32),
		.created_us = (int64_t)get_u64(bytes + 40),
	};
	return 0;
}

/* --- Life ----------------------------------------------------------------- */

struct segment *journal_segment_new(const struct segment_header *header)
{
	struct segment *segment = calloc(1, sizeof(*segment));
	if (!segment) {
		return NULL;
	}
	segment->header = *header;
	segment->seed = journal_record_seed(header->epoch);
	segment->end = header->base;
	segment->used = SEGMENT_DATA;
	journal_index_init(&segment->index);
	return segment;
}

struct segment *journal_segment_free(struct segment *segment, struct io *io)
{
	if (segment) {
		if (segment->file) {
			io->close(io, segment->file);
		}
		journal_index_finish(&segment->index);
		free(segment);
	}
	return NULL;
}

bool journal_segment_path(char path[PATH_MAX], const char *folder, uint64_t base, const char *suffix)
{
	return snprintf(path, PATH_MAX, "%s/%020" PRIu64 "%s", folder, base, suffix) < PATH_MAX;
}

/* --- Making --------------------------------------------------------------- */

int journal_segment_error(int error)
{
	switch (-error) {
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return -XYLEM_E_FULL;
	default:
		return -XYLEM_E_DEAD;
	}
}

/* For file systems that cannot preallocate: zeros are written, so that the room is there all the same. */
static int zeros_write(struct io *io, struct io_file *file, uint64_t size)
{
	enum { CHUNK = 256 * 1024 };
	char *zeros = calloc(1, CHUNK);
	int error = zeros ? 0 : -ENOMEM;
	for (uint64_t at = 0; at < size && error == 0; at += CHUNK) {
		error = io->pwrite(io, file, zeros, size - at < CHUNK ? (size_t)(size - at) : CHUNK, at);
	}
	free(zeros);
	return error;
}

int journal_segment_allocate(struct io *io, const char *path, uint64_t size, int *ret_error)
{
	struct io_file *file;
	int error = io->open(io, path, O_RDWR | O_CREAT, 0600, &file);
	if (error == 0) {
		error = io->allocate(io, file, size);
		if (error == -EOPNOTSUPP || error == -ENOSYS) {
			error = zeros_write(io, file, size);
		}
		error = error ? error : io->fdatasync(io, file);
		io->close(io, file);
		if (error) {
			io->unlink(io, path);
		}
	}
	if (error) {
		*ret_error = error;
		return journal_segment_error(error);
	}
	return 0;
}

static int header_put(struct io *io, struct io_file *file, const struct segment_header *header)
{
	char block[SEGMENT_DATA] = { 0 };
	journal_segment_header_write(block, header);
	int error = io->pwrite(io, file, block, sizeof(block), 0);
	return error ? error : io->fdatasync(io, file);
}

static int name_put(struct io *io, const char *folder, const char *from, uint64_t base)
{
	char path[PATH_MAX];
	if (!journal_segment_path(path, folder, base, SEGMENT_SUFFIX)) {
		return -ENAMETOOLONG;
	}
	int error = io->rename(io, from, path);
	if (error) {
		return error;
	}
	/* Not knowing whether the name is there is a failed sync, whatever the reason was. */
	return io->sync_folder(io, folder) == 0 ? 0 : -EIO;
}

int journal_segment_make(struct io *io, const char *folder, const char *from,
	const struct segment_header *header, struct segment **ret_segment, int *ret_error)
{
	struct segment *segment = journal_segment_new(header);
	int error = segment ? io->open(io, from, O_RDWR, 0600, &segment->file) : -ENOMEM;
	if (error == 0) {
		int64_t size = io->size(io, segment->file);
		segment->size = size > 0 ? (uint64_t)size : 0;
		error = size < 0 ? (int)size : header_put(io, segment->file, header);
	}
	if (error == 0) {
		error = name_put(io, folder, from, header->base);
	}
	if (error) {
		journal_segment_free(segment, io);
		*ret_error = error;
		return journal_segment_error(error);
	}
	*ret_segment = segment;
	return 0;
}
