/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_SPAN_H
#define XYLEM_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Borrowed bytes: a pointer and a length, never NUL-terminated, never owned.
 * Whoever hands one out says until when it is valid. `at` may be NULL only
 * when `n` is 0; a span that is absent (as opposed to empty) has a NULL `at`.
 */
struct xylem_span {
	const char *at;
	size_t n;
};

#define XYLEM_SPAN_NONE ((struct xylem_span){ NULL, 0 })
#define XYLEM_SPAN_LITERAL(text) ((struct xylem_span){ "" text, sizeof(text) - 1 })

static inline struct xylem_span xylem_span(const char *at, size_t n)
{
	return (struct xylem_span){ at, n };
}

/* The bytes of a NUL-terminated string; none for NULL. */
static inline struct xylem_span xylem_span_of(const char *text)
{
	return (struct xylem_span){ text, text ? strlen(text) : 0 };
}

static inline bool xylem_span_present(struct xylem_span span)
{
	return span.at != NULL;
}

static inline bool xylem_span_equal(struct xylem_span a, struct xylem_span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

static inline bool xylem_span_is(struct xylem_span span, const char *text)
{
	return xylem_span_equal(span, xylem_span_of(text));
}

#endif
