/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema, keyword by keyword: what passes, what does not and why, and what is refused at load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <transforms/schema.h>

/* One schema, one value; `says` NULL: it passes. */
static const struct {
	const char *schema, *json, *says;
} rows[] = {
	{ "true", "1", NULL },
	{ "false", "1", "data: no value is allowed here" },
	{ "{}", "[1,{}]", NULL },
	/* type */
	{ "{\"type\":\"null\"}", "null", NULL },
	{ "{\"type\":\"null\"}", "0", "data: 0 is of type number, expected null" },
	{ "{\"type\":\"boolean\"}", "true", NULL },
	{ "{\"type\":\"boolean\"}", "false", NULL },
	{ "{\"type\":\"boolean\"}", "\"true\"", "is of type string, expected boolean" },
	{ "{\"type\":\"number\"}", "1e400", NULL },
	{ "{\"type\":\"integer\"}", "1.0", NULL },
	{ "{\"type\":\"integer\"}", "150e-1", NULL },
	{ "{\"type\":\"integer\"}", "1e99999999999999999999", NULL },
	{ "{\"type\":\"integer\"}", "1e-99999999999999999999", "expected integer" },
	{ "{\"type\":\"integer\"}", "0e-99999999999999999999", NULL },
	{ "{\"type\":\"integer\"}", "1.5", "1.5 is of type number, expected integer" },
	{ "{\"type\":[\"string\",\"null\"]}", "null", NULL },
	{ "{\"type\":[\"string\",\"null\"]}", "1", "expected string or null" },
	{ "{\"type\":[\"integer\",\"array\",\"object\"]}", "\"x\"", "expected object or array or integer" },
	/* enum, const */
	{ "{\"enum\":[1,\"a\",null,{\"b\":[1]}]}", "1.0", NULL },
	{ "{\"enum\":[1,\"a\",null,{\"b\":[1]}]}", "\"\\u0061\"", NULL },
	{ "{\"enum\":[1,\"a\",null,{\"b\":[1]}]}", "{\"b\":[1e0]}", NULL },
	{ "{\"enum\":[1,\"a\"]}", "true", "data: true is none of [1,\"a\"]" },
	{ "{\"enum\":[12345678901234567890]}", "12345678901234567891", "is none of" },
	{ "{\"const\":{\"a\":1,\"b\":2}}", "{\"b\":2,\"a\":1}", NULL },
	{ "{\"const\":null}", "false", "false is not null" },
	/* numbers, exactly */
	{ "{\"minimum\":1}", "1", NULL },
	{ "{\"minimum\":1}", "0.9999999999999999999999",
		"data: 0.9999999999999999999999 is less than the minimum 1" },
	{ "{\"minimum\":1}", "\"0\"", NULL },
	{ "{\"maximum\":12345678901234567890}", "12345678901234567890", NULL },
	{ "{\"maximum\":12345678901234567890}", "12345678901234567891", "is more than the maximum" },
	{ "{\"exclusiveMinimum\":0}", "1e-400", NULL },
	{ "{\"exclusiveMinimum\":0}", "0.0", "0.0 is not more than 0" },
	{ "{\"exclusiveMaximum\":3}", "2.99999999999999999999", NULL },
	{ "{\"exclusiveMaximum\":3}", "3.0", "3.0 is not less than 3" },
	{ "{\"multipleOf\":0.01}", "19.99", NULL },
	{ "{\"multipleOf\":0.01}", "4.35", NULL },
	{ "{\"multipleOf\":0.01}", "0", NULL },
	{ "{\"multipleOf\":0.01}", "-0.075", "-0.075 is not a multiple of 0.01" },
	{ "{\"multipleOf\":0.0001}", "0.0075", NULL },
	{ "{\"multipleOf\":0.0001}", "0.00751", "is not a multiple" },
	{ "{\"multipleOf\":3}", "123456789012345678901234567890", NULL },
	{ "{\"multipleOf\":3}", "123456789012345678901234567891", "is not a multiple" },
	{ "{\"multipleOf\":7}", "1e99999999999999999999", "is not a multiple" },
	{ "{\"multipleOf\":1024}", "1e99999999999999999999", NULL },
	{ "{\"multipleOf\":1}", "1e-99999999999999999999", "is not a multiple" },
	{ "{\"multipleOf\":20}", "1e2", NULL },
	{ "{\"multipleOf\":1e2}", "50", "50 is not a multiple of 1e2" },
	{ "{\"multipleOf\":1e308}", "1e308", NULL },
	/* strings */
	{ "{\"minLength\":2}", "\"\\ud83c\\udf4f\\u00e9\"", NULL },
	{ "{\"minLength\":2}", "\"\xf0\x9f\x8d\x8f\"", "has 1 characters, expected at least 2" },
	{ "{\"maxLength\":2}", "\"\\n\\n\"", NULL },
	{ "{\"maxLength\":2}", "\"abc\"", "data: \"abc\" has 3 characters, expected at most 2" },
	{ "{\"maxLength\":0}", "12", NULL },
	{ "{\"pattern\":\"^a+$\"}", "\"aaa\"", NULL },
	{ "{\"pattern\":\"^a+$\"}", "\"aaa\\n\"", "does not match the pattern ^a+$" },
	{ "{\"pattern\":\"b\"}", "\"abc\"", NULL },
	{ "{\"pattern\":\"^\\\\u00e9$\"}", "\"\\u00e9\"", NULL },
	{ "{\"pattern\":\"^.$\"}", "\"\xf0\x9f\x8d\x8f\"", NULL },
	{ "{\"pattern\":\"^\\\\d$\"}", "\"\xd9\xa3\"", "does not match" }, /* an Arabic digit: \d is ASCII */
	{ "{\"pattern\":\"^\\\\d$\"}", "3", NULL },
	{ "{\"format\":\"date\"}", "\"never\"", NULL }, /* an annotation */
	/* arrays */
	{ "{\"items\":{\"type\":\"number\"}}", "[1,2,3]", NULL },
	{ "{\"items\":{\"type\":\"number\"}}", "[1,\"2\",3]",
		"/1: \"2\" is of type string, expected number" },
	{ "{\"items\":false}", "[]", NULL },
	{ "{\"items\":false}", "[1]", "/0: no value is allowed here" },
	{ "{\"items\":{\"type\":\"number\"}}", "{\"0\":\"x\"}", NULL },
	{ "{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "[\"a\",1,null]", NULL },
	{ "{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "[\"a\"]", NULL },
	{ "{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "[\"a\",\"b\"]",
		"/1: \"b\" is of type string" },
	{ "{\"prefixItems\":[true],\"items\":{\"type\":\"null\"}}", "[1,null,2]",
		"/2: 2 is of type number, expected null" },
	{ "{\"minItems\":1}", "[]", "data: has 0 items, expected at least 1" },
	{ "{\"maxItems\":1}", "[1,2]", "has 2 items, expected at most 1" },
	{ "{\"maxItems\":1}", "[1]", NULL },
	{ "{\"uniqueItems\":true}", "[1,2,\"1\",{\"a\":1,\"b\":2},[1]]", NULL },
	{ "{\"uniqueItems\":true}", "[1,true,\"x\",1.0]", "stands in it twice" },
	{ "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "stands in it twice" },
	{ "{\"uniqueItems\":true}", "[0,false,null,\"\",[],{}]", NULL },
	{ "{\"uniqueItems\":false}", "[1,1]", NULL },
	/* objects */
	{ "{\"properties\":{\"a\":{\"type\":\"number\"}}}", "{\"b\":\"x\"}", NULL },
	{ "{\"properties\":{\"a\":{\"type\":\"number\"}}}", "{\"\\u0061\":\"x\"}",
		"/a: \"x\" is of type string, expected number" },
	{ "{\"properties\":{\"a~b/c\":false}}", "{\"a~b/c\":1}", "/a~0b~1c: no value is allowed here" },
	{ "{\"properties\":{\"a\":{\"properties\":{\"b\":{\"const\":1}}}}}", "{\"a\":{\"b\":2}}",
		"/a/b: 2 is not 1" },
	{ "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1}", NULL },
	{ "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}",
		"data: the member \"b\" is not allowed" },
	{ "{\"additionalProperties\":{\"type\":\"string\"}}", "{\"x\":\"y\"}", NULL },
	{ "{\"additionalProperties\":{\"type\":\"string\"}}", "{\"x\":1}", "/x: 1 is of type number" },
	{ "{\"patternProperties\":{\"^n_\":{\"type\":\"number\"}},\"additionalProperties\":false}",
		"{\"n_1\":1,\"n_2\":2}", NULL },
	{ "{\"patternProperties\":{\"^n_\":{\"type\":\"number\"}}}", "{\"n_1\":\"x\"}",
		"/n_1: \"x\" is of type string" },
	{ "{\"patternProperties\":{\"^n_\":{\"type\":\"number\"}},\"additionalProperties\":false}",
		"{\"m\":1}", "member \"m\" is not allowed" },
	{ "{\"properties\":{\"n_1\":{\"minimum\":5}},\"patternProperties\":{\"1\":{\"maximum\":7},\"_\":{"
	  "\"multipleOf\":2}}}",
		"{\"n_1\":6}", NULL },
	{ "{\"properties\":{\"n_1\":{\"minimum\":5}},\"patternProperties\":{\"1\":{\"maximum\":7},\"_\":{"
	  "\"multipleOf\":2}}}",
		"{\"n_1\":4}", "minimum" },
	{ "{\"properties\":{\"n_1\":{\"minimum\":5}},\"patternProperties\":{\"1\":{\"maximum\":7},\"_\":{"
	  "\"multipleOf\":2}}}",
		"{\"n_1\":8}", "maximum" },
	{ "{\"properties\":{\"n_1\":{\"minimum\":5}},\"patternProperties\":{\"1\":{\"maximum\":7},\"_\":{"
	  "\"multipleOf\":2}}}",
		"{\"n_1\":7}", "multiple" },
	{ "{\"required\":[\"a\",\"\\u0062\"]}", "{\"b\":null,\"a\":0}", NULL },
	{ "{\"required\":[\"a\"]}", "{}", "data: the member \"a\" is missing" },
	{ "{\"required\":[\"a\"]}", "[]", NULL },
	{ "{\"required\":[]}", "{}", NULL },
	{ "{\"minProperties\":1}", "{}", "has 0 members, expected at least 1" },
	{ "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", "has 2 members, expected at most 1" },
	/* several schemas about one value */
	{ "{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "2", NULL },
	{ "{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "4", "4 is more than the maximum 3" },
	{ "{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "0", "0 is less than the minimum 1" },
	{ "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":2}]}", "2", NULL },
	{ "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":2}]}", "\"x\"", NULL },
	{ "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":2}]}", "1",
		"data: 1 matches none of the 2 schemas of anyOf" },
	{ "{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]}", "9", NULL },
	{ "{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]}", "4", NULL },
	{ "{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]}", "6",
		"6 matches more than one of the 2 schemas of oneOf" },
	{ "{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]}", "5",
		"5 matches none of the 2 schemas of oneOf" },
	{ "{\"not\":{\"type\":\"string\"}}", "1", NULL },
	{ "{\"not\":{\"type\":\"string\"}}", "\"x\"", "\"x\" matches what it must not match" },
	{ "{\"not\":{\"not\":{\"type\":\"string\"}}}", "\"x\"", NULL },
	{ "{\"not\":{\"not\":{\"type\":\"string\"}}}", "1", "1 matches what it must not match" },
	{ "{\"if\":{\"type\":\"number\"},\"then\":{\"minimum\":1},\"else\":{\"type\":\"null\"}}", "1", NULL },
	{ "{\"if\":{\"type\":\"number\"},\"then\":{\"minimum\":1},\"else\":{\"type\":\"null\"}}", "0",
		"0 is less than the minimum 1" },
	{ "{\"if\":{\"type\":\"number\"},\"then\":{\"minimum\":1},\"else\":{\"type\":\"null\"}}", "null",
		NULL },
	{ "{\"if\":{\"type\":\"number\"},\"then\":{\"minimum\":1},\"else\":{\"type\":\"null\"}}", "\"x\"",
		"expected null" },
	{ "{\"if\":{\"type\":\"number\"},\"then\":{\"minimum\":1}}", "\"x\"", NULL },
	{ "{\"then\":false,\"else\":false}", "1", NULL },
	{ "{\"anyOf\":[{\"properties\":{\"a\":{\"allOf\":[{\"type\":\"string\"},{\"minLength\":2}]}}},{"
	  "\"required\":[\"b\"]}]}",
		"{\"a\":\"x\",\"b\":1}", NULL },
	{ "{\"anyOf\":[{\"properties\":{\"a\":{\"allOf\":[{\"type\":\"string\"},{\"minLength\":2}]}}},{"
	  "\"required\":[\"b\"]}]}",
		"{\"a\":\"x\"}", "matches none" },
	{ "{\"properties\":{\"l\":{\"items\":{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}}}}",
		"{\"l\":[null,1]}", "/l/1: 1 matches none of the 2 schemas of oneOf" },
	/* references */
	{ "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"string\"}}}", "1", "expected string" },
	{ "{\"$ref\":\"#/$defs/a\",\"minLength\":2,\"$defs\":{\"a\":{\"type\":\"string\"}}}", "\"x\"",
		"at least 2" },
	{ "{\"properties\":{\"child\":{\"$ref\":\"#\"},\"v\":{\"type\":\"number\"}}}",
		"{\"v\":1,\"child\":{\"child\":{\"v\":\"x\"}}}", "/child/child/v: \"x\" is of type string" },
	{ "{\"$ref\":\"#/$defs/a~1b%25c\",\"$defs\":{\"a/b%c\":{\"const\":1}}}", "2", "2 is not 1" },
	{ "{\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"$ref\":\"#/properties/a\"}}}",
		"{\"b\":\"x\"}", "/b: \"x\" is of type string" },
	{ "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"https://x.test/"
	  "a\",\"$comment\":\"c\",\"title\":\"t\","
	  "\"description\":\"d\",\"default\":1,\"examples\":[1],\"deprecated\":true}",
		"1", NULL },
};

