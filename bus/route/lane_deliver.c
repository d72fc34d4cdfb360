/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane delivers: picks what may go, gives it to the sink without the lock,
 * and moves each message by what the sink said of it. The four classes of
 * failure are the design (docs/delivery.md): only `busy` counts attempts, only
 * `busy` and `wrong` make cases, `down` and `misconfigured` open the circuit.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/crash.h>
#include <route/lane_body.h>
#include <xylem/log.h>

/* How long a lane waits when the hospital has no room. */
#define AGAIN_US ((int64_t)1000000)
/* The deepest halving of a batch: more than a batch can hold. */
#define HALVINGS 64

/* --- Notes for the next commit -------------------------------------------- */

static bool room_for(void **array, size_t count, size_t *room, size_t size)
{
	if (count < *room) {
		return true;
	}
	size_t more = *room ? *room * 2 : 16;
	void *grown = realloc(*array, more * size);
	if (grown) {
		*array = grown;
		*room = more;
	}
	return grown != NULL;
}

bool lane_note_case(struct lane *lane, const struct lane_case *lane_case)
{
	if (!hospital_has_room(lane->services->hospital) ||
		!room_for((void **)&lane->cases, lane->case_count, &lane->case_room, sizeof(*lane->cases))) {
		return false;
	}
	lane->cases[lane->case_count] = *lane_case;
	route_batch_ref(lane_case->batch);
	lane->case_count++;
	lane->dirty = true;
	if (lane->plan.options->on_case == LANE_ON_CASE_STOP) {
		lane->stopped = true;
		snprintf(lane->why, sizeof(lane->why), "stopped by a case (on_case: stop): %.180s",
			lane_case->result.reason.text);
	}
	return true;
}

static void note_replay(struct lane *lane, struct entry *entry)
{
	/* A replay that failed again is told by its case. */
	if (entry->evaluated->original->kind != XYLEM_REPLAY || entry->outcome == OUTCOME_HOSPITALISED) {
		return;
	}
	if (!room_for((void **)&lane->replays, lane->replay_count, &lane->replay_room,
		    sizeof(*lane->replays))) {
		xylem_log(XYLEM_LOG_ERROR, "lane", "%s: out of memory: the end of a replay is not recorded",
			lane->name);
		return;
	}
	lane->replays[lane->replay_count++] = (struct lane_replay){ route_batch_ref(entry->batch),
		entry->evaluated->original, entry->outcome };
}

static void count_outcome(struct lane *lane, const struct entry *entry)
{
	struct lane_counters *counters = &lane->counters;
	uint64_t *const counted[] = { [OUTCOME_DELIVERED] = &counters->delivered,
		[OUTCOME_FILTERED] = &counters->filtered,
		[OUTCOME_EXPIRED] = &counters->expired,
		[OUTCOME_HOSPITALISED] = &counters->hospitalised,
		[OUTCOME_DISCARDED] = &counters->discarded,
		[OUTCOME_UNROUTED] = &counters->delivered,
		[OUTCOME_DIVERTED] = &counters->diverted };
	(*counted[entry->outcome])++;
	metric_add(lane->metric_outcomes[entry->outcome], 1);
	if (entry->outcome == OUTCOME_DELIVERED) {
		int64_t taken = entry->settled_us - entry->evaluated->original->journal_time_us;
		metric_observe(lane->metric_end_to_end, taken > 0 ? (double)taken / 1e6 : 0);
	}
}

void lane_note_settled(struct lane *lane, struct entry *entry)
{
	lane->dirty = true;
	count_outcome(lane, entry);
	note_replay(lane, entry);
	if (lane->services->settled) {
		lane->services->settled(lane->services->context, lane->name, entry->position, entry->outcome,
			entry->attempts);
	}
}

static void settle(struct lane *lane, struct unit *unit, enum outcome outcome, int64_t wall_us)
{
	struct entry *entry = unit->entry;
	if (window_settle(&lane->window, unit, outcome, wall_us)) {
		lane_note_settled(lane, entry);
	}
}

/* --- Picking -------------------------------------------------------------- */

static bool expired(const struct lane *lane, const struct unit *unit, int64_t wall_us)
{
	int64_t expire = lane->plan.options->expire_us;
	return expire > 0 && unit->entry->evaluated->original->journal_time_us < wall_us - expire;
}

/* Diverted before a crash, and not settled then: the destination is not asked again, it might take it now. */
static bool was_diverted(struct lane *lane, struct unit *unit, int64_t wall_us)
{
	struct xylem_position at;
	if (!lane->divert || !divert_known(lane->divert, unit->message, &at)) {
		return false;
	}
	unit->entry->handle = at;
	settle(lane, unit, OUTCOME_DIVERTED, wall_us);
	return true;
}

/* What may go now, without what has expired meanwhile. */
static size_t pick(struct lane *lane, struct lane_worker *worker, size_t count)
{
	size_t n = window_pick(&lane->window, count, (size_t)lane->plan.options->batch_bytes, worker->units);
	int64_t wall_us = clock_wall_us();
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		struct unit *unit = worker->units[i];
		if (expired(lane, unit, wall_us)) {
			settle(lane, unit, OUTCOME_EXPIRED, wall_us);
			continue;
		}
		if (was_diverted(lane, unit, wall_us)) {
			continue;
		}
		if (!unit->entry->begun_us) {
			unit->entry->begun_us = wall_us;
		}
		worker->units[kept++] = unit;
	}
	return kept;
}

