/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to PostgreSQL: connect, set up, send, wait, give up in time.
 *
 * libpq is used in its non-blocking form throughout. There is one loop that
 * waits (wait_ready): for the socket, for the deadline, and for an eventfd
 * that another thread makes readable to interrupt. A connection on which
 * anything but a plain SQL error happened is closed, because nobody can say
 * any more what the server will send next; the server notices that within two seconds
 * (client_connection_check_interval) and gives up what it was doing.
 *
 * The rule not to break: the server commits with synchronous_commit at least
 * `on`, or what the sink calls delivered could be lost with the server.
 *
 * It does not resolve names without blocking: libpq calls getaddrinfo(), whose
 * own limits (resolv.conf) hold there.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <xylem/log.h>

#include "postgres_session.h"

#define PARAMETERS 64

int64_t session_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int session_init(struct session *session)
{
	session->connection = NULL;
	session->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return session->wake < 0 ? -XYLEM_E_MEMORY : 0;
}

void session_finish(struct session *session)
{
	session_close(session);
	if (session->wake >= 0) {
		close(session->wake);
	}
	session->wake = -1;
}

void session_close(struct session *session)
{
	PQfinish(session->connection);
	session->connection = NULL;
}

void session_interrupt(struct session *session)
{
	/* The counter can only overflow after 2^64 interrupts. */
	(void)!write(session->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
}

void session_rearm(struct session *session)
{
	uint64_t count;

	(void)!read(session->wake, &count, sizeof(count));
}

bool session_alive(struct session *session)
{
	struct pollfd socket = { .events = POLLIN };
	int reads = 0;

	if (session->connection == NULL) {
		return false;
	}
	socket.fd = PQsocket(session->connection);
	/* A server that restarted says so and closes; better to find out now than with a batch. */
	while (reads++ < 100 && poll(&socket, 1, 0) > 0) {
		if (!PQconsumeInput(session->connection) || PQstatus(session->connection) != CONNECTION_OK) {
			session_close(session);
			return false;
		}
	}
	return true;
}

/* Waits until the socket is ready for `events`. 0, -XYLEM_E_TIMEOUT, -XYLEM_E_INTERRUPTED or -XYLEM_E_IO. */
static int wait_ready(struct session *session, short events, int64_t deadline)
{
	struct pollfd ready[2] = {
		{ .fd = PQsocket(session->connection), .events = events },
		{ .fd = session->wake, .events = POLLIN },
	};

	for (;;) {
		int64_t left = deadline - session_clock();
		int n;

		if (left <= 0) {
			return -XYLEM_E_TIMEOUT;
		}
		n = poll(ready, 2, (int)(left / 1000) + 1);
		if (n < 0 && errno != EINTR) {
			return -XYLEM_E_IO;
		}
		if (n > 0 && ready[1].revents) {
			return -XYLEM_E_INTERRUPTED;
		}
		if (n > 0) {
			return 0;
		}
	}
}

/* Tells a wait that failed; `sent`: the server may be at work on what it was given. */
static void fail_wait(int error, bool sent, struct xylem_result *ret_failure)
{
	if (error == -XYLEM_E_INTERRUPTED) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "interrupted",
			"stopped while PostgreSQL had not answered");
	} else if (error == -XYLEM_E_TIMEOUT && sent) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "timeout",
			"PostgreSQL did not answer within the lane's timeout; is the table locked?");
	} else if (error == -XYLEM_E_TIMEOUT) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "timeout",
			"PostgreSQL could not be reached in time");
	} else {
		xylem_result_fail(
			ret_failure, XYLEM_FAILURE_DOWN, "connection", "waiting on the connection failed");
	}
}

/* The text of libpq on one line, without its LOCATION line. */
static void copy_line(char *to, size_t size, const char *from)
{
	const char *end = strstr(from, "\nLOCATION:");
	size_t n = end ? (size_t)(end - from) : strlen(from);
	size_t i;

	while (n > 0 && from[n - 1] == '\n') {
		n--;
	}
	n = n < size ? n : size - 1;
	for (i = 0; i < n; i++) {
		to[i] = from[i] == '\n' || from[i] == '\t' ? ' ' : from[i];
	}
	to[n] = '\0';
}

