/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives the evaluation of a tree: counts steps and levels, calls the action of
 * a node, and goes on in place where the action ends in another node (a call at
 * the end of a function takes no stack).
 *
 * What is deep goes to a stack of its own (stack.c), so that how deep a program
 * may go is a limit of the run and not of the thread that it runs on.
 */
#include <time.h>

#include "jq/evaluate.h"

enum {
	FUEL_FIRST = 1024, /* steps before the clock is looked at: most programs take fewer */
	FUEL = 16384,      /* steps between looks at it */
	LEVELS_HERE = 48,  /* on the caller's stack */
};

const struct jq_path jq_path_root = { NULL, { .kind = JQ_NULL } };
const struct jq_path jq_path_broken = { NULL, { .kind = JQ_NULL } };

/* --- Limits ----------------------------------------------------------------------- */

struct jq_value jq_limit_reached(struct jq_machine *machine, enum jq_limit limit)
{
	if (machine->limit == JQ_LIMIT_NONE) {
		machine->limit = limit;
	}
	machine->fuel = 0;
	return jq_simple(JQ_NONE);
}

static int64_t wall_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool jq_time_left(struct jq_machine *machine)
{
	int64_t now = wall_us();
	if (!machine->deadline_us) {
		machine->deadline_us = now + machine->program->limits.time_us;
	}
	if (now > machine->deadline_us) {
		jq_limit_reached(machine, JQ_LIMIT_TIME);
	}
	return machine->limit == JQ_LIMIT_NONE;
}

static void fuel_give(struct jq_machine *machine, uint64_t most)
{
	uint64_t left = machine->program->limits.steps - machine->steps;
	uint64_t more = left < most ? left : most;
	machine->fuel += (int64_t)more;
	machine->steps += more;
}

void jq_fuel_begin(struct jq_machine *machine)
{
	machine->fuel = 0;
	machine->steps = 0;
	machine->deadline_us = 0;
	fuel_give(machine, FUEL_FIRST);
}

/* No fuel is left: is there more? */
static bool refuel(struct jq_machine *machine)
{
	if (machine->limit != JQ_LIMIT_NONE) {
		return false;
	}
	if (machine->steps >= machine->program->limits.steps) {
		jq_limit_reached(machine, JQ_LIMIT_STEPS);
		return false;
	}
	fuel_give(machine, FUEL);
	return jq_time_left(machine);
}

bool jq_spend(struct jq_machine *machine, uint64_t steps)
{
	machine->fuel -= (int64_t)(steps < INT32_MAX ? steps : INT32_MAX);
	while (machine->fuel < 0) {
		if (!refuel(machine)) {
			return false;
		}
	}
	return machine->limit == JQ_LIMIT_NONE;
}

/* --- Cells ------------------------------------------------------------------------ */

static struct jq_cell *cell_number(struct jq_machine *machine, uint32_t index)
{
	return &machine->cell_chunks[index / JQ_CELLS]->cells[index % JQ_CELLS];
}

static bool cells_grow(struct jq_machine *machine)
{
	uint32_t chunk = machine->cell_count / JQ_CELLS;
	if (chunk >= JQ_CELL_CHUNKS) {
		jq_limit_reached(machine, JQ_LIMIT_DEPTH);
		return false;
	}
	machine->cell_chunks[chunk] = jq_take(machine, sizeof(struct jq_cell_chunk));
	machine->cell_room += machine->cell_chunks[chunk] ? JQ_CELLS : 0;
	return machine->cell_chunks[chunk] != NULL;
}

struct jq_cell *jq_cell_push(struct jq_machine *machine, struct jq_cell *parent)
{
	if (machine->cell_count == machine->cell_room && !cells_grow(machine)) {
		return NULL;
	}
	struct jq_cell *cell = cell_number(machine, machine->cell_count);
	*cell = (struct jq_cell){ .parent = parent, .index = machine->cell_count++ };
	cell->value = jq_simple(JQ_NULL);
	return cell;
}

void jq_cells_pop(struct jq_machine *machine, uint32_t mark)
{
	while (machine->cell_count > mark) {
		struct jq_cell *cell = cell_number(machine, --machine->cell_count);
		if (!cell->closure) {
			jq_release(machine, cell->value);
		}
	}
}

/* --- Driving ------------------------------------------------------------------------ */

/* An expression of at most one result, for a sink. */
static enum jq_status give_one(struct jq_machine *machine, const struct jq_flow *flow)
{
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node, flow->cells, flow->input, &value);
	if (status == JQ_DONE) {
		return flow->sink->take(machine, flow->sink, value, NULL);
	}
	return status == JQ_NOTHING ? JQ_DONE : status;
}

