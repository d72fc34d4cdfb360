/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error table as rows, and reasons in words.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/reason.h>
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

/* Bytes of the UTF-8 sequence at `at` (RFC 3629, 4), and how many of them are there. */
static size_t sequence_read(const unsigned char *at, size_t *ret_there)
{
	static const struct {
		unsigned char first, last, low, high, n;
	} forms[] = { { 0x01, 0x7f, 0, 0, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 } };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (at[0] < forms[i].first || at[0] > forms[i].last) {
			continue;
		}
		size_t there = 1;
		while (there < forms[i].n && at[there] >= (there == 1 ? forms[i].low : 0x80) &&
			at[there] <= (there == 1 ? forms[i].high : 0xbf)) {
			there++;
		}
		*ret_there = there;
		return forms[i].n;
	}
	*ret_there = 0;
	return 1;
}

/* A character that was cut, here or by a precision as in %.40s, goes; another byte that is none becomes `?`. */
static void text_mend(char *text)
{
	char *out = text;
	for (const char *at = text; *at;) {
		size_t there, n = sequence_read((const unsigned char *)at, &there);
		if (there == n) {
			memmove(out, at, n);
			out += n;
		} else if (there == 0) {
			*out++ = '?';
		}
		at += there ? there : 1;
	}
	*out = '\0';
}

void xylem_reason_vset(struct xylem_reason *reason, const char *format, va_list arguments)
{
	if (!reason) {
		return;
	}
	/* Formatted aside: an argument may be the old text. */
	char text[sizeof(reason->text)];
	int n = vsnprintf(text, sizeof(text), format, arguments);
	bool cut = n >= 0 && (size_t)n >= sizeof(text);
	text[n < 0 ? 0 : cut ? sizeof(text) - 4 : (size_t)n] = '\0';
	text_mend(text);
	if (cut) {
		strcat(text, "...");
	}
	memcpy(reason->text, text, strlen(text) + 1);
}

void xylem_reason_set(struct xylem_reason *reason, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(reason, format, arguments);
	va_end(arguments);
}

void reason_copy(char *text, size_t size, const char *why)
{
	struct xylem_reason reason;
	xylem_reason_set(&reason, "%.*s", (int)size - 1, why);
	snprintf(text, size, "%s", reason.text);
}
