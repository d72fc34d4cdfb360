/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes up to the first newline as a JSON Schema, and those behind it as a
 * value: the schema is refused with a reason, or it answers, and the same
 * again. What passes a schema breaks its `not`, and the other way round.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <transforms/schema.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int answer(struct xylem_span schema, struct xylem_span value, struct xylem_arena *arena)
{
	struct schema_file *file;
	struct xylem_reason reason = { "" };
	if (schema_file_new(&file, schema, &reason) < 0) {
		assert(*reason.text);
		return 1;
	}
	struct schema_worker *worker = schema_worker_new();
	int error = schema_check(file, worker, value, arena, &reason);
	assert(error == 0 || error == -XYLEM_E_UNPROCESSABLE || error == -XYLEM_E_LIMIT);
	assert(error == 0 || *reason.text);
	assert(schema_check(file, worker, value, arena, &reason) == error);
	schema_worker_free(worker);
	schema_file_free(file);
	return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *text = (const char *)bytes, *newline = n ? memchr(text, '\n', n) : NULL;
	size_t length = newline ? (size_t)(newline - text) : n;
	struct xylem_span schema = xylem_span(text, length);
	struct xylem_span value = newline ? xylem_span(newline + 1, n - length - 1)
					  : XYLEM_SPAN_LITERAL("null");
	if (xylem_json_check(value, NULL, NULL) < 0) {
		return 0;
	}
	struct xylem_arena *arena = xylem_arena_new(0);
	int first = answer(schema, value, arena);
	/* A `$ref` of the schema would lead elsewhere in the new text. */
	if ((first == 0 || first == -XYLEM_E_UNPROCESSABLE) && !memmem(text, length, "$", 1) &&
		!memmem(text, length, "\\u", 2)) {
		struct xylem_buffer negated = { 0 };
		xylem_buffer_text(&negated, "{\"not\":");
		xylem_buffer_span(&negated, schema);
		xylem_buffer_byte(&negated, '}');
		int second = answer(xylem_buffer_borrow(&negated), value, arena);
		/* One level deeper it may be too deep to be JSON. */
		assert(second == 1 || second == (first == 0 ? -XYLEM_E_UNPROCESSABLE : 0));
		xylem_buffer_finish(&negated);
	}
	xylem_arena_free(arena);
	return 0;
}
