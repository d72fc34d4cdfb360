/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_CATALOGUE_H
#define CATALOGUE_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <base/io.h>
#include <xylem/error.h>

/*
 * What *is*, beside what flowed: one SQLite database (WAL, synchronous=FULL)
 * behind one commit thread. A room that keeps state hands in jobs; the thread
 * runs all that wait inside one transaction, every few milliseconds or when
 * somebody waits, each in its own savepoint, and answers after the COMMIT is
 * on disk. The SQL of a room lives in that room; its tables are declared in a
 * schema list that catalogue_open() applies.
 */
struct catalogue;

/* One step of the schema: applied once, in order, numbered from 1 over all rooms (bus/catalogue/schema.c). */
struct catalogue_step {
	const char *sql;
};

struct catalogue_options {
	const char *path; /* DATA/catalogue.db */
	struct io *io;
	bool journal_exists; /* a missing catalogue beside a journal refuses to start ... */
	bool accept_gap;     /* ... unless the operator says so */
	int64_t interval_us; /* how long a job that nobody waits for may lie; 5 ms by default */
};

int catalogue_open(struct catalogue **ret_catalogue, const struct catalogue_options *options,
	struct xylem_reason *reason);
/* Commits what is waiting, then ends the thread. */
struct catalogue *catalogue_close(struct catalogue *catalogue);

/*
 * The work of a job, on the commit thread, inside a savepoint. A negative
 * return rolls back this job only. It must not wait for anything.
 */
typedef int (*catalogue_work)(sqlite3 *database, void *context, struct xylem_reason *reason);
/* Once, on the commit thread, after the COMMIT (error 0), or with the job's or the database's error. */
typedef void (*catalogue_done)(void *context, int error, const struct xylem_reason *reason);

/*
 * Hands in a job. `urgent`: commit as soon as the thread is free. -XYLEM_E_DEAD
 * after SQLite failed, -XYLEM_E_STOPPING, -XYLEM_E_MEMORY: done is not called.
 */
int catalogue_submit(struct catalogue *catalogue, catalogue_work work, catalogue_done done, void *context, bool urgent);
/* Submits urgently and waits for the COMMIT. Not from the commit thread. */
int catalogue_write(struct catalogue *catalogue, catalogue_work work, void *context, struct xylem_reason *reason);
/* Runs `work` on a read connection of a small pool, in a read transaction, on the caller's thread. */
int catalogue_read(struct catalogue *catalogue, catalogue_work work, void *context, struct xylem_reason *reason);

/*
 * A prepared statement of this connection, kept for its life; `sql` is a
 * literal and names it. Reset and unbound when handed out. NULL: *reason says
 * what SQLite says. Borrowed until the work returns.
 */
sqlite3_stmt *catalogue_statement(sqlite3 *database, const char *sql, struct xylem_reason *reason);
/* Steps a statement that returns no rows; 0 or -XYLEM_E_CONFLICT (constraint), -XYLEM_E_FULL, -XYLEM_E_IO. */
int catalogue_step_done(sqlite3 *database, sqlite3_stmt *statement, struct xylem_reason *reason);

struct catalogue_state {
	bool failed;
	uint64_t commits;
	uint64_t jobs;
	int64_t last_commit_us;
	char failure[128];
};
void catalogue_state(struct catalogue *catalogue, struct catalogue_state *ret_state);
/* Called on the commit thread when `failed` changes. */
void catalogue_on_change(struct catalogue *catalogue, void (*changed)(void *context), void *context);

#endif
