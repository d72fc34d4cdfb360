/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Why a delivery failed: the one table over HTTP status, SQLSTATE and XMPP
 * stanza errors. Everything that a lane does after a failure (wait, alarm,
 * count an attempt, admit to the hospital) hangs on these four classes, so
 * that two connectors never treat the same trouble differently.
 *
 * Rows are read from the top; the first that matches decides, so that single
 * codes stand before the family that they are an exception of. docs/delivery.md
 * says why each row is as it is.
 *
 * The rule not to break: a class is about what helps. If time helps it is DOWN
 * (or BUSY where this message may be the trouble), if a person at the
 * configuration helps it is MISCONFIGURED, if only another message helps it is
 * WRONG.
 *
 * It does not know libcurl's or librdkafka's codes: those stay with the
 * connectors that link these libraries.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xylem/connector.h>

struct status_row {
	short first, last;
	enum xylem_failure failure;
};

static const struct status_row statuses[] = {
	{ 200, 299, XYLEM_DELIVERED },
	{ 300, 399, XYLEM_FAILURE_MISCONFIGURED }, /* never followed: the address is another one */
	{ 400, 400, XYLEM_FAILURE_WRONG },
	{ 401, 407, XYLEM_FAILURE_MISCONFIGURED }, /* credentials, address, method, Accept, proxy */
	{ 408, 408, XYLEM_FAILURE_BUSY },
	{ 409, 409, XYLEM_FAILURE_WRONG },
	{ 410, 411, XYLEM_FAILURE_MISCONFIGURED },
	{ 412, 413, XYLEM_FAILURE_WRONG },
	{ 414, 414, XYLEM_FAILURE_MISCONFIGURED }, /* the URL is ours, not the message's */
	{ 421, 421, XYLEM_FAILURE_MISCONFIGURED },
	{ 423, 425, XYLEM_FAILURE_BUSY }, /* locked, failed dependency, too early */
	{ 426, 428, XYLEM_FAILURE_MISCONFIGURED },
	{ 429, 429, XYLEM_FAILURE_BUSY },
	{ 400, 499, XYLEM_FAILURE_WRONG },
	{ 500, 500, XYLEM_FAILURE_BUSY },
	{ 501, 501, XYLEM_FAILURE_MISCONFIGURED },
	{ 502, 504, XYLEM_FAILURE_DOWN },
	{ 505, 506, XYLEM_FAILURE_MISCONFIGURED },
	{ 507, 507, XYLEM_FAILURE_DOWN }, /* no room there for any message */
	{ 511, 511, XYLEM_FAILURE_MISCONFIGURED },
	{ 521, 523, XYLEM_FAILURE_DOWN }, /* what content delivery networks say of a dead origin */
	{ 500, 599, XYLEM_FAILURE_BUSY },
};

struct sqlstate_row {
	const char *prefix;
	enum xylem_failure failure;
};

static const struct sqlstate_row sqlstates[] = {
	{ "00", XYLEM_DELIVERED },
	{ "01", XYLEM_DELIVERED }, /* a warning */
	{ "02", XYLEM_DELIVERED }, /* no data: nothing to do is done */
	{ "08", XYLEM_FAILURE_DOWN },
	{ "0A", XYLEM_FAILURE_MISCONFIGURED },
	{ "0L", XYLEM_FAILURE_MISCONFIGURED },
	{ "0P", XYLEM_FAILURE_MISCONFIGURED },
	{ "21", XYLEM_FAILURE_WRONG },
	{ "22", XYLEM_FAILURE_WRONG },
	{ "23", XYLEM_FAILURE_WRONG },
	{ "25006", XYLEM_FAILURE_DOWN }, /* read-only: a standby, until the failover is through */
	{ "28", XYLEM_FAILURE_MISCONFIGURED },
	{ "3D", XYLEM_FAILURE_MISCONFIGURED },
	{ "3F", XYLEM_FAILURE_MISCONFIGURED },
	{ "40", XYLEM_FAILURE_BUSY }, /* serialisation failure, deadlock */
	{ "42", XYLEM_FAILURE_MISCONFIGURED },
	{ "44", XYLEM_FAILURE_WRONG },
	{ "53", XYLEM_FAILURE_DOWN },
	{ "54", XYLEM_FAILURE_WRONG },   /* a row too large for its index */
	{ "57014", XYLEM_FAILURE_BUSY }, /* cancelled: a statement timeout, perhaps for this message alone */
	{ "57", XYLEM_FAILURE_DOWN },
	{ "58", XYLEM_FAILURE_DOWN },
	{ "F0", XYLEM_FAILURE_DOWN },
	{ "HV00N", XYLEM_FAILURE_DOWN }, /* a foreign server behind the table */
	{ "P0", XYLEM_FAILURE_WRONG },   /* raised by a trigger or function */
	{ "XX001", XYLEM_FAILURE_MISCONFIGURED },
	{ "XX002", XYLEM_FAILURE_MISCONFIGURED }, /* damaged table or index: a person must act */
	{ "", XYLEM_FAILURE_BUSY },
};

