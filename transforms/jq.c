/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `jq`: maps an event by a program in the jq language.
 *
 *     steps:
 *       - jq: '{id: .data.order.id, total: (.data.order.lines | map(.price * .qty) | add)}'
 *       - jq: { program: '.data.lines[]', split: true }
 *
 * The program sees the whole event as JSON, payload under `.data`; its result
 * becomes `.data`, or with `output: event` the event. No result: the event
 * ends here (`select`). Several results are a case, unless `split` says that
 * each goes on as an event of its own, with the id ID-1, ID-2 ... and the
 * original's id in `causationid`.
 *
 * The engine is the room bus/jq. A program is compiled when the configuration is
 * loaded and shared by all threads; each has a machine of its own.
 *
 * The rule not to break: what no operation of the program touched goes out as
 * the bytes that came in.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/json.h>
#include <xylem/transform.h>

#include "jq/jq.h"

enum { PARTS_MAX = 10000 };
enum output { OUTPUT_DATA, OUTPUT_EVENT };

struct options {
	const char *program;
	int output;
	bool split;
	struct xylem_files modules;
	int64_t max_steps, max_memory, max_depth, max_output, max_time;
};

struct program {
	const struct options *options;
	struct jq_program *jq;
};

static void program_free(void *pointer)
{
	struct program *program = pointer;
	if (program) {
		jq_program_free(program->jq);
		free(program);
	}
}

/* A module's text by the name that the configuration gives it. */
static int module_find(
	void *context, struct xylem_span name, bool data, struct xylem_span *ret_text, const char **ret_file)
{
	const struct options *options = context;
	for (size_t i = 0; i < options->modules.n; i++) {
		const struct xylem_named_file *module = &options->modules.items[i];
		if (xylem_span_is(name, module->name)) {
			*ret_text = module->file->bytes;
			*ret_file = module->name;
			return 0;
		}
	}
	return -XYLEM_E_NOT_FOUND;
}

static int compile(const void *pointer, void **ret_program, struct xylem_reason *reason)
{
	const struct options *options = pointer;
	struct program *program = calloc(1, sizeof(*program));
	if (!program) {
		return -XYLEM_E_MEMORY;
	}
	program->options = options;
	struct jq_options jq = {
		.modules = { module_find, (void *)(uintptr_t)options },
		.limits = { .steps = (uint64_t)options->max_steps,
			.memory = (size_t)options->max_memory,
			.depth = (size_t)options->max_depth,
			.output = (size_t)options->max_output,
			.time_us = options->max_time },
	};
	int error = jq_program_new(xylem_span_of(options->program), &jq, &program->jq, NULL, reason);
	if (error < 0) {
		program_free(program);
		return error;
	}
	*ret_program = program;
	return 0;
}

static int worker_new(const void *pointer, void **ret_worker)
{
	const struct program *program = pointer;
	struct jq_machine *machine = jq_machine_new(program->jq);
	if (machine) {
		*ret_worker = machine;
	}
	return machine ? 0 : -XYLEM_E_MEMORY;
}

static void worker_free(void *worker)
{
	jq_machine_free(worker);
}

/* --- Applying --------------------------------------------------------------- */

struct run {
	const struct options *options;
	struct xylem_message *event;
	struct xylem_arena *arena;
	struct xylem_step_result *result;
	struct xylem_message *parts;
	size_t count, room;
	struct xylem_buffer text;
};

static int XYLEM_PRINTF(3, 4)
	fail(struct xylem_step_result *result, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(&result->reason, format, arguments);
	va_end(arguments);
	result->outcome = XYLEM_STEP_FAILED;
	snprintf(result->code, sizeof(result->code), "%s", code);
	return -XYLEM_E_UNPROCESSABLE;
}

static int memory_short(struct xylem_step_result *result)
{
	return fail(result, "memory", "out of memory");
}

