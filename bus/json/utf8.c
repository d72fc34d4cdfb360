/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as RFC 3629 has it. The one decoder of the bus's own parsers, so that
 * all of them accept and refuse the same bytes.
 */
#include "json/utf8.h"

static bool continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t utf8_next(const char *at, const char *end, uint32_t *ret_point)
{
	const unsigned char *s = (const unsigned char *)at;
	size_t left = (size_t)(end - at);
	uint32_t point;
	if (s[0] < 0x80) {
		*ret_point = s[0];
		return 1;
	}
	if (s[0] >= 0xc2 && s[0] <= 0xdf && left >= 2 && continuation(s[1])) {
		*ret_point = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
		return 2;
	}
	if ((s[0] & 0xf0) == 0xe0 && left >= 3 && continuation(s[1]) && continuation(s[2])) {
		point = (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
		*ret_point = point;
		return point >= 0x800 && (point < 0xd800 || point > 0xdfff) ? 3 : 0;
	}
	if ((s[0] & 0xf8) == 0xf0 && left >= 4 && continuation(s[1]) && continuation(s[2]) &&
		continuation(s[3])) {
		point = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
			(uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
		*ret_point = point;
		return point >= 0x10000 && point <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

bool utf8_valid(struct xylem_span text)
{
	const char *at = text.at, *end = text.at + text.n;
	while (at < end) {
		uint32_t point;
		size_t n = utf8_next(at, end, &point);
		if (n == 0) {
			return false;
		}
		at += n;
	}
	return true;
}

size_t utf8_write(char *at, uint32_t point)
{
	if (point < 0x80) {
		at[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		at[0] = (char)(0xc0 | point >> 6);
		at[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		at[0] = (char)(0xe0 | point >> 12);
		at[1] = (char)(0x80 | (point >> 6 & 0x3f));
		at[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	at[0] = (char)(0xf0 | point >> 18);
	at[1] = (char)(0x80 | (point >> 12 & 0x3f));
	at[2] = (char)(0x80 | (point >> 6 & 0x3f));
	at[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

size_t utf8_count(struct xylem_span text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.n; i++) {
		count += !continuation((unsigned char)text.at[i]);
	}
	return count;
}
