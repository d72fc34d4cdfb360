/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PROBLEM_H
#define CONSOLE_PROBLEM_H

#include <jansson.h>

#include <xylem/buffer.h>
#include <xylem/error.h>

/*
 * An error as the API shows it (RFC 9457): type, title, status, detail,
 * instance, and our own `code` (the stable name of the error table) and
 * `errors`. `error` is a code of the table, `instance` the path asked for;
 * `errors` (borrowed) may be NULL. Returns the HTTP status.
 */
int problem_write(
	struct xylem_buffer *out, int error, const char *detail, const char *instance, const json_t *errors);

#endif
