/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes rows: BEGIN, one INSERT for each run of rows of one shape, COMMIT.
 *
 * A shape is the set of columns that a row has. Each shape has its statement, prepared when it
 * is first met; beyond 64 shapes statements are sent as text, which costs the
 * server a parse and nothing else. Everything of a transaction is sent before the first
 * answer is read (libpq's pipeline), so a transaction costs one round trip
 * however many runs it has.
 *
 * The rule not to break: 0 is returned only when the answer to COMMIT has come.
 */
#include <stdio.h>
#include <stdlib.h>

#include "postgres_writer.h"

int writer_init(struct writer *writer, const struct writer_target *target)
{
	*writer = (struct writer){ .target = target };
	return session_init(&writer->session);
}

static void forget_shapes(struct writer *writer)
{
	while (writer->shape_count > 0) {
		free(writer->shapes[--writer->shape_count]);
	}
}

void writer_finish(struct writer *writer)
{
	size_t i;

	forget_shapes(writer);
	table_finish(&writer->table);
	session_finish(&writer->session);
	for (i = 0; i < writer->buffer_count; i++) {
		xylem_buffer_finish(&writer->buffers[i]);
	}
	free(writer->buffers);
	writer->buffers = NULL;
	writer->buffer_count = 0;
}

static int fail_memory(struct xylem_result *ret_failure)
{
	xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "memory", "no memory for the statement");
	return -XYLEM_E_MEMORY;
}

static int grow_buffers(struct writer *writer, struct xylem_result *ret_failure)
{
	size_t n = writer->table.n;
	struct xylem_buffer *buffers;

	if (writer->buffer_count >= n) {
		return 0;
	}
	buffers = reallocarray(writer->buffers, n, sizeof(*buffers));
	if (buffers == NULL) {
		return fail_memory(ret_failure);
	}
	memset(buffers + writer->buffer_count, 0, (n - writer->buffer_count) * sizeof(*buffers));
	writer->buffers = buffers;
	writer->buffer_count = n;
	return 0;
}

int writer_reread(struct writer *writer, int64_t deadline, struct xylem_result *ret_failure)
{
	int status = table_read(&writer->table, &writer->session, writer->target->table,
		&writer->target->columns, &writer->target->conflict_key, deadline, ret_failure);

	if (status != 0) {
		return status;
	}
	/* Statements name columns by their place in the table as it was. */
	forget_shapes(writer);
	status = session_query(&writer->session, "DEALLOCATE ALL", NULL, 0, deadline, NULL, ret_failure);
	return status ? status : grow_buffers(writer, ret_failure);
}

int writer_open(struct writer *writer, const struct session_place *place, int64_t deadline,
	struct xylem_result *ret_failure)
{
	int status = session_open(&writer->session, place, deadline, ret_failure);

	if (status == 0) {
		status = writer_reread(writer, deadline, ret_failure);
	}
	if (status != 0) {
		session_close(&writer->session);
	}
	return status;
}

/* ---- statements ---- */

static char *statement(const struct writer *writer, const uint64_t *present)
{
	return table_statement(&writer->table, present, writer->target->on_conflict);
}

static int prepare(
	struct writer *writer, const uint64_t *present, int64_t deadline, struct xylem_result *ret_failure)
{
	size_t bytes = (writer->table.n / 64 + 1) * sizeof(*present);
	uint64_t *copy = malloc(bytes);
	char *sql = statement(writer, present);
	char name[24];
	int status;

	snprintf(name, sizeof(name), "x%zu", writer->shape_count);
	if (copy == NULL || sql == NULL || !PQsendPrepare(writer->session.connection, name, sql, 0, NULL)) {
		status = fail_memory(ret_failure);
	} else {
		status = session_finish_query(&writer->session, deadline, NULL, ret_failure);
	}
	free(sql);
	if (status != 0) {
		free(copy);
		return status;
	}
	memcpy(copy, present, bytes);
	writer->shapes[writer->shape_count++] = copy;
	return 0;
}

/* The number of the prepared statement for rows like this one; WRITER_SHAPES: none. */
static size_t find_shape(const struct writer *writer, const struct row *row)
{
	size_t i;

	for (i = 0; i < writer->shape_count; i++) {
		const struct row known = { .present = writer->shapes[i] };

		if (rows_same_shape(&known, row, &writer->table)) {
			return i;
		}
	}
	return WRITER_SHAPES;
}

