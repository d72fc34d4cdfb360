/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of operations as text and as forms. Which members count is chosen in
 * console/columns.c; here is only how they look where nobody can align columns:
 *
 *     orders/erp: idle, backlog 0, delivered 12
 *
 * Everything fits into a few kilobytes, and what was left out is said.
 */
#include <ctype.h>
#include <stdlib.h>

#include <console/columns.h>
#include <console/noun.h>
#include <console/xmpp/answer.h>
#include <xmpp/stanza.h>

#define LEAVES_MOST 120 /* values of one answer */
#define DEPTH_MOST 4

/* --- Values -------------------------------------------------------------------- */

static void write_seconds(struct xylem_buffer *out, double s)
{
	if (s >= 172800) {
		xylem_buffer_format(out, "%.0f days", s / 86400);
	} else if (s >= 7200) {
		xylem_buffer_format(out, "%.0f h", s / 3600);
	} else if (s >= 120) {
		xylem_buffer_format(out, "%.0f min", s / 60);
	} else {
		xylem_buffer_format(out, "%.3g s", s);
	}
}

static void write_array(struct xylem_buffer *out, const json_t *value)
{
	size_t i;
	const json_t *item;
	json_array_foreach(value, i, item)
	{
		xylem_buffer_text(out, i ? ", " : "");
		if (json_is_object(item) || json_is_array(item)) {
			char *text = json_dumps(item, JSON_COMPACT);
			xylem_buffer_text(out, text ? text : "");
			free(text);
		} else {
			answer_write_value(out, item, COLUMN_TEXT);
		}
	}
}

void answer_write_value(struct xylem_buffer *out, const json_t *value, int kind)
{
	const char *text = json_string_value(value);
	if (kind == COLUMN_TIME && text && json_string_length(value) == 24) {
		xylem_buffer_format(out, "%.10s %.8s", text, text + 11);
	} else if (kind == COLUMN_SECONDS && json_is_number(value)) {
		write_seconds(out, json_number_value(value));
	} else if (text) {
		xylem_buffer_append(out, text, json_string_length(value));
	} else if (json_is_integer(value)) {
		xylem_buffer_format(out, "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		xylem_buffer_format(out, "%.4g", json_real_value(value));
	} else if (json_is_boolean(value)) {
		xylem_buffer_text(out, json_is_true(value) ? "yes" : "no");
	} else if (json_is_array(value)) {
		write_array(out, value);
	} else if (json_is_object(value)) {
		char *dump = json_dumps(value, JSON_COMPACT);
		xylem_buffer_text(out, dump ? dump : "");
		free(dump);
	} else {
		xylem_buffer_byte(out, '-');
	}
}

static bool is_nothing(const json_t *value)
{
	return !value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

static void write_title(struct xylem_buffer *out, const char *title)
{
	for (const char *at = title; *at; at++) {
		xylem_buffer_byte(out, (char)tolower((unsigned char)*at));
	}
}

/* --- Lists ---------------------------------------------------------------------- */

bool answer_list(const struct operation *operation, const json_t *answer, const json_t **ret_rows,
	const struct column **ret_columns)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)answer, name, value)
	{
		const struct column *columns = columns_of(operation->name, name);
		if (columns && json_is_array(value) && !columns_are_part(operation->name)) {
			*ret_rows = value;
			*ret_columns = columns;
			return true;
		}
	}
	return false;
}

/* The first column names the row; states and what says why stand for themselves, numbers have their name. */
static void write_row(struct xylem_buffer *out, const json_t *row, const struct column *columns)
{
	answer_write_value(out, columns_value(row, columns->path), columns->kind);
	const char *between = ": ";
	for (const struct column *column = columns + 1; column->title; column++) {
		const json_t *value = columns_value(row, column->path);
		bool zero = json_is_number(value) && json_number_value(value) == 0;
		if (is_nothing(value) || (zero && strcmp(column->path, "backlog") != 0)) {
			continue;
		}
		xylem_buffer_text(out, between);
		between = ", ";
		if (column->kind != COLUMN_STATE || json_is_boolean(value)) {
			write_title(out, column->title);
			xylem_buffer_byte(out, ' ');
		}
		answer_write_value(out, value, column->kind);
	}
}

static void write_next(struct xylem_buffer *out, const json_t *answer)
{
	const json_t *next = json_object_get(answer, "next");
	if (!is_nothing(next)) {
		xylem_buffer_text(out, "more: after=");
		answer_write_value(out, next, COLUMN_TEXT);
		xylem_buffer_byte(out, '\n');
	}
}

