/* SPDX-License-Identifier: Apache-2.0 */
/* Finding messages and showing one, on a real journal and a real catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/clock.h>
#include <hospital/hospital.h>
#include <trace/trace.h>

#define MESSAGES 1300 /* more than two chunks of the search */

struct place {
	char folder[64];
	struct catalogue *catalogue;
	struct journal *journal;
	struct xylem_position at[MESSAGES];
};

static void check(int r, const struct xylem_reason *reason)
{
	if (r < 0) {
		print_error("%s: %s\n", xylem_error_row(r)->name, reason->text);
	}
	assert_int_equal(r, 0);
}

static struct xylem_message message_of(int i, char text[4][64])
{
	snprintf(text[0], 64, "e-%d", i);
	snprintf(text[1], 64, "c-%d", i % 10);
	snprintf(text[2], 64, "order.%s", i % 2 ? "created" : "paid");
	snprintf(text[3], 64, "{\"number\":\"A%05dZ\"}", i);
	static const struct xylem_extension from = { XYLEM_SPAN_LITERAL("xylemfrom"),
		XYLEM_SPAN_LITERAL("bus.a.test/9c2e41d0/0-1234.0.k3") };
	return (struct xylem_message){ .kind = XYLEM_MESSAGE,
		.extensions = i == 3 ? &from : NULL,
		.extension_count = i == 3,
		.ingress = xylem_span_of(i % 3 ? "shop" : "desk"),
		.id = xylem_span_of(text[0]),
		.key = xylem_span_of(text[1]),
		.source = xylem_span_of("/shop"),
		.type = xylem_span_of(text[2]),
		.data = xylem_span_of(text[3]) };
}

static void fill_journal(struct place *place)
{
	static char texts[MESSAGES][4][64];
	static struct xylem_message messages[MESSAGES];
	for (int i = 0; i < MESSAGES; i++) {
		messages[i] = message_of(i, texts[i]);
	}
	for (int i = 0; i < MESSAGES; i += 100) {
		assert_int_equal(
			journal_append_wait(place->journal, messages + i, 100, false, place->at + i), 0);
	}
}

