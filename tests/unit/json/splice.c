/* SPDX-License-Identifier: Apache-2.0 */
/* Changing one value and no other byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/json.h>

#define EXACT "{\"price\":19.99,\"id\":12345678901234567890,\"tiny\":1e-400}"

static const struct {
	const char *text, *pointer, *value, *result; /* result NULL: refused, saying `says` */
	const char *says;
} sets[] = {
	{ EXACT, "/new", "1.10", "{\"price\":19.99,\"id\":12345678901234567890,\"tiny\":1e-400,\"new\":1.10}",
		NULL },
	{ EXACT, "/id", "0", "{\"price\":19.99,\"id\":0,\"tiny\":1e-400}", NULL },
	{ " { \"a\" : 1 , \"b\" : 2 } ", "/a", " [3] ", " { \"a\" : [3] , \"b\" : 2 } ", NULL },
	{ " { \"a\" : 1 } ", "/b", "2", " { \"a\" : 1,\"b\":2 } ", NULL },
	{ "{ }", "/b", "2", "{\"b\":2 }", NULL },
	{ "{}", "/a/b/c", "{}", "{\"a\":{\"b\":{\"c\":{}}}}", NULL },
	{ "{\"a\":{}}", "/a/0", "1", "{\"a\":{\"0\":1}}", NULL },
	{ "{\"a\":1,\"a\":2}", "/a", "3", "{\"a\":1,\"a\":3}", NULL },
	{ "{\"q\\u0061\":1}", "/qa", "2", "{\"q\\u0061\":2}", NULL },
	{ "{}", "/q~1~0\"", "2", "{\"q/~\\\"\":2}", NULL },
	{ "[1,2]", "/0", "9", "[9,2]", NULL },
	{ "[1,2]", "/2", "9", "[1,2,9]", NULL },
	{ "[1,2]", "/-", "9", "[1,2,9]", NULL },
	{ "[ ]", "/-", "9", "[9 ]", NULL },
	{ "[]", "/0/x", "9", "[{\"x\":9}]", NULL },
	{ "[[1]]", "/0/-", "[]", "[[1,[]]]", NULL },
	{ " 1 ", "", "{\"a\":2}", " {\"a\":2} ", NULL },
	{ "", "/a", "1", "{\"a\":1}", NULL },
	{ "", "", "1", "1", NULL },
	{ "{\"a\":\"}]\\\"\",\"b\":[\"{\"]}", "/b/1", "2", "{\"a\":\"}]\\\"\",\"b\":[\"{\",2]}", NULL },
	{ "[1,2]", "/3", "9", NULL, "cannot set below ``: it is of type array" },
	{ "[1,2]", "/x", "9", NULL, "of type array" },
	{ "{\"a\":1}", "/a/b", "9", NULL, "cannot set below `/a`: it is of type number" },
	{ "{\"a\":null}", "/a/b", "9", NULL, "of type null" },
	{ "\"s\"", "/a", "9", NULL, "of type string" },
};

static struct xylem_json_pointer *pointer_of(const char *text)
{
	struct xylem_json_pointer *pointer;
	assert_int_equal(xylem_json_pointer_new(&pointer, xylem_span_of(text), NULL), 0);
	return pointer;
}

static void result_is(struct xylem_buffer *out, const char *expected)
{
	xylem_buffer_byte(out, '\0');
	assert_string_equal(out->bytes, expected);
}

static void values_are_set(void **state)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct xylem_json_pointer *pointer = pointer_of(sets[i].pointer);
		struct xylem_buffer out = { 0 };
		struct xylem_reason reason = { "" };
		int error = xylem_json_set(
			pointer, xylem_span_of(sets[i].text), xylem_span_of(sets[i].value), &out, &reason);
		assert_int_equal(error, sets[i].result ? 0 : -XYLEM_E_INVALID);
		if (sets[i].result) {
			assert_int_equal(xylem_json_check(xylem_buffer_borrow(&out), NULL, NULL), 0);
			result_is(&out, sets[i].result);
		} else if (!strstr(reason.text, sets[i].says)) {
			fail_msg("case %zu: %s", i, reason.text);
		}
		xylem_buffer_finish(&out);
		xylem_json_pointer_free(pointer);
	}
}

static void the_result_stays_within_the_depth(void **state)
{
	char deep[2 * XYLEM_JSON_DEPTH];
	memset(deep, '[', XYLEM_JSON_DEPTH);
	memset(deep + XYLEM_JSON_DEPTH, ']', XYLEM_JSON_DEPTH);
	struct xylem_json_pointer *pointer = pointer_of("/a");
	struct xylem_buffer out = { 0 };
	assert_int_equal(
		xylem_json_set(pointer, XYLEM_SPAN_LITERAL("{}"), xylem_span(deep, sizeof(deep)), &out, NULL),
		-XYLEM_E_LIMIT);
	assert_int_equal(xylem_json_set(pointer, XYLEM_SPAN_LITERAL("{}"),
				 xylem_span(deep + 1, sizeof(deep) - 2), &out, NULL),
		0);
	assert_int_equal(xylem_json_check(xylem_buffer_borrow(&out), NULL, NULL), 0);
	xylem_buffer_finish(&out);
	xylem_json_pointer_free(pointer);
}

static const struct {
	const char *text, *pointer, *result;
} removes[] = {
	{ EXACT, "/price", "{\"id\":12345678901234567890,\"tiny\":1e-400}" },
	{ EXACT, "/id", "{\"price\":19.99,\"tiny\":1e-400}" },
	{ EXACT, "/tiny", "{\"price\":19.99,\"id\":12345678901234567890}" },
	{ EXACT, "/none", EXACT },
	{ EXACT, "/price/x", EXACT },
	{ " { \"a\" : 1 , \"b\" : 2 } ", "/a", " { \"b\" : 2 } " },
	{ " { \"a\" : 1 , \"b\" : 2 } ", "/b", " { \"a\" : 1 } " },
	{ "{\"a\":1}", "/a", "{}" },
	{ "{\"a\":1,\"a\":2,\"b\":3,\"a\":4}", "/a", "{\"b\":3}" },
	{ "{\"b\":3,\"a\":1,\"a\":2,\"c\":4}", "/a", "{\"b\":3,\"c\":4}" },
	{ "[1,2,3]", "/0", "[2,3]" },
	{ "[1,2,3]", "/1", "[1,3]" },
	{ "[1,2,3]", "/2", "[1,2]" },
	{ "[1,2,3]", "/3", "[1,2,3]" },
	{ "[1,2,3]", "/-", "[1,2,3]" },
	{ "[ {\"a\":[1]} ]", "/0/a/0", "[ {\"a\":[]} ]" },
	{ "{\"a\":{\"b\":1,\"c\":2}}", "/a/b", "{\"a\":{\"c\":2}}" },
	{ "{\"a\":1}", "", "" },
	{ "", "/a", "" },
};

static void values_are_removed(void **state)
{
	for (size_t i = 0; i < sizeof(removes) / sizeof(removes[0]); i++) {
		struct xylem_json_pointer *pointer = pointer_of(removes[i].pointer);
		struct xylem_buffer out = { 0 };
		assert_int_equal(xylem_json_remove(pointer, xylem_span_of(removes[i].text), &out), 0);
		result_is(&out, removes[i].result);
		xylem_buffer_finish(&out);
		xylem_json_pointer_free(pointer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_set),
		cmocka_unit_test(the_result_stays_within_the_depth),
		cmocka_unit_test(values_are_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
