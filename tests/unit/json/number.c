/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers by value, exactly, in any locale. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/json.h>

/* Ascending; the same rank is the same value. */
static const struct {
	int rank;
	const char *text;
} ranked[] = {
	{ 0, "-1e99999999999999999999999999999999" },
	{ 1, "-1e99999999999999999999999999999998" },
	{ 2, "-1e400" },
	{ 3, "-12345678901234567891" },
	{ 4, "-12345678901234567890" },
	{ 5, "-1.5" },
	{ 5, "-15e-1" },
	{ 5, "-0.15e1" },
	{ 6, "-1" },
	{ 7, "-1e-400" },
	{ 8, "-1e-99999999999999999999999999999999" },
	{ 9, "0" },
	{ 9, "-0" },
	{ 9, "0.000" },
	{ 9, "0e99999999999999999999999999999999" },
	{ 9, "-0.0e-1" },
	{ 10, "10e-99999999999999999999999999999999999" },
	{ 10, "1e-99999999999999999999999999999999998" },
	{ 10, "0.1e-99999999999999999999999999999999997" },
	{ 11, "1e-99999999999999999999999999999999997" },
	{ 12, "1e-400" },
	{ 13, "0.1" },
	{ 13, "0.10" },
	{ 13, "1e-1" },
	{ 13, "100e-3" },
	{ 13, "0.0000001e+6" },
	{ 14, "0.1000000000000000055511151231257827021181583404541015625" },
	{ 15, "0.11" },
	{ 16, "1" },
	{ 16, "1.0" },
	{ 16, "10e-1" },
	{ 17, "1.000000000000000000000000000000000000000000000001" },
	{ 18, "9" },
	{ 19, "10" },
	{ 20, "99.5" },
	{ 21, "100" },
	{ 21, "1e2" },
	{ 21, "1E+0002" },
	{ 22, "101" },
	{ 23, "9007199254740992" },
	{ 24, "9007199254740993" },
	{ 25, "9223372036854775807" },
	{ 26, "9223372036854775808" },
	{ 27, "12345678901234567890" },
	{ 27, "1.2345678901234567890e19" },
	{ 28, "12345678901234567891" },
	{ 29, "1e99999999999999999999999999999999" },
	{ 29, "0.001e100000000000000000000000000000002" },
	{ 29, "1000e99999999999999999999999999999996" },
	{ 30, "1.1e99999999999999999999999999999999" },
	{ 31, "1e100000000000000000000000000000000" },
};
enum { RANKED = sizeof(ranked) / sizeof(ranked[0]) };

static void order_is_by_value(void **state)
{
	for (size_t i = 0; i < RANKED; i++) {
		for (size_t j = 0; j < RANKED; j++) {
			int expected = (ranked[i].rank > ranked[j].rank) - (ranked[i].rank < ranked[j].rank);
			int order = xylem_json_number_compare(
				xylem_span_of(ranked[i].text), xylem_span_of(ranked[j].text));
			if (order != expected) {
				fail_msg("%s and %s: %d", ranked[i].text, ranked[j].text, order);
			}
		}
	}
}

