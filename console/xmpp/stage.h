/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_STAGE_H
#define CONSOLE_XMPP_STAGE_H

#include <console/xmpp/face_body.h>

/*
 * The stages of a command, read off its operation: STAGE_CHOOSE the thing (of
 * a collection that can be listed, unless the address says which),
 * STAGE_FILL in the other arguments, STAGE_CONFIRM what changes much or data.
 */
enum stage { STAGE_CHOOSE, STAGE_FILL, STAGE_CONFIRM, STAGES };

/* The stage after `stage` (-1: the first) and before it; -1: none. */
int stage_after(const struct operation *operation, const struct scope *scope, int stage);
int stage_before(const struct operation *operation, const struct scope *scope, int stage);

struct stage_request {
	struct face *face;
	const struct operation *operation;
	const struct scope *scope;
	const struct operation_caller *caller;
	json_t *arguments; /* so far: strings */
};
/* Writes its form. Waits for the disk: what can be chosen and what stands there now is asked of other operations. */
int stage_write(const struct stage_request *request, int stage, struct xylem_buffer *out,
	struct xylem_reason *reason);
/* Takes what was filled in (NULL: nothing came) into the arguments. -XYLEM_E_INVALID: something required is missing. */
int stage_take(
	const struct stage_request *request, int stage, const json_t *fields, struct xylem_reason *reason);

#endif
