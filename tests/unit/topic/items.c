/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items on a real journal and a real catalogue: a lane that comes to a record
 * late or again brings nothing back that was retracted, purged, evicted or
 * replaced; nothing is lost by a new start.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <topic/state.h>

struct place {
	char folder[64];
	struct catalogue *catalogue;
	struct journal *journal;
	struct topics *topics;
};

static void check(int r, const struct xylem_reason *reason)
{
	if (r < 0) {
		print_error("%s: %s\n", xylem_error_row(r)->name, reason->text);
	}
	assert_int_equal(r, 0);
}

/* --- Waiting -------------------------------------------------------------- */

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t came;
	bool done;
	int error;
};

static void answered(void *context, int error)
{
	struct answer *answer = context;
	pthread_mutex_lock(&answer->lock);
	answer->done = true;
	answer->error = error;
	pthread_cond_signal(&answer->came);
	pthread_mutex_unlock(&answer->lock);
}

static void answer_start(struct answer *answer)
{
	*answer = (struct answer){ .done = false };
	pthread_mutex_init(&answer->lock, NULL);
	pthread_cond_init(&answer->came, NULL);
}

/* What the call returned, or what came later. */
static int answer_take(struct answer *answer, int error)
{
	pthread_mutex_lock(&answer->lock);
	while (error == 0 && !answer->done) {
		pthread_cond_wait(&answer->came, &answer->lock);
	}
	pthread_mutex_unlock(&answer->lock);
	pthread_mutex_destroy(&answer->lock);
	pthread_cond_destroy(&answer->came);
	return error != 0 ? error : answer->error;
}

/* --- A bus of its own ------------------------------------------------------ */

static int publish(void *context, const char *ingress, const struct xylem_message *messages, size_t n,
	xylem_submit_done done, void *done_context, struct xylem_reason *reason)
{
	struct place *place = context;
	struct xylem_message marked = messages[0];
	struct xylem_receipt receipt;
	marked.ingress = xylem_span_of(ingress);
	int error = journal_append_wait(place->journal, &marked, 1, false, &receipt.position);
	if (error == 0) {
		done(done_context, 0, &receipt, 1);
	}
	return error;
}

static void start(struct place *place)
{
	struct xylem_reason reason = { "" };
	static const struct config_topic topics[] = {
		{ .name = "t", .max_items = 3, .access = ACCESS_OPEN }
	};
	const struct config_view view = { .topics = topics, .topic_count = 1 };
	struct topics_bus bus = { place->journal, place->catalogue, publish, place };
	check(topics_new(&place->topics, &bus, &reason), &reason);
	check(topics_apply(place->topics, &view), &reason);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char path[128], folder[128];
	struct xylem_reason reason = { "" };
	strcpy(place->folder, "/tmp/xylem-topic-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(path, sizeof(path), "%s/catalogue.db", place->folder);
	snprintf(folder, sizeof(folder), "%s/journal", place->folder);
	struct catalogue_options catalogue = { .path = path, .io = io_system() };
	check(catalogue_open(&place->catalogue, &catalogue, &reason), &reason);
	struct journal_options journal = { .folder = folder,
		.io = io_system(),
		.segment_size = 1 << 20,
		.retain_bytes = 1 << 30,
		.retain_us = INT64_C(86400000000),
		.hold_bytes = 1 << 30 };
	struct journal_recovery recovery;
	check(journal_open(&place->journal, &journal, &recovery, &reason), &reason);
	start(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];
	topics_free(place->topics);
	journal_close(place->journal);
	catalogue_close(place->catalogue);
	snprintf(command, sizeof(command), "rm -r %s", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* --- What is done ----------------------------------------------------------- */

static struct xylem_position put(struct place *place, const char *topic, const char *id)
{
	struct answer answer;
	struct xylem_reason reason = { "" };
	struct xylem_message message = { .kind = XYLEM_MESSAGE,
		.id = xylem_span_of(id),
		.source = XYLEM_SPAN_LITERAL("/test"),
		.type = XYLEM_SPAN_LITERAL("item"),
		.data = XYLEM_SPAN_LITERAL("1") };
	struct xylem_position at = journal_end(place->journal);
	answer_start(&answer);
	check(answer_take(
		      &answer, topic_publish(place->topics, topic, &message, 1, answered, &answer, &reason)),
		&reason);
	return at;
}

/* As the lane does it; true: it is told to nobody. */
static bool lane_enters(struct place *place, const char *topic, const char *id, struct xylem_position at)
{
	struct answer answer;
	bool gone = false;
	struct item_entry entry = { .topic = topic,
		.id = xylem_span_of(id),
		.position = at,
		.time_us = 1,
		.max_items = 3,
		.gone = &gone };
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, items_enter(place->topics, &entry, 1, answered, &answer)), 0);
	return gone;
}

static int retract(struct place *place, const char *topic, const char *id)
{
	struct answer answer;
	answer_start(&answer);
	return answer_take(
		&answer, topic_retract(place->topics, topic, xylem_span_of(id), false, answered, &answer));
}

static bool append_id(void *context, struct xylem_span id, const struct xylem_message *message)
{
	xylem_buffer_span(context, id);
	xylem_buffer_byte(context, ' ');
	return true;
}

static void assert_items(struct place *place, const char *topic, const char *expected)
{
	XYLEM_BUFFER_SCOPED ids = { 0 };
	const struct topic_query all = { 0 };
	struct topic_page page;
	struct xylem_reason reason = { "" };
	check(topic_items(place->topics, topic, &all, append_id, &ids, &page, &reason), &reason);
	xylem_buffer_byte(&ids, '\0');
	assert_string_equal(ids.bytes, expected);
}

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
		cmocka_unit_test_setup_teardown(a_made_topic_lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(told_when_the_link_is_back, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
