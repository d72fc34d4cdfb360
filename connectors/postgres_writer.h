/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_POSTGRES_WRITER_H
#define CONNECTORS_POSTGRES_WRITER_H

#include "postgres_rows.h"

#define WRITER_SHAPES 64

/* What a writer fills, from the options of the connector. */
struct writer_target {
	const char *table; /* as the configuration has it */
	struct xylem_strings columns, conflict_key;
	enum postgres_on_conflict on_conflict;
};

/*
 * A connection, the table as the catalogue has it, and the statements prepared
 * for it. One thread at a time, except session_interrupt().
 */
struct writer {
	const struct writer_target *target;
	struct session session;
	struct table table;
	uint64_t *shapes[WRITER_SHAPES]; /* the columns that the prepared statement x0, x1, ... fills */
	size_t shape_count;
	struct xylem_buffer *buffers; /* one a column, reused */
	size_t buffer_count;
};

int writer_init(struct writer *writer, const struct writer_target *target); /* -XYLEM_E_MEMORY */
void writer_finish(struct writer *writer);

/* Connects and reads the catalogue. 0, or negative with *ret_failure and no connection. */
int writer_open(struct writer *writer, const struct session_place *place, int64_t deadline,
	struct xylem_result *ret_failure);

/* Reads the catalogue again. Rows that were mapped before have no meaning after it. */
int writer_reread(struct writer *writer, int64_t deadline, struct xylem_result *ret_failure);

/*
 * Writes the rows [start, end) in one transaction and one round trip: all, or none
 * with *ret_failure. 0 means that COMMIT was answered. `rows` have been linked.
 */
int writer_write(struct writer *writer, const struct row *rows, size_t start, size_t end,
	struct xylem_arena *arena, int64_t deadline, struct xylem_result *ret_failure);

#endif
