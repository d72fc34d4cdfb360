/* SPDX-License-Identifier: Apache-2.0 */
/* Since when a route is what it is, on a real catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <trace/generation.h>

#include "tests/unit/catalogue/place.h"

/* The route is `what` from now on. */
static void note(struct place *place, const char *route, char what, int64_t now_us)
{
	unsigned char hash[32];
	struct xylem_reason reason = { "" };
	memset(hash, what, sizeof(hash));
	const struct generation_route one = { route, hash };
	assert_int_equal(generation_note(place->catalogue, &one, 1, now_us, &reason), 0);
}

static void assert_was(struct place *place, const char *route, int64_t time_us, char what, int64_t changed_us)
{
	struct generation_found found;
	struct xylem_reason reason = { "" };
	int r = generation_find(place->catalogue, route, time_us, &found, &reason);
	if (!what) {
		assert_int_equal(r, -XYLEM_E_NOT_FOUND);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(found.hash[0], what);
	assert_int_equal(found.hash[31], what);
	assert_int_equal(found.changed_us, changed_us);
}

static void a_change_is_found_by_its_time(void **state)
{
	struct place *place = *state;
	note(place, "r", 'a', 100);
	note(place, "r", 'a', 150); /* a restart */
	note(place, "other", 'x', 160);
	note(place, "r", 'b', 200);
	note(place, "r", 'a', 300);
	assert_was(place, "r", 99, 0, 0);
	assert_was(place, "r", 100, 'a', 200);
	assert_was(place, "r", 199, 'a', 200);
	assert_was(place, "r", 200, 'b', 300);
	assert_was(place, "r", 300, 'a', 0);
	assert_was(place, "r", INT64_MAX, 'a', 0);
	assert_was(place, "other", 200, 'x', 0);
	assert_was(place, "nobody", 200, 0, 0);
}

static void a_clock_set_back_turns_nothing_round(void **state)
{
	struct place *place = *state;
	note(place, "r", 'a', 1000);
	note(place, "r", 'b', 10);
	assert_was(place, "r", 1000, 'a', 1001);
	assert_was(place, "r", 1001, 'b', 0);
}

static void the_latest_are_kept(void **state)
{
	struct place *place = *state;
	for (int i = 0; i < GENERATION_MOST + 5; i++) {
		note(place, "r", i % 2 ? 'a' : 'b', 1000 + i);
	}
	assert_was(place, "r", 1004, 0, 0);
	assert_was(place, "r", 1005, 'a', 1006);
	assert_was(place, "r", INT64_MAX, 'b', 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_found_by_its_time),
		TEST(a_clock_set_back_turns_nothing_round),
		TEST(the_latest_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