static int part_room(struct run *run)
{
	size_t most = run->options->split ? PARTS_MAX : 1;
	if (run->count == most) {
		return run->options->split ? fail(run->result, "jq-several",
						     "the program gave more than %d results", PARTS_MAX)
					   : fail(run->result, "jq-several",
						     "the program gave more than one result; collect them in "
						     "[ ], or set `split: true` to "
						     "make each an event");
	}
	if (run->count == run->room) {
		size_t room = run->room ? run->room * 2 : 4;
		struct xylem_message *parts = xylem_arena_take(run->arena, room * sizeof(*parts));
		if (!parts) {
			return memory_short(run->result);
		}
		if (run->count) {
			memcpy(parts, run->parts, run->count * sizeof(*parts));
		}
		run->parts = parts;
		run->room = room;
	}
	return 0;
}

/* A result as the whole event; what is the bus's own stays. */
static int part_event(struct run *run, struct xylem_span json, struct xylem_message *ret_part)
{
	struct xylem_reason reason;
	struct xylem_message part;
	int error = xylem_message_read_json(&part, run->arena, json, &reason);
	error = error < 0 ? error : xylem_message_check(&part, &reason);
	if (error < 0) {
		return fail(run->result, "jq-event", "the result is no event: %s", reason.text);
	}
	part.position = run->event->position;
	part.journal_time_us = run->event->journal_time_us;
	part.kind = run->event->kind;
	part.parent = run->event->parent;
	part.ingress = run->event->ingress;
	part.key = run->event->key;
	*ret_part = part;
	return 0;
}

static int part_data(struct run *run, struct xylem_span json, struct xylem_message *ret_part)
{
	struct xylem_message part = *run->event;
	part.data = json;
	if (!xylem_content_type_is_json(part.datacontenttype)) {
		part.datacontenttype = XYLEM_SPAN_LITERAL("application/json");
	}
	if (run->options->split) {
		char *id = xylem_arena_format(
			run->arena, "%.*s-%zu", (int)part.id.n, part.id.at, run->count + 1);
		if (!id || xylem_message_set_attribute(
				   &part, run->arena, XYLEM_SPAN_LITERAL("causationid"), part.id) < 0) {
			return memory_short(run->result);
		}
		part.id = xylem_span_of(id);
	}
	*ret_part = part;
	return 0;
}

/* Data is one level below the event that it belongs to. */
static size_t depth_most(const struct run *run)
{
	return run->options->output == OUTPUT_EVENT ? XYLEM_JSON_DEPTH : XYLEM_JSON_DEPTH - 1;
}

static int result_take(void *context, struct jq_machine *machine, struct jq_value value)
{
	static const struct jq_form form = { .verbatim = true };
	struct run *run = context;
	struct xylem_reason reason;
	int error = part_room(run);
	if (error < 0) {
		return error;
	}
	xylem_buffer_clear(&run->text);
	error = jq_result_write(machine, value, &form, &run->text, &reason);
	if (error < 0) {
		return fail(run->result, error == -XYLEM_E_LIMIT ? "jq-limit" : "memory", "%s", reason.text);
	}
	if (jq_is_deeper(value, xylem_buffer_borrow(&run->text), depth_most(run))) {
		return fail(run->result, "jq-error", "the result is nested deeper than %zu levels",
			depth_most(run));
	}
	struct xylem_span json = xylem_arena_copy(run->arena, xylem_buffer_borrow(&run->text));
	if (!xylem_span_present(json)) {
		return memory_short(run->result);
	}
	struct xylem_message *part = &run->parts[run->count];
	error = run->options->output == OUTPUT_EVENT ? part_event(run, json, part)
						     : part_data(run, json, part);
	run->count += error == 0;
	return error;
}

static void results_settle(struct run *run)
{
	if (run->count == 0) {
		run->result->outcome = XYLEM_STEP_FILTERED;
	} else if (run->options->split) {
		run->result->outcome = XYLEM_STEP_SPLIT;
		run->result->parts = run->parts;
		run->result->part_count = run->count;
	} else {
		*run->event = run->parts[0];
	}
}