enum jq_status jq_flow_run(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	enum jq_status status;
	do {
		machine->node = flow->node;
		if (--machine->fuel < 0 && !refuel(machine)) {
			return JQ_ENDED;
		}
		if (!flow->sink) {
			status = flow->node->action->one(machine, flow, ret_value);
		} else if (flow->node->outputs != OUTPUTS_MANY && !flow->path) {
			return give_one(machine, flow);
		} else {
			status = flow->node->action->each(machine, flow);
		}
	} while (status == JQ_TAIL);
	return status;
}

static enum jq_status drive(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	enum jq_status status;
	flow->mark = machine->cell_count;
	if (++machine->level < LEVELS_HERE || machine->on_stack) {
		status = machine->level <= machine->program->limits.depth
				 ? jq_flow_run(machine, flow, ret_value)
				 : (jq_limit_reached(machine, JQ_LIMIT_DEPTH), JQ_ENDED);
	} else {
		status = jq_deep(machine, flow, ret_value);
	}
	machine->level--;
	if (machine->cell_count > flow->mark) {
		jq_cells_pop(machine, flow->mark);
	}
	return status;
}

/* Without a level and cells of its own. */
static inline enum jq_status shallow_run(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	enum jq_status status;
	do {
		machine->node = flow->node;
		if (--machine->fuel < 0 && !refuel(machine)) {
			return JQ_ENDED;
		}
		status = flow->node->action->one(machine, flow, ret_value);
	} while (status == JQ_TAIL);
	return status;
}

static __attribute__((noinline)) enum jq_status one_run(struct jq_machine *machine,
	const struct jq_node *node, struct jq_cell *cells, struct jq_value input, struct jq_value *ret_value)
{
	switch (node->kind) {
	case NODE_IDENTITY:
		*ret_value = input;
		return JQ_DONE;
	case NODE_CONSTANT:
		jq_release(machine, input);
		*ret_value = node->value;
		return JQ_DONE;
	case NODE_VARIABLE:
		jq_release(machine, input);
		*ret_value = jq_retain(jq_cell_at(cells, node->distance)->value);
		return JQ_DONE;
	default:
		break;
	}
	struct jq_flow flow = { .node = node, .cells = cells, .input = input };
	return node->height ? shallow_run(machine, &flow, ret_value) : drive(machine, &flow, ret_value);
}

/* Paths of fields, which are most of what is asked, take the shortest way. */
enum jq_status jq_one(struct jq_machine *machine, const struct jq_node *node, struct jq_cell *cells,
	struct jq_value input, struct jq_value *ret_value)
{
	return node->kind == NODE_FIELD && node->fields
		       ? jq_fields_one(machine, node, cells, input, ret_value)
		       : one_run(machine, node, cells, input, ret_value);
}

enum jq_status jq_each(struct jq_machine *machine, const struct jq_node *node, struct jq_cell *cells,
	struct jq_value input, const struct jq_path *path, struct jq_sink *sink)
{
	if (node->kind == NODE_IDENTITY) {
		return sink->take(machine, sink, input, path);
	}
	struct jq_flow flow = { .node = node, .cells = cells, .input = input, .path = path, .sink = sink };
	return drive(machine, &flow, NULL);
}

enum jq_status jq_each_by_one(struct jq_machine *machine, struct jq_flow *flow)
{
	struct jq_value value, input = flow->input;
	enum jq_status status = flow->node->action->one(machine, flow, &value);
	if (status == JQ_TAIL) {
		status = jq_one(machine, flow->node, flow->cells, flow->input, &value);
	}
	if (status == JQ_DONE) {
		flow->input = input; /* its kind only: it may be gone */
		return jq_emit_made(machine, flow, value);
	}
	return status == JQ_NOTHING ? JQ_DONE : status;
}

/* --- Products -------------------------------------------------------------------------- */

static enum jq_status product_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct jq_product *product = (struct jq_product *)sink;
	uint32_t at = product->at;
	product->values[at] = value;
	product->at = at + 1;
	enum jq_status status = jq_product_run(machine, product);
	product->at = at;
	jq_release(machine, value);
	return status;
}

/* Values of the next operands that need no evaluation: that would take stack, but no level. */
static void product_fill(struct jq_product *product)
{
	for (; product->at < product->n; product->at++) {
		const struct jq_node *operand = product->operands[product->at];
		if (operand && operand->kind != NODE_IDENTITY) {
			break;
		}
		product->values[product->at] = operand ? jq_retain(product->flow->input) : jq_simple(JQ_NULL);
	}
}

