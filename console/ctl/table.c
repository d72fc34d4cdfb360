/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for people: columns as wide as what is in them, numbers to the
 * right, colours and cutting at the edge only on a terminal. What comes from
 * messages is shown, never obeyed: control characters are written out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <console/ctl/ctl.h>

#define COLUMNS_MAX 16

bool table_colour(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
}

const char *table_state_colour(const char *state)
{
	static const char *const good[] = { "running", "idle", "up", "delivered", "ok", "ready", "resolved",
		"yes" };
	static const char *const bad[] = { "down", "misconfigured", "stopped", "hospitalised", "open",
		"failed", "forbidden", "no" };
	static const char *const middling[] = { "paused", "retired", "replaying", "held", "pending" };
	if (!table_colour()) {
		return "";
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (strcmp(state, good[i]) == 0) {
			return "\033[32m";
		}
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (strcmp(state, bad[i]) == 0) {
			return "\033[31m";
		}
	}
	for (size_t i = 0; i < sizeof(middling) / sizeof(middling[0]); i++) {
		if (strcmp(state, middling[i]) == 0) {
			return "\033[33m";
		}
	}
	return "";
}

void view_plain(struct xylem_buffer *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		/* C1 controls are 0xc2 0x80..0x9f in UTF-8. */
		if (c < ' ' || c == 0x7f) {
			xylem_buffer_format(out, "\\x%02x", c);
		} else if (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0) {
			xylem_buffer_format(out, "\\x%02x", (unsigned char)*++text);
		} else {
			xylem_buffer_byte(out, (char)c);
		}
	}
}

/* Characters, as far as code points tell. */
static size_t width(struct xylem_span text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		n += (text.at[i] & 0xc0) != 0x80;
	}
	return n;
}

/* The bytes of the first n characters. */
static size_t bytes_of(struct xylem_span text, size_t n)
{
	size_t i = 0;
	while (i < text.n && (n > 0 || (text.at[i] & 0xc0) == 0x80)) {
		n -= (text.at[i] & 0xc0) != 0x80;
		i++;
	}
	return i;
}

static void write_bytes(struct xylem_buffer *out, double n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;
	for (; n >= 1024 && unit < 4; unit++) {
		n /= 1024;
	}
	xylem_buffer_format(out, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

static void write_seconds(struct xylem_buffer *out, double s)
{
	if (s <= 0) {
		xylem_buffer_byte(out, '-');
	} else if (s < 120) {
		xylem_buffer_format(out, "%.1f s", s);
	} else if (s < 7200) {
		xylem_buffer_format(out, "%.0f min", s / 60);
	} else {
		xylem_buffer_format(out, "%.1f h", s / 3600);
	}
}

static void write_value(struct xylem_buffer *out, const json_t *value, int kind);

/* Lists as `a, b`; objects as `a=1 b=2`. */
static void write_inside(struct xylem_buffer *out, const json_t *value)
{
	size_t i;
	const char *name;
	json_t *item;
	const char *between = "";
	json_array_foreach(value, i, item)
	{
		xylem_buffer_text(out, between);
		write_value(out, item, COLUMN_TEXT);
		between = ", ";
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, item)
	{
		xylem_buffer_text(out, between);
		view_plain(out, name);
		xylem_buffer_byte(out, '=');
		write_value(out, item, COLUMN_TEXT);
		between = " ";
	}
}

static void write_value(struct xylem_buffer *out, const json_t *value, int kind)
{
	if (kind == COLUMN_BYTES && json_is_number(value)) {
		write_bytes(out, json_number_value(value));
	} else if (kind == COLUMN_SECONDS && json_is_number(value)) {
		write_seconds(out, json_number_value(value));
	} else if (json_is_string(value)) {
		view_plain(out, json_string_value(value));
	} else if (json_is_integer(value)) {
		xylem_buffer_format(out, "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		xylem_buffer_format(out, "%.3g", json_real_value(value));
	} else if (json_is_boolean(value)) {
		xylem_buffer_text(out, json_is_true(value) ? "yes" : "no");
	} else if (json_is_array(value) || json_is_object(value)) {
		write_inside(out, value);
	} else {
		xylem_buffer_byte(out, '-');
	}
}

/* `2026-11-21T09:30:00.125Z` as `11-21 09:30:00.125`. */
static void write_cell(struct xylem_buffer *out, const json_t *row, const struct column *column)
{
	const json_t *value = columns_value(row, column->path);
	const char *text = json_string_value(value);
	size_t n = out->n;
	if (column->kind == COLUMN_TIME && text && strlen(text) == 24) {
		xylem_buffer_format(out, "%.5s %.12s", text + 5, text + 11);
	} else {
		write_value(out, value, column->kind);
	}
	if (out->n == n) {
		xylem_buffer_byte(out, '-'); /* columns stay countable */
	}
}

static size_t edge(void)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20) {
		return SIZE_MAX;
	}
	return size.ws_col;
}

struct layout {
	const struct column *columns;
	size_t n;
	size_t widths[COLUMNS_MAX];
	size_t edge;
};

static void put(
	const struct layout *layout, size_t i, size_t used, struct xylem_span text, const char *colour)
{
	const struct column *column = &layout->columns[i];
	bool last = i + 1 == layout->n;
	size_t n = width(text), pad = n < layout->widths[i] ? layout->widths[i] - n : 0;
	bool right = column->kind == COLUMN_NUMBER || column->kind == COLUMN_BYTES ||
		     column->kind == COLUMN_SECONDS;
	if (last && used < layout->edge && used + n > layout->edge) {
		text.n = bytes_of(text, layout->edge - used);
	}
	printf("%s%*s%s%.*s%s%*s", i ? "  " : "", right ? (int)pad : 0, "", colour, (int)text.n,
		text.n ? text.at : "", *colour ? COLOUR_END : "", right || last ? 0 : (int)pad, "");
}

static void show_row(const struct layout *layout, const json_t *row)
{
	size_t used = 0;
	for (size_t i = 0; i < layout->n; i++) {
		XYLEM_BUFFER_SCOPED cell = { 0 };
		const char *colour = "";
		write_cell(&cell, row, &layout->columns[i]);
		xylem_buffer_byte(&cell, '\0');
		if (layout->columns[i].kind == COLUMN_STATE && !xylem_buffer_failed(&cell)) {
			colour = table_state_colour(cell.bytes);
		}
		used += i ? 2 : 0;
		put(layout, i, used, xylem_span(cell.bytes, cell.n ? cell.n - 1 : 0), colour);
		used += layout->widths[i];
	}
	putchar('\n');
}

void table_show(const json_t *rows, const struct column *columns)
{
	struct layout layout = { .columns = columns, .edge = edge() };
	size_t r;
	const json_t *row;
	for (; columns[layout.n].title && layout.n < COLUMNS_MAX; layout.n++) {
		layout.widths[layout.n] = strlen(columns[layout.n].title);
		json_array_foreach(rows, r, row)
		{
			XYLEM_BUFFER_SCOPED cell = { 0 };
			write_cell(&cell, row, &columns[layout.n]);
			size_t n = width(xylem_buffer_borrow(&cell));
			layout.widths[layout.n] = n > layout.widths[layout.n] ? n : layout.widths[layout.n];
		}
	}
	for (size_t i = 0, used = 0; i < layout.n; i++) {
		used += i ? 2 : 0;
		put(&layout, i, used, xylem_span_of(columns[i].title), table_colour() ? "\033[1m" : "");
		used += layout.widths[i];
	}
	putchar('\n');
	json_array_foreach(rows, r, row)
	{
		show_row(&layout, row);
	}
}
