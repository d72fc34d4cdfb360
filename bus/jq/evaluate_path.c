/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions that go from a value to what stands in it: fields, indices,
 * slices, `.[]`, `recurse`; and `path(...)`, which asks for the way.
 */
#include "jq/evaluate.h"
#include "jq/write.h"

/* --- Errors of paths ----------------------------------------------------------------- */

static bool path_is_broken(const struct jq_path *path)
{
	return path == &jq_path_broken;
}

static enum jq_status broken_access(struct jq_machine *machine, struct jq_value value, struct jq_value key)
{
	char shown[30], shown_key[15];
	jq_value_cut(machine, value, sizeof(shown), shown);
	jq_value_cut(machine, key, sizeof(shown_key), shown_key);
	jq_fail(machine, "Invalid path expression near attempt to access element %s of %s", shown_key, shown);
	return jq_failed(machine);
}

static enum jq_status broken_iterate(struct jq_machine *machine, struct jq_value value)
{
	char shown[30];
	jq_value_cut(machine, value, sizeof(shown), shown);
	jq_fail(machine, "Invalid path expression near attempt to iterate through %s", shown);
	return jq_failed(machine);
}

/* An error at a part of a path with `?` behind it is none. */
static enum jq_status forgive(struct jq_machine *machine, const struct jq_node *node, enum jq_status status)
{
	if (status == JQ_RAISED && node->optional) {
		jq_release(machine, machine->error);
		machine->error = jq_simple(JQ_NULL);
		return JQ_NOTHING;
	}
	return status;
}

static enum jq_status one_or_forgiven(struct jq_machine *machine, const struct jq_node *node,
	struct jq_value value, struct jq_value *ret_value)
{
	*ret_value = value;
	return jq_is_none(value) ? forgive(machine, node, jq_failed(machine)) : JQ_DONE;
}

enum jq_status jq_field_of(struct jq_machine *machine, const struct jq_node *node, struct jq_value value,
	struct jq_value *ret_value)
{
	machine->node = node;
	return one_or_forgiven(machine, node, jq_get_field(machine, value, node->value), ret_value);
}

/* Gives what was found at a key on. */
static enum jq_status give_found(struct jq_machine *machine, const struct jq_flow *flow,
	struct jq_value found, struct jq_value key, const struct jq_path *path)
{
	if (jq_is_none(found)) {
		enum jq_status status = forgive(machine, flow->node, jq_failed(machine));
		return status == JQ_NOTHING ? JQ_DONE : status;
	}
	if (!path) {
		return flow->sink->take(machine, flow->sink, found, NULL);
	}
	struct jq_path step = { path, key };
	return flow->sink->take(machine, flow->sink, found, &step);
}

/* --- Fields ----------------------------------------------------------------------------- */

static enum jq_status field_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	if (flow->node->fields) {
		return jq_fields_one(machine, flow->node, flow->cells, flow->input, ret_value);
	}
	struct jq_value value;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, flow->input, &value);
	return status == JQ_DONE ? jq_field_of(machine, flow->node, value, ret_value) : status;
}

/* What a part of a path does with each value that it is asked of. */
struct part {
	struct jq_sink sink;
	const struct jq_flow *flow;
	struct jq_value key;      /* of an index */
	struct jq_value from, to; /* of a slice */
};

static enum jq_status field_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct part *)sink)->flow;
	if (path_is_broken(path)) {
		return broken_access(machine, value, flow->node->value);
	}
	struct jq_value found = jq_get_field(machine, value, flow->node->value);
	return give_found(machine, flow, found, flow->node->value, path);
}

static enum jq_status field_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct part part = { { field_take }, flow };
	return jq_each(machine, flow->node->a, flow->cells, flow->input, flow->path, &part.sink);
}

const struct jq_action jq_action_field = { field_one, field_each };

/* --- Indices ----------------------------------------------------------------------------- */

static enum jq_status index_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value key, value;
	enum jq_status status = jq_one(machine, flow->node->b, flow->cells, jq_retain(flow->input), &key);
	if (status != JQ_DONE) {
		return status;
	}
	status = jq_one(machine, flow->node->a, flow->cells, flow->input, &value);
	if (status == JQ_DONE) {
		status = one_or_forgiven(machine, flow->node, jq_get(machine, value, key), ret_value);
	}
	jq_release(machine, key);
	return status;
}

