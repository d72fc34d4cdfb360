/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One SQLite connection: how it is opened, and the statements kept for it.
 *
 * Rooms name a statement by its SQL literal; the pointer is the key of a small
 * table, so that finding a prepared statement is a few comparisons and nothing
 * is prepared twice. A thread that works on a connection "enters" it; that is
 * how catalogue_statement() finds the table from the plain sqlite3 handle.
 *
 * The rule not to break: an error that SQLite cannot recover from (I/O, full,
 * corrupt) is remembered here whoever saw it, even if the work that met it
 * returns 0. It says nothing about transactions: catalogue.c does.
 */
#include "connection.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"

#define CONNECTION_MAGIC 0x434f4e4e
#define STATEMENT_SLOTS 1024 /* a power of two; the program has a few hundred literals */

struct statement {
	const char *sql;
	sqlite3_stmt *prepared;
};

struct connection {
	uint32_t magic;
	sqlite3 *database;
	size_t count;
	struct statement statements[STATEMENT_SLOTS];
	bool failed;
	char failure[128];
};

static _Thread_local struct connection *entered;

int connection_error(int sqlite)
{
	switch (sqlite & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CONSTRAINT:
		return -XYLEM_E_CONFLICT;
	case SQLITE_FULL:
		return -XYLEM_E_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -XYLEM_E_DAMAGED;
	case SQLITE_NOMEM:
		return -XYLEM_E_MEMORY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -XYLEM_E_BUSY;
	case SQLITE_INTERRUPT:
		return -XYLEM_E_INTERRUPTED;
	case SQLITE_TOOBIG:
		return -XYLEM_E_TOO_LARGE;
	case SQLITE_ERROR:
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
		return -XYLEM_E_INTERNAL;
	default:
		return -XYLEM_E_IO;
	}
}

static bool beyond_recovery(int code)
{
	return code == -XYLEM_E_IO || code == -XYLEM_E_FULL || code == -XYLEM_E_DAMAGED;
}

/* Says what SQLite says, and remembers it when nothing can be trusted after. */
static int refused(struct connection *connection, int sqlite, struct xylem_reason *reason)
{
	int code = connection_error(sqlite);
	const char *text = sqlite3_errmsg(connection->database);
	int extended = sqlite3_extended_errcode(connection->database);
	xylem_reason_set(reason, "catalogue: %s (SQLite %d)", text, extended);
	if (beyond_recovery(code) && !connection->failed) {
		connection->failed = true;
		snprintf(connection->failure, sizeof(connection->failure), "%s (SQLite %d)", text, extended);
	}
	return code;
}

int connection_execute(struct connection *connection, const char *sql, struct xylem_reason *reason)
{
	int r = sqlite3_exec(connection->database, sql, NULL, NULL, NULL);
	return r == SQLITE_OK ? 0 : refused(connection, r, reason);
}

int connection_run(struct connection *connection, const char *sql, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(connection->database, sql, reason);
	return statement ? catalogue_step_done(connection->database, statement, reason) : -XYLEM_E_INTERNAL;
}

static int configure(struct connection *connection, bool writer, struct xylem_reason *reason)
{
	sqlite3 *database = connection->database;
	sqlite3_extended_result_codes(database, 1);
	sqlite3_busy_timeout(database, 10000); /* a person's sqlite3 shell; nobody else writes */
	sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	int r = connection_execute(connection,
		"PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON; PRAGMA "
		"synchronous = FULL;",
		reason);
	if (r == 0 && writer) {
		r = connection_execute(connection,
			"PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size "
			"= -16384;",
			reason);
	}
	if (r == 0 && !writer) {
		r = connection_execute(
			connection, "PRAGMA query_only = ON; PRAGMA cache_size = -4096;", reason);
	}
	return r;
}

