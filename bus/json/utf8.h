/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_UTF8_H
#define JSON_UTF8_H

#include <stdint.h>

#include <xylem/span.h>

/*
 * Length of the UTF-8 sequence at `at` (RFC 3629: no overlong form, no
 * surrogate, nothing above U+10FFFF), 1 to 4, with its code point; 0 when there
 * is none before `end`. `at` < `end`.
 */
size_t utf8_next(const char *at, const char *end, uint32_t *ret_point);

/* True when all of it is UTF-8. */
bool utf8_valid(struct xylem_span text);

/* Writes the code point (not a surrogate, at most U+10FFFF) and gives the number of bytes, 1 to 4. */
size_t utf8_write(char *at, uint32_t point);

/* Code points in valid UTF-8. */
size_t utf8_count(struct xylem_span text);

#endif
