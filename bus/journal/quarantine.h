/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_QUARANTINE_H
#define JOURNAL_QUARANTINE_H

#include <journal/scan.h>
#include <journal/segment.h>

/*
 * Copies the damaged bytes of a segment to FOLDER/quarantine/BASE-BYTE-LENGTH,
 * once. Best effort: without room there is no copy, and the segment itself is
 * not touched either.
 */
void journal_quarantine_copy(
	struct io *io, const char *folder, const struct segment *segment, const struct damage *damage);

#endif
