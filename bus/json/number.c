/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of JSON text, by value and exactly. A literal is taken as
 * 0.DIGITS x 10^POWER with DIGITS the significant ones where they stand in the
 * text; nothing is copied, whatever the length. Comparing is comparing powers,
 * then digits. A double is made only when one is asked for.
 *
 * The rule not to break: no function here depends on the locale. strtod() and
 * printf() would read and write a decimal comma in half of Europe.
 */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/json.h>

#include "json/number.h"
#include "json/scan.h"

enum { POWER_FAR_DIGITS = 17, DOUBLE_DIGITS = 780 };

/* --- Taking a literal apart ----------------------------------------------- */

static const char *mantissa_read(struct decimal *decimal, const char *at, const char *end)
{
	const char *dot = NULL, *first = NULL, *last = NULL;
	for (; at < end && (scan_is_digit(*at) || (*at == '.' && !dot)); at++) {
		if (*at == '.') {
			dot = at;
		} else if (*at != '0') {
			first = first ? first : at;
			last = at;
		}
	}
	dot = dot ? dot : at;
	if (first) {
		decimal->digits = first;
		decimal->end = last + 1;
		decimal->count = (size_t)(decimal->end - first) - (first < dot && dot < last);
		decimal->power = first < dot ? dot - first : -(first - dot - 1);
	}
	return at;
}

static void exponent_read(struct decimal *decimal, const char *at, const char *end)
{
	if (end - at < 2 || (*at | 0x20) != 'e') {
		return;
	}
	at++;
	decimal->exponent_negative = *at == '-';
	at += *at == '-' || *at == '+';
	while (at < end && *at == '0') {
		at++;
	}
	const char *digits = at;
	int64_t exponent = 0;
	for (; at < end && scan_is_digit(*at); at++) {
		if (at - digits < POWER_FAR_DIGITS) {
			exponent = exponent * 10 + (*at - '0');
		}
	}
	decimal->exponent = xylem_span(digits, (size_t)(at - digits));
	decimal->shift = decimal->power;
	decimal->far = decimal->exponent.n > POWER_FAR_DIGITS;
	decimal->power += decimal->exponent_negative ? -exponent : exponent;
}

bool decimal_read(struct xylem_span value, struct decimal *ret_decimal)
{
	if (xylem_json_type(value) != XYLEM_JSON_NUMBER) {
		return false;
	}
	const char *at = value.at, *end = value.at + value.n;
	struct decimal decimal = { .negative = *at == '-', .digits = at, .end = at };
	at = mantissa_read(&decimal, at + decimal.negative, end);
	decimal.shift = decimal.power;
	if (decimal.count > 0) {
		exponent_read(&decimal, at, end);
	}
	*ret_decimal = decimal;
	return true;
}

/* --- Order ------------------------------------------------------------------ */

static int digit_at(struct xylem_span digits, size_t length, size_t index)
{
	size_t missing = length - digits.n;
	return index < missing ? 0 : digits.at[index - missing] - '0';
}

/*
 * Orders shift + exponent of two literals whose exponents fit no integer: from
 * the highest digit down, the difference so far; beyond what the shifts (at
 * most the length of a text) can make good it is decided.
 */
static int far_order(const struct decimal *a, const struct decimal *b)
{
	size_t length = a->exponent.n > b->exponent.n ? a->exponent.n : b->exponent.n;
	int64_t difference = 0;
	for (size_t i = 0; i < length; i++) {
		int left = digit_at(a->exponent, length, i), right = digit_at(b->exponent, length, i);
		difference = difference * 10 + (a->exponent_negative ? -left : left) -
			     (b->exponent_negative ? -right : right);
		if (difference > (int64_t)1 << 56 || difference < -((int64_t)1 << 56)) {
			return difference > 0 ? 1 : -1;
		}
	}
	difference += a->shift - b->shift;
	return (difference > 0) - (difference < 0);
}

static int digits_order(const struct decimal *a, const struct decimal *b)
{
	const char *l = a->digits, *r = b->digits;
	for (;;) {
		l += l < a->end && *l == '.';
		r += r < b->end && *r == '.';
		if (l == a->end || r == b->end) {
			return (l < a->end) - (r < b->end); /* no trailing zeros: more digits are more */
		}
		if (*l != *r) {
			return *l < *r ? -1 : 1;
		}
		l++;
		r++;
	}
}

static int magnitude_order(const struct decimal *a, const struct decimal *b)
{
	int order = a->far || b->far ? far_order(a, b) : (a->power > b->power) - (a->power < b->power);
	return order ? order : digits_order(a, b);
}

static int sign(const struct decimal *decimal)
{
	return decimal->count == 0 ? 0 : decimal->negative ? -1 : 1;
}

int decimal_order(const struct decimal *a, const struct decimal *b)
{
	int left = sign(a), right = sign(b);
	if (left != right || left == 0) {
		return (left > right) - (left < right);
	}
	return left * magnitude_order(a, b);
}

int xylem_json_number_compare(struct xylem_span a, struct xylem_span b)
{
	struct decimal left = { 0 }, right = { 0 };
	decimal_read(a, &left);
	decimal_read(b, &right);
	return decimal_order(&left, &right);
}

/* --- Integers --------------------------------------------------------------- */

