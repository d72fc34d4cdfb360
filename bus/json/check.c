/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validates JSON text by RFC 8259, strictly: one value, no byte order mark, no
 * comments, no trailing commas, valid UTF-8, paired surrogates, bounded depth.
 * Everything else in this room trusts what has passed here.
 *
 * One pass and no recursion: what is open is kept as a word a level. Strings,
 * which are most of the bytes, go sixteen at a time. Where somebody will look
 * into the text, the same pass notes where its values stand (index.h).
 *
 * A text whose last byte is a bracket has a byte behind every other one, so that
 * nothing but strings and brackets need look for its end. So the pass is written
 * once and made three times: for such texts with and without notes, and for all
 * others, which are single values or wrong. What is wrong with a text is always
 * found by the last.
 *
 * No byte behind a text is read, whatever the text is: a step passes a byte only
 * where it has seen that it is no closing bracket, or in check_close(), which looks
 * for the end; so the first pass stands on the last byte at the furthest until
 * it closes that one. Strings, white space and literals, which look at several
 * bytes at once, compare with the end before they do.
 *
 * What it does not do: it accepts duplicate names (RFC 8259, 4, only wishes
 * them away); the last one counts, as jq has it.
 */
#include <xylem/json.h>

#include "json/check.h"
#include "json/index.h"
#include "json/scan.h"
#include "json/utf8.h"

struct name {
	const char *at; /* behind the quote */
	size_t n;       /* JSON_NAME_ESCAPED: it has backslashes */
};

/* What the slow ways of a pass know, and leave behind. */
struct text {
	const char *end;
	const char *wrong; /* where, once something is */
	const char *what;
	bool escaped; /* the last string that was not short and plain */
};

/* Where a pass stands: a copy of its own, so that it lies in registers. */
struct check {
	const char *begin, *end;
	const char *step; /* up to here a step of the scan and the byte behind it are in the text */
	size_t depth, limit;
	uint32_t *open;                    /* a level: its entry, and a bit: is it an object? */
	struct json_entry *entries, *next; /* of what is noted */
	size_t backs;                      /* all bits of what must fit into name_back */
	struct text *text;
};

/* How a pass is made: constants of each that is. */
enum {
	NOTED = 1,
	CLOSED = 2, /* the text's last byte is a bracket */
};

#define HOT static inline __attribute__((always_inline))

/* The steps take where they stand and return where they came to; NULL: something is wrong. */
static __attribute__((noinline, cold)) const char *wrong(struct text *text, const char *at, const char *what)
{
	text->wrong = at;
	text->what = what;
	return NULL;
}

static int hex_digit(char c)
{
	if (scan_is_digit(c)) {
		return c - '0';
	}
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four digits behind `\u`; -1 if they are not there. */
static int hex_unit(const char *at, const char *end)
{
	int unit = 0;
	if (end - at < 4) {
		return -1;
	}
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);
		if (digit < 0) {
			return -1;
		}
		unit = unit << 4 | digit;
	}
	return unit;
}

static const char *check_unicode(struct text *text, const char *at)
{
	int unit = hex_unit(at + 2, text->end);
	if (unit < 0) {
		return wrong(text, at, "\\u takes four hexadecimal digits");
	}
	if (unit < 0xd800 || unit > 0xdfff) {
		return at + 6;
	}
	int low = unit <= 0xdbff && text->end - at >= 12 && at[6] == '\\' && at[7] == 'u'
			  ? hex_unit(at + 8, text->end)
			  : -1;
	if (low < 0xdc00 || low > 0xdfff) {
		return wrong(text, at, "a surrogate without its other half");
	}
	return at + 12;
}

