/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jq language: a program, a zero byte, an input. What compiles runs under
 * small limits; each result is written and must be valid JSON again, and the same
 * from an input that is looked at by an index as from one that is scanned.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jq/jq.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct results {
	const struct jq_form *form;
	struct xylem_buffer out;
	int error;
};

static int result_take(void *context, struct jq_machine *machine, struct jq_value value)
{
	struct results *results = context;
	struct xylem_reason reason;
	size_t before = results->out.n;
	if (jq_result_write(machine, value, results->form, &results->out, &reason) < 0) {
		return -XYLEM_E_LIMIT;
	}
	struct xylem_span json = xylem_span(results->out.bytes + before, results->out.n - before);
	if (!jq_is_deeper(value, json, XYLEM_JSON_DEPTH) && xylem_json_check(json, NULL, &reason) < 0) {
		abort();
	}
	return 0;
}

static struct results run_once(
	struct jq_machine *machine, struct xylem_span input, const struct jq_form *form, bool indexed)
{
	struct results results = { .form = form };
	struct xylem_reason reason;
	jq_machine_begin(machine, 1795339800125000);
	struct jq_value value = jq_value_text(machine, input, &reason);
	if (jq_is_none(value)) {
		results.error = -XYLEM_E_INVALID;
		return results;
	}
	if (!indexed) {
		jq_machine_begin(machine, 1795339800125000); /* forgets the notes */
		value = jq_value_json(input);
	}
	results.error = jq_machine_run(machine, value, result_take, &results, &reason);
	if (results.error == -XYLEM_E_UNPROCESSABLE) {
		jq_result_write(machine, jq_machine_error(machine), form, &results.out, &reason);
	}
	return results;
}

/* A limit may end the one earlier than the other. */
static void run(const struct jq_program *program, struct xylem_span input, const struct jq_form *form)
{
	struct jq_machine *machine = jq_machine_new(program);
	if (machine) {
		struct results scanned = run_once(machine, input, form, false),
			       indexed = run_once(machine, input, form, true);
		if (scanned.error != -XYLEM_E_LIMIT && indexed.error != -XYLEM_E_LIMIT &&
			(scanned.error != indexed.error ||
				!xylem_span_equal(xylem_buffer_borrow(&scanned.out),
					xylem_buffer_borrow(&indexed.out)))) {
			abort();
		}
		xylem_buffer_finish(&scanned.out);
		xylem_buffer_finish(&indexed.out);
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
