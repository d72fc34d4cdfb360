/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: where they may come from, who else may read the file, that their
 * bytes show up nowhere, and what they do to the sums of a generation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <config/config.h>
#include <config/fill.h>
#include <config/schema.h>
#include <config/tables.h>

#include "kinds.h"
#include "sandbox.h"

#define CANARY "canary-3c9e-canary-3c9e"

static const char *const frame = "bus: { name: a, data: ./d }\n"
				 "connectors:\n"
				 "  s: { webhook: { path: /, key: /id, secret: { %s } } }\n"
				 "  e: { postgres: { dsn: x } }\n"
				 "routes: { r: { from: [s], to: [e] } }\n";

static int load(struct config **ret_config, struct config_report *report, const char *secret)
{
	char text[1024];
	snprintf(text, sizeof(text), frame, secret);
	sandbox_write("x.yaml", 0644, text);
	return config_load(ret_config, "x.yaml", report);
}

static struct xylem_span secret_of(const struct config *config)
{
	const struct test_options *options = config_find_connector(config_view(config), "s")->options;
	return xylem_secret_borrow(options->secret);
}

static void a_secret_comes_from_three_places(void **state)
{
	static const char *const forms[] = { "file: key", "env: TEST_SECRET", "credential: key" };
	sandbox_write("key", 0600, CANARY "\n");
	setenv("TEST_SECRET", CANARY, 1);
	setenv("CREDENTIALS_DIRECTORY", sandbox, 1);
	for (size_t i = 0; i < 3; i++) {
		struct config *config = NULL;
		struct config_report report = { 0 };
		assert_int_equal(load(&config, &report, forms[i]), 0);
		assert_true(xylem_span_is(secret_of(config), CANARY));
		config_unref(config);
		config_report_finish(&report);
	}
}

/* NULL: taken. */
static void a_file_is_read_by_the_bus_alone(void **state)
{
	static const struct {
		mode_t mode;
		const char *words;
	} modes[] = {
		{ 0600, NULL },
		{ 0400, NULL },
		{ 0604, "by everybody" },
		{ 0602, "by everybody" },
		{ 0666, "by everybody" },
		{ 0640, "by its group" },
		{ 0660, "by its group" },
	};
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		struct config *config = NULL;
		struct config_report report = { 0 };
		sandbox_write("key", modes[i].mode, CANARY);
		int error = load(&config, &report, "file: key");
		assert_int_equal(error, modes[i].words ? -XYLEM_E_INVALID : 0);
		assert_true(!modes[i].words || strstr(report.problems[0].text, modes[i].words));
		config_unref(config);
		config_report_finish(&report);
		unlink("key");
	}
}

static void one_line_end_is_taken_off(void **state)
{
	static const struct {
		const char *bytes, *secret;
	} files[] = {
		{ "a", "a" },
		{ "a\n", "a" },
		{ "a\r\n", "a" },
		{ "a\n\n", "a\n" },
		{ " a ", " a " },
		{ "\n", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct config *config = NULL;
		struct config_report report = { 0 };
		sandbox_write("key", 0600, files[i].bytes);
		assert_int_equal(load(&config, &report, "file: key"), files[i].secret ? 0 : -XYLEM_E_INVALID);
		assert_true(!config || xylem_span_is(secret_of(config), files[i].secret));
		config_unref(config);
		config_report_finish(&report);
	}
}

static void what_is_no_file_is_not_waited_for(void **state)
{
	struct config *config = NULL;
	struct config_report report = { 0 };
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(load(&config, &report, "file: pipe"), -XYLEM_E_INVALID);
	assert_non_null(strstr(report.problems[0].text, "is not a regular file"));
	config_report_finish(&report);
	char *large = calloc(1, 70000);
	sandbox_bytes("large", 0600, large, 70000);
	free(large);
	report = (struct config_report){ 0 };
	assert_int_equal(load(&config, &report, "file: large"), -XYLEM_E_INVALID);
	assert_non_null(strstr(report.problems[0].text, "larger than the limit"));
	config_report_finish(&report);
}

static void a_changed_secret_is_seen_but_not_shown(void **state)
{
	struct config *first = NULL, *second = NULL, *third = NULL;
	struct config_report report = { 0 };
	sandbox_write("key", 0600, CANARY);
	assert_int_equal(load(&first, &report, "file: key"), 0);
	assert_int_equal(load(&second, &report, "file: key"), 0);
	sandbox_write("key", 0600, CANARY "x");
	assert_int_equal(load(&third, &report, "file: key"), 0);
	const struct config_connector *a = config_find_connector(config_view(first), "s");
	const struct config_connector *b = config_find_connector(config_view(second), "s");
	const struct config_connector *c = config_find_connector(config_view(third), "s");
	assert_memory_equal(a->options_hash, b->options_hash, 32);
	assert_memory_not_equal(a->options_hash, c->options_hash, 32);
	/* The generation is printed and stored: nobody shall try guesses against it. */
	assert_string_equal(config_view(first)->generation, config_view(third)->generation);
	config_unref(first);
	config_unref(second);
	config_unref(third);
	config_report_finish(&report);
}

static void no_printer_shows_a_secret(void **state)
{
	struct config *config = NULL;
	struct config_report report = { 0 };
	XYLEM_BUFFER_SCOPED text = { 0 };
	setenv("TEST_SECRET", CANARY, 1);
	assert_int_equal(load(&config, &report, "env: TEST_SECRET"), 0);
	example_write(&text);
	static struct table tables[TABLES_MOST];
	size_t n = tables_list(tables);
	for (size_t i = 0; i < n; i++) {
		reference_write(&tables[i], &text);
	}
	assert_true(explain_write("secret", &text));
	json_t *schema = schema_new();
	char *dumped = json_dumps(schema, 0);
	xylem_buffer_text(&text, dumped);
	free(dumped);
	json_decref(schema);
	xylem_buffer_byte(&text, '\0');
	assert_false(text.failed);
	assert_null(strstr(text.bytes, "canary-3c9e"));
	config_unref(config);
	config_report_finish(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_secret_comes_from_three_places, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			a_file_is_read_by_the_bus_alone, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(one_line_end_is_taken_off, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_no_file_is_not_waited_for, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			a_changed_secret_is_seen_but_not_shown, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(no_printer_shows_a_secret, sandbox_setup, sandbox_teardown),
	};
	return cmocka_run_group_tests_name("config secrets", tests, NULL, NULL);
}
