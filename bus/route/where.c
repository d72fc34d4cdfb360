/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `where`, the question that a route asks of each event: parsed once into a
 * tree (where_parser.c), walked for each event (where_evaluator.c). It is a
 * subset of jq, and says what jq says; tests/unit/route/where_jq.py asks both.
 *
 *     routes:
 *       orders:
 *         from: [shop]
 *         where: .type == "order.created" and .data.order.total > 100
 */
#include <stdlib.h>

#include "json/utf8.h"
#include "route/where.h"
#include "route/where_tree.h"

struct where {
	struct xylem_arena *arena; /* holds the tree and a copy of its text */
	const struct where_node *root;
};

static int where_build(struct where *where, const char *text, int *ret_column, struct xylem_reason *reason)
{
	struct xylem_span copy = xylem_arena_copy(where->arena, xylem_span_of(text));
	size_t offset = 0;
	int error = xylem_span_present(copy) ? where_parse(copy, where->arena, &where->root, &offset, reason)
					     : -XYLEM_E_MEMORY;
	if (error < 0 && ret_column) {
		*ret_column = 1 + (int)utf8_count(xylem_span(text, offset));
	}
	return error;
}

int where_compile(const char *text, struct where **ret_where, int *ret_column, struct xylem_reason *reason)
{
	struct where *where = calloc(1, sizeof(*where));
	if (where) {
		where->arena = xylem_arena_new(0);
	}
	if (!where || !where->arena) {
		where_free(where);
		return -XYLEM_E_MEMORY;
	}
	int error = where_build(where, text, ret_column, reason);
	if (error < 0) {
		where_free(where);
		return error;
	}
	*ret_where = where;
	return 0;
}

struct where *where_free(struct where *where)
{
	if (where) {
		xylem_arena_free(where->arena);
		free(where);
	}
	return NULL;
}

int where_match(const struct where *where, const struct xylem_message *message, struct xylem_arena *arena,
	bool *ret_match, struct xylem_reason *reason)
{
	return where_evaluate(where->root, message, arena, ret_match, reason);
}
