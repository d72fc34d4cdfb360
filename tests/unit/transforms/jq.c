/* SPDX-License-Identifier: Apache-2.0 */
/* `jq`, loaded as the bus loads it: results, refusals, and that no number changes unseen. */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <xylem/json.h>

#include "step.h"

struct jq_options {
	const char *program;
	int output;
	bool split;
};

static const struct xylem_transform *jq;

/* A static library gives a program only what it names: this is what the module will look for in it. */
#define CALLED(function) (const void *)(uintptr_t)function
static const void *const called[] __attribute__((used)) = { CALLED(xylem_arena_copy),
	CALLED(xylem_arena_format), CALLED(xylem_arena_free), CALLED(xylem_arena_new),
	CALLED(xylem_arena_take), CALLED(xylem_buffer_append), CALLED(xylem_buffer_byte),
	CALLED(xylem_buffer_clear), CALLED(xylem_buffer_finish), CALLED(xylem_buffer_format),
	CALLED(xylem_buffer_reserve), CALLED(xylem_buffer_text), CALLED(xylem_content_type_is_json),
	CALLED(xylem_json_check), CALLED(xylem_json_double), CALLED(xylem_json_iterate),
	CALLED(xylem_json_place), CALLED(xylem_json_string), CALLED(xylem_json_trim),
	CALLED(xylem_message_check), CALLED(xylem_message_read_json), CALLED(xylem_message_set_attribute),
	CALLED(xylem_message_write_json), CALLED(xylem_reason_set) };

/* transforms/jq.so lies beside the folder of this program. */
static int module_load(void **state)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	char *slash = strstr(path, "/tests/");
	assert_non_null(slash);
	snprintf(slash, sizeof(path) - (size_t)(slash - path), "/transforms/jq.so");
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		fail_msg("%s", dlerror());
	}
	jq = dlsym(module, "xylem_transform_jq");
	assert_non_null(jq);
	assert_int_equal(jq->contract_version, XYLEM_TRANSFORM_VERSION);
	return 0;
}

static void jq_open(struct step *step, struct jq_options *options, const char *program)
{
	*options = (struct jq_options){ program, options->output, options->split };
	step_open(step, jq, options);
}

static void results_become_data(void **state)
{
	static const struct {
		const char *program, *type, *data, *result;
	} rows[] = {
		{ ".data", NULL, "{ \"b\" : 1, \"a\" : 19.99 }", "{\"b\":1,\"a\":19.99}" },
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
		{ "[.data, 1] # a comment", NULL, "1e2", "[100,1]" },
		{ "def env: 5; env + 1", NULL, "1", "6" }, /* a name of one's own is no one's business */
		{ "{now: 1, env: 2} | .now + .env", NULL, "1", "3" },
		{ "\"a $ENVY\"", NULL, "1", "\"a $ENVY\"" },
		{ "[65, 8364] | implode", NULL, "1", "\"A\xe2\x82\xac\"" },
		{ ".data as $x | $x", NULL, "\"\\u0000\xc3\xa9\\ud83c\\udf4f\"",
			"\"\\u0000\xc3\xa9\xf0\x9f\x8d\x8f\"" },
		{ ".data", NULL, "[9007199254740991,0.30000000000000004,1.0,-0,5e-324,123456789.123456]",
			"[9007199254740991,0.30000000000000004,1,-0,5e-324,123456789.123456]" },
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

static void no_number_changes_unseen(void **state)
{
	static const char *const rows[][2] = {
		{ EXACT_DATA, "/data/id: the number 12345678901234567890 would lose digits" },
		{ "{\"price\":19.99,\"tiny\":1e-400}", "/data/tiny: the number 1e-400" },
		{ "{\"a\":[1,{\"b/c\":[0,9007199254740993]}]}",
			"/data/a/1/b~1c/1: the number 9007199254740993" },
		{ "1e400", "/data: the number 1e400" },
		{ "[\"9007199254740993\", 0.1000000000000000055]",
			"/data/1: the number 0.1000000000000000055" },
		{ "{\"n\":-123456789012345678}", "/data/n: the number -123456789012345678" },
	};
	struct jq_options options = { 0 };
	struct step step;
	jq_open(&step, &options, ".data.price");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		step_run(&step, "application/json", xylem_span_of(rows[i][0]));
		step_failed(&step, "number-inexact", rows[i][1]);
		step_data_is(&step, rows[i][0]);
	}
	/* Not JSON by its type: text is text. */
	assert_int_equal(step_run(&step, "text/plain", TEXT("12345678901234567890")), XYLEM_STEP_FAILED);
	step_failed(&step, "jq-error", "Cannot index string");
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
	step_failed(&step, "jq-error", "implode takes an array of code points");
	step_close(&step);

	jq_open(&step, &options, "reduce range(200) as $i (1; [.])");
	step_run(&step, NULL, TEXT("1"));
	step_failed(&step, "jq-error", "nested deeper than 128");
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
		{ ".a |", "syntax error" },
		{ "{\n a: 1\n}}", "line 3: syntax error" },
		{ "nosuch", "nosuch/0 is not defined" },
		{ "1) | (2", "syntax error" },
		{ "env", "`env` is not available in a step" },
		{ "env.HOME", "`env` is not available in a step" },
		{ "$ENV.HOME", "`$ENV` is not available in a step" },
		{ "$ENV", "`$ENV` is not available in a step" },
		{ "input", "`input` is not available" },
		{ "[inputs]", "`inputs` is not available" },
		{ "debug", "`debug` is not available" },
		{ "input_filename", "`input_filename` is not available" },
		{ "halt", "`halt` is not available" },
		{ "halt_error", "`halt_error` is not available" },
		{ "1 | halt_error(1)", "`halt_error` is not available" },
		{ "now | localtime", "`localtime` is not available" },
		{ "now | strflocaltime(\"%H\")", "`strflocaltime` is not available" },
		{ "def f: env; f", "`env` is not available in a step" },
		{ "def f: 1;", "a step is one expression" },
		{ "import \"a\" as a; 1", "" },
		{ "include \"a\"; 1", "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct jq_options options = { rows[i][0], 0, false };
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
		cmocka_unit_test(no_number_changes_unseen),
		cmocka_unit_test(outcomes_other_than_one_result),
		cmocka_unit_test(several_results_split),
		cmocka_unit_test(the_result_can_be_the_event),
		cmocka_unit_test(wrong_programs_are_refused_at_load),
		cmocka_unit_test(threads_have_engines_of_their_own),
	};
	return cmocka_run_group_tests(tests, module_load, NULL);
}
