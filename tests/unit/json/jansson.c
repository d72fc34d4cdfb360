/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same texts through jansson: accepted by both or by neither, and with the
 * same values. Texts come from a seeded grammar, most of them then broken.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xylem/json.h>

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void random_value(struct xylem_buffer *out, unsigned depth)
{
	static const char *const scalars[] = { "null", "true", "false", "0", "-1", "19.99", "1e3", "-0.5E-3",
		"123456789", "\"\"", "\"abc\"", "\"\\n\\u00e9\"", "\"\\ud83c\\udf4f\"", "\"M\xc3\xbcller\"",
		"\"long enough for a block of 16\"" };
	static const char *const spaces[] = { "", "", "", " ", "\n", "\t " };
	xylem_buffer_text(out, spaces[pick(6)]);
	unsigned kind = depth > 5 ? 0 : pick(4);
	if (kind < 2) {
		xylem_buffer_text(out, scalars[pick(sizeof(scalars) / sizeof(scalars[0]))]);
	} else {
		unsigned n = pick(4);
		xylem_buffer_byte(out, "{["[kind - 2]);
		for (unsigned i = 0; i < n; i++) {
			xylem_buffer_text(out, i ? "," : "");
			if (kind == 2) {
				xylem_buffer_format(
					out, "%s\"k%u\"%s:", spaces[pick(6)], pick(5), spaces[pick(6)]);
			}
			random_value(out, depth + 1);
		}
		xylem_buffer_byte(out, "}]"[kind - 2]);
	}
	xylem_buffer_text(out, spaces[pick(6)]);
}

static void random_break(struct xylem_buffer *text)
{
	static const char bytes[] = "{}[]\",:\\truefalsn0123456789.-+eE \n\t\x01\x7f\x80\xc3\xa9\xed\xff/bu";
	for (unsigned i = pick(3); i > 0 && text->n > 0; i--) {
		size_t at = pick((unsigned)text->n);
		if (pick(2)) {
			text->bytes[at] = bytes[pick(sizeof(bytes) - 1)];
		} else {
			memmove(text->bytes + at, text->bytes + at + 1, text->n - at - 1);
			xylem_buffer_cut(text, text->n - 1);
		}
	}
}

static void values_same(struct xylem_span value, const json_t *expected);

static void members_same(struct xylem_span value, const json_t *expected)
{
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)(uintptr_t)expected, key, member)
	{
		values_same(xylem_json_member(value, xylem_span_of(key)), member);
	}
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, value);
	while (xylem_json_next(&iterator)) {
		char name[64];
		struct xylem_arena *arena = xylem_arena_new(0);
		struct xylem_span bytes;
		assert_int_equal(xylem_json_string(iterator.name, arena, &bytes), 0);
		assert_true(bytes.n < sizeof(name));
		memcpy(name, bytes.at, bytes.n);
		name[bytes.n] = '\0';
		assert_non_null(json_object_get(expected, name));
		xylem_arena_free(arena);
	}
}

static void values_same(struct xylem_span value, const json_t *expected)
{
	double number;
	int64_t integer;
	switch (xylem_json_type(value)) {
	case XYLEM_JSON_NULL:
		assert_true(json_is_null(expected));
		break;
	case XYLEM_JSON_FALSE:
		assert_true(json_is_false(expected));
		break;
	case XYLEM_JSON_TRUE:
		assert_true(json_is_true(expected));
		break;
	case XYLEM_JSON_STRING:
		assert_true(json_is_string(expected));
		assert_true(xylem_json_string_equals(
			value, xylem_span(json_string_value(expected), json_string_length(expected))));
		break;
	case XYLEM_JSON_NUMBER:
		assert_int_equal(xylem_json_double(value, &number, NULL), 0);
		assert_true(number == json_number_value(expected));
		if (json_is_integer(expected)) {
			assert_int_equal(xylem_json_int64(value, &integer), 0);
			assert_true(integer == json_integer_value(expected));
		}
		break;
	case XYLEM_JSON_ARRAY:
		assert_int_equal(xylem_json_count(value), json_array_size(expected));
		for (size_t i = 0; i < json_array_size(expected); i++) {
			values_same(xylem_json_element(value, i), json_array_get(expected, i));
		}
		break;
	case XYLEM_JSON_OBJECT:
		assert_true(json_is_object(expected));
		members_same(value, expected);
		break;
	case XYLEM_JSON_NONE:
		fail_msg("no value where jansson has one");
	}
}

/* What jansson refuses by limits of its own. */
static bool is_own_limit(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);
	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static void the_same_is_accepted_with_the_same_values(void **state)
{
	unsigned taken = 0, refused = 0;
	struct xylem_buffer text = { 0 };
	seed = 5280;
	for (int i = 0; i < 40000; i++) {
		xylem_buffer_clear(&text);
		random_value(&text, 0);
		random_break(&text);
		struct xylem_span span = xylem_buffer_borrow(&text);
		json_error_t error;
		json_t *expected = json_loadb(span.at, span.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		struct xylem_reason reason = { "" };
		int result = xylem_json_check(span, NULL, &reason);
		if (!expected && is_own_limit(&error)) {
			continue;
		}
		if ((result == 0) != (expected != NULL)) {
			fail_msg("round %d: %.*s\nours: %s\njansson: %s", i, (int)span.n, span.at,
				reason.text, expected ? "" : error.text);
		}
		taken += result == 0;
		refused += result != 0;
		if (expected) {
			values_same(xylem_json_trim(span), expected);
		}
		json_decref(expected);
	}
	assert_true(taken > 5000);
	assert_true(refused > 5000);
	xylem_buffer_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_accepted_with_the_same_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
