/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_RSM_H
#define XMPP_RSM_H

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

#endif
