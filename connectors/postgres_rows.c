/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From messages to rows: reads the members of `.data` into the columns of the
 * table, and writes columns as arrays for the wire.
 *
 * A value goes as PostgreSQL's text form: strings unescaped, numbers and
 * booleans as they are written, objects and arrays as their JSON text (or as an
 * array literal for an array column). json and jsonb columns get the JSON text
 * of whatever the value is. JSON null is SQL NULL; a member that is missing is
 * a column that is not in the statement, so the column's default holds.
 *
 * The rule not to break: numbers are never converted, only copied.
 */
#include <endian.h>

#include "postgres_rows.h"

#define DIMENSIONS 6 /* MAXDIM of PostgreSQL */
#define TEXT_OID 25

static int invalid(struct xylem_result *ret_failure, const char *code, const char *name, const char *why)
{
	xylem_result_fail(ret_failure, XYLEM_FAILURE_WRONG, code, "%s%s%s%s", name ? "`" : "",
		name ? name : "", name ? "` " : "", why);
	return -XYLEM_E_INVALID;
}

static void array_string(struct xylem_buffer *out, struct xylem_span bytes)
{
	size_t i;

	xylem_buffer_byte(out, '"');
	for (i = 0; i < bytes.n; i++) {
		if (bytes.at[i] == '"' || bytes.at[i] == '\\') {
			xylem_buffer_byte(out, '\\');
		}
		xylem_buffer_byte(out, bytes.at[i]);
	}
	xylem_buffer_byte(out, '"');
}

static int array_element(struct xylem_buffer *out, struct xylem_span value, struct xylem_arena *arena)
{
	struct xylem_span bytes = value;
	enum xylem_json_type type = xylem_json_type(value);
	int status = type == XYLEM_JSON_STRING ? xylem_json_string(value, arena, &bytes) : 0;

	if (status == 0 && type == XYLEM_JSON_NULL) {
		xylem_buffer_text(out, "NULL");
	} else if (status == 0 && (type == XYLEM_JSON_STRING || type == XYLEM_JSON_OBJECT)) {
		array_string(out, bytes);
	} else {
		xylem_buffer_span(out, bytes);
	}
	return status;
}

int array_literal(struct xylem_span json, struct xylem_arena *arena, struct xylem_span *ret_text)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_json_iterator open[DIMENSIONS] = { 0 };
	bool first[DIMENSIONS] = { true };
	size_t depth = 1;

	xylem_json_iterate(&open[0], json);
	xylem_buffer_byte(&out, '{');
	while (depth > 0) {
		if (!xylem_json_next(&open[depth - 1])) {
			xylem_buffer_byte(&out, '}');
			depth--;
			continue;
		}
		xylem_buffer_text(&out, first[depth - 1] ? "" : ",");
		first[depth - 1] = false;
		if (xylem_json_type(open[depth - 1].value) != XYLEM_JSON_ARRAY) {
			int status = array_element(&out, open[depth - 1].value, arena);

			if (status != 0) {
				return status;
			}
		} else if (depth == DIMENSIONS) {
			return -XYLEM_E_INVALID;
		} else {
			open[depth] = (struct xylem_json_iterator){ 0 };
			xylem_json_iterate(&open[depth], open[depth - 1].value);
			first[depth++] = true;
			xylem_buffer_byte(&out, '{');
		}
	}
	*ret_text = xylem_arena_copy(arena, xylem_buffer_borrow(&out));
	return xylem_buffer_failed(&out) || !xylem_span_present(*ret_text) ? -XYLEM_E_MEMORY : 0;
}

/* The text of one value, or an absent span for SQL NULL. */
static int value_text(const struct column *column, struct xylem_span value, struct xylem_arena *arena,
	struct xylem_span *ret_text, struct xylem_result *ret_failure)
{
	enum xylem_json_type type = xylem_json_type(value);
	int status = 0;

