/* SPDX-License-Identifier: Apache-2.0 */
/* What is JSON and what is not: one row a case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/json.h>

#define CASE(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

struct row {
	const char *text;
	size_t n;
};

static const struct row taken[] = {
	/* whole texts and white space */
	CASE("null"),
	CASE("true"),
	CASE("false"),
	CASE("0"),
	CASE("\"\""),
	CASE("[]"),
	CASE("{}"),
	CASE(" null"),
	CASE("null "),
	CASE("\t\n\r [ \t\n\r ] \t\n\r "),
	CASE("[ ]"),
	CASE("{ }"),
	CASE("\n{\n}\n"),
	CASE("[null]"),
	CASE("[true]"),
	CASE("[false]"),
	CASE("[\"a\"]"),
	CASE("[1]"),
	CASE("[[]]"),
	CASE("[{}]"),
	CASE("[1,2]"),
	CASE("[ 1 , 2 ]"),
	CASE("[1\n,\n2]"),
	CASE("[[],[]]"),
	CASE("[[[[[[]]]]]]"),
	CASE("[null,1,\"1\",{}]"),
	CASE("[1,null,null,null,2]"),
	/* objects */
	CASE("{\"\":0}"),
	CASE("{\"a\":1}"),
	CASE("{\"a\":[]}"),
	CASE("{\"a\":{}}"),
	CASE("{\"a\":1,\"b\":2}"),
	CASE("{ \"a\" : 1 , \"b\" : 2 }"),
	CASE("{\"a\":1,\"a\":2}"),
	CASE("{\"a\":1,\"a\":1}"),
	CASE("{\"a\":{\"b\":{\"c\":[{}]}}}"),
	CASE("{\n\"a\"\n:\n1\n}"),
	CASE("{\"\\u0061\":1}"),
	CASE("{\"a\\u0000b\":1}"),
	CASE("{\"min\":-1.0e+28,\"max\":1.0e+28}"),
	/* numbers */
	CASE("-0"),
	CASE("-1"),
	CASE("1"),
	CASE("10"),
	CASE("1234567890"),
	CASE("0.0"),
	CASE("-0.0"),
	CASE("0.5"),
	CASE("1.5"),
	CASE("-1.5"),
	CASE("1e1"),
	CASE("1E1"),
	CASE("1e+1"),
	CASE("1e-1"),
	CASE("1.5e10"),
	CASE("0e0"),
	CASE("0e+00"),
	CASE("-0e-0"),
	CASE("1e00001"),
	CASE("1e999999999999999999999999"),
	CASE("1e-400"),
	CASE("123456789012345678901234567890"),
	CASE("0.1234567890123456789012345678901234567890"),
	CASE("20e1"),
	CASE("[123e65]"),
	CASE("[-123]"),
	CASE("[1 ]"),
	CASE("[ 4]"),
	CASE("-1 "),
	/* strings */
	CASE("\"a\""),
	CASE("\" \""),
	CASE("\"\\\"\""),
	CASE("\"\\\\\""),
	CASE("\"\\/\""),
	CASE("\"/\""),
	CASE("\"\\b\\f\\n\\r\\t\""),
	CASE("\"\\u0000\""),
	CASE("\"\\u001f\""),
	CASE("\"\\u0041\""),
	CASE("\"\\uAbCd\""),
	CASE("\"\\ud83c\\udf4f\""),
	CASE("\"\\uD800\\uDC00\""),
	CASE("\"\\udbff\\udfff\""),
	CASE("\"\\uFFFF\""),
	CASE("\"\\uFDD0\""),
	CASE("\"\\\\u0000\""),
	CASE("\"\\\\\\\\\""),
	CASE("\"a/*b*/c\""),
	CASE("\"\x7f\""),
	CASE("\"\xc2\x80\""),
	CASE("\"\xdf\xbf\""),
	CASE("\"\xe0\xa0\x80\""),
	CASE("\"\xed\x9f\xbf\""),
	CASE("\"\xee\x80\x80\""),
	CASE("\"\xef\xbf\xbf\""),
	CASE("\"\xf0\x90\x80\x80\""),
	CASE("\"\xf4\x8f\xbf\xbf\""),
	CASE("\"\xe2\x80\xa8\""),
	CASE("\"\xef\xbb\xbf\""),
	CASE("\"M\xc3\xbcnchen\""),
	CASE("\"fifteen bytes..\""),
	CASE("\"sixteen bytes...\""),
	CASE("\"seventeen bytes..\""),
	CASE("\"0123456789abcde\\n\""),
	CASE("\"0123456789abcdef\\n\""),
	CASE("\"0123456789abcde\xc3\xa9\""),
	CASE("\"\\u0022\""),
	CASE("\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\""),
};

