/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_HANDLE_H
#define CONSOLE_HANDLE_H

#include <journal/journal.h>

/* The handle of a message as an argument; -XYLEM_E_INVALID says what one looks like. */
int handle_read(const char *text, struct xylem_position *ret_position, struct xylem_reason *reason);

/*
 * The message of a handle, alone in a batch that the caller frees. Besides what
 * handle_read() says: what journal_get() says, with the handle in the reason; -XYLEM_E_MEMORY.
 */
int handle_fetch(struct journal *journal, const char *text, struct journal_batch **ret_batch,
	struct xylem_reason *reason);

#endif
