/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing bytes. Failure to grow is remembered, so that a writer checks once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/buffer.h>

void xylem_buffer_finish(struct xylem_buffer *buffer)
{
	if (buffer) {
		free(buffer->bytes);
		*buffer = (struct xylem_buffer){ 0 };
	}
}

void xylem_buffer_clear(struct xylem_buffer *buffer)
{
	buffer->n = 0;
	buffer->failed = false;
}

static bool fail(struct xylem_buffer *buffer)
{
	buffer->failed = true;
	buffer->n = 0;
	buffer->room = 0; /* so that no append finds any */
	return false;
}

bool xylem_buffer_reserve(struct xylem_buffer *buffer, size_t more)
{
	size_t need;
	if (buffer->failed) {
		return false;
	}
	if (__builtin_add_overflow(buffer->n, more, &need)) {
		return fail(buffer);
	}
	if (need <= buffer->room) {
		return true;
	}
	size_t room = buffer->room ? buffer->room : 64;
	while (room < need) {
		if (__builtin_mul_overflow(room, 2, &room)) {
			return fail(buffer);
		}
	}
	char *bytes = realloc(buffer->bytes, room);
	if (!bytes) {
		return fail(buffer);
	}
	buffer->bytes = bytes;
	buffer->room = room;
	return true;
}

/* The inline ones, for whoever takes their addresses or is not optimized. */
extern void xylem_buffer_append(struct xylem_buffer *buffer, const void *bytes, size_t n);
extern void xylem_buffer_span(struct xylem_buffer *buffer, struct xylem_span span);
extern void xylem_buffer_text(struct xylem_buffer *buffer, const char *text);
extern void xylem_buffer_byte(struct xylem_buffer *buffer, char byte);

void xylem_buffer_format(struct xylem_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	/* One more for the terminator that vsnprintf insists on. */
	if (n < 0 || !xylem_buffer_reserve(buffer, (size_t)n + 1)) {
		fail(buffer);
		return;
	}
	va_start(arguments, format);
	vsnprintf(buffer->bytes + buffer->n, (size_t)n + 1, format, arguments);
	va_end(arguments);
	buffer->n += (size_t)n;
}

void xylem_buffer_cut(struct xylem_buffer *buffer, size_t n)
{
	if (n < buffer->n) {
		buffer->n = n;
	}
}

char *xylem_buffer_take(struct xylem_buffer *buffer, size_t *ret_n)
{
	size_t n = buffer->n;
	char *bytes = NULL;
	if (xylem_buffer_reserve(buffer, 1)) {
		bytes = buffer->bytes;
		bytes[n] = '\0';
		if (ret_n) {
			*ret_n = n;
		}
		*buffer = (struct xylem_buffer){ 0 };
	} else {
		xylem_buffer_finish(buffer);
	}
	return bytes;
}
