/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items on a real journal and a real catalogue: a lane that comes to a record
 * late or again brings nothing back that was retracted, purged, evicted or
 * replaced; nothing is lost by a new start.
 */
#include "place.h"

/* --- Tests ------------------------------------------------------------------- */

static void retracted_stays_so(void **state)
{
	struct place *place = *state;
	struct xylem_position a = put(place, "t", "a"), b = put(place, "t", "b");
	assert_int_equal(retract(place, "t", "a"), 0);
	assert_int_equal(retract(place, "t", "a"), -XYLEM_E_NOT_FOUND);
	assert_int_equal(retract(place, "t", "no-such"), -XYLEM_E_NOT_FOUND);
	assert_true(lane_enters(place, "t", "a", a));
	assert_false(lane_enters(place, "t", "b", b));
	assert_items(place, "t", "b ");
	put(place, "t", "a"); /* the id again is another item */
	assert_items(place, "t", "b a ");
	assert_true(lane_enters(place, "t", "a", a) == false);
	assert_items(place, "t", "b a ");
}

/* Replaced and then retracted, before the lane came to the first record: it tells neither. */
static void retracted_with_what_it_replaced(void **state)
{
	struct place *place = *state;
	struct xylem_position first = put(place, "t", "a"), second = put(place, "t", "a");
	assert_int_equal(retract(place, "t", "a"), 0);
	assert_true(lane_enters(place, "t", "a", first));
	assert_true(lane_enters(place, "t", "a", second));
	assert_items(place, "t", "");
}

static void evicted_and_replaced_stay_so(void **state)
{
	struct place *place = *state;
	struct xylem_position first = put(place, "t", "a");
	put(place, "t", "b");
	put(place, "t", "c");
	put(place, "t", "d");
	assert_items(place, "t", "b c d ");
	lane_enters(place, "t", "a", first);
	assert_items(place, "t", "b c d ");
	struct xylem_position again = put(place, "t", "b");
	assert_items(place, "t", "c d b ");
	lane_enters(place, "t", "b", (struct xylem_position){ 0, first.offset + 1 });
	assert_items(place, "t", "c d b ");
	lane_enters(place, "t", "b", again);
	assert_items(place, "t", "c d b ");
}

static void purged_stays_so(void **state)
{
	struct place *place = *state;
	struct answer answer;
	struct xylem_position a = put(place, "t", "a");
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, topic_purge(place->topics, "t", answered, &answer)), 0);
	assert_true(lane_enters(place, "t", "a", a));
	assert_items(place, "t", "");
	put(place, "t", "b");
	assert_items(place, "t", "b ");
}

#define AT_ONCE 9

/* Records that nobody has entered yet; the first one's place. */
static struct xylem_position append(struct place *place, const char *const *ids, size_t n)
{
	struct xylem_position positions[AT_ONCE];
	struct xylem_message messages[AT_ONCE];
	assert_true(n <= AT_ONCE);
	for (size_t i = 0; i < n; i++) {
		messages[i] = (struct xylem_message){ .kind = XYLEM_DERIVED,
			.id = xylem_span_of(ids[i]),
			.source = XYLEM_SPAN_LITERAL("/test"),
			.type = XYLEM_SPAN_LITERAL("item"),
			.ingress = XYLEM_SPAN_LITERAL("topic:t") };
	}
	assert_int_equal(journal_append_wait(place->journal, messages, n, false, positions), 0);
	return positions[0];
}

/* What one job of the lane enters, of a topic that keeps three, in the order of the places. */
static void enter_together(
	struct place *place, const char *const *ids, size_t n, struct xylem_position first, bool *gone)
{
	struct answer answer;
	struct item_entry entries[AT_ONCE];
	for (size_t i = 0; i < n; i++) {
		gone[i] = false;
		entries[i] = (struct item_entry){ .topic = "t",
			.id = xylem_span_of(ids[i]),
			.position = { first.partition, first.offset + i },
			.time_us = 1,
			.max_items = 3,
			.gone = &gone[i] };
	}
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, items_enter(place->topics, entries, n, answered, &answer)), 0);
}

static int read_row_count(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, "SELECT count(*) FROM topic_entries", reason);
	assert_non_null(statement);
	assert_int_equal(catalogue_step_row(database, statement, reason), 1);
	*(int64_t *)context = sqlite3_column_int64(statement, 0);
	return 0;
}

static int64_t row_count(struct place *place)
{
	struct xylem_reason reason = { "" };
	int64_t rows = 0;
	check(catalogue_read(place->catalogue, read_row_count, &rows, &reason), &reason);
	return rows;
}

