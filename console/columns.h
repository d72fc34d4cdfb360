/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_COLUMNS_H
#define CONSOLE_COLUMNS_H

#include <stdbool.h>

#include <jansson.h>

/* What of an answer is shown to people, in which order. */
struct column {
	const char *title;
	const char *path; /* of the value in a row; dots go down */
	enum { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_TIME, COLUMN_STATE, COLUMN_BYTES, COLUMN_SECONDS } kind;
};

/* Of the array `member` in an operation's answer, ended by a NULL title; NULL: nobody chose any. */
const struct column *columns_of(const char *operation, const char *member);
/* Are the tables of the answer parts of one thing, and not all that it says? */
bool columns_are_part(const char *operation);
/* Of an answer that is one thing, where there is room for little; NULL: all of it. */
const struct column *columns_summary(const char *operation);
/* The value at a column's path; NULL: none. Borrowed. */
const json_t *columns_value(const json_t *row, const char *path);

#endif
