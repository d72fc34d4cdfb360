/* SPDX-License-Identifier: Apache-2.0 */
/* jq's order of values, and equality that follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <json/order.h>

/* Ascending; the same rank is the same value. */
static const struct {
	int rank;
	const char *text;
} ranked[] = {
	{ 0, "null" },
	{ 1, "false" },
	{ 2, "true" },
	{ 3, "-1" },
	{ 4, "0" },
	{ 4, "-0.0e5" },
	{ 5, "12345678901234567890" },
	{ 6, "12345678901234567891" },
	{ 7, "\"\"" },
	{ 8, "\"a\"" },
	{ 8, "\"\\u0061\"" },
	{ 9, "\"a\\u0000\"" },
	{ 10, "\"aa\"" },
	{ 11, "\"b\"" },
	{ 12, "\"\xef\xbf\xbf\"" },
	{ 13, "\"\\ud800\\udc00\"" },
	{ 13, "\"\xf0\x90\x80\x80\"" },
	{ 14, "[]" },
	{ 14, "[ ]" },
	{ 15, "[null]" },
	{ 16, "[0,9]" },
	{ 17, "[1]" },
	{ 17, "[1.0]" },
	{ 18, "[1,[2]]" },
	{ 18, "[1, [2e0]]" },
	{ 19, "[1,[3]]" },
	{ 20, "[[]]" },
	{ 21, "[{}]" },
	{ 22, "{}" },
	{ 23, "{\"a\":1}" },
	{ 23, "{\"a\":2,\"\\u0061\":1}" },
	{ 24, "{\"a\":2}" },
	{ 25, "{\"a\":1,\"b\":2}" },
	{ 25, "{\"b\":2,\"a\":1}" },
	{ 25, "{\"b\":[],\"a\":1.0,\"b\":2}" },
	{ 26, "{\"a\":1,\"b\":{\"c\":[1,2]}}" },
	{ 26, "{ \"b\":{\"c\":[1,2]} , \"a\":1}" },
	{ 27, "{\"a\":1,\"c\":0}" },
	{ 28, "{\"b\":0}" },
};
enum { RANKED = sizeof(ranked) / sizeof(ranked[0]) };

static void values_have_the_order_of_jq(void **state)
{
	for (size_t i = 0; i < RANKED; i++) {
		for (size_t j = 0; j < RANKED; j++) {
			struct xylem_span a = xylem_span_of(ranked[i].text),
					  b = xylem_span_of(ranked[j].text);
			int expected = (ranked[i].rank > ranked[j].rank) - (ranked[i].rank < ranked[j].rank);
			if (json_order(a, b) != expected) {
				fail_msg("%s and %s", ranked[i].text, ranked[j].text);
			}
			assert_int_equal(xylem_json_equal(a, b), expected == 0);
		}
	}
	assert_true(xylem_json_equal(XYLEM_SPAN_LITERAL(" [1]\n"), XYLEM_SPAN_LITERAL("[ 1.0 ]")));
}

static void the_deepest_values_are_compared(void **state)
{
	char a[2 * XYLEM_JSON_DEPTH + 1], b[2 * XYLEM_JSON_DEPTH + 1];
	memset(a, '[', XYLEM_JSON_DEPTH);
	memset(a + XYLEM_JSON_DEPTH, ']', XYLEM_JSON_DEPTH + 1);
	memcpy(b, a, sizeof(b));
	a[XYLEM_JSON_DEPTH] = '1';
	b[XYLEM_JSON_DEPTH] = '2';
	assert_int_equal(json_order(xylem_span(a, sizeof(a)), xylem_span(b, sizeof(b))), -1);
}

/* One object of 100,000 members against the same backwards: by look-ups it would take a minute. */
static void many_members_in_another_order(void **state)
{
	enum { COUNT = 100000 };
	struct xylem_buffer a = { 0 }, b = { 0 };
	for (int i = 0; i < COUNT; i++) {
		xylem_buffer_format(&a, "%c\"m%d\":%d", i ? ',' : '{', i, i);
		xylem_buffer_format(&b, "%c\"m%d\":%d", i ? ',' : '{', COUNT - 1 - i, COUNT - 1 - i);
	}
	xylem_buffer_byte(&a, '}');
	xylem_buffer_byte(&b, '}');
	assert_true(xylem_json_equal(xylem_buffer_borrow(&a), xylem_buffer_borrow(&b)));
	b.bytes[b.n - 2] = '1'; /* "m0":0 becomes "m0":1 */
	assert_false(xylem_json_equal(xylem_buffer_borrow(&a), xylem_buffer_borrow(&b)));
	xylem_buffer_finish(&a);
	xylem_buffer_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_the_order_of_jq),
		cmocka_unit_test(the_deepest_values_are_compared),
		cmocka_unit_test(many_members_in_another_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
