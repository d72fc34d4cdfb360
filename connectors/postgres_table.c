/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a postgres sink: its columns from the catalogue, and the
 * statement that fills it.
 *
 * Every column travels as text[] in binary form, which needs no quoting, and
 * the statement casts each element: `SELECT u.c0::bigint, u.c1::numeric FROM
 * unnest($1::text[], $2::text[]) AS u(c0, c1)`. So one way of encoding serves
 * every type that PostgreSQL has or will have, and numbers keep their digits.
 * The cast names the type without its length; the length is checked by the
 * assignment to the column, which refuses where a cast would cut.
 *
 * The rule not to break: nothing of a message is ever part of the statement;
 * names come from the configuration and the catalogue and pass PQescapeIdentifier.
 */
#include <stdlib.h>

#include <xylem/buffer.h>

#include "postgres_table.h"

/* ---- the table's name ---- */

/* One name, quoted or not, from *at on; NULL when there is none. */
static char *name_part(const char **at)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	const char *c = *at;

	if (*c == '"') {
		for (c++; *c != '\0' && !(*c == '"' && c[1] != '"'); c++) {
			c += *c == '"'; /* two quotes stand for one */
			xylem_buffer_byte(&out, *c);
		}
		if (*c != '"') {
			return NULL;
		}
		c++;
	} else {
		for (; *c != '\0' && *c != '.' && *c != '"'; c++) {
			xylem_buffer_byte(&out, *c);
		}
	}
	*at = c;
	return out.n > 0 && out.n < 64 ? xylem_buffer_take(&out, NULL) : NULL;
}

int table_name_parse(const char *text, char *ret_parts[2], struct xylem_reason *reason)
{
	const char *at = text;
	char *parts[2] = { NULL, NULL };
	int n = 0;

	do {
		at += n > 0;
		parts[n] = name_part(&at);
	} while (parts[n] != NULL && ++n < 2 && *at == '.');
	if (n == 0 || *at != '\0') {
		xylem_reason_set(reason,
			"table: `%.100s` is not `table` or `schema.table`; quote a name that has a dot: "
			"'\"a.b\".c'",
			text);
		free(parts[0]);
		free(parts[1]);
		return -XYLEM_E_INVALID;
	}
	ret_parts[0] = parts[0];
	ret_parts[1] = parts[1];
	return n;
}

static char *quote_name(struct session *session, const char *name)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_reason ignored;
	char *parts[2] = { NULL, NULL };
	int n = table_name_parse(name, parts, &ignored);
	int i;

	for (i = 0; i < n; i++) {
		char *quoted = PQescapeIdentifier(session->connection, parts[i], strlen(parts[i]));

		xylem_buffer_text(&out, i > 0 ? "." : "");
		xylem_buffer_text(&out, quoted ? quoted : "\"\"");
		PQfreemem(quoted);
	}
	free(parts[0]);
	free(parts[1]);
	return xylem_buffer_take(&out, NULL);
}

/* ---- the catalogue ---- */

void table_finish(struct table *table)
{
	size_t i;

	for (i = 0; i < table->n; i++) {
		free(table->columns[i].name);
		free(table->columns[i].type);
		PQfreemem(table->columns[i].quoted);
	}
	free(table->columns);
	free(table->quoted);
	*table = (struct table){ 0 };
}

