/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_WHERE_H
#define ROUTE_WHERE_H

#include <xylem/json.h>
#include <xylem/message.h>

/*
 * `where`: an expression in the jq language that says yes or no about an event
 * seen as JSON (attributes at the top, the payload under `.data`);
 * docs/where.md. Shared by threads.
 */
struct where;

/* -XYLEM_E_INVALID with the column (from 1) and what is wrong there; -XYLEM_E_MEMORY. `ret_column`, `reason`: may be NULL. */
int where_compile(const char *text, struct where **ret_where, int *ret_column, struct xylem_reason *reason);
struct where *where_free(struct where *where);

/*
 * True when one of its results is neither null nor false. -XYLEM_E_UNPROCESSABLE
 * where jq raises an error or a limit is reached (reason says what), or when
 * `.data` is asked for and is not JSON.
 */
int where_match(struct where *where, const struct xylem_message *message, bool *ret_match,
	struct xylem_reason *reason);

#endif