/* Where the run that begins at `start` ends: the columns change, or a conflict key comes again. */
static size_t run_end(const struct writer *writer, const struct row *rows, size_t start, size_t end)
{
	bool update = writer->target->on_conflict == ON_CONFLICT_UPDATE;
	size_t i = start + 1;

	while (i < end && rows_same_shape(&rows[start], &rows[i], &writer->table) &&
		!(update && rows[i].previous != SIZE_MAX && rows[i].previous >= start)) {
		i++;
	}
	return i;
}

/* ---- sending ---- */

struct parameters {
	const char **values;
	int *lengths, *formats;
	int n;
};

static bool encode(struct writer *writer, const struct row *rows, size_t n, struct parameters *parameters)
{
	size_t i;

	parameters->n = 0;
	for (i = 0; i < writer->table.n; i++) {
		struct xylem_buffer *buffer = &writer->buffers[i];

		if (!column_present(rows[0].present, i)) {
			continue;
		}
		xylem_buffer_clear(buffer);
		rows_encode(rows, n, i, buffer);
		if (xylem_buffer_failed(buffer) || buffer->n > INT32_MAX) {
			xylem_buffer_finish(buffer);
			return false;
		}
		parameters->values[parameters->n] = buffer->bytes;
		parameters->lengths[parameters->n] = (int)buffer->n;
		parameters->formats[parameters->n++] = 1; /* binary */
	}
	return true;
}

static bool send_run(struct writer *writer, const struct row *rows, size_t n, struct parameters *parameters)
{
	PGconn *connection = writer->session.connection;
	size_t shape = find_shape(writer, &rows[0]);
	char name[24];
	char *sql;
	bool sent;

	if (!encode(writer, rows, n, parameters)) {
		return false;
	}
	if (shape < WRITER_SHAPES) {
		snprintf(name, sizeof(name), "x%zu", shape);
		return PQsendQueryPrepared(connection, name, parameters->n, parameters->values,
			       parameters->lengths, parameters->formats, 0) == 1;
	}
	sql = statement(writer, rows[0].present);
	sent = sql != NULL && PQsendQueryParams(connection, sql, parameters->n, NULL, parameters->values,
				      parameters->lengths, parameters->formats, 0) == 1;
	free(sql);
	return sent;
}

static bool send_text(struct writer *writer, const char *sql)
{
	return PQsendQueryParams(writer->session.connection, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static bool send_all(
	struct writer *writer, const struct row *rows, size_t start, size_t end, struct xylem_arena *arena)
{
	size_t n = writer->table.n + 1, at = start;
	struct parameters parameters = {
		.values = xylem_arena_take(arena, n * sizeof(*parameters.values)),
		.lengths = xylem_arena_take(arena, n * sizeof(*parameters.lengths)),
		.formats = xylem_arena_take(arena, n * sizeof(*parameters.formats)),
	};
	bool sent = parameters.values != NULL && parameters.lengths != NULL && parameters.formats != NULL &&
		    PQenterPipelineMode(writer->session.connection) && send_text(writer, "BEGIN");

	while (sent && at < end) {
		size_t stop = run_end(writer, rows, at, end);

		sent = send_run(writer, rows + at, stop - at, &parameters);
		at = stop;
	}
	return sent && send_text(writer, "COMMIT") && PQpipelineSync(writer->session.connection);
}

/* After a refused statement the transaction is still open, without effect. */
static void roll_back(struct writer *writer, int64_t deadline)
{
	struct xylem_result ignored = { 0 };

	if (writer->session.connection != NULL &&
		PQtransactionStatus(writer->session.connection) != PQTRANS_IDLE) {
		(void)session_query(&writer->session, "ROLLBACK", NULL, 0, deadline, NULL, &ignored);
	}
}

int writer_write(struct writer *writer, const struct row *rows, size_t start, size_t end,
	struct xylem_arena *arena, int64_t deadline, struct xylem_result *ret_failure)
{
	size_t at;
	int status;

	for (at = start; at < end; at = run_end(writer, rows, at, end)) {
		if (writer->shape_count < WRITER_SHAPES && find_shape(writer, &rows[at]) == WRITER_SHAPES) {
			status = prepare(writer, rows[at].present, deadline, ret_failure);
			if (status != 0) {
				return status;
			}
		}
	}
	if (!send_all(writer, rows, start, end, arena)) {
		/* What the server was given already is thrown away with the connection. */
		session_close(&writer->session);
		return fail_memory(ret_failure);
	}
	status = session_finish_query(&writer->session, deadline, NULL, ret_failure);
	roll_back(writer, deadline);
	return status;
}
