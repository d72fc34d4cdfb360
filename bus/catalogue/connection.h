/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_CONNECTION_H
#define CATALOGUE_CONNECTION_H

#include <stdbool.h>

#include <sqlite3.h>

#include <xylem/error.h>

/*
 * One SQLite connection with the statements that were prepared on it. Used by
 * one thread at a time, between connection_enter() and connection_leave().
 * Inside the room only; other rooms see the sqlite3 handle.
 */
struct connection;

/* `vfs`: NULL for the system's. `writer`: makes the file if it is missing. */
int connection_open(struct connection **ret_connection, const char *path, const char *vfs, bool writer,
	struct xylem_reason *reason);
struct connection *connection_close(struct connection *connection);

sqlite3 *connection_database(struct connection *connection);
/* This thread uses it now: catalogue_statement() finds its statements. */
void connection_enter(struct connection *connection);
/* Resets what the work left open (an open SELECT would keep an old snapshot), and is done. */
void connection_leave(struct connection *connection);

/* Runs SQL without rows (BEGIN, PRAGMA, schema). */
int connection_execute(struct connection *connection, const char *sql, struct xylem_reason *reason);
/* The same for a literal that is run often: prepared once. Between enter and leave. */
int connection_run(struct connection *connection, const char *sql, struct xylem_reason *reason);
/* What SQLite cannot recover from, seen since the connection was opened; NULL if nothing. */
const char *connection_failure(struct connection *connection);
/* Our error code of a SQLite result code. */
int connection_error(int sqlite);

#endif
