/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_POSTGRES_SESSION_H
#define CONNECTORS_POSTGRES_SESSION_H

#include <stdint.h>

#include <libpq-fe.h>

#include <xylem/connector.h>

/*
 * One connection to PostgreSQL on which every wait has a deadline (microseconds
 * of CLOCK_MONOTONIC) and can be cut short by session_interrupt() from another
 * thread. Failures are told as a xylem_result: class, SQLSTATE, what the server said.
 */
struct session {
	PGconn *connection; /* NULL: none */
	int wake;           /* eventfd: readable while interrupted */
};

/* Where to and as whom. `name` is the connector's, shown in pg_stat_activity. */
struct session_place {
	const char *dsn;
	const struct xylem_secret *password; /* may be NULL */
	const char *name;
	int64_t timeout_us; /* the server's own limit on a statement */
};

int64_t session_clock(void);

int session_init(struct session *session); /* -XYLEM_E_MEMORY */
void session_finish(struct session *session);

/* Does the dsn say only what it may? Names the keyword at fault. No I/O. */
int session_check_dsn(const char *dsn, struct xylem_reason *reason);

/* Connects and sets the session up. 0, or negative with *ret_failure; then there is no connection. */
int session_open(struct session *session, const struct session_place *place, int64_t deadline,
	struct xylem_result *ret_failure);
void session_close(struct session *session);
/* False when there is no connection or the server has closed it meanwhile. Never waits. */
bool session_alive(struct session *session);

/* Any thread. In force until session_rearm(). */
void session_interrupt(struct session *session);
void session_rearm(struct session *session);

/*
 * Waits for what was sent since the last call: in pipeline mode until the sync,
 * else for all results of one query. The last result with rows goes to *ret_rows
 * when that is not NULL (PQclear it). 0, or negative with the first failure. A connection that is of no
 * further use is closed.
 */
int session_finish_query(
	struct session *session, int64_t deadline, PGresult **ret_rows, struct xylem_result *ret_failure);

/* Sends one query with text parameters and waits for it. */
int session_query(struct session *session, const char *sql, const char *const *values, int n,
	int64_t deadline, PGresult **ret_rows, struct xylem_result *ret_failure);

/* The failure class of a SQLSTATE where the connector knows better than the common table. */
enum xylem_failure session_failure_of(const char *sqlstate);

#endif
