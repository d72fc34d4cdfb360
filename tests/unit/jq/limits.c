/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program may use: where few steps do much work, the work is counted, so
 * that the limit of steps, of memory or of time ends what would go on for hours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <jq/jq.h>

enum { KIB = 1024, MIB = 1024 * 1024, LANE_STACK = 1024 * 1024 };

/* JSON of a string of `n` bytes. */
static struct xylem_span long_string(struct xylem_buffer *out, size_t n)
{
	xylem_buffer_byte(out, '"');
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_byte(out, 'a');
	}
	xylem_buffer_byte(out, '"');
	return xylem_buffer_borrow(out);
}

/* JSON of an array of `n` objects, each with `members` members. */
static struct xylem_span many_objects(struct xylem_buffer *out, size_t n, int members)
{
	xylem_buffer_byte(out, '[');
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_text(out, i ? ",{" : "{");
		for (int m = 0; m < members; m++) {
			xylem_buffer_format(out, "%s\"m%d\":1", m ? "," : "", m);
		}
		xylem_buffer_byte(out, '}');
	}
	xylem_buffer_byte(out, ']');
	return xylem_buffer_borrow(out);
}

static int result_ignore(void *context, struct jq_machine *machine, struct jq_value value)
{
	(void)machine;
	(void)value;
	++*(size_t *)context;
	return 0;
}

/* Runs over the input; the reason is "" where nothing ended the run early. */
static int limited_run(
	const char *text, struct xylem_span input, struct jq_limits limits, struct xylem_reason *reason)
{
	struct jq_options options = { .limits = limits };
	struct jq_program *program = NULL;
	size_t results = 0;
	reason->text[0] = '\0';
	if (jq_program_new(xylem_span_of(text), &options, &program, NULL, reason) < 0) {
		fail_msg("%s", reason->text);
	}
	struct jq_machine *machine = jq_machine_new(program);
	assert_non_null(machine);
	jq_machine_begin(machine, 0);
	int error = jq_machine_run(machine, jq_value_json(input), result_ignore, &results, reason);
	jq_machine_free(machine);
	jq_program_free(program);
	return error;
}

static void limited_says(
	const char *text, struct xylem_span input, struct jq_limits limits, const char *wanted)
{
	struct xylem_reason reason;
	int error = limited_run(text, input, limits, &reason);
	if (!strstr(reason.text, wanted) || (error == 0) != (*wanted == '\0')) {
		fail_msg("%.100s: %d %s, not %s", text, error, reason.text, wanted);
	}
}

static void work_is_steps(void **unused)
{
	(void)unused;
	static const char *const programs[] = {
		/* Positions of a long part in a long text. */
		". as $s | indices($s[:10000])",
		". as $s | ($s[:9999] + \"b\") as $part | $s | rindex($part)",
		"[range(2000) | 0] | indices(.[:1000])",
		/* Functions and operators that go over all of a string. */
		"reduce range(2000) as $i (.; length as $n | .)",
		"reduce range(2000) as $i (.; (. + \"x\") as $n | .)",
		"reduce range(2000) as $i (.; (try (. - 1) catch 0) as $n | .)",
		/* Copies of a part of an array. */
		"[range(10000)] | reduce range(2000) as $i (.; .[1:] as $part | .)",
		/* Slices of an array that are deleted one by one. */
		"[range(2000)] | delpaths([range(2000) | [{start: ., end: 1}]])",
	};
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_span input = long_string(&out, 100 * KIB);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		limited_says(programs[i], input, (struct jq_limits){ .steps = 100000 },
			"more than 100000 steps (limit max_steps)");
	}
}

/* A match may take a million steps of the pattern for one of the program: only the clock tells. */
static void a_slow_pattern_is_timed(void **unused)
{
	(void)unused;
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_span input = long_string(&out, 2000);
	limited_says("last(range(1e9) as $i | try test(\"(a+)+[^a]\") catch 0)", input,
		(struct jq_limits){ .steps = 4000, .time_us = 1000 }, "longer than 1 ms (limit max_time)");
}

