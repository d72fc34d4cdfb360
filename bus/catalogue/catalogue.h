/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_CATALOGUE_H
#define CATALOGUE_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <base/io.h>
#include <xylem/error.h>
#include <xylem/message.h>

/*
 * What *is*, beside what flowed: one SQLite database (WAL, synchronous=FULL)
 * behind one commit thread. A room that keeps state hands in jobs; the thread
 * runs all that wait inside one transaction, every few milliseconds or when
 * somebody waits, each in its own savepoint, and answers after the COMMIT is
 * on disk. The SQL of a room lives in that room; its tables are steps of
 * the list in bus/catalogue/schema.c, which catalogue_open() applies.
 * docs/catalogue.md.
 */
struct catalogue;

struct catalogue_options {
	const char *path; /* DATA/catalogue.db */
	struct io *io;
	bool journal_exists; /* a missing catalogue beside a journal refuses to start ... */
	bool accept_gap;     /* ... unless the operator says so */
	int64_t interval_us; /* how long a job that nobody waits for may lie; 5 ms by default */
};

/*
 * -XYLEM_E_DAMAGED: missing beside a journal, not ours, newer than this program,
 * or its bytes are not what was written; -XYLEM_E_IO, -XYLEM_E_FULL,
 * -XYLEM_E_MEMORY. `reason` says what to do.
 */
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
int catalogue_submit(
	struct catalogue *catalogue, catalogue_work work, catalogue_done done, void *context, bool urgent);
/* Submits urgently and waits for the COMMIT. Not from the commit thread. */
int catalogue_write(
	struct catalogue *catalogue, catalogue_work work, void *context, struct xylem_reason *reason);
/* Runs `work` on a read connection of a small pool, in a read transaction, on the caller's thread. */
int catalogue_read(
	struct catalogue *catalogue, catalogue_work work, void *context, struct xylem_reason *reason);

/*
 * A prepared statement of this connection, kept for its life; `sql` is a
 * literal and names it. Reset and unbound when handed out. NULL: *reason says
 * what SQLite says. Borrowed until the work returns.
 */
sqlite3_stmt *catalogue_statement(sqlite3 *database, const char *sql, struct xylem_reason *reason);
/*
 * Steps a statement that returns no rows, and resets it; 0, -XYLEM_E_CONFLICT
 * (constraint), or what SQLite cannot recover from: -XYLEM_E_FULL, -XYLEM_E_IO,
 * -XYLEM_E_DAMAGED. Then the catalogue is failed.
 */
int catalogue_step_done(sqlite3 *database, sqlite3_stmt *statement, struct xylem_reason *reason);
/* Steps one that returns rows: 1, a row is there; 0, no more; or an error as above. */
int catalogue_step_row(sqlite3 *database, sqlite3_stmt *statement, struct xylem_reason *reason);
/* Binds borrowed bytes as text or blob (absent: NULL); reads a column (NULL: absent; until the next step). */
void catalogue_bind_text(sqlite3_stmt *statement, int index, struct xylem_span text);
void catalogue_bind_blob(sqlite3_stmt *statement, int index, struct xylem_span bytes);
struct xylem_span catalogue_column(sqlite3_stmt *statement, int column);

/*
 * The acknowledged end of the journal is saved with every transaction: the
 * provider is called on the commit thread just before the COMMIT and returns
 * the synced end. After the next start catalogue_acknowledged_end() gives what
 * was saved last, for journal_open(): a journal that ends below it has lost
 * acknowledged messages. Offset 0: nothing saved yet. The provider does not
 * call the catalogue. NULL takes it away: it is not being called any more then.
 */
typedef struct xylem_position (*catalogue_acknowledged)(void *context);
void catalogue_acknowledged_provider(
	struct catalogue *catalogue, catalogue_acknowledged provider, void *context);
struct xylem_position catalogue_acknowledged_end(struct catalogue *catalogue);

/* A UUID made with the catalogue: names this bus's data for as long as it lives. */
const char *catalogue_instance(struct catalogue *catalogue);

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