static enum jq_status index_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct part *part = (struct part *)sink;
	if (path_is_broken(path)) {
		return broken_access(machine, value, part->key);
	}
	return give_found(machine, part->flow, jq_get(machine, value, part->key), part->key, path);
}

static enum jq_status index_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct part part = { { index_take }, flow, .key = values[0] };
	return jq_each(machine, flow->node->a, flow->cells, jq_retain(flow->input), flow->path, &part.sink);
}

static enum jq_status index_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *operands[1] = { flow->node->b };
	struct jq_value values[1];
	struct jq_product product = {
		.flow = flow, .operands = operands, .values = values, .n = 1, .finish = index_finish
	};
	enum jq_status status = jq_product_run(machine, &product);
	jq_release(machine, flow->input);
	return status;
}

const struct jq_action jq_action_index = { index_one, index_each };

/* --- Slices ------------------------------------------------------------------------------ */

static enum jq_status slice_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct part *part = (struct part *)sink;
	struct jq_value key = path ? jq_slice_key(machine, part->from, part->to) : jq_simple(JQ_NULL);
	if (jq_is_none(key)) {
		return jq_failed(machine);
	}
	if (path_is_broken(path)) {
		return broken_access(machine, value, key);
	}
	struct jq_value found = jq_get_slice(machine, value, part->from, part->to);
	enum jq_status status = give_found(machine, part->flow, found, key, path);
	jq_release(machine, key);
	return status;
}

static enum jq_status slice_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct part part = { { slice_take }, flow, .from = values[0], .to = values[1] };
	return jq_each(machine, flow->node->a, flow->cells, jq_retain(flow->input), flow->path, &part.sink);
}

static enum jq_status slice_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *operands[2] = { flow->node->b, flow->node->c };
	struct jq_value values[2];
	struct jq_product product = {
		.flow = flow, .operands = operands, .values = values, .n = 2, .finish = slice_finish
	};
	enum jq_status status = jq_product_run(machine, &product);
	jq_release(machine, flow->input);
	return status;
}

/* Keeps the last value it is given: for what has at most one result. */
struct keep {
	struct jq_sink sink;
	struct jq_value value;
};

static enum jq_status keep_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct keep *keep = (struct keep *)sink;
	jq_release(machine, keep->value);
	keep->value = value;
	return JQ_DONE;
}

static enum jq_status one_by_each(struct jq_machine *machine, struct jq_flow *flow,
	struct jq_value *ret_value, enum jq_status (*each)(struct jq_machine *machine, struct jq_flow *flow))
{
	struct keep keep = { { keep_take }, jq_simple(JQ_NONE) };
	flow->sink = &keep.sink;
	enum jq_status status = each(machine, flow);
	flow->sink = NULL;
	*ret_value = keep.value;
	return status == JQ_DONE && jq_is_none(keep.value) ? JQ_NOTHING : status;
}

static enum jq_status slice_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	return one_by_each(machine, flow, ret_value, slice_each);
}

const struct jq_action jq_action_slice = { slice_one, slice_each };

/* --- Iteration ------------------------------------------------------------------------------ */

struct jq_value jq_fail_iterate(struct jq_machine *machine, struct jq_value value)
{
	char shown[15];
	jq_value_cut(machine, value, sizeof(shown), shown);
	return jq_fail(machine, "Cannot iterate over %s (%s)", jq_type_name(value), shown);
}

enum jq_status jq_not_iterable(struct jq_machine *machine, const struct jq_node *node, struct jq_value value)
{
	if (node->optional) {
		jq_release(machine, value);
		return JQ_DONE;
	}
	jq_fail_iterate(machine, value);
	return jq_failed(machine);
}

