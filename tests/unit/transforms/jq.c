/* SPDX-License-Identifier: Apache-2.0 */
/* `jq`: results, refusals, limits, and that numbers come through as they are. */
#include <pthread.h>

#include <xylem/json.h>
#include <xylem/option.h>

#include "step.h"

struct jq_options {
	const char *program;
	int output;
	bool split;
	struct xylem_files modules;
	int64_t max_steps, max_memory, max_depth, max_output, max_time;
};

extern const struct xylem_transform xylem_transform_jq;
static const struct xylem_transform *const jq = &xylem_transform_jq;

static void jq_open(struct step *step, struct jq_options *options, const char *program)
{
	options->program = program;
	step_open(step, jq, options);
}

static void results_become_data(void **state)
{
	static const struct {
		const char *program, *type, *data, *result;
	} rows[] = {
		{ ".data", NULL, "{ \"b\" : 1, \"a\" : 19.99 }", "{ \"b\" : 1, \"a\" : 19.99 }" },
		{ "{id: .data.order.id, total: (.data.order.lines | map(.price * .qty) | add)}", NULL,
			"{\"order\":{\"id\":\"A\",\"lines\":[{\"price\":2.5,\"qty\":2},{\"price\":1,\"qty\":"
			"1}]}}",
			"{\"id\":\"A\",\"total\":6}" },
		{ ".type, empty", NULL, "1", "\"order.created\"" },
		{ ".data | ascii_upcase", "text/plain", "abc", "\"ABC\"" },
		{ ".data_base64", "image/png", "\xff", "\"/w==\"" },
		{ ".data == null", NULL, NULL, "true" },
		{ "now", NULL, "1", "1795339800.125" },
		{ "now | todate", NULL, "1", "\"2026-11-22T09:30:00Z\"" },
		{ "[.data, 1] # a comment", NULL, "1e2", "[1e2,1]" },
		{ "def env: 5; env + 1", NULL, "1", "6" }, /* a name of one's own is no one's business */
		{ "{now: 1, env: 2} | .now + .env", NULL, "1", "3" },
		{ "\"a $ENVY\"", NULL, "1", "\"a $ENVY\"" },
		{ "[65, 8364] | implode", NULL, "1", "\"A\xe2\x82\xac\"" },
		{ ".data as $x | $x", NULL, "\"\\u0000\xc3\xa9\\ud83c\\udf4f\"",
			"\"\\u0000\xc3\xa9\\ud83c\\udf4f\"" },
		{ ".data", NULL, "[9007199254740991,0.30000000000000004,1.0,-0,5e-324,123456789.123456]",
			"[9007199254740991,0.30000000000000004,1.0,-0,5e-324,123456789.123456]" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct jq_options options = { 0 };
		struct step step;
		jq_open(&step, &options, rows[i].program);
		for (int twice = 0; twice < 2; twice++) {
			step_run(&step, rows[i].type, xylem_span_of(rows[i].data));
			if (step.result.outcome != XYLEM_STEP_PASS) {
				fail_msg("%s: %s", rows[i].program, step.result.reason.text);
			}
			step_data_is(&step, rows[i].result);
			assert_true(xylem_content_type_is_json(step.event.datacontenttype));
			assert_true(xylem_span_is(step.event.id, "1"));
		}
		step_close(&step);
	}
}

static void numbers_come_through(void **state)
{
	static const char *const numbers[] = { "9007199254740993", "12345678901234567890", "1e1000", "0.1",
		"19.99", "-0", "1.10", "1e-400", "0.1000000000000000055", "-123456789012345678" };
	struct jq_options options = { 0 };
	struct step step;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char data[128], expected[512];
		const char *n = numbers[i];
		snprintf(data, sizeof(data), "{\"a\":%s}", n);
		snprintf(expected, sizeof(expected), "{\"a\":%s,\"b\":[%s],\"c\":[[%s]],\"d\":\"%s\"}", n, n,
			n, n);
		jq_open(&step, &options,
			"{a: .data.a, b: [.data.a], c: ([.data.a] | group_by(.)), d: (.data.a | tojson)}");
		assert_int_equal(step_run(&step, "application/json", xylem_span_of(data)), XYLEM_STEP_PASS);
		step_data_is(&step, expected);
		step_close(&step);
	}
	/* Not JSON by its type: text is text. */
	jq_open(&step, &options, ".data.price");
	assert_int_equal(step_run(&step, "text/plain", TEXT("12345678901234567890")), XYLEM_STEP_FAILED);
	step_failed(&step, "jq-error", "Cannot index string");
	step_close(&step);
}