/* How many may go: 0 while a circuit, a pause, a block or a filling batch says so; *ret_until: when to look again. */
static size_t admitted(struct lane *lane, int64_t now, int64_t *ret_until)
{
	if (lane->record.paused || lane->stopped || lane->stopping || lane->window.ready == 0) {
		return 0;
	}
	if (lane->blocked_until_us > now) {
		*ret_until = lane->blocked_until_us;
		return 0;
	}
	if (lane->circuit.open) {
		if (!circuit_admits(&lane->circuit, now)) {
			*ret_until = circuit_next(&lane->circuit);
			return 0;
		}
		lane->circuit.probing = true;
		return 1;
	}
	int64_t wait = lane->plan.options->batch_wait_us;
	if (wait > 0 && lane->window.ready < lane->pick_count) {
		if (!lane->picked_us) {
			lane->picked_us = now;
		}
		if (now < lane->picked_us + wait) {
			*ret_until = lane->picked_us + wait;
			return 0;
		}
	}
	lane->picked_us = 0;
	return lane->pick_count;
}

/* --- Calling the sink ----------------------------------------------------- */

struct stretch {
	size_t from, n;
};

/*
 * For a sink that takes all or nothing: when it refuses several as `wrong`,
 * its halves are tried, in order, until the one at fault stands alone.
 */
static void deliver_halving(const struct xylem_connector *kind, struct lane_worker *worker, size_t n)
{
	struct stretch stack[HALVINGS];
	size_t depth = 0;
	stack[depth++] = (struct stretch){ 0, n };
	while (depth > 0) {
		struct stretch part = stack[--depth];
		struct xylem_result *results = worker->results + part.from;
		memset(results, 0, part.n * sizeof(*results));
		kind->deliver(worker->sink, worker->messages + part.from, part.n, results);
		if (results[0].failure == XYLEM_FAILURE_WRONG && part.n > 1) {
			assert(depth + 2 <= HALVINGS);
			size_t half = part.n / 2;
			stack[depth++] = (struct stretch){ part.from + half, part.n - half };
			stack[depth++] = (struct stretch){ part.from, half };
		} else if (results[0].failure != XYLEM_DELIVERED &&
			   results[0].failure != XYLEM_FAILURE_WRONG) {
			/* The destination itself fails: what is left was not tried. */
			for (size_t i = part.from + part.n; i < n; i++) {
				worker->results[i].failure = XYLEM_NOT_TRIED;
			}
			return;
		}
	}
}

/* What the sink turned away is in the journal again, or fails as the journal says. */
static void divert(const struct lane *lane, struct lane_worker *worker, size_t n)
{
	size_t away = 0;
	for (size_t i = 0; i < n; i++) {
		if (worker->results[i].failure == XYLEM_DISCARDED) {
			worker->diverted[away++] = worker->messages[i];
		}
	}
	if (away == 0) {
		return;
	}
	int error = divert_append(lane->divert, worker->diverted, away, worker->positions);
	crash_point("diverted");
	/* Too large for a journal record is the message's fault; anything else is the journal's. */
	enum xylem_failure failure = error == -XYLEM_E_TOO_LARGE ? XYLEM_FAILURE_WRONG : XYLEM_FAILURE_DOWN;
	for (size_t i = 0, at = 0; i < n; i++) {
		struct xylem_result *result = &worker->results[i];
		if (result->failure != XYLEM_DISCARDED) {
			continue;
		}
		result->handle = worker->positions[at++];
		if (error) {
			xylem_result_fail(result, failure, xylem_error_row(error)->name,
				"what %s turned away cannot be diverted: the journal says: %s", lane->name,
				xylem_error_row(error)->text);
		}
	}
}

static void call_sink(struct lane *lane, struct lane_worker *worker, size_t n)
{
	const struct xylem_connector *kind = instance_kind(lane->plan.sink);
	for (size_t i = 0; i < n; i++) {
		worker->messages[i] = worker->units[i]->message;
	}
	worker->delivering = true;
	worker->appends_from = journal_end(lane->services->journal).offset;
	pthread_mutex_unlock(&lane->lock);
	crash_point("sink-before");
	if (kind->flags & XYLEM_SINK_ALL_OR_NOTHING) {
		deliver_halving(kind, worker, n);
	} else {
		memset(worker->results, 0, n * sizeof(*worker->results));
		kind->deliver(worker->sink, worker->messages, n, worker->results);
	}
	crash_point("sink-after");
	if (lane->divert) {
		divert(lane, worker, n);
	}
	pthread_mutex_lock(&lane->lock);
	worker->delivering = false;
}

/* --- What the sink said --------------------------------------------------- */