/* What was noted of one object makes room for what is noted of the next. */
static void notes_of_members_are_few(void **unused)
{
	(void)unused;
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_span input = many_objects(&out, 50000, 10);
	limited_says("reduce .[] as $each (0; . + $each.m1)", input, (struct jq_limits){ .memory = MIB }, "");
}

static void slices_of_indices_are_given_back(void **unused)
{
	(void)unused;
	limited_says("[range(1000)] | delpaths([range(1000) | [{start: 0, end: .}]])",
		XYLEM_SPAN_LITERAL("null"), (struct jq_limits){ .memory = 2 * (size_t)MIB }, "");
}

/* A program of `n` members, to be freed. */
static char *object_of(int n, const char *member)
{
	struct xylem_buffer program = { 0 };
	xylem_buffer_text(&program, "{(\"a\",\"b\"): .");
	for (int i = 0; i < n; i++) {
		xylem_buffer_format(&program, ", %s", member);
	}
	xylem_buffer_text(&program, "}");
	char *text = xylem_buffer_take(&program, NULL);
	assert_non_null(text);
	return text;
}

/* Nothing of ours is deeper than the limit says. */
static void *depth_ends(void *unused)
{
	limited_says("delpaths([[range(200000) | {start: 0, end: 1}]])", XYLEM_SPAN_LITERAL("[1]"),
		(struct jq_limits){ 0 }, "Path too deep");
	/* Members whose names and values multiply. */
	char *input = object_of(20000, "(.): ."), *constants = object_of(4000, "k: .");
	limited_says(input, XYLEM_SPAN_LITERAL("\"name\""), (struct jq_limits){ 0 }, "");
	limited_says(constants, XYLEM_SPAN_LITERAL("1"), (struct jq_limits){ .depth = 1000 },
		"deeper than 1000 (limit max_depth)");
	free(input);
	free(constants);
	return unused;
}

/* On a stack as small as a lane's. */
static void depth_ends_on_a_lane(void **unused)
{
	(void)unused;
	pthread_t thread;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, LANE_STACK), 0);
	assert_int_equal(pthread_create(&thread, &attributes, depth_ends, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}

/* Nothing times as much as one likes is nothing. */
static void repetition_of_nothing(void **unused)
{
	(void)unused;
	limited_says("\"\" * 1e300, \"\" * infinite", XYLEM_SPAN_LITERAL("1"), (struct jq_limits){ 0 }, "");
	limited_says("\"ab\" * 1e300", XYLEM_SPAN_LITERAL("1"), (struct jq_limits){ 0 }, "limit max_memory");
	limited_says(
		"\"ab\" * infinite", XYLEM_SPAN_LITERAL("1"), (struct jq_limits){ 0 }, "limit max_memory");
}

static void plain_limits(void **unused)
{
	(void)unused;
	static const struct {
		const char *program;
		struct jq_limits limits;
		const char *reason;
	} rows[] = {
		{ "[range(1e12)] | length", { .steps = 1000 }, "program:1:8: more than 1000 steps" },
		{ "[range(1e12)] | length", { .memory = MIB }, "more than 1048576 bytes of values" },
		{ "def f: 1 + f; f", { .depth = 200 }, "deeper than 200 (limit max_depth)" },
		{ "def f: f; f", { .steps = 1000 }, "(limit max_steps)" },
		{ "reduce range(300000) as $i (null; [.])", { 0 }, "nested deeper than 256 levels" },
		{ "try ([range(1e12)] | length) catch 0", { .steps = 1000 }, "(limit max_steps)" },
		{ "last(repeat(1))", { .time_us = 1000, .steps = UINT64_MAX }, "longer than 1 ms" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		limited_says(rows[i].program, XYLEM_SPAN_LITERAL("null"), rows[i].limits, rows[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_limits),
		cmocka_unit_test(work_is_steps),
		cmocka_unit_test(a_slow_pattern_is_timed),
		cmocka_unit_test(notes_of_members_are_few),
		cmocka_unit_test(slices_of_indices_are_given_back),
		cmocka_unit_test(depth_ends_on_a_lane),
		cmocka_unit_test(repetition_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
