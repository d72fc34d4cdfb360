/* SPDX-License-Identifier: Apache-2.0 */
/* Failures that have one cause get one fingerprint, and others get another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <hospital/fingerprint.h>

static const struct {
	const char *reason;
	const char *pattern;
} patterns[] = {
	{ "", "" },
	{ "connection reset", "connection reset" },
	{ "  many   spaces\n and lines ", "many spaces and lines" },
	{ "/total_cents: 19.99 is not an integer", "/total_cents: <n> is not an integer" },
	{ "/items/3/price: 1e-400 is out of range", "/items/<n>/price: <n> is out of range" },
	{ "value -12 below 0.", "value -<n> below <n>." },
	{ "Key (customer)=(c-77) is not present in table \"customers\".",
		"Key (customer)=(<v>) is not present in table <q>." },
	{ "unknown customer 'c-77 o'", "unknown customer <q>" },
	{ "it can't find O'Neill", "it can't find O'Neill" },
	{ "an open \"quote", "an open \"quote" },
	{ "escaped \"a \\\" b\" end", "escaped <q> end" },
	{ "order 0190163d-8694-739b-aea5-966c26f8ad91 refused", "order <uuid> refused" },
	{ "trace 4bf92f3577b34da6a3ce929d0e0e4736 at 0xDEADbeef", "trace <hex> at <hex>" },
	{ "deadbeef is a word, deadbeef1 is not", "deadbeef is a word, <hex> is not" },
	{ "at 2026-11-21T09:30:00.125Z from 10.0.0.1:5432", "at <n>T<n>Z from <n>" },
	{ "SKU4711 and x12y", "SKU<n> and x<n>y" },
	{ "`ref` and \"\"", "<q> and <q>" },
	{ "Montant 12,50 \xe2\x82\xac refus\xc3\xa9", "Montant <n> \xe2\x82\xac refus\xc3\xa9" },
};

static void values_are_replaced(void **state)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char pattern[PATTERN_SIZE];
		pattern_of(xylem_span_of(patterns[i].reason), pattern);
		assert_string_equal(pattern, patterns[i].pattern);
	}
}

/* What is a pattern already stays as it is: groups are stable. */
static void a_pattern_is_its_own_pattern(void **state)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char once[PATTERN_SIZE], twice[PATTERN_SIZE];
		pattern_of(xylem_span_of(patterns[i].reason), once);
		pattern_of(xylem_span_of(once), twice);
		assert_string_equal(once, twice);
	}
}

static void any_bytes_are_bounded(void **state)
{
	uint64_t seed = 7;
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)round % 600;
		char *bytes = malloc(n + 1), pattern[PATTERN_SIZE];
		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bytes[i] = round % 2 ? "0x1a-'\"=()., \\f"[(seed >> 40) % 15] : (char)(seed >> 40);
		}
		pattern_of(xylem_span(bytes, n), pattern);
		assert_true(strlen(pattern) < PATTERN_SIZE);
		free(bytes);
	}
}

static const struct {
	const char *route, *destination, *stage, *code, *reason;
	bool same; /* as the row before */
} failures[] = {
	{ "orders", "", "step 1 validate", "schema", "/a: 12 is not a string", false },
	{ "orders", "", "step 2 validate", "schema", "/a: 7 is not a string", true },
	{ "orders", "", "step 2 jq", "schema", "/a: 7 is not a string", false },
	{ "orders", "", "step 2 jq", "jq-error", "/a: 7 is not a string", false },
	{ "returns", "", "step 2 jq", "jq-error", "/a: 7 is not a string", false },
	{ "returns", "", "step 2 jq", "jq-error", "/b: 7 is not a string", false },
	{ "orders", "erp", "deliver", "23503", "Key (customer)=(c-1) is not present", false },
	{ "orders", "erp", "deliver", "23503", "Key (customer)=(c-2) is not present", true },
	{ "orders", "erp2", "deliver", "23503", "Key (customer)=(c-2) is not present", false },
};

static void one_cause_is_one_group(void **state)
{
	char last[FINGERPRINT_SIZE] = "", next[FINGERPRINT_SIZE];
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		char pattern[PATTERN_SIZE];
		pattern_of(xylem_span_of(failures[i].reason), pattern);
		fingerprint_of(failures[i].route, failures[i].destination, failures[i].stage,
			failures[i].code, pattern, next);
		assert_int_equal(strlen(next), FINGERPRINT_SIZE - 1);
		assert_int_equal(strcmp(next, last) == 0, failures[i].same);
		memcpy(last, next, sizeof(last));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_replaced),
		cmocka_unit_test(a_pattern_is_its_own_pattern),
		cmocka_unit_test(any_bytes_are_bounded),
		cmocka_unit_test(one_cause_is_one_group),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
