/* SPDX-License-Identifier: Apache-2.0 */
/* `validate` as a step. The schemas themselves are in schema.c. */
#include "step.h"

extern const struct xylem_transform xylem_transform_validate;

struct validate_options {
	const struct xylem_file *schema;
};

static const char order_schema[] =
	"{ \"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"An order\", \"type\": "
	"\"object\","
	"\"required\": [\"order\"], \"properties\": { \"order\": { \"type\": \"object\", \"required\": "
	"[\"id\", \"lines\"],"
	"\"properties\": { \"id\": { \"type\": \"string\", \"pattern\": \"^[A-Z]-[0-9]+$\" },"
	"\"lines\": { \"type\": \"array\", \"minItems\": 1, \"items\": { \"$ref\": \"#/$defs/line\" } } } } "
	"},"
	"\"$defs\": { \"line\": { \"type\": \"object\", \"required\": [\"qty\"], \"additionalProperties\": "
	"false,"
	"\"properties\": { \"qty\": { \"type\": \"integer\", \"minimum\": 1 }, \"price\": { \"multipleOf\": "
	"0.01 } } } } }";

static const struct {
	const char *type, *data, *code, *says; /* code NULL: passes */
} rows[] = {
	{ NULL,
		"{\"order\":{\"id\":\"A-1\",\"lines\":[{\"qty\":1,\"price\":19.99},{\"qty\":"
		"12345678901234567890}]}}",
		NULL, NULL },
	{ NULL, "{\"order\":{\"id\":\"A-1\",\"lines\":[{\"qty\":0}]}}", "schema",
		"/order/lines/0/qty: 0 is less than the minimum 1" },
	{ NULL, "{\"order\":{\"id\":\"A-1\",\"lines\":[{\"qty\":1},{\"qty\":1.5}]}}", "schema",
		"/order/lines/1/qty: 1.5 is of type number, expected integer" },
	{ NULL, "{\"order\":{\"id\":\"A-1\",\"lines\":[{\"qty\":1,\"price\":0.015}]}}", "schema",
		"/order/lines/0/price: 0.015 is not a multiple of 0.01" },
	{ NULL, "{\"order\":{\"id\":\"A-1\",\"lines\":[{\"qty\":1,\"x/y\":2}]}}", "schema",
		"/order/lines/0: the member \"x/y\" is not allowed" },
	{ NULL, "{\"order\":{\"id\":\"A-1\",\"lines\":[]}}", "schema",
		"/order/lines: has 0 items, expected at least 1" },
	{ NULL, "{\"order\":{\"id\":\"a\",\"lines\":[]}}", "schema",
		"/order/id: \"a\" does not match the pattern ^[A-Z]-[0-9]+$" },
	{ NULL, "{\"order\":{\"lines\":[]}}", "schema", "/order: the member \"id\" is missing" },
	{ NULL, "[]", "schema", "data: [] is of type array, expected object" },
	{ NULL, NULL, "schema", "the event has none" },
	{ NULL, "{", "not-json", "not valid JSON at byte 1" },
	{ "text/plain", "{}", "not-json", "text/plain" },
};

static void breaking_data_is_held_with_its_place(void **state)
{
	struct xylem_file file = { .path = "order.schema.json", .bytes = xylem_span_of(order_schema) };
	struct validate_options options = { &file };
	struct step step;
	step_open(&step, &xylem_transform_validate, &options);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		step_run(&step, rows[i].type, xylem_span_of(rows[i].data));
		if (rows[i].code) {
			step_failed(&step, rows[i].code, rows[i].says);
		} else if (step.result.outcome != XYLEM_STEP_PASS) {
			fail_msg("%s: %s", rows[i].data, step.result.reason.text);
		}
		assert_true(xylem_span_equal(step.event.data, xylem_span_of(rows[i].data)));
	}
	step_close(&step);
	xylem_transform_validate.program_free(NULL);
	xylem_transform_validate.worker_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(breaking_data_is_held_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
