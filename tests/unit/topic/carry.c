/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items outlive the journal's segments: as many as their topic keeps, as they
 * were, and no longer than the topic keeps them.
 */
#include "place.h"

#include <base/clock.h>

#define RETAIN ((uint64_t)32 * 1024)

static int set_up_small(void **state)
{
	return set_up_with(state, (uint64_t)16 * 1024, RETAIN);
}

/* Records that are nobody's items, until those before them have gone; lanes need nothing. */
static void bury(struct place *place)
{
	static const char pad[4000] = { 0 };
	uint64_t before = journal_end(place->journal).offset;
	struct xylem_message message = { .kind = XYLEM_MESSAGE,
		.ingress = XYLEM_SPAN_LITERAL("other"),
		.id = XYLEM_SPAN_LITERAL("pad"),
		.source = XYLEM_SPAN_LITERAL("/test"),
		.type = XYLEM_SPAN_LITERAL("pad"),
		.data = { pad, sizeof(pad) } };
	int64_t deadline = clock_mono_us() + 60 * INT64_C(1000000);
	struct timespec pace = { 0, 20 * 1000000 };
	while (journal_begin(place->journal).offset < before) {
		assert_int_equal(journal_append_wait(place->journal, &message, 1, false, NULL), 0);
		journal_release(place->journal, journal_end(place->journal));
		nanosleep(&pace, NULL);
		assert_true(clock_mono_us() < deadline);
	}
}

static int count_copies(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	int64_t *counts = context;
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT count(*), total(length(record)) = (SELECT bytes FROM topic_carried_total) FROM "
		"topic_carried",
		reason);
	int step = statement == NULL ? -XYLEM_E_IO : catalogue_step_row(database, statement, reason);
	counts[0] = sqlite3_column_int64(statement, 0);
	counts[1] = sqlite3_column_int64(statement, 1);
	return step < 0 ? step : 0;
}

static int64_t copies(struct place *place)
{
	int64_t counts[2] = { 0 };
	struct xylem_reason reason = { "" };
	check(catalogue_read(place->catalogue, count_copies, counts, &reason), &reason);
	assert_int_equal(counts[1], 1); /* the total is right */
	return counts[0];
}

/* --- As they were --------------------------------------------------------------- */

/* Everything of an item that anybody can see. */
static bool append_item(void *context, struct xylem_span id, const struct xylem_message *message)
{
	char handle[XYLEM_HANDLE_SIZE];
	xylem_handle_format(message->position, handle);
	xylem_buffer_format(
		context, "%s %lld %d ", handle, (long long)message->journal_time_us, message->kind);
	xylem_buffer_span(context, message->ingress);
	xylem_message_write_json(message, context);
	xylem_buffer_byte(context, '\n');
	return true;
}

static void read_all(struct place *place, const char *topic, struct xylem_buffer *out)
{
	const struct topic_query all = { 0 };
	struct topic_page page;
	struct xylem_reason reason = { "" };
	check(topic_items(place->topics, topic, &all, append_item, out, &page, &reason), &reason);
	xylem_buffer_byte(out, '\0');
}

static void items_outlive_their_segment(void **state)
{
	struct place *place = *state;
	XYLEM_BUFFER_SCOPED before = { 0 };
	XYLEM_BUFFER_SCOPED after = { 0 };
	XYLEM_BUFFER_SCOPED restarted = { 0 };
	struct xylem_position a = put(place, "t", "a");
	put(place, "t", "b");
	put(place, "t", "c");
	read_all(place, "t", &before);
	bury(place);
	assert_items(place, "t", "a b c ");
	read_all(place, "t", &after);
	assert_string_equal(after.bytes, before.bytes);
	assert_false(lane_enters(place, "t", "a", a)); /* a lane that comes again changes nothing */
	topics_free(place->topics);
	start(place);
	read_all(place, "t", &restarted);
	assert_string_equal(restarted.bytes, before.bytes);
	assert_int_equal(copies(place), 3);
	put(place, "t", "d");
	assert_items(place, "t", "b c d ");
	assert_int_equal(copies(place), 2); /* the evicted one has no copy any more */
	bury(place);
	assert_items(place, "t", "b c d ");
}

