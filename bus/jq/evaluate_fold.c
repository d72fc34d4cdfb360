/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions that go over what another gives and keep something: reduce,
 * foreach, any, all, add, and sorting by a key.
 *
 * The state of a fold is given over to its update, so that an array or a string
 * that grows has one reference and grows in place.
 */
#include "jq/evaluate.h"

/* --- reduce and foreach ------------------------------------------------------------------ */

struct fold {
	struct jq_sink sink, update; /* of what is gone over; of the update's results */
	const struct jq_flow *flow;
	struct jq_cell *cells; /* with the variable, during an update */
	struct jq_value state;
	const struct jq_path *path; /* of the state */
};

static enum jq_status state_take(
	struct jq_machine *machine, struct fold *fold, struct jq_value value, const struct jq_path *path)
{
	jq_release(machine, fold->state);
	fold->state = value;
	fold->path = path ? jq_path_keep(machine, path) : NULL;
	return path && !fold->path ? JQ_ENDED : JQ_DONE;
}

static enum jq_status reduce_update(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	return state_take(
		machine, (struct fold *)((char *)sink - offsetof(struct fold, update)), value, path);
}

static enum jq_status foreach_update(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct fold *fold = (struct fold *)((char *)sink - offsetof(struct fold, update));
	const struct jq_flow *flow = fold->flow;
	enum jq_status status = state_take(machine, fold, jq_retain(value), path);
	if (status != JQ_DONE) {
		return status;
	}
	return flow->node->d ? jq_each(machine, flow->node->d, fold->cells, value, path, flow->sink)
			     : flow->sink->take(machine, flow->sink, value, path);
}

/* One value of what is gone over: updates the state. */
static enum jq_status fold_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct fold *fold = (struct fold *)sink;
	const struct jq_node *update = fold->flow->node->c;
	uint32_t mark = machine->cell_count;
	struct jq_cell *cell = jq_cell_push(machine, fold->flow->cells), *cells = fold->cells;
	if (!cell) {
		return JQ_ENDED;
	}
	cell->value = value;
	fold->cells = cell;
	struct jq_value state = fold->state;
	enum jq_status status;
	fold->state = jq_simple(JQ_NULL); /* without a result it becomes null */
	if (fold->flow->node->kind == NODE_REDUCE && update->outputs != OUTPUTS_MANY && !fold->path) {
		status = jq_one(machine, update, cell, state, &fold->state);
		if (status == JQ_NOTHING) {
			fold->state = jq_simple(JQ_NULL);
			status = JQ_DONE;
		}
	} else {
		status = jq_each(machine, update, cell, state, fold->path, &fold->update);
	}
	fold->cells = cells;
	jq_cells_pop(machine, mark);
	return status;
}

static void fold_begin(
	struct fold *fold, const struct jq_flow *flow, struct jq_value state, const struct jq_path *path)
{
	*fold = (struct fold){ .sink = { fold_take }, .flow = flow, .state = state, .path = path };
	fold->update.take = flow->node->kind == NODE_REDUCE ? reduce_update : foreach_update;
}

static enum jq_status reduce_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value state;
	struct fold fold;
	enum jq_status status = jq_one(machine, flow->node->b, flow->cells, jq_retain(flow->input), &state);
	if (status != JQ_DONE) {
		return status;
	}
	fold_begin(&fold, flow, state, NULL);
	status = jq_each(machine, flow->node->a, flow->cells, flow->input, NULL, &fold.sink);
	*ret_value = fold.state;
	return status;
}

/* For each beginning state one fold. */
struct begin {
	struct jq_sink sink;
	const struct jq_flow *flow;
};

static enum jq_status begin_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct begin *)sink)->flow;
	struct fold fold;
	path = path ? jq_path_keep(machine, path) : NULL;
	fold_begin(&fold, flow, value, path);
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &fold.sink);
	if (status == JQ_DONE && flow->node->kind == NODE_REDUCE) {
		return jq_emit(machine, flow, fold.state, fold.path);
	}
	jq_release(machine, fold.state);
	return status;
}

static enum jq_status fold_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct begin begin = { { begin_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->b, flow->cells, jq_retain(flow->input), flow->path, &begin.sink);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_reduce = { reduce_one, fold_each };
const struct jq_action jq_action_foreach = { NULL, fold_each };

/* --- any, all, isempty ------------------------------------------------------------------------ */

struct quantifier {
	struct jq_sink sink, condition;
	const struct jq_flow *flow;
	bool wanted; /* what ends it */
	bool found;
	uint64_t label;
};

static enum jq_status quantifier_truth(
	struct jq_machine *machine, struct quantifier *quantifier, struct jq_value value)
{
	bool truth = jq_is_true(value);
	jq_release(machine, value);
	if (truth != quantifier->wanted) {
		return JQ_DONE;
	}
	quantifier->found = true;
	machine->label = quantifier->label;
	return JQ_BROKE;
}

static enum jq_status condition_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	return quantifier_truth(
		machine, (struct quantifier *)((char *)sink - offsetof(struct quantifier, condition)), value);
}