static void make_case(
	struct lane *lane, struct unit *unit, const struct xylem_result *result, int64_t wall_us)
{
	struct entry *entry = unit->entry;
	struct lane_case lane_case = { .batch = entry->batch,
		.original = entry->evaluated->original,
		.failing = unit->message,
		.step = (int)route_plan(lane->plan.route)->step_count,
		.stage = "deliver",
		.attempts = unit->attempts,
		.result = *result };
	if (!lane_note_case(lane, &lane_case)) {
		lane_block(lane, AGAIN_US,
			"the hospital is full: discard or replay cases, or raise hospital.max_cases");
		unit->attempts--;
		window_return(&lane->window, unit, false);
		return;
	}
	if (lane_holds_keys(lane) && lane_note_held(lane, unit->message->key)) {
		window_hold_key(&lane->window, unit);
	}
	settle(lane, unit, OUTCOME_HOSPITALISED, wall_us);
}

static void opened(struct lane *lane, const struct xylem_result *result)
{
	xylem_log(XYLEM_LOG_WARNING, "lane", "%s: %s: %s (%s)", lane->name,
		lane->circuit.failure == XYLEM_FAILURE_MISCONFIGURED
			? "refused as misconfigured, a person must act"
			: "destination down",
		result->reason.text, result->code);
	instance_health(lane->plan.sink, false, result->reason.text);
}

static void answered(struct lane *lane)
{
	if (circuit_answered(&lane->circuit)) {
		xylem_log(XYLEM_LOG_NOTICE, "lane", "%s: destination answers again", lane->name);
		instance_health(lane->plan.sink, true, "");
	}
}

static void busy(
	struct lane *lane, struct unit *unit, const struct xylem_result *result, int64_t now, int64_t wall_us)
{
	bool was_open = lane->circuit.open;
	if (circuit_busy(&lane->circuit, lane->plan.options, result, unit->entry->position.offset, now)) {
		opened(lane, result);
	}
	if (was_open || lane->circuit.open) {
		/* Not this message's fault: nothing is counted. */
		window_return(&lane->window, unit, true);
		return;
	}
	unit->attempts++;
	if (unit->attempts >= (uint32_t)lane->plan.options->attempts) {
		make_case(lane, unit, result, wall_us);
		return;
	}
	int64_t wait = circuit_backoff(lane->plan.options, unit->attempts);
	window_retry(
		&lane->window, unit, now + (result->retry_after_us > wait ? result->retry_after_us : wait));
}

static void judge(
	struct lane *lane, struct unit *unit, const struct xylem_result *result, int64_t now, int64_t wall_us)
{
	lane->counters.attempts++;
	lane->counters.failed_attempts += result->failure != XYLEM_DELIVERED &&
					  result->failure != XYLEM_DISCARDED;
	metric_add(lane->metric_attempts[result->failure], 1);
	switch (result->failure) {
	case XYLEM_DELIVERED:
		unit->attempts++;
		answered(lane);
		unit->entry->handle = result->handle;
		settle(lane, unit, lane->plan.on_delivery, wall_us);
		return;
	case XYLEM_DISCARDED:
		unit->attempts++;
		answered(lane);
		unit->entry->handle = lane->divert ? result->handle : unit->entry->handle;
		settle(lane, unit, lane->divert ? OUTCOME_DIVERTED : OUTCOME_DISCARDED, wall_us);
		return;
	case XYLEM_FAILURE_WRONG:
		unit->attempts++;
		answered(lane);
		make_case(lane, unit, result, wall_us);
		return;
	case XYLEM_FAILURE_BUSY:
		busy(lane, unit, result, now, wall_us);
		return;
	case XYLEM_FAILURE_DOWN:
	case XYLEM_FAILURE_MISCONFIGURED:
		if (circuit_failed(&lane->circuit, lane->plan.options, result, now)) {
			opened(lane, result);
		}
		window_return(&lane->window, unit, true);
		return;
	case XYLEM_NOT_TRIED:
		break;
	}
	window_return(&lane->window, unit, false);
}

static void judge_all(struct lane *lane, struct lane_worker *worker, size_t n)
{
	int64_t now = clock_mono_us(), wall_us = clock_wall_us();
	for (size_t i = 0; i < n; i++) {
		if (worker->results[i].failure != XYLEM_NOT_TRIED) {
			judge(lane, worker->units[i], &worker->results[i], now, wall_us);
		}
	}
	/* Backward, since each goes to the front. */
	for (size_t i = n; i-- > 0;) {
		if (worker->results[i].failure == XYLEM_NOT_TRIED) {
			window_return(&lane->window, worker->units[i], false);
		}
	}
	/* A probe that brought no answer of any kind (all expired, not tried) must not stay the only one. */
	lane->circuit.probing = false;
}

bool lane_deliver(struct lane *lane, struct lane_worker *worker, int64_t *ret_wait_until_us)
{
	size_t count = admitted(lane, clock_mono_us(), ret_wait_until_us);
	size_t n = count > 0 ? pick(lane, worker, count) : 0;
	if (n == 0) {
		if (count > 0) {
			lane->circuit.probing = false;
		}
		return count > 0;
	}
	call_sink(lane, worker, n);
	judge_all(lane, worker, n);
	worker->appends_from = 0;
	return true;
}
