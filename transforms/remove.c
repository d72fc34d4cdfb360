/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `remove`: takes values out of an event.
 *
 *     steps:
 *       - remove: [/data/card, /data/customer/birthday, /subject]
 *
 * What is not there is no error. All other bytes of the payload stay as they
 * are. `/data` takes the whole payload away. Required attributes (id, source,
 * type) are refused at load.
 */
#include <stdlib.h>

#include <xylem/transform.h>

#include "message/attribute.h"
#include "transforms/target.h"

struct options {
	struct xylem_strings pointers;
};

struct program {
	size_t n;
	struct target targets[];
};

static void program_free(void *pointer)
{
	struct program *program = pointer;
	for (size_t i = 0; program && i < program->n; i++) {
		target_finish(&program->targets[i]);
	}
	free(program);
}

static int target_compile(struct target *target, const char *text, struct xylem_reason *reason)
{
	int error = target_init(target, xylem_span_of(text), reason);
	if (error < 0) {
		return error;
	}
	const struct attribute *attribute = target->attribute
						    ? attribute_find(xylem_span_of(target->attribute))
						    : NULL;
	if (attribute && attribute->required) {
		xylem_reason_set(reason, "%s is required in every event and cannot be removed", text);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int compile(const void *pointer, void **ret_program, struct xylem_reason *reason)
{
	const struct options *options = pointer;
	if (options->pointers.n == 0) {
		xylem_reason_set(reason, "`remove` takes a list of pointers, like [/data/card]");
		return -XYLEM_E_INVALID;
	}
	struct program *program = calloc(1, sizeof(*program) + options->pointers.n * sizeof(struct target));
	if (!program) {
		return -XYLEM_E_MEMORY;
	}
	for (size_t i = 0; i < options->pointers.n; i++) {
		program->n = i + 1;
		int error = target_compile(&program->targets[i], options->pointers.items[i], reason);
		if (error < 0) {
			program_free(program);
			return error;
		}
	}
	*ret_program = program;
	return 0;
}

/* Each removal is a copy into the arena: at most the size of the data, and steps remove one or two values. */
static bool data_remove(const struct target *target, struct xylem_message *event, struct xylem_arena *arena)
{
	if (target->whole) {
		event->data = XYLEM_SPAN_NONE;
		return true;
	}
	if (!xylem_span_present(xylem_json_pointer_get(target->pointer, event->data))) {
		return true;
	}
	XYLEM_BUFFER_SCOPED out = { 0 };
	xylem_buffer_reserve(&out, event->data.n);
	if (xylem_json_remove(target->pointer, event->data, &out) < 0) {
		return false;
	}
	event->data = xylem_arena_copy(arena, xylem_buffer_borrow(&out));
	return xylem_span_present(event->data);
}

static void apply(const void *pointer, void *worker, struct xylem_message *event, struct xylem_arena *arena,
	struct xylem_step_result *result)
{
	const struct program *program = pointer;
	struct xylem_message changed = *event;
	bool checked = false;
	for (size_t i = 0; i < program->n; i++) {
		const struct target *target = &program->targets[i];
		bool good;
		if (target->attribute) {
			struct xylem_span name = xylem_span_of(target->attribute);
			good = xylem_message_set_attribute(&changed, arena, name, XYLEM_SPAN_NONE) == 0;
		} else {
			if (!target->whole && !checked && !target_data_is_json(&changed, result)) {
				return;
			}
			checked = true;
			good = data_remove(target, &changed, arena);
		}
		if (!good) {
			step_fail(result, "memory", "out of memory");
			return;
		}
	}
	*event = changed;
}

static const struct xylem_option options_table[] = {
	{ .name = "pointers",
		.type = XYLEM_OPTION_LIST,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		.offset = offsetof(struct options, pointers),
		.since = "0.1",
		.summary = "Pointers (RFC 6901) into the event to what is taken out.",
		.example = "[/data/card, /subject]" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_transform xylem_transform_remove = {
	.contract_version = XYLEM_TRANSFORM_VERSION,
	.name = "remove",
	.summary = "Takes values out of an event and leaves every other byte as it is.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.compile = compile,
	.program_free = program_free,
	.apply = apply,
};
