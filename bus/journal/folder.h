/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_FOLDER_H
#define JOURNAL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/io.h>
#include <xylem/error.h>

/* What lies in the journal's folder, by name. */
struct folder {
	uint64_t *segments; /* base offsets, ascending */
	size_t segment_count, segment_room;
	uint64_t *spares; /* numbers */
	size_t spare_count, spare_room;
	bool reserve;
};

/* Makes it, with a durable name, if it is missing; -XYLEM_E_IO, -XYLEM_E_FULL. */
int journal_folder_make(struct io *io, const char *path, struct xylem_reason *reason);
/* The one owner's lock, held as long as the file is open; -XYLEM_E_BUSY. */
int journal_folder_lock(
	struct io *io, const char *path, struct io_file **ret_file, struct xylem_reason *reason);
/* -XYLEM_E_IO, -XYLEM_E_MEMORY. */
int journal_folder_list(struct folder *folder, const char *path, struct xylem_reason *reason);
void journal_folder_finish(struct folder *folder);

#endif
