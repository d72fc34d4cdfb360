/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of JSON text: unescaped only where they have escapes, compared where
 * they stand.
 *
 * The one decoder is piece_next(): it gives a string as a row of pieces, each
 * either a stretch of bytes that stand for themselves or one escape decoded.
 * On text that was not validated a lone surrogate becomes U+FFFD.
 */
#include <xylem/json.h>

#include "json/scan.h"
#include "json/string.h"
#include "json/utf8.h"

struct json_pieces json_pieces_over(struct xylem_span value)
{
	if (value.n < 2 || value.at[0] != '"') {
		return (struct json_pieces){ 0 };
	}
	const char *end = value.at + value.n;
	return (struct json_pieces){ .at = value.at + 1, .end = end[-1] == '"' ? end - 1 : end };
}

static uint32_t unit_at(const char *at, const char *end)
{
	uint32_t unit = 0;
	for (int i = 0; i < 4 && at < end; i++, at++) {
		char c = *at;
		unit = unit << 4 | (uint32_t)(scan_is_digit(c) ? c - '0' : ((c | 0x20) - 'a' + 10) & 15);
	}
	return unit;
}

/* `at` stands behind `\u`. */
static const char *unicode_decode(struct json_pieces *pieces, const char *at)
{
	const char *end = pieces->end;
	uint32_t point = unit_at(at, end);
	at += end - at < 4 ? end - at : 4;
	if (point >= 0xd800 && point <= 0xdbff && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
		uint32_t low = unit_at(at + 2, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
			at += 6;
		}
	}
	if (point >= 0xd800 && point <= 0xdfff) {
		point = 0xfffd;
	}
	pieces->piece = xylem_span(pieces->decoded, utf8_write(pieces->decoded, point));
	return at;
}

static char escape_decode(char c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

bool json_pieces_next(struct json_pieces *pieces)
{
	const char *at = pieces->at, *end = pieces->end;
	if (at >= end) {
		return false;
	}
	if (*at != '\\' || end - at < 2) {
		const char *stop = *at == '\\' ? end : memchr(at, '\\', (size_t)(end - at));
		pieces->at = stop ? stop : end;
		pieces->piece = xylem_span(at, (size_t)(pieces->at - at));
	} else if (at[1] == 'u') {
		pieces->at = unicode_decode(pieces, at + 2);
	} else {
		pieces->decoded[0] = escape_decode(at[1]);
		pieces->piece = xylem_span(pieces->decoded, 1);
		pieces->at = at + 2;
	}
	return true;
}

int xylem_json_string(struct xylem_span value, struct xylem_arena *arena, struct xylem_span *ret_bytes)
{
	if (xylem_json_type(value) != XYLEM_JSON_STRING) {
		return -XYLEM_E_INVALID;
	}
	struct json_pieces pieces = json_pieces_over(value);
	size_t n = (size_t)(pieces.end - pieces.at);
	if (n == 0 || !memchr(pieces.at, '\\', n)) {
		*ret_bytes = xylem_span(pieces.at ? pieces.at : value.at, n);
		return 0;
	}
	char *room = xylem_arena_take(arena, n); /* decoding never makes it longer */
	if (!room) {
		return -XYLEM_E_MEMORY;
	}
	char *at = room;
	while (json_pieces_next(&pieces)) {
		memcpy(at, pieces.piece.at, pieces.piece.n);
		at += pieces.piece.n;
	}
	*ret_bytes = xylem_span(room, (size_t)(at - room));
	return 0;
}

bool xylem_json_string_equals(struct xylem_span value, struct xylem_span bytes)
{
	struct json_pieces pieces = json_pieces_over(value);
	size_t n = (size_t)(pieces.end - pieces.at);
	if (n < bytes.n || !pieces.at) {
		return false; /* decoding never makes it longer */
	}
	if (n == bytes.n) {
		return (n == 0 || memcmp(pieces.at, bytes.at, n) == 0) && !memchr(pieces.at, '\\', n);
	}
	size_t at = 0;
	while (json_pieces_next(&pieces)) {
		if (pieces.piece.n > bytes.n - at ||
			memcmp(pieces.piece.at, bytes.at + at, pieces.piece.n) != 0) {
			return false;
		}
		at += pieces.piece.n;
	}
	return at == bytes.n;
}

static struct xylem_span rest(struct json_pieces *pieces)
{
	while (pieces->piece.n == 0 && json_pieces_next(pieces)) {
	}
	return pieces->piece;
}

int json_string_order(struct xylem_span a, struct xylem_span b)
{
	struct json_pieces left = json_pieces_over(a), right = json_pieces_over(b);
	for (;;) {
		struct xylem_span l = rest(&left), r = rest(&right);
		size_t n = l.n < r.n ? l.n : r.n;
		if (n == 0) {
			return (l.n > 0) - (r.n > 0);
		}
		int order = memcmp(l.at, r.at, n);
		if (order != 0) {
			return order < 0 ? -1 : 1;
		}
		left.piece = xylem_span(l.at + n, l.n - n);
		right.piece = xylem_span(r.at + n, r.n - n);
	}
}

size_t json_string_count(struct xylem_span value)
{
	size_t count = 0;
	struct json_pieces pieces = json_pieces_over(value);
	while (json_pieces_next(&pieces)) {
		count += utf8_count(pieces.piece);
	}
	return count;
}