static enum jq_status quantifier_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct quantifier *quantifier = (struct quantifier *)sink;
	const struct jq_flow *flow = quantifier->flow;
	if (flow->node->kind == NODE_ISEMPTY) {
		return quantifier_truth(machine, quantifier, (jq_release(machine, value), jq_bool(true)));
	}
	if (flow->node->b->outputs == OUTPUTS_MANY) {
		return jq_each(machine, flow->node->b, flow->cells, value, NULL, &quantifier->condition);
	}
	enum jq_status status = jq_one(machine, flow->node->b, flow->cells, value, &value);
	if (status == JQ_DONE) {
		return quantifier_truth(machine, quantifier, value);
	}
	return status == JQ_NOTHING ? JQ_DONE : status;
}

static enum jq_status quantifier_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct quantifier quantifier = { .sink = { quantifier_take },
		.condition = { condition_take },
		.flow = flow,
		.wanted = flow->node->kind != NODE_ALL,
		.label = ++machine->labels };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, NULL, &quantifier.sink);
	if (status == JQ_BROKE && machine->label == quantifier.label) {
		status = JQ_DONE;
	}
	*ret_value = jq_bool(flow->node->kind == NODE_ANY ? quantifier.found : !quantifier.found);
	return status;
}

const struct jq_action jq_action_any = { quantifier_one, jq_each_by_one };
const struct jq_action jq_action_all = { quantifier_one, jq_each_by_one };
const struct jq_action jq_action_isempty = { quantifier_one, jq_each_by_one };

/* --- add(f) --------------------------------------------------------------------------------------- */

struct sum {
	struct jq_sink sink;
	struct jq_value value;
};

static enum jq_status sum_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct sum *sum = (struct sum *)sink;
	sum->value = jq_calculate(machine, OPERATOR_ADD, sum->value, value);
	return jq_is_none(sum->value) ? jq_failed(machine) : JQ_DONE;
}

static enum jq_status add_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct sum sum = { { sum_take }, jq_simple(JQ_NULL) };
	enum jq_status status = jq_each(machine, flow->node->a, flow->cells, flow->input, NULL, &sum.sink);
	*ret_value = sum.value;
	return status;
}

const struct jq_action jq_action_add = { add_one, jq_each_by_one };

/* --- sort_by and its family -------------------------------------------------------------------------- */

struct keys {
	struct jq_sink sink;
	struct jq_value array;
};

static enum jq_status keys_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct keys *keys = (struct keys *)sink;
	keys->array = jq_array_push(machine, keys->array, value);
	return jq_is_none(keys->array) ? jq_failed(machine) : JQ_DONE;
}

/* The key of an element: what the expression gives; NONE for nothing, an array where there may be several. */
static enum jq_status key_find(struct jq_machine *machine, const struct jq_flow *flow, struct jq_value item,
	struct jq_value *ret_key)
{
	const struct jq_node *expression = flow->node->a;
	*ret_key = jq_simple(JQ_NONE);
	if (expression->outputs != OUTPUTS_MANY) {
		enum jq_status status = jq_one(machine, expression, flow->cells, item, ret_key);
		return status == JQ_NOTHING ? JQ_DONE : status;
	}
	struct keys keys = { { keys_take }, jq_array(machine, 0) };
	enum jq_status status = jq_is_none(keys.array)
					? JQ_ENDED
					: jq_each(machine, expression, flow->cells, item, NULL, &keys.sink);
	*ret_key = keys.array;
	return status;
}

static enum jq_status keyed_read(
	struct jq_machine *machine, const struct jq_flow *flow, struct jq_value array, struct jq_keyed *items)
{
	struct jq_walk walk = jq_walk_over(machine, array);
	enum jq_status status = JQ_DONE;
	for (uint32_t i = 0; status == JQ_DONE && jq_walk_next(&walk); i++) {
		items[i] = (struct jq_keyed){ .item = jq_retain(walk.value), .index = i };
		status = key_find(machine, flow, jq_retain(walk.value), &items[i].key);
	}
	return status;
}

/* As jq has it: first the elements are gone over. */
static struct jq_value not_sortable(struct jq_machine *machine, struct jq_value value)
{
	if (jq_is_object(value)) {
		return jq_fail_type(machine, value, "cannot be sorted, as it is not an array");
	}
	return jq_fail_iterate(machine, value);
}

static enum jq_status sorted_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value array = flow->input;
	if (!jq_is_array(array)) {
		machine->node = flow->node;
		return jq_return(machine, not_sortable(machine, array), ret_value);
	}
	size_t n = jq_count(machine, array);
	struct jq_keyed *items = jq_take(machine, (n + 1) * sizeof(*items));
	enum jq_status status = items ? keyed_read(machine, flow, array, items) : JQ_ENDED;
	if (status == JQ_DONE && !jq_keyed_sort(machine, items, n)) {
		status = JQ_ENDED;
	}
	if (status != JQ_DONE) {
		return status;
	}
	jq_release(machine, array);
	struct jq_value made = jq_keyed_give(machine, flow->node->op, items, n);
	jq_give(machine, items, (n + 1) * sizeof(*items));
	return jq_return(machine, made, ret_value);
}

const struct jq_action jq_action_sorted = { sorted_one, jq_each_by_one };
