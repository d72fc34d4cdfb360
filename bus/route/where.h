/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_WHERE_H
#define ROUTE_WHERE_H

#include <xylem/json.h>
#include <xylem/message.h>

/*
 * `where`: a stated subset of jq, compiled natively, that says yes or no about
 * an event seen as JSON (attributes at the top, the payload under `.data`).
 * What the subset is, and that it agrees with the jq program on it:
 * docs/where.md. Read-only after compilation, shared by threads.
 */
struct where;

/* -XYLEM_E_INVALID with the column (from 1) and what is not understood there. */
int where_compile(const char *text, struct where **ret_where, int *ret_column, struct xylem_reason *reason);
struct where *where_free(struct where *where);

/*
 * True and false as jq has them (null and false are false). -XYLEM_E_UNPROCESSABLE
 * where jq would raise an error (reason says what), or when `.data` is asked for and is not JSON.
 */
int where_match(const struct where *where, const struct xylem_message *message, struct xylem_arena *arena,
	bool *ret_match, struct xylem_reason *reason);

#endif
