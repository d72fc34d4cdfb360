/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_HANDLE_H
#define CONSOLE_HANDLE_H

#include <xylem/message.h>

/* The handle of a message as an argument; -XYLEM_E_INVALID says what one looks like. */
int handle_read(const char *text, struct xylem_position *ret_position, struct xylem_reason *reason);

#endif