	if (type == XYLEM_JSON_NULL) {
		*ret_text = XYLEM_SPAN_NONE;
	} else if (column->kind == COLUMN_JSON) {
		*ret_text = value;
	} else if (column->kind == COLUMN_ARRAY && type == XYLEM_JSON_ARRAY) {
		status = array_literal(value, arena, ret_text);
	} else if (type == XYLEM_JSON_STRING) {
		status = xylem_json_string(value, arena, ret_text);
	} else {
		*ret_text = value;
	}
	if (status == -XYLEM_E_INVALID) {
		return invalid(ret_failure, "array", column->name, "is an array of more than 6 dimensions");
	}
	if (status == 0 && ret_text->n > 0 && memchr(ret_text->at, '\0', ret_text->n) != NULL) {
		return invalid(ret_failure, "nul-in-text", column->name,
			"has the character U+0000, which PostgreSQL cannot store");
	}
	return status;
}

static int find_column(const struct table *table, struct xylem_span quoted_name, size_t hint,
	bool ignore_unknown, struct xylem_arena *arena, const struct column **ret_column,
	struct xylem_result *ret_failure)
{
	struct xylem_span name;
	int status = xylem_json_string(quoted_name, arena, &name);
	const struct column *column = status == 0 ? table_find(table, name, hint) : NULL;

	if (status != 0) {
		return status;
	}
	if (column != NULL && column->computed && !ignore_unknown) {
		return invalid(ret_failure, "computed-column", column->name,
			"is a column that PostgreSQL computes itself; leave it out");
	}
	if (column == NULL && !ignore_unknown) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_WRONG, "unknown-column",
			"`%.*s` is not a column of %s; map the data, or set `unknown: ignore`",
			(int)(name.n < 100 ? name.n : 100), name.at, table->quoted);
		return -XYLEM_E_NOT_FOUND;
	}
	*ret_column = column != NULL && column->computed ? NULL : column;
	return 0;
}

static int fill_values(struct xylem_span *values, uint64_t *present, const struct table *table,
	struct xylem_span data, bool ignore_unknown, struct xylem_arena *arena,
	struct xylem_result *ret_failure)
{
	struct xylem_json_iterator members = { 0 };
	size_t hint = 0;

	xylem_json_iterate(&members, data);
	while (xylem_json_next(&members)) {
		const struct column *column = NULL;
		int status = find_column(
			table, members.name, hint, ignore_unknown, arena, &column, ret_failure);
		size_t i;

		if (status == 0 && column == NULL) {
			continue;
		}
		i = status == 0 ? (size_t)(column - table->columns) : 0;
		status = status ? status : value_text(column, members.value, arena, &values[i], ret_failure);
		if (status != 0) {
			return status;
		}
		present[i / 64] |= (uint64_t)1 << (i % 64);
		hint = i + 1;
	}
	return 0;
}

static int check_data(const struct xylem_message *message, struct xylem_result *ret_failure)
{
	struct xylem_reason reason;

	if (!xylem_content_type_is_json(message->datacontenttype)) {
		return invalid(ret_failure, "not-json", NULL,
			"the data is not JSON by its content type; a row is a JSON object");
	}
	if (!xylem_span_present(message->data)) {
		return invalid(ret_failure, "no-data", NULL, "the event has no data; a row is a JSON object");
	}
	if (xylem_json_check(message->data, NULL, &reason) != 0) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_WRONG, "not-json", "the data: %s", reason.text);
		return -XYLEM_E_INVALID;
	}
	if (xylem_json_type(xylem_json_trim(message->data)) != XYLEM_JSON_OBJECT) {
		return invalid(ret_failure, "not-object", NULL,
			"the data is not a JSON object with a member for each column");
	}
	return 0;
}

