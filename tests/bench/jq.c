/* SPDX-License-Identifier: Apache-2.0 */
/* The jq bench on our engine: check, run, write, as the `jq` step does for each message. */
#include <stdio.h>
#include <stdlib.h>

#include <jq/jq.h>

#include "tests/bench/jq_shapes.h"

struct compiled {
	struct jq_program *program;
	struct jq_machine *machine;
	struct xylem_buffer out;
};

static void *compile(const char *text)
{
	static const struct jq_options options = { .file = "bench" };
	struct compiled *compiled = calloc(1, sizeof(*compiled));
	struct xylem_reason reason = { "" };
	if (!compiled ||
		jq_program_new(xylem_span_of(text), &options, &compiled->program, NULL, &reason) < 0) {
		fprintf(stderr, "%s\n", reason.text);
		free(compiled);
		return NULL;
	}
	compiled->machine = jq_machine_new(compiled->program);
	return compiled;
}

static int result(void *context, struct jq_machine *machine, struct jq_value value)
{
	struct compiled *compiled = context;
	struct xylem_reason reason;
	static const struct jq_form form = { .verbatim = true };
	return jq_result_write(machine, value, &form, &compiled->out, &reason);
}

static size_t run(void *pointer, const char *document, size_t n)
{
	struct compiled *compiled = pointer;
	struct xylem_reason reason = { "" };
	struct xylem_span input = xylem_span(document, n);
	xylem_buffer_clear(&compiled->out);
	jq_machine_begin(compiled->machine, 0);
	struct jq_value value = jq_value_text(compiled->machine, input, &reason);
	if (jq_is_none(value) || jq_machine_run(compiled->machine, value, result, compiled, &reason) < 0) {
		fprintf(stderr, "%s\n", reason.text);
		exit(1);
	}
	return compiled->out.n;
}

static void release(void *pointer)
{
	struct compiled *compiled = pointer;
	jq_machine_free(compiled->machine);
	jq_program_free(compiled->program);
	xylem_buffer_finish(&compiled->out);
	free(compiled);
}

int main(int argc, char **argv)
{
	static const struct jq_engine engine = { "xylem", compile, run, release };
	return jq_bench_main(&engine, argc, argv);
}