int connection_open(struct connection **ret_connection, const char *path, const char *vfs, bool writer,
	struct xylem_reason *reason)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	if (!connection) {
		return -XYLEM_E_MEMORY;
	}
	connection->magic = CONNECTION_MAGIC;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
	int r = sqlite3_open_v2(path, &connection->database, flags, vfs);
	if (r != SQLITE_OK) {
		r = connection->database ? refused(connection, r, reason) : -XYLEM_E_MEMORY;
	} else {
		r = configure(connection, writer, reason);
	}
	if (r < 0) {
		connection_close(connection);
		return r;
	}
	*ret_connection = connection;
	return 0;
}

struct connection *connection_close(struct connection *connection)
{
	if (!connection) {
		return NULL;
	}
	assert(connection->magic == CONNECTION_MAGIC);
	for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
		sqlite3_finalize(connection->statements[i].prepared);
	}
	sqlite3_close_v2(connection->database);
	connection->magic = 0;
	free(connection);
	return NULL;
}

sqlite3 *connection_database(struct connection *connection)
{
	return connection->database;
}

const char *connection_failure(struct connection *connection)
{
	return connection->failed ? connection->failure : NULL;
}

void connection_enter(struct connection *connection)
{
	assert(connection->magic == CONNECTION_MAGIC);
	assert(!entered); /* work never calls back into the catalogue */
	entered = connection;
}

void connection_leave(struct connection *connection)
{
	assert(entered == connection);
	for (sqlite3_stmt *s = sqlite3_next_stmt(connection->database, NULL); s;
		s = sqlite3_next_stmt(connection->database, s)) {
		if (sqlite3_stmt_busy(s)) {
			sqlite3_reset(s);
		}
	}
	entered = NULL;
}

static struct connection *connection_of(sqlite3 *database)
{
	assert(entered && entered->database == database);
	return entered;
}

static struct statement *slot_of(struct connection *connection, const char *sql)
{
	size_t i = ((uintptr_t)sql * 0x9e3779b97f4a7c15u) >> 40;
	for (;; i++) {
		struct statement *slot = &connection->statements[i & (STATEMENT_SLOTS - 1)];
		if (!slot->sql || slot->sql == sql) {
			return slot;
		}
	}
}

sqlite3_stmt *catalogue_statement(sqlite3 *database, const char *sql, struct xylem_reason *reason)
{
	struct connection *connection = connection_of(database);
	struct statement *slot = slot_of(connection, sql);
	if (slot->sql) {
		sqlite3_reset(slot->prepared);
		sqlite3_clear_bindings(slot->prepared);
		return slot->prepared;
	}
	assert(connection->count <
		STATEMENT_SLOTS - 1); /* SQL is literals: more means that text was built at run time */
	sqlite3_stmt *prepared;
	int r = sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, NULL);
	if (r != SQLITE_OK) {
		refused(connection, r, reason);
		return NULL;
	}
	*slot = (struct statement){ sql, prepared };
	connection->count++;
	return prepared;
}

int catalogue_step_done(sqlite3 *database, sqlite3_stmt *statement, struct xylem_reason *reason)
{
	int r = sqlite3_step(statement);
	int code = r == SQLITE_DONE || r == SQLITE_ROW ? 0 : refused(connection_of(database), r, reason);
	sqlite3_reset(statement);
	return code;
}

int catalogue_step_row(sqlite3 *database, sqlite3_stmt *statement, struct xylem_reason *reason)
{
	int r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		return 1;
	}
	return r == SQLITE_DONE ? 0 : refused(connection_of(database), r, reason);
}

void catalogue_bind_text(sqlite3_stmt *statement, int index, struct xylem_span text)
{
	sqlite3_bind_text64(statement, index, text.at, text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void catalogue_bind_blob(sqlite3_stmt *statement, int index, struct xylem_span bytes)
{
	sqlite3_bind_blob64(statement, index, bytes.at, bytes.n, SQLITE_STATIC);
}

struct xylem_span catalogue_column(sqlite3_stmt *statement, int column)
{
	if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
		return XYLEM_SPAN_NONE;
	}
	const char *at = sqlite3_column_blob(statement, column);
	size_t n = (size_t)sqlite3_column_bytes(statement, column);
	return xylem_span(at ? at : "", n);
}
