/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one route test: makes the event, puts it through `where` and steps as a
 * lane would (bus/route/evaluation.c), and compares what comes out. There is no
 * bus: no journal, no connector, nothing is sent.
 */
#include <stdarg.h>
#include <stdio.h>

#include <base/clock.h>
#include <config/nearest.h>
#include <json/difference.h>
#include <main/route_test.h>
#include <route/alone.h>

#define ARENA_LIMIT ((size_t)256 * 1024 * 1024) /* as for a batch of a route */
#define LINES_MOST 20                           /* differences shown of one test */

struct run {
	const struct route_test *test;
	const char *indent;
	struct xylem_buffer *out;
	struct xylem_arena *arena;
	struct config_route plan; /* the route, or one step of it */
	struct xylem_message event;
	struct evaluated evaluated;
	bool good;
};

static void XYLEM_PRINTF(2, 3) complain(struct run *run, const char *format, ...)
{
	struct xylem_reason text;
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(&text, format, arguments);
	va_end(arguments);
	xylem_buffer_format(run->out, "%s%s\n", run->indent, text.text);
	run->good = false;
}

/* --- The event ---------------------------------------------------------------------- */

static struct xylem_span payload(const struct route_test *test)
{
	if (test->event.data_file) {
		return test->event.data_file->bytes;
	}
	return test->event.data_text ? xylem_span_of(test->event.data_text) : test->event.data;
}

static bool extensions_set(struct run *run)
{
	for (size_t i = 0; i < run->test->event.extensions.n; i++) {
		const struct xylem_pair *pair = &run->test->event.extensions.items[i];
		if (xylem_message_set_attribute(&run->event, run->arena, xylem_span_of(pair->name),
			    xylem_span_of(pair->value)) < 0) {
			complain(run, "`event.extensions` has `%.40s`, which is no name of an attribute",
				pair->name);
			return false;
		}
	}
	return true;
}

static bool event_make(struct run *run)
{
	const struct route_test *test = run->test;
	struct xylem_reason reason;
	const char *from = test->event.from   ? test->event.from
			   : run->plan.from.n ? run->plan.from.items[0]
					      : "";
	run->event = (struct xylem_message){ .kind = XYLEM_MESSAGE,
		.ingress = xylem_span_of(from),
		.key = xylem_span_of(test->event.key),
		.id = xylem_span_of(test->event.id),
		.source = xylem_span_of(test->event.source),
		.type = xylem_span_of(test->event.type),
		.subject = xylem_span_of(test->event.subject),
		.time = xylem_span_of(test->event.time),
		.datacontenttype = xylem_span_of(test->event.datacontenttype),
		.dataschema = xylem_span_of(test->event.dataschema),
		.data = payload(test) };
	clock_parse(test->now, strlen(test->now), &run->event.journal_time_us);
	if (!extensions_set(run)) {
		return false;
	}
	if (xylem_message_check(&run->event, &reason) < 0) {
		complain(run, "`event` is no event: %s", reason.text);
		return false;
	}
	return true;
}

/* --- The run --------------------------------------------------------------------------- */

static void route_missing(struct run *run, const struct config_view *view)
{
	struct nearest nearest;
	char hint[NEAREST_HINT_SIZE];
	nearest_init(&nearest, run->test->route);
	for (size_t i = 0; i < view->route_count; i++) {
		nearest_offer(&nearest, view->routes[i].name);
	}
	complain(run, "there is no route `%.64s`%s", run->test->route, nearest_hint(&nearest, hint));
}

static bool plan_make(struct run *run, const struct config_view *view)
{
	const struct config_route *route = config_find_route(view, run->test->route);
	size_t step = (size_t)run->test->step;
	if (!route) {
		route_missing(run, view);
		return false;
	}
	run->plan = *route;
	if (step > route->step_count) {
		complain(run, "route `%.64s` has %zu steps, no step %zu", route->name, route->step_count,
			step);
		return false;
	}
	if (step) {
		run->plan.where = NULL;
		run->plan.steps = &route->steps[step - 1];
		run->plan.step_count = 1;
	}
	return true;
}

