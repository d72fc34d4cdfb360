/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How answers look to people: for lists a table with the columns chosen here,
 * for everything else names and values, indented. An operation that is not in
 * the table below is shown all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/ctl/ctl.h>

/* Columns from the members of the first row, for tables that nobody chose columns for. */
static void show_any_table(const json_t *rows)
{
	struct column columns[16] = { { NULL } };
	const char *name;
	json_t *value;
	size_t n = 0;
	json_object_foreach(json_array_get(rows, 0), name, value)
	{
		if (n < 15 && !json_is_object(value)) {
			columns[n++] = (struct column){ name, name,
				json_is_number(value) ? COLUMN_NUMBER : COLUMN_TEXT };
		}
	}
	table_show(rows, columns);
}

static bool is_table(const json_t *value)
{
	return json_array_size(value) && json_is_object(json_array_get(value, 0));
}

/* One row for each element of the table inside a row, which stands there in its place; NULL: there is none. */
static json_t *unfold(const json_t *row)
{
	const char *name;
	json_t *value, *inner;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)row, name, value)
	{
		if (!is_table(value)) {
			continue;
		}
		json_t *rows = json_array();
		json_array_foreach(value, i, inner)
		{
			json_t *line = json_copy((json_t *)(uintptr_t)row);
			json_object_set(line, name, inner);
			json_array_append_new(rows, line);
		}
		return rows;
	}
	return NULL;
}

/* A line for each element of a table within a row: in a cell, nobody could read it. */
static void show_table(const json_t *rows, const struct column *columns)
{
	json_t *lines = json_array(), *row;
	size_t i;
	json_array_foreach(rows, i, row)
	{
		json_t *inside = unfold(row);
		if (inside) {
			json_array_extend(lines, inside);
		} else {
			json_array_append(lines, row);
		}
		json_decref(inside);
	}
	table_show(lines, columns);
	json_decref(lines);
}

static void show_scalar(const json_t *value)
{
	XYLEM_BUFFER_SCOPED line = { 0 };
	char *dump = NULL;
	if (json_is_string(value)) {
		view_plain(&line, json_string_value(value));
	} else if (json_is_null(value)) {
		xylem_buffer_byte(&line, '-');
	} else if (json_is_boolean(value)) {
		xylem_buffer_text(&line, json_is_true(value) ? "yes" : "no");
	} else {
		dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
		xylem_buffer_text(&line, dump ? dump : "");
	}
	xylem_buffer_byte(&line, '\0');
	const char *colour = json_is_string(value) ? table_state_colour(line.bytes) : "";
	printf("%s%s%s\n", colour, line.bytes ? line.bytes : "", *colour ? COLOUR_END : "");
	free(dump);
}

static void show_object(const char *operation, const json_t *object, int depth)
{
	const char *name;
	json_t *value;
	int wide = 0;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		wide = (int)strlen(name) > wide ? (int)strlen(name) : wide;
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const struct column *columns = depth ? NULL : columns_of(operation, name);
		if (columns || is_table(value)) {
			printf("%*s%s:\n", depth * 2, "", name);
			columns ? show_table(value, columns) : show_any_table(value);
		} else if (json_is_object(value) && json_object_size(value)) {
			printf("%*s%s:\n", depth * 2, "", name);
			show_object(operation, value, depth + 1);
		} else {
			printf("%*s%-*s  ", depth * 2, "", wide, name);
			show_scalar(value);
		}
	}
}

void view_show(const char *operation, const json_t *answer)
{
	const char *name;
	json_t *value;
	if (strcmp(operation, "message-stages") == 0) {
		ctl_stages_show(answer);
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)answer, name, value)
	{
		const struct column *columns = columns_of(operation, name);
		if (columns && !columns_are_part(operation)) {
			table_show(value, columns);
			const json_t *next = json_object_get(answer, "next");
			char *text = next && !json_is_null(next) ? json_dumps(next, JSON_ENCODE_ANY) : NULL;
			if (text) {
				fprintf(stderr, "more: --after %.*s, or --all\n",
					(int)strcspn(text + (*text == '"'), "\""), text + (*text == '"'));
			}
			free(text);
			return;
		}
	}
	show_object(operation, answer, 0);
}
