/* SPDX-License-Identifier: Apache-2.0 */
/* `set` and `remove`: what they change, and that they change nothing else. */
#include "step.h"

extern const struct xylem_transform xylem_transform_set, xylem_transform_remove;

struct set_options {
	struct xylem_span values;
};
struct remove_options {
	struct xylem_strings pointers;
};

static void set_run(const char *values, const char *type, struct xylem_span data, struct step *ret_step)
{
	struct set_options options = { xylem_span_of(values) };
	step_open(ret_step, &xylem_transform_set, &options);
	step_run(ret_step, type, data);
}

static void set_keeps_every_digit(void **state)
{
	struct step step;
	set_run("{\"/data/channel\":\"web\",\"/data/vat\":0.190}", "application/json", TEXT(EXACT_DATA),
		&step);
	assert_int_equal(step.result.outcome, XYLEM_STEP_PASS);
	step_data_is(&step, "{\"price\":19.99,\"id\":12345678901234567890,\"tiny\":1e-400,\"channel\":"
			    "\"web\",\"vat\":0.190}");
	step_close(&step);
}

static void set_changes_data(void **state)
{
	static const struct {
		const char *values, *type, *data, *result;
	} rows[] = {
		{ "{\"/data/a\":1}", NULL, NULL, "{\"a\":1}" },
		{ "{\"/data/a/b\":[ 1 ],\"/data/a/c\":null}", NULL, "{}",
			"{\"a\":{\"b\":[ 1 ],\"c\":null}}" },
		{ "{\"/data\":{\"x\":1},\"/data/y\":2}", NULL, "not json", "{\"x\":1,\"y\":2}" },
		{ "{\"/data\":7}", "text/plain", "old", "7" },
		{ "{\"/data/l/-\":3,\"/data/l/0\":0}", NULL, "{\"l\":[1,2]}", "{\"l\":[0,2,3]}" },
		{ "{\"/data/d~1x\":1.0}", NULL, " { } ", " {\"d/x\":1.0 } " },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct step step;
		set_run(rows[i].values, rows[i].type, xylem_span_of(rows[i].data), &step);
		assert_int_equal(step.result.outcome, XYLEM_STEP_PASS);
		step_data_is(&step, rows[i].result);
		assert_true(xylem_content_type_is_json(step.event.datacontenttype));
		step_close(&step);
	}
}

static void set_changes_attributes(void **state)
{
	struct step step;
	set_run("{\"/subject\":null,\"/type\":\"order.\\u00e9\",\"/priority\":7,\"/flag\":true}",
		"text/plain", TEXT("untouched"), &step);
	assert_int_equal(step.result.outcome, XYLEM_STEP_PASS);
	assert_false(xylem_span_present(step.event.subject));
	assert_true(xylem_span_is(step.event.type, "order.\xc3\xa9"));
	assert_true(xylem_span_is(xylem_message_attribute(&step.event, TEXT("priority")), "7"));
	assert_true(xylem_span_is(xylem_message_attribute(&step.event, TEXT("flag")), "true"));
	step_data_is(&step, "untouched");
	step_close(&step);
}

static void set_fails_with_a_reason(void **state)
{
	static const struct {
		const char *type, *data, *code, *says;
	} rows[] = {
		{ "text/plain", "{}", "not-json", "of type text/plain" },
		{ NULL, "{", "not-json", "not valid JSON at byte 1" },
		{ NULL, "{\"a\":1}", "set", "cannot set below `/a`: it is of type number" },
	};
	struct step step;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_run("{\"/subject\":\"new\",\"/data/a/b\":1}", rows[i].type, xylem_span_of(rows[i].data),
			&step);
		step_failed(&step, rows[i].code, rows[i].says);
		step_data_is(&step, rows[i].data);
		assert_true(xylem_span_is(step.event.subject, "old")); /* all or nothing */
		step_close(&step);
	}
}