/* --- What came out ------------------------------------------------------------------------- */

static const char *outcome_of(const struct run *run)
{
	switch (run->evaluated.verdict) {
	case VERDICT_DELIVER:
		return "delivered";
	case VERDICT_FILTERED:
		return "filtered";
	case VERDICT_FAILED:
		return "case";
	default:
		return "not-taken";
	}
}

static const char *outcome_wanted(const struct route_test *test)
{
	bool failed = test->expect.code || test->expect.error || test->expect.step >= 0;
	return test->expect.outcome ? test->expect.outcome : failed ? "case" : "delivered";
}

/* As the route counts its steps, also when one was run alone. */
static int step_of(const struct run *run)
{
	int step = run->evaluated.failure->step + 1;
	return step && run->test->step ? (int)run->test->step : step;
}

static void failure_describe(struct run *run)
{
	const struct step_failure *failure = run->evaluated.failure;
	if (!failure) {
		complain(run, "it is a case, for want of memory");
		return;
	}
	const char *kind = strrchr(failure->stage, ' ');
	int step = step_of(run);
	if (step == 0) {
		complain(run, "`where` fails, %s: %s", failure->code, failure->reason.text);
	} else {
		complain(run, "step %d%s fails, %s: %s", step, kind ? kind : "", failure->code,
			failure->reason.text);
	}
}

static void failure_check(struct run *run)
{
	const struct route_test *test = run->test;
	const struct step_failure *failure = run->evaluated.failure;
	if (!failure) {
		failure_describe(run);
		return;
	}
	if ((test->expect.code && strcmp(test->expect.code, failure->code) != 0) ||
		(test->expect.error && !strstr(failure->reason.text, test->expect.error)) ||
		(test->expect.step >= 0 && test->expect.step != step_of(run))) {
		complain(run, "expected another case: %s%.64s%s%.200s", test->expect.code ? "code " : "",
			test->expect.code ? test->expect.code : "", test->expect.error ? " with " : "",
			test->expect.error ? test->expect.error : "");
		if (test->expect.step >= 0) {
			complain(run, "in step %d", (int)test->expect.step);
		}
		failure_describe(run);
	}
}

static struct json_difference difference_begin(const struct run *run, const char *prefix, bool partial)
{
	return (struct json_difference){ .out = run->out,
		.indent = run->indent,
		.prefix = prefix,
		.partial = partial,
		.most = LINES_MOST };
}

static void difference_end(struct run *run, const struct json_difference *difference)
{
	if (difference->count > difference->most) {
		complain(run, "and %zu more differences", difference->count - difference->most);
	}
	run->good &= difference->count == 0;
}

/* Listed members of an event against the event. */
static void event_compare(
	struct run *run, struct xylem_span expected, const struct xylem_message *message, const char *prefix)
{
	XYLEM_BUFFER_SCOPED actual = { 0 };
	xylem_message_write_json(message, &actual);
	struct json_difference difference = difference_begin(run, prefix, true);
	json_difference_write(&difference, expected, xylem_buffer_borrow(&actual));
	difference_end(run, &difference);
}

static void data_compare(struct run *run, const struct xylem_message *message)
{
	struct xylem_reason reason;
	if (!xylem_span_present(message->data)) {
		complain(run, "expected data, there is none");
	} else if (xylem_json_check(message->data, NULL, &reason) < 0) {
		complain(run, "expected JSON, the data is %s", reason.text);
	} else {
		struct json_difference difference = difference_begin(run, "", false);
		json_difference_write(&difference, run->test->expect.data, message->data);
		difference_end(run, &difference);
	}
}

