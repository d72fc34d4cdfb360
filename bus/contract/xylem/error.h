/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_ERROR_H
#define XYLEM_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include <xylem/visible.h>

/*
 * The error table: every function that can fail returns 0 or one of these,
 * negated (`return -XYLEM_E_BUSY;`). One row says the stable name that the API
 * shows, the HTTP status, the XMPP stanza error (RFC 6120, 8.3) and whether a
 * later try of the same can succeed.
 *
 *        code            name                 text                                       http  xmpp type  xmpp condition           transient
 */
#define XYLEM_ERRORS(row)                                                                                                                     \
	row(INVALID,       "invalid",           "the request or value is not valid",           400, "modify", "bad-request",              false) \
	row(UNAUTHORIZED,  "unauthorized",      "who is asking is not known",                  401, "auth",   "not-authorized",           false) \
	row(FORBIDDEN,     "forbidden",         "this role may not do that",                   403, "auth",   "forbidden",                false) \
	row(NOT_FOUND,     "not-found",         "there is no such thing",                      404, "cancel", "item-not-found",           false) \
	row(METHOD,        "method-not-allowed","this path does not take that method",         405, "cancel", "not-allowed",              false) \
	row(CONFLICT,      "conflict",          "it was changed meanwhile or exists already",  409, "cancel", "conflict",                 false) \
	row(GONE,          "gone",              "retention has removed it",                    410, "cancel", "gone",                     false) \
	row(TOO_LARGE,     "too-large",         "larger than the limit",                       413, "modify", "policy-violation",         false) \
	row(UNSUPPORTED,   "unsupported",       "this type or feature is not supported",       415, "cancel", "feature-not-implemented",  false) \
	row(UNPROCESSABLE, "unprocessable",     "understood, but refused by a step or schema", 422, "modify", "not-acceptable",           false) \
	row(LIMIT,         "limit",             "a stated limit was reached",                  429, "wait",   "policy-violation",         true)  \
	row(INTERNAL,      "internal",          "a fault of the bus itself",                   500, "cancel", "internal-server-error",    true)  \
	row(MEMORY,        "memory",            "out of memory",                               503, "wait",   "resource-constraint",      true)  \
	row(BUSY,          "busy",              "held back: try again later",                  503, "wait",   "resource-constraint",      true)  \
	row(FULL,          "full",              "no room on the disk or in the store",         503, "wait",   "resource-constraint",      true)  \
	row(DEAD,          "dead",              "a write or sync failed: restart from disk",   503, "wait",   "internal-server-error",    true)  \
	row(STOPPING,      "stopping",          "the bus is stopping",                         503, "wait",   "remote-server-timeout",    true)  \
	row(UNREACHABLE,   "unreachable",       "the other side cannot be reached",            502, "wait",   "remote-server-timeout",    true)  \
	row(TIMEOUT,       "timeout",           "the deadline passed",                         504, "wait",   "remote-server-timeout",    true)  \
	row(INTERRUPTED,   "interrupted",       "stopped from another thread",                 503, "wait",   "remote-server-timeout",    true)  \
	row(IO,            "io",                "reading or writing a file failed",            500, "wait",   "internal-server-error",    true)  \
	row(DAMAGED,       "damaged",           "stored bytes are not what was written",       500, "cancel", "internal-server-error",    false) \
	row(END,           "end",               "there is nothing further",                    404, "cancel", "item-not-found",           false)

enum xylem_error {
	XYLEM_OK = 0,
#define XYLEM_ERROR_CODE(code, name, text, http, type, condition, transient) XYLEM_E_##code,
	XYLEM_ERRORS(XYLEM_ERROR_CODE)
#undef XYLEM_ERROR_CODE
	XYLEM_ERROR_COUNT
};

struct xylem_error_row {
	const char *name;
	const char *text;
	int http_status;
	const char *xmpp_type;
	const char *xmpp_condition;
	bool transient;
};

/* The row of a code, positive or negative; the row `internal` for an unknown one. Never NULL. */
XYLEM_PUBLIC const struct xylem_error_row *xylem_error_row(int code);

/* The code of a name, negative; -XYLEM_E_INTERNAL for an unknown name. */
XYLEM_PUBLIC int xylem_error_by_name(const char *name);

/*
 * Why something failed, in words for a person: what, where and what to do.
 * Filled by the callee on failure, untouched on success. Always terminated and
 * UTF-8: a longer text is cut between characters and ends in "...", a character
 * that the caller cut (%.40s) is left out, other bytes that are none become `?`.
 */
struct xylem_reason {
	char text[512];
};

XYLEM_PUBLIC void xylem_reason_set(struct xylem_reason *reason, const char *format, ...) XYLEM_PRINTF(2, 3);
XYLEM_PUBLIC void xylem_reason_vset(struct xylem_reason *reason, const char *format, va_list arguments)
	XYLEM_PRINTF(2, 0);

#endif
