/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that an index of a text cannot hold as they are: with escapes, and as
 * long as the mark of those. The text ends with the memory that it lies in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jq/jq.h>

static int result_take(void *context, struct jq_machine *machine, struct jq_value value)
{
	struct xylem_reason reason;
	return jq_result_write(machine, value, NULL, context, &reason);
}

/* The one result of a program over a text of its own memory. */
static void says(const char *program_text, struct xylem_span input, const char *wanted)
{
	struct xylem_reason reason = { "" };
	struct jq_program *program = NULL;
	XYLEM_BUFFER_SCOPED out = { 0 };
	char *text = malloc(input.n);
	assert_non_null(text);
	memcpy(text, input.at, input.n);
	assert_int_equal(jq_program_new(xylem_span_of(program_text), NULL, &program, NULL, &reason), 0);
	struct jq_machine *machine = jq_machine_new(program);
	assert_non_null(machine);
	jq_machine_begin(machine, 0);
	struct jq_value value = jq_value_text(machine, xylem_span(text, input.n), &reason);
	assert_false(jq_is_none(value));
	assert_int_equal(jq_machine_run(machine, value, result_take, &out, &reason), 0);
	xylem_buffer_byte(&out, '\0');
	assert_string_equal(out.bytes, wanted);
	jq_machine_free(machine);
	jq_program_free(program);
	free(text);
}

/* {"k":"aa...","o":{MEMBERS}}, `n` times the a. */
static void long_name_says(size_t n, const char *members, const char *wanted)
{
	XYLEM_BUFFER_SCOPED json = { 0 };
	xylem_buffer_text(&json, "{\"k\":\"");
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_byte(&json, 'a');
	}
	xylem_buffer_format(&json, "\",\"o\":{%s}}", members);
	says(".o[.k]", xylem_buffer_borrow(&json), wanted);
	says("[.o[.k], .o[.k]] | .[1]", xylem_buffer_borrow(&json), wanted);
}

static void a_name_as_long_as_a_mark(void **state)
{
	static const size_t lengths[] = { 1, 255, 65534, 65535, 65536, 65537, 131071 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		bool one = lengths[i] == 1;
		long_name_says(lengths[i], "\"\\u0061\":1,\"b\":2", one ? "1" : "null");
		long_name_says(lengths[i], "\"a\":1,\"\\u0062\":2", one ? "1" : "null");
		long_name_says(lengths[i], "", "null");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_as_long_as_a_mark),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