static void text_compare(struct run *run, const struct xylem_message *message)
{
	struct xylem_span expected = xylem_span_of(run->test->expect.data_text), actual = message->data;
	size_t at = 0;
	if (xylem_span_equal(expected, actual)) {
		return;
	}
	while (at < expected.n && at < actual.n && expected.at[at] == actual.at[at]) {
		at++;
	}
	complain(run, "the data differs at byte %zu: expected `%.*s`, is `%.*s`", at,
		(int)(expected.n - at > 60 ? 60 : expected.n - at), expected.at + at,
		(int)(actual.n - at > 60 ? 60 : actual.n - at), actual.n ? actual.at + at : "");
}

static void parts_compare(struct run *run)
{
	const struct evaluated *evaluated = &run->evaluated;
	size_t count = xylem_json_count(run->test->expect.parts), i = 0;
	struct xylem_json_iterator walk;
	if (count != evaluated->part_count) {
		complain(run, "expected %zu events, there are %zu", count, evaluated->part_count);
	}
	xylem_json_iterate(&walk, run->test->expect.parts);
	for (; xylem_json_next(&walk) && i < evaluated->part_count; i++) {
		char prefix[40];
		snprintf(prefix, sizeof(prefix), "/%zu", i);
		event_compare(run, walk.value, &evaluated->parts[i], prefix);
	}
}

static void delivery_check(struct run *run)
{
	const struct evaluated *evaluated = &run->evaluated;
	bool single = xylem_span_present(run->test->expect.data) || run->test->expect.data_text ||
		      xylem_span_present(run->test->expect.event);
	if (xylem_span_present(run->test->expect.parts)) {
		parts_compare(run);
	}
	if (single && evaluated->part_count != 1) {
		complain(run, "it became %zu events; compare them by `parts`", evaluated->part_count);
		return;
	}
	if (xylem_span_present(run->test->expect.data)) {
		data_compare(run, &evaluated->parts[0]);
	}
	if (run->test->expect.data_text) {
		text_compare(run, &evaluated->parts[0]);
	}
	if (xylem_span_present(run->test->expect.event)) {
		event_compare(run, run->test->expect.event, &evaluated->parts[0], "");
	}
}

static void sources_describe(struct run *run)
{
	XYLEM_BUFFER_SCOPED names = { 0 };
	for (size_t i = 0; i < run->plan.from.n; i++) {
		xylem_buffer_format(&names, "%s`%s`", i ? ", " : "", run->plan.from.items[i]);
	}
	complain(run, "the event is from `%.*s`, the route takes from %.*s",
		(int)(run->event.ingress.n > 64 ? 64 : run->event.ingress.n), run->event.ingress.at,
		(int)(names.n > 200 ? 200 : names.n), names.n ? names.bytes : "");
}

static void evaluated_check(struct run *run)
{
	const char *wanted = outcome_wanted(run->test), *is = outcome_of(run);
	if (strcmp(wanted, is) != 0) {
		complain(run, "expected %s, is %s", wanted, is);
		if (run->evaluated.verdict == VERDICT_FAILED) {
			failure_describe(run);
		} else if (run->evaluated.verdict == VERDICT_NOT_MINE) {
			sources_describe(run);
		}
	} else if (run->evaluated.verdict == VERDICT_FAILED) {
		failure_check(run);
	} else if (run->evaluated.verdict == VERDICT_DELIVER) {
		delivery_check(run);
	}
}

bool route_test_run(const struct route_test *test, const struct config_view *view, const char *indent,
	struct xylem_buffer *out)
{
	struct run run = { .test = test, .indent = indent, .out = out, .good = true };
	run.arena = xylem_arena_new(ARENA_LIMIT);
	if (!run.arena) {
		complain(&run, "out of memory");
		return false;
	}
	if (plan_make(&run, view) && event_make(&run)) {
		if (route_evaluate_alone(&run.plan, SIZE_MAX, &run.event, run.arena, &run.evaluated) < 0) {
			complain(&run, "out of memory");
		} else {
			evaluated_check(&run);
		}
	}
	xylem_arena_free(run.arena);
	return run.good;
}
