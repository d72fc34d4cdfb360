/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables, arguments, calls. A call puts its arguments into cells: a value for
 * `$name`, an expression with the cells that it sees for `name`. A call at the
 * end of a function takes the place of what called it; its cells do too, where
 * no argument needs them any more.
 */
#include "jq/evaluate.h"

/* --- Variables ----------------------------------------------------------------------------- */

static enum jq_status variable_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	jq_release(machine, flow->input);
	*ret_value = jq_retain(jq_cell_at(flow->cells, flow->node->distance)->value);
	return JQ_DONE;
}

const struct jq_action jq_action_variable = { variable_one, jq_each_by_one };

static enum jq_status bind_enter(struct jq_machine *machine, struct jq_flow *flow)
{
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, jq_retain(flow->input), &value);
	if (status != JQ_DONE) {
		return status;
	}
	struct jq_cell *cell = jq_cell_push(machine, flow->cells);
	if (!cell) {
		return JQ_ENDED;
	}
	cell->value = value;
	flow->cells = cell;
	flow->node = flow->node->b;
	return JQ_TAIL;
}

static enum jq_status bind_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	return bind_enter(machine, flow);
}

struct bind {
	struct jq_sink sink;
	const struct jq_flow *flow;
};

static enum jq_status bind_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct bind *)sink)->flow;
	uint32_t mark = machine->cell_count;
	struct jq_cell *cell = jq_cell_push(machine, flow->cells);
	if (!cell) {
		return JQ_ENDED;
	}
	cell->value = value;
	enum jq_status status = jq_each(
		machine, flow->node->b, cell, jq_retain(flow->input), flow->path, flow->sink);
	jq_cells_pop(machine, mark);
	return status;
}

static enum jq_status bind_each(struct jq_machine *machine, struct jq_flow *flow)
{
	if (flow->node->a->outputs != OUTPUTS_MANY) {
		enum jq_status status = bind_enter(machine, flow);
		return status == JQ_NOTHING ? JQ_DONE : status;
	}
	struct bind bind = { { bind_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &bind.sink);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_bind = { bind_one, bind_each };

/* `?//`: one pattern after the other, until one and what follows raise no error. */
static enum jq_status destructure_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct bind *)sink)->flow;
	uint32_t mark = machine->cell_count;
	struct jq_cell *cell = jq_cell_push(machine, flow->cells);
	if (!cell) {
		return JQ_ENDED;
	}
	cell->value = value;
	enum jq_status status = JQ_RAISED;
	for (uint32_t i = 0; i < flow->node->count && status == JQ_RAISED; i++) {
		if (i > 0) {
			jq_release(machine, machine->error);
			machine->error = jq_simple(JQ_NULL);
		}
		status = jq_each(
			machine, flow->node->list[i], cell, jq_retain(flow->input), flow->path, flow->sink);
	}
	jq_cells_pop(machine, mark);
	return status;
}

static enum jq_status destructure_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct bind bind = { { destructure_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &bind.sink);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_destructure = { NULL, destructure_each };

/* --- Arguments --------------------------------------------------------------------------------- */

static enum jq_status closure_enter(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_cell *cell = jq_cell_at(flow->cells, flow->node->distance);
	flow->node = cell->node;
	flow->cells = cell->cells;
	return JQ_TAIL;
}

static enum jq_status closure_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	return closure_enter(machine, flow);
}

const struct jq_action jq_action_closure = { closure_one, closure_enter };

/* --- Calls ---------------------------------------------------------------------------------------- */

/* What an argument is: an argument that is only handed on is what it was made of. */
static struct jq_cell argument_of(const struct jq_node *node, struct jq_cell *cells)
{
	if (node->kind == NODE_CLOSURE) {
		return *jq_cell_at(cells, node->distance);
	}
	return (struct jq_cell){ .node = node, .cells = cells, .closure = true };
}

/* True when nothing of the call needs the cells above the mark. */
static bool cells_are_done(const struct jq_definition_node *definition, const struct jq_cell *arguments,
	const struct jq_cell *around, uint32_t mark)
{
	if (around && around->index >= mark) {
		return false;
	}
	for (uint32_t i = 0; i < definition->parameter_count; i++) {
		const struct jq_parameter *parameter = &definition->parameters[i];
		if ((!parameter->value || parameter->called) && arguments[i].cells &&
			arguments[i].cells->index >= mark) {
			return false;
		}
	}
	return true;
}

