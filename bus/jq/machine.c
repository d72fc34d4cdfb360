/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine from its beginning to its end: runs, errors and limits in words, the
 * event as an input.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/check.h"
#include "json/utf8.h"
#include "message/attribute.h"
#include "message/base64.h"

#include "jq/evaluate.h"
#include "jq/index.h"
#include "jq/write.h"

struct jq_machine *jq_machine_new(const struct jq_program *program)
{
	struct jq_machine *machine = calloc(1, sizeof(*machine));
	struct jq_cell_chunk **chunks = calloc(JQ_CELL_CHUNKS, sizeof(struct jq_cell_chunk *));
	if (!machine || !chunks) {
		free(machine);
		free(chunks);
		return NULL;
	}
	machine->cell_chunks = chunks;
	machine->program = program;
	machine->memory.limit = program->limits.memory;
	machine->output = program->limits.output;
	jq_machine_begin(machine, 0);
	return machine;
}

struct jq_machine *jq_machine_free(struct jq_machine *machine)
{
	if (machine) {
		if (machine->patterns_release) {
			machine->patterns_release(machine->patterns);
		}
		jq_stack_free(machine);
		jq_memory_free(&machine->memory);
		xylem_buffer_finish(&machine->scratch);
		free(machine->cell_chunks);
		free(machine);
	}
	return NULL;
}

void jq_machine_world(struct jq_machine *machine, const struct jq_world *world)
{
	machine->world = world;
}

void **jq_patterns(struct jq_machine *machine, void (*release)(void *patterns))
{
	machine->patterns_release = release;
	return &machine->patterns;
}

int64_t jq_now_us(const struct jq_machine *machine)
{
	return machine->now_us;
}

void jq_machine_begin(struct jq_machine *machine, int64_t now_us)
{
	jq_memory_reset(&machine->memory);
	machine->run++;
	jq_fuel_begin(machine);
	machine->level = 0;
	machine->limit = JQ_LIMIT_NONE;
	machine->node = machine->program->root;
	machine->error = jq_simple(JQ_NULL);
	machine->callback = 0;
	machine->halted = false;
	machine->exit_status = 0;
	machine->now_us = now_us;
	machine->payload = XYLEM_SPAN_NONE;
	machine->index = (struct jq_index){ .n = 0 };
	machine->written = 0;
	machine->cell_count = machine->cell_room = 0;
	machine->dead_arrays = NULL;
	machine->dead_objects = NULL;
}

/* --- Errors ----------------------------------------------------------------------------- */

struct jq_value jq_fail_value(struct jq_machine *machine, struct jq_value value)
{
	if (machine->limit == JQ_LIMIT_NONE) {
		machine->error = value;
	}
	return jq_simple(JQ_NONE);
}

struct jq_value jq_fail(struct jq_machine *machine, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	while (length > 0 && !utf8_valid(xylem_span(text, length))) {
		length--; /* what was cut within a character */
	}
	struct jq_value error = jq_string(machine, xylem_span(text, length));
	return jq_is_none(error) ? error : jq_fail_value(machine, error);
}

enum { SHOWN = 15 }; /* bytes of a value in a message, as in jq */

struct jq_value jq_fail_type(struct jq_machine *machine, struct jq_value value, const char *text)
{
	char shown[SHOWN];
	jq_value_cut(machine, value, sizeof(shown), shown);
	return jq_fail(machine, "%s (%s) %s", jq_type_name(value), shown, text);
}

struct jq_value jq_fail_types(
	struct jq_machine *machine, struct jq_value a, struct jq_value b, const char *text)
{
	char left[SHOWN], right[SHOWN];
	jq_value_cut(machine, a, sizeof(left), left);
	jq_value_cut(machine, b, sizeof(right), right);
	return jq_fail(
		machine, "%s (%s) and %s (%s) %s", jq_type_name(a), left, jq_type_name(b), right, text);
}

int jq_limit_reason(const struct jq_machine *machine, struct xylem_reason *reason)
{
	const struct jq_limits *limits = &machine->program->limits;
	const struct jq_source *source = machine->node->source;
	struct jq_place place = jq_place_of(source, machine->node->offset);
	char what[96];
	switch (machine->limit) {
	case JQ_LIMIT_STEPS:
		snprintf(what, sizeof(what), "more than %llu steps (limit max_steps)",
			(unsigned long long)limits->steps);
		break;
	case JQ_LIMIT_MEMORY:
		snprintf(what, sizeof(what), "more than %zu bytes of values (limit max_memory)",
			limits->memory);
		break;
	case JQ_LIMIT_DEPTH:
		snprintf(what, sizeof(what), "calls nested deeper than %zu (limit max_depth)", limits->depth);
		break;
	case JQ_LIMIT_NESTING:
		snprintf(what, sizeof(what), "a value nested deeper than %d levels", JQ_VALUE_DEPTH);
		break;
	case JQ_LIMIT_TIME:
		snprintf(what, sizeof(what), "longer than %lld ms (limit max_time)",
			(long long)limits->time_us / 1000);
		break;
	default:
		snprintf(what, sizeof(what), "more than %zu bytes of results (limit max_output)",
			limits->output);
		break;
	}
	xylem_reason_set(reason, "%s:%u:%u: %s", source->file, place.line, place.column, what);
	return -XYLEM_E_LIMIT;
}

