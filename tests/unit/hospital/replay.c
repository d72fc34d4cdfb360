/* SPDX-License-Identifier: Apache-2.0 */
/* Replays: what they carry, where they go, what becomes of the case, and what a crash leaves of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "place.h"

/* --- Replays -------------------------------------------------------------- */

static void a_replay_is_the_event_at_its_stage(void **state)
{
	struct place *place = *state;
	struct xylem_position original = append(place, "e-1", "{\"total\":19.99}");
	uint64_t number = admit_at_partner(place, original);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_state(place, number, "replaying");
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	const struct xylem_message *message = &place->batch->messages[0];
	struct replay address;
	assert_int_equal(replay_read(message, &address), 0);
	assert_int_equal(address.case_number, number);
	assert_int_equal(address.number, 1);
	assert_int_equal(address.step, 2);
	assert_true(xylem_span_is(address.route, "orders"));
	assert_true(xylem_span_is(address.destination, "partner"));
	assert_int_equal(message->parent.offset, original.offset);
	assert_true(xylem_span_is(message->id, "e-1"));
	assert_true(xylem_span_is(message->key, "c-77"));
	assert_true(xylem_span_is(message->ingress, "shop"));
	assert_true(xylem_span_is(message->data, "{\"total\":1999}"));
	assert_true(xylem_span_is(xylem_message_attribute(message, xylem_span_of("region")), "eu"));
	assert_int_equal(replay(place, number, NULL, NULL), -XYLEM_E_CONFLICT); /* under way */
	settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
	settle(place, last_replay(place), "partner", OUTCOME_EXPIRED); /* said once */
	assert_state(place, number, "resolved");
	assert_int_equal(replays_in(place).n, 1);
}

static void from_the_start_is_the_original(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{\"total\":19.99}"));
	assert_int_equal(replay(place, number, "middle", NULL), -XYLEM_E_INVALID);
	assert_int_equal(replay(place, number, NULL, "nowhere"), -XYLEM_E_NOT_FOUND);
	assert_int_equal(replay(place, number, "start", "erp"), 0); /* another destination */
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	struct replay address;
	assert_int_equal(replay_read(&place->batch->messages[0], &address), 0);
	assert_int_equal(address.step, 0);
	assert_true(xylem_span_is(address.destination, "erp"));
	assert_true(xylem_span_is(place->batch->messages[0].data, "{\"total\":19.99}"));
	settle(place, last_replay(place), "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

static void an_edited_replay_is_a_new_event(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	json_decref(json);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	const struct xylem_message *message = &place->batch->messages[0];
	assert_true(xylem_span_is(message->data, "{\"total\":1998}"));
	assert_int_equal(message->id.n, 36);
	assert_true(xylem_span_is(xylem_message_attribute(message, xylem_span_of("causationid")), "e-1"));
	json = show(place, number);
	json_t *made = json_array_get(json_object_get(json, "replays"), 0);
	assert_true(xylem_span_is(message->id, json_string_value(json_object_get(made, "id"))));
	assert_member(made, "who", "ops");
	assert_true(json_is_true(json_object_get(made, "edited")));
	json_decref(json);
}

static void failing_again_opens_the_same_case(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{\"total\":19.99}"));
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	json_decref(json);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position first = last_replay(place);
	for (int i = 0; i < 2; i++) { /* again after a crash: nothing twice */
		assert_int_equal(
			admit(place, first, "partner", "deliver", 2, "http-409", "there already", NULL),
			number);
	}
	json = show(place, number);
	assert_member(json, "state", "open");
	assert_member(json, "failures", "2");
	assert_member(json, "code", "http-409");
	assert_member(json, "group", "2");
	assert_member(json, "draft", "0"); /* it is in the data now */
	json_decref(json);
	assert_data(place, number, "failing", "{\"total\":1998}");
	assert_data(place, number, "original", "{\"total\":19.99}");
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 2);
	assert_int_equal(made.number[1], 2);
	settle(place, made.at[1], "partner", OUTCOME_FILTERED);
	assert_state(place, number, "resolved");
}

