/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORMS_JQ_ENGINE_H
#define TRANSFORMS_JQ_ENGINE_H

#include <stdint.h>

#include <xylem/error.h>
#include <xylem/span.h>

/*
 * The jq language, behind this one face: JSON text in, JSON texts out. Today it
 * stands on libjq; another engine may take its place. One thread at a time.
 */
struct jq_engine;

/* Compiles. -XYLEM_E_INVALID with line and message, also for what a step may not do (the environment ...). */
int jq_engine_new(const char *program, struct jq_engine **ret_engine, struct xylem_reason *reason);
struct jq_engine *jq_engine_free(struct jq_engine *engine);

/*
 * Whether the engine takes this value without changing it: `json` is valid.
 * -XYLEM_E_UNPROCESSABLE with the number and where it stands (a pointer that
 * begins with `base`).
 */
int jq_engine_accepts(struct xylem_span json, const char *base, struct xylem_reason *reason);

/*
 * Runs on one input. Each result is given to `result` as it comes; a negative
 * value from there ends the run and is returned. -XYLEM_E_UNPROCESSABLE where
 * the program raises an error, with its text. `now_us`: what `now` says.
 */
int jq_engine_run(struct jq_engine *engine, struct xylem_span json, int64_t now_us,
	int (*result)(void *context, struct xylem_span json), void *context, struct xylem_reason *reason);

#endif
