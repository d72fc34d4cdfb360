/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of the language: literals that keep their text, integers of 64 bits,
 * doubles. A literal is read when somebody calculates with it; what is made of
 * integers stays an integer as long as it fits, and becomes a double as jq has
 * it where it does not.
 *
 * A double is compared with a literal as the decimal that it is printed as: so
 * 0.1 equals 1/10, and 9007199254740993 is not 9007199254740992.0.
 *
 * The rule not to break: no function here depends on the locale.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "jq/number.h"
#include "json/number.h"
#include "json/scan.h"

static struct xylem_span literal_span(struct jq_value literal)
{
	return xylem_span(literal.at, literal.n);
}

/* --- Reading ----------------------------------------------------------------- */

static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
	1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Up to 15 digits and a point: both parts are exact doubles, and one division rounds once (Clinger 1990). */
static bool read_quick(struct jq_value literal, struct jq_number *ret_number)
{
	const char *at = literal.at, *end = at + literal.n, *point = NULL;
	bool negative = *at == '-';
	at += negative;
	if (end - at > 16) {
		return false;
	}
	int64_t digits = 0;
	for (; at < end; at++) {
		if (scan_is_digit(*at)) {
			digits = digits * 10 + (*at - '0');
		} else if (*at == '.' && !point) {
			point = at;
		} else {
			return false;
		}
	}
	if (!point && (digits || !negative)) {
		*ret_number = (struct jq_number){ .integer = true, .i = negative ? -digits : digits };
		return true;
	}
	double number = point ? (double)digits / tens[end - point - 1] : 0.0;
	*ret_number = (struct jq_number){ .d = negative ? -number : number };
	return digits < (int64_t)1 << 53;
}

static struct jq_number literal_read(struct jq_value literal)
{
	struct jq_number number = { 0 };
	struct decimal decimal;
	if (read_quick(literal, &number)) {
		return number;
	}
	bool zero = decimal_read(literal_span(literal), &decimal) && decimal.count == 0;
	if (!(zero && decimal.negative) && xylem_json_int64(literal_span(literal), &number.i) == 0) {
		number.integer = true;
		return number;
	}
	number.integer = false;
	number.d = 0;
	xylem_json_double(literal_span(literal), &number.d, NULL);
	return number;
}

struct jq_number jq_number_read(struct jq_value value)
{
	switch (value.kind) {
	case JQ_INT:
		return (struct jq_number){ .integer = true, .i = value.integer };
	case JQ_DOUBLE:
		return (struct jq_number){ .d = value.number };
	default:
		return literal_read(value);
	}
}

double jq_number_double(struct jq_value value)
{
	return jq_number_of(jq_number_read(value));
}

static bool double_int64(double number, int64_t *ret_integer)
{
	if (!(number >= -0x1p63 && number < 0x1p63) || number != floor(number)) {
		return false;
	}
	*ret_integer = (int64_t)number;
	return true;
}

bool jq_number_int64(struct jq_value value, int64_t *ret_integer)
{
	struct jq_number number = jq_number_read(value);
	if (number.integer) {
		*ret_integer = number.i;
		return true;
	}
	return double_int64(number.d, ret_integer);
}

int64_t jq_number_cut(struct jq_value value)
{
	struct jq_number number = jq_number_read(value);
	if (number.integer) {
		return number.i;
	}
	if (number.d != number.d) {
		return 0;
	}
	return number.d < -0x1p63 ? INT64_MIN : number.d >= 0x1p63 ? INT64_MAX : (int64_t)number.d;
}

/* --- Calculating --------------------------------------------------------------- */

struct jq_value jq_number_add(struct jq_value a, struct jq_value b)
{
	struct jq_number x = jq_number_read(a), y = jq_number_read(b);
	int64_t sum;
	if (x.integer && y.integer && !__builtin_add_overflow(x.i, y.i, &sum)) {
		return jq_int(sum);
	}
	return jq_double(jq_number_of(x) + jq_number_of(y));
}

struct jq_value jq_number_subtract(struct jq_value a, struct jq_value b)
{
	struct jq_number x = jq_number_read(a), y = jq_number_read(b);
	int64_t difference;
	if (x.integer && y.integer && !__builtin_sub_overflow(x.i, y.i, &difference)) {
		return jq_int(difference);
	}
	return jq_double(jq_number_of(x) - jq_number_of(y));
}

