/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a route makes of one message: does it take it, and what do the steps
 * turn it into. Pure: the same message and generation give the same result,
 * so that a lane far behind, a rehearsal or a trace may do it again.
 *
 * A step that splits gives parts, and the steps after it run on each of them.
 * The message is one: if a step fails on any part, the whole message fails in
 * that step, and no part of it is delivered.
 */
#include <assert.h>
#include <stdio.h>

#include <base/crash.h>
#include <hospital/hospital.h>
#include <message/ingress.h>
#include <route/evaluation.h>
#include <route/where.h>

/* More parts than this from one message are a failure, not a flood. */
#define PARTS_LIMIT 10000

struct run {
	const struct config_route *plan;
	void *const *workers;
	struct xylem_arena *arena;
	struct evaluated *evaluated;
};

static void fail(struct run *run, int step, const char *code, const struct xylem_reason *reason,
	const struct xylem_message *message)
{
	struct step_failure *failure = xylem_arena_zero(run->arena, sizeof(*failure));
	run->evaluated->verdict = VERDICT_FAILED;
	if (!failure) {
		/* Not even room to say why: the lane admits it with what it has. */
		return;
	}
	failure->step = step;
	if (step < 0) {
		snprintf(failure->stage, sizeof(failure->stage), "where");
	} else {
		const struct xylem_transform *kind = run->plan->steps[step].kind;
		snprintf(failure->stage, sizeof(failure->stage), "step %d %s", step + 1,
			kind ? kind->name : "where");
	}
	snprintf(failure->code, sizeof(failure->code), "%s", code);
	failure->reason = *reason;
	failure->message = *message;
	run->evaluated->failure = failure;
}

/* True: goes on. */
static bool where_passes(struct run *run, struct where *where, int step, const struct xylem_message *message)
{
	bool match = false;
	struct xylem_reason reason = { "" };
	int error = where_match(where, message, &match, &reason);
	if (error) {
		fail(run, step, "where-error", &reason, message);
		return false;
	}
	if (!match) {
		run->evaluated->verdict = VERDICT_FILTERED;
	}
	return match;
}

static void apply(struct run *run, int step, struct xylem_message *message, struct xylem_step_result *result)
{
	const struct config_step *config = &run->plan->steps[step];
	if (config->kind) {
		config->kind->apply(config->program, run->workers[step], message, run->arena, result);
		return;
	}
	bool match = false;
	int error = where_match(config->program, message, &match, &result->reason);
	snprintf(result->code, sizeof(result->code), "where-error");
	result->outcome = error ? XYLEM_STEP_FAILED : match ? XYLEM_STEP_PASS : XYLEM_STEP_FILTERED;
}

/* The parts of one step's output, gathered over all parts of its input. */
struct parts {
	struct xylem_message *items;
	size_t n, room;
};

static bool parts_add(struct run *run, struct parts *parts, const struct xylem_message *message)
{
	if (parts->n == parts->room) {
		size_t room = parts->room ? parts->room * 4 : 4;
		struct xylem_message *items = xylem_arena_take(run->arena, room * sizeof(*items));
		if (!items || parts->n >= PARTS_LIMIT) {
			return false;
		}
		if (parts->n) {
			memcpy(items, parts->items, parts->n * sizeof(*items));
		}
		parts->items = items;
		parts->room = room;
	}
	parts->items[parts->n++] = *message;
	return true;
}

static bool parts_refused(struct run *run, int step, const struct xylem_message *message)
{
	struct xylem_reason reason;
	xylem_reason_set(
		&reason, "the step makes more than %d parts, or more than memory holds", PARTS_LIMIT);
	fail(run, step, "too-many-parts", &reason, message);
	return false;
}

/* Runs one step over one part; false: the whole message failed. */
static bool step_over(
	struct run *run, int step, const struct xylem_message *before, struct parts *out, bool *ret_split)
{
	struct xylem_step_result result = { .outcome = XYLEM_STEP_PASS };
	struct xylem_message after = *before;
	apply(run, step, &after, &result);
	switch (result.outcome) {
	case XYLEM_STEP_PASS:
		return parts_add(run, out, &after) || parts_refused(run, step, before);
	case XYLEM_STEP_FILTERED:
		return true;
	case XYLEM_STEP_SPLIT:
		*ret_split = true;
		for (size_t i = 0; i < result.part_count; i++) {
			if (!parts_add(run, out, &result.parts[i])) {
				return parts_refused(run, step, before);
			}
		}
		return true;
	case XYLEM_STEP_FAILED:
		break;
	}
	fail(run, step, result.code[0] ? result.code : "step-error", &result.reason, before);
	return false;
}

/* Parts of one message get ids of their own, made from its id, so that sinks can tell them apart. */
static bool parts_number(struct run *run, struct parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		struct xylem_message *part = &parts->items[i];
		part->part = (uint32_t)i + 1;
		char *id = xylem_arena_format(run->arena, "%.*s.%zu", (int)part->id.n, part->id.at, i + 1);
		if (!id) {
			return false;
		}
		part->id = xylem_span_of(id);
	}
	return true;
}

static void run_steps(struct run *run, struct xylem_message *event, int first)
{
	struct parts parts = { event, 1, 1 };
	bool split = false;
	for (int step = first; step < (int)run->plan->step_count && parts.n > 0; step++) {
		struct parts next = { 0 };
		for (size_t i = 0; i < parts.n; i++) {
			if (!step_over(run, step, &parts.items[i], &next, &split)) {
				return;
			}
		}
		parts = next;
	}
	if (split && !parts_number(run, &parts)) {
		parts_refused(run, (int)run->plan->step_count - 1, event);
		return;
	}
	run->evaluated->verdict = parts.n > 0 ? VERDICT_DELIVER : VERDICT_FILTERED;
	run->evaluated->parts = parts.items;
	run->evaluated->part_count = parts.n;
}

