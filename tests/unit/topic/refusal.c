/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscribers that only answer with errors: what counts, what takes it back, when
 * their subscriptions end. Time is given, so a day takes no time.
 */
#include "place.h"

#include <base/clock.h>

#define MINUTE INT64_C(60000000)
#define DAY (24 * 60 * MINUTE)
#define BEGIN INT64_C(1800000000000000) /* any time */

/* As an owner does it. */
static void subscribe(struct place *place, const char *topic, const char *jid)
{
	struct answer answer;
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, topic_subscription_decide(place->topics, topic, jid,
						      XYLEM_SPAN_NONE, true, answered, &answer)),
		0);
}

/* The catalogue works in order: what was handed in before is done. */
static void settle(struct place *place)
{
	struct answer answer;
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, topic_purge(place->topics, "all", answered, &answer)), 0);
}

static size_t subscriptions(struct place *place)
{
	struct topic_subscription *list;
	size_t n;
	settle(place);
	assert_int_equal(topic_subscriptions(place->topics, NULL, NULL, &list, &n), 0);
	free(list);
	return n;
}

static int set_up_subscribed(void **state)
{
	int error = set_up(state);
	struct place *place = *state;
	subscribe(place, "t", "bob@b");
	subscribe(place, "many", "bob@b");
	subscribe(place, "t", "al@b/home");
	return error;
}

static enum topic_refusal refuse(struct place *place, const char *jid, const char *condition, int64_t at)
{
	return topics_refused_at(place->topics, jid, "cancel", condition, BEGIN + at);
}

/* --- Tests ------------------------------------------------------------------- */

static void what_counts(void **state)
{
	static const struct {
		const char *type, *condition;
		enum topic_refusal result;
	} rows[] = {
		{ "wait", "resource-constraint", TOPIC_REFUSAL_PASSED },
		{ "wait", "recipient-unavailable", TOPIC_REFUSAL_PASSED },
		{ "wait", "policy-violation", TOPIC_REFUSAL_PASSED },
		{ "cancel", "remote-server-not-found", TOPIC_REFUSAL_PASSED },
		{ "cancel", "internal-server-error", TOPIC_REFUSAL_PASSED },
		{ "cancel", "service-unavailable", TOPIC_REFUSAL_NOTED },
		{ "cancel", "item-not-found", TOPIC_REFUSAL_NOTED },
		{ "cancel", "gone", TOPIC_REFUSAL_NOTED },
		{ "auth", "forbidden", TOPIC_REFUSAL_NOTED },
		{ "modify", "jid-malformed", TOPIC_REFUSAL_NOTED },
		{ "", "undefined-condition", TOPIC_REFUSAL_NOTED },
	};
	struct place *place = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			topics_refused_at(place->topics, "bob@b", rows[i].type, rows[i].condition, BEGIN),
			rows[i].result);
		topics_alive(place->topics, "bob@b");
	}
	assert_int_equal(refuse(place, "stranger@b", "gone", 0), TOPIC_REFUSAL_PASSED);
	assert_int_equal(atomic_load(&place->topics->refusing), 0);
}

static void a_day_of_errors_ends_it(void **state)
{
	struct place *place = *state;
	assert_int_equal(refuse(place, "bob@b", "item-not-found", 0), TOPIC_REFUSAL_NOTED);
	for (int hour = 1; hour < 24; hour++) {
		refusals_sent(place->topics, "bob@b", BEGIN + hour * 60 * MINUTE);
		assert_int_equal(refuse(place, "bob@b", "item-not-found", hour * 60 * MINUTE + 1),
			TOPIC_REFUSAL_KNOWN);
	}
	assert_int_equal(refuse(place, "bob@b", "item-not-found", DAY - 1), TOPIC_REFUSAL_KNOWN);
	assert_int_equal(subscriptions(place), 3);
	/* Others' errors are others'. */
	assert_int_equal(refuse(place, "al@b/home", "gone", DAY), TOPIC_REFUSAL_NOTED);
	assert_int_equal(refuse(place, "bob@b", "item-not-found", DAY), TOPIC_REFUSAL_ENDED);
	assert_int_equal(subscriptions(place), 1);
	assert_int_equal(refuse(place, "bob@b", "item-not-found", DAY + 1), TOPIC_REFUSAL_PASSED);
}

