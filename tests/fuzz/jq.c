/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jq language: a program, a zero byte, an input. What compiles runs under
 * small limits; each result is written and must be valid JSON again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jq/jq.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int result_take(void *context, struct jq_machine *machine, struct jq_value value)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_reason reason;
	const struct jq_form *form = context;
	if (jq_result_write(machine, value, form, &out, &reason) < 0) {
		return -1;
	}
	struct xylem_span json = xylem_buffer_borrow(&out);
	if (!jq_is_deeper(value, json, XYLEM_JSON_DEPTH) && xylem_json_check(json, NULL, &reason) < 0) {
		abort();
	}
	return 0;
}

static void run(const struct jq_program *program, struct xylem_span input, const struct jq_form *form)
{
	struct xylem_reason reason;
	struct jq_machine *machine = jq_machine_new(program);
	for (int twice = 0; machine && twice < 2; twice++) {
		jq_machine_begin(machine, 1795339800125000);
		struct jq_value value = jq_value_parse(machine, input, twice == 0);
		jq_machine_run(machine, value, result_take, (void *)(uintptr_t)form, &reason);
	}
	jq_machine_free(machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct jq_form verbatim = { .verbatim = true }, sorted = { .sorted = true, .indent = 2 };
	const struct jq_options options = { .limits = { .steps = 50000,
						    .memory = 4 * 1024 * 1024,
						    .depth = 300,
						    .output = 64 * 1024,
						    .time_us = 2000000 } };
	const uint8_t *end = memchr(bytes, '\0', n);
	size_t length = end ? (size_t)(end - bytes) : n;
	struct xylem_span text = { (const char *)bytes, length };
	struct xylem_span input = end ? xylem_span((const char *)end + 1, n - length - 1)
				      : XYLEM_SPAN_LITERAL("null");
	struct jq_program *program;
	struct xylem_reason reason;
	if (n == 0 || jq_program_new(text, &options, &program, NULL, &reason) < 0) {
		return 0;
	}
	run(program, input, &verbatim);
	run(program, input, &sorted);
	jq_program_free(program);
	return 0;
}