static void a_route_case_goes_to_every_lane(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position at = last_replay(place);
	assert_string_equal(replays_in(place).lane[0], "");
	settle(place, at, "erp", OUTCOME_DELIVERED);
	settle(place, at, "events", OUTCOME_FILTERED);
	assert_state(place, number, "replaying");
	settle(place, at, "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

static void a_route_case_that_fails_again_is_failed_once(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	for (int lane = 0; lane < 3; lane++) {
		assert_int_equal(admit_in_step(place, last_replay(place)), number);
	}
	json_t *json = show(place, number);
	assert_member(json, "state", "open");
	assert_member(json, "failures", "2");
	json_decref(json);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 2);
	assert_string_equal(made.lane[1], "");
}

/* Of three lanes two refuse the repaired message: only those two get it again. */
static void only_lanes_that_failed_get_it_again(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position at = last_replay(place);
	settle(place, at, "events", OUTCOME_DELIVERED);
	assert_int_equal(admit(place, at, "erp", "deliver", 2, "23503", "no customer", "{\"m\":1}"), number);
	assert_int_equal(
		admit(place, at, "partner", "deliver", 2, "http-422", "no total", "{\"m\":1}"), number);
	assert_state(place, number, "open");
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 3);
	assert_string_equal(made.lane[1], "erp");
	assert_string_equal(made.lane[2], "partner");
	assert_int_equal(made.number[2], 3);
	settle(place, made.at[1], "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "replaying");
	settle(place, made.at[2], "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

static void one_lane_of_a_route_case_leaves_the_others_open(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, "erp"), 0);
	settle(place, last_replay(place), "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "open"); /* events and partner do not have it */
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 3);
	assert_string_equal(made.lane[1], "events");
	assert_string_equal(made.lane[2], "partner");
}

static void an_expired_replay_opens_the_case(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	settle(place, last_replay(place), "partner", OUTCOME_EXPIRED);
	assert_state(place, number, "open");
}

/* `where` is step -1; its replay begins at the first step, with the edited data. */
static void a_case_of_where_goes_on_after_it(void **state)
{
	struct place *place = *state;
	uint64_t number = admit(
		place, append(place, "e-1", "{}"), NULL, "where", -1, "where-error", "no", NULL);
	struct xylem_reason reason;
	check(hospital_draft(place->hospital, number, 1, xylem_span_of("{\"a\":1}"), "ops", NULL, &reason),
		&reason);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	struct replay address;
	assert_int_equal(replay_read(&place->batch->messages[0], &address), 0);
	assert_int_equal(address.step, 0);
	assert_true(xylem_span_is(place->batch->messages[0].data, "{\"a\":1}"));
}

static int admit_unrouted(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	int r = catalogue_step_done(database,
		catalogue_statement(database,
			"INSERT OR IGNORE INTO lanes (route, destination, created_us) VALUES "
			"('bus.unrouted', 'count', 0)",
			reason),
		reason);
	return r < 0 ? r : admit_work(database, context, reason);
}

/* What no route took is offered to all; whichever takes it settles the case, and may fail it. */
static void an_unrouted_case_is_settled_by_who_takes_it(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	assert_int_equal(journal_get(place->journal, append(place, "e-1", "{}"), place->batch), 0);
	struct admitting admitting = { .hospital = place->hospital,
		.admission = { .route = "bus.unrouted",
			.destination = "count",
			.stage = "deliver",
			.failure = XYLEM_FAILURE_WRONG,
			.code = "unrouted",
			.reason = "no route takes it",
			.original = &place->batch->messages[0],
			.failing = &place->batch->messages[0] } };
	check(catalogue_write(place->catalogue, admit_unrouted, &admitting, &reason), &reason);
	uint64_t number = admitting.number;
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position at = last_replay(place);
	settle(place, at, "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
	assert_int_equal(admit(place, at, "partner", "deliver", 1, "http-422", "no", NULL), number);
	assert_state(place, number, "open");
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	struct replay address;
	assert_int_equal(replay_read(&place->batch->messages[0], &address), 0);
	assert_true(xylem_span_is(address.route, "orders"));
	assert_true(xylem_span_is(address.destination, "partner"));
	settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

/* --- Restart -------------------------------------------------------------- */

static int forget_positions(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return catalogue_step_done(database,
		catalogue_statement(database,
			"UPDATE replays SET partition = NULL, offset = NULL WHERE number > 0", reason),
		reason);
}

/* The crash came after the intent, before the append: the record is made at the next start, once. */
static void an_intent_survives_a_crash_before_the_append(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	json_t *json = NULL;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	json_decref(json);
	stop(place);
	shell("cp -r '%s/journal' '%s/before'", place->folder);
	start(place);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	check(catalogue_write(place->catalogue, forget_positions, NULL, &reason), &reason);
	json = show(place, number);
	char id[64];
	snprintf(id, sizeof(id), "%s",
		json_string_value(
			json_object_get(json_array_get(json_object_get(json, "replays"), 0), "id")));
	json_decref(json);
	stop(place);
	shell("cd '%s' && rm -rf journal && mv '%s'/before journal", place->folder);
	start(place);
	assert_int_equal(replays_in(place).n, 1);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	assert_true(xylem_span_is(place->batch->messages[0].id, id));
	assert_true(xylem_span_is(place->batch->messages[0].data, "{\"total\":1998}"));
	restart(place);
	assert_int_equal(replays_in(place).n, 1);
	settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

/* The crash came after the append: the record is found, not made again. */
static void a_record_that_is_there_is_not_made_again(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	append(place, "e-2", "{}");
	check(catalogue_write(place->catalogue, forget_positions, NULL, &reason), &reason);
	restart(place);
	assert_int_equal(replays_in(place).n, 1);
	json_t *json = show(place, number);
	char handle[XYLEM_HANDLE_SIZE];
	assert_member(json_array_get(json_object_get(json, "replays"), 0), "handle",
		xylem_handle_format(last_replay(place), handle));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_replay_is_the_event_at_its_stage),
		TEST(from_the_start_is_the_original),
		TEST(an_edited_replay_is_a_new_event),
		TEST(failing_again_opens_the_same_case),
		TEST(a_route_case_goes_to_every_lane),
		TEST(a_route_case_that_fails_again_is_failed_once),
		TEST(only_lanes_that_failed_get_it_again),
		TEST(one_lane_of_a_route_case_leaves_the_others_open),
		TEST(an_expired_replay_opens_the_case),
		TEST(a_case_of_where_goes_on_after_it),
		TEST(an_unrouted_case_is_settled_by_who_takes_it),
		TEST(an_intent_survives_a_crash_before_the_append),
		TEST(a_record_that_is_there_is_not_made_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
