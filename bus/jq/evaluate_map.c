/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `map` of an expression with at most one result, and `map(F) | add`, which makes
 * no array of what it adds up. An error is the one that the array would have
 * come to: that of F at any element before that of an addition.
 */
#include "jq/evaluate.h"

/* What becomes of the results: the array of a map, or their sum. */
struct mapped {
	struct jq_value made;
	struct jq_value error; /* of an addition; NONE: none */
	const struct jq_node *add;
};

typedef enum jq_status mapped_take(struct jq_machine *machine, struct mapped *mapped, struct jq_value value);

static inline __attribute__((always_inline)) enum jq_status elements_map(struct jq_machine *machine,
	const struct jq_flow *flow, const struct jq_node *body, struct jq_value container, mapped_take *take,
	struct mapped *mapped)
{
	struct jq_walk walk = jq_walk_over(machine, container);
	enum jq_status status = JQ_DONE;
	while (status == JQ_DONE && jq_walk_next(&walk)) {
		struct jq_value value;
		status = jq_one(machine, body, flow->cells, jq_retain(walk.value), &value);
		if (status == JQ_DONE) {
			status = take(machine, mapped, value);
		} else if (status == JQ_NOTHING) {
			status = JQ_DONE;
		}
		if (--machine->fuel < 0 && status == JQ_DONE && !jq_spend(machine, 0)) {
			status = JQ_ENDED;
		}
	}
	jq_release(machine, container);
	return status == JQ_DONE && machine->limit ? JQ_ENDED : status;
}

/* `map` is the ARRAY that shape.c found. */
static inline __attribute__((always_inline)) enum jq_status map_run(struct jq_machine *machine,
	const struct jq_flow *flow, const struct jq_node *map, mapped_take *take, struct mapped *mapped)
{
	const struct jq_node *iterate = map->a->a, *body = map->a->b;
	struct jq_value container;
	enum jq_status status = jq_one(machine, iterate->a, flow->cells, flow->input, &container);
	if (status != JQ_DONE) {
		return status == JQ_NOTHING ? JQ_DONE : status;
	}
	if (container.kind < JQ_ARRAY) {
		machine->node = iterate;
		return jq_not_iterable(machine, iterate, container);
	}
	return elements_map(machine, flow, body, container, take, mapped);
}

/* --- map --------------------------------------------------------------------------- */

static enum jq_status array_take(struct jq_machine *machine, struct mapped *mapped, struct jq_value value)
{
	mapped->made = jq_array_push(machine, mapped->made, value);
	return jq_is_none(mapped->made) ? jq_failed(machine) : JQ_DONE;
}

static enum jq_status map_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct mapped mapped = { .made = jq_array(machine, 0) };
	enum jq_status status = jq_is_none(mapped.made)
					? JQ_ENDED
					: map_run(machine, flow, flow->node, array_take, &mapped);
	*ret_value = mapped.made;
	return status;
}

const struct jq_action jq_action_map = { map_one, jq_each_by_one };

/* --- map and add ---------------------------------------------------------------------- */

static enum jq_status sum_failed(struct jq_machine *machine, struct mapped *mapped)
{
	if (machine->limit) {
		return JQ_ENDED;
	}
	mapped->error = machine->error;
	machine->error = jq_simple(JQ_NULL);
	return JQ_DONE;
}

static inline enum jq_status sum_take(
	struct jq_machine *machine, struct mapped *mapped, struct jq_value value)
{
	if (!jq_is_none(mapped->error)) {
		jq_release(machine, value);
		return JQ_DONE;
	}
	if (jq_is_number(value) && jq_is_number(mapped->made)) {
		mapped->made = jq_number_add(mapped->made, value);
		return JQ_DONE;
	}
	machine->node = mapped->add;
	mapped->made = jq_calculate(machine, OPERATOR_ADD, mapped->made, value);
	return jq_is_none(mapped->made) ? sum_failed(machine, mapped) : JQ_DONE;
}

static enum jq_status sum_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	const struct jq_node *map = flow->node->a;
	struct mapped mapped = { jq_simple(JQ_NULL), jq_simple(JQ_NONE), flow->node->b };
	enum jq_status status = map_run(machine, flow, map, sum_take, &mapped);
	*ret_value = mapped.made;
	if (status == JQ_DONE && !jq_is_none(mapped.error)) {
		machine->node = flow->node->b;
		jq_fail_value(machine, mapped.error);
		return JQ_RAISED;
	}
	return status;
}

/* In a path, as any pipe. */
static enum jq_status sum_each(struct jq_machine *machine, struct jq_flow *flow)
{
	return flow->path ? jq_action_pipe.each(machine, flow) : jq_each_by_one(machine, flow);
}

const struct jq_action jq_action_sum = { sum_one, sum_each };
