/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions that make values: operators, arrays, objects, strings, calls of
 * builtins in C, ranges.
 */
#include "jq/evaluate.h"
#include "jq/write.h"

static enum jq_status give_made(struct jq_machine *machine, const struct jq_flow *flow, struct jq_value value)
{
	return jq_emit_made(machine, flow, value);
}

/* Runs the operands of the flow's node one within the other. */
static enum jq_status product(struct jq_machine *machine, struct jq_flow *flow,
	const struct jq_node *const *operands, struct jq_value *values, uint32_t n,
	enum jq_status (*finish)(
		struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values))
{
	struct jq_product run = {
		.flow = flow, .operands = operands, .values = values, .n = n, .finish = finish
	};
	enum jq_status status = jq_product_run(machine, &run);
	jq_release(machine, flow->input);
	return status;
}

/* --- Operators ------------------------------------------------------------------------- */

static enum jq_status binary_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	const struct jq_node *node = flow->node;
	struct jq_value left, right;
	enum jq_status status = jq_one(machine, node->b, flow->cells, jq_retain(flow->input), &right);
	if (status != JQ_DONE) {
		return status;
	}
	status = jq_one(machine, node->a, flow->cells, flow->input, &left);
	if (status != JQ_DONE) {
		jq_release(machine, right);
		return status;
	}
	machine->node = node;
	if (jq_is_number(left) && jq_is_number(right) && node->op <= OPERATOR_MULTIPLY) {
		*ret_value = node->op == OPERATOR_ADD        ? jq_number_add(left, right)
			     : node->op == OPERATOR_SUBTRACT ? jq_number_subtract(left, right)
							     : jq_number_multiply(left, right);
		return JQ_DONE;
	}
	return jq_return(machine, jq_calculate(machine, node->op, left, right), ret_value);
}

static enum jq_status binary_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	return give_made(machine, flow,
		jq_calculate(machine, flow->node->op, jq_retain(values[1]), jq_retain(values[0])));
}

static enum jq_status binary_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *operands[2] = { flow->node->b, flow->node->a };
	struct jq_value values[2];
	return product(machine, flow, operands, values, 2, binary_finish);
}

const struct jq_action jq_action_binary = { binary_one, binary_each };

static struct jq_value negated(struct jq_machine *machine, struct jq_value value)
{
	return jq_is_number(value) ? jq_number_negate(value)
				   : jq_fail_type(machine, value, "cannot be negated");
}

static struct jq_value inverted(struct jq_machine *machine, struct jq_value value)
{
	return jq_bool(!jq_is_true(value));
}

static struct jq_value formatted(
	struct jq_machine *machine, const struct jq_node *node, struct jq_value value)
{
	return node->format(machine, value);
}

/* What an operator of one operand makes of it. Borrows. */
static struct jq_value unary(struct jq_machine *machine, const struct jq_node *node, struct jq_value value)
{
	switch (node->kind) {
	case NODE_NEGATE:
		return negated(machine, value);
	case NODE_NOT:
		return inverted(machine, value);
	default:
		return formatted(machine, node, value);
	}
}

static enum jq_status unary_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct jq_value value = flow->input;
	const struct jq_node *node = flow->node;
	if (node->a) {
		enum jq_status status = jq_one(machine, node->a, flow->cells, value, &value);
		if (status != JQ_DONE) {
			return status;
		}
	}
	machine->node = node;
	struct jq_value made = unary(machine, node, value);
	jq_release(machine, value);
	return jq_return(machine, made, ret_value);
}

static enum jq_status unary_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	return give_made(machine, flow, unary(machine, flow->node, values[0]));
}

static enum jq_status unary_each(struct jq_machine *machine, struct jq_flow *flow)
{
	if (!flow->node->a) {
		return jq_each_by_one(machine, flow);
	}
	const struct jq_node *operands[1] = { flow->node->a };
	struct jq_value values[1];
	return product(machine, flow, operands, values, 1, unary_finish);
}

const struct jq_action jq_action_negate = { unary_one, unary_each };
const struct jq_action jq_action_not = { unary_one, unary_each };
const struct jq_action jq_action_format = { unary_one, unary_each };

/* --- Arrays ---------------------------------------------------------------------------------- */

struct collect {
	struct jq_sink sink;
	struct jq_value array;
};

static enum jq_status collect_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct collect *collect = (struct collect *)sink;
	collect->array = jq_array_push(machine, collect->array, value);
	return jq_is_none(collect->array) ? jq_failed(machine) : JQ_DONE;
}

static enum jq_status array_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct collect collect = { { collect_take }, jq_array(machine, 0) };
	const struct jq_node *inner = flow->node->a;
	enum jq_status status = jq_is_none(collect.array) ? JQ_ENDED : JQ_DONE;
	if (!inner) {
		jq_release(machine, flow->input);
	} else if (status == JQ_DONE) {
		status = jq_each(machine, inner, flow->cells, flow->input, NULL, &collect.sink);
	}
	*ret_value = collect.array;
	return status;
}