/*
 * libpq gives no SQLSTATE of a failed connect, but in verbose form the text has
 * it: "FATAL:  28P01: password authentication failed ...", in every language.
 */
static const char *find_sqlstate(const char *text, char code[6])
{
	const char *at = text;

	while ((at = strstr(at, ":  ")) != NULL) {
		at += 3;
		if (strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[5] == ':') {
			memcpy(code, at, 5);
			code[5] = '\0';
			return code;
		}
	}
	return NULL;
}

enum xylem_failure session_failure_of(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum xylem_failure failure;
	} rows[] = {
		{ "57014", XYLEM_FAILURE_BUSY }, /* statement_timeout: a lock, not an outage */
		{ "25006", XYLEM_FAILURE_DOWN }, /* read-only: it has become a standby */
		{ "55", XYLEM_FAILURE_BUSY },    /* in use, locked */
		{ "54", XYLEM_FAILURE_WRONG },   /* the row is too large for an index or a page */
		{ "44", XYLEM_FAILURE_WRONG },   /* WITH CHECK OPTION of a view */
		{ "P0", XYLEM_FAILURE_WRONG },   /* RAISE EXCEPTION in a trigger */
		{ "0A", XYLEM_FAILURE_MISCONFIGURED },
		{ "26", XYLEM_FAILURE_MISCONFIGURED }, /* prepared statement gone: a pooler in between */
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strncmp(sqlstate, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
			return rows[i].failure;
		}
	}
	return xylem_failure_of_sqlstate(sqlstate);
}

/* ---- connect ---- */

static bool keyword_forbidden(const char *keyword)
{
	static const char *const forbidden[] = { "password", "passfile", "service", "sslpassword",
		"replication", "client_encoding", "fallback_application_name", NULL };
	size_t i;

	for (i = 0; forbidden[i] != NULL; i++) {
		if (strcmp(keyword, forbidden[i]) == 0) {
			return true;
		}
	}
	return false;
}

int session_check_dsn(const char *dsn, struct xylem_reason *reason)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(dsn, &error);
	PQconninfoOption *option;
	int status = 0;

	if (options == NULL) {
		char text[256];

		copy_line(text, sizeof(text), error ? error : "out of memory");
		xylem_reason_set(reason, "dsn: %s", text);
		PQfreemem(error);
		return -XYLEM_E_INVALID;
	}
	for (option = options; option->keyword != NULL && status == 0; option++) {
		if (option->val != NULL && keyword_forbidden(option->keyword)) {
			xylem_reason_set(reason, "dsn: `%s` may not stand here%s", option->keyword,
				strcmp(option->keyword, "password") == 0 ? "; use the option `password`"
									 : "");
			status = -XYLEM_E_INVALID;
		}
	}
	PQconninfoFree(options);
	return status;
}

struct parameters {
	const char *names[PARAMETERS], *values[PARAMETERS];
	size_t n;
};

static void put(struct parameters *parameters, const char *name, const char *value)
{
	if (parameters->n < PARAMETERS - 1 && value != NULL) {
		parameters->names[parameters->n] = name;
		parameters->values[parameters->n++] = value;
		parameters->names[parameters->n] = NULL;
		parameters->values[parameters->n] = NULL;
	}
}

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++) {
		if (strcmp(options->keyword, keyword) == 0) {
			return options->val;
		}
	}
	return NULL;
}

