/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres: rows of a table from messages.
 *
 *     connectors:
 *       erp: { postgres: { dsn: "host=/run/postgresql dbname=erp", table: orders,
 *                          on_conflict: update, conflict_key: [id] } }
 *
 * The data of a message is a JSON object; its members are columns. A delivery
 * is one transaction in one round trip: BEGIN, an INSERT ... SELECT FROM unnest()
 * for each run of rows that have the same columns, COMMIT. A run ends where the
 * columns change, or where `on_conflict: update` would touch one row twice.
 *
 * When a row is refused the transaction is gone, and the sink looks for the row: it
 * halves what it tries until one row is left, delivers those before it, and
 * reports that one. The next delivery starts with few rows at a time and
 * doubles, so that a stretch of bad rows does not cost a full batch each.
 *
 * The rule not to break: a row is delivered when COMMIT was answered, not
 * before; when the answer is lost, everything since the last one is reported
 * as failed and comes again.
 *
 * It does not create tables, run SQL of the user's own, or delete.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "postgres_writer.h"

#define MAGIC 0x70677378
#define CAUTIOUS 16       /* rows in the first try after a refusal */
#define REREAD_US 1000000 /* an unknown member looks into the catalogue again, at most this often */

enum { UNKNOWN_REFUSE, UNKNOWN_IGNORE };

struct options {
	const char *dsn;
	const struct xylem_secret *password;
	const char *table;
	struct xylem_strings columns;
	int unknown;
	int on_conflict; /* enum postgres_on_conflict */
	struct xylem_strings conflict_key;
};

struct instance {
	unsigned magic;
	struct xylem_host *host;
	const struct options *options;
	struct writer_target target;
};

struct worker {
	unsigned magic;
	const struct instance *instance;
	int64_t timeout_us;
	struct writer writer;
	size_t stride; /* rows in the first try of a delivery */
	struct xylem_arena *arena;
};

/* ---- the instance ---- */

