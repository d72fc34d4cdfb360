/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <limits.h>
#include <stdbool.h>

#include <base/io.h>
#include <journal/index.h>
#include <journal/layout.h>
#include <xylem/error.h>

/* The head of a segment file. */
struct segment_header {
	uint64_t epoch; /* random, drawn once for each start of the journal */
	uint64_t base;  /* offset of its first record */
	int64_t created_us;
	uint32_t partition;
};

void journal_segment_header_write(char at[SEGMENT_HEADER_SIZE], const struct segment_header *header);
/* -XYLEM_E_DAMAGED; -XYLEM_E_UNSUPPORTED for another format version. */
int journal_segment_header_read(const char *bytes, size_t n, struct segment_header *ret_header);

/*
 * One file of the journal. What readers look at (end, used, index, file) is
 * guarded by the journal's index lock; the commit thread alone changes it.
 */
struct segment {
	struct segment_header header;
	uint32_t seed;         /* journal_record_seed() of the epoch */
	uint64_t end;          /* offset after its last record */
	uint64_t used;         /* bytes that are synced */
	uint64_t size;         /* of the file */
	uint64_t logical_base; /* bytes of records in all segments before it, since the journal was opened */
	struct index index;
	struct io_file *file; /* NULL: not open now */
	unsigned refs;        /* readers in it */
	bool damaged;         /* has no side file */
};

struct segment *journal_segment_new(const struct segment_header *header);
/* Closes the file. */
struct segment *journal_segment_free(struct segment *segment, struct io *io);

#define SEGMENT_SUFFIX ".segment"
#define INDEX_SUFFIX ".index"
#define SPARE_PREFIX "spare-"
/* FOLDER/00000000000000000001.segment; false when it is too long. */
bool journal_segment_path(char path[PATH_MAX], const char *folder, uint64_t base, const char *suffix);

/*
 * A new file of `size` bytes, allocated and synced, that is not a segment yet.
 * -XYLEM_E_FULL when there is no room (nothing is left behind), -XYLEM_E_DEAD
 * when the disk fails; `ret_error` is the -errno.
 */
int journal_segment_allocate(struct io *io, const char *path, uint64_t size, int *ret_error);
/*
 * Makes a segment of an allocated file: header, sync, name, sync of the
 * folder. Only after all four it may be written to. Errors as above; on
 * -XYLEM_E_FULL the file `from` is as it was.
 */
int journal_segment_make(struct io *io, const char *folder, const char *from,
	const struct segment_header *header, struct segment **ret_segment, int *ret_error);

/* -XYLEM_E_FULL for "no room" and the like, -XYLEM_E_DEAD otherwise. */
int journal_segment_error(int error);

#endif