static void keywords_mean_what_the_specification_says(void **state)
{
	struct schema_worker *worker = schema_worker_new();
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct schema_file *file;
		struct xylem_reason reason = { "" };
		if (schema_file_new(&file, xylem_span_of(rows[i].schema), &reason) < 0) {
			fail_msg("%s: %s", rows[i].schema, reason.text);
		}
		int error = schema_check(file, worker, xylem_span_of(rows[i].json), arena, &reason);
		if (error != (rows[i].says ? -XYLEM_E_UNPROCESSABLE : 0) ||
			(rows[i].says && !strstr(reason.text, rows[i].says))) {
			fail_msg("%s of %s: %d %s", rows[i].json, rows[i].schema, error, reason.text);
		}
		schema_file_free(file);
	}
	schema_worker_free(worker);
	xylem_arena_free(arena);
}

static const struct {
	const char *schema, *says;
} refusals[] = {
	{ "{", "the schema is not valid JSON" },
	{ "1", "schema #: a schema is an object, true or false" },
	{ "{\"minimun\":1}", "schema #/minimun: the keyword \"minimun\" is not in the subset" },
	{ "{\"properties\":{\"a\":{\"contains\":{}}}}",
		"schema #/properties/a/contains: the keyword \"contains\"" },
	{ "{\"$defs\":{\"unused\":{\"foo\":1}}}", "schema #/$defs/unused/foo" },
	{ "{\"type\":\"float\"}", "schema #/type: a type is null, boolean" },
	{ "{\"type\":[]}", "at least one type" },
	{ "{\"type\":1}", "a type is null" },
	{ "{\"enum\":[]}", "#/enum: a list of at least one value" },
	{ "{\"minimum\":\"1\"}", "#/minimum: a number is expected" },
	{ "{\"multipleOf\":0}", "a number above 0" },
	{ "{\"multipleOf\":-1}", "a number above 0" },
	{ "{\"multipleOf\":1.234567890123456789}", "at most 18 digits" },
	{ "{\"minLength\":-1}", "a whole number of 0 or more" },
	{ "{\"minLength\":1.5}", "a whole number" },
	{ "{\"uniqueItems\":1}", "true or false" },
	{ "{\"pattern\":\"(\"}", "#/pattern: the pattern is wrong at character 2" },
	{ "{\"patternProperties\":{\"[\":true}}", "the pattern is wrong" },
	{ "{\"required\":\"a\"}", "a list of member names" },
	{ "{\"required\":[1]}", "#/required/0: a string is expected" },
	{ "{\"properties\":[]}", "an object of schemas" },
	{ "{\"properties\":{\"a\":1}}", "#/properties/a: a schema is" },
	{ "{\"items\":[{}]}", "#/items: a schema is" },
	{ "{\"allOf\":[]}", "at least one schema" },
	{ "{\"allOf\":{}}", "at least one schema" },
	{ "{\"$ref\":\"other.json\"}", "references are local" },
	{ "{\"$ref\":\"#anchor\"}", "references are local" },
	{ "{\"$ref\":\"#/$defs/a\"}", "there is nothing at #/$defs/a" },
	{ "{\"$ref\":\"#/$defs/~2\"}", "tilde" },
	{ "{\"$ref\":\"#\"}", "refers to itself" },
	{ "{\"allOf\":[{\"anyOf\":[{\"not\":{\"$ref\":\"#\"}}]}]}", "refers to itself" },
	{ "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/"
	  "a\"}}}",
		"refers to itself" },
	{ "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", "one dialect" },
	{ "{\"properties\":{\"a\":{\"$id\":\"x\"}}}", "at the root only" },
	{ "{\"minimum\":1,\"minimum\":2}", "a keyword stands twice" },
};