enum jq_status jq_product_run(struct jq_machine *machine, struct jq_product *product)
{
	uint32_t from = product->at;
	enum jq_status status;
	product_fill(product);
	if (product->at == product->n) {
		status = product->finish(machine, product->flow, product->values);
	} else {
		product->sink.take = product_take;
		status = jq_each(machine, product->operands[product->at], product->flow->cells,
			jq_retain(product->flow->input), NULL, &product->sink);
	}
	while (product->at > from) {
		jq_release(machine, product->values[--product->at]);
	}
	return status;
}

/* --- Identity and constants --------------------------------------------------------------- */

static enum jq_status identity_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	*ret_value = flow->input;
	return JQ_DONE;
}

static enum jq_status identity_each(struct jq_machine *machine, struct jq_flow *flow)
{
	return jq_emit(machine, flow, flow->input, flow->path);
}

static enum jq_status constant_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	jq_release(machine, flow->input);
	*ret_value = flow->node->value;
	return JQ_DONE;
}

const struct jq_action jq_action_identity = { identity_one, identity_each };
const struct jq_action jq_action_constant = { constant_one, jq_each_by_one };

/* --- Actions ------------------------------------------------------------------------------- */

static const struct jq_action *const actions[NODE_KINDS] = {
	[NODE_IDENTITY] = &jq_action_identity,
	[NODE_CONSTANT] = &jq_action_constant,
	[NODE_FIELD] = &jq_action_field,
	[NODE_DATA] = &jq_action_data,
	[NODE_INDEX] = &jq_action_index,
	[NODE_SLICE] = &jq_action_slice,
	[NODE_ITERATE] = &jq_action_iterate,
	[NODE_PIPE] = &jq_action_pipe,
	[NODE_COMMA] = &jq_action_comma,
	[NODE_NEGATE] = &jq_action_negate,
	[NODE_BINARY] = &jq_action_binary,
	[NODE_AND] = &jq_action_and,
	[NODE_OR] = &jq_action_or,
	[NODE_ALTERNATIVE] = &jq_action_alternative,
	[NODE_IF] = &jq_action_if,
	[NODE_TRY] = &jq_action_try,
	[NODE_REDUCE] = &jq_action_reduce,
	[NODE_FOREACH] = &jq_action_foreach,
	[NODE_BIND] = &jq_action_bind,
	[NODE_DESTRUCTURE] = &jq_action_destructure,
	[NODE_VARIABLE] = &jq_action_variable,
	[NODE_CALL] = &jq_action_identity,   /* never reached: unused copies of patterns */
	[NODE_DEFINE] = &jq_action_identity, /* never reached */
	[NODE_ARRAY] = &jq_action_array,
	[NODE_OBJECT] = &jq_action_object,
	[NODE_STRING] = &jq_action_string,
	[NODE_FORMAT] = &jq_action_format,
	[NODE_ASSIGN] = &jq_action_assign,
	[NODE_UPDATE] = &jq_action_update,
	[NODE_CALCULATE] = &jq_action_calculate,
	[NODE_LABEL] = &jq_action_label,
	[NODE_BREAK] = &jq_action_break,
	[NODE_CLOSURE] = &jq_action_closure,
	[NODE_INVOKE] = &jq_action_invoke,
	[NODE_BUILTIN] = &jq_action_builtin,
	[NODE_EMPTY] = &jq_action_empty,
	[NODE_ERROR] = &jq_action_error,
	[NODE_NOT] = &jq_action_not,
	[NODE_SELECT] = &jq_action_select,
	[NODE_RECURSE] = &jq_action_recurse,
	[NODE_PATH] = &jq_action_path,
	[NODE_GETPATH] = &jq_action_getpath,
	[NODE_DELETE] = &jq_action_delete,
	[NODE_FIRST] = &jq_action_first,
	[NODE_LAST] = &jq_action_last,
	[NODE_LIMIT] = &jq_action_limit,
	[NODE_SKIP] = &jq_action_skip,
	[NODE_UNTIL] = &jq_action_until,
	[NODE_WHILE] = &jq_action_while,
	[NODE_REPEAT] = &jq_action_repeat,
	[NODE_RANGE] = &jq_action_range,
	[NODE_ANY] = &jq_action_any,
	[NODE_ALL] = &jq_action_all,
	[NODE_ISEMPTY] = &jq_action_isempty,
	[NODE_SORTED] = &jq_action_sorted,
	[NODE_ADD] = &jq_action_add,
	[NODE_WORLD] = &jq_action_world,
};

void jq_actions_set(struct jq_tree *tree)
{
	for (struct jq_node *node = tree->last; node; node = node->made_before) {
		node->action = actions[node->kind];
	}
}
