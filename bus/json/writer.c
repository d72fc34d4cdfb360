/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into a buffer. Commas follow from the last byte written, so that
 * writers need no state: one is due unless that byte opens something.
 */
#include <xylem/json.h>

#include "json/scan.h"
#include "json/utf8.h"

void xylem_json_write_comma(struct xylem_buffer *out)
{
	char last = out->n ? out->bytes[out->n - 1] : '[';
	if (last != '{' && last != '[' && last != ',' && last != ':') {
		xylem_buffer_byte(out, ',');
	}
}

static void write_control(struct xylem_buffer *out, char c)
{
	static const char letters[] = "\b\f\n\r\t", names[] = "bfnrt";
	const char *letter = c ? strchr(letters, c) : NULL;
	if (letter) {
		char escape[2] = { '\\', names[letter - letters] };
		xylem_buffer_append(out, escape, sizeof(escape));
	} else {
		xylem_buffer_format(out, "\\u%04x", (unsigned char)c);
	}
}

/* What scan_plain() stopped at. Returns behind it. */
static const char *write_special(struct xylem_buffer *out, const char *at, const char *end)
{
	if (*at == '"' || *at == '\\') {
		xylem_buffer_byte(out, '\\');
		xylem_buffer_byte(out, *at);
		return at + 1;
	}
	if ((unsigned char)*at < 0x20 || *at == 0x7f) {
		write_control(out, *at);
		return at + 1;
	}
	uint32_t point;
	size_t n = utf8_next(at, end, &point);
	if (n == 0) {
		xylem_buffer_text(out, "\xef\xbf\xbd");
		return at + 1;
	}
	xylem_buffer_append(out, at, n);
	return at + n;
}

void xylem_json_write_string(struct xylem_buffer *out, struct xylem_span bytes)
{
	const char *at = bytes.at, *end = bytes.at + bytes.n;
	xylem_buffer_byte(out, '"');
	while (at < end) {
		const char *stop = scan_plain(at, end);
		xylem_buffer_append(out, at, (size_t)(stop - at));
		at = stop < end ? write_special(out, stop, end) : stop;
	}
	xylem_buffer_byte(out, '"');
}

void xylem_json_write_name(struct xylem_buffer *out, const char *name)
{
	xylem_json_write_comma(out);
	xylem_json_write_string(out, xylem_span_of(name));
	xylem_buffer_byte(out, ':');
}

void xylem_json_write_int64(struct xylem_buffer *out, int64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (number < 0) {
		digits[--at] = '-';
	}
	xylem_buffer_append(out, digits + at, sizeof(digits) - at);
}
