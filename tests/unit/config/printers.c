/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is printed from the tables: the example is a configuration, the pages
 * have every option, the schema knows every section, a word is explained.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <config/config.h>
#include <config/schema.h>
#include <config/sections.h>
#include <config/tables.h>

#include "kinds.h"
#include "sandbox.h"

static struct table tables[TABLES_MOST];

static void the_example_is_a_configuration(void **state)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct config *config = NULL;
	struct config_report report = { 0 };
	example_write(&text);
	sandbox_bytes("x.yaml", 0644, text.bytes, text.n);
	setenv("XYLEM_XMPP_SECRET", "x", 1);
	assert_int_equal(config_load(&config, "x.yaml", &report), -XYLEM_E_INVALID);
	/* Well formed and typed; only the names of its route lead nowhere. */
	for (size_t i = 0; i < report.n; i++) {
		if (!report.problems[i].warning && !strstr(report.problems[i].text, "which is not defined")) {
			fail_msg("%d: %s", report.problems[i].place.line, report.problems[i].text);
		}
	}
	config_report_finish(&report);
}

static void a_page_has_every_option(void **state)
{
	size_t n = tables_list(tables);
	assert_true(n > SECTION_COUNT);
	for (size_t i = 0; i < n; i++) {
		XYLEM_BUFFER_SCOPED page = { 0 };
		reference_write(&tables[i], &page);
		xylem_buffer_byte(&page, '\0');
		for (const struct xylem_option *option = tables[i].options; option && option->name;
			option++) {
			char row[160];
			snprintf(row, sizeof(row), "\n| `%s` | ", option->name);
			assert_non_null(strstr(page.bytes, row));
			assert_non_null(option->summary);
			assert_int_equal(option->summary[strlen(option->summary) - 1], '.');
			assert_non_null(option->since);
		}
	}
}

static void the_schema_knows_every_section(void **state)
{
	json_t *schema = schema_new();
	json_t *properties = json_object_get(schema, "properties");
	assert_int_equal(json_object_size(properties), SECTION_COUNT);
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		assert_non_null(json_object_get(properties, sections[i].name));
	}
	json_t *kafka = NULL, *brokers = NULL, *ca = NULL;
	json_t *kinds = json_object_get(
		json_object_get(json_object_get(properties, "connectors"), "additionalProperties"),
		"properties");
	kafka = json_object_get(kinds, "kafka");
	assert_non_null(kafka);
	brokers = json_object_get(json_object_get(kafka, "properties"), "brokers");
	ca = json_object_get(
		json_object_get(json_object_get(json_object_get(kafka, "properties"), "tls"), "properties"),
		"ca");
	assert_non_null(brokers);
	assert_non_null(ca);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(kafka, "required"), 0)), "brokers");
	json_decref(schema);
}

static void a_word_is_explained(void **state)
{
	static const struct {
		const char *word, *says;
		bool known;
	} words[] = {
		{ "attempts", "attempts of lane: whole number, 1 to 1000; default 8", true },
		{ "batch.count", "batch.count of lane", true },
		{ "tls.ca", "Example: tls: { ca: ca.pem }", true },
		{ "kafka.brokers", "brokers of connector kafka: text; required", true },
		{ "kafka", "connector kafka", true },
		{ "bus", "max_message of section bus: size, 1KiB to 64MiB; default 1MiB", true },
		{ "verify", "`none`, `standard-webhooks` or `github`", true },
		{ "connectors", "webhook", true },
		{ "transforms", "validate", true },
		{ "attemps", "did you mean `attempts`?", false },
		{ "qqqqqqqqqq", "nothing is called", false },
		{ "", "nothing is called", false },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		XYLEM_BUFFER_SCOPED text = { 0 };
		assert_int_equal(explain_write(words[i].word, &text), words[i].known);
		xylem_buffer_byte(&text, '\0');
		if (!strstr(text.bytes, words[i].says)) {
			fail_msg("%s: got: %s", words[i].word, text.bytes);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_example_is_a_configuration, sandbox_setup, sandbox_teardown),
		cmocka_unit_test(a_page_has_every_option),
		cmocka_unit_test(the_schema_knows_every_section),
		cmocka_unit_test(a_word_is_explained),
	};
	return cmocka_run_group_tests_name("config printers", tests, NULL, NULL);
}