/* As the jq program says it: `(not a string)` before what is none. */
static void error_reason(struct jq_machine *machine, struct xylem_reason *reason)
{
	struct jq_value error = machine->error;
	if (jq_is_string(error)) {
		struct xylem_span text = jq_string_bytes(machine, error);
		xylem_reason_set(reason, "%.*s", (int)(text.n > 500 ? 500 : text.n), text.at);
		return;
	}
	char shown[400];
	jq_value_cut(machine, error, sizeof(shown), shown);
	xylem_reason_set(reason, "(not a string): %s", shown);
}

struct jq_value jq_machine_error(struct jq_machine *machine)
{
	return machine->error;
}

int jq_machine_exit_status(const struct jq_machine *machine)
{
	return machine->exit_status;
}

/* --- Running ------------------------------------------------------------------------------- */

static enum jq_status result_take(
	struct jq_machine *machine, struct jq_sink *sink, struct jq_value value, const struct jq_path *path)
{
	machine->callback = machine->result(machine->context, machine, value);
	jq_release(machine, value);
	return machine->callback < 0 || machine->limit ? JQ_ENDED : JQ_DONE;
}

static enum jq_status run_root(struct jq_machine *machine, struct jq_value input)
{
	const struct jq_node *root = machine->program->root;
	struct jq_sink sink = { result_take };
	return jq_each(machine, root, NULL, input, NULL, &sink);
}

int jq_machine_run(struct jq_machine *machine, struct jq_value input, jq_result *result, void *context,
	struct xylem_reason *reason)
{
	machine->result = result;
	machine->context = context;
	enum jq_status status = jq_is_none(input) ? jq_failed(machine) : run_root(machine, input);
	if (machine->callback < 0) {
		if (machine->callback == -XYLEM_E_INVALID && xylem_span_present(machine->payload)) {
			*reason = machine->payload_reason;
		}
		return machine->callback;
	}
	if (machine->limit != JQ_LIMIT_NONE) {
		return jq_limit_reason(machine, reason);
	}
	if (machine->halted) {
		return -XYLEM_E_END;
	}
	if (status == JQ_RAISED) {
		error_reason(machine, reason);
		return -XYLEM_E_UNPROCESSABLE;
	}
	return 0;
}

struct jq_value jq_value_text(struct jq_machine *machine, struct xylem_span text, struct xylem_reason *reason)
{
	int error = jq_index_check(machine, text, XYLEM_JSON_DEPTH, reason);
	return error < 0 ? jq_simple(JQ_NONE) : jq_value_json(text);
}

struct jq_value jq_value_parse(struct jq_machine *machine, struct xylem_span text)
{
	struct xylem_reason reason;
	if (xylem_json_check(text, NULL, &reason) < 0) {
		return jq_fail(machine, "%s", reason.text);
	}
	struct jq_value own = jq_string(machine, text);
	return jq_is_none(own) || !jq_spend(machine, text.n / 64) ? jq_simple(JQ_NONE)
								  : jq_value_json(xylem_span(own.at, own.n));
}

/* --- The event --------------------------------------------------------------------------------- */

static struct jq_value member_add(
	struct jq_machine *machine, struct jq_value event, struct xylem_span name, struct jq_value value)
{
	struct jq_value key = jq_string_borrow(name);
	key.flags = JQ_PLAIN;
	return jq_object_set(machine, event, key, value);
}

static struct jq_value data_value(struct jq_machine *machine, const struct xylem_message *message,
	const char **ret_name, struct xylem_reason *reason)
{
	*ret_name = "data";
	if (xylem_content_type_is_json(message->datacontenttype)) {
		if (machine->program->payload == PAYLOAD_BY_NAME) {
			machine->payload = message->data;
			return jq_value_json(message->data);
		}
		int error = jq_index_check(machine, message->data, XYLEM_JSON_DEPTH - 1, reason);
		return error < 0 ? jq_simple(JQ_NONE) : jq_value_json(message->data);
	}
	if (utf8_valid(message->data)) {
		return jq_string_borrow(message->data);
	}
	*ret_name = "data_base64";
	XYLEM_BUFFER_SCOPED out = { 0 };
	message_base64_write(&out, message->data);
	return xylem_buffer_failed(&out) ? jq_simple(JQ_NONE) : jq_string(machine, xylem_buffer_borrow(&out));
}

struct jq_value jq_value_message(
	struct jq_machine *machine, const struct xylem_message *message, struct xylem_reason *reason)
{
	struct jq_value event = jq_object(machine, JQ_MEMBERS_SEARCHED);
	const uint32_t names = machine->program->names;
	if (names & JQ_NAMES_SPECVERSION) {
		event = member_add(machine, event, XYLEM_SPAN_LITERAL("specversion"),
			jq_string_borrow(XYLEM_SPAN_LITERAL("1.0")));
	}
	for (size_t i = 0; i < attribute_count; i++) {
		struct xylem_span value = attribute_get(&attribute_table[i], message);
		if (names & 1u << i && xylem_span_present(value)) {
			event = member_add(machine, event, attribute_table[i].name, jq_string_borrow(value));
		}
	}
	for (size_t i = 0; i < message->extension_count && names & JQ_NAMES_EXTENSIONS; i++) {
		event = member_add(machine, event, message->extensions[i].name,
			jq_string_borrow(message->extensions[i].value));
	}
	if (xylem_span_present(message->data) && machine->program->payload != PAYLOAD_UNSEEN) {
		const char *name;
		struct jq_value data = data_value(machine, message, &name, reason);
		event = jq_is_none(data) ? data : member_add(machine, event, xylem_span_of(name), data);
	}
	return event;
}
