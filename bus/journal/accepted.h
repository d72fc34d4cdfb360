/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_ACCEPTED_H
#define JOURNAL_ACCEPTED_H

#include <journal/scan.h>
#include <journal/segment.h>

/* Damage that somebody has accepted (`--accept-gap`), so that the next start does not refuse again. */
struct accepted_row {
	uint64_t base; /* of the segment; 0: records that no segment has */
	struct damage damage;
};

struct accepted {
	struct accepted_row *rows;
	size_t n, room;
};

/* What cannot be read counts as not accepted. -XYLEM_E_MEMORY. */
int journal_accepted_load(struct accepted *accepted, struct io *io, const char *folder);
int journal_accepted_parse(struct accepted *accepted, const char *text, size_t n);
void journal_accepted_finish(struct accepted *accepted);
bool journal_accepted_has(const struct accepted *accepted, uint64_t base, const struct damage *damage);
int journal_accepted_add(struct accepted *accepted, uint64_t base, const struct damage *damage);
/* Durable when it answers 0; -XYLEM_E_IO, -XYLEM_E_MEMORY. */
int journal_accepted_save(const struct accepted *accepted, struct io *io, const char *folder);

#endif
