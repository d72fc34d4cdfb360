/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_DIFFERENCE_H
#define JSON_DIFFERENCE_H

#include <xylem/json.h>

/* Where two values differ, for a person. */
struct json_difference {
	struct xylem_buffer *out; /* gets a line for each difference: `INDENT/place: expected 1, is 2` */
	const char *indent;
	const char *prefix; /* before each place: "" or "/data" */
	bool partial;       /* members of the whole that are not expected do not count */
	size_t most;        /* lines; more are only counted */
	size_t count;       /* differences found so far, in all calls */
};

/* Both are valid JSON; numbers are equal by value, members in any order. */
void json_difference_write(
	struct json_difference *difference, struct xylem_span expected, struct xylem_span actual);

#endif