static void it_lasts_over_a_restart(void **state)
{
	struct place *place = *state;
	refuse(place, "bob@b", "gone", 0);
	refuse(place, "al@b/home", "gone", 0);
	topics_alive(place->topics, "al@b");
	settle(place);
	topics_free(place->topics);
	start(place);
	assert_int_equal(refuse(place, "al@b/home", "gone", DAY), TOPIC_REFUSAL_NOTED);
	assert_int_equal(refuse(place, "bob@b", "gone", DAY), TOPIC_REFUSAL_ENDED);
	assert_int_equal(subscriptions(place), 1);
	topics_free(place->topics);
	start(place);
	assert_int_equal(atomic_load(&place->topics->refusing), 1);
}

/* Nothing came back for ten minutes after an item: it was taken. What comes back sooner was late. */
static void silence_is_a_good_sign(void **state)
{
	struct place *place = *state;
	refuse(place, "bob@b", "gone", 0);
	refusals_sent(place->topics, "bob@b", BEGIN + 60 * MINUTE);
	refuse(place, "bob@b", "gone", 69 * MINUTE);
	refusals_sent(place->topics, "bob@b", BEGIN + 71 * MINUTE);
	assert_int_equal(atomic_load(&place->topics->refusing), 1);
	refusals_sent(place->topics, "bob@b", BEGIN + 80 * MINUTE);
	assert_int_equal(atomic_load(&place->topics->refusing), 1);
	refusals_sent(place->topics, "bob@b", BEGIN + 82 * MINUTE);
	assert_int_equal(atomic_load(&place->topics->refusing), 0);
	assert_int_equal(refuse(place, "bob@b", "gone", DAY), TOPIC_REFUSAL_NOTED);
	assert_int_equal(subscriptions(place), 3);
}

/* An error that time mends says nothing about the account, but an item that it came for was not taken in silence. */
static void a_passing_error_is_no_silence(void **state)
{
	struct place *place = *state;
	refuse(place, "bob@b", "gone", 0);
	refusals_sent(place->topics, "bob@b", BEGIN + 1 * MINUTE);
	assert_int_equal(refuse(place, "bob@b", "remote-server-timeout", 2 * MINUTE), TOPIC_REFUSAL_PASSED);
	refusals_sent(place->topics, "bob@b", BEGIN + 13 * MINUTE);
	assert_int_equal(atomic_load(&place->topics->refusing), 1);
	assert_int_equal(refuse(place, "bob@b", "remote-server-timeout", DAY), TOPIC_REFUSAL_PASSED);
	assert_int_equal(refuse(place, "bob@b", "gone", DAY + 1), TOPIC_REFUSAL_ENDED);
}

/* A server may answer from the bare address for a full one. */
static void the_bare_one_speaks_for_a_full_one(void **state)
{
	struct place *place = *state;
	assert_int_equal(refuse(place, "al@b", "gone", 0), TOPIC_REFUSAL_NOTED);
	assert_int_equal(refuse(place, "al@b", "gone", DAY), TOPIC_REFUSAL_ENDED);
	assert_int_equal(subscriptions(place), 2);
	assert_int_equal(refuse(place, "bob@b/phone", "gone", 0), TOPIC_REFUSAL_NOTED);
	assert_int_equal(refuse(place, "bob@b/phone", "gone", DAY), TOPIC_REFUSAL_ENDED);
	assert_int_equal(subscriptions(place), 2); /* a resource does not speak for the account */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_counts, set_up_subscribed, tear_down),
		cmocka_unit_test_setup_teardown(a_day_of_errors_ends_it, set_up_subscribed, tear_down),
		cmocka_unit_test_setup_teardown(it_lasts_over_a_restart, set_up_subscribed, tear_down),
		cmocka_unit_test_setup_teardown(silence_is_a_good_sign, set_up_subscribed, tear_down),
		cmocka_unit_test_setup_teardown(a_passing_error_is_no_silence, set_up_subscribed, tear_down),
		cmocka_unit_test_setup_teardown(
			the_bare_one_speaks_for_a_full_one, set_up_subscribed, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
