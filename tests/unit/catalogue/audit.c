/* SPDX-License-Identifier: Apache-2.0 */
/* The audit: records come back newest first, and whatever is changed in them shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <catalogue/audit.h>

#include "tests/unit/catalogue/place.h"

static int set_up(void **state)
{
	place_set_up(state);
	struct place *place = *state;
	struct xylem_reason reason;
	for (int i = 0; i < 10; i++) {
		char arguments[64];
		snprintf(arguments, sizeof(arguments), "{\"lane\":\"orders/%d\"}", i);
		struct audit_record record = { i % 2 ? "anna" : "", i % 2 ? "operator" : "none", "lane-pause",
			arguments, i % 2 ? "ok" : "forbidden" };
		assert_int_equal(audit_write(place->catalogue, &record, &reason), 0);
	}
	return 0;
}

static void newest_first_in_pages(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	json_int_t expected = 10;
	uint64_t after = 0;
	do {
		json_t *page, *record;
		size_t i;
		assert_int_equal(audit_list(place->catalogue, after, 4, &page, &reason), 0);
		json_array_foreach(json_object_get(page, "records"), i, record)
		{
			assert_int_equal(json_integer_value(json_object_get(record, "number")), expected--);
			json_t *arguments = json_object_get(record, "arguments");
			assert_non_null(
				strstr(json_string_value(json_object_get(arguments, "lane")), "orders/"));
			assert_string_equal(
				json_string_value(json_object_get(record, "operation")), "lane-pause");
		}
		after = (uint64_t)json_integer_value(json_object_get(page, "next"));
		json_decref(page);
	} while (after > 0);
	assert_int_equal(expected, 0);
}

static int run_sql(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return sqlite3_exec(database, context, NULL, NULL, NULL) == SQLITE_OK ? 0 : -XYLEM_E_INTERNAL;
}

static const struct {
	const char *sql;
	const char *named;
} changes[] = {
	{ "UPDATE audit SET who = 'bert' WHERE number = 4", "record 4" },
	{ "UPDATE audit SET outcome = 'ok' WHERE number = 1", "record 1" },
	{ "UPDATE audit SET time_us = time_us + 1 WHERE number = 10", "record 10" },
	{ "UPDATE audit SET who = 'annaoperator', role = '' WHERE number = 2", "record 2" },
	{ "UPDATE audit SET hash = zeroblob(32) WHERE number = 7", "record 7" },
	{ "DELETE FROM audit WHERE number = 3", "record 4" },
	{ "DELETE FROM audit WHERE number = 1", "record 2" },
	{ "DELETE FROM audit WHERE number > 8", "ends at record 8" },
};

static void a_change_shows(void **state)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct place *place = *state;
		struct xylem_reason reason = { "" };
		assert_int_equal(audit_check(place->catalogue, &reason), 0);
		char sql[256];
		snprintf(sql, sizeof(sql), "%s", changes[i].sql);
		assert_int_equal(catalogue_write(place->catalogue, run_sql, sql, &reason), 0);
		assert_int_equal(audit_check(place->catalogue, &reason), -XYLEM_E_DAMAGED);
		assert_non_null(strstr(reason.text, changes[i].named));
		place_tear_down(state);
		set_up(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(newest_first_in_pages, set_up, place_tear_down),
		cmocka_unit_test_setup_teardown(a_change_shows, set_up, place_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