static int postgres_check(const void *given, struct xylem_reason *reason)
{
	const struct options *options = given;
	char *parts[2] = { NULL, NULL };

	if (session_check_dsn(options->dsn, reason) != 0 ||
		table_name_parse(options->table, parts, reason) < 0) {
		return -XYLEM_E_INVALID;
	}
	free(parts[0]);
	free(parts[1]);
	if (options->on_conflict == ON_CONFLICT_UPDATE && options->conflict_key.n == 0) {
		xylem_reason_set(
			reason, "`on_conflict: update` needs `conflict_key`: the columns of a unique index");
		return -XYLEM_E_INVALID;
	}
	if (options->on_conflict == ON_CONFLICT_ERROR && options->conflict_key.n > 0) {
		xylem_reason_set(
			reason, "`conflict_key` means nothing with `on_conflict: error`; remove one of them");
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int postgres_open(
	struct xylem_host *host, const void *given, void **ret_instance, struct xylem_reason *reason)
{
	const struct options *options = given;
	struct instance *instance = calloc(1, sizeof(*instance));

	if (instance == NULL) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	*instance = (struct instance){
		.magic = MAGIC,
		.host = host,
		.options = options,
		.target = { options->table, options->columns, options->conflict_key,
			(enum postgres_on_conflict)options->on_conflict },
	};
	*ret_instance = instance;
	return 0;
}

static void postgres_close(void *given)
{
	struct instance *instance = given;

	assert(instance == NULL || instance->magic == MAGIC);
	free(instance);
}

static int connect_writer(const struct instance *instance, struct writer *writer, int64_t timeout_us,
	int64_t deadline, struct xylem_result *ret_failure)
{
	struct session_place place = {
		.dsn = instance->options->dsn,
		.password = instance->options->password,
		.name = xylem_host_name(instance->host),
		.timeout_us = timeout_us,
	};
	int status = writer_open(writer, &place, deadline, ret_failure);

	xylem_host_health(
		instance->host, status == 0, "%s", status == 0 ? "connected" : ret_failure->reason.text);
	return status;
}

static int postgres_probe(void *given, int64_t timeout_us, struct xylem_result *result)
{
	const struct instance *instance = given;
	struct writer writer;
	int status = writer_init(&writer, &instance->target);

	if (status == 0) {
		status = connect_writer(instance, &writer, timeout_us, session_clock() + timeout_us, result);
	} else {
		xylem_result_fail(result, XYLEM_FAILURE_DOWN, "descriptors", "no descriptor for a probe");
	}
	writer_finish(&writer);
	return status;
}

/* ---- the worker ---- */

static void postgres_sink_close(void *given)
{
	struct worker *worker = given;

	if (worker == NULL) {
		return;
	}
	assert(worker->magic == MAGIC);
	writer_finish(&worker->writer);
	xylem_arena_free(worker->arena);
	free(worker);
}

static int postgres_sink_open(void *given, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	const struct instance *instance = given;
	struct worker *worker = calloc(1, sizeof(*worker));
	int status = worker ? writer_init(&worker->writer, &instance->target) : -XYLEM_E_MEMORY;

	if (worker != NULL) {
		worker->magic = MAGIC;
		worker->instance = instance;
		worker->timeout_us = timeout_us;
		worker->stride = SIZE_MAX;
		worker->arena = xylem_arena_new(0);
	}
	if (status != 0 || worker->arena == NULL) {
		xylem_reason_set(reason, "out of memory or descriptors");
		postgres_sink_close(worker);
		return -XYLEM_E_MEMORY;
	}
	*ret_worker = worker;
	return 0;
}

static void postgres_interrupt(void *given)
{
	struct worker *worker = given;

	session_interrupt(&worker->writer.session);
}

/* ---- delivery ---- */

/* Maps messages to rows until one cannot be a row. How many were mapped; fewer than n with *ret_failure. */
static size_t map_rows(struct worker *worker, const struct xylem_message *const *messages, size_t n,
	struct row *rows, int64_t deadline, struct xylem_result *ret_failure)
{
	bool ignore = worker->instance->options->unknown == UNKNOWN_IGNORE;
	struct writer *writer = &worker->writer;
	size_t i = 0;

	while (i < n) {
		struct xylem_result failure = { 0 };
		int status = row_map(&rows[i], &writer->table, messages[i], ignore, worker->arena, &failure);

		if (status == 0) {
			i++;
		} else if (status == -XYLEM_E_NOT_FOUND &&
			   session_clock() - writer->table.read_at > REREAD_US) {
			/* The column may be younger than the connection. Rows refer to columns, so all are mapped anew. */
			if (writer_reread(writer, deadline, ret_failure) != 0) {
				return 0;
			}
			i = 0;
		} else {
			*ret_failure = failure;
			return i;
		}
	}
	return n;
}

/* Is it one row's fault, so that the others would pass without it? */
static bool row_at_fault(const struct xylem_result *failure)
{
	return failure->failure == XYLEM_FAILURE_WRONG || strcmp(failure->code, "21000") == 0;
}

/*
 * Writes rows in order until one is refused. How many were written; fewer than
 * n with *ret_failure. `suspect`: a refused row lies before it.
 */
static size_t write_rows(struct worker *worker, const struct row *rows, size_t n, int64_t deadline,
	struct xylem_result *ret_failure)
{
	size_t at = 0, suspect = 0;

	while (at < n) {
		size_t take = suspect > at ? (suspect - at + 1) / 2 : worker->stride;
		struct xylem_result failure = { 0 };

		take = take < n - at ? take : n - at;
		if (writer_write(&worker->writer, rows, at, at + take, worker->arena, deadline, &failure) ==
			0) {
			if (suspect <= at) {
				worker->stride = worker->stride > SIZE_MAX / 2 ? SIZE_MAX
									       : worker->stride * 2;
			}
			at += take;
			continue;
		}
		if (!row_at_fault(&failure) || take == 1) {
			*ret_failure = failure;
			return at;
		}
		suspect = at + take;
		worker->stride = CAUTIOUS;
	}
	return n;
}

/* After these the connection is not worth keeping: the table or the rights may have changed. */
static void drop_if_stale(struct worker *worker, const struct xylem_result *failure)
{
	if (failure->failure == XYLEM_FAILURE_DOWN || failure->failure == XYLEM_FAILURE_MISCONFIGURED) {
		session_close(&worker->writer.session);
		xylem_host_health(worker->instance->host, false, "%s", failure->reason.text);
	}
}

static size_t deliver_rows(struct worker *worker, const struct xylem_message *const *messages, size_t n,
	struct xylem_result *ret_failure)
{
	int64_t deadline = session_clock() + worker->timeout_us;
	struct row *rows = xylem_arena_take(worker->arena, n * sizeof(*rows));
	struct xylem_result unmapped = { 0 };
	size_t mapped, written;

	if (rows == NULL) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "memory", "no memory for the rows");
		return 0;
	}
	if (!session_alive(&worker->writer.session) &&
		connect_writer(
			worker->instance, &worker->writer, worker->timeout_us, deadline, ret_failure) != 0) {
		return 0;
	}
	mapped = map_rows(worker, messages, n, rows, deadline, &unmapped);
	if (rows_link(rows, mapped, &worker->writer.table, worker->arena) != 0) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "memory", "no memory for the rows");
		return 0;
	}
	written = write_rows(worker, rows, mapped, deadline, ret_failure);
	if (written == mapped && mapped < n) {
		*ret_failure = unmapped;
	}
	return written;
}

