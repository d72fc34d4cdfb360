/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backlog that is too long, where the lane says `overflow: drop` or
 * `overflow: hospital`: the oldest messages are settled as discarded, or
 * become cases, without being delivered, until the rest fits. What is in
 * flight is left to its delivery.
 */
#include <base/clock.h>
#include <route/lane_body.h>

bool lane_shedding(const struct lane *lane)
{
	return lane->shed_below > lane_cursor(lane).offset;
}

/* False: the hospital has no room. */
static bool shed_unit(struct lane *lane, struct unit *unit, int64_t wall_us)
{
	struct entry *entry = unit->entry;
	enum outcome outcome = OUTCOME_DISCARDED;
	if (lane->plan.options->overflow == LANE_OVERFLOW_HOSPITAL) {
		struct lane_case overflow = { .batch = entry->batch,
			.original = entry->evaluated->original,
			.failing = unit->message,
			.step = (int)route_plan(lane->plan.route)->step_count,
			.stage = "deliver",
			.attempts = unit->attempts };
		xylem_result_fail(&overflow.result, XYLEM_FAILURE_WRONG, "overflow",
			"the lane's backlog was full before this message could be delivered");
		if (!lane_note_case(lane, &overflow)) {
			return false;
		}
		outcome = OUTCOME_HOSPITALISED;
	}
	if (window_settle(&lane->window, unit, outcome, wall_us)) {
		lane_note_settled(lane, entry);
	}
	return true;
}

static bool shed_entry(struct lane *lane, struct entry *entry, int64_t wall_us)
{
	for (size_t i = 0; i < entry->unit_count; i++) {
		struct unit *unit = &entry->units[i];
		if (unit->state != UNIT_IN_FLIGHT && unit->state != UNIT_SETTLED &&
			!shed_unit(lane, unit, wall_us)) {
			return false;
		}
	}
	return true;
}

bool lane_shed(struct lane *lane)
{
	if (!lane_shedding(lane)) {
		return false;
	}
	int64_t wall_us = clock_wall_us();
	size_t before = lane->window.unsettled;
	struct entry *entry;
	for (size_t i = 0; (entry = window_at(&lane->window, i)) && entry->position.offset < lane->shed_below;
		i++) {
		if (!window_settled(entry) && !shed_entry(lane, entry, wall_us)) {
			break;
		}
	}
	return lane->window.unsettled < before;
}
