/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane takes messages up: it asks its route for the batch at its reading
 * position and puts the route's results into its window. What the route
 * filtered or failed is settled here, without a delivery.
 */
#include <assert.h>
#include <stdlib.h>

#include <base/clock.h>
#include <route/lane_body.h>
#include <xylem/log.h>

/* How long a lane waits after the journal could not be read, or the hospital had no room. */
#define AGAIN_US ((int64_t)1000000)

/* --- What was settled before this start ----------------------------------- */

void lane_past_set(struct lane *lane, struct xylem_span holes)
{
	free(lane->past);
	lane->past = NULL;
	lane->past_count = lane->past_index = 0;
	struct outcome_reader reader;
	struct outcome_entry entry;
	outcome_reader_init(&reader, holes);
	size_t room = 0;
	while (holes.n > 0 && outcome_read(&reader, &entry) == 1) {
		if (lane->past_count == room) {
			room = room ? room * 2 : 64;
			struct outcome_entry *past = realloc(lane->past, room * sizeof(*past));
			if (!past) {
				return; /* delivered again: a duplicate, never a loss */
			}
			lane->past = past;
		}
		lane->past[lane->past_count++] = entry;
	}
}

static const struct outcome_entry *past_find(struct lane *lane, struct xylem_position position)
{
	while (lane->past_index < lane->past_count && lane->past[lane->past_index].offset < position.offset) {
		lane->past_index++;
	}
	bool found = lane->past_index < lane->past_count &&
		     lane->past[lane->past_index].offset == position.offset;
	return found ? &lane->past[lane->past_index] : NULL;
}

/* --- Taking up ------------------------------------------------------------ */

struct xylem_position lane_cursor(const struct lane *lane)
{
	const struct entry *first = window_first(&lane->window);
	if (first) {
		return first->position;
	}
	return lane->batch ? lane->batch->items[lane->batch_index].original->position : lane->read;
}

/* False: the hospital has no room; nothing was noted. */
static bool note_step_case(struct lane *lane, const struct evaluated *item)
{
	struct lane_case step_case = {
		.batch = lane->batch, .original = item->original, .whole_route = true
	};
	const struct step_failure *failure = item->failure;
	step_case.failing = failure ? &failure->message : item->original;
	step_case.step = failure ? failure->step : 0;
	memcpy(step_case.stage, failure ? failure->stage : "steps",
		failure ? sizeof(failure->stage) : sizeof("steps"));
	step_case.result.failure = XYLEM_FAILURE_WRONG;
	memcpy(step_case.result.code, failure ? failure->code : "memory",
		failure ? sizeof(failure->code) : sizeof("memory"));
	if (failure) {
		step_case.result.reason = failure->reason;
	} else {
		xylem_reason_set(
			&step_case.result.reason, "not enough memory to run the steps over this message");
	}
	return lane_note_case(lane, &step_case);
}

/* A replay for every lane of the route, which waits for each of them: nothing to do here, and that is its outcome. */
static bool passes(const struct lane *lane, const struct evaluated *item)
{
	return lane->plan.otherwise_only && !xylem_span_present(item->only) &&
	       item->original->kind == XYLEM_REPLAY;
}

static void pass_over(struct lane *lane, struct entry *entry)
{
	for (size_t i = 0; i < entry->unit_count; i++) {
		if (window_settle(&lane->window, &entry->units[i], OUTCOME_FILTERED, clock_wall_us())) {
			lane_note_settled(lane, entry);
		}
	}
}

static bool for_me(const struct lane *lane, const struct evaluated *item)
{
	return xylem_span_present(item->only) ? xylem_span_is(item->only, lane->record.destination)
					      : !lane->plan.otherwise_only || passes(lane, item);
}

/* True: the item is taken up (or is none of this lane's); false: not now. */
static bool take_item(struct lane *lane, const struct evaluated *item)
{
	if (!for_me(lane, item)) {
		return true;
	}
	const struct outcome_entry *past = past_find(lane, item->original->position);
	if (!past && item->verdict == VERDICT_FAILED && !note_step_case(lane, item)) {
		lane_block(lane, AGAIN_US,
			"the hospital is full: discard or replay cases, or raise hospital.max_cases");
		return false;
	}
	struct entry *entry = window_add(&lane->window, lane->batch, item, past);
	if (!entry) {
		lane_block(lane, AGAIN_US, "out of memory");
		return false;
	}
	if (!past && item->verdict != VERDICT_DELIVER) {
		window_settle_entry(&lane->window, entry,
			item->verdict == VERDICT_FAILED ? OUTCOME_HOSPITALISED : OUTCOME_FILTERED,
			clock_wall_us());
		lane_note_settled(lane, entry);
	} else if (!past && passes(lane, item)) {
		pass_over(lane, entry);
	}
	return true;
}

static void batch_drop(struct lane *lane)
{
	lane->read = lane->batch->next;
	lane->batch = route_batch_unref(lane->batch);
	lane->batch_index = 0;
}

/* Records that cannot be read any more: said aloud, then passed. */
static void pass_gap(struct lane *lane)
{
	char from[XYLEM_HANDLE_SIZE], next[XYLEM_HANDLE_SIZE];
	xylem_handle_format(lane->batch->from, from);
	xylem_handle_format(lane->batch->next, next);
	xylem_log(XYLEM_LOG_ERROR, "lane",
		"%s: the journal has a gap from %s to %s (%s): nothing in it is delivered", lane->name, from,
		next, xylem_error_row(lane->batch->gap)->name);
	batch_drop(lane);
	lane->dirty = true;
}

/* Reads the next batch without the lock; false: nothing came. */
static bool batch_read(struct lane *lane, struct lane_worker *worker)
{
	struct route_batch *batch = NULL;
	lane->taking = true;
	pthread_mutex_unlock(&lane->lock);
	int error = route_read(lane->plan.route, worker->route, lane->read, &batch);
	pthread_mutex_lock(&lane->lock);
	lane->taking = false;
	if (error) {
		lane_block(lane, AGAIN_US, "the journal cannot be read: %s", xylem_error_row(error)->text);
		return false;
	}
	if (!batch) {
		return false;
	}
	lane->batch = batch;
	lane->batch_index = 0;
	return true;
}

bool lane_take(struct lane *lane, struct lane_worker *worker)
{
	if (lane->taking || window_room(&lane->window) == 0) {
		return false;
	}
	if (!lane->batch && !batch_read(lane, worker)) {
		return false;
	}
	if (lane->batch->gap) {
		pass_gap(lane);
		return true;
	}
	size_t before = lane->batch_index;
	while (lane->batch_index < lane->batch->n && window_room(&lane->window) > 0) {
		if (!take_item(lane, &lane->batch->items[lane->batch_index])) {
			break;
		}
		lane->batch_index++;
	}
	bool taken = lane->batch_index > before || lane->batch->n == 0;
	if (lane->batch_index == lane->batch->n) {
		batch_drop(lane);
	}
	return taken;
}
