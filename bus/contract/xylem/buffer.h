/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_BUFFER_H
#define XYLEM_BUFFER_H

#include <stdint.h>
#include <string.h>

#include <xylem/span.h>
#include <xylem/visible.h>

/*
 * Growing bytes, owned. `{0}` is an empty buffer. An append that finds no
 * memory marks the buffer failed and drops its bytes; later appends do
 * nothing; the one check is xylem_buffer_failed() at the end.
 */
struct xylem_buffer {
	char *bytes;
	size_t n;
	size_t room;
	bool failed;
};

XYLEM_PUBLIC void xylem_buffer_finish(struct xylem_buffer *buffer);
XYLEM_PUBLIC void xylem_buffer_clear(struct xylem_buffer *buffer); /* empties, keeps the memory */
XYLEM_PUBLIC bool xylem_buffer_reserve(struct xylem_buffer *buffer, size_t more); /* false: failed */

/* The appends are inline as long as there is room, which is nearly always; what they call otherwise is above. */
XYLEM_PUBLIC inline void xylem_buffer_append(struct xylem_buffer *buffer, const void *bytes, size_t n)
{
	if (n > 0 && (n <= buffer->room - buffer->n || xylem_buffer_reserve(buffer, n))) {
		memcpy(buffer->bytes + buffer->n, bytes, n);
		buffer->n += n;
	}
}

XYLEM_PUBLIC inline void xylem_buffer_span(struct xylem_buffer *buffer, struct xylem_span span)
{
	xylem_buffer_append(buffer, span.at, span.n);
}

XYLEM_PUBLIC inline void xylem_buffer_text(struct xylem_buffer *buffer, const char *text)
{
	xylem_buffer_append(buffer, text, strlen(text));
}

XYLEM_PUBLIC inline void xylem_buffer_byte(struct xylem_buffer *buffer, char byte)
{
	xylem_buffer_append(buffer, &byte, 1);
}

XYLEM_PUBLIC void xylem_buffer_format(struct xylem_buffer *buffer, const char *format, ...)
	XYLEM_PRINTF(2, 3);
XYLEM_PUBLIC void xylem_buffer_cut(struct xylem_buffer *buffer, size_t n); /* keeps the first n */
/* Terminated text, owned by the caller (free()); NULL when the buffer failed. The buffer is empty after. */
XYLEM_PUBLIC char *xylem_buffer_take(struct xylem_buffer *buffer, size_t *ret_n);

static inline bool xylem_buffer_failed(const struct xylem_buffer *buffer)
{
	return buffer->failed;
}

/* The bytes so far, valid until the next append. */
static inline struct xylem_span xylem_buffer_borrow(const struct xylem_buffer *buffer)
{
	return xylem_span(buffer->bytes, buffer->n);
}

#define XYLEM_BUFFER_SCOPED __attribute__((cleanup(xylem_buffer_finish))) struct xylem_buffer

#endif
