/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops that end by themselves or never: `until`, `while`, `repeat`.
 */
#include "jq/evaluate.h"

/* Truth of a condition of one result. */
static enum jq_status condition_one(
	struct jq_machine *machine, const struct jq_flow *flow, struct jq_value input, bool *ret_truth)
{
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, jq_retain(input), &value);
	if (status == JQ_DONE) {
		*ret_truth = jq_is_true(value);
		jq_release(machine, value);
	}
	return status;
}

static enum jq_status until_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value value = flow->input;
	bool truth = false;
	enum jq_status status = condition_one(machine, flow, value, &truth);
	while (status == JQ_DONE && !truth) {
		status = jq_one(machine, flow->node->b, flow->cells, value, &value);
		status = status == JQ_DONE ? condition_one(machine, flow, value, &truth) : status;
	}
	*ret_value = value;
	return status;
}

/* The value of one round, and what its condition and step do with it. */
struct turn {
	struct jq_sink sink, next;
	const struct jq_flow *flow;
	struct jq_value value;
	const struct jq_path *path;
};

static enum jq_status turn_run(struct jq_machine *machine, const struct jq_flow *flow, struct jq_value value,
	const struct jq_path *path);

static enum jq_status turn_next(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct turn *turn = (struct turn *)((char *)sink - offsetof(struct turn, next));
	return turn_run(machine, turn->flow, value, path);
}

static enum jq_status turn_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct turn *turn = (struct turn *)sink;
	const struct jq_flow *flow = turn->flow;
	bool truth = jq_is_true(value), until = flow->node->kind == NODE_UNTIL;
	jq_release(machine, value);
	if (truth || !until) {
		enum jq_status status = truth ? flow->sink->take(machine, flow->sink, jq_retain(turn->value),
							turn->path)
					      : JQ_DONE;
		if (status != JQ_DONE || until || !truth) {
			return status;
		}
	}
	return jq_each(machine, flow->node->b, flow->cells, jq_retain(turn->value), turn->path, &turn->next);
}

static enum jq_status turn_run(struct jq_machine *machine, const struct jq_flow *flow, struct jq_value value,
	const struct jq_path *path)
{
	struct turn turn = { { turn_take }, { turn_next }, flow, value, path };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(value), NULL, &turn.sink);
	jq_release(machine, value);
	return status;
}

static enum jq_status while_loop(struct jq_machine *machine, struct jq_flow *flow)
{
	struct jq_value value = flow->input;
	bool truth = false;
	enum jq_status status = condition_one(machine, flow, value, &truth);
	while (status == JQ_DONE && truth) {
		status = flow->sink->take(machine, flow->sink, jq_retain(value), NULL);
		status = status == JQ_DONE ? jq_one(machine, flow->node->b, flow->cells, value, &value)
					   : status;
		status = status == JQ_DONE ? condition_one(machine, flow, value, &truth) : status;
	}
	return status == JQ_NOTHING ? JQ_DONE : status;
}

static enum jq_status turns_each(struct jq_machine *machine, struct jq_flow *flow)
{
	bool single = flow->node->a->outputs != OUTPUTS_MANY && flow->node->b->outputs != OUTPUTS_MANY;
	if (single && !flow->path && flow->node->kind == NODE_WHILE) {
		return while_loop(machine, flow);
	}
	return turn_run(machine, flow, flow->input, flow->path);
}

const struct jq_action jq_action_until = { until_one, turns_each };
const struct jq_action jq_action_while = { NULL, turns_each };

static enum jq_status repeat_each(struct jq_machine *machine, struct jq_flow *flow)
{
	enum jq_status status = JQ_DONE;
	while (status == JQ_DONE) {
		status = jq_spend(machine, 1) ? jq_each(machine, flow->node->a, flow->cells,
							jq_retain(flow->input), flow->path, flow->sink)
					      : JQ_ENDED;
	}
	return status;
}

const struct jq_action jq_action_repeat = { NULL, repeat_each };