/* `at` stands on the backslash. */
static const char *check_escape(struct text *text, const char *at)
{
	if (text->end - at < 2) {
		return wrong(text, at, "the string does not end");
	}
	switch (at[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return at + 2;
	case 'u':
		return check_unicode(text, at);
	default:
		return wrong(text, at, "no such escape in JSON");
	}
}

static const char *check_character(struct text *text, const char *at)
{
	uint32_t point;
	if ((unsigned char)*at < 0x20) {
		return wrong(text, at, "a control character in a string must be escaped");
	}
	size_t n = utf8_next(at, text->end, &point);
	return n ? at + n : wrong(text, at, "invalid UTF-8");
}

/* From within a string to behind its closing quote. */
static __attribute__((noinline)) const char *check_string_rest(struct text *text, const char *at)
{
	text->escaped = false;
	for (;;) {
		at = scan_plain(at, text->end);
		if (at >= text->end) {
			return wrong(text, text->end, "the string does not end");
		}
		if (*at == '"') {
			return at + 1;
		}
		text->escaped |= *at == '\\';
		at = *at == '\\' ? check_escape(text, at) : check_character(text, at);
		if (!at) {
			return NULL;
		}
	}
}

/* `at` stands behind the opening quote. Most strings are short and plain: one look tells. */
HOT const char *check_string(struct check *check, const char *at, bool *ret_escaped)
{
	*ret_escaped = false;
	if (at < check->step) {
		at = scan_step(at);
		if (*at == '"') {
			return at + 1;
		}
	}
	at = check_string_rest(check->text, at);
	*ret_escaped = check->text->escaped;
	return at;
}

/* Is there a byte, behind one that is no closing bracket? */
HOT bool check_more(const struct check *check, const char *at, const int how)
{
	return how & CLOSED || at < check->end;
}

HOT char check_peek(const struct check *check, const char *at, const int how)
{
	return check_more(check, at, how) ? *at : '\0';
}

HOT const char *check_digits(const struct check *check, const char *at, const int how)
{
	while (scan_is_digit(check_peek(check, at, how))) {
		at++;
	}
	return at;
}

/* Fraction and exponent, both optional. */
HOT const char *check_number_tail(struct check *check, const char *at, const int how)
{
	if (check_peek(check, at, how) == '.') {
		const char *digits = ++at;
		at = check_digits(check, at, how);
		if (at == digits) {
			return wrong(check->text, at, "a digit must follow the decimal point");
		}
	}
	if ((check_peek(check, at, how) | 0x20) == 'e') {
		char sign = check_peek(check, ++at, how);
		at += sign == '+' || sign == '-';
		const char *digits = at;
		at = check_digits(check, at, how);
		if (at == digits) {
			return wrong(check->text, at, "a digit must follow in the exponent");
		}
	}
	return at;
}

HOT const char *check_number(struct check *check, const char *at, const int how)
{
	at += *at == '-';
	char c = check_peek(check, at, how);
	if (!scan_is_digit(c)) {
		return wrong(check->text, at, "a digit must follow the minus sign");
	}
	at = c == '0' ? at + 1 : check_digits(check, at + 1, how);
	if (c == '0' && scan_is_digit(check_peek(check, at, how))) {
		return wrong(check->text, at, "a number has no leading zero");
	}
	return check_number_tail(check, at, how);
}

HOT const char *check_literal(struct check *check, const char *at, const char *text, size_t n)
{
	if ((size_t)(check->end - at) < n || memcmp(at, text, n) != 0) {
		return wrong(check->text, at,
			"a value is expected: object, array, string, number, true, false or null");
	}
	return at + n;
}

HOT const char *check_space(const struct check *check, const char *at, const int how)
{
	return (unsigned char)check_peek(check, at, how) > ' ' ? at : scan_space(at, check->end);
}

HOT const char *check_name(struct check *check, const char *at, struct name *ret_name, const int how)
{
	at = check_space(check, at, how);
	if (check_peek(check, at, how) != '"') {
		return wrong(check->text, at, "a member name in quotes is expected");
	}
	ret_name->at = ++at;
	bool escaped;
	at = check_string(check, at, &escaped);
	if (!at) {
		return NULL;
	}
	ret_name->n = escaped ? JSON_NAME_ESCAPED : (size_t)(at - 1 - ret_name->at);
	at = check_space(check, at, how);
	if (check_peek(check, at, how) != ':') {
		return wrong(check->text, at, "a colon is expected after the member name");
	}
	return at + 1;
}

/* --- Notes ---------------------------------------------------------------------- */

/* The entry of a value from `at` to `stop`; `name` is NULL outside of objects. */
HOT void note_value(
	struct check *check, const char *at, const char *stop, const struct name *name, uint32_t shape)
{
	struct json_entry *entry = check->next++;
	entry->at = (uint32_t)(at - check->begin);
	entry->n = (uint32_t)(stop - at);
	entry->shape = shape;
	if (name) {
		size_t back = (size_t)(at - name->at);
		check->backs |= back;
		entry->name_n = (uint16_t)name->n;
		entry->name_back = (uint16_t)back;
	}
}

HOT void note_close(struct check *check, const char *at, uint32_t open)
{
	struct json_entry *entry = &check->entries[open >> 1];
	enum xylem_json_type type = open & 1 ? XYLEM_JSON_OBJECT : XYLEM_JSON_ARRAY;
	entry->n = (uint32_t)(at - check->begin) - entry->at;
	entry->shape = json_entry_shape((uint32_t)(check->next - entry), type, false);
}

/* --- Values ----------------------------------------------------------------------- */

/* A value that has no others in it and begins with `c`. */
HOT const char *check_flat(
	struct check *check, const char *at, char c, const struct name *name, const int how)
{
	const char *begin = at;
	enum xylem_json_type type = XYLEM_JSON_STRING;
	bool escaped = false;
	if (c == '"') {
		at = check_string(check, at + 1, &escaped);
	} else if (scan_is_digit(c) || c == '-') {
		type = XYLEM_JSON_NUMBER;
		at = check_number(check, at, how);
	} else if (c == 't') {
		type = XYLEM_JSON_TRUE;
		at = check_literal(check, at, "true", 4);
	} else if (c == 'f') {
		type = XYLEM_JSON_FALSE;
		at = check_literal(check, at, "false", 5);
	} else {
		type = XYLEM_JSON_NULL;
		at = check_literal(check, at, "null", 4);
	}
	if (how & NOTED && at) {
		note_value(check, begin, at, name, json_entry_shape(1, type, escaped));
	}
	return at;
}

/* Opens what `at` stands on. */
HOT const char *check_open(
	struct check *check, const char *at, bool object, const struct name *name, const int how)
{
	if (check->depth == check->limit) {
		return wrong(check->text, at, NULL);
	}
	uint32_t entry = how & NOTED ? (uint32_t)(check->next - check->entries) : 0;
	if (how & NOTED) {
		note_value(check, at, at, name, 0);
	}
	check->open[check->depth++] = entry << 1 | object;
	return check_space(check, at + 1, how);
}

HOT bool in_object(const struct check *check)
{
	return check->depth > 0 && check->open[check->depth - 1] & 1;
}

/* Behind a value: closes what ends here, to behind the next comma or the end of the whole. */
HOT const char *check_close(struct check *check, const char *at, const int how)
{
	while (check->depth > 0) {
		uint32_t open = check->open[check->depth - 1];
		at = check_space(check, at, 0); /* what closes may be the last */
		char c = check_peek(check, at, 0);
		if (c == ',') {
			return at + 1;
		}
		if (c != (open & 1 ? '}' : ']')) {
			return wrong(check->text, at,
				open & 1 ? "a comma or a closing brace is expected"
					 : "a comma or a closing bracket is expected");
		}
		at++;
		check->depth--;
		if (how & NOTED) {
			note_close(check, at, open);
		}
	}
	return at;
}

/* A value with its name, or its opening; *ret_object: what comes next is a member. */
HOT const char *check_value(
	struct check *check, const char *at, const bool object, bool *ret_object, const int how)
{
	struct name name = { NULL }, *of = object ? &name : NULL;
	at = object ? check_name(check, at, &name, how) : at;
	if (!at) {
		return NULL;
	}
	at = check_space(check, at, how);
	char c = check_peek(check, at, how);
	if (c == '{' || c == '[') {
		at = check_open(check, at, c == '{', of, how);
		if (!at || check_peek(check, at, how) != c + 2) { /* the bracket that closes it */
			*ret_object = c == '{';
			return at;
		}
	} else {
		at = check_flat(check, at, c, of, how);
		if (at && check->depth && check_peek(check, at, how) == ',') {
			*ret_object = object;
			return at + 1;
		}
	}
	at = at ? check_close(check, at, how) : at;
	*ret_object = in_object(check);
	return at;
}

HOT bool check_run(struct check *result, const int how)
{
	struct check check = *result;
	const char *at = check.begin;
	bool object = false;
	do {
		at = object ? check_value(&check, at, true, &object, how)
			    : check_value(&check, at, false, &object, how);
		if (!at) {
			return false;
		}
	} while (check.depth > 0);
	*result = check;
	at = scan_space(at, check.end);
	return at == check.end || wrong(check.text, at, "nothing may follow the value");
}

static __attribute__((noinline)) bool check_closed(struct check *check)
{
	return check_run(check, CLOSED);
}

static __attribute__((noinline)) bool check_closed_noting(struct check *check)
{
	return check_run(check, CLOSED | NOTED);
}

/* Whatever the text is; only this says what is wrong. */
static __attribute__((noinline)) bool check_any(struct check *check)
{
	return check_run(check, 0);
}

static int check_result(const struct check *check, size_t *ret_offset, struct xylem_reason *reason)
{
	size_t offset = (size_t)(check->text->wrong - check->begin);
	if (ret_offset) {
		*ret_offset = offset;
	}
	if (!check->text->what) {
		xylem_reason_set(
			reason, "JSON is nested deeper than %zu levels at byte %zu", check->limit, offset);
		return -XYLEM_E_LIMIT;
	}
	xylem_reason_set(reason, "not valid JSON at byte %zu: %s", offset, check->text->what);
	return -XYLEM_E_INVALID;
}

static void check_end(struct check *check, const char *end)
{
	check->end = check->text->end = end;
	check->step = end - check->begin > SCAN_STEP ? end - SCAN_STEP : check->begin;
}

/* The text's end is its last byte that is no white space. Is that a bracket? */
static bool ends_closed(struct check *check)
{
	const char *end = check->end;
	while (end > check->begin && scan_is_space(end[-1])) {
		end--;
	}
	check_end(check, end);
	return end > check->begin && (end[-1] == '}' || end[-1] == ']');
}

int json_check_within(struct xylem_span span, size_t depth, size_t *ret_offset, struct xylem_reason *reason)
{
	uint32_t open[XYLEM_JSON_DEPTH]; /* written before it is read */
	struct text text = { NULL };
	struct check check = { span.at, span.at + span.n, .limit = depth, .open = open, .text = &text };
	if (ends_closed(&check) && check_closed(&check)) {
		return 0;
	}
	check_end(&check, span.at + span.n);
	return check_any(&check) ? 0 : check_result(&check, ret_offset, reason);
}

int json_check_indexed(struct xylem_span span, size_t depth, struct json_entry *entries, size_t *ret_count,
	struct xylem_reason *reason)
{
	uint32_t open[XYLEM_JSON_DEPTH];
	struct text text = { NULL };
	struct check check = { span.at, span.at + span.n, .limit = depth, .open = open, .text = &text };
	check.entries = check.next = entries;
	if (ends_closed(&check) && check_closed_noting(&check)) {
		*ret_count = check.backs > UINT16_MAX ? 0 : (size_t)(check.next - entries);
		return 0;
	}
	*ret_count = 0;
	return json_check_within(span, depth, NULL, reason);
}

int xylem_json_check(struct xylem_span text, size_t *ret_offset, struct xylem_reason *reason)
{
	return json_check_within(text, XYLEM_JSON_DEPTH, ret_offset, reason);
}
