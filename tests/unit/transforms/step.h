/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STEP_H
#define TESTS_STEP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xylem/transform.h>

#define TEXT(text) XYLEM_SPAN_LITERAL(text)

/* Digits that a program which reads numbers into doubles would change. */
#define EXACT_DATA "{\"price\":19.99,\"id\":12345678901234567890,\"tiny\":1e-400}"

/* One step with its program, worker and an event to run on. */
struct step {
	const struct xylem_transform *kind;
	void *program, *worker;
	struct xylem_arena *arena;
	struct xylem_message event;
	struct xylem_step_result result;
};

static inline void step_open(struct step *step, const struct xylem_transform *kind, const void *options)
{
	struct xylem_reason reason = { "" };
	*step = (struct step){ .kind = kind, .arena = xylem_arena_new(0) };
	if (kind->compile(options, &step->program, &reason) < 0) {
		fail_msg("not compiled: %s", reason.text);
	}
	if (kind->worker_new) {
		assert_int_equal(kind->worker_new(step->program, &step->worker), 0);
	}
}

static inline void step_close(struct step *step)
{
	if (step->kind->worker_free) {
		step->kind->worker_free(step->worker);
	}
	step->kind->program_free(step->program);
	xylem_arena_free(step->arena);
}

/* Applies to an event with this data (NULL: none), in memory of exactly its size, not to be written to. */
static inline enum xylem_step_outcome step_run(struct step *step, const char *type, struct xylem_span data)
{
	char *copy = malloc(data.n ? data.n : 1);
	if (data.n) {
		memcpy(copy, data.at, data.n);
	}
	step->event = (struct xylem_message){
		.kind = XYLEM_MESSAGE,
		.journal_time_us = 1795339800125000, /* 2026-11-22T09:30:00.125Z */
		.id = TEXT("1"),
		.source = TEXT("shop"),
		.type = TEXT("order.created"),
		.subject = TEXT("old"),
		.datacontenttype = xylem_span_of(type),
		.data = xylem_span_present(data) ? xylem_span(copy, data.n) : XYLEM_SPAN_NONE,
	};
	step->result = (struct xylem_step_result){ .outcome = XYLEM_STEP_PASS };
	step->kind->apply(step->program, step->worker, &step->event, step->arena, &step->result);
	if (data.n) {
		assert_memory_equal(copy, data.at, data.n);
	}
	if (step->event.data.at >= copy && step->event.data.at < copy + (data.n ? data.n : 1)) {
		step->event.data = xylem_arena_copy(step->arena, step->event.data);
	}
	free(copy);
	return step->result.outcome;
}

static inline void step_data_is(const struct step *step, const char *expected)
{
	struct xylem_span data = step->event.data;
	if (!xylem_span_is(data, expected)) {
		fail_msg("data is %.*s, not %s", (int)data.n, data.at ? data.at : "", expected);
	}
}

static inline void step_failed(const struct step *step, const char *code, const char *says)
{
	if (step->result.outcome != XYLEM_STEP_FAILED || strcmp(step->result.code, code) != 0 ||
		!strstr(step->result.reason.text, says)) {
		fail_msg("outcome %d, code %s, reason: %s", step->result.outcome, step->result.code,
			step->result.reason.text);
	}
}

#endif
