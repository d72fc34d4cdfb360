/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assignments: `=`, `|=`, `+=` and the like, `del`. The paths are those that the
 * left side has in the input as it was; the values are put in one after the
 * other, each way opened so that what changes is not copied.
 */
#include "jq/evaluate.h"

struct assign {
	struct jq_sink sink, results;
	const struct jq_flow *flow;
	struct jq_value state;   /* the input as it has become */
	struct jq_value operand; /* of `=` and `op=` */
	struct jq_value deleted; /* paths whose update had no result */
	struct jq_value result;  /* of one update */
	uint64_t label;
};

static enum jq_status path_keys(struct jq_machine *machine, struct jq_value value, const struct jq_path *path,
	struct jq_value *ret_keys)
{
	if (path == &jq_path_broken) {
		jq_fail_path(machine, value);
		return jq_failed(machine);
	}
	jq_release(machine, value);
	*ret_keys = jq_path_keys(machine, path);
	return jq_is_none(*ret_keys) ? jq_failed(machine) : JQ_DONE;
}

/* Goes over the paths of the left side. */
static enum jq_status paths_each(struct jq_machine *machine, const struct jq_flow *flow, struct jq_sink *sink)
{
	return jq_each(machine, flow->node->a, flow->cells, jq_retain(flow->input), &jq_path_root, sink);
}

/* --- = and op= -------------------------------------------------------------------------- */

static struct jq_value put_in(struct jq_machine *machine, struct assign *assign, struct jq_value keys)
{
	const struct jq_node *node = assign->flow->node;
	struct jq_value operand = jq_retain(assign->operand), state = assign->state;
	assign->state = jq_simple(JQ_NULL);
	if (node->kind == NODE_ASSIGN) {
		return jq_path_set(machine, state, jq_retain(keys), operand);
	}
	struct jq_opened opened;
	if (!jq_path_open(machine, state, keys, &opened)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value made = jq_calculate(machine, node->op, opened.leaf, operand);
	return jq_is_none(made) ? made : jq_path_close(machine, keys, &opened, made);
}

static enum jq_status assign_path(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct assign *assign = (struct assign *)sink;
	struct jq_value keys;
	enum jq_status status = path_keys(machine, value, path, &keys);
	if (status != JQ_DONE) {
		return status;
	}
	machine->node = assign->flow->node;
	assign->state = put_in(machine, assign, keys);
	jq_release(machine, keys);
	return jq_is_none(assign->state) ? jq_failed(machine) : JQ_DONE;
}

/* All paths get one value of the right side. */
static enum jq_status assign_all(struct jq_machine *machine, const struct jq_flow *flow,
	struct jq_value operand, struct jq_value *ret_value)
{
	struct assign assign = {
		.sink = { assign_path }, .flow = flow, .state = jq_retain(flow->input), .operand = operand
	};
	enum jq_status status = paths_each(machine, flow, &assign.sink);
	jq_release(machine, operand);
	*ret_value = assign.state;
	return status;
}

static enum jq_status assign_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value operand;
	enum jq_status status = jq_one(machine, flow->node->b, flow->cells, jq_retain(flow->input), &operand);
	if (status != JQ_DONE) {
		return status;
	}
	status = assign_all(machine, flow, operand, ret_value);
	jq_release(machine, flow->input);
	return status;
}

static enum jq_status operand_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct assign *)sink)->flow;
	struct jq_value made;
	enum jq_status status = assign_all(machine, flow, value, &made);
	return status == JQ_DONE ? jq_emit_made(machine, flow, made) : status;
}

static enum jq_status assign_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct assign assign = { .sink = { operand_take }, .flow = flow };
	enum jq_status status = jq_each(
		machine, flow->node->b, flow->cells, jq_retain(flow->input), NULL, &assign.sink);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_assign = { assign_one, assign_each };
const struct jq_action jq_action_calculate = { assign_one, assign_each };

/* --- |= ------------------------------------------------------------------------------------- */

static enum jq_status first_result(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct assign *assign = (struct assign *)((char *)sink - offsetof(struct assign, results));
	assign->result = value;
	machine->label = assign->label;
	return JQ_BROKE;
}

/* The first result of the update; NOTHING without one. */
static enum jq_status update_value(
	struct jq_machine *machine, struct assign *assign, struct jq_value value, struct jq_value *ret_value)
{
	const struct jq_node *update = assign->flow->node->b;
	if (update->outputs != OUTPUTS_MANY) {
		return jq_one(machine, update, assign->flow->cells, value, ret_value);
	}
	assign->result = jq_simple(JQ_NONE);
	assign->label = ++machine->labels;
	uint64_t label = assign->label;
	enum jq_status status = jq_each(machine, update, assign->flow->cells, value, NULL, &assign->results);
	*ret_value = assign->result;
	if (status == JQ_BROKE && machine->label == label) {
		return JQ_DONE;
	}
	return status == JQ_DONE ? JQ_NOTHING : status;
}

