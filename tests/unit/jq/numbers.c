/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers: what is exact, what becomes a double, what is written, how they order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jq/number.h>

/* A literal, or by a letter: `i` an integer, `d` a double. */
static struct jq_value number_of(const char *text)
{
	const char *digits = text + 1;
	if (*text == 'i') {
		return jq_int(strtoll(digits, NULL, 10));
	}
	return *text == 'd' ? jq_double(strtod(digits, NULL)) : jq_value_json(xylem_span_of(text));
}

static void number_is(struct jq_value value, const char *wanted, const char *what)
{
	char room[JQ_NUMBER_TEXT];
	struct xylem_span text = jq_number_text(value, room);
	if (!xylem_span_is(text, wanted)) {
		fail_msg("%s: %.*s, not %s", what, (int)text.n, text.at, wanted);
	}
}

static void texts(void **unused)
{
	(void)unused;
	static const char *const rows[][2] = {
		{ "1e2", "1e2" },
		{ "1.10", "1.10" },
		{ "-0", "-0" },
		{ "1e1000", "1e1000" },
		{ "12345678901234567890", "12345678901234567890" },
		{ "i-9223372036854775808", "-9223372036854775808" },
		{ "i0", "0" },
		{ "d0.1", "0.1" },
		{ "d-0", "-0" },
		{ "d1e15", "1000000000000000" },
		{ "d1e16", "1e+16" },
		{ "d12e16", "1.2e+17" },
		{ "d123e14", "12300000000000000" },
		{ "d1e19", "1e+19" },
		{ "d1e-5", "1e-05" },
		{ "d0.0001", "0.0001" },
		{ "d5e-324", "5e-324" },
		{ "d1.2e-320", "1.2e-320" },
		{ "d2.2250738585072014e-308", "2.2250738585072014e-308" },
		{ "d19.99", "19.99" },
		{ "d-1.2345678901234567e31", "-12345678901234567000000000000000" },
		{ "d-1.2345678901234567e-4", "-0.00012345678901234567" },
		{ "dinf", "1.7976931348623157e+308" },
		{ "d-inf", "-1.7976931348623157e+308" },
		{ "dnan", "null" },
		{ "d9007199254740993", "9007199254740992" },
		{ "d0.30000000000000004", "0.30000000000000004" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		number_is(number_of(rows[i][0]), rows[i][1], rows[i][0]);
	}
}

static struct jq_value calculated(char op, struct jq_value a, struct jq_value b)
{
	switch (op) {
	case '+':
		return jq_number_add(a, b);
	case '-':
		return jq_number_subtract(a, b);
	case '*':
		return jq_number_multiply(a, b);
	default:
		return jq_number_divide(a, b);
	}
}

static void calculations(void **unused)
{
	(void)unused;
	static const struct {
		const char *a;
		char op;
		const char *b, *result;
	} rows[] = {
		{ "9007199254740993", '+', "1", "9007199254740994" },
		{ "9223372036854775807", '+', "0", "9223372036854775807" },
		{ "9223372036854775807", '+', "1", "9223372036854776000" }, /* a double */
		{ "-9223372036854775808", '-', "1", "-9223372036854776000" },
		{ "3037000500", '*', "3037000500", "9223372037000250000" },
		{ "3037000499", '*', "3037000499", "9223372030926249001" },
		{ "-1", '*', "0", "-0" },
		{ "9007199254740993", '/', "1", "9007199254740993" },
		{ "i-9223372036854775808", '/', "-1", "9223372036854776000" },
		{ "10", '/', "4", "2.5" },
		{ "0.1", '+', "0.2", "0.30000000000000004" },
		{ "39.99", '*', "2", "79.98" },
		{ "1e2", '+', "1", "101" },
		{ "1e1000", '-', "1", "1.7976931348623157e+308" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct jq_value value = calculated(rows[i].op, number_of(rows[i].a), number_of(rows[i].b));
		number_is(value, rows[i].result, rows[i].a);
	}
	number_is(jq_number_negate(number_of("0")), "-0", "negated");
	number_is(jq_number_negate(number_of("i-9223372036854775808")), "9223372036854776000", "negated");
	number_is(jq_number_negate(number_of("9007199254740993")), "-9007199254740993", "negated");
}

/* Each is below the next one. */
static void orders(void **unused)
{
	(void)unused;
	static const char *const rising[] = { "dnan", "d-inf", "-1e1000", "-12345678901234567890",
		"i-9223372036854775808", "-9007199254740993", "d-9007199254740992", "-1.5", "-1", "0",
		"5e-325", "d5e-324", "0.1", "d0.10000000000000002", "i1", "1.0000000000000000001", "d1.5",
		"d9007199254740992", "9007199254740993", "i9223372036854775807", "9223372036854775808",
		"12345678901234567890", "12345678901234567891", "1e1000", "2e1000", "dinf" };
	static const char *const same[][2] = { { "0", "-0" }, { "1", "1.0" }, { "1e2", "100" },
		{ "i100", "1e2" }, { "d0.1", "0.1" }, { "d0.1", "0.10" }, { "i1", "d1" }, { "d-0", "i0" } };
	for (size_t a = 0; a < sizeof(rising) / sizeof(rising[0]); a++) {
		for (size_t b = 0; b < sizeof(rising) / sizeof(rising[0]); b++) {
			int order = jq_number_order(number_of(rising[a]), number_of(rising[b]));
			bool fine = a == b ? (a == 0 ? order < 0 : order == 0)
					   : (order < 0) == (a < b) && order;
			if (!fine) {
				fail_msg("%s and %s: %d", rising[a], rising[b], order);
			}
		}
	}
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(jq_number_order(number_of(same[i][0]), number_of(same[i][1])), 0);
	}
}

static void integers(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		bool fits;
		int64_t value, cut;
	} rows[] = {
		{ "1.0", true, 1, 1 },
		{ "1e2", true, 100, 100 },
		{ "1.5", false, 0, 1 },
		{ "-1.5", false, 0, -1 },
		{ "9223372036854775807", true, INT64_MAX, INT64_MAX },
		{ "9223372036854775808", false, 0, INT64_MAX },
		{ "1e300", false, 0, INT64_MAX },
		{ "-1e300", false, 0, INT64_MIN },
		{ "dnan", false, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t value = 0;
		struct jq_value number = number_of(rows[i].text);
		assert_int_equal(jq_number_int64(number, &value), rows[i].fits);
		assert_true(!rows[i].fits || value == rows[i].value);
		assert_true(jq_number_cut(number) == rows[i].cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(calculations),
		cmocka_unit_test(orders),
		cmocka_unit_test(integers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
