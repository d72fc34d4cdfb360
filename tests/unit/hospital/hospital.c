/* SPDX-License-Identifier: Apache-2.0 */
/* Admission, groups, data, versions, history and room of the hospital. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "place.h"

/* --- Admission ------------------------------------------------------------ */

static void a_case_says_everything(void **state)
{
	struct place *place = *state;
	struct xylem_position at = append(place, "e-1", "{\"total\":19.99}");
	uint64_t number = admit_at_partner(place, at);
	json_t *json = show(place, number);
	char handle[XYLEM_HANDLE_SIZE];
	assert_member(json, "handle", xylem_handle_format(at, handle));
	static const char *const members[][2] = { { "case", "1" }, { "group", "1" }, { "version", "1" },
		{ "state", "open" }, { "route", "orders" }, { "destination", "partner" },
		{ "stage", "deliver" }, { "step", "3" }, { "failure", "wrong" }, { "code", "http-422" },
		{ "reason", "total 19.99 is not \"19.98\"" }, { "attempts", "1" }, { "failures", "1" },
		{ "id", "e-1" }, { "source", "/shop" }, { "type", "order.created" }, { "subject", "o-1" },
		{ "key", "c-77" }, { "ingress", "shop" }, { "generation", "abc" }, { "draft", "0" } };
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		assert_member(json, members[i][0], members[i][1]);
	}
	json_decref(json);
	struct hospital_state counts;
	hospital_state(place->hospital, &counts);
	assert_int_equal(counts.open, 1);
	assert_int_equal(counts.groups, 1);
}

static void the_same_failure_is_the_same_case(void **state)
{
	struct place *place = *state;
	struct xylem_position at = append(place, "e-1", "{}");
	assert_int_equal(admit_at_partner(place, at), 1);
	assert_int_equal(admit_at_partner(place, at), 1);
	restart(place);
	assert_int_equal(admit_at_partner(place, at), 1);
	assert_int_equal(admit(place, at, "erp", "deliver", 2, "23503", "no", NULL), 2);
	assert_int_equal(admit_in_step(place, at), 3);
	assert_int_equal(admit_in_step(place, at), 3); /* each lane of the route says so */
	struct hospital_state counts;
	hospital_state(place->hospital, &counts);
	assert_int_equal(counts.open, 3);
}

static void cases_of_one_cause_are_a_group(void **state)
{
	struct place *place = *state;
	for (int i = 0; i < 5; i++) {
		char id[16], why[64];
		snprintf(id, sizeof(id), "e-%d", i);
		snprintf(why, sizeof(why), "Key (customer)=(c-%d) is not present", i);
		admit(place, append(place, id, "{}"), "erp", "deliver", 2, i < 4 ? "23503" : "23505", why,
			NULL);
	}
	json_t *groups;
	struct xylem_reason reason;
	check(hospital_groups(place->hospital, NULL, &groups, &reason), &reason);
	assert_int_equal(json_array_size(groups), 2);
	json_t *first = json_array_get(groups, 1);
	assert_member(first, "group", "1");
	assert_member(first, "failures", "4");
	assert_member(first, "pattern", "Key (customer)=(<v>) is not present");
	assert_member(json_object_get(first, "cases"), "open", "4");
	json_decref(groups);
	struct hospital_filter filter = { .group = 1, .limit = 3 };
	json_t *page;
	check(hospital_cases(place->hospital, &filter, &page, &reason), &reason);
	assert_int_equal(json_array_size(json_object_get(page, "cases")), 3);
	filter.after = (uint64_t)json_integer_value(json_object_get(page, "next"));
	json_decref(page);
	check(hospital_cases(place->hospital, &filter, &page, &reason), &reason);
	assert_int_equal(json_array_size(json_object_get(page, "cases")), 1);
	assert_member(page, "next", "null");
	json_decref(page);
	filter = (struct hospital_filter){ .state = "lost" };
	assert_int_equal(hospital_cases(place->hospital, &filter, &page, &reason), -XYLEM_E_INVALID);
}

static void data_is_kept_of_each_stage(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{\"total\":19.99}"));
	assert_data(place, number, "original", "{\"total\":19.99}");
	assert_data(place, number, "failing", "{\"total\":1999}");
	assert_data(place, number, NULL, "{\"total\":1999}");
	XYLEM_BUFFER_SCOPED out = { 0 };
	char type[128];
	struct xylem_reason reason;
	assert_int_equal(hospital_case_data(place->hospital, number, "draft", &out, type, &reason),
		-XYLEM_E_NOT_FOUND);
	assert_int_equal(
		hospital_case_data(place->hospital, 99, "failing", &out, type, &reason), -XYLEM_E_NOT_FOUND);
	assert_int_equal(
		hospital_case_data(place->hospital, number, "best", &out, type, &reason), -XYLEM_E_INVALID);
	json_t *json = NULL;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	assert_member(json, "draft", "1");
	json_decref(json);
	assert_data(place, number, "draft", "{\"total\":1998}");
	assert_data(place, number, "failing", "{\"total\":1999}");
}

/* --- Versions ------------------------------------------------------------- */

