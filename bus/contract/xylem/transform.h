/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_TRANSFORM_H
#define XYLEM_TRANSFORM_H

#include <xylem/arena.h>
#include <xylem/error.h>
#include <xylem/message.h>
#include <xylem/option.h>

/*
 * The transform contract. A transform is one descriptor: options, compile,
 * apply. Steps are pure: the same event gives the same result, `now` is the
 * message's journal time, there is no other input. compile() makes one program
 * for a step of a route, read-only after; worker_new() makes what a thread
 * needs beside it. A module exports
 *
 *     XYLEM_PUBLIC const struct xylem_transform xylem_transform_NAME;
 */
#define XYLEM_TRANSFORM_VERSION 1

enum xylem_step_outcome {
	XYLEM_STEP_PASS,     /* go on with the event as it is now */
	XYLEM_STEP_FILTERED, /* the event ends here, on purpose */
	XYLEM_STEP_FAILED,   /* a hospital case; `code` and `reason` say why */
	XYLEM_STEP_SPLIT,    /* go on with each of `parts` instead, in order */
};

struct xylem_step_result {
	enum xylem_step_outcome outcome;
	char code[32]; /* "jq-error", "schema", "jq-limit", ... */
	struct xylem_reason reason;
	struct xylem_message *parts; /* of SPLIT, in the arena */
	size_t part_count;
};

struct xylem_transform {
	uint32_t contract_version; /* XYLEM_TRANSFORM_VERSION */
	const char *name;
	const char *summary;
	const struct xylem_option *options;
	size_t options_size;

	/*
	 * Compiles a step. Required. A reason that begins with
	 * "program:LINE:COLUMN: " (from 1, in characters) is shown at that place of
	 * the file; lines below its first are shown below it. `options` stays valid
	 * until program_free.
	 */
	int (*compile)(const void *options, void **ret_program, struct xylem_reason *reason);
	void (*program_free)(void *program);

	/* What one thread needs to run the program; both or neither. */
	int (*worker_new)(const void *program, void **ret_worker);
	void (*worker_free)(void *worker);

	/*
	 * Applies the step to `event`, changing it in place: attributes and data
	 * may be pointed at new bytes in the arena; bytes it was given are never
	 * written to. result->outcome is set; `result` comes zeroed (PASS).
	 * `worker` is NULL without worker_new. Never blocks, never recurses on input.
	 */
	void (*apply)(const void *program, void *worker, struct xylem_message *event,
		struct xylem_arena *arena, struct xylem_step_result *result);
};

#endif
