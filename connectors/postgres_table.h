/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_POSTGRES_TABLE_H
#define CONNECTORS_POSTGRES_TABLE_H

#include "postgres_session.h"

enum postgres_on_conflict { ON_CONFLICT_NOTHING, ON_CONFLICT_UPDATE, ON_CONFLICT_ERROR };

enum column_kind {
	COLUMN_PLAIN, /* takes PostgreSQL's text form */
	COLUMN_JSON,  /* json, jsonb: takes the JSON text of any value */
	COLUMN_ARRAY, /* a JSON array becomes an array literal */
};

struct column {
	char *name;   /* as the catalogue has it */
	char *quoted; /* for SQL */
	char *type;   /* for a cast, without length: an explicit cast to varchar(10) would cut in silence */
	enum column_kind kind;
	bool key;      /* one of conflict_key */
	bool computed; /* generated, or identity ALWAYS: takes no value */
};

/* What the catalogue said about the table when it was last asked. */
struct table {
	char *quoted; /* "schema"."table" for SQL */
	struct column *columns;
	size_t n;
	int64_t read_at; /* session_clock() */
};

/*
 * `table`, `schema.table`, or with quotes where a name has a dot: `"a.b".c`. The
 * parts go to ret_parts (malloc), the number of them (1 or 2) is returned, or
 * -XYLEM_E_INVALID.
 */
int table_name_parse(const char *text, char *ret_parts[2], struct xylem_reason *reason);

/*
 * Reads the columns. `only` (may be empty) restricts them to those named, which must exist. 0, or
 * negative with *ret_failure; then the table is as it was.
 */
int table_read(struct table *table, struct session *session, const char *name,
	const struct xylem_strings *only, const struct xylem_strings *conflict_key, int64_t deadline,
	struct xylem_result *ret_failure);
void table_finish(struct table *table);

/* The column of that name; `hint` is where it is likely to be. NULL: none. */
const struct column *table_find(const struct table *table, struct xylem_span name, size_t hint);

/*
 * INSERT of any number of rows that have just the columns whose bits are set in
 * `present`, one text[] parameter a column in the order of the table. The caller frees it.
 */
char *table_statement(
	const struct table *table, const uint64_t *present, enum postgres_on_conflict on_conflict);

static inline bool column_present(const uint64_t *present, size_t i)
{
	return present[i / 64] >> (i % 64) & 1;
}

#endif