struct condition_row {
	const char *condition;
	enum xylem_failure failure;
};

/* RFC 6120, 8.3.3, where the condition says more than the error type. */
static const struct condition_row conditions[] = {
	{ "remote-server-not-found", XYLEM_FAILURE_DOWN },
	{ "remote-server-timeout", XYLEM_FAILURE_DOWN },
	{ "recipient-unavailable", XYLEM_FAILURE_DOWN },
	{ "service-unavailable", XYLEM_FAILURE_DOWN },
	{ "forbidden", XYLEM_FAILURE_MISCONFIGURED },
	{ "not-authorized", XYLEM_FAILURE_MISCONFIGURED },
	{ "registration-required", XYLEM_FAILURE_MISCONFIGURED },
	{ "subscription-required", XYLEM_FAILURE_MISCONFIGURED },
	{ "payment-required", XYLEM_FAILURE_MISCONFIGURED },
	{ "item-not-found", XYLEM_FAILURE_MISCONFIGURED },
	{ "gone", XYLEM_FAILURE_MISCONFIGURED },
	{ "redirect", XYLEM_FAILURE_MISCONFIGURED },
	{ "jid-malformed", XYLEM_FAILURE_MISCONFIGURED },
	{ "not-allowed", XYLEM_FAILURE_MISCONFIGURED },
	{ "feature-not-implemented", XYLEM_FAILURE_MISCONFIGURED },
	{ "internal-server-error", XYLEM_FAILURE_BUSY },
	{ "resource-constraint", XYLEM_FAILURE_BUSY },
	{ "unexpected-request", XYLEM_FAILURE_BUSY },
};

/* RFC 6120, 8.3.2: what to do about an error whose condition is not in the table. */
static const struct condition_row error_types[] = {
	{ "wait", XYLEM_FAILURE_BUSY },
	{ "auth", XYLEM_FAILURE_MISCONFIGURED },
	{ "modify", XYLEM_FAILURE_WRONG },
	{ "cancel", XYLEM_FAILURE_WRONG },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum xylem_failure xylem_failure_of_http(long status)
{
	for (size_t i = 0; i < COUNT(statuses); i++) {
		if (status >= statuses[i].first && status <= statuses[i].last) {
			return statuses[i].failure;
		}
	}
	return XYLEM_FAILURE_DOWN; /* no answer at all, or none that HTTP knows */
}

enum xylem_failure xylem_failure_of_sqlstate(const char *sqlstate)
{
	if (!sqlstate || !*sqlstate) {
		return XYLEM_FAILURE_DOWN; /* libpq has no state when the connection broke */
	}
	for (size_t i = 0; i < COUNT(sqlstates); i++) {
		if (strncmp(sqlstate, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0) {
			return sqlstates[i].failure;
		}
	}
	return XYLEM_FAILURE_BUSY;
}

static const struct condition_row *row_of(const struct condition_row *rows, size_t n, const char *text)
{
	for (size_t i = 0; text && i < n; i++) {
		if (strcmp(text, rows[i].condition) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

enum xylem_failure xylem_failure_of_xmpp(const char *type, const char *condition)
{
	const struct condition_row *row = row_of(conditions, COUNT(conditions), condition);
	/* A bus or room that is held back says "policy-violation" with "wait": the type decides then. */
	if (!row) {
		row = row_of(error_types, COUNT(error_types), type);
	}
	return row ? row->failure : XYLEM_FAILURE_WRONG;
}

const char *xylem_failure_name(enum xylem_failure failure)
{
	static const char *const names[] = {
		[XYLEM_DELIVERED] = "delivered",
		[XYLEM_FAILURE_DOWN] = "down",
		[XYLEM_FAILURE_MISCONFIGURED] = "misconfigured",
		[XYLEM_FAILURE_BUSY] = "busy",
		[XYLEM_FAILURE_WRONG] = "wrong",
		[XYLEM_NOT_TRIED] = "not-tried",
		[XYLEM_DISCARDED] = "discarded",
	};
	return (size_t)failure < COUNT(names) ? names[failure] : "unknown";
}

void xylem_result_fail(
	struct xylem_result *result, enum xylem_failure failure, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(&result->reason, format, arguments);
	va_end(arguments);
	result->failure = failure;
	snprintf(result->code, sizeof(result->code), "%s", code);
}
