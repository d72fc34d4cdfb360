/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_SIDEFILE_H
#define JOURNAL_SIDEFILE_H

#include <journal/segment.h>

/*
 * The side file of a sealed segment: its end, its time range and its sparse
 * index. It may be missing, old or damaged at any time; then the segment is
 * read instead and the file is made again.
 */
void journal_sidefile_write(struct io *io, const char *folder, const struct segment *segment);
/* Fills end, used and index of a segment whose header is known; -XYLEM_E_DAMAGED when it does not serve. */
int journal_sidefile_read(struct io *io, const char *folder, struct segment *segment);
void journal_sidefile_remove(struct io *io, const char *folder, uint64_t base);

/* The bytes of such a file, for a segment with this epoch and base; -XYLEM_E_DAMAGED, -XYLEM_E_MEMORY. */
int journal_sidefile_parse(const char *bytes, size_t n, struct segment *segment);

#endif