static void integers_are_exact(void **state)
{
	static const struct {
		const char *text;
		bool integer;
		int64_t number;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "0e9999999999999999999", true, 0 },
		{ "42", true, 42 },
		{ "-42", true, -42 },
		{ "1e2", true, 100 },
		{ "1.0", true, 1 },
		{ "1.50e1", true, 15 },
		{ "120e-1", true, 12 },
		{ "0.00001e5", true, 1 },
		{ "100000000000000000000e-19", true, 10 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9.223372036854775807e18", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "10000000000000000000", false, 0 },
		{ "1e19", false, 0 },
		{ "1e400", false, 0 },
		{ "1e99999999999999999999999", false, 0 },
		{ "1e-99999999999999999999999", false, 0 },
		{ "1.5", false, 0 },
		{ "1e-1", false, 0 },
		{ "true", false, 0 },
		{ "\"1\"", false, 0 },
		{ "", false, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t number = 777;
		int error = xylem_json_int64(xylem_span_of(cases[i].text), &number);
		assert_int_equal(error, cases[i].integer ? 0 : -XYLEM_E_INVALID);
		assert_true(number == (cases[i].integer ? cases[i].number : 777));
	}
}

static const struct {
	const char *text;
	double number;
	bool exact;
} doubles[] = {
	{ "0", 0, true },
	{ "19.99", 19.99, true },
	{ "0.1", 0.1, true },
	{ "-1.10", -1.1, true },
	{ "1e22", 1e22, true },
	{ "1e23", 1e23, true },
	{ "123456789012345", 123456789012345.0, true },
	{ "9007199254740991", 9007199254740991.0, true },
	{ "9007199254740992", 9007199254740992.0, true },
	{ "9007199254740993", 9007199254740992.0, false },
	{ "12345678901234567890", 12345678901234567890.0, false },
	{ "1.7976931348623157e308", 1.7976931348623157e308, true },
	{ "1.7976931348623158e308", 1.7976931348623157e308, false },
	{ "1.8e308", HUGE_VAL, false },
	{ "1e400", HUGE_VAL, false },
	{ "-1e99999999999999999999999", -HUGE_VAL, false },
	{ "1e-400", 0, false },
	{ "1e-99999999999999999999999", 0, false },
	{ "0e-400", 0, true },
	{ "5e-324", 5e-324, true },
	{ "4.9e-324", 5e-324, false },
	{ "4e-324", 5e-324, false },
	{ "2.2250738585072014e-308", 2.2250738585072014e-308, false }, /* a power of two: not vouched for */
	{ "2.2250738585072011e-308", 2.2250738585072011e-308, false },
	{ "2.225073858507201e-308", 2.225073858507201e-308, true },
	{ "0.3", 0.3, true },
	{ "0.30000000000000004", 0.30000000000000004, true },
	{ "0.1000000000000000055511151231257827021181583404541015625", 0.1, false },
	/* half way between two doubles, and a little above, far behind the 17th digit */
	{ "9007199254740993.00000000000000000000000000000000000000000000", 9007199254740992.0, false },
	{ "9007199254740993.00000000000000000000000000000000000000000001", 9007199254740994.0, false },
};

static void doubles_are_the_nearest(void)
{
	for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		double number = 777;
		bool exact;
		assert_int_equal(xylem_json_double(xylem_span_of(doubles[i].text), &number, &exact), 0);
		if (number != doubles[i].number || exact != doubles[i].exact) {
			fail_msg("%s: %.17g, %s", doubles[i].text, number, exact ? "exact" : "not exact");
		}
	}
	double number = 777;
	assert_int_equal(xylem_json_double(XYLEM_SPAN_LITERAL("null"), &number, NULL), -XYLEM_E_INVALID);
	assert_true(number == 777);
}

static void doubles_in_the_c_locale(void **state)
{
	doubles_are_the_nearest();
}

/*
 * In a locale with a decimal comma, compiled for this test: the machine need
 * not have one installed, only the sources (package locales). Without those
 * the C locale is tried again.
 */
static void doubles_with_a_decimal_comma(void **state)
{
	char folder[] = "/tmp/xylem-locale-XXXXXX", command[256];
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null", folder);
	bool compiled = system(command) == 0;
	setenv("LOCPATH", folder, 1);
	if (compiled) {
		assert_non_null(setlocale(LC_NUMERIC, "de_DE.UTF-8"));
		assert_string_equal(localeconv()->decimal_point, ",");
	}
	doubles_are_the_nearest();
	setlocale(LC_NUMERIC, "C");
	unsetenv("LOCPATH");
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

/* More digits than the room for them: the tail still rounds the right way. */
static void very_long_literals_are_rounded_once(void **state)
{
	enum { ZEROS = 5000 };
	char *text = malloc(ZEROS + 64);
	int n = sprintf(text, "9007199254740993.");
	memset(text + n, '0', ZEROS);
	for (int tail = 0; tail <= 1; tail++) {
		text[n + ZEROS] = (char)('0' + tail);
		double number;
		bool exact;
		assert_int_equal(
			xylem_json_double(xylem_span(text, (size_t)n + ZEROS + 1), &number, &exact), 0);
		assert_true(number == (tail ? 9007199254740994.0 : 9007199254740992.0));
		assert_false(exact);
	}
	free(text);
}

/* Against the C library, over random digits and powers: the nearest double, and whether it prints back. */
static void random_literals_agree_with_strtod(void **state)
{
	uint64_t seed = 20261121;
	for (int i = 0; i < 50000; i++) {
		char text[64];
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t digits = seed >> (seed >> 59);
		int power = (int)(seed >> 20 & 1023) - 512, point = (int)(seed >> 33 & 7);
		snprintf(text, sizeof(text), i % 2 ? "%llue%d" : "%llu.%05de%d", (unsigned long long)digits,
			i % 2 ? power : point, power);
		double number;
		bool exact;
		assert_int_equal(xylem_json_double(xylem_span_of(text), &number, &exact), 0);
		assert_true(number == strtod(text, NULL));
		char printed[64];
		snprintf(printed, sizeof(printed), "%.17g", number);
		bool returns = isfinite(number) &&
			       xylem_json_number_compare(xylem_span_of(text), xylem_span_of(printed)) == 0;
		assert_true(!returns || exact || strlen(text) > 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_by_value),
		cmocka_unit_test(integers_are_exact),
		cmocka_unit_test(doubles_in_the_c_locale),
		cmocka_unit_test(doubles_with_a_decimal_comma),
		cmocka_unit_test(very_long_literals_are_rounded_once),
		cmocka_unit_test(random_literals_agree_with_strtod),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