/* Lane 1 has settled the first 1000: delivered, but every 100th filtered; lane 2 the first 5; lane 3 none. */
static int fill_catalogue(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct place *place = context;
	int r = sqlite3_exec(database,
		"INSERT INTO lanes (route, destination, created_us) VALUES ('orders', 'erp', 0), ('orders', "
		"'partner', 0),"
		" ('orders', 'topic:orders', 0), ('bus.unrouted', 'count', 0), ('bus.topics', "
		"'subscribers', 0)",
		NULL, NULL, NULL);
	assert_int_equal(r, SQLITE_OK);
	struct outcome_vector vector = { 0 };
	int64_t now = clock_wall_us();
	for (int i = 0; i < 1000; i++) {
		struct outcome_entry entry = { place->at[i].offset,
			i % 100 ? OUTCOME_DELIVERED : OUTCOME_FILTERED, 1, now, now + 5000, 0,
			{ 2, 5000 + (uint64_t)i } };
		outcome_vector_add(&vector, &entry);
		if (i % 50 == 49) { /* rows of fifty */
			struct xylem_position to = place->at[i];
			to.offset++;
			struct trace_lane_row row = { 1, place->at[i - 49], to,
				xylem_buffer_borrow(&vector.bytes) };
			check(trace_write(database, &row, reason), reason);
			outcome_vector_clear(&vector);
		}
	}
	/* Lane 2: one is hospitalised, and one above the cursor is delivered already. */
	for (int i = 0; i < 5; i++) {
		struct outcome_entry entry = { place->at[i].offset,
			i == 3 ? OUTCOME_HOSPITALISED : OUTCOME_DELIVERED, 2, now, now + 9000,
			i == 3 ? 1 : 0 };
		outcome_vector_add(&vector, &entry);
	}
	struct trace_lane_row row = { 2, place->at[0], place->at[5], xylem_buffer_borrow(&vector.bytes) };
	check(trace_write(database, &row, reason), reason);
	outcome_vector_clear(&vector);
	struct outcome_entry hole = { place->at[7].offset, OUTCOME_DELIVERED, 1, now, now, 0 };
	outcome_vector_add(&vector, &hole);
	sqlite3_stmt *cursor = catalogue_statement(database,
		"UPDATE lanes SET cursor_offset = CASE number WHEN 1 THEN ?1 WHEN 2 THEN ?2 ELSE 0 END,"
		" holes = CASE number WHEN 2 THEN ?3 END",
		reason);
	sqlite3_bind_int64(cursor, 1, (int64_t)place->at[1000].offset);
	sqlite3_bind_int64(cursor, 2, (int64_t)place->at[5].offset);
	catalogue_bind_blob(cursor, 3, xylem_buffer_borrow(&vector.bytes));
	check(catalogue_step_done(database, cursor, reason), reason);
	outcome_vector_finish(&vector);
	return 0;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char path[128], folder[128];
	struct xylem_reason reason = { "" };
	strcpy(place->folder, "/tmp/xylem-trace-XXXXXX");
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
	fill_journal(place);
	check(catalogue_write(place->catalogue, fill_catalogue, place, &reason), &reason);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	journal_close(place->journal);
	catalogue_close(place->catalogue);
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* --- Search --------------------------------------------------------------- */

static json_t *search(struct place *place, const struct trace_filter *filter)
{
	json_t *page = NULL;
	struct xylem_reason reason = { "" };
	check(trace_search(place->journal, place->catalogue, filter, &page, &reason), &reason);
	return page;
}

static size_t found(json_t *page)
{
	return json_array_size(json_object_get(page, "messages"));
}

/* Every page from the newest on; ids must go down without a repetition. Returns how many there were. */
static size_t count_all(struct place *place, struct trace_filter filter)
{
	size_t n = 0;
	int last = MESSAGES;
	for (;;) {
		json_t *page = search(place, &filter), *message, *next = json_object_get(page, "next");
		size_t i;
		json_array_foreach(json_object_get(page, "messages"), i, message)
		{
			int number = atoi(json_string_value(json_object_get(message, "id")) + 2);
			assert_true(number < last);
			last = number;
		}
		n += found(page);
		bool complete = json_is_true(json_object_get(page, "complete"));
		assert_int_equal(complete, json_is_null(next));
		if (!complete) {
			assert_int_equal(
				xylem_handle_parse(xylem_span_of(json_string_value(next)), &filter.before),
				0);
		}
		json_decref(page);
		if (complete) {
			return n;
		}
	}
}

static void filters_find_what_they_name(void **state)
{
	struct place *place = *state;
	static const struct {
		struct trace_filter filter;
		size_t n;
	} rows[] = {
		{ { .limit = 1000 }, MESSAGES },
		{ { .limit = 7 }, MESSAGES },
		{ { .id = "e-777" }, 1 },
		{ { .id = "e-7777" }, 0 },
		{ { .key = "c-3", .limit = 50 }, 130 },
		{ { .type = "order.paid", .limit = 100 }, 650 },
		{ { .source = "/shop", .limit = 1000 }, MESSAGES },
		{ { .source = "/sho" }, 0 },
		{ { .ingress = "desk", .limit = 100 }, 434 },
		{ { .text = "A00042Z" }, 1 },
		{ { .text = "e-129" }, 11 },
		{ { .text = "created", .key = "c-3", .limit = 10 }, 130 },
		{ { .outcome = OUTCOME_FILTERED }, 10 },
		{ { .outcome = OUTCOME_HOSPITALISED }, 1 },
		{ { .route = "orders", .limit = 100 }, 1000 },
		{ { .destination = "partner" }, 6 },
		{ { .destination = "partner", .outcome = OUTCOME_DELIVERED }, 5 },
		{ { .route = "orders", .destination = "erp", .outcome = OUTCOME_EXPIRED }, 0 },
		{ { .route = "returns" }, 0 },
		{ { .until_us = 1 }, 0 },
		{ { .since_us = 1, .limit = 500 }, MESSAGES },
		{ { .since_us = INT64_MAX }, 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(count_all(place, rows[i].filter), rows[i].n);
	}
}

static void a_page_says_what_became_of_each(void **state)
{
	struct place *place = *state;
	json_t *page = search(place, &(struct trace_filter){ .id = "e-3" });
	assert_int_equal(found(page), 1);
	json_t *message = json_array_get(json_object_get(page, "messages"), 0);
	char handle[XYLEM_HANDLE_SIZE];
	assert_string_equal(json_string_value(json_object_get(message, "handle")),
		xylem_handle_format(place->at[3], handle));
	json_t *outcomes = json_object_get(message, "outcomes");
	assert_string_equal(json_string_value(json_object_get(outcomes, "orders/erp")), "delivered");
	assert_string_equal(json_string_value(json_object_get(outcomes, "orders/partner")), "hospitalised");
	assert_int_equal(json_object_size(outcomes), 2);
	json_decref(page);
}

static void a_deadline_stops_and_says_where(void **state)
{
	struct place *place = *state;
	struct trace_filter filter = { .id = "e-1", .deadline_mono_us = 1 };
	json_t *page = search(place, &filter);
	assert_int_equal(found(page), 0);
	assert_false(json_is_true(json_object_get(page, "complete")));
	assert_in_range(json_integer_value(json_object_get(page, "scanned")), 1, MESSAGES - 1);
	json_decref(page);
	assert_int_equal(count_all(place, filter), 1); /* page by page it is found */
}

/* --- Show ----------------------------------------------------------------- */

static json_t *show(struct place *place, struct xylem_position at)
{
	json_t *json = NULL;
	struct xylem_reason reason = { "" };
	check(trace_show(place->journal, place->catalogue, at, &json, &reason), &reason);
	return json;
}

static const char *text_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static json_t *lane_of(json_t *message, const char *name)
{
	json_t *lane;
	size_t i;
	json_array_foreach(json_object_get(message, "lanes"), i, lane)
	{
		if (strcmp(text_of(lane, "lane"), name) == 0) {
			return lane;
		}
	}
	return NULL;
}

static void a_message_shows_each_lane(void **state)
{
	struct place *place = *state;
	json_t *json = show(place, place->at[3]);
	assert_string_equal(text_of(json, "id"), "e-3");
	assert_string_equal(text_of(json, "kind"), "message");
	assert_string_equal(text_of(json, "key"), "c-3");
	assert_true(json_is_null(json_object_get(json, "parent")));
	assert_int_equal(json_integer_value(json_object_get(json, "size")), 20);
	json_t *erp = lane_of(json, "orders/erp");
	assert_string_equal(text_of(erp, "outcome"), "delivered");
	assert_int_equal(json_integer_value(json_object_get(erp, "attempts")), 1);
	assert_true(json_real_value(json_object_get(erp, "took_ms")) >= 4.0);
	assert_string_equal(text_of(erp, "remote_handle"), "2-5003");
	assert_string_equal(text_of(json_object_get(json, "origin"), "bus"), "bus.a.test");
	assert_string_equal(text_of(json_object_get(json, "origin"), "handle"), "0-1234");
	assert_string_equal(text_of(lane_of(json, "orders/partner"), "outcome"), "hospitalised");
	assert_string_equal(text_of(lane_of(json, "orders/topic:orders"), "outcome"), "pending");
	assert_null(lane_of(json, "bus.unrouted/count"));
	assert_null(lane_of(json, "bus.topics/subscribers"));
	json_decref(json);
	json = show(place, place->at[7]); /* above the cursor of one lane, and settled there all the same */
	assert_string_equal(text_of(lane_of(json, "orders/partner"), "outcome"), "delivered");
	json_decref(json);
	json = show(place, place->at[8]);
	assert_string_equal(text_of(lane_of(json, "orders/partner"), "outcome"), "pending");
	json_decref(json);
	struct xylem_reason reason;
	struct xylem_position nowhere = { 0, place->at[MESSAGES - 1].offset + 1000 };
	assert_int_equal(
		trace_show(place->journal, place->catalogue, nowhere, &json, &reason), -XYLEM_E_NOT_FOUND);
}

/* The lane of the topic settles the message, and its item says whose child it is. */
static int settle_topic(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct place *place = context;
	struct outcome_vector vector = { 0 };
	int64_t now = clock_wall_us();
	struct outcome_entry entry = { place->at[3].offset, OUTCOME_DELIVERED, 1, now, now, 0 };
	outcome_vector_add(&vector, &entry);
	struct trace_lane_row row = { 3, place->at[0], place->at[5], xylem_buffer_borrow(&vector.bytes) };
	int r = trace_write(database, &row, reason);
	outcome_vector_finish(&vector);
	return r;
}

struct admitting {
	struct hospital *hospital;
	const struct xylem_message *message;
};

static int admit(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct admitting *admitting = context;
	struct hospital_admission admission = { .route = "orders",
		.destination = "partner",
		.stage = "deliver",
		.step = 0,
		.failure = XYLEM_FAILURE_WRONG,
		.code = "http-422",
		.reason = "no",
		.original = admitting->message,
		.failing = admitting->message };
	uint64_t number;
	return hospital_admit(admitting->hospital, database, &admission, &number, reason);
}

static void a_message_shows_its_family(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason = { "" };
	char text[4][64];
	struct xylem_message item = message_of(3, text);
	item.kind = XYLEM_DERIVED;
	item.parent = place->at[3];
	item.ingress = xylem_span_of("topic:orders");
	struct xylem_position item_at;
	assert_int_equal(journal_append_wait(place->journal, &item, 1, true, &item_at), 0);
	check(catalogue_write(place->catalogue, settle_topic, place, &reason), &reason);
	struct hospital *hospital;
	struct hospital_options options = { place->catalogue, place->journal, 10, 1 << 20 };
	check(hospital_open(&hospital, &options, &reason), &reason);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_get(place->journal, place->at[3], batch), 0);
	struct admitting admitting = { hospital, &batch->messages[0] };
	check(catalogue_write(place->catalogue, admit, &admitting, &reason), &reason);
	check(hospital_replay(hospital, 1, 1, NULL, NULL, "ops", NULL, &reason), &reason);
	journal_batch_free(batch);

	json_t *json = show(place, place->at[3]), *derived = json_object_get(json, "derived");
	char handle[XYLEM_HANDLE_SIZE], own[XYLEM_HANDLE_SIZE];
	assert_int_equal(json_array_size(derived), 1);
	assert_string_equal(
		text_of(json_array_get(derived, 0), "handle"), xylem_handle_format(item_at, handle));
	json_t *cases = json_object_get(json, "cases"), *replays = json_object_get(json, "replays");
	assert_int_equal(json_array_size(cases), 1);
	assert_string_equal(text_of(json_array_get(cases, 0), "code"), "http-422");
	assert_int_equal(json_array_size(replays), 1);
	struct xylem_position replay_at;
	assert_int_equal(
		xylem_handle_parse(xylem_span_of(text_of(json_array_get(replays, 0), "handle")), &replay_at),
		0);
	json_decref(json);

	json = show(place, item_at);
	assert_string_equal(text_of(json, "kind"), "derived");
	assert_string_equal(text_of(json, "parent"), xylem_handle_format(place->at[3], own));
	assert_non_null(lane_of(json, "bus.topics/subscribers"));
	json_decref(json);
	json = show(place, replay_at);
	assert_string_equal(text_of(json, "kind"), "replay");
	assert_string_equal(text_of(json, "parent"), own);
	assert_int_equal(json_array_size(json_object_get(json, "cases")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "lanes")), 1); /* it goes to one */
	assert_string_equal(text_of(lane_of(json, "orders/partner"), "outcome"), "pending");
	json_decref(json);
	hospital_close(hospital);
}

