/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_RSM_H
#define XMPP_RSM_H

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xmpp/xml.h>

/* Result Set Management (XEP-0059): which page, and what was given. */
struct rsm {
	bool asked;
	bool has_max;
	uint64_t max; /* 0: only the count */
	struct xylem_span after, before;
	bool last; /* <before/>, empty: the last page */
	bool has_index;
	uint64_t index;
};
/* From the <set/> inside `parent`; none: all false. -XYLEM_E_INVALID. */
int rsm_read(const struct xml_node *parent, struct rsm *ret_rsm, struct xylem_arena *arena);
/* `first` and `last` absent: an empty page, without them. */
void rsm_write(struct xylem_buffer *out, struct xylem_span first, uint64_t index, struct xylem_span last,
	uint64_t count);

/* A list that lies in memory, each row with an id of its own. */
struct rsm_list {
	size_t n;
	struct xylem_span (*id)(const void *context, size_t i); /* borrowed until the next call */
	void (*write)(const void *context, size_t i, struct xylem_buffer *out);
	const void *context;
};
/* What was written of it. */
struct rsm_part {
	size_t first, end;
	bool whole; /* nobody asked for less, and all went in */
};
/*
 * Writes the rows of the page that is asked for, as long as `out` is smaller
 * than `most` bytes. -XYLEM_E_NOT_FOUND: no such id.
 */
int rsm_write_rows(const struct rsm *rsm, const struct rsm_list *list, size_t most, struct xylem_buffer *out,
	struct rsm_part *ret_part);
/* The <set/> for it; nothing where it is whole. */
void rsm_write_part(struct xylem_buffer *out, const struct rsm_list *list, const struct rsm_part *part);

#endif
