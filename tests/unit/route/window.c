/* SPDX-License-Identifier: Apache-2.0 */
/* The window of a lane: order per key whatever happens to single messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <route/window.h>

#define MESSAGES 20000
#define KEYS 7
#define PICK 9

static struct xylem_message messages[MESSAGES];
static struct evaluated evaluated[MESSAGES];
static char key_names[KEYS][8];

/* A batch that belongs to nobody: the window only counts its references. */
static struct route_batch *batch;

struct route_batch *route_batch_ref(struct route_batch *face)
{
	return face;
}

struct route_batch *route_batch_unref(struct route_batch *face)
{
	return NULL;
}

static void message_make(size_t i, unsigned key)
{
	messages[i] = (struct xylem_message){
		.position = { 0, i }, .kind = XYLEM_MESSAGE, .data = XYLEM_SPAN_LITERAL("data")
	};
	if (key < KEYS) {
		snprintf(key_names[key], sizeof(key_names[key]), "key-%u", key);
		messages[i].key = xylem_span_of(key_names[key]);
	}
	evaluated[i] = (struct evaluated){
		.original = &messages[i], .verdict = VERDICT_DELIVER, .parts = &messages[i], .part_count = 1
	};
}

static int setup(void **state)
{
	srandom(20261121);
	for (size_t i = 0; i < MESSAGES; i++) {
		message_make(i, (unsigned)random() % (KEYS + 2)); /* some have no key */
	}
	return 0;
}

static int key_of(const struct unit *unit)
{
	struct xylem_span key = unit->message->key;
	return key.at ? key.at[4] - '0' : -1;
}

/* Everything of one key is delivered in order; nothing twice; nothing lost. */
struct seen {
	int64_t last[KEYS];
	size_t delivered;
	bool done[MESSAGES];
};

static void deliver(struct seen *seen, const struct unit *unit)
{
	int key = key_of(unit);
	int64_t offset = (int64_t)unit->entry->position.offset;
	assert_false(seen->done[offset]);
	seen->done[offset] = true;
	seen->delivered++;
	if (key >= 0) {
		assert_true(offset > seen->last[key]);
		seen->last[key] = offset;
	}
}

static void pop_settled(struct window *window, uint64_t *next_position)
{
	struct entry *entry;
	while ((entry = window_first(window)) && window_settled(entry)) {
		assert_int_equal(entry->position.offset, *next_position);
		(*next_position)++;
		window_pop(window);
	}
}

/* Some are delivered, some wait for a retry, some are returned; parallel picks overlap. */
static void play(bool runs, enum lane_order order, size_t capacity)
{
	struct window window;
	struct unit *flying[4][PICK];
	size_t counts[4] = { 0 };
	struct seen *seen = calloc(1, sizeof(*seen));
	for (int i = 0; i < KEYS; i++) {
		seen->last[i] = -1;
	}
	assert_int_equal(window_init(&window, capacity, order, runs), 0);
	size_t added = 0;
	uint64_t position = 0;
	int64_t now = 0;
	while (position < MESSAGES) {
		now++;
		while (added < MESSAGES && window_room(&window) > 0) {
			assert_non_null(window_add(&window, batch, &evaluated[added++], NULL));
		}
		window_wake(&window, now);
		size_t worker = (size_t)random() % 4;
		if (counts[worker] == 0) {
			counts[worker] = window_pick(&window, PICK, SIZE_MAX, flying[worker]);
			continue;
		}
		bool failed = false;
		size_t n = counts[worker];
		for (size_t i = 0; i < n; i++) {
			struct unit *unit = flying[worker][i];
			long fate = random() % 10;
			if (failed) {
				window_return(&window, unit, false);
			} else if (fate == 0) {
				failed = runs; /* a sink that applies in sequence stops there */
				window_retry(&window, unit, now + random() % 20);
			} else if (fate == 1) {
				failed = runs;
				window_return(&window, unit, true);
			} else {
				deliver(seen, unit);
				assert_true(window_settle(&window, unit, OUTCOME_DELIVERED, now));
			}
		}
		counts[worker] = 0;
		pop_settled(&window, &position);
	}
	assert_int_equal(seen->delivered, MESSAGES);
	assert_int_equal(
		window.in_flight + window.ready + window.waiting + window.count + window.unsettled, 0);
	window_finish(&window);
	free(seen);
}

static void keeps_order_per_key(void **state)
{
	play(false, LANE_ORDER_KEY, 100);
	play(false, LANE_ORDER_KEY, 1);
	play(true, LANE_ORDER_KEY, 1000);
}

static void keeps_strict_order(void **state)
{
	play(true, LANE_ORDER_STRICT, 64);
	play(false, LANE_ORDER_STRICT, 16);
}

