/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validates JSON text by RFC 8259, strictly: one value, no byte order mark, no
 * comments, no trailing commas, valid UTF-8, paired surrogates, bounded depth.
 * Everything else in this room trusts what has passed here.
 *
 * One pass and no recursion: what is open is kept as a word a level. Strings,
 * which are most of the bytes, go sixteen at a time. Where somebody will look
 * into the text, the same pass notes where its values stand (index.h): it is
 * written once and made twice, with and without the notes.
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
	size_t n;
	bool escaped;
};

struct check {
	const char *begin, *end;
	size_t depth, limit;
	struct json_entry *entries, *next; /* NULL: nothing is noted */
	size_t backs;                      /* all bits of what must fit into name_back */
	const char *wrong;                 /* where, once something is */
	const char *what;
	uint32_t open[XYLEM_JSON_DEPTH]; /* a level: its entry, and a bit: is it an object? */
};

#define HOT static inline __attribute__((always_inline))

/* The steps take where they stand and return where they came to; NULL: something is wrong. */
static __attribute__((noinline, cold)) const char *wrong(
	struct check *check, const char *at, const char *what)
{
	check->wrong = at;
	check->what = what;
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

static const char *check_unicode(struct check *check, const char *at)
{
	int unit = hex_unit(at + 2, check->end);
	if (unit < 0) {
		return wrong(check, at, "\\u takes four hexadecimal digits");
	}
	if (unit < 0xd800 || unit > 0xdfff) {
		return at + 6;
	}
	int low = unit <= 0xdbff && check->end - at >= 12 && at[6] == '\\' && at[7] == 'u'
			  ? hex_unit(at + 8, check->end)
			  : -1;
	if (low < 0xdc00 || low > 0xdfff) {
		return wrong(check, at, "a surrogate without its other half");
	}
	return at + 12;
}

/* `at` stands on the backslash. */
static const char *check_escape(struct check *check, const char *at)
{
	if (check->end - at < 2) {
		return wrong(check, at, "the string does not end");
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
		return check_unicode(check, at);
	default:
		return wrong(check, at, "no such escape in JSON");
	}
}

static const char *check_character(struct check *check, const char *at)
{
	uint32_t point;
	if ((unsigned char)*at < 0x20) {
		return wrong(check, at, "a control character in a string must be escaped");
	}
	size_t n = utf8_next(at, check->end, &point);
	return n ? at + n : wrong(check, at, "invalid UTF-8");
}

/* From within a string to behind its closing quote. */
static __attribute__((noinline)) const char *check_string_rest(
	struct check *check, const char *at, bool *ret_escaped)
{
	for (;;) {
		at = scan_plain(at, check->end);
		if (at >= check->end) {
			return wrong(check, check->end, "the string does not end");
		}
		if (*at == '"') {
			return at + 1;
		}
		*ret_escaped |= *at == '\\';
		at = *at == '\\' ? check_escape(check, at) : check_character(check, at);
		if (!at) {
			return NULL;
		}
	}
}

/* `at` stands behind the opening quote. Most strings are short and plain: one look tells. */
HOT const char *check_string(struct check *check, const char *at, bool *ret_escaped)
{
	*ret_escaped = false;
	if (check->end - at > SCAN_STEP) {
		at = scan_step(at);
		if (*at == '"') {
			return at + 1;
		}
	}
	return check_string_rest(check, at, ret_escaped);
}

HOT const char *check_digits(const char *at, const char *end)
{
	while (at < end && scan_is_digit(*at)) {
		at++;
	}
	return at;
}

/* Fraction and exponent, both optional. */
HOT const char *check_number_tail(struct check *check, const char *at)
{
	const char *end = check->end;
	if (at < end && *at == '.') {
		const char *digits = ++at;
		at = check_digits(at, end);
		if (at == digits) {
			return wrong(check, at, "a digit must follow the decimal point");
		}
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		const char *digits = at;
		at = check_digits(at, end);
		if (at == digits) {
			return wrong(check, at, "a digit must follow in the exponent");
		}
	}
	return at;
}

HOT const char *check_number(struct check *check, const char *at)
{
	const char *end = check->end;
	at += *at == '-';
	if (at >= end || !scan_is_digit(*at)) {
		return wrong(check, at, "a digit must follow the minus sign");
	}
	if (*at == '0') {
		at++;
		if (at < end && scan_is_digit(*at)) {
			return wrong(check, at, "a number has no leading zero");
		}
	} else {
		at = check_digits(at, end);
	}
	return check_number_tail(check, at);
}

HOT const char *check_literal(struct check *check, const char *at, const char *text, size_t n)
{
	if ((size_t)(check->end - at) < n || memcmp(at, text, n) != 0) {
		return wrong(
			check, at, "a value is expected: object, array, string, number, true, false or null");
	}
	return at + n;
}

HOT const char *check_space(const struct check *check, const char *at)
{
	return at < check->end && (unsigned char)*at > ' ' ? at : scan_space(at, check->end);
}

HOT char check_peek(const struct check *check, const char *at)
{
	return at < check->end ? *at : '\0';
}

HOT const char *check_name(struct check *check, const char *at, struct name *ret_name)
{
	at = check_space(check, at);
	if (check_peek(check, at) != '"') {
		return wrong(check, at, "a member name in quotes is expected");
	}
	ret_name->at = ++at;
	at = check_string(check, at, &ret_name->escaped);
	if (!at) {
		return NULL;
	}
	ret_name->n = (size_t)(at - 1 - ret_name->at);
	at = check_space(check, at);
	if (check_peek(check, at) != ':') {
		return wrong(check, at, "a colon is expected after the member name");
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
		entry->name_n = name->escaped ? JSON_NAME_ESCAPED : (uint16_t)name->n;
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
	struct check *check, const char *at, char c, const struct name *name, const bool note)
{
	const char *begin = at;
	enum xylem_json_type type = XYLEM_JSON_STRING;
	bool escaped = false;
	if (c == '"') {
		at = check_string(check, at + 1, &escaped);
	} else if (scan_is_digit(c) || c == '-') {
		type = XYLEM_JSON_NUMBER;
		at = check_number(check, at);
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
	if (note && at) {
		note_value(check, begin, at, name, json_entry_shape(1, type, escaped));
	}
	return at;
}

/* Opens what `at` stands on. */
HOT const char *check_open(
	struct check *check, const char *at, bool object, const struct name *name, const bool note)
{
	if (check->depth == check->limit) {
		return wrong(check, at, NULL);
	}
	uint32_t entry = note ? (uint32_t)(check->next - check->entries) : 0;
	if (note) {
		note_value(check, at, at, name, 0);
	}
	check->open[check->depth++] = entry << 1 | object;
	return check_space(check, at + 1);
}

HOT bool in_object(const struct check *check)
{
	return check->depth > 0 && check->open[check->depth - 1] & 1;
}

/* Behind a value: closes what ends here, to behind the next comma or the end of the whole. */
HOT const char *check_close(struct check *check, const char *at, const bool note)
{
	while (check->depth > 0) {
		uint32_t open = check->open[check->depth - 1];
		at = check_space(check, at);
		char c = check_peek(check, at);
		if (c == ',') {
			return at + 1;
		}
		if (c != (open & 1 ? '}' : ']')) {
			return wrong(check, at,
				open & 1 ? "a comma or a closing brace is expected"
					 : "a comma or a closing bracket is expected");
		}
		at++;
		check->depth--;
		if (note) {
			note_close(check, at, open);
		}
	}
	return at;
}

/* A value with its name, or its opening; *ret_object: what comes next is a member. */
HOT const char *check_value(
	struct check *check, const char *at, const bool object, bool *ret_object, const bool note)
{
	struct name name, *of = object ? &name : NULL;
	at = object ? check_name(check, at, &name) : at;
	if (!at) {
		return NULL;
	}
	at = check_space(check, at);
	char c = check_peek(check, at);
	if (c == '{' || c == '[') {
		at = check_open(check, at, c == '{', of, note);
		if (!at || check_peek(check, at) != c + 2) { /* the bracket that closes it */
			*ret_object = c == '{';
			return at;
		}
	} else {
		at = check_flat(check, at, c, of, note);
		if (at && check->depth && check_peek(check, at) == ',') {
			*ret_object = object;
			return at + 1;
		}
	}
	at = at ? check_close(check, at, note) : at;
	*ret_object = in_object(check);
	return at;
}

HOT bool check_run(struct check *check, const bool note)
{
	const char *at = check->begin;
	bool object = false;
	do {
		at = object ? check_value(check, at, true, &object, note)
			    : check_value(check, at, false, &object, note);
		if (!at) {
			return false;
		}
	} while (check->depth > 0);
	at = scan_space(at, check->end);
	return at == check->end || wrong(check, at, "nothing may follow the value");
}

static __attribute__((noinline)) bool check_plainly(struct check *check)
{
	return check_run(check, false);
}

static __attribute__((noinline)) bool check_noting(struct check *check)
{
	return check_run(check, true);
}

static int check_result(const struct check *check, size_t *ret_offset, struct xylem_reason *reason)
{
	size_t offset = (size_t)(check->wrong - check->begin);
	if (ret_offset) {
		*ret_offset = offset;
	}
	if (!check->what) {
		xylem_reason_set(
			reason, "JSON is nested deeper than %zu levels at byte %zu", check->limit, offset);
		return -XYLEM_E_LIMIT;
	}
	xylem_reason_set(reason, "not valid JSON at byte %zu: %s", offset, check->what);
	return -XYLEM_E_INVALID;
}

static void check_begin(struct check *check, struct xylem_span text, size_t depth)
{
	check->begin = text.at;
	check->end = text.at + text.n;
	check->depth = 0;
	check->limit = depth;
	check->backs = 0;
	check->what = NULL;
}

int json_check_within(struct xylem_span text, size_t depth, size_t *ret_offset, struct xylem_reason *reason)
{
	struct check check; /* what is open is written before it is read */
	check_begin(&check, text, depth);
	return check_plainly(&check) ? 0 : check_result(&check, ret_offset, reason);
}

int json_check_indexed(struct xylem_span text, size_t depth, struct json_entry *entries, size_t *ret_count,
	struct xylem_reason *reason)
{
	struct check check;
	check_begin(&check, text, depth);
	check.entries = check.next = entries;
	if (!check_noting(&check)) {
		return check_result(&check, NULL, reason);
	}
	*ret_count = check.backs > UINT16_MAX ? 0 : (size_t)(check.next - entries);
	return 0;
}

int xylem_json_check(struct xylem_span text, size_t *ret_offset, struct xylem_reason *reason)
{
	return json_check_within(text, XYLEM_JSON_DEPTH, ret_offset, reason);
}