struct jq_value jq_number_multiply(struct jq_value a, struct jq_value b)
{
	struct jq_number x = jq_number_read(a), y = jq_number_read(b);
	int64_t product;
	if (x.integer && y.integer && !__builtin_mul_overflow(x.i, y.i, &product) &&
		(product || (x.i >= 0 && y.i >= 0))) {
		return jq_int(product);
	}
	return jq_double(jq_number_of(x) * jq_number_of(y));
}

struct jq_value jq_number_divide(struct jq_value a, struct jq_value b)
{
	struct jq_number x = jq_number_read(a), y = jq_number_read(b);
	if (x.integer && y.integer && y.i != -1 && x.i != 0 && x.i % y.i == 0) {
		return jq_int(x.i / y.i);
	}
	return jq_double(jq_number_of(x) / jq_number_of(y));
}

struct jq_value jq_number_negate(struct jq_value value)
{
	struct jq_number number = jq_number_read(value);
	if (number.integer && number.i != 0 && number.i != INT64_MIN) {
		return jq_int(-number.i);
	}
	return jq_double(-jq_number_of(number));
}

/* --- Writing --------------------------------------------------------------------- */

/* Digits without trailing zeros and the place of the point: 0.DIGITS x 10^point. */
struct shortest {
	char digits[20];
	int n, point;
};

/* A decimal of at most 15 digits that reads as this double is the only one (DBL_DIG), so the first found is it. */
static bool shortest_quick(double number, struct shortest *ret_shortest)
{
	if (!(number >= 1e-5 && number < 1e15)) {
		return false;
	}
	for (int places = 0; places <= 10; places++) {
		double scaled = number * tens[places];
		if (scaled >= 1e15) {
			return false;
		}
		int64_t digits = (int64_t)(scaled + 0.5);
		if (digits && (double)digits / tens[places] == number) {
			char text[24];
			int n = 0;
			for (int64_t left = digits; left; left /= 10) {
				text[n++] = (char)('0' + left % 10);
			}
			for (int i = 0; i < n; i++) {
				ret_shortest->digits[i] = text[n - 1 - i];
			}
			ret_shortest->point = n - places;
			ret_shortest->n = n;
			return true;
		}
	}
	return false;
}

static void shortest_slow(double number, struct shortest *shortest)
{
	char text[48];
	/* What is below the normal doubles has fewer digits. */
	for (int precision = number < DBL_MIN ? 1 : DBL_DIG; precision <= DBL_DECIMAL_DIG; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision - 1, number);
		if (strtod(text, NULL) == number) { /* both by the same locale */
			break;
		}
	}
	const char *at = text;
	shortest->n = 0;
	for (; *at != 'e'; at++) {
		if (scan_is_digit(*at)) { /* whatever the decimal point is */
			shortest->digits[shortest->n++] = *at;
		}
	}
	shortest->point = (int)strtol(at + 1, NULL, 10) + 1;
}

static void shortest_find(double number, struct shortest *shortest)
{
	if (!shortest_quick(number, shortest)) {
		shortest_slow(number, shortest);
	}
	while (shortest->n > 1 && shortest->digits[shortest->n - 1] == '0') {
		shortest->n--;
	}
}

static char *write_exponent(char *at, int exponent)
{
	*at++ = 'e';
	*at++ = exponent < 0 ? '-' : '+';
	int value = abs(exponent);
	if (value >= 100) {
		*at++ = (char)('0' + value / 100);
	}
	*at++ = (char)('0' + value / 10 % 10);
	*at++ = (char)('0' + value % 10);
	return at;
}

/* jq's form (1.7, jv_dtoa.c): an exponent up to 0.00001 and from 1e16 for one digit on. */
static char *write_shortest(char *at, const struct shortest *shortest)
{
	int n = shortest->n, point = shortest->point;
	if (point <= -4 || point > n + 15) {
		*at++ = shortest->digits[0];
		if (n > 1) {
			*at++ = '.';
			memcpy(at, shortest->digits + 1, (size_t)n - 1);
			at += n - 1;
		}
		return write_exponent(at, point - 1);
	}
	if (point <= 0) {
		*at++ = '0';
		*at++ = '.';
		memset(at, '0', (size_t)-point);
		at += -point;
		memcpy(at, shortest->digits, (size_t)n);
		return at + n;
	}
	for (int i = 0; i < n || i < point; i++) {
		if (i == point) {
			*at++ = '.';
		}
		*at++ = i < n ? shortest->digits[i] : '0';
	}
	return at;
}