static void set_refuses_at_load(void **state)
{
	static const struct {
		const char *values, *says;
	} rows[] = {
		{ "[]", "a mapping of pointers" },
		{ "{}", "a mapping of pointers" },
		{ "{\"data\":1}", "must begin with a slash" },
		{ "{\"\":1}", "the whole event" },
		{ "{\"/data_base64\":1}", "/data_base64 is nothing that a step changes" },
		{ "{\"/specversion\":\"2\"}", "/specversion is nothing" },
		{ "{\"/subject/x\":1}", "below an attribute" },
		{ "{\"/Sub\":\"x\"}", "/Sub is nothing" },
		{ "{\"/subject\":{}}", "takes a string" },
		{ "{\"/subject\":1.5}", "takes a string" },
		{ "{\"/id\":null}", "is required" },
		{ "{\"/time\":\"noon\"}", "attribute time is not a time" },
		{ "{\"/subject\":\"a\\u0007\"}", "control character" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct set_options options = { xylem_span_of(rows[i].values) };
		struct xylem_reason reason = { "" };
		void *program = NULL;
		assert_int_equal(xylem_transform_set.compile(&options, &program, &reason), -XYLEM_E_INVALID);
		if (!strstr(reason.text, rows[i].says)) {
			fail_msg("%s: %s", rows[i].values, reason.text);
		}
		assert_null(program);
	}
	xylem_transform_set.program_free(NULL);
}

static void remove_takes_out(void **state)
{
	static const char *const pointers[] = { "/data/id", "/data/none/x", "/subject", "/absent" };
	struct remove_options options = { { pointers, 4 } };
	struct step step;
	step_open(&step, &xylem_transform_remove, &options);
	assert_int_equal(step_run(&step, NULL, TEXT(EXACT_DATA)), XYLEM_STEP_PASS);
	step_data_is(&step, "{\"price\":19.99,\"tiny\":1e-400}");
	assert_false(xylem_span_present(step.event.subject));
	assert_int_equal(step_run(&step, NULL, XYLEM_SPAN_NONE), XYLEM_STEP_PASS);
	assert_int_equal(step_run(&step, "image/png", TEXT("x")), XYLEM_STEP_FAILED);
	step_failed(&step, "not-json", "image/png");
	assert_true(xylem_span_is(step.event.subject, "old"));
	step_close(&step);

	static const char *const whole[] = { "/data" };
	options = (struct remove_options){ { whole, 1 } };
	step_open(&step, &xylem_transform_remove, &options);
	assert_int_equal(step_run(&step, "image/png", TEXT("x")), XYLEM_STEP_PASS);
	assert_false(xylem_span_present(step.event.data));
	step_close(&step);
}

static void remove_refuses_at_load(void **state)
{
	static const char *const rows[][2] = { { "/type", "is required in every event" },
		{ "x", "begin with a slash" }, { "/data~", "tilde" }, { "", "the whole event" } };
	struct xylem_reason reason;
	void *program;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *pointers[] = { "/subject", rows[i][0] };
		struct remove_options options = { { pointers, 2 } };
		assert_int_equal(
			xylem_transform_remove.compile(&options, &program, &reason), -XYLEM_E_INVALID);
		if (!strstr(reason.text, rows[i][1])) {
			fail_msg("%s: %s", rows[i][0], reason.text);
		}
	}
	struct remove_options none = { { NULL, 0 } };
	assert_int_equal(xylem_transform_remove.compile(&none, &program, &reason), -XYLEM_E_INVALID);
	xylem_transform_remove.program_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_keeps_every_digit),
		cmocka_unit_test(set_changes_data),
		cmocka_unit_test(set_changes_attributes),
		cmocka_unit_test(set_fails_with_a_reason),
		cmocka_unit_test(set_refuses_at_load),
		cmocka_unit_test(remove_takes_out),
		cmocka_unit_test(remove_refuses_at_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
