/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of rows as JSON values.
 *
 * Text in the catalogue comes from outside: an event's attributes are checked
 * UTF-8, but a reason repeats what a foreign system said. jansson refuses other
 * bytes, so they are replaced here, once for all views.
 */
#include "column.h"

#include <base/clock.h>
#include <xylem/buffer.h>

/* Length of the UTF-8 sequence at the start of `text`; 0 if there is none (RFC 3629). */
static size_t sequence(struct xylem_span text)
{
	unsigned char first = (unsigned char)text.at[0];
	size_t n = 0;
	if (first < 0x80) {
		n = 1;
	} else if (first >= 0xc2 && first < 0xe0) {
		n = 2;
	} else if (first >= 0xe0 && first < 0xf0) {
		n = 3;
	} else if (first >= 0xf0 && first < 0xf5) {
		n = 4;
	}
	if (n == 0 || n > text.n) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)text.at[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return n;
}

static json_t *repaired(struct xylem_span text)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	while (text.n > 0) {
		size_t n = sequence(text);
		json_t *fits = n > 1 ? json_stringn(text.at, n) : NULL; /* surrogates, overlong forms */
		if (n == 1 || fits) {
			xylem_buffer_append(&out, text.at, n);
		} else {
			xylem_buffer_text(&out, "\xef\xbf\xbd");
			n = 1;
		}
		json_decref(fits);
		text = xylem_span(text.at + n, text.n - n);
	}
	return xylem_buffer_failed(&out) ? NULL : json_stringn(out.bytes, out.n);
}

json_t *span_json(struct xylem_span text)
{
	if (!xylem_span_present(text)) {
		return json_null();
	}
	json_t *json = json_stringn(text.at, text.n);
	return json ? json : repaired(text);
}

json_t *time_json(int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];
	return wall_us ? json_string(clock_format(wall_us, text)) : json_null();
}

json_t *position_json(struct xylem_position at)
{
	char text[XYLEM_HANDLE_SIZE];
	return json_string(xylem_handle_format(at, text));
}

json_t *column_json(sqlite3_stmt *row, int column)
{
	switch (sqlite3_column_type(row, column)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(row, column));
	case SQLITE_NULL:
		return json_null();
	default: {
		const char *text = sqlite3_column_blob(row, column);
		return span_json(xylem_span(text ? text : "", (size_t)sqlite3_column_bytes(row, column)));
	}
	}
}

json_t *column_time(sqlite3_stmt *row, int column)
{
	return time_json(sqlite3_column_int64(row, column));
}

json_t *column_name(sqlite3_stmt *row, int column)
{
	return sqlite3_column_bytes(row, column) > 0 ? column_json(row, column) : json_null();
}
