/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors, and what is done instead: `//`, `try` and `catch`, `error`. What comes
 * from behind, where results have gone already, is nobody's to hide here.
 */
#include "jq/evaluate.h"

/* What is tried, and what came of it. */
struct trial {
	struct jq_sink sink;
	const struct jq_flow *flow;
	bool any;        /* a result that counts */
	bool downstream; /* an error came from behind */
};

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

static enum jq_status alternative_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct trial *trial = (struct trial *)sink;
	if (!jq_is_true(value)) {
		return JQ_DONE;
	}
	trial->any = true;
	return trial->flow->sink->take(machine, trial->flow->sink, value, path);
}

static enum jq_status alternative_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct trial trial = { { alternative_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, jq_retain(flow->input), flow->path, &trial.sink);
	if (status != JQ_DONE || trial.any) {
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

/* Passes on, and notes when an error comes from behind: that is not ours to hide. */
static enum jq_status try_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	struct trial *trial = (struct trial *)sink;
	enum jq_status status = trial->flow->sink->take(machine, trial->flow->sink, value, path);
	trial->downstream |= status == JQ_RAISED;
	return status;
}

static enum jq_status try_each(struct jq_machine *machine, struct jq_flow *flow)
{
	struct trial trial = { { try_take }, flow };
	enum jq_status status = jq_each(
		machine, flow->node->a, flow->cells, flow->input, flow->path, &trial.sink);
	if (status != JQ_RAISED || trial.downstream) {
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
	struct trial trial = { { error_take }, flow };
	return jq_each(machine, flow->node->a, flow->cells, flow->input, NULL, &trial.sink);
}

const struct jq_action jq_action_error = { error_one, error_each };
