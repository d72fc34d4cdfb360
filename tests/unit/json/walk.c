/* SPDX-License-Identifier: Apache-2.0 */
/* Finding, reading and writing values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/json.h>

#define TEXT(text) XYLEM_SPAN_LITERAL(text)

static const char order[] =
	" { \"id\" : 7, \"a/b\":{\"m~n\":true}, \"lines\":[ {\"qty\":1} , {\"qty\":2}, [] ],"
	"\"id\":8, \"na\\u006de\":\"x\\\"]}\", \"\":null, \"0\":[\"zero\"] } ";

static void span_is(struct xylem_span span, const char *expected)
{
	if (!expected) {
		assert_false(xylem_span_present(span));
	} else if (!xylem_span_is(span, expected)) {
		fail_msg("%.*s is not %s", (int)span.n, span.at ? span.at : "", expected);
	}
}

static void pointers_find(void **state)
{
	static const struct {
		const char *pointer, *value;
	} cases[] = {
		{ "/id", "8" }, /* the last of that name */
		{ "/a~1b/m~0n", "true" },
		{ "/lines/0/qty", "1" },
		{ "/lines/1", "{\"qty\":2}" },
		{ "/lines/2", "[]" },
		{ "/lines/3", NULL },
		{ "/lines/-", NULL },
		{ "/lines/00", NULL },
		{ "/lines/+1", NULL },
		{ "/lines/1e0", NULL },
		{ "/lines/99999999999999999999", NULL },
		{ "/lines/qty", NULL },
		{ "/name", "\"x\\\"]}\"" },
		{ "/", "null" },
		{ "/0/0", "\"zero\"" },
		{ "/id/x", NULL },
		{ "/nowhere/x/y", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xylem_json_pointer *pointer;
		assert_int_equal(xylem_json_pointer_new(&pointer, xylem_span_of(cases[i].pointer), NULL), 0);
		span_is(xylem_json_pointer_get(pointer, xylem_span_of(order)), cases[i].value);
		xylem_json_pointer_free(pointer);
	}
	struct xylem_json_pointer *whole;
	assert_int_equal(xylem_json_pointer_new(&whole, TEXT(""), NULL), 0);
	span_is(xylem_json_pointer_get(whole, TEXT(" 1 ")), "1");
	assert_null(xylem_json_pointer_free(whole));
	assert_null(xylem_json_pointer_free(NULL));
}

static void wrong_pointers_are_refused(void **state)
{
	static const char *const texts[] = { "a", " /a", "/a~", "/a~2", "/~/b", "#/a" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct xylem_json_pointer *pointer = NULL;
		struct xylem_reason reason = { "" };
		assert_int_equal(
			xylem_json_pointer_new(&pointer, xylem_span_of(texts[i]), &reason), -XYLEM_E_INVALID);
		assert_null(pointer);
		assert_non_null(strstr(reason.text, texts[i]));
	}
	struct xylem_json_pointer *pointer = NULL;
	struct xylem_reason reason;
	assert_int_equal(xylem_json_pointer_new(&pointer, TEXT("/M\xfcnchen"), &reason), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "UTF-8"));
	char deep[2 * (XYLEM_JSON_DEPTH + 1) + 1];
	for (size_t i = 0; i < sizeof(deep) - 1; i++) {
		deep[i] = "/a"[i % 2];
	}
	assert_int_equal(
		xylem_json_pointer_new(&pointer, xylem_span(deep, sizeof(deep) - 1), NULL), -XYLEM_E_LIMIT);
	assert_int_equal(xylem_json_pointer_new(&pointer, xylem_span(deep, sizeof(deep) - 3), NULL), 0);
	xylem_json_pointer_free(pointer);
}