void answer_write_after(struct xylem_buffer *out, const struct operation *operation, const json_t *rows,
	const struct column *columns, size_t shown)
{
	if (shown > 0 && operation_option(operation, "after")) {
		xylem_buffer_text(out, "more: after=");
		answer_write_value(
			out, columns_value(json_array_get(rows, shown - 1), columns->path), COLUMN_TEXT);
	}
}

/* False: they are not all there, and it says so. */
static bool write_rows(struct xylem_buffer *out, const struct operation *operation, const json_t *rows,
	const struct column *columns)
{
	size_t i;
	const json_t *row;
	json_array_foreach(rows, i, row)
	{
		size_t before = out->n;
		write_row(out, row, columns);
		xylem_buffer_byte(out, '\n');
		if (out->n > ANSWER_TEXT - 100) {
			xylem_buffer_cut(out, before);
			xylem_buffer_format(out, "... and %zu more\n", json_array_size(rows) - i);
			answer_write_after(out, operation, rows, columns, i);
			return false;
		}
	}
	if (json_array_size(rows) == 0) {
		xylem_buffer_text(out, "none\n");
	}
	return true;
}

/* --- One thing -------------------------------------------------------------------- */

typedef void (*leaf_visit)(void *context, const char *name, const json_t *value);

/* Every value of nested objects by its path; depth is bounded, what lies deeper is JSON. */
static void visit_leaves(const json_t *object, leaf_visit visit, void *context)
{
	struct level {
		const json_t *object;
		void *at;
		size_t prefix;
	} levels[DEPTH_MOST] = { { object, json_object_iter((json_t *)(uintptr_t)object), 0 } };
	char name[256] = "";
	int depth = 0, seen = 0;
	while (depth >= 0 && seen < LEAVES_MOST) {
		struct level *level = &levels[depth];
		if (!level->at) {
			depth--;
			continue;
		}
		json_t *value = json_object_iter_value(level->at);
		size_t n = level->prefix + (size_t)snprintf(name + level->prefix,
						   sizeof(name) - level->prefix, "%s%s",
						   level->prefix ? "." : "", json_object_iter_key(level->at));
		level->at = json_object_iter_next((json_t *)(uintptr_t)level->object, level->at);
		if (json_is_object(value) && depth + 1 < DEPTH_MOST && n < sizeof(name) - 64) {
			levels[++depth] = (struct level){ value, json_object_iter(value), n };
		} else {
			visit(context, name, value);
			seen++;
		}
	}
}

struct text_leaves {
	struct xylem_buffer *out;
	const struct operation *operation;
};

static void text_leaf(void *context, const char *name, const json_t *value)
{
	const struct text_leaves *leaves = context;
	const struct column *columns = columns_of(leaves->operation->name, name);
	struct xylem_buffer *out = leaves->out;
	size_t i;
	const json_t *row;
	if (is_nothing(value) || out->n >= ANSWER_TEXT) {
		return;
	}
	if (columns && json_is_array(value)) {
		json_array_foreach(value, i, row)
		{
			write_row(out, row, columns);
			xylem_buffer_byte(out, '\n');
		}
	} else {
		xylem_buffer_format(out, "%s: ", name);
		answer_write_value(out, value, COLUMN_TEXT);
		xylem_buffer_byte(out, '\n');
	}
}

static void write_summary(struct xylem_buffer *out, const json_t *answer, const struct column *columns)
{
	for (; columns->title; columns++) {
		const json_t *value = columns_value(answer, columns->path);
		if (!is_nothing(value)) {
			write_title(out, columns->title);
			xylem_buffer_text(out, ": ");
			answer_write_value(out, value, columns->kind);
			xylem_buffer_byte(out, '\n');
		}
	}
}

static void write_data(struct xylem_buffer *out, const json_t *answer)
{
	const json_t *text = json_object_get(answer, "data_text");
	const char *type = json_string_value(json_object_get(answer, "contenttype"));
	xylem_buffer_format(out, "%s, %lld bytes\n", type ? type : "no content type",
		(long long)json_integer_value(json_object_get(answer, "size")));
	answer_write_value(out, text ? text : json_object_get(answer, "data_base64"), COLUMN_TEXT);
}

/* Cuts at a character of UTF-8. */
static void cut(struct xylem_buffer *out)
{
	size_t n = ANSWER_TEXT - 20;
	if (xylem_buffer_failed(out) || out->n <= ANSWER_TEXT) {
		return;
	}
	while (n > 0 && ((unsigned char)out->bytes[n] & 0xc0) == 0x80) {
		n--;
	}
	xylem_buffer_cut(out, n);
	xylem_buffer_text(out, " ... (cut)");
}