const struct jq_action jq_action_array = { array_one, jq_each_by_one };

/* --- Objects ----------------------------------------------------------------------------------- */

struct jq_value jq_fail_key(struct jq_machine *machine, struct jq_value key)
{
	char shown[15];
	jq_value_cut(machine, key, sizeof(shown), shown);
	return jq_fail(machine, "Cannot use %s (%s) as object key", jq_type_name(key), shown);
}

/* `{"a\(1)"}`: the value is what stands at the key in the input, which is what the node gives. */
static struct jq_value member_put(struct jq_machine *machine, const struct jq_node *node,
	struct jq_value object, struct jq_value key, struct jq_value value)
{
	if (!jq_is_string(key)) {
		return jq_fail_key(machine, key);
	}
	if (node->kind == NODE_IDENTITY && node->optional) {
		value = jq_get(machine, value, key);
	}
	return jq_is_none(value) ? value : jq_object_set(machine, object, key, value);
}

/* A value of an object; `found`: what the paths begin with was looked for. */
static enum jq_status member_value(struct jq_machine *machine, const struct jq_flow *flow, uint32_t i,
	const struct json_entry *const *found, struct jq_value *ret_value)
{
	const struct jq_node *node = flow->node, *value = node->list[i + 1];
	if (found && node->record->of[i / 2] < JQ_RECORD_NAMES) {
		machine->fuel -= value->fields->n;
		return jq_fields_from(machine, value->fields, found[node->record->of[i / 2]], 1, ret_value);
	}
	return jq_one(machine, value, flow->cells, jq_retain(flow->input), ret_value);
}

/* All keys are constants that differ. */
static enum jq_status object_plain(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	const struct jq_node *node = flow->node;
	const struct json_entry **found = node->record ? jq_record_find(machine, node->record, flow->input)
						       : NULL;
	struct jq_value object = jq_object(machine, node->count / 2), value;
	for (uint32_t i = 0; i < node->count && !jq_is_none(object); i += 2) {
		enum jq_status status = member_value(machine, flow, i, found, &value);
		if (status != JQ_DONE) {
			return status;
		}
		object = jq_object_add(machine, object, node->list[i]->value, value);
	}
	jq_record_give(machine, node->record, found);
	jq_release(machine, flow->input);
	return jq_return(machine, object, ret_value);
}

static enum jq_status object_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	const struct jq_node *node = flow->node;
	if (node->optional) {
		return object_plain(machine, flow, ret_value);
	}
	struct jq_value object = jq_object(machine, node->count / 2), key, value;
	for (uint32_t i = 0; i < node->count && !jq_is_none(object); i += 2) {
		enum jq_status status = jq_one(
			machine, node->list[i], flow->cells, jq_retain(flow->input), &key);
		status = status == JQ_DONE ? jq_one(machine, node->list[i + 1], flow->cells,
						     jq_retain(flow->input), &value)
					   : status;
		if (status != JQ_DONE) {
			return status;
		}
		object = member_put(machine, node->list[i + 1], object, key, value);
	}
	jq_release(machine, flow->input);
	return jq_return(machine, object, ret_value);
}

static enum jq_status object_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct jq_value object = jq_object(machine, flow->node->count / 2);
	for (uint32_t i = 0; i < flow->node->count && !jq_is_none(object); i += 2) {
		object = member_put(machine, flow->node->list[i + 1], object, jq_retain(values[i]),
			jq_retain(values[i + 1]));
	}
	return give_made(machine, flow, object);
}

static enum jq_status object_each(struct jq_machine *machine, struct jq_flow *flow)
{
	uint32_t n = flow->node->count;
	struct jq_value *values = jq_take(machine, (n + 1) * sizeof(*values));
	const struct jq_node *const *operands = (const struct jq_node *const *)flow->node->list;
	return values ? product(machine, flow, operands, values, n, object_finish) : JQ_ENDED;
}

const struct jq_action jq_action_object = { object_one, object_each };

/* --- Strings -------------------------------------------------------------------------------------- */

static enum jq_status string_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	const struct jq_node *node = flow->node;
	struct jq_value whole = jq_string_borrow(XYLEM_SPAN_LITERAL("")), part;
	for (uint32_t i = 0; i < node->count && !jq_is_none(whole); i++) {
		enum jq_status status = jq_one(
			machine, node->list[i], flow->cells, jq_retain(flow->input), &part);
		if (status != JQ_DONE) {
			return status;
		}
		whole = jq_string_append(machine, whole, jq_string_bytes(machine, part));
		jq_release(machine, part);
	}
	jq_release(machine, flow->input);
	return jq_return(machine, whole, ret_value);
}

static enum jq_status string_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct jq_value whole = jq_string_borrow(XYLEM_SPAN_LITERAL(""));
	for (uint32_t i = flow->node->count; i-- > 0 && !jq_is_none(whole);) {
		whole = jq_string_append(machine, whole, jq_string_bytes(machine, values[i]));
	}
	return give_made(machine, flow, whole);
}