static void containers_are_walked(void **state)
{
	static const char *const names[] = { "\"id\"", "\"a/b\"", "\"lines\"", "\"id\"", "\"na\\u006de\"",
		"\"\"", "\"0\"" };
	struct xylem_json_iterator iterator;
	size_t n = 0;
	xylem_json_iterate(&iterator, xylem_span_of(order));
	assert_true(iterator.object);
	for (; xylem_json_next(&iterator); n++) {
		span_is(iterator.name, names[n]);
	}
	assert_int_equal(n, 7);
	assert_false(xylem_json_next(&iterator)); /* and stays at the end */
	assert_int_equal(xylem_json_count(xylem_span_of(order)), 7);
	assert_int_equal(xylem_json_count(TEXT("[ ]")), 0);
	assert_int_equal(xylem_json_count(TEXT("12")), 0);
	assert_int_equal(xylem_json_count(XYLEM_SPAN_NONE), 0);
	span_is(xylem_json_element(TEXT("[1,[2,3],\"4\"]"), 1), "[2,3]");
	span_is(xylem_json_element(TEXT("{\"a\":1}"), 0), NULL);
	span_is(xylem_json_member(TEXT("[1]"), TEXT("a")), NULL);
	span_is(xylem_json_member(TEXT("{\"a\":1}"), TEXT("")), NULL);
}

/* A container is passed over many bytes at a time: quotes and backslashes at every place of such a stretch. */
static void containers_are_passed_over_at_any_offset(void **state)
{
	static const char *const inside[] = { "[\"]\\\"}\"]", "{\"a\\\\\":\"{[\"}",
		"[[\"\",{\"}\":[]}],\"\\u005d\"]", "\"\\\\\\\\\"", "[[[[[[[[]]]]]]]]" };
	char text[512];
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		for (int before = 0; before < 140; before++) {
			for (int behind = 0; behind < 140; behind += 23) {
				int n = snprintf(text, sizeof(text), "{\"x\":[%*s%s,\"%*s\"],\"y\":7}",
					before, "", inside[i], behind, "\\\"[");
				char *copy = malloc((size_t)n);
				memcpy(copy, text, (size_t)n);
				assert_int_equal(
					xylem_json_check(xylem_span(copy, (size_t)n), NULL, NULL), 0);
				span_is(xylem_json_member(xylem_span(copy, (size_t)n), TEXT("y")), "7");
				free(copy);
			}
		}
	}
}

static void types_are_told(void **state)
{
	static const struct {
		const char *text;
		enum xylem_json_type type;
		const char *name;
	} cases[] = {
		{ "null", XYLEM_JSON_NULL, "null" },
		{ "false", XYLEM_JSON_FALSE, "boolean" },
		{ "true", XYLEM_JSON_TRUE, "boolean" },
		{ "-1", XYLEM_JSON_NUMBER, "number" },
		{ "9", XYLEM_JSON_NUMBER, "number" },
		{ "\"\"", XYLEM_JSON_STRING, "string" },
		{ "[]", XYLEM_JSON_ARRAY, "array" },
		{ "{}", XYLEM_JSON_OBJECT, "object" },
		{ "", XYLEM_JSON_NONE, "absent" },
		{ "?", XYLEM_JSON_NONE, "absent" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(xylem_json_type(xylem_span_of(cases[i].text)), cases[i].type);
		assert_string_equal(xylem_json_type_name(cases[i].type), cases[i].name);
	}
	assert_string_equal(xylem_json_type_name((enum xylem_json_type)99), "absent");
}

static const struct {
	const char *json;
	struct xylem_span bytes;
} strings[] = {
	{ "\"\"", TEXT("") },
	{ "\"plain\"", TEXT("plain") },
	{ "\"a\\\"b\\\\c\\/d\"", TEXT("a\"b\\c/d") },
	{ "\"\\b\\f\\n\\r\\t\"", TEXT("\b\f\n\r\t") },
	{ "\"\\u0000x\"", TEXT("\0x") },
	{ "\"\\u00e9\\u20AC\"", TEXT("\xc3\xa9\xe2\x82\xac") },
	{ "\"\\ud83c\\udf4f!\"", TEXT("\xf0\x9f\x8d\x8f!") },
	{ "\"\\udbff\\udfff\"", TEXT("\xf4\x8f\xbf\xbf") },
	{ "\"M\xc3\xbcnchen\"", TEXT("M\xc3\xbcnchen") },
	{ "\"\\\\u0041\"", TEXT("\\u0041") },
};

static void strings_are_unescaped(void **state)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		struct xylem_span bytes, value = xylem_span_of(strings[i].json);
		assert_int_equal(xylem_json_string(value, arena, &bytes), 0);
		assert_true(xylem_span_equal(bytes, strings[i].bytes));
		assert_true(xylem_span_present(bytes));
		for (size_t j = 0; j < sizeof(strings) / sizeof(strings[0]); j++) {
			assert_int_equal(xylem_json_string_equals(value, strings[j].bytes), i == j);
		}
		bool escaped = strchr(strings[i].json, '\\');
		assert_int_equal(bytes.at == value.at + 1, !escaped);
	}
	struct xylem_span bytes = XYLEM_SPAN_NONE;
	assert_int_equal(xylem_json_string(TEXT("12"), arena, &bytes), -XYLEM_E_INVALID);
	assert_int_equal(xylem_json_string(XYLEM_SPAN_NONE, arena, &bytes), -XYLEM_E_INVALID);
	assert_false(xylem_span_present(bytes));
	assert_false(xylem_json_string_equals(TEXT("null"), TEXT("null")));
	assert_false(xylem_json_string_equals(XYLEM_SPAN_NONE, TEXT("")));
	xylem_arena_free(arena);
}

