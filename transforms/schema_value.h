/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORMS_SCHEMA_VALUE_H
#define TRANSFORMS_SCHEMA_VALUE_H

#include "transforms/schema.h"

/* One schema asked about one value. Quiet: a no is only an answer, and needs no reason. */
struct schema_question {
	const struct schema *schema;
	struct xylem_span value;
	bool quiet;
};

/* One check of one instance. */
struct schema_checking {
	struct xylem_span root; /* the instance */
	struct xylem_arena *arena;
	struct xylem_reason *reason;
	int error; /* other than a plain no */
	pcre2_match_data *match;
	pcre2_match_context *context;
};

/* Does the value give all that the schema asks of it by itself? False with the reason. */
bool schema_value_check(struct schema_checking *own, const struct schema_question *question);

/* Does the string match? False also where the match was given up (own->error). */
bool schema_matches(struct schema_checking *own, const pcre2_code *pattern, struct xylem_span string);

/* False, with the reason and its place unless the question is quiet. */
bool schema_no(struct schema_checking *own, const struct schema_question *question, const char *format, ...)
	XYLEM_PRINTF(3, 4);

/* False; the check ends with this error. */
bool schema_broken(struct schema_checking *own, int error, const char *why);

/* A value for a reason: its beginning, if it is long. */
#define SCHEMA_SHOWN 60
struct schema_shown {
	char text[SCHEMA_SHOWN + 8];
};
struct schema_shown schema_show(struct xylem_span value);

#endif
