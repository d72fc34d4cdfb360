/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `set`: puts fixed values into an event.
 *
 *     steps:
 *       - set: { /data/channel: web, /data/order/vat: 0.190, /subject: orders }
 *
 * Each value replaces what stands at its pointer, or is added there; all other
 * bytes of the payload stay as they are, so that no number changes its digits.
 * Values are JSON and are written as the configuration has them.
 *
 * An attribute takes a string (true, false and integers become their text);
 * null removes it. Objects that are missing on the way are made.
 *
 * What it does not do: it does not calculate and it does not copy; `jq` does.
 */
#include <stdlib.h>

#include <xylem/transform.h>

#include "transforms/target.h"

struct options {
	struct xylem_span values;
};

struct change {
	struct target target;
	struct xylem_span value; /* JSON for the data, text for an attribute; absent: remove the attribute */
};

struct program {
	struct change *changes;
	size_t n;
	struct xylem_arena *arena; /* names and texts of the values */
	size_t bytes;              /* what all values add at most, to size the result once */
};

static void program_free(void *pointer)
{
	struct program *program = pointer;
	if (program) {
		for (size_t i = 0; i < program->n; i++) {
			target_finish(&program->changes[i].target);
		}
		free(program->changes);
		xylem_arena_free(program->arena);
		free(program);
	}
}

/* The attribute with its value on an event that is right otherwise: intake's own check says whether it is. */
static int attribute_check(
	const struct change *change, struct xylem_arena *arena, struct xylem_reason *reason)
{
	struct xylem_message sample = {
		.kind = XYLEM_MESSAGE,
		.id = XYLEM_SPAN_LITERAL("1"),
		.source = XYLEM_SPAN_LITERAL("/"),
		.type = XYLEM_SPAN_LITERAL("t"),
	};
	struct xylem_span name = xylem_span_of(change->target.attribute);
	if (xylem_message_set_attribute(&sample, arena, name, change->value) < 0) {
		xylem_reason_set(
			reason, "/%s is required and cannot be empty or null", change->target.attribute);
		return -XYLEM_E_INVALID;
	}
	return xylem_message_check(&sample, reason);
}

static int attribute_compile(
	struct change *change, struct xylem_span json, struct xylem_arena *arena, struct xylem_reason *reason)
{
	int64_t ignored;
	switch (xylem_json_type(json)) {
	case XYLEM_JSON_NULL:
		change->value = XYLEM_SPAN_NONE;
		break;
	case XYLEM_JSON_STRING:
		if (xylem_json_string(json, arena, &change->value) < 0) {
			return -XYLEM_E_MEMORY;
		}
		break;
	case XYLEM_JSON_TRUE:
	case XYLEM_JSON_FALSE:
		change->value = json;
		break;
	default:
		if (xylem_json_int64(json, &ignored) < 0 || memchr(json.at, '.', json.n)) {
			xylem_reason_set(
				reason, "/%s is an attribute and takes a string", change->target.attribute);
			return -XYLEM_E_INVALID;
		}
		change->value = json;
	}
	return attribute_check(change, arena, reason);
}

static int change_compile(
	struct program *program, struct xylem_span name, struct xylem_span json, struct xylem_reason *reason)
{
	struct xylem_span text;
	if (xylem_json_string(name, program->arena, &text) < 0) {
		return -XYLEM_E_MEMORY;
	}
	struct change *change = &program->changes[program->n];
	int error = target_init(&change->target, text, reason);
	if (error < 0) {
		return error;
	}
	program->n++;
	program->bytes += text.n + 16 + json.n;
	change->value = json;
	return change->target.attribute ? attribute_compile(change, json, program->arena, reason) : 0;
}

static int changes_compile(struct program *program, struct xylem_span values, struct xylem_reason *reason)
{
	if (xylem_json_type(values) != XYLEM_JSON_OBJECT || xylem_json_count(values) == 0) {
		xylem_reason_set(
			reason, "`set` takes a mapping of pointers to values, like { /data/channel: web }");
		return -XYLEM_E_INVALID;
	}
	program->changes = calloc(xylem_json_count(values), sizeof(struct change));
	program->arena = xylem_arena_new(0);
	if (!program->changes || !program->arena) {
		return -XYLEM_E_MEMORY;
	}
	/* The configuration's bytes may go before the program does. */
	values = xylem_arena_copy(program->arena, values);
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, values);
	while (xylem_json_next(&iterator)) {
		int error = change_compile(program, iterator.name, iterator.value, reason);
		if (error < 0) {
			return error;
		}
	}
	return 0;
}

