/* SPDX-License-Identifier: Apache-2.0 */

/* The table of failure classes, row by row: a class that moves must be moved here too. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <xylem/connector.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void statuses_fall_into_their_class(void **state)
{
	static const struct {
		long status;
		enum xylem_failure failure;
	} rows[] = {
		{ 200, XYLEM_DELIVERED },
		{ 201, XYLEM_DELIVERED },
		{ 202, XYLEM_DELIVERED },
		{ 204, XYLEM_DELIVERED },
		{ 299, XYLEM_DELIVERED },
		{ 502, XYLEM_FAILURE_DOWN },
		{ 503, XYLEM_FAILURE_DOWN },
		{ 504, XYLEM_FAILURE_DOWN },
		{ 507, XYLEM_FAILURE_DOWN },
		{ 522, XYLEM_FAILURE_DOWN },
		{ 0, XYLEM_FAILURE_DOWN },
		{ -1, XYLEM_FAILURE_DOWN },
		{ 101, XYLEM_FAILURE_DOWN },
		{ 999, XYLEM_FAILURE_DOWN },
		{ 301, XYLEM_FAILURE_MISCONFIGURED },
		{ 308, XYLEM_FAILURE_MISCONFIGURED },
		{ 401, XYLEM_FAILURE_MISCONFIGURED },
		{ 402, XYLEM_FAILURE_MISCONFIGURED },
		{ 403, XYLEM_FAILURE_MISCONFIGURED },
		{ 404, XYLEM_FAILURE_MISCONFIGURED },
		{ 405, XYLEM_FAILURE_MISCONFIGURED },
		{ 406, XYLEM_FAILURE_MISCONFIGURED },
		{ 407, XYLEM_FAILURE_MISCONFIGURED },
		{ 410, XYLEM_FAILURE_MISCONFIGURED },
		{ 414, XYLEM_FAILURE_MISCONFIGURED },
		{ 501, XYLEM_FAILURE_MISCONFIGURED },
		{ 505, XYLEM_FAILURE_MISCONFIGURED },
		{ 511, XYLEM_FAILURE_MISCONFIGURED },
		{ 408, XYLEM_FAILURE_BUSY },
		{ 423, XYLEM_FAILURE_BUSY },
		{ 425, XYLEM_FAILURE_BUSY },
		{ 429, XYLEM_FAILURE_BUSY },
		{ 500, XYLEM_FAILURE_BUSY },
		{ 520, XYLEM_FAILURE_BUSY },
		{ 599, XYLEM_FAILURE_BUSY },
		{ 400, XYLEM_FAILURE_WRONG },
		{ 409, XYLEM_FAILURE_WRONG },
		{ 412, XYLEM_FAILURE_WRONG },
		{ 413, XYLEM_FAILURE_WRONG },
		{ 415, XYLEM_FAILURE_WRONG },
		{ 418, XYLEM_FAILURE_WRONG },
		{ 422, XYLEM_FAILURE_WRONG },
		{ 431, XYLEM_FAILURE_WRONG },
		{ 451, XYLEM_FAILURE_WRONG },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (xylem_failure_of_http(rows[i].status) != rows[i].failure) {
			fail_msg("HTTP %ld is %s", rows[i].status,
				xylem_failure_name(xylem_failure_of_http(rows[i].status)));
		}
	}
}

static void sqlstates_fall_into_their_class(void **state)
{
	static const struct {
		const char *sqlstate;
		enum xylem_failure failure;
	} rows[] = {
		{ "00000", XYLEM_DELIVERED },
		{ "01004", XYLEM_DELIVERED },
		{ NULL, XYLEM_FAILURE_DOWN },
		{ "", XYLEM_FAILURE_DOWN },
		{ "08006", XYLEM_FAILURE_DOWN },
		{ "53300", XYLEM_FAILURE_DOWN },
		{ "57P01", XYLEM_FAILURE_DOWN },
		{ "57P03", XYLEM_FAILURE_DOWN },
		{ "25006", XYLEM_FAILURE_DOWN },
		{ "58030", XYLEM_FAILURE_DOWN },
		{ "28P01", XYLEM_FAILURE_MISCONFIGURED },
		{ "3D000", XYLEM_FAILURE_MISCONFIGURED },
		{ "42P01", XYLEM_FAILURE_MISCONFIGURED },
		{ "42501", XYLEM_FAILURE_MISCONFIGURED },
		{ "3F000", XYLEM_FAILURE_MISCONFIGURED },
		{ "XX001", XYLEM_FAILURE_MISCONFIGURED },
		{ "40001", XYLEM_FAILURE_BUSY },
		{ "40P01", XYLEM_FAILURE_BUSY },
		{ "57014", XYLEM_FAILURE_BUSY },
		{ "55P03", XYLEM_FAILURE_BUSY },
		{ "XX000", XYLEM_FAILURE_BUSY },
		{ "ZZZZZ", XYLEM_FAILURE_BUSY },
		{ "22003", XYLEM_FAILURE_WRONG },
		{ "23503", XYLEM_FAILURE_WRONG },
		{ "23505", XYLEM_FAILURE_WRONG },
		{ "P0001", XYLEM_FAILURE_WRONG },
		{ "21000", XYLEM_FAILURE_WRONG },
		{ "54000", XYLEM_FAILURE_WRONG },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (xylem_failure_of_sqlstate(rows[i].sqlstate) != rows[i].failure) {
			fail_msg("SQLSTATE %s is %s", rows[i].sqlstate ? rows[i].sqlstate : "(none)",
				xylem_failure_name(xylem_failure_of_sqlstate(rows[i].sqlstate)));
		}
	}
}

static void stanza_errors_fall_into_their_class(void **state)
{
	static const struct {
		const char *type, *condition;
		enum xylem_failure failure;
	} rows[] = {
		{ "cancel", "remote-server-not-found", XYLEM_FAILURE_DOWN },
		{ "wait", "remote-server-timeout", XYLEM_FAILURE_DOWN },
		{ "cancel", "service-unavailable", XYLEM_FAILURE_DOWN },
		{ "auth", "forbidden", XYLEM_FAILURE_MISCONFIGURED },
		{ "cancel", "item-not-found", XYLEM_FAILURE_MISCONFIGURED },
		{ "auth", "something-new", XYLEM_FAILURE_MISCONFIGURED },
		{ "wait", "resource-constraint", XYLEM_FAILURE_BUSY },
		{ "wait", "policy-violation", XYLEM_FAILURE_BUSY },
		{ "wait", NULL, XYLEM_FAILURE_BUSY },
		{ "cancel", "internal-server-error", XYLEM_FAILURE_BUSY },
		{ "modify", "bad-request", XYLEM_FAILURE_WRONG },
		{ "modify", "policy-violation", XYLEM_FAILURE_WRONG },
		{ "modify", "not-acceptable", XYLEM_FAILURE_WRONG },
		{ "cancel", "conflict", XYLEM_FAILURE_WRONG },
		{ NULL, NULL, XYLEM_FAILURE_WRONG },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (xylem_failure_of_xmpp(rows[i].type, rows[i].condition) != rows[i].failure) {
			fail_msg("%s/%s is %s", rows[i].type ? rows[i].type : "-",
				rows[i].condition ? rows[i].condition : "-",
				xylem_failure_name(xylem_failure_of_xmpp(rows[i].type, rows[i].condition)));
		}
	}
}

static void a_result_holds_what_it_was_told(void **state)
{
	struct xylem_result result = { 0 };
	xylem_result_fail(&result, XYLEM_FAILURE_WRONG, "http-422", "%s: %d", "the partner says", 7);
	assert_int_equal(result.failure, XYLEM_FAILURE_WRONG);
	assert_string_equal(result.code, "http-422");
	assert_string_equal(result.reason.text, "the partner says: 7");

	char longer[2000];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	xylem_result_fail(&result, XYLEM_FAILURE_DOWN, longer, "%s", longer);
	assert_int_equal(strlen(result.code), sizeof(result.code) - 1);
	assert_true(strlen(result.reason.text) < sizeof(result.reason.text));
	assert_string_equal(result.reason.text + strlen(result.reason.text) - 3, "...");
}

static void classes_have_names(void **state)
{
	assert_string_equal(xylem_failure_name(XYLEM_DELIVERED), "delivered");
	assert_string_equal(xylem_failure_name(XYLEM_FAILURE_DOWN), "down");
	assert_string_equal(xylem_failure_name(XYLEM_FAILURE_MISCONFIGURED), "misconfigured");
	assert_string_equal(xylem_failure_name(XYLEM_FAILURE_BUSY), "busy");
	assert_string_equal(xylem_failure_name(XYLEM_FAILURE_WRONG), "wrong");
	assert_string_equal(xylem_failure_name(XYLEM_NOT_TRIED), "not-tried");
	assert_string_equal(xylem_failure_name(XYLEM_DISCARDED), "discarded");
	assert_string_equal(xylem_failure_name((enum xylem_failure)77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_fall_into_their_class),
		cmocka_unit_test(sqlstates_fall_into_their_class),
		cmocka_unit_test(stanza_errors_fall_into_their_class),
		cmocka_unit_test(a_result_holds_what_it_was_told),
		cmocka_unit_test(classes_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
