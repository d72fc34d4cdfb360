/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_PROGRAM_H
#define JQ_PROGRAM_H

#include "jq/tree.h"

struct jq_program {
	struct xylem_arena *arena; /* holds all of it, its text too */
	const char *file;
	struct jq_node *root; /* not changed any more once it is compiled */
	struct jq_limits limits;
	bool impure;
	enum jq_payload payload; /* PAYLOAD_WHOLE unless `spare` was asked for */
	uint32_t names;          /* attributes of the event that it can reach */
};

#endif