void answer_write_text(
	struct xylem_buffer *out, const struct operation *operation, const json_t *answer, bool brief)
{
	const json_t *rows;
	const struct column *columns;
	if (operation->bytes) {
		write_data(out, answer);
	} else if (answer_list(operation, answer, &rows, &columns)) {
		if (write_rows(out, operation, rows, columns)) {
			write_next(out, answer);
		}
	} else if (brief && columns_summary(operation->name)) {
		write_summary(out, answer, columns_summary(operation->name));
	} else {
		struct text_leaves leaves = { out, operation };
		visit_leaves(answer, text_leaf, &leaves);
	}
	if (!xylem_buffer_failed(out) && out->n > 0 && out->bytes[out->n - 1] == '\n') {
		xylem_buffer_cut(out, out->n - 1);
	}
	cut(out);
}

/* --- Forms -------------------------------------------------------------------------- */

static void write_escaped_value(struct xylem_buffer *out, const json_t *value, int kind)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	answer_write_value(&text, value, kind);
	xml_escape_words(out, xylem_buffer_borrow(&text));
}

/* A table has `reported` first and nothing beside the items (XEP-0004, 3.4). How many rows there was room for. */
static size_t write_table(
	struct xylem_buffer *out, const json_t *rows, const struct column *columns, size_t most)
{
	size_t i, begin = out->n;
	const json_t *row;
	xylem_buffer_text(out, "<reported>");
	for (const struct column *column = columns; column->title; column++) {
		xylem_buffer_format(out, "<field var='%s' type='text-single' label='", column->path);
		write_title(out, column->title);
		xylem_buffer_text(out, "'/>");
	}
	xylem_buffer_text(out, "</reported>");
	json_array_foreach(rows, i, row)
	{
		if (out->n - begin > most) {
			break;
		}
		xylem_buffer_text(out, "<item>");
		for (const struct column *column = columns; column->title; column++) {
			xylem_buffer_format(out, "<field var='%s'><value>", column->path);
			const json_t *value = columns_value(row, column->path);
			if (!is_nothing(value)) {
				write_escaped_value(out, value, column->kind);
			}
			xylem_buffer_text(out, "</value></field>");
		}
		xylem_buffer_text(out, "</item>");
	}
	return i;
}

struct form_leaves {
	struct xylem_buffer *out;
	size_t begin, most;
};

static void write_lines(struct xylem_buffer *out, struct xylem_span text)
{
	while (text.n > 0) {
		const char *end = memchr(text.at, '\n', text.n);
		size_t n = end ? (size_t)(end - text.at) : text.n;
		xylem_buffer_text(out, "<value>");
		xml_escape_words(out, xylem_span(text.at, n));
		xylem_buffer_text(out, "</value>");
		text = xylem_span(text.at + n + (end != NULL), text.n - n - (end != NULL));
	}
}

static void form_leaf(void *context, const char *name, const json_t *value)
{
	struct form_leaves *leaves = context;
	XYLEM_BUFFER_SCOPED text = { 0 };
	answer_write_value(&text, value, COLUMN_TEXT);
	if (leaves->out->n - leaves->begin + text.n > leaves->most) {
		return;
	}
	bool lines = text.n > 0 && memchr(text.bytes, '\n', text.n) != NULL;
	xylem_buffer_text(leaves->out, "<field");
	xml_write_attribute(leaves->out, "var", xylem_span_of(name));
	xml_write_attribute(leaves->out, "label", xylem_span_of(name));
	xylem_buffer_format(leaves->out, " type='%s'>", lines ? "text-multi" : "text-single");
	if (lines) {
		write_lines(leaves->out, xylem_buffer_borrow(&text));
	} else {
		xylem_buffer_text(leaves->out, "<value>");
		xml_escape_words(leaves->out, xylem_buffer_borrow(&text));
		xylem_buffer_text(leaves->out, "</value>");
	}
	xylem_buffer_text(leaves->out, "</field>");
}

size_t answer_write_form(
	struct xylem_buffer *out, const struct operation *operation, const json_t *answer, size_t most)
{
	const json_t *rows;
	const struct column *columns;
	size_t shown = 0;
	xylem_buffer_format(out, "<x xmlns='" NS_DATA "' type='result'><title>%s</title>", operation->words);
	if (answer_list(operation, answer, &rows, &columns)) {
		shown = write_table(out, rows, columns, most);
	} else {
		struct form_leaves leaves = { out, out->n, most };
		visit_leaves(answer, form_leaf, &leaves);
	}
	xylem_buffer_text(out, "</x>");
	return shown;
}