static void what_is_not_in_the_subset_is_refused_with_its_pointer(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct schema_file *file = NULL;
		struct xylem_reason reason = { "" };
		assert_int_equal(
			schema_file_new(&file, xylem_span_of(refusals[i].schema), &reason), -XYLEM_E_INVALID);
		assert_null(file);
		if (!strstr(reason.text, refusals[i].says)) {
			fail_msg("%s: %s", refusals[i].schema, reason.text);
		}
	}
	assert_null(schema_file_free(NULL));
	assert_null(schema_worker_free(NULL));
}

static int check_one(const char *schema, struct xylem_span json, struct xylem_reason *reason)
{
	struct schema_file *file;
	struct schema_worker *worker = schema_worker_new();
	struct xylem_arena *arena = xylem_arena_new(0);
	assert_int_equal(schema_file_new(&file, xylem_span_of(schema), reason), 0);
	int error = schema_check(file, worker, json, arena, reason);
	schema_worker_free(worker);
	schema_file_free(file);
	xylem_arena_free(arena);
	return error;
}

static void no_message_costs_without_bound(void **state)
{
	struct xylem_reason reason;
	char deep[2 * XYLEM_JSON_DEPTH];
	memset(deep, '[', XYLEM_JSON_DEPTH);
	memset(deep + XYLEM_JSON_DEPTH, ']', XYLEM_JSON_DEPTH);
	struct xylem_span nested = xylem_span(deep, sizeof(deep));
	assert_int_equal(check_one("{\"items\":{\"$ref\":\"#\"}}", nested, &reason), 0);
	/* Twice as much with each level. */
	assert_int_equal(
		check_one("{\"items\":{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}}", nested, &reason),
		-XYLEM_E_LIMIT);
	/* A pattern that tries every way to split the text. */
	assert_int_equal(
		check_one("{\"pattern\":\"^(a+)+$\"}",
			xylem_span_of("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\""), &reason),
		-XYLEM_E_LIMIT);
	assert_non_null(strstr(reason.text, "pattern"));
	/* Many items, all different: sorted, not paired. */
	struct xylem_buffer many = { 0 };
	for (int i = 0; i < 50000; i++) {
		xylem_buffer_format(&many, "%c%d", i ? ',' : '[', 50000 - i);
	}
	xylem_buffer_byte(&many, ']');
	assert_int_equal(check_one("{\"uniqueItems\":true}", xylem_buffer_borrow(&many), &reason), 0);
	xylem_buffer_finish(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords_mean_what_the_specification_says),
		cmocka_unit_test(what_is_not_in_the_subset_is_refused_with_its_pointer),
		cmocka_unit_test(no_message_costs_without_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
