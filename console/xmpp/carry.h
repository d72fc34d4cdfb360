/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_CARRY_H
#define CONSOLE_XMPP_CARRY_H

#include <console/xmpp/face_body.h>
#include <console/xmpp/form.h>

/*
 * Runs an operation with what was written in a chat or a form: strings by argument, JSON as text. The address's
 * own arguments are added; what stands there against them is -XYLEM_E_INVALID. Waits for the disk.
 */
int carry_out(struct face *face, const struct operation *operation, const struct scope *scope,
	const struct operation_caller *caller, const json_t *given, json_t **ret_result,
	struct xylem_reason *reason);

/* Is `version`, the version that a change was decided on, one of its arguments? Then what the thing shows now is it. */
bool carry_has_version(const struct operation *operation);
/*
 * What GET of the thing shows: the operation that changes it names it by its placeholder in `arguments`.
 * *ret_shower is the operation that it was asked of. -XYLEM_E_NOT_FOUND, -XYLEM_E_FORBIDDEN, ...
 */
int carry_show(struct face *face, const struct operation *operation, const struct scope *scope,
	const struct operation_caller *caller, const json_t *arguments, const struct operation **ret_shower,
	json_t **ret_shown, struct xylem_reason *reason);
/* Adds the version that the thing shows, where it is wanted and not given. */
int carry_version(struct face *face, const struct operation *operation, const struct scope *scope,
	const struct operation_caller *caller, json_t *arguments, struct xylem_reason *reason);

#endif