static struct jq_cell *argument_push(
	struct jq_machine *machine, struct jq_cell *chain, const struct jq_cell *argument)
{
	struct jq_cell *cell = jq_cell_push(machine, chain);
	if (cell) {
		cell->node = argument->node;
		cell->cells = argument->cells;
		cell->closure = true;
	}
	return cell;
}

static struct jq_cell *value_push(struct jq_machine *machine, struct jq_cell *chain, struct jq_value value)
{
	struct jq_cell *cell = jq_cell_push(machine, chain);
	if (cell) {
		cell->value = value;
	}
	return cell;
}

/*
 * Goes to the body of the definition. `values`: of the `$` parameters, by their
 * index, given over.
 */
static enum jq_status invoke_enter(
	struct jq_machine *machine, struct jq_flow *flow, const struct jq_value *values, bool reuse)
{
	const struct jq_node *node = flow->node;
	const struct jq_definition_node *definition = node->definition;
	struct jq_cell arguments[JQ_PARAMETERS];
	struct jq_cell *chain = definition->depth ? jq_cell_at(flow->cells, node->distance) : NULL;
	for (uint32_t i = 0; i < node->count; i++) {
		arguments[i] = argument_of(node->list[i], flow->cells);
	}
	if (reuse && cells_are_done(definition, arguments, chain, flow->mark)) {
		jq_cells_pop(machine, flow->mark);
	}
	for (uint32_t i = 0; i < node->count; i++) {
		const struct jq_parameter *parameter = &definition->parameters[i];
		if (!parameter->value || parameter->called) {
			chain = argument_push(machine, chain, &arguments[i]);
		}
		if (chain || !machine->limit) {
			chain = parameter->value ? value_push(machine, chain, values[i]) : chain;
		}
	}
	flow->node = definition->body;
	flow->cells = chain;
	return machine->limit ? JQ_ENDED : JQ_TAIL;
}

/* Values of the `$` parameters, one each. */
static enum jq_status values_one(
	struct jq_machine *machine, const struct jq_flow *flow, struct jq_value *values)
{
	const struct jq_node *node = flow->node;
	for (uint32_t i = 0; i < node->count; i++) {
		if (node->definition->parameters[i].value) {
			enum jq_status status = jq_one(
				machine, node->list[i], flow->cells, jq_retain(flow->input), &values[i]);
			if (status != JQ_DONE) {
				return status;
			}
		}
	}
	return JQ_DONE;
}

static enum jq_status invoke_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value values[JQ_PARAMETERS];
	enum jq_status status = values_one(machine, flow, values);
	return status == JQ_DONE ? invoke_enter(machine, flow, values, true) : status;
}

static enum jq_status invoke_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct jq_value own[JQ_PARAMETERS];
	const struct jq_node *node = flow->node;
	uint32_t n = 0, mark = machine->cell_count;
	for (uint32_t i = 0; i < node->count; i++) {
		if (node->definition->parameters[i].value) {
			own[i] = jq_retain(values[n++]);
		}
	}
	struct jq_flow body = *flow;
	enum jq_status status = invoke_enter(machine, &body, own, false);
	if (status == JQ_TAIL) {
		status = jq_each(
			machine, body.node, body.cells, jq_retain(flow->input), flow->path, flow->sink);
	}
	jq_cells_pop(machine, mark);
	return status;
}

static bool values_are_single(const struct jq_node *node)
{
	for (uint32_t i = 0; i < node->count; i++) {
		if (node->definition->parameters[i].value && node->list[i]->outputs == OUTPUTS_MANY) {
			return false;
		}
	}
	return true;
}

static enum jq_status invoke_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *node = flow->node, *operands[JQ_PARAMETERS];
	struct jq_value values[JQ_PARAMETERS];
	if (values_are_single(node)) {
		enum jq_status status = invoke_one(machine, flow, values);
		return status == JQ_NOTHING ? JQ_DONE : status;
	}
	uint32_t n = 0;
	for (uint32_t i = 0; i < node->count; i++) {
		if (node->definition->parameters[i].value) {
			operands[n++] = node->list[i];
		}
	}
	struct jq_product product = {
		.flow = flow, .operands = operands, .values = values, .n = n, .finish = invoke_finish
	};
	enum jq_status status = jq_product_run(machine, &product);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_invoke = { invoke_one, invoke_each };