static void run_program(struct run *run, struct jq_machine *machine)
{
	struct xylem_reason reason = { "" };
	jq_machine_begin(machine, run->event->journal_time_us);
	struct jq_value input = jq_value_message(machine, run->event, &reason);
	if (jq_is_none(input)) {
		fail(run->result, "not-json", "the data is %s", reason.text);
		return;
	}
	int error = jq_machine_run(machine, input, result_take, run, &reason);
	if (error == 0) {
		results_settle(run);
	} else if (run->result->outcome != XYLEM_STEP_FAILED) {
		fail(run->result, error == -XYLEM_E_LIMIT ? "jq-limit" : "jq-error", "%s", reason.text);
	}
}

static void apply(const void *pointer, void *worker, struct xylem_message *event, struct xylem_arena *arena,
	struct xylem_step_result *result)
{
	const struct program *program = pointer;
	struct run run = { .options = program->options, .event = event, .arena = arena, .result = result };
	run_program(&run, worker);
	xylem_buffer_finish(&run.text);
}

static const char *const outputs[] = { "data", "event", NULL };

static const struct xylem_option options_table[] = {
	{ .name = "program",
		.type = XYLEM_OPTION_EXPRESSION,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		.offset = offsetof(struct options, program),
		.since = "0.1",
		.summary = "The program, in the jq language; its input is the event, with the payload under "
			   "`.data`.",
		.example = "'{id: .data.order.id}'" },
	{ .name = "output",
		.type = XYLEM_OPTION_ENUM,
		.offset = offsetof(struct options, output),
		.choices = outputs,
		.default_value = "data",
		.since = "0.1",
		.summary = "What the result becomes: the payload, or the whole event." },
	{ .name = "split",
		.type = XYLEM_OPTION_BOOL,
		.offset = offsetof(struct options, split),
		.default_value = "false",
		.since = "0.1",
		.summary = "Makes each of several results an event of its own, in order." },
	{ .name = "modules",
		.type = XYLEM_OPTION_FILES,
		.offset = offsetof(struct options, modules),
		.since = "0.2",
		.summary = "Files that the program may `import` or `include`, by the names it gives them.",
		.example = "{ money: money.jq }" },
	{ .name = "max_steps",
		.type = XYLEM_OPTION_INTEGER,
		.offset = offsetof(struct options, max_steps),
		.default_value = "10000000",
		.minimum = 1000,
		.maximum = 100000000000,
		.since = "0.2",
		.summary = "Expressions evaluated and elements visited for one event; beyond it the event is "
			   "a case." },
	{ .name = "max_memory",
		.type = XYLEM_OPTION_SIZE,
		.offset = offsetof(struct options, max_memory),
		.default_value = "64MiB",
		.minimum = 1048576,
		.maximum = 4294967296,
		.since = "0.2",
		.summary = "Bytes of the values that the program makes for one event." },
	{ .name = "max_depth",
		.type = XYLEM_OPTION_INTEGER,
		.offset = offsetof(struct options, max_depth),
		.default_value = "10000",
		.minimum = 100,
		.maximum = 1000000,
		.since = "0.2",
		.summary = "Calls within calls." },
	{ .name = "max_output",
		.type = XYLEM_OPTION_SIZE,
		.offset = offsetof(struct options, max_output),
		.default_value = "16MiB",
		.minimum = 1024,
		.maximum = 1073741824,
		.since = "0.2",
		.summary = "Bytes of the results for one event." },
	{ .name = "max_time",
		.type = XYLEM_OPTION_DURATION,
		.offset = offsetof(struct options, max_time),
		.default_value = "5s",
		.minimum = 10000,
		.maximum = 3600000000,
		.since = "0.2",
		.summary = "Time that the program may take for one event." },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC extern const struct xylem_transform xylem_transform_jq;
XYLEM_PUBLIC const struct xylem_transform xylem_transform_jq = {
	.contract_version = XYLEM_TRANSFORM_VERSION,
	.name = "jq",
	.summary = "Maps an event by a program in the jq language.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.compile = compile,
	.program_free = program_free,
	.worker_new = worker_new,
	.worker_free = worker_free,
	.apply = apply,
};