/* More in one job than the topic keeps: the newest stay, an id that comes twice counts once, and nothing gone is told. */
static void more_than_it_keeps_at_once(void **state)
{
	static const char *const first[] = { "a", "b", "c", "d", "e", "f" };
	static const char *const second[] = { "g", "d", "h", "h", "d", "h", "i", "j", "k" };
	static const bool retracted[] = { false, true, false, false, true, false, false, false, false };
	struct place *place = *state;
	bool gone[AT_ONCE];
	enter_together(place, first, 6, append(place, first, 6), gone);
	assert_items(place, "t", "d e f ");
	struct xylem_position at = append(place, second, 6);
	enter_together(place, second, 6, at, gone);
	assert_items(place, "t", "g d h ");
	assert_int_equal(row_count(place), 3);
	for (size_t i = 0; i < 6; i++) {
		assert_false(gone[i]);
	}
	assert_int_equal(retract(place, "t", "d"), 0);
	append(place, second + 6, 3); /* behind the retraction: the same records again, and three more */
	enter_together(place, second, 9, at, gone);
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(gone[i], retracted[i]);
	}
	assert_items(place, "t", "i j k ");
}

static void a_made_topic_lasts(void **state)
{
	struct place *place = *state;
	struct answer answer;
	struct topic_settings settings;
	struct topic_state topic;
	topic_settings_default(&settings);
	strcpy(settings.title, "Mine");
	answer_start(&answer);
	assert_int_equal(answer_take(&answer,
				 topic_create(place->topics, "made", "al@b", &settings, answered, &answer)),
		0);
	put(place, "made", "x");
	topics_free(place->topics);
	start(place);
	assert_int_equal(topic_state(place->topics, "made", &topic), 0);
	assert_string_equal(topic.settings.title, "Mine");
	assert_string_equal(topic.creator, "al@b");
	assert_int_equal(topic_affiliation(place->topics, "made", "al@b"), TOPIC_OWNER);
	assert_items(place, "made", "x ");
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, topic_delete(place->topics, "made", answered, &answer)), 0);
	assert_false(topic_exists(place->topics, "made"));
	assert_int_equal(topic_delete(place->topics, "t", answered, NULL), -XYLEM_E_METHOD);
}

static void names(void **state)
{
	struct place *place = *state;
	struct topic_settings settings;
	char large[121];
	topic_settings_default(&settings);
	memset(large, 'x', sizeof(large) - 1);
	large[120] = '\0';
	const char *const bad[] = { "", "a*", "a\n", large };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(topic_create(place->topics, bad[i], "al@b", &settings, answered, NULL),
			-XYLEM_E_INVALID);
	}
	assert_int_equal(
		topic_create(place->topics, "t", "al@b", &settings, answered, NULL), -XYLEM_E_CONFLICT);
}

/* --- Telling ------------------------------------------------------------------ */

struct listener {
	pthread_mutex_t lock;
	pthread_cond_t came;
	unsigned failures, calls; /* so many first calls fail */
	char told[64];
};

static int tell(void *outlet, const struct topic_event *event, const struct xylem_message *item,
	const struct topic_recipient *recipients, size_t n)
{
	struct listener *listener = outlet;
	pthread_mutex_lock(&listener->lock);
	bool down = listener->calls++ < listener->failures;
	if (!down) {
		snprintf(listener->told, sizeof(listener->told), "%s to %s", event->topic, recipients[0].jid);
		pthread_cond_signal(&listener->came);
	}
	pthread_mutex_unlock(&listener->lock);
	return down ? -XYLEM_E_UNREACHABLE : 0;
}

/* While the link is down a change waits, and is told when it is up again. */
static void told_when_the_link_is_back(void **state)
{
	struct place *place = *state;
	struct listener listener = { .failures = 1 };
	const struct topic_outlet outlet = { .tell = tell, .outlet = &listener };
	const struct topic_event event = { .kind = TOPIC_EVENT_PURGED, .topic = "t" };
	const struct topic_recipient al = { .jid = "al@b" };
	pthread_mutex_init(&listener.lock, NULL);
	pthread_cond_init(&listener.came, NULL);
	topics_attach(place->topics, &outlet);
	topics_tell(place->topics, &event, &al, 1);
	pthread_mutex_lock(&listener.lock);
	while (listener.told[0] == '\0') {
		pthread_cond_wait(&listener.came, &listener.lock);
	}
	assert_int_equal(listener.calls, 2);
	pthread_mutex_unlock(&listener.lock);
	assert_string_equal(listener.told, "t to al@b");
	topics_attach(place->topics, NULL);
	pthread_mutex_destroy(&listener.lock);
	pthread_cond_destroy(&listener.came);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(retracted_stays_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(retracted_with_what_it_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(evicted_and_replaced_stay_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(purged_stays_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_it_keeps_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_made_topic_lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(told_when_the_link_is_back, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
