/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mappings are mostly made of, recognised once so that it is evaluated
 * directly: a path of fields (`.order.customer.id`), an object of such paths,
 * `map` of an expression with at most one result and the sum of one, and expressions that hold no call and
 * little else, which need no count of levels: how deep they go on the stack is known.
 *
 * Everything here is a shorter way to the same result; what is not recognised
 * takes the general one.
 */
#include "jq/evaluate.h"

enum { FIELDS_MOST = 16, HEIGHT_MOST = 12 };

/* --- Paths of fields --------------------------------------------------------- */

static bool fields_find(struct jq_tree *tree, struct jq_node *node)
{
	uint32_t n = 0;
	for (const struct jq_node *each = node; each->kind == NODE_FIELD && n <= FIELDS_MOST;
		each = each->a) {
		n++;
	}
	if (n > FIELDS_MOST) {
		return true; /* found by its first sixteen */
	}
	struct jq_fields *fields = xylem_arena_take(
		tree->arena, sizeof(*fields) + n * sizeof(struct jq_field));
	if (!fields) {
		return jq_tree_fail(tree, NULL, 0, "out of memory");
	}
	const struct jq_node *each = node;
	for (fields->n = n; n > 0; each = each->a) {
		fields->fields[--n] = (struct jq_field){ each->value.at, each->value.n, each };
	}
	fields->base = each->kind == NODE_IDENTITY ? NULL : each;
	node->fields = fields;
	return true;
}

/* --- map ------------------------------------------------------------------------ */

/* `[E | .[] | F]`, of which E and F have at most one result: what `map` is made of. */
static bool is_map(const struct jq_node *node)
{
	const struct jq_node *pipe = node->a;
	return node->kind == NODE_ARRAY && pipe && pipe->kind == NODE_PIPE && pipe->a->kind == NODE_ITERATE &&
	       pipe->a->a->outputs != OUTPUTS_MANY && pipe->b->outputs != OUTPUTS_MANY;
}

/* `map(F) | add` */
static bool is_sum(const struct jq_node *node)
{
	return node->kind == NODE_PIPE && node->a->action == &jq_action_map &&
	       node->b->kind == NODE_BUILTIN && node->b->count == 0 &&
	       strcmp(node->b->builtin->name, "add") == 0;
}

/* --- Heights ---------------------------------------------------------------------- */

/* These ask for their parts by jq_one(), push no cells and do not end in a call. */
static bool is_plain(const struct jq_node *node)
{
	switch (node->kind) {
	case NODE_IDENTITY:
	case NODE_CONSTANT:
	case NODE_VARIABLE:
	case NODE_FIELD:
	case NODE_DATA:
	case NODE_INDEX:
	case NODE_PIPE:
	case NODE_NEGATE:
	case NODE_BINARY:
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
	case NODE_IF:
	case NODE_SELECT:
	case NODE_OBJECT:
	case NODE_STRING:
	case NODE_FORMAT:
	case NODE_BUILTIN:
	case NODE_EMPTY:
		return node->outputs != OUTPUTS_MANY;
	default:
		return node->action == &jq_action_map;
	}
}

/* The higher of `height` and that of a part; HEIGHT_MOST where the part's is not known. */
static uint32_t higher(uint32_t height, const struct jq_node *part)
{
	uint32_t own = part && !part->height ? HEIGHT_MOST : part ? part->height : 0;
	return own > height ? own : height;
}

static uint32_t parts_height(const struct jq_node *node)
{
	if (node->action == &jq_action_map) {
		return higher(higher(0, node->a->a->a), node->a->b);
	}
	uint32_t height = higher(higher(higher(higher(0, node->a), node->b), node->c), node->d);
	for (uint32_t i = 0; i < node->count && height < HEIGHT_MOST; i++) {
		height = higher(height, node->list[i]);
	}
	return height;
}

/* From the parts to the whole, until nothing changes. */
static void heights_find(struct jq_tree *tree)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (struct jq_node *node = tree->last; node; node = node->made_before) {
			uint32_t height = node->height || !is_plain(node) ? HEIGHT_MOST : parts_height(node);
			if (height < HEIGHT_MOST) {
				node->height = (uint8_t)(height + 1);
				changed = true;
			}
		}
	}
}

bool jq_shapes_find(struct jq_tree *tree)
{
	for (struct jq_node *node = tree->last; node; node = node->made_before) {
		if (node->kind == NODE_FIELD && !fields_find(tree, node)) {
			return false;
		}
		if (is_map(node)) {
			node->action = &jq_action_map;
		}
	}
	for (struct jq_node *node = tree->last; node; node = node->made_before) {
		if (node->kind == NODE_OBJECT && !jq_record_make(tree, node)) {
			return false;
		}
		if (is_sum(node)) {
			node->action = &jq_action_sum;
		}
	}
	heights_find(tree);
	return true;
}
