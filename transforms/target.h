/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORMS_TARGET_H
#define TRANSFORMS_TARGET_H

#include <xylem/json.h>
#include <xylem/message.h>
#include <xylem/transform.h>

/*
 * A place in an event that a step changes: `/data` and what is below it, or a
 * context attribute like `/subject`. Made at compile time, read-only after.
 */
struct target {
	char *attribute;                    /* its name; NULL: the data */
	struct xylem_json_pointer *pointer; /* into the data */
	bool whole;                         /* `/data` itself */
};

/* `text`: RFC 6901 over the event as JSON. -XYLEM_E_INVALID for what a step may not change. */
int target_init(struct target *target, struct xylem_span text, struct xylem_reason *reason);
void target_finish(struct target *target);

/* Fails the step unless the event's data is JSON; absent data passes. True: go on. */
bool target_data_is_json(const struct xylem_message *event, struct xylem_step_result *result);

/* Ends a step with a case: code and a reason. */
void step_fail(struct xylem_step_result *result, const char *code, const char *format, ...)
	XYLEM_PRINTF(3, 4);

#endif