int xylem_json_int64(struct xylem_span value, int64_t *ret_number)
{
	struct decimal decimal;
	if (!decimal_read(value, &decimal) || decimal.far || decimal.power > 19 ||
		decimal.power < (int64_t)decimal.count) {
		return -XYLEM_E_INVALID;
	}
	uint64_t number = 0, limit = decimal.negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	const char *at = decimal.digits;
	for (int64_t i = 0; i < decimal.power; i++) {
		at += at < decimal.end && *at == '.';
		unsigned digit = at < decimal.end ? (unsigned)(*at++ - '0') : 0;
		if (number > (limit - digit) / 10) {
			return -XYLEM_E_INVALID;
		}
		number = number * 10 + digit;
	}
	*ret_number = decimal.negative ? (int64_t)(0 - number) : (int64_t)number;
	return 0;
}

/* --- Doubles ---------------------------------------------------------------- */

static locale_t c_locale(void)
{
	/* glibc's "C" is a constant object: making it takes no memory, and every call gives the same. */
	static locale_t locale;
	locale_t known = __atomic_load_n(&locale, __ATOMIC_ACQUIRE);
	if (!known) {
		known = newlocale(LC_ALL_MASK, "C", (locale_t)0);
		__atomic_store_n(&locale, known, __ATOMIC_RELEASE);
	}
	return known;
}

/* Up to `most` significant digits; returns how many. */
static size_t digits_copy(const struct decimal *decimal, char *room, size_t most)
{
	size_t n = 0;
	for (const char *at = decimal->digits; at < decimal->end && n < most; at++) {
		if (*at != '.') {
			room[n++] = *at;
		}
	}
	return n;
}

/*
 * 767 digits decide any rounding to binary64; what stands behind them matters
 * only in that it is not zero, which one more digit says.
 */
static double nearest(const struct decimal *decimal)
{
	char text[DOUBLE_DIGITS + 32];
	if (decimal->far || decimal->power > 400 || decimal->power < -400) {
		bool small = decimal->far ? decimal->exponent_negative : decimal->power < 0;
		return small ? 0.0 : HUGE_VAL;
	}
	size_t n = digits_copy(decimal, text, DOUBLE_DIGITS);
	int64_t power = decimal->power - (int64_t)n;
	if (n < decimal->count) {
		text[n++] = '1';
		power--;
	}
	snprintf(text + n, sizeof(text) - n, "e%d", (int)power);
	return strtod_l(text, NULL, c_locale());
}

/* Few digits and a small power: both are exact doubles, and one operation rounds once (Clinger 1990). */
static bool nearest_quick(const struct decimal *decimal, double *ret_number)
{
	static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
		1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	int64_t power = decimal->power - (int64_t)decimal->count;
	if (decimal->far || decimal->count > 15 || power < -22 || power > 22) {
		return false;
	}
	int64_t digits = 0;
	for (const char *at = decimal->digits; at < decimal->end; at++) {
		digits = *at == '.' ? digits : digits * 10 + (*at - '0');
	}
	*ret_number = power < 0 ? (double)digits / tens[-power] : (double)digits * tens[power];
	return true;
}

/* The digits of `number` at `precision`, and the power, in the form of struct decimal. */
static bool prints_as(double number, int precision, const struct decimal *decimal)
{
	char text[48], digits[32];
	snprintf(text, sizeof(text), "%.*e", precision - 1, number);
	size_t n = 0;
	const char *at = text;
	for (; *at != 'e'; at++) {
		if (scan_is_digit(*at)) { /* whatever the locale's decimal point is */
			digits[n++] = *at;
		}
	}
	int64_t power = strtol(at + 1, NULL, 10) + 1;
	while (n > 1 && digits[n - 1] == '0') {
		n--;
	}
	char own[32];
	return decimal->count == n && digits_copy(decimal, own, n) == n && memcmp(own, digits, n) == 0 &&
	       decimal->power == power;
}

/*
 * Would a program that reads this into a double and writes the shortest text
 * that reads back as that double (as jq and JavaScript do) write this value?
 * Powers of two have unequal neighbours, where shortest is not always nearest:
 * there only integers that a double holds are vouched for.
 */
static bool prints_back(const struct decimal *decimal, double number)
{
	if (number == 0 || isinf(number) || decimal->count > 17) {
		return decimal->count == 0;
	}
	if (decimal->count <= DBL_DIG && decimal->power > DBL_MIN_10_EXP &&
		decimal->power <= DBL_MAX_10_EXP) {
		return true;
	}
	int exponent;
	if (frexp(number, &exponent) == 0.5 && number >= DBL_MIN &&
		decimal->power - (int64_t)decimal->count < 0) {
		return false;
	}
	for (int precision = 1; precision <= 17; precision++) {
		char text[48];
		snprintf(text, sizeof(text), "%.*e", precision - 1, number);
		if (strtod(text, NULL) == number) { /* both by the same locale */
			return prints_as(number, precision, decimal);
		}
	}
	return false;
}

int xylem_json_double(struct xylem_span value, double *ret_number, bool *ret_exact)
{
	struct decimal decimal;
	if (!decimal_read(value, &decimal)) {
		return -XYLEM_E_INVALID;
	}
	double number = 0;
	bool quick = nearest_quick(&decimal, &number);
	if (!quick && decimal.count > 0) {
		number = nearest(&decimal);
	}
	if (ret_exact) {
		*ret_exact = quick || prints_back(&decimal, number);
	}
	*ret_number = decimal.negative ? -number : number;
	return 0;
}
