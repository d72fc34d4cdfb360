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
 * The engine is behind jq_engine.h. It compiles when the configuration is
 * loaded and again for each thread.
 *
 * The rule not to break: numbers are exact. An event that holds a number which
 * the engine would change becomes a case (`number-inexact`), never a changed
 * event.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/json.h>
#include <xylem/transform.h>

#include "transforms/jq_engine.h"

enum { PARTS_MAX = 10000 };
enum output { OUTPUT_DATA, OUTPUT_EVENT };

struct options {
	const char *program;
	int output;
	bool split;
};

struct program {
	const struct options *options;
	_Atomic(struct jq_engine *) spare; /* compiled at load; the first worker takes it */
};

static void program_free(void *pointer)
{
	struct program *program = pointer;
	if (program) {
		jq_engine_free(atomic_load(&program->spare));
		free(program);
	}
}

static int compile(const void *options, void **ret_program, struct xylem_reason *reason)
{
	struct program *program = calloc(1, sizeof(*program));
	if (!program) {
		return -XYLEM_E_MEMORY;
	}
	program->options = options;
	struct jq_engine *engine;
	int error = jq_engine_new(program->options->program, &engine, reason);
	if (error < 0) {
		program_free(program);
		return error;
	}
	atomic_store(&program->spare, engine);
	*ret_program = program;
	return 0;
}

static int worker_new(const void *pointer, void **ret_worker)
{
	/* The spare engine is the one thing of a program that changes hands. */
	struct program *program = (struct program *)(uintptr_t)pointer;
	struct jq_engine *engine = atomic_exchange(&program->spare, NULL);
	struct xylem_reason reason;
	int error = engine ? 0 : jq_engine_new(program->options->program, &engine, &reason);
	if (error == 0) {
		*ret_worker = engine;
	}
	return error;
}

static void worker_free(void *worker)
{
	jq_engine_free(worker);
}

/* --- Applying --------------------------------------------------------------- */

struct run {
	const struct options *options;
	struct xylem_message *event;
	struct xylem_arena *arena;
	struct xylem_step_result *result;
	struct xylem_message *parts;
	size_t count, room;
};

static int XYLEM_PRINTF(3, 4)
	fail(struct xylem_step_result *result, const char *code, const char *format, ...)
{
	char text[sizeof(result->reason.text)];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	result->outcome = XYLEM_STEP_FAILED;
	snprintf(result->code, sizeof(result->code), "%s", code);
	xylem_reason_set(&result->reason, "%s", text);
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

static int result_take(void *context, struct xylem_span json)
{
	struct run *run = context;
	struct xylem_reason reason;
	int error = part_room(run);
	if (error < 0) {
		return error;
	}
	if (xylem_json_check(json, NULL, &reason) < 0) {
		return fail(run->result, "jq-error", "the result is %s", reason.text);
	}
	struct xylem_span copy = xylem_arena_copy(run->arena, json);
	if (!xylem_span_present(copy)) {
		return memory_short(run->result);
	}
	struct xylem_message *part = &run->parts[run->count];
	error = run->options->output == OUTPUT_EVENT ? part_event(run, copy, part)
						     : part_data(run, copy, part);
	run->count += error == 0;
	return error;
}

/* Data that says it is JSON must be, and must come through the engine as it is. */
static int data_check(const struct xylem_message *event, struct xylem_step_result *result)
{
	struct xylem_reason reason;
	if (!xylem_span_present(event->data) || !xylem_content_type_is_json(event->datacontenttype)) {
		return 0;
	}
	if (xylem_json_check(event->data, NULL, &reason) < 0) {
		return fail(result, "not-json", "the data is %s", reason.text);
	}
	if (jq_engine_accepts(xylem_json_trim(event->data), "/data", &reason) < 0) {
		return fail(result, "number-inexact", "%s", reason.text);
	}
	return 0;
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

static void apply(const void *pointer, void *worker, struct xylem_message *event, struct xylem_arena *arena,
	struct xylem_step_result *result)
{
	const struct program *program = pointer;
	struct run run = { .options = program->options, .event = event, .arena = arena, .result = result };
	if (data_check(event, result) < 0) {
		return;
	}
	XYLEM_BUFFER_SCOPED input = { 0 };
	xylem_buffer_reserve(&input, event->data.n + 512);
	xylem_message_write_json(event, &input);
	if (xylem_buffer_failed(&input)) {
		memory_short(result);
		return;
	}
	struct xylem_reason reason = { "" };
	int error = jq_engine_run(
		worker, xylem_buffer_borrow(&input), event->journal_time_us, result_take, &run, &reason);
	if (error == 0) {
		results_settle(&run);
	} else if (result->outcome != XYLEM_STEP_FAILED) {
		fail(result, "jq-error", "%s", reason.text);
	}
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
