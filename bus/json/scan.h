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

enum { SCAN_STEP = 16 };

#ifdef __SSE2__
/* As bits: which of the bytes a string is not simply written with; above the sixteen all are set. */
static inline unsigned scan_special(const char *at)
{
	__m128i block = scan_load(at);
	/* One more, as signed bytes: above 0x20 are all but the controls, DEL and those with the high bit. */
	__m128i high = _mm_cmpgt_epi8(_mm_add_epi8(block, _mm_set1_epi8(1)), _mm_set1_epi8(0x20));
	__m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
	return ~(unsigned)_mm_movemask_epi8(_mm_andnot_si128(_mm_or_si128(quote, slash), high));
}
#endif

static inline bool scan_is_plain(char c)
{
	return (signed char)c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
}

/* First byte of sixteen that a string is not simply written with, or behind them. */
static inline const char *scan_step(const char *at)
{
#ifdef __SSE2__
	return at + (unsigned)__builtin_ctz(scan_special(at));
#else
	const char *end = at + SCAN_STEP;
	while (at < end && scan_is_plain(*at)) {
		at++;
	}
	return at;
#endif
}

/* First byte that a string is not simply written with: quote, backslash, control character (DEL too), non-ASCII. */
static inline const char *scan_plain(const char *at, const char *end)
{
	for (; end - at >= SCAN_STEP; at += SCAN_STEP) {
		const char *stop = scan_step(at);
		if (stop < at + SCAN_STEP) {
			return stop;
		}
	}
	while (at < end && scan_is_plain(*at)) {
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

/*
 * Counts brackets from `at`, outside of strings, until one closes what is open
 * or `stop` is reached (or passed, at the end of a string). True: closed,
 * *ret_at is behind it; else *ret_at is where it stands, outside of a string.
 */
static inline bool scan_brackets(
	const char *at, const char *stop, const char *end, size_t *depth, const char **ret_at)
{
	while (at < stop && (at = scan_structure(at, end)) < stop) {
		char c = *at++;
		if (c == '"') {
			at = scan_string(at, end);
		} else if ((c | 0x20) == '{') {
			++*depth;
		} else if (--*depth == 0) {
			*ret_at = at;
			return true;
		}
	}
	*ret_at = at;
	return false;
}

#ifdef __SSE2__
/* Sixty-four bytes as bits: where quotes, backslashes, opening and closing brackets stand. */
struct scan_block {
	uint64_t quotes, slashes, opens, closes;
};

static inline struct scan_block scan_block(const char *at)
{
	struct scan_block block = { 0 };
	for (unsigned i = 0; i < 64; i += 16) {
		__m128i bytes = scan_load(at + i), folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
		block.quotes |= (uint64_t)scan_equal(bytes, '"') << i;
		block.slashes |= (uint64_t)scan_equal(bytes, '\\') << i;
		block.opens |= (uint64_t)scan_equal(folded, '{') << i;
		block.closes |= (uint64_t)scan_equal(folded, '}') << i;
	}
	return block;
}

/* Each bit the parity of those up to it: from bits of quotes to bits of what stands between them. */
static inline uint64_t scan_between(uint64_t bits)
{
	for (unsigned shift = 1; shift < 64; shift *= 2) {
		bits ^= bits << shift;
	}
	return bits;
}

/*
 * As scan_brackets(), as long as there are sixty-four bytes. What stands in
 * strings follows from the quotes alone where no backslash is near; a block
 * with one is walked.
 */
static inline bool scan_blocks(const char *at, const char *end, size_t *depth, const char **ret_at)
{
	uint64_t inside = 0; /* all ones: the block begins within a string */
	while (end - at >= 64) {
		struct scan_block block = scan_block(at);
		if (block.slashes) {
			at = inside ? scan_string(at, end) : at;
			inside = 0;
			if (scan_brackets(at, at + (end - at < 64 ? end - at : 64), end, depth, &at)) {
				*ret_at = at;
				return true;
			}
			continue;
		}
		uint64_t strings = scan_between(block.quotes) ^ inside;
		inside = (uint64_t)((int64_t)strings >> 63);
		for (uint64_t left = (block.opens | block.closes) & ~strings; left; left &= left - 1) {
			if (block.opens & left & -left) {
				++*depth;
			} else if (--*depth == 0) {
				*ret_at = at + __builtin_ctzll(left) + 1;
				return true;
			}
		}
		at += 64;
	}
	*ret_at = inside ? scan_string(at, end) : at;
	return false;
}
#endif

/* `at` stands on an opening bracket or brace; the result behind the one that closes it. */
static inline const char *scan_container(const char *at, const char *end)
{
	size_t depth = 0;
#ifdef __SSE2__
	if (scan_blocks(at, end, &depth, &at)) {
		return at;
	}
#endif
	return scan_brackets(at, end, end, &depth, &at) ? at : end;
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

/*
 * The same for one of several texts that stand behind each other: a number or
 * a word also ends where the next can only begin (`1[2]`), and at RS of RFC 7464.
 */
static inline const char *scan_text(const char *at, const char *end)
{
	if (at >= end || *at == '"' || *at == '{' || *at == '[') {
		return scan_value(at, end);
	}
	while (at < end && !scan_is_space(*at) && *at != 0x1e && *at != '"' && *at != ',' && *at != ':' &&
		(*at | 0x20) != '{' && (*at | 0x20) != '}') {
		at++;
	}
	return at;
}

#endif
