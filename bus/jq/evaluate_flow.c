/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decides where evaluation goes: pipes and commas, `if`, `select`, `and` and
 * `or`. Errors are in evaluate_error.c, what ends early in evaluate_label.c, loops
 * in evaluate_loop.c.
 */
#include "jq/evaluate.h"

/* --- Pipes and commas ------------------------------------------------------------------- */

static enum jq_status pipe_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, flow->input, &flow->input);
	flow->node = flow->node->b;
	return status == JQ_DONE ? JQ_TAIL : status;
}

/* Values that go on to another expression, with the sink behind that. */
struct onward {
	struct jq_sink sink;
	const struct jq_flow *flow;
	const struct jq_node *node;
};

static enum jq_status onward_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct onward *onward = (struct onward *)sink;
	return jq_each(machine, onward->node, onward->flow->cells, value, path, onward->flow->sink);
}

static enum jq_status pipe_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *node = flow->node;
	if (node->a->outputs != OUTPUTS_MANY && !flow->path) {
		enum jq_status status = jq_one(machine, node->a, flow->cells, flow->input, &flow->input);
		flow->node = node->b;
		return status == JQ_DONE ? JQ_TAIL : status == JQ_NOTHING ? JQ_DONE : status;
	}
	struct onward onward = { { onward_take }, flow, .node = node->b };
	return jq_each(machine, node->a, flow->cells, flow->input, flow->path, &onward.sink);
}

static enum jq_status comma_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *node = flow->node;
	enum jq_status status = jq_each(
		machine, node->a, flow->cells, jq_retain(flow->input), flow->path, flow->sink);
	flow->node = node->b;
	return status == JQ_DONE ? JQ_TAIL : status;
}

static enum jq_status empty_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	jq_release(machine, flow->input);
	return JQ_NOTHING;
}

static enum jq_status empty_each(struct jq_machine *machine, struct jq_flow *flow)
{
	jq_release(machine, flow->input);
	return JQ_DONE;
}

const struct jq_action jq_action_pipe = { pipe_one, pipe_each };
const struct jq_action jq_action_comma = { NULL, comma_each };
const struct jq_action jq_action_empty = { empty_one, empty_each };

/* --- Conditions --------------------------------------------------------------------------- */

/* True and false of the condition; what follows is in flow->node, NULL: the input itself. */
static const struct jq_node *branch(const struct jq_node *node, struct jq_value condition)
{
	return jq_is_true(condition) ? node->b : node->c;
}

static enum jq_status if_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value condition;
	enum jq_status status = jq_one(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), &condition);
	if (status != JQ_DONE) {
		return status;
	}
	flow->node = branch(flow->node, condition);
	jq_release(machine, condition);
	if (!flow->node) {
		*ret_value = flow->input;
		return JQ_DONE;
	}
	return JQ_TAIL;
}

static enum jq_status if_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct onward *)sink)->flow;
	const struct jq_node *next = branch(flow->node, value);
	jq_release(machine, value);
	if (!next) {
		return flow->sink->take(machine, flow->sink, jq_retain(flow->input), flow->path);
	}
	return jq_each(machine, next, flow->cells, jq_retain(flow->input), flow->path, flow->sink);
}

static enum jq_status if_each(struct jq_machine *machine, struct jq_flow *flow)
{
	if (flow->node->a->outputs == OUTPUTS_MANY) {
		struct onward onward = { { if_take }, flow };
		return jq_each(
			machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &onward.sink);
	}
	struct jq_value ignored;
	enum jq_status status = if_one(machine, flow, &ignored);
	if (status == JQ_DONE) {
		return jq_emit(machine, flow, flow->input, flow->path);
	}
	return status == JQ_NOTHING ? JQ_DONE : status;
}

const struct jq_action jq_action_if = { if_one, if_each };

static enum jq_status select_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value condition;
	enum jq_status status = jq_one(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), &condition);
	if (status != JQ_DONE) {
		return status;
	}
	bool truth = jq_is_true(condition);
	jq_release(machine, condition);
	if (!truth) {
		jq_release(machine, flow->input);
		return JQ_NOTHING;
	}
	*ret_value = flow->input;
	return JQ_DONE;
}

static enum jq_status select_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct onward *)sink)->flow;
	bool truth = jq_is_true(value);
	jq_release(machine, value);
	return truth ? flow->sink->take(machine, flow->sink, jq_retain(flow->input), flow->path) : JQ_DONE;
}

static enum jq_status select_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct onward onward = { { select_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &onward.sink);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_select = { select_one, select_each };

/* `and` and `or`: the left decides where it can. */
static enum jq_status junction_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	bool is_and = flow->node->kind == NODE_AND;
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, jq_retain(flow->input), &value);
	if (status == JQ_DONE && jq_is_true(value) == is_and) {
		jq_release(machine, value);
		status = jq_one(machine, flow->node->b, flow->cells, flow->input, &value);
	} else {
		jq_release(machine, flow->input);
	}
	if (status == JQ_DONE) {
		*ret_value = jq_bool(jq_is_true(value));
		jq_release(machine, value);
	}
	return status;
}

static enum jq_status truth_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct onward *)sink)->flow;
	bool truth = jq_is_true(value);
	jq_release(machine, value);
	return jq_emit_made(machine, flow, jq_bool(truth));
}

static enum jq_status junction_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct onward *)sink)->flow;
	bool truth = jq_is_true(value);
	jq_release(machine, value);
	if (truth != (flow->node->kind == NODE_AND)) {
		return jq_emit_made(machine, flow, jq_bool(truth));
	}
	struct onward onward = { { truth_take }, flow };
	return jq_each(machine, flow->node->b, flow->cells, jq_retain(flow->input), NULL, &onward.sink);
}

static enum jq_status junction_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct onward onward = { { junction_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &onward.sink);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_and = { junction_one, junction_each };
const struct jq_action jq_action_or = { junction_one, junction_each };