/* A socket folder, the loopback, or nothing (libpq's default is a socket). */
static bool is_local(const char *host)
{
	return host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@' ||
	       strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static PGconn *connect_start(const PQconninfoOption *options, const struct session_place *place)
{
	static const char authorities[] = "/etc/ssl/certs/ca-certificates.crt";
	struct parameters parameters = { .n = 0 };
	const PQconninfoOption *option;
	const char *host = value_of(options, "hostaddr") ? value_of(options, "hostaddr")
							 : value_of(options, "host");

	/* Defaults first: of two, libpq takes the later. */
	put(&parameters, "target_session_attrs", "read-write");
	put(&parameters, "keepalives_idle", "30");
	put(&parameters, "keepalives_interval", "10");
	put(&parameters, "keepalives_count", "3");
	put(&parameters, "fallback_application_name", place->name);
	if (!is_local(host) && value_of(options, "sslmode") == NULL) {
		put(&parameters, "sslmode", "verify-full");
		if (value_of(options, "sslrootcert") == NULL && access(authorities, R_OK) == 0) {
			put(&parameters, "sslrootcert", authorities);
		}
	}
	for (option = options; option->keyword != NULL; option++) {
		put(&parameters, option->keyword, option->val);
	}
	put(&parameters, "client_encoding", "UTF8");
	put(&parameters, "passfile", "/dev/null/none"); /* the file in the home folder has no say */
	if (place->password != NULL) {
		put(&parameters, "password", xylem_secret_borrow(place->password).at);
	}
	return PQconnectStartParams(parameters.names, parameters.values, 0);
}

static void fail_connect(PGconn *connection, struct xylem_result *ret_failure)
{
	char text[400], code[6];

	copy_line(text, sizeof(text), connection ? PQerrorMessage(connection) : "out of memory");
	if (find_sqlstate(text, code) != NULL) {
		xylem_result_fail(ret_failure, session_failure_of(code), code, "%s", text);
	} else if (connection != NULL && PQconnectionNeedsPassword(connection)) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_MISCONFIGURED, "28P01",
			"PostgreSQL asks for a password and the option `password` is not set");
	} else {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "connect", "%s", text);
	}
}

static int connect_wait(struct session *session, int64_t deadline, struct xylem_result *ret_failure)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	PQsetErrorVerbosity(session->connection, PQERRORS_VERBOSE);
	while (status != PGRES_POLLING_OK) {
		int error;

		if (status == PGRES_POLLING_FAILED || PQstatus(session->connection) == CONNECTION_BAD) {
			fail_connect(session->connection, ret_failure);
			return -XYLEM_E_UNREACHABLE;
		}
		error = wait_ready(session, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
		if (error != 0) {
			fail_wait(error, false, ret_failure);
			return error;
		}
		status = PQconnectPoll(session->connection);
	}
	PQsetErrorVerbosity(session->connection, PQERRORS_DEFAULT);
	return 0;
}

static void quiet(void *context, const PGresult *result)
{
	/* Notices of triggers are for whoever wrote them; libpq would print them to standard error. */
}

/* What the acknowledgement and the meaning of the values rest on, whatever the server's defaults are. */
static int set_up(struct session *session, const struct session_place *place, int64_t deadline,
	struct xylem_result *ret_failure)
{
	static const char sql[] =
		"SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
		" WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),"
		" set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, YMD', false),"
		" set_config('IntervalStyle', 'postgres', false), set_config('standard_conforming_strings', "
		"'on', false),"
		" set_config('default_transaction_isolation', 'read committed', false),"
		" set_config('statement_timeout', $1, false), "
		"set_config('idle_in_transaction_session_timeout', $1, false)";
	static const char watch[] = "SELECT set_config('client_connection_check_interval', '2s', false)";
	char timeout[32];
	const char *values[] = { timeout };
	int status;

	snprintf(timeout, sizeof(timeout), "%lldms", (long long)(place->timeout_us / 1000));
	status = session_query(session, sql, values, 1, deadline, NULL, ret_failure);
	if (status == 0 && PQserverVersion(session->connection) >= 140000) {
		struct xylem_result ignored = { 0 }; /* not every system can watch a socket */

		(void)session_query(session, watch, NULL, 0, deadline, NULL, &ignored);
		if (session->connection == NULL) {
			*ret_failure = ignored;
			return -XYLEM_E_UNREACHABLE;
		}
	}
	return status;
}

int session_open(struct session *session, const struct session_place *place, int64_t deadline,
	struct xylem_result *ret_failure)
{
	PQconninfoOption *options = PQconninfoParse(place->dsn, NULL);
	int status;

	session_close(session);
	if (options == NULL) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_MISCONFIGURED, "dsn", "the dsn cannot be read");
		return -XYLEM_E_INVALID;
	}
	session->connection = connect_start(options, place);
	PQconninfoFree(options);
	if (session->connection == NULL) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "memory", "no memory for a connection");
		return -XYLEM_E_MEMORY;
	}
	status = connect_wait(session, deadline, ret_failure);
	if (status == 0) {
		PQsetnonblocking(session->connection, 1);
		PQsetNoticeReceiver(session->connection, quiet, NULL);
		status = set_up(session, place, deadline, ret_failure);
	}
	if (status != 0) {
		session_close(session);
	}
	return status;
}