static void many_are_carried_in_order(void **state)
{
	struct place *place = *state;
	XYLEM_BUFFER_SCOPED expected = { 0 };
	char id[16];
	for (int i = 0; i < 650; i++) {
		snprintf(id, sizeof(id), "i%d", i);
		put(place, "many", id);
		if (i >= 50) {
			xylem_buffer_format(&expected, "%s ", id);
		}
	}
	put(place, "t", "a");
	xylem_buffer_byte(&expected, '\0');
	bury(place);
	assert_items(place, "many", expected.bytes);
	assert_items(place, "t", "a ");
	assert_int_equal(copies(place), 601);
}

/* --- No longer than they are kept ------------------------------------------------ */

static int count_rows(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, "SELECT count(*) FROM topic_entries", reason);
	int step = catalogue_step_row(database, statement, reason);
	*(int64_t *)context = sqlite3_column_int64(statement, 0);
	return step < 0 ? step : 0;
}

/* What was retracted is remembered for as long as its record may come again. */
static void what_is_gone_leaves_no_row(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason = { "" };
	int64_t rows;
	put(place, "t", "a");
	put(place, "t", "b");
	bury(place);
	assert_int_equal(copies(place), 2);
	assert_int_equal(retract(place, "t", "a"), 0);
	put(place, "t", "c");
	assert_items(place, "t", "b c ");
	check(catalogue_read(place->catalogue, count_rows, &rows, &reason), &reason);
	assert_int_equal(rows, 2);
}

static void what_is_gone_stays_so(void **state)
{
	struct place *place = *state;
	struct answer answer;
	put(place, "t", "a");
	put(place, "t", "b");
	put(place, "t", "c");
	assert_int_equal(retract(place, "t", "a"), 0);
	bury(place);
	assert_items(place, "t", "b c ");
	assert_int_equal(copies(place), 2);
	assert_int_equal(retract(place, "t", "b"), 0);
	assert_items(place, "t", "c ");
	assert_int_equal(copies(place), 1);
	put(place, "t", "c"); /* replaced: the new record counts, and is in the journal */
	assert_items(place, "t", "c ");
	assert_int_equal(copies(place), 0);
	bury(place);
	assert_int_equal(copies(place), 1);
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, topic_purge(place->topics, "t", answered, &answer)), 0);
	assert_items(place, "t", "");
	assert_int_equal(copies(place), 0);
}

static int make_old(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(
		database, "UPDATE topic_entries SET time_us = 1 WHERE item = 'old'", reason);
	return statement == NULL ? -XYLEM_E_IO : catalogue_step_done(database, statement, reason);
}

/* What was copied is so old by now. */
static int make_copies_old(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *items = catalogue_statement(
		database, "UPDATE topic_entries SET time_us = 1 WHERE carried = 1", reason);
	int error = items == NULL ? -XYLEM_E_IO : catalogue_step_done(database, items, reason);
	sqlite3_stmt *copied = error != 0 ? NULL
					  : catalogue_statement(
						    database, "UPDATE topic_carried SET time_us = 1", reason);
	return copied == NULL ? -XYLEM_E_IO : catalogue_step_done(database, copied, reason);
}

/* By `item_expire` they are kept until then; a topic with neither bound keeps what the journal keeps. */
static void as_long_as_the_topic_says(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason = { "" };
	put(place, "all", "a");
	put(place, "fresh", "old");
	put(place, "fresh", "new");
	check(catalogue_write(place->catalogue, make_old, NULL, &reason), &reason);
	bury(place);
	assert_items(place, "fresh", "new ");
	assert_items(place, "all", "");
	assert_int_equal(copies(place), 1);
	check(catalogue_write(place->catalogue, make_copies_old, NULL, &reason), &reason);
	put(place, "fresh", "newer");
	bury(place); /* the next to be copied finds it expired */
	assert_items(place, "fresh", "newer ");
	assert_int_equal(copies(place), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(items_outlive_their_segment, set_up_small, tear_down),
		cmocka_unit_test_setup_teardown(many_are_carried_in_order, set_up_small, tear_down),
		cmocka_unit_test_setup_teardown(what_is_gone_leaves_no_row, set_up_small, tear_down),
		cmocka_unit_test_setup_teardown(what_is_gone_stays_so, set_up_small, tear_down),
		cmocka_unit_test_setup_teardown(as_long_as_the_topic_says, set_up_small, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
