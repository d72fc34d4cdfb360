/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validates JSON text by RFC 8259, strictly: one value, no byte order mark, no
 * comments, no trailing commas, valid UTF-8, paired surrogates, bounded depth.
 * Everything else in this room trusts what has passed here.
 *
 * One pass and no recursion: what is open is kept as one bit a level (object
 * or array). Strings, which are most of the bytes, go sixteen at a time.
 *
 * What it does not do: it accepts duplicate names (RFC 8259, 4, only wishes
 * them away); the last one counts, as jq has it.
 */
#include <xylem/json.h>

#include "json/check.h"
#include "json/scan.h"
#include "json/utf8.h"

struct check {
	const char *at, *end;
	size_t depth, limit;
	uint64_t objects[XYLEM_JSON_DEPTH / 64]; /* bit d: level d is an object */
	const char *wrong;                       /* where, once something is */
	const char *what;
};

#define HOT static inline __attribute__((always_inline))

static __attribute__((noinline, cold)) bool wrong(struct check *check, const char *at, const char *what)
{
	check->wrong = at;
	check->what = what;
	return false;
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

static bool check_unicode(struct check *check, const char *at, const char **ret_at)
{
	int unit = hex_unit(at + 2, check->end);
	if (unit < 0) {
		return wrong(check, at, "\\u takes four hexadecimal digits");
	}
	*ret_at = at + 6;
	if (unit < 0xd800 || unit > 0xdfff) {
		return true;
	}
	int low = unit <= 0xdbff && check->end - at >= 12 && at[6] == '\\' && at[7] == 'u'
			  ? hex_unit(at + 8, check->end)
			  : -1;
	if (low < 0xdc00 || low > 0xdfff) {
		return wrong(check, at, "a surrogate without its other half");
	}
	*ret_at = at + 12;
	return true;
}

/* `at` stands on the backslash. */
static bool check_escape(struct check *check, const char *at, const char **ret_at)
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
		*ret_at = at + 2;
		return true;
	case 'u':
		return check_unicode(check, at, ret_at);
	default:
		return wrong(check, at, "no such escape in JSON");
	}
}

/* `check->at` stands behind the opening quote. */
HOT bool check_string(struct check *check)
{
	const char *at = check->at;
	for (;;) {
		at = scan_plain(at, check->end);
		if (at >= check->end) {
			return wrong(check, check->end, "the string does not end");
		}
		if (*at == '"') {
			check->at = at + 1;
			return true;
		}
		if (*at == '\\') {
			if (!check_escape(check, at, &at)) {
				return false;
			}
		} else if ((unsigned char)*at < 0x20) {
			return wrong(check, at, "a control character in a string must be escaped");
		} else {
			uint32_t point;
			size_t n = utf8_next(at, check->end, &point);
			if (n == 0) {
				return wrong(check, at, "invalid UTF-8");
			}
			at += n;
		}
	}
}

HOT const char *check_digits(const char *at, const char *end)
{
	while (at < end && scan_is_digit(*at)) {
		at++;
	}
	return at;
}

/* Fraction and exponent, both optional. */
HOT bool check_number_tail(struct check *check, const char *at)
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
	check->at = at;
	return true;
}

HOT bool check_number(struct check *check)
{
	const char *at = check->at, *end = check->end;
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

HOT bool check_literal(struct check *check, const char *text, size_t n)
{
	if ((size_t)(check->end - check->at) < n || memcmp(check->at, text, n) != 0) {
		return wrong(check, check->at,
			"a value is expected: object, array, string, number, true, false or null");
	}
	check->at += n;
	return true;
}

HOT bool check_name(struct check *check)
{
	check->at = scan_space(check->at, check->end);
	if (check->at >= check->end || *check->at != '"') {
		return wrong(check, check->at, "a member name in quotes is expected");
	}
	check->at++;
	if (!check_string(check)) {
		return false;
	}
	check->at = scan_space(check->at, check->end);
	if (check->at >= check->end || *check->at != ':') {
		return wrong(check, check->at, "a colon is expected after the member name");
	}
	check->at++;
	return true;
}

HOT bool in_object(const struct check *check)
{
	size_t level = check->depth - 1;
	return check->objects[level / 64] >> (level % 64) & 1;
}

/* Opens what `check->at` stands on. *ret_empty: it was closed at once. */
HOT bool check_open(struct check *check, bool object, bool *ret_empty)
{
	if (check->depth == check->limit) {
		return wrong(check, check->at, NULL);
	}
	uint64_t bit = (uint64_t)1 << (check->depth % 64), *word = &check->objects[check->depth / 64];
	*word = object ? *word | bit : *word & ~bit;
	check->depth++;
	check->at = scan_space(check->at + 1, check->end);
	*ret_empty = check->at < check->end && *check->at == (object ? '}' : ']');
	if (*ret_empty) {
		check->at++;
		check->depth--;
		return true;
	}
	return !object || check_name(check);
}

/* One value, or the opening of one; *ret_complete says which. */
HOT bool check_value(struct check *check, bool *ret_complete)
{
	check->at = scan_space(check->at, check->end);
	*ret_complete = true;
	switch (check->at < check->end ? *check->at : '\0') {
	case '"':
		check->at++;
		return check_string(check);
	case '{':
		return check_open(check, true, ret_complete);
	case '[':
		return check_open(check, false, ret_complete);
	case 't':
		return check_literal(check, "true", 4);
	case 'f':
		return check_literal(check, "false", 5);
	case '-':
	case '0' ... '9':
		return check_number(check);
	default:
		return check_literal(check, "null", 4);
	}
}

/* Behind a value: closes what ends here, to the next comma or the end of the text. */
HOT bool check_after(struct check *check)
{
	while (check->depth > 0) {
		bool object = in_object(check);
		check->at = scan_space(check->at, check->end);
		char c = check->at < check->end ? *check->at : '\0';
		if (c == ',') {
			check->at++;
			return !object || check_name(check);
		}
		if (c != (object ? '}' : ']')) {
			return wrong(check, check->at,
				object ? "a comma or a closing brace is expected"
				       : "a comma or a closing bracket is expected");
		}
		check->at++;
		check->depth--;
	}
	return true;
}

static bool check_run(struct check *check)
{
	do {
		bool complete;
		if (!check_value(check, &complete)) {
			return false;
		}
		if (complete && !check_after(check)) {
			return false;
		}
		if (complete && check->depth == 0) {
			break;
		}
	} while (true);
	check->at = scan_space(check->at, check->end);
	return check->at == check->end || wrong(check, check->at, "nothing may follow the value");
}

int json_check_within(struct xylem_span text, size_t depth, size_t *ret_offset, struct xylem_reason *reason)
{
	struct check check = { .at = text.at, .end = text.at + text.n, .limit = depth };
	if (check_run(&check)) {
		return 0;
	}
	size_t offset = (size_t)(check.wrong - text.at);
	if (ret_offset) {
		*ret_offset = offset;
	}
	if (!check.what) {
		xylem_reason_set(reason, "JSON is nested deeper than %zu levels at byte %zu", depth, offset);
		return -XYLEM_E_LIMIT;
	}
	xylem_reason_set(reason, "not valid JSON at byte %zu: %s", offset, check.what);
	return -XYLEM_E_INVALID;
}

int xylem_json_check(struct xylem_span text, size_t *ret_offset, struct xylem_reason *reason)
{
	return json_check_within(text, XYLEM_JSON_DEPTH, ret_offset, reason);
}
