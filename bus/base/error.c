/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error table as rows, and reasons in words.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xylem/error.h>

static const struct xylem_error_row rows[XYLEM_ERROR_COUNT] = {
	[XYLEM_OK] = { "ok", "no error", 200, "cancel", "undefined-condition", false },
#define ROW(code, row_name, row_text, http, type, condition, is_transient) \
	[XYLEM_E_##code] = { row_name, row_text, http, type, condition, is_transient },
	XYLEM_ERRORS(ROW)
#undef ROW
};

const struct xylem_error_row *xylem_error_row(int code)
{
	unsigned index = code < 0 ? 0U - (unsigned)code : (unsigned)code;
	return &rows[index < XYLEM_ERROR_COUNT ? index : XYLEM_E_INTERNAL];
}

int xylem_error_by_name(const char *name)
{
	for (int i = 1; i < XYLEM_ERROR_COUNT; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			return -i;
		}
	}
	return -XYLEM_E_INTERNAL;
}

/* Where to cut `text` so that at most `n` bytes stay and no UTF-8 sequence is split. */
static size_t cut_at(const char *text, size_t n)
{
	while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) {
		n--;
	}
	return n;
}

void xylem_reason_set(struct xylem_reason *reason, const char *format, ...)
{
	if (!reason) {
		return;
	}
	/* Formatted aside: an argument may be the old text. */
	char text[sizeof(reason->text)];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (n < 0) {
		text[0] = '\0';
	} else if ((size_t)n >= sizeof(text)) {
		size_t end = cut_at(text, sizeof(text) - 4);
		memcpy(text + end, "...", 4);
	}
	memcpy(reason->text, text, strlen(text) + 1);
}
