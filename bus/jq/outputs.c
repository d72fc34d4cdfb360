/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many results each expression has: one, at most one, or any number. What
 * has at most one is evaluated directly, without anything to come back to.
 *
 * Found by looking at all nodes until nothing changes, beginning with the
 * fewest: functions that call themselves, and arguments, whose number is that
 * of the worst of all calls, need no order then. An `error` counts as none.
 */
#include "jq/tree.h"

static uint8_t most(uint8_t a, uint8_t b)
{
	return a > b ? a : b;
}

static uint8_t outputs_of(const struct jq_node *node)
{
	return node ? node->outputs : OUTPUTS_ONE;
}

static uint8_t list_outputs(const struct jq_node *node)
{
	uint8_t outputs = OUTPUTS_ONE;
	for (uint32_t i = 0; i < node->count; i++) {
		outputs = most(outputs, node->list[i]->outputs);
	}
	return outputs;
}

/* Notes what is given for the parameters; counts what multiplies the call itself. */
static uint8_t invoke_outputs(const struct jq_node *node)
{
	uint8_t outputs = outputs_of(node->definition->body);
	for (uint32_t i = 0; i < node->count; i++) {
		struct jq_parameter *parameter = &node->definition->parameters[i];
		parameter->outputs = most(parameter->outputs, node->list[i]->outputs);
		if (parameter->value) {
			outputs = most(outputs, node->list[i]->outputs);
		}
	}
	return outputs;
}

/* Results as many as the parts have, and none where one has none. */
static uint8_t product_outputs(const struct jq_node *node)
{
	uint8_t outputs = most(outputs_of(node->a), outputs_of(node->b));
	outputs = most(outputs, most(outputs_of(node->c), outputs_of(node->d)));
	return most(outputs, list_outputs(node));
}

static uint8_t node_outputs(const struct jq_node *node)
{
	switch (node->kind) {
	case NODE_ITERATE:
	case NODE_COMMA:
	case NODE_FOREACH:
	case NODE_DESTRUCTURE:
	case NODE_RECURSE:
	case NODE_LIMIT:
	case NODE_SKIP:
	case NODE_WHILE:
	case NODE_REPEAT:
	case NODE_RANGE:
		return OUTPUTS_MANY;
	case NODE_FIELD:
	case NODE_INDEX:
	case NODE_SLICE:
		return most(node->optional ? OUTPUTS_MAYBE : OUTPUTS_ONE, product_outputs(node));
	case NODE_ALTERNATIVE:
		return node->a->outputs == OUTPUTS_MANY ? OUTPUTS_MANY : outputs_of(node->b);
	case NODE_TRY:
		return node->b ? most(node->a->outputs, node->b->outputs)
			       : most(OUTPUTS_MAYBE, node->a->outputs);
	case NODE_REDUCE:
		return outputs_of(node->b);
	case NODE_ARRAY:
	case NODE_LAST:
	case NODE_ISEMPTY:
	case NODE_ANY:
	case NODE_ALL:
	case NODE_SORTED:
	case NODE_ADD:
	case NODE_DELETE:
	case NODE_UPDATE:
	case NODE_CONSTANT:
	case NODE_VARIABLE:
	case NODE_IDENTITY:
		return OUTPUTS_ONE;
	case NODE_ASSIGN:
	case NODE_CALCULATE:
		return outputs_of(node->b);
	case NODE_LABEL:
	case NODE_SELECT:
	case NODE_PATH:
		return most(OUTPUTS_MAYBE, outputs_of(node->a));
	case NODE_EMPTY:
	case NODE_BREAK:
	case NODE_FIRST:
		return OUTPUTS_MAYBE;
	case NODE_CLOSURE:
		return node->parameter->outputs;
	case NODE_INVOKE:
		return invoke_outputs(node);
	case NODE_WORLD:
		return node->optional || (node->op == WORLD_DEBUG && node->a) ? OUTPUTS_MANY : OUTPUTS_MAYBE;
	default:
		return product_outputs(node);
	}
}

void jq_outputs_find(struct jq_tree *tree)
{
	bool changed = true;
	while (changed) {
		changed = false;
		for (struct jq_node *node = tree->last; node; node = node->made_before) {
			uint8_t outputs = node->kind == NODE_CALL || node->kind == NODE_DEFINE
						  ? OUTPUTS_ONE
						  : node_outputs(node);
			changed |= outputs > node->outputs;
			node->outputs = most(outputs, node->outputs);
		}
	}
}