static void one_pick_never_has_two_of_a_key_unless_runs(void **state)
{
	struct window window;
	struct unit *units[64];
	assert_int_equal(window_init(&window, 64, LANE_ORDER_KEY, false), 0);
	for (size_t i = 0; i < 64; i++) {
		window_add(&window, batch, &evaluated[i], NULL);
	}
	size_t n = window_pick(&window, 64, SIZE_MAX, units);
	bool met[KEYS] = { false };
	for (size_t i = 0; i < n; i++) {
		int key = key_of(units[i]);
		if (key >= 0) {
			assert_false(met[key]);
			met[key] = true;
		}
		window_return(&window, units[i], true);
	}
	window_finish(&window);
}

static void holes_of_the_past_are_not_delivered_again(void **state)
{
	struct window window;
	struct unit *units[8];
	assert_int_equal(window_init(&window, 8, LANE_ORDER_NONE, false), 0);
	window_add(&window, batch, &evaluated[0], NULL);
	struct outcome_entry past = { .offset = 1, .outcome = OUTCOME_DELIVERED, .attempts = 3 };
	window_add(&window, batch, &evaluated[1], &past);
	window_add(&window, batch, &evaluated[2], NULL);
	assert_int_equal(window_pick(&window, 8, SIZE_MAX, units), 2);
	assert_int_equal(units[1]->entry->position.offset, 2);
	window_settle(&window, units[1], OUTCOME_DELIVERED, 1);
	window_settle(&window, units[0], OUTCOME_EXPIRED, 1);
	uint64_t position = 0;
	pop_settled(&window, &position);
	assert_int_equal(position, 3);
	window_finish(&window);
}

static void parts_settle_their_message_together(void **state)
{
	struct window window;
	struct unit *units[8];
	struct xylem_message parts[3] = { messages[0], messages[0], messages[0] };
	struct evaluated split = {
		.original = &messages[0], .verdict = VERDICT_DELIVER, .parts = parts, .part_count = 3
	};
	assert_int_equal(window_init(&window, 4, LANE_ORDER_NONE, false), 0);
	struct entry *entry = window_add(&window, batch, &split, NULL);
	assert_int_equal(window_pick(&window, 8, SIZE_MAX, units), 3);
	assert_false(window_settle(&window, units[0], OUTCOME_DELIVERED, 1));
	assert_false(window_settled(entry));
	assert_false(window_settle(&window, units[2], OUTCOME_HOSPITALISED, 1));
	assert_true(window_settle(&window, units[1], OUTCOME_DELIVERED, 1));
	assert_int_equal(entry->outcome, OUTCOME_HOSPITALISED);
	window_finish(&window);
}

static void a_held_key_waits_and_others_flow(void **state)
{
	struct window window;
	struct unit *units[8];
	message_make(0, 1);
	message_make(1, 1);
	message_make(2, 2);
	message_make(3, 1);
	messages[3].kind = XYLEM_REPLAY;
	assert_int_equal(window_init(&window, 8, LANE_ORDER_KEY, false), 0);
	for (size_t i = 0; i < 3; i++) {
		window_add(&window, batch, &evaluated[i], NULL);
	}
	assert_int_equal(window_pick(&window, 8, SIZE_MAX, units), 2); /* 0 and 2 */
	window_hold_key(&window, units[0]);
	window_settle(&window, units[0], OUTCOME_HOSPITALISED, 1);
	window_settle(&window, units[1], OUTCOME_DELIVERED, 1);
	assert_int_equal(window_pick(&window, 8, SIZE_MAX, units), 0);
	/* The replay of the case goes past what it holds. */
	window_add(&window, batch, &evaluated[3], NULL);
	assert_int_equal(window_pick(&window, 8, SIZE_MAX, units), 1);
	assert_int_equal(units[0]->entry->position.offset, 3);
	window_settle(&window, units[0], OUTCOME_DELIVERED, 2);
	assert_true(window_key_held(&window, messages[0].key));
	window_release_key(&window, messages[0].key);
	assert_int_equal(window_pick(&window, 8, SIZE_MAX, units), 1);
	assert_int_equal(units[0]->entry->position.offset, 1);
	window_settle(&window, units[0], OUTCOME_DELIVERED, 3);
	window_finish(&window);
	window_finish(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_per_key),
		cmocka_unit_test(keeps_strict_order),
		cmocka_unit_test(one_pick_never_has_two_of_a_key_unless_runs),
		cmocka_unit_test(holes_of_the_past_are_not_delivered_again),
		cmocka_unit_test(parts_settle_their_message_together),
		cmocka_unit_test(a_held_key_waits_and_others_flow),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