static bool listed(const struct xylem_strings *strings, const char *name)
{
	size_t i;

	for (i = 0; i < strings->n; i++) {
		if (strcmp(strings->items[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static const char *missing(const struct table *table, const struct xylem_strings *wanted)
{
	size_t i;

	for (i = 0; i < wanted->n; i++) {
		if (table_find(table, xylem_span_of(wanted->items[i]), i) == NULL) {
			return wanted->items[i];
		}
	}
	return NULL;
}

static bool column_init(struct column *column, struct session *session, const PGresult *rows, int row,
	const struct xylem_strings *conflict_key)
{
	const char *name = PQgetvalue(rows, row, 0);
	const char *kind = PQgetvalue(rows, row, 2);

	column->name = strdup(name);
	column->type = strdup(PQgetvalue(rows, row, 1));
	column->quoted = PQescapeIdentifier(session->connection, name, strlen(name));
	column->kind = *kind == 'j' ? COLUMN_JSON : *kind == 'a' ? COLUMN_ARRAY : COLUMN_PLAIN;
	column->computed = *PQgetvalue(rows, row, 3) == 't';
	column->key = listed(conflict_key, name);
	return column->name != NULL && column->type != NULL && column->quoted != NULL;
}

static int fill(struct table *table, struct session *session, const PGresult *rows, const char *name,
	const struct xylem_strings *only, const struct xylem_strings *conflict_key,
	struct xylem_result *ret_failure)
{
	int count = PQntuples(rows), row;
	const char *absent;

	table->columns = calloc((size_t)count + 1, sizeof(*table->columns));
	for (row = 0; row < count && table->columns != NULL; row++) {
		if (only->n > 0 && !listed(only, PQgetvalue(rows, row, 0)) &&
			!listed(conflict_key, PQgetvalue(rows, row, 0))) {
			continue;
		}
		if (!column_init(&table->columns[table->n++], session, rows, row, conflict_key)) {
			xylem_result_fail(
				ret_failure, XYLEM_FAILURE_DOWN, "memory", "no memory for the columns");
			return -XYLEM_E_MEMORY;
		}
	}
	if (count == 0) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_MISCONFIGURED, "42P01",
			"table %s does not exist, or this user may not see it", name);
		return -XYLEM_E_NOT_FOUND;
	}
	absent = missing(table, only);
	absent = absent ? absent : missing(table, conflict_key);
	if (absent != NULL) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_MISCONFIGURED, "42703",
			"table %s has no column `%s`, which the configuration names", name, absent);
		return -XYLEM_E_NOT_FOUND;
	}
	return 0;
}

int table_read(struct table *table, struct session *session, const char *name,
	const struct xylem_strings *only, const struct xylem_strings *conflict_key, int64_t deadline,
	struct xylem_result *ret_failure)
{
	/* typbasetype sees through domains; -1 makes bpchar of character(n), which no cast then cuts. */
	static const char sql[] =
		"SELECT a.attname, format_type(a.atttypid, -1),"
		" CASE WHEN a.atttypid IN (114, 3802) OR t.typbasetype IN (114, 3802) THEN 'j'"
		" WHEN t.typcategory = 'A' THEN 'a' ELSE 'p' END,"
		" a.attgenerated <> '' OR a.attidentity = 'a'"
		" FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
		" WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY "
		"a.attnum";
	struct table fresh = { .quoted = quote_name(session, name), .read_at = session_clock() };
	const char *values[] = { fresh.quoted };
	PGresult *rows = NULL;
	int status;

	if (fresh.quoted == NULL) {
		xylem_result_fail(
			ret_failure, XYLEM_FAILURE_DOWN, "memory", "no memory for the table's name");
		return -XYLEM_E_MEMORY;
	}
	status = session_query(session, sql, values, 1, deadline, &rows, ret_failure);
	if (status == 0) {
		status = fill(&fresh, session, rows, name, only, conflict_key, ret_failure);
	}
	PQclear(rows);
	if (status != 0) {
		table_finish(&fresh);
		return status;
	}
	table_finish(table);
	*table = fresh;
	return 0;
}

const struct column *table_find(const struct table *table, struct xylem_span name, size_t hint)
{
	size_t i;

	if (hint < table->n && xylem_span_is(name, table->columns[hint].name)) {
		return &table->columns[hint];
	}
	for (i = 0; i < table->n; i++) {
		if (xylem_span_is(name, table->columns[i].name)) {
			return &table->columns[i];
		}
	}
	return NULL;
}

/* ---- the statement ---- */

/* For each present column `before`, its quoted name or its number, `between`, its type. */
static void list_names(struct xylem_buffer *out, const struct table *table, const uint64_t *present)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < table->n; i++) {
		if (column_present(present, i)) {
			xylem_buffer_format(out, "%s%s", comma, table->columns[i].quoted);
			comma = ", ";
		}
	}
}

static void list_conflict(
	struct xylem_buffer *out, const struct table *table, const uint64_t *present, bool update)
{
	const char *comma = "";
	bool assigned = false;
	size_t i;

	xylem_buffer_text(out, " ON CONFLICT");
	for (i = 0; i < table->n; i++) {
		if (table->columns[i].key) {
			xylem_buffer_format(out, "%s%s", *comma ? comma : " (", table->columns[i].quoted);
			comma = ", ";
		}
		assigned = assigned || (column_present(present, i) && !table->columns[i].key);
	}
	xylem_buffer_text(out, *comma ? ")" : "");
	if (!update || !assigned) {
		xylem_buffer_text(out, " DO NOTHING");
		return;
	}
	xylem_buffer_text(out, " DO UPDATE SET ");
	comma = "";
	for (i = 0; i < table->n; i++) {
		if (column_present(present, i) && !table->columns[i].key) {
			const char *name = table->columns[i].quoted;

			xylem_buffer_format(out, "%s%s = EXCLUDED.%s", comma, name, name);
			comma = ", ";
		}
	}
}

char *table_statement(
	const struct table *table, const uint64_t *present, enum postgres_on_conflict on_conflict)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	XYLEM_BUFFER_SCOPED casts = { 0 };
	XYLEM_BUFFER_SCOPED parameters = { 0 };
	XYLEM_BUFFER_SCOPED aliases = { 0 };
	size_t i, n = 0;

	for (i = 0; i < table->n; i++) {
		if (column_present(present, i)) {
			const char *comma = n > 0 ? ", " : "";

			xylem_buffer_format(&casts, "%su.c%zu::%s", comma, n, table->columns[i].type);
			xylem_buffer_format(&aliases, "%sc%zu", comma, n);
			xylem_buffer_format(&parameters, "%s$%zu::text[]", comma, ++n);
		}
	}
	xylem_buffer_format(&out, "INSERT INTO %s (", table->quoted);
	list_names(&out, table, present);
	xylem_buffer_text(&out, ") SELECT ");
	xylem_buffer_span(&out, xylem_buffer_borrow(&casts));
	xylem_buffer_text(&out, " FROM unnest(");
	xylem_buffer_span(&out, xylem_buffer_borrow(&parameters));
	xylem_buffer_text(&out, ") AS u(");
	xylem_buffer_span(&out, xylem_buffer_borrow(&aliases));
	xylem_buffer_text(&out, ")");
	if (on_conflict != ON_CONFLICT_ERROR) {
		list_conflict(&out, table, present, on_conflict == ON_CONFLICT_UPDATE);
	}
	if (xylem_buffer_failed(&casts) || xylem_buffer_failed(&parameters) ||
		xylem_buffer_failed(&aliases)) {
		return NULL;
	}
	return xylem_buffer_take(&out, NULL);
}
