/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_INTERPOLATE_H
#define CONFIG_INTERPOLATE_H

#include <xylem/buffer.h>
#include <xylem/error.h>

/*
 * Replaces `${VAR}`, `${VAR:-default}` (also when VAR is empty), `${VAR:?text}`
 * (refused with the text when VAR is unset or empty) and `$$`. A `$` before
 * anything else stands for itself. Nothing is replaced in what was put in.
 * -XYLEM_E_INVALID with the byte offset in `text` and the reason, which names
 * the variable and never shows its value.
 */
int interpolate(const char *text, struct xylem_buffer *out, size_t *ret_offset, struct xylem_reason *reason);

/* True when the text has something that interpolate() would change. */
bool interpolate_needed(const char *text);

#endif