static struct xylem_span double_text(double number, char room[JQ_NUMBER_TEXT])
{
	if (number != number) {
		return XYLEM_SPAN_LITERAL("null");
	}
	number = number > DBL_MAX ? DBL_MAX : number < -DBL_MAX ? -DBL_MAX : number;
	char *at = room;
	if (signbit(number)) {
		*at++ = '-';
		number = -number;
	}
	if (number == 0) {
		*at++ = '0';
	} else {
		struct shortest shortest;
		shortest_find(number, &shortest);
		at = write_shortest(at, &shortest);
	}
	return xylem_span(room, (size_t)(at - room));
}

static struct xylem_span int_text(int64_t number, char room[JQ_NUMBER_TEXT])
{
	char *at = room + JQ_NUMBER_TEXT;
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (number < 0) {
		*--at = '-';
	}
	return xylem_span(at, (size_t)(room + JQ_NUMBER_TEXT - at));
}

struct xylem_span jq_number_text(struct jq_value number, char room[JQ_NUMBER_TEXT])
{
	switch (number.kind) {
	case JQ_INT:
		return int_text(number.integer, room);
	case JQ_DOUBLE:
		return double_text(number.number, room);
	default:
		return literal_span(number);
	}
}

/* --- Order ----------------------------------------------------------------------- */

static int int_double_order(int64_t integer, double number)
{
	if (number >= 0x1p63) {
		return -1;
	}
	if (number < -0x1p63) {
		return 1;
	}
	int64_t whole = (int64_t)number;
	if (integer != whole) {
		return integer < whole ? -1 : 1;
	}
	double rest = number - (double)whole;
	return rest > 0 ? -1 : rest < 0;
}

static int text_order(struct jq_value a, struct jq_value b)
{
	char left[JQ_NUMBER_TEXT], right[JQ_NUMBER_TEXT];
	return xylem_json_number_compare(jq_number_text(a, left), jq_number_text(b, right));
}

/* One of them is a literal. */
static int literal_order(struct jq_value a, struct jq_value b)
{
	struct jq_number x = jq_number_read(a), y = jq_number_read(b);
	if (x.integer && y.integer) {
		return (x.i > y.i) - (x.i < y.i);
	}
	double left = jq_number_of(x), right = jq_number_of(y);
	if (left != right) {
		return left < right ? -1 : 1; /* rounding keeps the order */
	}
	/* Up to 15 digits mean one double, and it means them, where doubles have all of their own. */
	bool few = isnormal(left) && (a.kind != JQ_LITERAL || a.n <= 15) &&
		   (b.kind != JQ_LITERAL || b.n <= 15);
	if (isinf(left) && (a.kind == JQ_DOUBLE || b.kind == JQ_DOUBLE)) {
		return left > 0 ? (a.kind == JQ_DOUBLE) - (b.kind == JQ_DOUBLE)
				: (b.kind == JQ_DOUBLE) - (a.kind == JQ_DOUBLE);
	}
	return few ? 0 : text_order(a, b);
}

int jq_number_order(struct jq_value a, struct jq_value b)
{
	if (a.kind == JQ_INT && b.kind == JQ_INT) {
		return (a.integer > b.integer) - (a.integer < b.integer);
	}
	if (a.kind == JQ_DOUBLE && a.number != a.number) {
		return -1;
	}
	if (b.kind == JQ_DOUBLE && b.number != b.number) {
		return 1;
	}
	if (a.kind == JQ_LITERAL || b.kind == JQ_LITERAL) {
		return literal_order(a, b);
	}
	if (a.kind == JQ_INT) {
		return int_double_order(a.integer, b.number);
	}
	if (b.kind == JQ_INT) {
		return -int_double_order(b.integer, a.number);
	}
	return (a.number > b.number) - (a.number < b.number);
}