static const struct row refused[] = {
	/* nothing, or something more */
	CASE(""),
	CASE(" "),
	CASE("\n"),
	CASE("\xef\xbb\xbf{}"),
	CASE("{}\xef\xbb\xbf"),
	CASE("\xef\xbb\xbf"),
	CASE("null null"),
	CASE("1 2"),
	CASE("[]]"),
	CASE("{}}"),
	CASE("[],"),
	CASE("{},"),
	CASE("[]a"),
	CASE("{}#"),
	CASE("{}/**/"),
	CASE("\0"),
	CASE("[]\0"),
	CASE("\0[]"),
	CASE("[\0]"),
	CASE("// c\n1"),
	CASE("/**/1"),
	CASE("\v1"),
	CASE("\f[]"),
	CASE("\xc2\xa0[]"),
	CASE("[\xe2\x81\xa0]"),
	CASE("\xff\xfe[\0]\0"),
	CASE("%"),
	CASE("*"),
	CASE("'"),
	/* literals */
	CASE("nul"),
	CASE("nulll"),
	CASE("NULL"),
	CASE("Null"),
	CASE("tru"),
	CASE("truee"),
	CASE("True"),
	CASE("fals"),
	CASE("falsey"),
	CASE("[nul]"),
	CASE("[tru"),
	CASE("undefined"),
	CASE("NaN"),
	CASE("-NaN"),
	CASE("nan"),
	CASE("Infinity"),
	CASE("-Infinity"),
	CASE("inf"),
	CASE("[n"),
	CASE("[t]"),
	/* arrays */
	CASE("["),
	CASE("]"),
	CASE("[1"),
	CASE("[1,"),
	CASE("[1,]"),
	CASE("[,1]"),
	CASE("[,]"),
	CASE("[1,,2]"),
	CASE("[1 2]"),
	CASE("[1:2]"),
	CASE("[1;2]"),
	CASE("[1}"),
	CASE("[[]"),
	CASE("[\"a\" \"b\"]"),
	CASE("[\"a\":1]"),
	CASE("[a]"),
	CASE("[1,\n1\n,1"),
	CASE("[\"\",]"),
	CASE("[*]"),
	CASE("[][]"),
	CASE("[{]"),
	CASE("[{}"),
	CASE("[1]]"),
	/* objects */
	CASE("{"),
	CASE("}"),
	CASE("{\"a\"}"),
	CASE("{\"a\":"),
	CASE("{\"a\":}"),
	CASE("{\"a\":1"),
	CASE("{\"a\":1,"),
	CASE("{\"a\":1,}"),
	CASE("{,}"),
	CASE("{,\"a\":1}"),
	CASE("{:1}"),
	CASE("{a:1}"),
	CASE("{'a':1}"),
	CASE("{1:1}"),
	CASE("{null:1}"),
	CASE("{[]:1}"),
	CASE("{\"a\" 1}"),
	CASE("{\"a\",1}"),
	CASE("{\"a\"=1}"),
	CASE("{\"a\":1 \"b\":2}"),
	CASE("{\"a\":1,,\"b\":2}"),
	CASE("{\"a\":1:2}"),
	CASE("{\"a\"::1}"),
	CASE("{\"a\":1]"),
	CASE("{\"a\":1}}"),
	CASE("{\"a\":/*c*/1}"),
	CASE("{\"a\":1//c\n}"),
	CASE("{\"a"),
	CASE("{\"a\":\"a"),
	CASE("{\"a\" b}"),
	/* numbers */
	CASE("-"),
	CASE("+1"),
	CASE("+0"),
	CASE("00"),
	CASE("01"),
	CASE("-01"),
	CASE("-00"),
	CASE("1."),
	CASE(".5"),
	CASE("-.5"),
	CASE("1.e1"),
	CASE("1e"),
	CASE("1E"),
	CASE("1e+"),
	CASE("1e-"),
	CASE("1e1.5"),
	CASE("1.5.5"),
	CASE("1ee1"),
	CASE("1e1e1"),
	CASE("0x1"),
	CASE("0b1"),
	CASE("1_000"),
	CASE("1,000"),
	CASE("- 1"),
	CASE("--1"),
	CASE("-+1"),
	CASE("1 000"),
	CASE("1a"),
	CASE("0e"),
	CASE("0e+"),
	CASE("0.e"),
	CASE("0.+"),
	CASE("[-]"),
	CASE("[1.]"),
	CASE("[-a]"),
	CASE("\xef\xbc\x91"),
	CASE("1-1"),
	CASE("[1+2]"),
	CASE("0.1.2"),
	CASE("1e\x31\xff"),
	/* strings */
	CASE("\""),
	CASE("\"a"),
	CASE("a\""),
	CASE("\"\\\""),
	CASE("\"\\"),
	CASE("\"\\a\""),
	CASE("\"\\0\""),
	CASE("\"\\x00\""),
	CASE("\"\\'\""),
	CASE("'a'"),
	CASE("\"\\U0041\""),
	CASE("\"\\u\""),
	CASE("\"\\u1\""),
	CASE("\"\\u12\""),
	CASE("\"\\u123\""),
	CASE("\"\\u123g\""),
	CASE("\"\\u 123\""),
	CASE("\"\\u+123\""),
	CASE("\"\\ud800\""),
	CASE("\"\\udc00\""),
	CASE("\"\\ud800\\ud800\""),
	CASE("\"\\ud800a\""),
	CASE("\"\\ud800\\n\""),
	CASE("\"\\ud800\\u0041\""),
	CASE("\"\\ud800\\u"),
	CASE("\"\\ud800\\udc0\""),
	CASE("\"\\udc00\\ud800\""),
	CASE("\"\n\""),
	CASE("\"\t\""),
	CASE("\"\r\""),
	CASE("\"\0\""),
	CASE("\"\x1f\""),
	CASE("\"\x80\""),
	CASE("\"\xbf\""),
	CASE("\"\xc0\x80\""),
	CASE("\"\xc1\xbf\""),
	CASE("\"\xc2\""),
	CASE("\"\xc2"),
	CASE("\"\xe0\x80\x80\""),
	CASE("\"\xe0\x9f\xbf\""),
	CASE("\"\xed\xa0\x80\""),
	CASE("\"\xed\xbf\xbf\""),
	CASE("\"\xe2\x82\""),
	CASE("\"\xf0\x80\x80\x80\""),
	CASE("\"\xf0\x8f\xbf\xbf\""),
	CASE("\"\xf4\x90\x80\x80\""),
	CASE("\"\xf5\x80\x80\x80\""),
	CASE("\"\xf8\x88\x80\x80\x80\""),
	CASE("\"\xfe\""),
	CASE("\"\xff\""),
	CASE("\"0123456789abcde\n\""),
	CASE("\"0123456789abcdef\n\""),
	CASE("\"0123456789abcde\xff\""),
	CASE("\"\\\xc3\xa9\""),
	CASE("[\"a\\"),
	CASE("{\"\\ud800\":1}"),
};