static void two_persons_cannot_resolve_one_case(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	uint64_t seen = version_of(place, number);
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_discard(place->hospital, number, seen, "not ours", "anna", &json, &reason), &reason);
	json_decref(json);
	assert_int_equal(hospital_replay(place->hospital, number, seen, NULL, NULL, "bert", &json, &reason),
		-XYLEM_E_CONFLICT);
	assert_non_null(strstr(reason.text, "changed meanwhile"));
	assert_int_equal(
		hospital_draft(place->hospital, number, seen, xylem_span_of("x"), "bert", &json, &reason),
		-XYLEM_E_CONFLICT);
	assert_int_equal(replays_in(place).n, 0);
	assert_state(place, number, "discarded");
	assert_int_equal(replay(place, number, NULL, NULL), -XYLEM_E_CONFLICT); /* seen, but discarded */
	check(hospital_restore(place->hospital, number, version_of(place, number), "bert", &json, &reason),
		&reason);
	assert_member(json, "state", "open");
	json_decref(json);
	assert_int_equal(
		hospital_restore(place->hospital, number, version_of(place, number), "bert", &json, &reason),
		-XYLEM_E_CONFLICT);
	assert_int_equal(
		hospital_discard(place->hospital, 99, 1, NULL, "bert", &json, &reason), -XYLEM_E_NOT_FOUND);
}

struct racer {
	struct place *place;
	uint64_t number, version;
	_Atomic int *won;
};

static void *discard_it(void *context)
{
	struct racer *racer = context;
	struct xylem_reason reason;
	if (hospital_discard(
		    racer->place->hospital, racer->number, racer->version, "mine", "x", NULL, &reason) == 0) {
		(*racer->won)++;
	}
	return NULL;
}

static void of_many_at_once_one_wins(void **state)
{
	struct place *place = *state;
	for (int round = 0; round < 10; round++) {
		char id[16];
		snprintf(id, sizeof(id), "e-%d", round);
		_Atomic int won = 0;
		uint64_t number = admit_at_partner(place, append(place, id, "{}"));
		struct racer racer = { place, number, version_of(place, number), &won };
		pthread_t threads[4];
		for (int i = 0; i < 4; i++) {
			assert_int_equal(pthread_create(&threads[i], NULL, discard_it, &racer), 0);
		}
		for (int i = 0; i < 4; i++) {
			pthread_join(threads[i], NULL);
		}
		assert_int_equal(won, 1);
	}
}

static void notes_and_changes_are_the_history(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_note(place->hospital, number, "asked the partner", "anna", &json, &reason), &reason);
	json_decref(json);
	check(hospital_discard(place->hospital, number, 1, "they say no", "anna", &json, &reason), &reason);
	json_t *history = json_object_get(json, "history");
	assert_int_equal(json_array_size(history), 2);
	assert_member(json_array_get(history, 0), "text", "asked the partner");
	assert_member(json_array_get(history, 1), "kind", "discard");
	assert_member(json_array_get(history, 1), "who", "anna");
	assert_member(json_array_get(history, 1), "text", "they say no");
	json_decref(json);
	assert_int_equal(hospital_note(place->hospital, 99, "x", "anna", &json, &reason), -XYLEM_E_NOT_FOUND);
}

/* --- Room ----------------------------------------------------------------- */

static void resolved_cases_make_room_and_numbers_are_not_reused(void **state)
{
	struct place *place = *state;
	place->max_cases = 3;
	restart(place);
	for (int i = 0; i < 8; i++) {
		char id[16];
		snprintf(id, sizeof(id), "e-%d", i);
		assert_true(hospital_has_room(place->hospital));
		uint64_t number = admit_at_partner(place, append(place, id, "{}"));
		assert_int_equal(number, i + 1);
		assert_int_equal(replay(place, number, NULL, NULL), 0);
		settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	}
	struct hospital_filter filter = { .state = "resolved" };
	json_t *page;
	struct xylem_reason reason;
	check(hospital_cases(place->hospital, &filter, &page, &reason), &reason);
	assert_int_equal(json_array_size(json_object_get(page, "cases")), 3);
	json_decref(page);
	for (int i = 0; i < 3; i++) {
		assert_true(hospital_has_room(place->hospital));
		char id[16];
		snprintf(id, sizeof(id), "f-%d", i);
		assert_int_equal(admit_at_partner(place, append(place, id, "{}")), 9 + i);
	}
	assert_false(hospital_has_room(place->hospital));
	restart(place);
	assert_false(hospital_has_room(place->hospital));
	check(hospital_discard(place->hospital, 9, 1, NULL, "ops", NULL, &reason), &reason);
	assert_true(hospital_has_room(place->hospital));
	settle(place, last_replay(place), "partner",
		OUTCOME_DELIVERED); /* of a case that is gone: no matter */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_case_says_everything),
		TEST(the_same_failure_is_the_same_case),
		TEST(cases_of_one_cause_are_a_group),
		TEST(data_is_kept_of_each_stage),
		TEST(two_persons_cannot_resolve_one_case),
		TEST(of_many_at_once_one_wins),
		TEST(notes_and_changes_are_the_history),
		TEST(resolved_cases_make_room_and_numbers_are_not_reused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
