/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_ANSWER_H
#define CONSOLE_XMPP_ANSWER_H

#include <console/columns.h>
#include <console/operation.h>

/* How an operation's answer looks to somebody with a chat client: a few lines, or a form of results (XEP-0004). */
#define ANSWER_TEXT 3900 /* bytes: clients and servers cut what is much longer */

/* Plain lines, no more than ANSWER_TEXT in all: what does not fit is counted. `brief`: the summary where there is one. */
void answer_write_text(
	struct xylem_buffer *out, const struct operation *operation, const json_t *answer, bool brief);
/*
 * `<x type='result'>`: a table for a list, else a field for each value; at most
 * about `most` bytes of it. How many rows of the list there are.
 */
size_t answer_write_form(
	struct xylem_buffer *out, const struct operation *operation, const json_t *answer, size_t most);
/* How what follows the first rows is asked for: `more: after=...`; nothing where the operation has no pages. */
void answer_write_after(struct xylem_buffer *out, const struct operation *operation, const json_t *rows,
	const struct column *columns, size_t shown);
/* The list in an answer: its member and columns; false: it is no list. */
bool answer_list(const struct operation *operation, const json_t *answer, const json_t **ret_rows,
	const struct column **ret_columns);
/* One value as a person reads it. */
void answer_write_value(struct xylem_buffer *out, const json_t *value, int kind);

#endif
