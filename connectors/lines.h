/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_LINES_H
#define CONNECTORS_LINES_H

#include <stdbool.h>

#include <xylem/span.h>

/*
 * Takes the next line off `rest`: without its LF or CR LF; the last one may
 * lack it. Empty lines, and lines of white space only, are passed over. False
 * when there is none left.
 */
bool lines_next(struct xylem_span *rest, struct xylem_span *ret_line);

#endif