static enum jq_status iterate_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct part *)sink)->flow;
	if (path_is_broken(path)) {
		return broken_iterate(machine, value);
	}
	if (value.kind < JQ_ARRAY) {
		return jq_not_iterable(machine, flow->node, value);
	}
	struct jq_walk walk = jq_walk_over(machine, value);
	enum jq_status status = JQ_DONE;
	while (status == JQ_DONE && jq_walk_next(&walk)) {
		if (path) {
			struct jq_path step = { path, walk.key };
			status = flow->sink->take(machine, flow->sink, jq_retain(walk.value), &step);
		} else {
			status = flow->sink->take(machine, flow->sink, jq_retain(walk.value), NULL);
		}
		if (status == JQ_DONE && --machine->fuel < 0 && !jq_spend(machine, 0)) {
			status = JQ_ENDED;
		}
	}
	jq_release(machine, value);
	return status == JQ_DONE && machine->limit ? JQ_ENDED : status;
}

static enum jq_status iterate_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct part part = { { iterate_take }, flow };
	return jq_each(machine, flow->node->a, flow->cells, flow->input, flow->path, &part.sink);
}

const struct jq_action jq_action_iterate = { NULL, iterate_each };

/* --- recurse ------------------------------------------------------------------------------- */

static enum jq_status recurse_from(struct jq_machine *machine, const struct jq_flow *flow,
	struct jq_value value, const struct jq_path *path);

static enum jq_status recurse_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	return recurse_from(machine, ((struct part *)sink)->flow, value, path);
}

static enum jq_status recurse_from(struct jq_machine *machine, const struct jq_flow *flow,
	struct jq_value value, const struct jq_path *path)
{
	const struct jq_node *next = flow->node->a;
	bool loop = next->outputs != OUTPUTS_MANY && !path;
	for (;;) {
		enum jq_status status = flow->sink->take(machine, flow->sink, jq_retain(value), path);
		if (status != JQ_DONE) {
			return status;
		}
		if (!loop) {
			break;
		}
		status = jq_one(machine, next, flow->cells, value, &value);
		if (status != JQ_DONE) {
			return status == JQ_NOTHING ? JQ_DONE : status;
		}
	}
	struct part part = { { recurse_take }, flow };
	return jq_each(machine, next, flow->cells, value, path, &part.sink);
}

static enum jq_status recurse_each(struct jq_machine *machine, struct jq_flow *flow)
{
	return recurse_from(machine, flow, flow->input, flow->path);
}

const struct jq_action jq_action_recurse = { NULL, recurse_each };

/* --- path and getpath ------------------------------------------------------------------------ */

struct jq_value jq_fail_path(struct jq_machine *machine, struct jq_value value)
{
	char shown[30];
	jq_value_cut(machine, value, sizeof(shown), shown);
	return jq_fail(machine, "Invalid path expression with result %s", shown);
}

static enum jq_status path_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	const struct jq_flow *flow = ((struct part *)sink)->flow;
	if (path_is_broken(path)) {
		jq_fail_path(machine, value);
		return jq_failed(machine);
	}
	jq_release(machine, value);
	return jq_emit_made(machine, flow, jq_path_keys(machine, path));
}

static enum jq_status path_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct part part = { { path_take }, flow };
	return jq_each(machine, flow->node->a, flow->cells, flow->input, &jq_path_root, &part.sink);
}

static enum jq_status path_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	return one_by_each(machine, flow, ret_value, path_each);
}

const struct jq_action jq_action_path = { path_one, path_each };

static enum jq_status getpath_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value keys;
	enum jq_status status = jq_one(machine, flow->node->a, flow->cells, jq_retain(flow->input), &keys);
	if (status != JQ_DONE) {
		return status;
	}
	return jq_return(machine, jq_path_get(machine, flow->input, keys), ret_value);
}

static enum jq_status getpath_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value keys, const struct jq_path *ignored)
{
	const struct jq_flow *flow = ((struct part *)sink)->flow;
	if (path_is_broken(flow->path)) {
		return broken_access(machine, flow->input, keys);
	}
	struct jq_value found = jq_path_get(machine, jq_retain(flow->input), jq_retain(keys));
	if (jq_is_none(found)) {
		return jq_failed(machine);
	}
	const struct jq_path *path = flow->path ? jq_path_from(machine, flow->path, keys) : NULL;
	return flow->path && !path ? jq_failed(machine) : flow->sink->take(machine, flow->sink, found, path);
}

static enum jq_status getpath_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct part part = { { getpath_take }, flow };
	return jq_each(machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL, &part.sink);
}

const struct jq_action jq_action_getpath = { getpath_one, getpath_each };