/* This path goes when all are done. Consumes `keys`. */
static enum jq_status path_doom(struct jq_machine *machine, struct assign *assign, struct jq_value keys)
{
	assign->deleted = jq_is_none(assign->deleted) ? jq_array(machine, 0) : assign->deleted;
	assign->deleted = jq_array_push(machine, assign->deleted, keys);
	return jq_is_none(assign->deleted) ? jq_failed(machine) : JQ_DONE;
}

/* Where there may be nothing yet, and the update may give nothing: then nothing is made on the way. */
static enum jq_status update_absent(struct jq_machine *machine, struct assign *assign, struct jq_value keys)
{
	struct jq_value made, leaf = jq_path_get(machine, jq_retain(assign->state), jq_retain(keys));
	struct jq_opened opened;
	if (jq_is_none(leaf)) {
		return jq_failed(machine);
	}
	enum jq_status status = update_value(machine, assign, leaf, &made);
	if (status == JQ_NOTHING) {
		return path_doom(machine, assign, keys);
	}
	if (status != JQ_DONE) {
		return status;
	}
	struct jq_value state = assign->state;
	assign->state = jq_simple(JQ_NULL);
	if (!jq_path_open(machine, state, keys, &opened)) {
		return jq_failed(machine);
	}
	jq_release(machine, opened.leaf);
	assign->state = jq_path_close(machine, keys, &opened, made);
	jq_release(machine, keys);
	return jq_is_none(assign->state) ? jq_failed(machine) : JQ_DONE;
}

static enum jq_status update_path(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct assign *assign = (struct assign *)sink;
	struct jq_value keys, made;
	struct jq_opened opened;
	bool certain = assign->flow->node->b->outputs == OUTPUTS_ONE, null = value.kind == JQ_NULL;
	enum jq_status status = path_keys(machine, value, path, &keys);
	if (status != JQ_DONE) {
		return status;
	}
	if (null && !certain) {
		return update_absent(machine, assign, keys);
	}
	struct jq_value state = assign->state;
	assign->state = jq_simple(JQ_NULL);
	if (!jq_path_open(machine, state, keys, &opened)) {
		return jq_failed(machine);
	}
	struct jq_value before = certain ? jq_simple(JQ_NULL) : jq_retain(opened.leaf);
	status = update_value(machine, assign, opened.leaf, &made);
	if (status == JQ_NOTHING) {
		made = before;
		status = path_doom(machine, assign, jq_retain(keys));
	} else {
		jq_release(machine, before);
	}
	if (status != JQ_DONE) {
		return status;
	}
	assign->state = jq_path_close(machine, keys, &opened, made);
	jq_release(machine, keys);
	return jq_is_none(assign->state) ? jq_failed(machine) : JQ_DONE;
}

static enum jq_status update_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct assign assign = { .sink = { update_path },
		.results = { first_result },
		.flow = flow,
		.state = jq_retain(flow->input) };
	enum jq_status status = paths_each(machine, flow, &assign.sink);
	if (status != JQ_DONE) {
		return status;
	}
	jq_release(machine, flow->input);
	if (!jq_is_none(assign.deleted)) {
		assign.state = jq_paths_delete(machine, assign.state, assign.deleted);
	}
	return jq_return(machine, assign.state, ret_value);
}

const struct jq_action jq_action_update = { update_one, jq_each_by_one };

/* --- del -------------------------------------------------------------------------------------- */

static enum jq_status delete_path(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct assign *assign = (struct assign *)sink;
	struct jq_value keys;
	enum jq_status status = path_keys(machine, value, path, &keys);
	if (status != JQ_DONE) {
		return status;
	}
	assign->deleted = jq_array_push(machine, assign->deleted, keys);
	return jq_is_none(assign->deleted) ? jq_failed(machine) : JQ_DONE;
}

static enum jq_status delete_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct assign assign = { .sink = { delete_path }, .flow = flow, .deleted = jq_array(machine, 0) };
	enum jq_status status = jq_is_none(assign.deleted) ? JQ_ENDED
							   : paths_each(machine, flow, &assign.sink);
	if (status != JQ_DONE) {
		return status;
	}
	return jq_return(machine, jq_paths_delete(machine, flow->input, assign.deleted), ret_value);
}

const struct jq_action jq_action_delete = { delete_one, jq_each_by_one };