int row_map(struct row *row, const struct table *table, const struct xylem_message *message,
	bool ignore_unknown, struct xylem_arena *arena, struct xylem_result *ret_failure)
{
	size_t words = table->n / 64 + 1, i;
	struct xylem_span *values = xylem_arena_zero(arena, (table->n + 1) * sizeof(*values));
	uint64_t *present = xylem_arena_zero(arena, words * sizeof(*present));
	int status = values == NULL || present == NULL ? -XYLEM_E_MEMORY : check_data(message, ret_failure);
	uint64_t any = 0;

	if (status == 0) {
		status = fill_values(values, present, table, xylem_json_trim(message->data), ignore_unknown,
			arena, ret_failure);
	}
	for (i = 0; status == 0 && i < words; i++) {
		any |= present[i];
	}
	if (status == 0 && any == 0) {
		status = invalid(
			ret_failure, "no-columns", NULL, "no member of the data is a column of the table");
	}
	if (status == -XYLEM_E_MEMORY) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "memory", "no memory to read the row");
	}
	if (status == 0) {
		*row = (struct row){ .values = values, .present = present, .previous = SIZE_MAX };
	}
	return status;
}

bool rows_same_shape(const struct row *a, const struct row *b, const struct table *table)
{
	return memcmp(a->present, b->present, (table->n / 64 + 1) * sizeof(*a->present)) == 0;
}

/* ---- repeated conflict keys ---- */

/* False where a part of the key is missing or NULL: such a row conflicts with none. */
static bool key_hash(const struct row *row, const struct table *table, uint64_t *ret_hash)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	size_t i, k;

	for (i = 0; i < table->n; i++) {
		const struct xylem_span value = row->values[i];

		if (!table->columns[i].key) {
			continue;
		}
		if (!xylem_span_present(value)) {
			return false;
		}
		for (k = 0; k < value.n; k++) {
			hash = (hash ^ (unsigned char)value.at[k]) * 1099511628211u;
		}
		hash = (hash ^ 0x100) * 1099511628211u;
	}
	*ret_hash = hash;
	return true;
}

static bool key_equal(const struct row *a, const struct row *b, const struct table *table)
{
	size_t i;

	for (i = 0; i < table->n; i++) {
		if (table->columns[i].key && !xylem_span_equal(a->values[i], b->values[i])) {
			return false;
		}
	}
	return true;
}

int rows_link(struct row *rows, size_t n, const struct table *table, struct xylem_arena *arena)
{
	size_t slots = 16, i;
	uint32_t *seen; /* index + 1 of the last row of that key */

	while (slots < 2 * n) {
		slots *= 2;
	}
	seen = xylem_arena_zero(arena, slots * sizeof(*seen));
	if (seen == NULL) {
		return -XYLEM_E_MEMORY;
	}
	for (i = 0; i < n; i++) {
		uint64_t hash;
		size_t slot;

		if (!key_hash(&rows[i], table, &hash)) {
			continue;
		}
		slot = (size_t)(hash ^ hash >> 32) & (slots - 1);
		while (seen[slot] != 0 && !key_equal(&rows[seen[slot] - 1], &rows[i], table)) {
			slot = (slot + 1) & (slots - 1);
		}
		rows[i].previous = seen[slot] != 0 ? seen[slot] - 1 : SIZE_MAX;
		seen[slot] = (uint32_t)i + 1;
	}
	return 0;
}

/* ---- the wire ---- */

static void put_int32(struct xylem_buffer *out, uint32_t number)
{
	uint32_t big = htobe32(number);

	xylem_buffer_append(out, &big, sizeof(big));
}

void rows_encode(const struct row *rows, size_t n, size_t i, struct xylem_buffer *out)
{
	size_t row;

	put_int32(out, 1); /* dimensions */
	put_int32(out, 1); /* there may be NULLs */
	put_int32(out, TEXT_OID);
	put_int32(out, (uint32_t)n);
	put_int32(out, 1); /* the first index */
	for (row = 0; row < n; row++) {
		struct xylem_span value = rows[row].values[i];

		if (!xylem_span_present(value)) {
			put_int32(out, UINT32_MAX); /* NULL */
		} else {
			put_int32(out, (uint32_t)value.n);
			xylem_buffer_span(out, value);
		}
	}
}