static void postgres_deliver(
	void *given, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = given;
	struct xylem_result failure = { 0 };
	size_t i, written;

	assert(worker->magic == MAGIC);
	session_rearm(&worker->writer.session);
	written = deliver_rows(worker, messages, n, &failure);
	xylem_arena_reset(worker->arena);
	if (written < n) {
		results[written] = failure;
		drop_if_stale(worker, &failure);
	}
	for (i = written + 1; i < n; i++) {
		results[i].failure = XYLEM_NOT_TRIED;
	}
}

/* ---- options ---- */

#define AT(member) offsetof(struct options, member)

static const char *const unknowns[] = { "refuse", "ignore", NULL };
static const char *const on_conflicts[] = { "nothing", "update", "error", NULL };

static const struct xylem_option table[] = {
	{ .name = "dsn",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(dsn),
		.since = "0.1",
		.summary = "Where the database is, as libpq has it (keywords or URI), without a password. "
			   "Off the loopback "
			   "`sslmode` is `verify-full` unless it is given.",
		.example = "host=/run/postgresql dbname=erp user=xylem" },
	{ .name = "password",
		.type = XYLEM_OPTION_SECRET,
		.offset = AT(password),
		.since = "0.1",
		.summary = "The password.",
		.example = "{ file: erp.password }" },
	{ .name = "table",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(table),
		.minimum = 1,
		.maximum = 140,
		.since = "0.1",
		.summary = "The table, `name` or `schema.name`, spelled as the catalogue has it.",
		.example = "sales.orders" },
	{ .name = "columns",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(columns),
		.since = "0.1",
		.summary = "The columns that messages may fill (and those of `conflict_key`); without it, "
			   "all of the table.",
		.example = "[id, customer, total]" },
	{ .name = "unknown",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(unknown),
		.default_value = "refuse",
		.choices = unknowns,
		.since = "0.1",
		.summary = "What follows when the data has a member that is no column: the message is "
			   "refused, or the member ignored." },
	{ .name = "on_conflict",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(on_conflict),
		.default_value = "nothing",
		.choices = on_conflicts,
		.since = "0.1",
		.summary = "What follows when the row is there already: nothing, its columns are updated, or "
			   "the message is refused." },
	{ .name = "conflict_key",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(conflict_key),
		.since = "0.1",
		.summary = "The columns of the unique index that says whether a row is there already; needed "
			   "for `update`.",
		.example = "[id]" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_connector xylem_connector_postgres;
const struct xylem_connector xylem_connector_postgres = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED,
	.name = "postgres",
	.summary = "Writes messages as rows of a PostgreSQL table.",
	.options = table,
	.options_size = sizeof(struct options),
	.batch = { .count = 1000, .bytes = 4 << 20 },
	.check = postgres_check,
	.open = postgres_open,
	.close = postgres_close,
	.probe = postgres_probe,
	.sink_open = postgres_sink_open,
	.deliver = postgres_deliver,
	.interrupt = postgres_interrupt,
	.sink_close = postgres_sink_close,
};