/* ---- send and wait ---- */

/* What the server says of one failed statement. */
static void fail_result(PGconn *connection, const PGresult *result, struct xylem_result *ret_failure)
{
	const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	char text[300];

	if (code == NULL) {
		copy_line(text, sizeof(text), PQerrorMessage(connection));
		xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "connection", "%s", text);
		return;
	}
	xylem_result_fail(ret_failure, session_failure_of(code), code, "%s%s%s%s%s%s",
		message ? message : "refused", detail ? ": " : "", detail ? detail : "",
		constraint ? " (constraint " : "", constraint ? constraint : "", constraint ? ")" : "");
}

/* Sends what is buffered and reads until a result is there. */
static int await_result(struct session *session, int64_t deadline)
{
	int unsent = PQflush(session->connection);

	while (unsent >= 0 && PQisBusy(session->connection)) {
		int error = wait_ready(session, (short)(unsent ? POLLIN | POLLOUT : POLLIN), deadline);

		if (error != 0) {
			return error;
		}
		if (!PQconsumeInput(session->connection)) {
			return -XYLEM_E_IO;
		}
		unsent = PQflush(session->connection);
	}
	return unsent < 0 ? -XYLEM_E_IO : 0;
}

static int lose(struct session *session, int error, struct xylem_result *ret_failure)
{
	if (error == -XYLEM_E_IO) {
		char text[300];

		copy_line(text, sizeof(text), PQerrorMessage(session->connection));
		xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "connection", "%s",
			text[0] ? text : "connection lost");
	} else {
		fail_wait(error, true, ret_failure);
	}
	session_close(session);
	return error;
}

int session_finish_query(
	struct session *session, int64_t deadline, PGresult **ret_rows, struct xylem_result *ret_failure)
{
	bool pipeline = PQpipelineStatus(session->connection) != PQ_PIPELINE_OFF;
	int error, status = 0, nothing = 0;
	PGresult *rows = NULL;

	for (;;) {
		PGresult *result;
		ExecStatusType kind;

		error = await_result(session, deadline);

		if (error != 0) {
			PQclear(rows);
			return lose(session, error, ret_failure);
		}
		result = PQgetResult(session->connection);
		if (result == NULL) {
			/* The end of one statement; of all of them outside a pipeline, or when the connection is gone. */
			if (!pipeline || ++nothing > 1) {
				break;
			}
			continue;
		}
		nothing = 0;
		kind = PQresultStatus(result);
		if (kind == PGRES_FATAL_ERROR && status == 0) {
			fail_result(session->connection, result, ret_failure);
			status = -XYLEM_E_UNPROCESSABLE;
		}
		if (kind == PGRES_TUPLES_OK && ret_rows != NULL) {
			PQclear(rows);
			rows = result;
			result = NULL;
		}
		PQclear(result);
		if (kind == PGRES_PIPELINE_SYNC) {
			break;
		}
	}
	if (pipeline && PQstatus(session->connection) == CONNECTION_OK &&
		!PQexitPipelineMode(session->connection)) {
		error = -XYLEM_E_IO;
	}
	if (error != 0 || PQstatus(session->connection) != CONNECTION_OK) {
		if (status == 0) {
			xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "connection", "connection lost");
			status = -XYLEM_E_UNREACHABLE;
		}
		session_close(session);
	}
	if (status == 0 && ret_rows != NULL) {
		*ret_rows = rows;
	} else {
		PQclear(rows);
	}
	return status;
}

int session_query(struct session *session, const char *sql, const char *const *values, int n,
	int64_t deadline, PGresult **ret_rows, struct xylem_result *ret_failure)
{
	if (!PQsendQueryParams(session->connection, sql, n, NULL, values, NULL, NULL, 0)) {
		return lose(session, -XYLEM_E_IO, ret_failure);
	}
	return session_finish_query(session, deadline, ret_rows, ret_failure);
}
