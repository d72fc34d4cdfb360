/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdint.h>

#include <xylem/span.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * The steps that every walk over JSON text is made of, inline because each
 * message takes hundreds of them. All stop at `end` at the latest, whatever
 * the bytes are. Sixteen bytes at a time where the machine has SSE2 (every
 * x86-64 has), one at a time elsewhere and at the end of the text.
 */

static inline bool scan_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *scan_space(const char *at, const char *end)
{
	while (at < end && scan_is_space(*at)) {
		at++;
	}
	return at;
}

static inline bool scan_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

#ifdef __SSE2__
static inline __m128i scan_load(const char *at)
{
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline unsigned scan_equal(__m128i block, char c)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(c)));
}
#endif

/* First byte that a string cannot hold as it stands, or that needs a closer look: quote, backslash, control, non-ASCII. */
static inline const char *scan_plain(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		__m128i block = scan_load(at);
		/* Compared as signed bytes: below 0x20 are the controls and all with the high bit. */
		unsigned special = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(block, _mm_set1_epi8(0x20))) |
				   scan_equal(block, '"') | scan_equal(block, '\\');
		if (special) {
			return at + __builtin_ctz(special);
		}
	}
#endif
	while (at < end && (signed char)*at >= 0x20 && *at != '"' && *at != '\\') {
		at++;
	}
	return at;
}

/* First quote or backslash. */
static inline const char *scan_quote(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		__m128i block = scan_load(at);
		unsigned special = scan_equal(block, '"') | scan_equal(block, '\\');
		if (special) {
			return at + __builtin_ctz(special);
		}
	}
#endif
	while (at < end && *at != '"' && *at != '\\') {
		at++;
	}
	return at;
}

/* First quote, bracket or brace. */
static inline const char *scan_structure(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		__m128i block = scan_load(at);
		/* `[` and `{`, and `]` and `}`, differ in the bit 0x20 only. */
		__m128i folded = _mm_or_si128(block, _mm_set1_epi8(0x20));
		unsigned special = scan_equal(block, '"') | scan_equal(folded, '{') | scan_equal(folded, '}');
		if (special) {
			return at + __builtin_ctz(special);
		}
	}
#endif
	while (at < end && *at != '"' && (*at | 0x20) != '{' && (*at | 0x20) != '}') {
		at++;
	}
	return at;
}

/* `at` stands behind the opening quote; the result behind the closing one. */
static inline const char *scan_string(const char *at, const char *end)
{
	for (;;) {
		at = scan_quote(at, end);
		if (at >= end) {
			return end;
		}
		if (*at == '"') {
			return at + 1;
		}
		at += end - at > 1 ? 2 : 1; /* a backslash and what it escapes */
	}
}

/* `at` stands on an opening bracket or brace; the result behind the one that closes it. */
static inline const char *scan_container(const char *at, const char *end)
{
	size_t depth = 0;
	while ((at = scan_structure(at, end)) < end) {
		char c = *at++;
		if (c == '"') {
			at = scan_string(at, end);
		} else if ((c | 0x20) == '{') {
			depth++;
		} else if (--depth == 0) {
			return at;
		}
	}
	return end;
}

/* `at` stands on a value's first byte; the result behind its last. */
static inline const char *scan_value(const char *at, const char *end)
{
	if (at >= end) {
		return end;
	}
	if (*at == '"') {
		return scan_string(at + 1, end);
	}
	if (*at == '{' || *at == '[') {
		return scan_container(at, end);
	}
	while (at < end && *at != ',' && *at != '}' && *at != ']' && !scan_is_space(*at)) {
		at++;
	}
	return at;
}

#endif