static int compile(const void *pointer, void **ret_program, struct xylem_reason *reason)
{
	const struct options *options = pointer;
	struct program *program = calloc(1, sizeof(*program));
	if (!program) {
		return -XYLEM_E_MEMORY;
	}
	int error = changes_compile(program, xylem_json_trim(options->values), reason);
	if (error < 0) {
		program_free(program);
		return error;
	}
	*ret_program = program;
	return 0;
}

/* --- Applying --------------------------------------------------------------- */

struct apply {
	struct xylem_message *event;
	struct xylem_arena *arena;
	struct xylem_step_result *result;
	struct xylem_buffer buffers[2]; /* the text so far, and the next one */
	unsigned turn;
	bool checked, changed;
};

static void data_replaced(struct apply *own)
{
	if (!xylem_content_type_is_json(own->event->datacontenttype)) {
		own->event->datacontenttype = XYLEM_SPAN_LITERAL("application/json");
	}
	own->checked = true;
}

static bool data_set(struct apply *own, const struct program *program, const struct change *change)
{
	struct xylem_reason reason;
	if (change->target.whole) {
		own->event->data = change->value;
		own->changed = false; /* the value lives as long as the program: nothing to keep */
		data_replaced(own);
		return true;
	}
	if (!own->checked && !target_data_is_json(own->event, own->result)) {
		return false;
	}
	struct xylem_buffer *out = &own->buffers[own->turn ^= 1];
	xylem_buffer_clear(out);
	xylem_buffer_reserve(out, own->event->data.n + program->bytes);
	int error = xylem_json_set(change->target.pointer, own->event->data, change->value, out, &reason);
	if (error < 0) {
		step_fail(own->result, error == -XYLEM_E_MEMORY ? "memory" : "set", "%s",
			error == -XYLEM_E_MEMORY ? "out of memory" : reason.text);
		return false;
	}
	own->event->data = xylem_buffer_borrow(out);
	own->checked = own->changed = true;
	return true;
}

static bool change_apply(struct apply *own, const struct program *program, const struct change *change)
{
	if (!change->target.attribute) {
		return data_set(own, program, change);
	}
	struct xylem_span name = xylem_span_of(change->target.attribute);
	if (xylem_message_set_attribute(own->event, own->arena, name, change->value) < 0) {
		step_fail(own->result, "memory", "out of memory");
		return false;
	}
	return true;
}

static void apply(const void *pointer, void *worker, struct xylem_message *event, struct xylem_arena *arena,
	struct xylem_step_result *result)
{
	const struct program *program = pointer;
	struct xylem_message changed = *event;
	struct apply own = { .event = &changed, .arena = arena, .result = result };
	bool good = true;
	for (size_t i = 0; i < program->n && good; i++) {
		good = change_apply(&own, program, &program->changes[i]);
	}
	if (good && own.changed) {
		changed.data = xylem_arena_copy(arena, changed.data);
		good = xylem_span_present(changed.data);
		if (!good) {
			step_fail(result, "memory", "out of memory");
		}
	}
	if (good) {
		*event = changed;
	}
	xylem_buffer_finish(&own.buffers[0]);
	xylem_buffer_finish(&own.buffers[1]);
}

static const struct xylem_option options_table[] = {
	{ .name = "values",
		.type = XYLEM_OPTION_JSON,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		.offset = offsetof(struct options, values),
		.since = "0.1",
		.summary = "Pointers (RFC 6901) into the event, each with the JSON value to put there.",
		.example = "{ /data/channel: web, /subject: orders }" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_transform xylem_transform_set = {
	.contract_version = XYLEM_TRANSFORM_VERSION,
	.name = "set",
	.summary = "Puts fixed values into an event and leaves every other byte as it is.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.compile = compile,
	.program_free = program_free,
	.apply = apply,
};