static void limits_end_a_run(void **state)
{
	static const struct {
		const char *program, *says;
	} rows[] = {
		{ "last(1 |\n repeat(1))", "program:2:9: more than 100000 steps" },
		{ "def f: f; f", "more than 100000 steps" },
		{ "def f: 1 + f; f", "calls nested deeper than 1000" },
		{ "[range(1e12)]", "more than" },
		{ "\"x\" * 1e9", "more than 2097152 bytes of values" },
		{ "reduce range(300000) as $i (null; [.])", "nested deeper than" },
		{ "[limit(1000; repeat(\"0123456789\"))]", "more than 4096 bytes of results" },
	};
	struct jq_options options = {
		.max_steps = 100000, .max_memory = 2097152, .max_depth = 1000, .max_output = 4096
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct step step;
		jq_open(&step, &options, rows[i].program);
		step_run(&step, NULL, TEXT("1"));
		step_failed(&step, "jq-limit", rows[i].says);
		step_close(&step);
	}
}

static void modules_are_files_of_the_configuration(void **state)
{
	static const struct xylem_file money = { .path = "/x/money.jq",
		.bytes = { "def cents: . * 100 | floor;", 27 } };
	static const struct xylem_file rates = { .path = "/x/rates.json", .bytes = { "{\"EUR\":2}", 9 } };
	static const struct xylem_named_file files[] = { { "money", &money }, { "rates", &rates } };
	struct jq_options options = { .modules = { files, 2 } };
	struct step step;
	jq_open(&step, &options,
		"import \"money\" as m; import \"rates\" as $r; [(.data | m::cents), $r[0].EUR, "
		"$r::r[0].EUR]");
	step_run(&step, NULL, TEXT("1.5"));
	step_data_is(&step, "[150,2,2]");
	step_close(&step);
}

static void outcomes_other_than_one_result(void **state)
{
	struct jq_options options = { 0 };
	struct step step;
	jq_open(&step, &options,
		".data | if . == 1 then empty elif . == 2 then 1, 2 elif . == 3 then error(\"three\") "
		"elif . == 4 then error({a: 1}) elif . == 5 then .x else . end");
	assert_int_equal(step_run(&step, NULL, TEXT("1")), XYLEM_STEP_FILTERED);
	step_run(&step, NULL, TEXT("2"));
	step_failed(&step, "jq-several", "more than one result");
	step_run(&step, NULL, TEXT("3"));
	step_failed(&step, "jq-error", "three");
	step_run(&step, NULL, TEXT("4"));
	step_failed(&step, "jq-error", "{\"a\":1}");
	step_run(&step, NULL, TEXT("5"));
	step_failed(&step, "jq-error", "Cannot index number with");
	step_data_is(&step, "5");
	step_run(&step, NULL, TEXT("[1"));
	step_failed(&step, "not-json", "not valid JSON at byte 2");
	assert_int_equal(
		step_run(&step, NULL, TEXT("6")), XYLEM_STEP_PASS); /* and the engine is still whole */
	step_close(&step);

	jq_open(&step, &options, "[-1, 55296, 1114112, 1.5, \"a\"] | .[$__loc__.line - 1 + 0:] | implode");
	step_run(&step, NULL, TEXT("1"));
	step_failed(&step, "jq-error", "can't be imploded");
	step_close(&step);

	jq_open(&step, &options, "reduce range(200) as $i (1; [.])");
	step_run(&step, NULL, TEXT("1"));
	step_failed(&step, "jq-error", "nested deeper than 127");
	step_close(&step);
}

static void several_results_split(void **state)
{
	struct jq_options options = { .split = true };
	struct step step;
	jq_open(&step, &options, ".data[]");
	assert_int_equal(step_run(&step, NULL, TEXT("[\"a\",{\"b\":2},null,4,5,6,7,8,9]")), XYLEM_STEP_SPLIT);
	assert_int_equal(step.result.part_count, 9);
	assert_true(xylem_span_is(step.result.parts[1].data, "{\"b\":2}"));
	assert_true(xylem_span_is(step.result.parts[0].id, "1-1"));
	assert_true(xylem_span_is(step.result.parts[8].id, "1-9"));
	assert_true(xylem_span_is(xylem_message_attribute(&step.result.parts[8], TEXT("causationid")), "1"));
	assert_true(xylem_span_is(step.result.parts[8].type, "order.created"));
	assert_int_equal(step_run(&step, NULL, TEXT("[]")), XYLEM_STEP_FILTERED);
	step_close(&step);

	jq_open(&step, &options, "range(10001)");
	step_run(&step, NULL, TEXT("1"));
	step_failed(&step, "jq-several", "more than 10000 results");
	step_close(&step);
}