/* In memory of exactly its size, so that a read beyond it is found. */
static int check_exactly(const struct row *row, size_t *ret_offset, struct xylem_reason *reason)
{
	char *copy = malloc(row->n ? row->n : 1);
	assert_non_null(copy);
	memcpy(copy, row->text, row->n);
	int error = xylem_json_check(xylem_span(copy, row->n), ret_offset, reason);
	free(copy);
	return error;
}

static void json_is_taken(void **state)
{
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		size_t offset = 12345;
		struct xylem_reason reason = { "untouched" };
		if (check_exactly(&taken[i], &offset, &reason) != 0) {
			fail_msg("refused: %s: %s", taken[i].text, reason.text);
		}
		assert_int_equal(offset, 12345);
		assert_string_equal(reason.text, "untouched");
	}
}

static void anything_else_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t offset = SIZE_MAX;
		struct xylem_reason reason = { "" };
		if (check_exactly(&refused[i], &offset, &reason) != -XYLEM_E_INVALID) {
			fail_msg("taken: row %zu: %s", i, refused[i].text);
		}
		assert_true(offset <= refused[i].n);
		assert_non_null(strstr(reason.text, "not valid JSON at byte"));
	}
}

/* A taken text cut short is never taken for something else, except a number, whose beginning is a number too. */
static void every_prefix_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct xylem_span trimmed = xylem_json_trim(xylem_span(taken[i].text, taken[i].n));
		for (size_t n = 0; n < trimmed.n && xylem_json_type(trimmed) != XYLEM_JSON_NUMBER; n++) {
			struct row prefix = { trimmed.at, n };
			assert_int_equal(check_exactly(&prefix, NULL, NULL), -XYLEM_E_INVALID);
		}
	}
}