static void strings_are_written(void **state)
{
	static const struct {
		struct xylem_span bytes;
		const char *json;
	} cases[] = {
		{ TEXT(""), "\"\"" },
		{ TEXT("a/b\"c\\d"), "\"a/b\\\"c\\\\d\"" },
		{ TEXT("\b\f\n\r\t\0\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"" },
		{ TEXT("\xf0\x9f\x8d\x8f\xe2\x80\xa8"), "\"\xf0\x9f\x8d\x8f\xe2\x80\xa8\"" },
		{ TEXT("a\xff\xc3(\xed\xa0\x80"),
			"\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ TEXT("cut\xe2\x82"), "\"cut\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	struct xylem_buffer out = { 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xylem_buffer_clear(&out);
		xylem_json_write_string(&out, cases[i].bytes);
		span_is(xylem_buffer_borrow(&out), cases[i].json);
		assert_int_equal(xylem_json_check(xylem_buffer_borrow(&out), NULL, NULL), 0);
	}
	xylem_buffer_finish(&out);
}

static void commas_follow_from_what_stands_there(void **state)
{
	struct xylem_buffer out = { 0 };
	xylem_buffer_byte(&out, '{');
	xylem_json_write_name(&out, "a");
	xylem_json_write_int64(&out, INT64_MIN);
	xylem_json_write_name(&out, "b");
	xylem_buffer_byte(&out, '[');
	for (int i = 0; i < 3; i++) {
		xylem_json_write_comma(&out);
		xylem_json_write_int64(&out, i * 100 - 100);
	}
	xylem_buffer_byte(&out, ']');
	xylem_json_write_name(&out, "c\"");
	xylem_json_write_int64(&out, INT64_MAX);
	xylem_buffer_byte(&out, '}');
	span_is(xylem_buffer_borrow(&out),
		"{\"a\":-9223372036854775808,\"b\":[-100,0,100],\"c\\\"\":9223372036854775807}");
	xylem_buffer_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_find),
		cmocka_unit_test(wrong_pointers_are_refused),
		cmocka_unit_test(containers_are_walked),
		cmocka_unit_test(containers_are_passed_over_at_any_offset),
		cmocka_unit_test(types_are_told),
		cmocka_unit_test(strings_are_unescaped),
		cmocka_unit_test(strings_are_written),
		cmocka_unit_test(commas_follow_from_what_stands_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
