/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the command's programs may do: further inputs, the environment,
 * messages on the side, an end with a status. A step's program that names one of
 * these does not compile.
 */
#include "json/utf8.h"

#include "jq/evaluate.h"
#include "jq/write.h"

static struct jq_value input_next(struct jq_machine *machine, bool *ret_end)
{
	const struct jq_world *world = machine->world;
	struct xylem_span json;
	*ret_end = !world || !world->input || !world->input(world->context, &json);
	return *ret_end ? jq_fail(machine, "No more inputs") : jq_value_parse(machine, json);
}

static void say(struct jq_machine *machine, struct jq_value value, bool debug)
{
	static const struct jq_form compact = { 0 };
	const struct jq_world *world = machine->world;
	XYLEM_BUFFER_SCOPED out = { 0 };
	if (!world || !world->debug) {
		return;
	}
	if (!debug && jq_is_string(value)) { /* `stderr`: a text as it is */
		world->debug(world->context, "", jq_string_bytes(machine, value));
	} else if (jq_write(machine, value, &compact, SIZE_MAX, &out)) {
		world->debug(world->context, debug ? "debug:" : "", xylem_buffer_borrow(&out));
	}
}

static struct jq_value environment(struct jq_machine *machine)
{
	struct jq_value object = jq_object(machine, 0);
	const char *const *each = machine->world ? machine->world->environment : NULL;
	for (; each && *each && !jq_is_none(object); each++) {
		const char *equals = strchr(*each, '=');
		struct xylem_span name = xylem_span(*each, equals ? (size_t)(equals - *each) : 0);
		if (equals && utf8_valid(xylem_span_of(*each))) {
			object = jq_object_set(machine, object, jq_string_borrow(name),
				jq_string_borrow(xylem_span_of(equals + 1)));
		}
	}
	return object;
}

static enum jq_status halt(struct jq_machine *machine, struct jq_value value, int exit_status)
{
	machine->halted = true;
	machine->exit_status = exit_status;
	machine->error = value;
	return JQ_ENDED;
}

static enum jq_status halt_error(struct jq_machine *machine, struct jq_flow *flow)
{
	struct jq_value status;
	enum jq_status done = jq_one(machine, flow->node->a, flow->cells, jq_retain(flow->input), &status);
	if (done != JQ_DONE) {
		return done;
	}
	if (!jq_is_number(status)) {
		jq_fail_type(machine, flow->input, "halt_error/1: number required");
		return JQ_RAISED;
	}
	return halt(machine, flow->input, (int)jq_number_cut(status));
}

static struct jq_value place(struct jq_machine *machine, bool line)
{
	const struct jq_world *world = machine->world;
	uint64_t number = 0;
	const char *file = world && world->file ? world->file(world->context, &number) : NULL;
	if (line) {
		return jq_int((int64_t)number);
	}
	return file && utf8_valid(xylem_span_of(file)) ? jq_string_borrow(xylem_span_of(file))
						       : jq_simple(JQ_NULL);
}

static enum jq_status world_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	bool end;
	switch (flow->node->op) {
	case WORLD_INPUT:
		return jq_return(machine, input_next(machine, &end), ret_value);
	case WORLD_DEBUG:
	case WORLD_STDERR:
		say(machine, flow->input, flow->node->op == WORLD_DEBUG);
		*ret_value = flow->input;
		return JQ_DONE;
	case WORLD_ENV:
		return jq_return(machine, environment(machine), ret_value);
	case WORLD_FILE:
	case WORLD_LINE:
		*ret_value = place(machine, flow->node->op == WORLD_LINE);
		return JQ_DONE;
	case WORLD_HALT:
		return halt(machine, jq_simple(JQ_NONE), 0);
	default:
		return halt_error(machine, flow);
	}
}

struct saying {
	struct jq_sink sink;
};

static enum jq_status say_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	say(machine, value, true);
	jq_release(machine, value);
	return JQ_DONE;
}

/* `inputs`; and `debug(messages)`, which says them and gives its input on. */
static enum jq_status world_each(struct jq_machine *machine, struct jq_flow *flow)
{
	enum jq_status status = JQ_DONE;
	if (flow->node->op == WORLD_DEBUG) {
		struct saying saying = { { say_take } };
		if (flow->node->a) {
			status = jq_each(machine, flow->node->a, flow->cells, jq_retain(flow->input), NULL,
				&saying.sink);
		} else {
			say(machine, flow->input, true);
		}
		return status == JQ_DONE ? jq_emit(machine, flow, flow->input, flow->path) : status;
	}
	if (!flow->node->optional) {
		return jq_each_by_one(machine, flow);
	}
	while (status == JQ_DONE) {
		bool end;
		struct jq_value value = input_next(machine, &end);
		if (end) {
			machine->error = jq_simple(JQ_NULL);
			break;
		}
		status = jq_emit_made(machine, flow, value);
	}
	return status;
}

const struct jq_action jq_action_world = { world_one, world_each };