bool route_takes_from(const struct config_route *plan, struct xylem_span ingress)
{
	static const struct xylem_span topic = XYLEM_SPAN_LITERAL("topic:");
	bool of_topic = ingress.n > topic.n && memcmp(ingress.at, topic.at, topic.n) == 0;
	for (size_t i = 0; i < plan->from.n; i++) {
		bool any = of_topic && strcmp(plan->from.items[i], ROUTE_ANY_TOPIC) == 0;
		if (any || xylem_span_is(ingress, plan->from.items[i])) {
			return true;
		}
	}
	return false;
}

/* The marks of a replay are the journal's business: no step and no sink sees them. */
static bool replay_unmark(struct xylem_message *event, struct xylem_arena *arena)
{
	static const char *const marks[] = { REPLAY_CASE, REPLAY_NUMBER, REPLAY_ROUTE, REPLAY_LANE,
		REPLAY_STEP };
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		if (xylem_message_set_attribute(event, arena, xylem_span_of(marks[i]), XYLEM_SPAN_NONE) ==
			-XYLEM_E_MEMORY) {
			return false;
		}
	}
	return true;
}

static void evaluate_fresh(struct run *run, struct xylem_message *event)
{
	const struct config_route *plan = run->plan;
	if (!route_takes_from(plan, event->ingress)) {
		return;
	}
	if (!plan->where || where_passes(run, plan->where, -1, event)) {
		run_steps(run, event, 0);
	}
}

/* What another lane diverted has been through where and steps. */
static void evaluate_diverted(struct run *run, struct xylem_message *event, struct xylem_span destination)
{
	run->evaluated->only = destination;
	run_steps(run, event, (int)run->plan->step_count);
}

static void evaluate_replay(struct run *run, struct xylem_message *event)
{
	struct replay replay;
	if (replay_read(event, &replay) != 0) {
		return;
	}
	/* What no route took is offered to all of them again. */
	bool to_all = xylem_span_is(replay.route, ROUTE_UNROUTED);
	if (!to_all && !xylem_span_is(replay.route, run->plan->name)) {
		return;
	}
	run->evaluated->only = replay.destination;
	if (!replay_unmark(event, run->arena)) {
		struct xylem_reason reason;
		xylem_reason_set(&reason, "out of memory for this batch");
		fail(run, -1, "memory", &reason, event);
		return;
	}
	if (to_all) {
		run->evaluated->only = XYLEM_SPAN_NONE;
		evaluate_fresh(run, event);
		return;
	}
	struct xylem_span diverted;
	if (message_ingress_lane(event, run->plan->name, &diverted)) {
		evaluate_diverted(run, event, replay.destination);
		return;
	}
	/* A case of `where` (step -1) is replayed past it: the operator has looked at it and wants it to go on. */
	run_steps(run, event, replay.step > 0 ? replay.step : 0);
}

void evaluate(const struct config_route *plan, void *const *workers, const struct xylem_message *original,
	struct xylem_arena *arena, struct evaluated *ret_evaluated)
{
	*ret_evaluated = (struct evaluated){ .original = original, .verdict = VERDICT_NOT_MINE };
	struct run run = { plan, workers, arena, ret_evaluated };
	bool replay = original->kind == XYLEM_REPLAY;
	struct xylem_span destination;
	bool diverted = original->kind == XYLEM_DERIVED &&
			message_ingress_lane(original, plan->name, &destination);
	if (!replay && !diverted && !route_takes_from(plan, original->ingress)) {
		return;
	}
	struct xylem_message *event = xylem_arena_take(arena, sizeof(*event));
	if (!event) {
		ret_evaluated->verdict = VERDICT_FAILED;
		return;
	}
	*event = *original;
	event->route = xylem_span_of(plan->name);
	if (replay) {
		evaluate_replay(&run, event);
	} else if (diverted) {
		evaluate_diverted(&run, event, destination);
	} else {
		evaluate_fresh(&run, event);
	}
	crash_point("evaluated");
}

static bool route_takes(const struct config_route *plan, const struct xylem_message *message)
{
	if (!route_takes_from(plan, message->ingress)) {
		return false;
	}
	bool match = true;
	struct xylem_reason reason;
	/* An error of `where` is that route's case: it took the message. */
	return !plan->where || where_match(plan->where, message, &match, &reason) != 0 || match;
}

void evaluate_unrouted(const struct config_view *view, const struct xylem_message *original,
	struct xylem_arena *arena, struct evaluated *ret_evaluated)
{
	*ret_evaluated = (struct evaluated){ .original = original, .verdict = VERDICT_NOT_MINE };
	/* A topic's items are for its subscribers; replays know where they go. */
	static const struct xylem_span topic = XYLEM_SPAN_LITERAL("topic:");
	struct replay replay;
	bool offered_again = original->kind == XYLEM_REPLAY && replay_read(original, &replay) == 0 &&
			     xylem_span_is(replay.route, ROUTE_UNROUTED);
	if ((original->kind != XYLEM_MESSAGE && !offered_again) ||
		(original->ingress.n > topic.n && memcmp(original->ingress.at, topic.at, topic.n) == 0)) {
		return;
	}
	/* A replay that a route takes now is settled here too: its case is that of this lane. */
	ret_evaluated->verdict = offered_again ? VERDICT_FILTERED : VERDICT_NOT_MINE;
	for (size_t i = 0; i < view->route_count; i++) {
		if (route_takes(&view->routes[i], original)) {
			return;
		}
	}
	ret_evaluated->verdict = VERDICT_DELIVER;
	ret_evaluated->parts = original;
	ret_evaluated->part_count = 1;
}
