/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_SINCE_H
#define CONSOLE_SINCE_H

#include <stdint.h>

#include <xylem/error.h>

/*
 * A point in time as a person writes it: RFC 3339, or how long ago (`90s`,
 * `15m`, `2h`, `7d`). NULL and empty: 0. -XYLEM_E_INVALID names the argument.
 */
int since_read(const char *text, const char *name, int64_t *ret_wall_us, struct xylem_reason *reason);

#endif