/* Of a message that was diverted, also by a lane of another route, no other lane is waited for. */
static void a_diverted_message_waits_for_its_lane(void **state)
{
	struct place *place = *state;
	static const struct {
		const char *ingress;
		size_t lanes;
	} rows[] = { { "lane:orders/partner", 1 }, { "lane:other/partner", 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[4][64];
		struct xylem_message message = message_of(3, text);
		message.kind = XYLEM_DERIVED;
		message.parent = place->at[3];
		message.ingress = xylem_span_of(rows[i].ingress);
		struct xylem_position at;
		assert_int_equal(journal_append_wait(place->journal, &message, 1, true, &at), 0);
		json_t *json = show(place, at);
		assert_int_equal(json_array_size(json_object_get(json, "lanes")), rows[i].lanes);
		json_decref(json);
	}
}

/* --- Trimming ------------------------------------------------------------- */

static int trim(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return trace_trim(database, *(struct xylem_position *)context, reason);
}

static void rows_below_the_journal_go(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	struct xylem_position begin = place->at[925]; /* in the middle of a row, which stays */
	check(catalogue_write(place->catalogue, trim, &begin, &reason), &reason);
	assert_int_equal(count_all(place, (struct trace_filter){ .destination = "erp", .limit = 500 }), 100);
	assert_int_equal(
		count_all(place, (struct trace_filter){ .destination = "partner" }), 1); /* the hole */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filters_find_what_they_name),
		TEST(a_page_says_what_became_of_each),
		TEST(a_deadline_stops_and_says_where),
		TEST(a_message_shows_each_lane),
		TEST(a_message_shows_its_family),
		TEST(a_diverted_message_waits_for_its_lane),
		TEST(rows_below_the_journal_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
