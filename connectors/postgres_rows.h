/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_POSTGRES_ROWS_H
#define CONNECTORS_POSTGRES_ROWS_H

#include <xylem/json.h>
#include <xylem/message.h>

#include "postgres_table.h"

/* One message as values for the columns of a table. Everything is in the arena or borrowed from the message. */
struct row {
	const struct xylem_span *values; /* one a column of the table; of present ones: absent is SQL NULL */
	const uint64_t *present;         /* bits: the message has this column */
	/* The last row before it with the same conflict key, or SIZE_MAX. Set by rows_link(). */
	size_t previous;
};

/*
 * Reads the row out of the message's data. 0; -XYLEM_E_NOT_FOUND when a member has no column (and
 * `ignore_unknown` is false); -XYLEM_E_INVALID when the message can never be a row; -XYLEM_E_MEMORY.
 * *ret_failure says which member.
 */
int row_map(struct row *row, const struct table *table, const struct xylem_message *message,
	bool ignore_unknown, struct xylem_arena *arena, struct xylem_result *ret_failure);

/* Finds rows with equal conflict keys, compared as text. -XYLEM_E_MEMORY. */
int rows_link(struct row *rows, size_t n, const struct table *table, struct xylem_arena *arena);

bool rows_same_shape(const struct row *a, const struct row *b, const struct table *table);

/* Values of column `i` of n rows as a binary text[] (array_recv), appended to `out`. */
void rows_encode(const struct row *rows, size_t n, size_t i, struct xylem_buffer *out);

/* A JSON array as an array literal: [1,null,"a\"b"] becomes {1,NULL,"a\"b"}. At most 6 deep, as PostgreSQL has it. */
int array_literal(struct xylem_span json, struct xylem_arena *arena, struct xylem_span *ret_text);

#endif