/* Operands from the last to the first: the first varies quickest, as in jq. */
static enum jq_status reversed(struct jq_machine *machine, struct jq_flow *flow,
	enum jq_status (*finish)(
		struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values))
{
	uint32_t n = flow->node->count;
	struct jq_value *values = jq_take(machine, (n + 1) * sizeof(*values));
	const struct jq_node **operands = jq_take(machine, (n + 1) * sizeof(struct jq_node *));
	if (!values || !operands) {
		return JQ_ENDED;
	}
	for (uint32_t i = 0; i < n; i++) {
		operands[i] = flow->node->list[n - 1 - i];
	}
	enum jq_status status = product(machine, flow, operands, values, n, finish);
	jq_give(machine, operands, (n + 1) * sizeof(struct jq_node *));
	jq_give(machine, values, (n + 1) * sizeof(*values));
	return status;
}

static enum jq_status string_each(struct jq_machine *machine, struct jq_flow *flow)
{
	return reversed(machine, flow, string_finish);
}

const struct jq_action jq_action_string = { string_one, string_each };

/* --- Builtins ---------------------------------------------------------------------------------------- */

enum { ARGUMENTS = 6 };

/* Steps for long strings, which most functions go over. */
static struct jq_value builtin_call(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *arguments)
{
	const struct jq_node *node = flow->node;
	size_t bytes = jq_is_string(flow->input) ? flow->input.n : 0;
	for (uint32_t i = 0; i < node->count; i++) {
		bytes += jq_is_string(arguments[i]) ? arguments[i].n : 0;
	}
	machine->fuel -= (int64_t)(bytes / 1024);
	machine->node = node;
	return node->builtin->function(machine, flow->input, arguments);
}

static enum jq_status builtin_one(
	struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	const struct jq_node *node = flow->node;
	struct jq_value arguments[ARGUMENTS];
	uint32_t n = node->count;
	for (uint32_t i = n; i-- > 0;) {
		enum jq_status status = jq_one(
			machine, node->list[i], flow->cells, jq_retain(flow->input), &arguments[i]);
		if (status != JQ_DONE) {
			return status;
		}
	}
	struct jq_value value = builtin_call(machine, flow, arguments);
	for (uint32_t i = 0; i < n; i++) {
		jq_release(machine, arguments[i]);
	}
	jq_release(machine, flow->input);
	return jq_return(machine, value, ret_value);
}

static enum jq_status builtin_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct jq_value arguments[ARGUMENTS];
	uint32_t n = flow->node->count;
	for (uint32_t i = 0; i < n; i++) {
		arguments[i] = values[n - 1 - i];
	}
	return give_made(machine, flow, builtin_call(machine, flow, arguments));
}

static enum jq_status builtin_each(struct jq_machine *machine, struct jq_flow *flow)
{
	return flow->node->count ? reversed(machine, flow, builtin_finish) : jq_each_by_one(machine, flow);
}

const struct jq_action jq_action_builtin = { builtin_one, builtin_each };

/* --- Ranges ------------------------------------------------------------------------------------------- */

static enum jq_status range_integers(
	struct jq_machine *machine, const struct jq_flow *flow, int64_t from, int64_t to, int64_t by)
{
	enum jq_status status = JQ_DONE;
	while (status == JQ_DONE && (by > 0 ? from < to : from > to)) {
		status = jq_emit_made(machine, flow, jq_int(from));
		if (__builtin_add_overflow(from, by, &from)) {
			break;
		}
		if (--machine->fuel < 0 && !jq_spend(machine, 0)) {
			return JQ_ENDED;
		}
	}
	return status;
}

static enum jq_status range_finish(
	struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values)
{
	struct jq_value from = values[0], to = values[1], by = flow->node->c ? values[2] : jq_int(1);
	int64_t first, end, step;
	if (!jq_is_number(from) || !jq_is_number(to) || !jq_is_number(by)) {
		jq_fail(machine, "Range bounds must be numeric");
		return JQ_RAISED;
	}
	if (jq_number_int64(from, &first) && jq_number_int64(to, &end) && jq_number_int64(by, &step)) {
		return step == 0 ? JQ_DONE : range_integers(machine, flow, first, end, step);
	}
	double at = jq_number_double(from), stop = jq_number_double(to), width = jq_number_double(by);
	enum jq_status status = JQ_DONE;
	while (status == JQ_DONE && (width > 0 ? at < stop : width < 0 && at > stop)) {
		int64_t whole;
		struct jq_value number = jq_double(at);
		number = jq_number_int64(number, &whole) ? jq_int(whole) : number;
		status = jq_spend(machine, 1) ? jq_emit_made(machine, flow, number) : JQ_ENDED;
		at += width;
	}
	return status;
}

static enum jq_status range_each(struct jq_machine *machine, struct jq_flow *flow)
{
	const struct jq_node *operands[3] = { flow->node->a, flow->node->b, flow->node->c };
	struct jq_value values[3];
	return product(machine, flow, operands, values, flow->node->c ? 3 : 2, range_finish);
}

const struct jq_action jq_action_range = { NULL, range_each };
