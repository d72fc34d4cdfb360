/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ends before it is at its end: `label` and `break`, and `first`, `limit`,
 * `skip` and `last`, which count results. They end by a break to a label of their
 * own, which no program can name.
 */
#include "jq/evaluate.h"

/* --- Labels ------------------------------------------------------------------------------- */

static enum jq_status label_enter(struct jq_machine *machine, struct jq_flow *flow)
{
	struct jq_cell *cell = jq_cell_push(machine, flow->cells);
	if (!cell) {
		return JQ_ENDED;
	}
	cell->value = jq_int((int64_t)++machine->labels);
	flow->cells = cell;
	return JQ_DONE;
}

/* True when the break was to the label of this cell. */
static bool broke_here(const struct jq_machine *machine, enum jq_status status, int64_t label)
{
	return status == JQ_BROKE && machine->label == (uint64_t)label;
}

static enum jq_status label_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	enum jq_status status = label_enter(machine, flow);
	if (status != JQ_DONE) {
		return status;
	}
	int64_t label = flow->cells->value.integer;
	status = jq_one(machine, flow->node->a, flow->cells, flow->input, ret_value);
	return broke_here(machine, status, label) ? JQ_NOTHING : status;
}

static enum jq_status label_each(struct jq_machine *machine, struct jq_flow *flow)
{
	enum jq_status status = label_enter(machine, flow);
	if (status != JQ_DONE) {
		return status;
	}
	int64_t label = flow->cells->value.integer;
	status = jq_each(machine, flow->node->a, flow->cells, flow->input, flow->path, flow->sink);
	return broke_here(machine, status, label) ? JQ_DONE : status;
}

static enum jq_status break_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	jq_release(machine, flow->input);
	machine->label = (uint64_t)jq_cell_at(flow->cells, flow->node->distance)->value.integer;
	return JQ_BROKE;
}

const struct jq_action jq_action_label = { label_one, label_each };
const struct jq_action jq_action_break = { break_one, jq_each_by_one };

/* --- first, limit, skip, last ---------------------------------------------------------------- */

struct counting {
	struct jq_sink sink;
	const struct jq_flow *flow;
	struct jq_value kept;
	const struct jq_path *path;
	double left;
	uint64_t label;
};

static enum jq_status stop(struct jq_machine *machine, const struct counting *counting)
{
	machine->label = counting->label;
	return JQ_BROKE;
}

static enum jq_status stopped(
	const struct jq_machine *machine, enum jq_status status, const struct counting *counting)
{
	return broke_here(machine, status, (int64_t)counting->label) ? JQ_DONE : status;
}

static enum jq_status first_keep(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct counting *counting = (struct counting *)sink;
	counting->kept = value;
	return stop(machine, counting);
}

static enum jq_status first_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	if (flow->node->a->outputs != OUTPUTS_MANY) {
		flow->node = flow->node->a;
		return JQ_TAIL;
	}
	struct counting counting = { { first_keep }, flow, .label = ++machine->labels };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, NULL, &counting.sink);
	status = stopped(machine, status, &counting);
	*ret_value = counting.kept;
	return status == JQ_DONE && jq_is_none(counting.kept) ? JQ_NOTHING : status;
}

static enum jq_status first_give(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct counting *counting = (struct counting *)sink;
	enum jq_status status = counting->flow->sink->take(machine, counting->flow->sink, value, path);
	return status == JQ_DONE ? stop(machine, counting) : status;
}

static enum jq_status first_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct counting counting = { { first_give }, flow, .label = ++machine->labels };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, flow->path, &counting.sink);
	return stopped(machine, status, &counting);
}

const struct jq_action jq_action_first = { first_one, first_each };

static enum jq_status limit_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct counting *counting = (struct counting *)sink;
	counting->left -= 1;
	enum jq_status status = counting->flow->sink->take(machine, counting->flow->sink, value, path);
	return status == JQ_DONE && counting->left <= 0 ? stop(machine, counting) : status;
}

/* Null, true and false are nothing that a count reaches, as in jq 1.7. */
static double count_of(struct jq_value count, double otherwise)
{
	return jq_is_number(count) ? jq_number_double(count) : otherwise;
}

static enum jq_status limit_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct counting counting = { { limit_take }, flow, .label = ++machine->labels };
	if (values[0].kind > JQ_LITERAL) {
		jq_fail_types(machine, values[0], jq_int(1), "cannot be subtracted");
		return JQ_RAISED;
	}
	counting.left = count_of(values[0], -1);
	if (counting.left == 0) {
		return JQ_DONE;
	}
	struct jq_sink *sink = counting.left < 0 ? flow->sink : &counting.sink;
	enum jq_status status = jq_each(
		machine, flow->node->b, flow->cells, jq_retain(flow->input), flow->path, sink);
	return stopped(machine, status, &counting);
}

static enum jq_status skip_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct counting *counting = (struct counting *)sink;
	counting->left -= 1;
	if (counting->left >= 0) {
		jq_release(machine, value);
		return JQ_DONE;
	}
	return counting->flow->sink->take(machine, counting->flow->sink, value, path);
}

static enum jq_status skip_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct counting counting = { { skip_take }, flow,
		.left = count_of(values[0], values[0].kind > JQ_LITERAL ? 1e300 : 0) };
	if (counting.left < 0) {
		jq_fail(machine, "skip doesn't support negative count");
		return JQ_RAISED;
	}
	return jq_each(
		machine, flow->node->b, flow->cells, jq_retain(flow->input), flow->path, &counting.sink);
}

static enum jq_status counted_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *operands[1] = { flow->node->a };
	struct jq_value values[1];
	struct jq_product product = { .flow = flow,
		.operands = operands,
		.values = values,
		.n = 1,
		.finish = flow->node->kind == NODE_LIMIT ? limit_finish : skip_finish };
	enum jq_status status = jq_product_run(machine, &product);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_limit = { NULL, counted_each };
const struct jq_action jq_action_skip = { NULL, counted_each };

static enum jq_status last_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct counting *counting = (struct counting *)sink;
	jq_release(machine, counting->kept);
	counting->kept = value;
	counting->path = path ? jq_path_keep(machine, path) : NULL;
	return path && !counting->path ? JQ_ENDED : JQ_DONE;
}

static enum jq_status last_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct counting counting = { { last_take }, flow, .kept = jq_simple(JQ_NULL) };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, NULL, &counting.sink);
	*ret_value = counting.kept;
	return status;
}

static enum jq_status last_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct counting counting = { { last_take }, flow, .kept = jq_simple(JQ_NULL) };
	counting.path = flow->path ? &jq_path_broken : NULL;
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, flow->path, &counting.sink);
	return status == JQ_DONE ? jq_emit(machine, flow, counting.kept, counting.path) : status;
}

const struct jq_action jq_action_last = { last_one, last_each };