static void the_result_can_be_the_event(void **state)
{
	struct jq_options options = { .output = 1 };
	struct step step;
	jq_open(&step, &options, ".subject = \"new\" | .data.a += 1 | del(.datacontenttype) | .flag = true");
	assert_int_equal(step_run(&step, "application/json", TEXT("{\"a\":1}")), XYLEM_STEP_PASS);
	step_data_is(&step, "{\"a\":2}");
	assert_true(xylem_span_is(step.event.subject, "new"));
	assert_true(xylem_span_is(xylem_message_attribute(&step.event, TEXT("flag")), "true"));
	assert_false(xylem_span_present(step.event.datacontenttype));
	assert_int_equal(step.event.journal_time_us, 1795339800125000);
	assert_int_equal(step.event.kind, XYLEM_MESSAGE);
	step_close(&step);

	jq_open(&step, &options, "del(.type)");
	step_run(&step, NULL, TEXT("1"));
	step_failed(&step, "jq-event", "attribute type is required");
	step_close(&step);
}

static void wrong_programs_are_refused_at_load(void **state)
{
	static const char *const rows[][2] = {
		{ ".a |", "program:1:5: the program ends" },
		{ "{\n a: 1\n}}", "program:3:2: unexpected }" },
		{ "nosuch", "nosuch/0 is not defined" },
		{ "1) | (2", "program:1:2: unexpected )" },
		{ "env", "env is not available" },
		{ "env.HOME", "env is not available" },
		{ "$ENV.HOME", "$ENV is not available" },
		{ "$ENV", "$ENV is not available" },
		{ "input", "input is not available" },
		{ "[inputs]", "inputs is not available" },
		{ "debug", "debug is not available" },
		{ "input_filename", "input_filename is not available" },
		{ "halt", "halt is not available" },
		{ "halt_error", "halt_error is not available" },
		{ "1 | halt_error(1)", "halt_error is not available" },
		{ "now | localtime", "localtime is not available" },
		{ "now | strflocaltime(\"%H\")", "strflocaltime is not available" },
		{ "def f: env; f", "env is not available" },
		{ "import \"a\" as a; 1", "there is no module" },
		{ "include \"a\"; 1", "there is no module" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct jq_options options = { rows[i][0] };
		struct xylem_reason reason = { "" };
		void *program = NULL;
		assert_int_equal(jq->compile(&options, &program, &reason), -XYLEM_E_INVALID);
		assert_null(program);
		if (!strstr(reason.text, rows[i][1]) || !*reason.text) {
			fail_msg("%s: %s", rows[i][0], reason.text);
		}
	}
	jq->program_free(NULL);
	jq->worker_free(NULL);
}

struct worker_job {
	struct step *step;
	void *worker;
	bool good;
};

static void *worker_run(void *pointer)
{
	struct worker_job *job = pointer;
	struct xylem_arena *arena = xylem_arena_new(0);
	job->good = true;
	for (int i = 0; i < 200; i++) {
		struct xylem_message event = { .kind = XYLEM_MESSAGE,
			.id = TEXT("1"),
			.source = TEXT("s"),
			.type = TEXT("t"),
			.data = TEXT("{\"a\":[1,2,3]}") };
		struct xylem_step_result result = { .outcome = XYLEM_STEP_PASS };
		xylem_arena_reset(arena);
		jq->apply(job->step->program, job->worker, &event, arena, &result);
		job->good = job->good && result.outcome == XYLEM_STEP_PASS && xylem_span_is(event.data, "6");
	}
	xylem_arena_free(arena);
	return NULL;
}

/* One program, a worker for each thread. */
static void threads_have_engines_of_their_own(void **state)
{
	struct jq_options options = { 0 };
	struct step step;
	struct worker_job jobs[3];
	pthread_t threads[3];
	jq_open(&step, &options, ".data.a | add");
	for (int i = 0; i < 3; i++) {
		jobs[i] = (struct worker_job){ .step = &step };
		assert_int_equal(jq->worker_new(step.program, &jobs[i].worker), 0);
		assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &jobs[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_true(jobs[i].good);
		jq->worker_free(jobs[i].worker);
	}
	step_close(&step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_become_data),
		cmocka_unit_test(numbers_come_through),
		cmocka_unit_test(limits_end_a_run),
		cmocka_unit_test(modules_are_files_of_the_configuration),
		cmocka_unit_test(outcomes_other_than_one_result),
		cmocka_unit_test(several_results_split),
		cmocka_unit_test(the_result_can_be_the_event),
		cmocka_unit_test(wrong_programs_are_refused_at_load),
		cmocka_unit_test(threads_have_engines_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
