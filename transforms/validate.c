/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `validate`: holds an event whose data breaks a JSON Schema.
 *
 *     steps:
 *       - validate: { schema: order.schema.json }
 *
 * The schema (2020-12, the subset of docs/transforms.md) belongs to the
 * configuration and is compiled with it; a keyword outside the subset is
 * refused there. What breaks it becomes a case with the place and what was
 * expected, like `/order/lines/0/qty: 0 is less than the minimum 1`.
 *
 * Numbers are compared by their digits, exactly. Nothing is changed.
 */
#include <stdlib.h>

#include <xylem/transform.h>

#include "transforms/schema.h"
#include "transforms/target.h"

struct options {
	const struct xylem_file *schema;
};

static int compile(const void *pointer, void **ret_program, struct xylem_reason *reason)
{
	const struct options *options = pointer;
	struct schema_file *file;
	int error = schema_file_new(&file, options->schema->bytes, reason);
	if (error == 0) {
		*ret_program = file;
	}
	return error;
}

static void program_free(void *program)
{
	schema_file_free(program);
}

static int worker_new(const void *program, void **ret_worker)
{
	struct schema_worker *worker = schema_worker_new();
	if (worker) {
		*ret_worker = worker;
	}
	return worker ? 0 : -XYLEM_E_MEMORY;
}

static void worker_free(void *worker)
{
	schema_worker_free(worker);
}

static void apply(const void *program, void *worker, struct xylem_message *event, struct xylem_arena *arena,
	struct xylem_step_result *result)
{
	struct xylem_reason reason = { "" };
	if (!target_data_is_json(event, result)) {
		return;
	}
	if (!xylem_span_present(event->data)) {
		step_fail(result, "schema", "data: the event has none, and the schema is about data");
		return;
	}
	int error = schema_check(program, worker, event->data, arena, &reason);
	if (error < 0) {
		step_fail(result,
			error == -XYLEM_E_UNPROCESSABLE ? "schema"
			: error == -XYLEM_E_LIMIT       ? "schema-limit"
							: "memory",
			"%s", reason.text);
	}
}

static const struct xylem_option options_table[] = {
	{ .name = "schema",
		.type = XYLEM_OPTION_FILE,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		.offset = offsetof(struct options, schema),
		.since = "0.1",
		.summary = "File with a JSON Schema (2020-12) for the data.",
		.example = "order.schema.json" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC extern const struct xylem_transform xylem_transform_validate;
XYLEM_PUBLIC const struct xylem_transform xylem_transform_validate = {
	.contract_version = XYLEM_TRANSFORM_VERSION,
	.name = "validate",
	.summary = "Holds an event whose data breaks a JSON Schema.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.compile = compile,
	.program_free = program_free,
	.worker_new = worker_new,
	.worker_free = worker_free,
	.apply = apply,
};
