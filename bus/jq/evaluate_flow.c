/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decides where evaluation goes: pipes and commas, conditions, errors and
 * their handlers, labels, loops that end by themselves.
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
	bool any;
	bool downstream; /* an error came from behind */
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

/* --- Errors ----------------------------------------------------------------------------------- */

/* `//`: an error on the left is an error, also behind results, as in jq. */
static enum jq_status alternative_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, jq_retain(flow->input), &value);
	if (status == JQ_DONE && jq_is_true(value)) {
		jq_release(machine, flow->input);
		*ret_value = value;
		return JQ_DONE;
	}
	if (status != JQ_DONE && status != JQ_NOTHING) {
		return status;
	}
	flow->node = flow->node->b;
	return JQ_TAIL;
}

/* Passes on, and notes when an error comes from behind: that is not ours to hide. */
static enum jq_status pass_take(
	struct jq_machine *machine, struct onward *onward, struct jq_value value, const struct jq_path *path)
{
	enum jq_status status = onward->flow->sink->take(machine, onward->flow->sink, value, path);
	onward->downstream |= status == JQ_RAISED;
	return status;
}

static enum jq_status alternative_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct onward *onward = (struct onward *)sink;
	if (!jq_is_true(value)) {
		return JQ_DONE;
	}
	onward->any = true;
	return onward->flow->sink->take(machine, onward->flow->sink, value, path);
}

static enum jq_status alternative_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct onward onward = { { alternative_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), flow->path, &onward.sink);
	if (status != JQ_DONE || onward.any) {
		jq_release(machine, flow->input);
		return status;
	}
	flow->node = flow->node->b;
	return JQ_TAIL;
}

const struct jq_action jq_action_alternative = { alternative_one, alternative_each };

/* The handler is next, with the error as its input. */
static enum jq_status caught(struct jq_machine *machine, struct jq_flow *flow)
{
	flow->input = machine->error;
	machine->error = jq_simple(JQ_NULL);
	flow->path = flow->path ? &jq_path_broken : NULL;
	flow->node = flow->node->b;
	if (!flow->node) {
		jq_release(machine, flow->input);
		return JQ_NOTHING;
	}
	return JQ_TAIL;
}

static enum jq_status try_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, flow->input, ret_value);
	return status == JQ_RAISED ? caught(machine, flow) : status;
}

static enum jq_status try_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	return pass_take(machine, (struct onward *)sink, value, path);
}

static enum jq_status try_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct onward onward = { { try_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, flow->path, &onward.sink);
	if (status != JQ_RAISED || onward.downstream) {
		return status;
	}
	status = caught(machine, flow);
	return status == JQ_NOTHING ? JQ_DONE : status;
}

const struct jq_action jq_action_try = { try_one, try_each };

static enum jq_status raise(struct jq_machine *machine, struct jq_value value)
{
	jq_fail_value(machine, value);
	return JQ_RAISED;
}

static enum jq_status error_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, flow->input, &value);
	return status == JQ_DONE ? raise(machine, value) : status;
}

static enum jq_status error_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	return raise(machine, value);
}

static enum jq_status error_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct onward onward = { { error_take }, flow };
	return jq_each(machine, flow->node->a, flow->cells, flow->input, NULL, &onward.sink);
}

const struct jq_action jq_action_error = { error_one, error_each };

/* --- Labels -------------------------------------------------------------------------------------- */

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

/* --- first, limit, skip, last ------------------------------------------------------------------------ */

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

/* Numbers order as all values do: a string is above, null is below them. */
static double count_of(struct jq_value count)
{
	return jq_is_number(count) ? jq_number_double(count) : count.kind > JQ_LITERAL ? 1e300 : 0;
}

static enum jq_status limit_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct counting counting = { { limit_take }, flow, .label = ++machine->labels };
	counting.left = count_of(values[0]);
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
	struct counting counting = { { skip_take }, flow, .left = count_of(values[0]) };
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

/* --- until, while, repeat ------------------------------------------------------------------------------ */

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