static void the_place_is_named(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *says;
	} cases[] = {
		{ "", 0, "a value is expected" },
		{ "{\"a\":1,}", 7, "a member name in quotes" },
		{ "{\"a\" 1}", 5, "a colon" },
		{ "[1 2]", 3, "a comma or a closing bracket" },
		{ "{\"a\":1 2}", 7, "a comma or a closing brace" },
		{ "[01]", 2, "leading zero" },
		{ "[1.]", 3, "decimal point" },
		{ "[1e]", 3, "exponent" },
		{ "[-]", 2, "minus" },
		{ "\"abc", 4, "does not end" },
		{ "\"a\\qb\"", 2, "no such escape" },
		{ "\"a\\u12x4\"", 2, "four hexadecimal" },
		{ "\"\\ud800\"", 1, "other half" },
		{ "\"ab\tc\"", 3, "control character" },
		{ "\"ab\xff\"", 3, "UTF-8" },
		{ "1 1", 2, "nothing may follow" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t offset;
		struct xylem_reason reason;
		assert_int_equal(
			xylem_json_check(xylem_span_of(cases[i].text), &offset, &reason), -XYLEM_E_INVALID);
		assert_int_equal(offset, cases[i].offset);
		if (!strstr(reason.text, cases[i].says)) {
			fail_msg("%s: %s", cases[i].text, reason.text);
		}
	}
}

static int check_nested(size_t depth, char open, char close, size_t *ret_offset)
{
	char text[1024], *at = text;
	for (size_t i = 0; i < depth; i++) {
		*at++ = open;
		if (open == '{') {
			memcpy(at, "\"\":", 3);
			at += 3;
		}
	}
	*at++ = '1';
	memset(at, close, depth);
	at += depth;
	return xylem_json_check(xylem_span(text, (size_t)(at - text)), ret_offset, NULL);
}

static void depth_is_bounded(void **state)
{
	size_t offset;
	assert_int_equal(check_nested(XYLEM_JSON_DEPTH, '[', ']', &offset), 0);
	assert_int_equal(check_nested(XYLEM_JSON_DEPTH + 1, '[', ']', &offset), -XYLEM_E_LIMIT);
	assert_int_equal(offset, XYLEM_JSON_DEPTH);
	assert_int_equal(check_nested(XYLEM_JSON_DEPTH, '{', '}', &offset), 0);
	assert_int_equal(check_nested(XYLEM_JSON_DEPTH + 1, '{', '}', &offset), -XYLEM_E_LIMIT);

	size_t n = 1000000;
	char *many = malloc(n);
	memset(many, '[', n);
	assert_int_equal(xylem_json_check(xylem_span(many, n), &offset, NULL), -XYLEM_E_LIMIT);
	for (size_t i = 0; i < n; i++) {
		many[i] = "[]],"[i % 4];
	}
	assert_int_equal(xylem_json_check(xylem_span(many, n), &offset, NULL), -XYLEM_E_INVALID);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_taken),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test(the_place_is_named),
		cmocka_unit_test(depth_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
