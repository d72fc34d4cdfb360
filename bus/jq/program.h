/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_PROGRAM_H
#define JQ_PROGRAM_H

#include "jq/tree.h"

struct jq_program {
	struct xylem_arena *arena; /* holds all of it, its text too */
	const char *file;
	const struct jq_node *root;
	struct jq_limits limits;
	bool impure;
};

#endif
