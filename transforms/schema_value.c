/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a schema asks of one value by itself: type, range, length, pattern,
 * number of items, required members. And how a no is said: with the place of
 * the value in the instance and what was expected there.
 *
 * Numbers are compared by their digits; nothing is ever made a double.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/number.h"
#include "json/order.h"
#include "json/string.h"
#include "transforms/schema_value.h"

/* --- Saying no -------------------------------------------------------------- */

bool schema_no(struct schema_checking *own, const struct schema_question *question, const char *format, ...)
{
	char text[400];
	if (question->quiet || own->error) {
		return false;
	}
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (char *at = text; *at; at++) {
		*at = (unsigned char)*at < 0x20 ? '?' : *at; /* names of members are a stranger's text */
	}
	XYLEM_BUFFER_SCOPED place = { 0 };
	xylem_json_place(own->root, question->value.at, &place);
	xylem_reason_set(own->reason, "%.*s: %s", place.n ? (int)(place.n > 200 ? 200 : place.n) : 4,
		place.n ? place.bytes : "data", text);
	return false;
}

bool schema_broken(struct schema_checking *own, int error, const char *why)
{
	if (!own->error) {
		own->error = error;
		xylem_reason_set(own->reason, "%s", why);
	}
	return false;
}

struct schema_shown schema_show(struct xylem_span value)
{
	struct schema_shown shown;
	size_t n = value.n > SCHEMA_SHOWN ? SCHEMA_SHOWN : value.n;
	while (n > 0 && n < value.n && ((unsigned char)value.at[n] & 0xc0) == 0x80) {
		n--;
	}
	snprintf(shown.text, sizeof(shown.text), "%.*s%s", (int)n, value.at, n < value.n ? "..." : "");
	return shown;
}

/* --- What a value answers by itself ----------------------------------------- */

static bool is_integer(struct xylem_span number)
{
	struct decimal decimal = { 0 };
	decimal_read(number, &decimal);
	return decimal.count == 0 ||
	       (decimal.far ? !decimal.exponent_negative : decimal.power >= (int64_t)decimal.count);
}

static bool type_holds(const struct schema *schema, struct xylem_span value)
{
	enum xylem_json_type type = xylem_json_type(value);
	return (schema->types >> type & 1) ||
	       ((schema->types & SCHEMA_INTEGER) && type == XYLEM_JSON_NUMBER && is_integer(value));
}

static void types_write(unsigned types, char *out, size_t room)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ 1u << XYLEM_JSON_OBJECT, "object" },
		{ 1u << XYLEM_JSON_ARRAY, "array" },
		{ 1u << XYLEM_JSON_STRING, "string" },
		{ 1u << XYLEM_JSON_NUMBER, "number" },
		{ SCHEMA_INTEGER, "integer" },
		{ 1u << XYLEM_JSON_TRUE, "boolean" },
		{ 1u << XYLEM_JSON_NULL, "null" },
	};
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (types & names[i].bit) {
			n += (size_t)snprintf(out + n, room - n, "%s%s", n ? " or " : "", names[i].name);
		}
	}
}

static bool check_type(struct schema_checking *own, const struct schema_question *question)
{
	const struct schema *schema = question->schema;
	if (schema->never) {
		return schema_no(own, question, "no value is allowed here");
	}
	if (schema->types == 0 || type_holds(schema, question->value)) {
		return true;
	}
	char expected[96];
	types_write(schema->types, expected, sizeof(expected));
	return schema_no(own, question, "%s is of type %s, expected %s", schema_show(question->value).text,
		xylem_json_type_name(xylem_json_type(question->value)), expected);
}

static bool check_values(struct schema_checking *own, const struct schema_question *question)
{
	const struct schema *schema = question->schema;
	if (xylem_span_present(schema->constant) && !xylem_json_equal(question->value, schema->constant)) {
		return schema_no(own, question, "%s is not %s", schema_show(question->value).text,
			schema_show(schema->constant).text);
	}
	if (!xylem_span_present(schema->enumeration)) {
		return true;
	}
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, schema->enumeration);
	while (xylem_json_next(&iterator)) {
		if (xylem_json_equal(question->value, iterator.value)) {
			return true;
		}
	}
	return schema_no(own, question, "%s is none of %s", schema_show(question->value).text,
		schema_show(schema->enumeration).text);
}

bool schema_is_multiple(struct xylem_span a, struct xylem_span b)
{
	struct decimal left = { 0 }, right = { 0 };
	if (!decimal_read(a, &left) || !decimal_read(b, &right) || right.count == 0 || left.count == 0) {
		return left.count == 0;
	}
	if (left.far) {
		/* So many powers of ten that only b's other factors matter; or so few that it is never one. */
		left.power = left.exponent_negative ? INT64_MIN / 4 : INT64_MAX / 4;
	}
	int64_t more = (left.power - (int64_t)left.count) - (right.power - (int64_t)right.count);
	if (more < 0) {
		return false; /* a's last digit is not 0, and b is a multiple of ten in these units */
	}
	unsigned __int128 divisor = 0, rest = 0;
	for (const char *at = right.digits; at < right.end; at++) {
		divisor = *at == '.' ? divisor : divisor * 10 + (unsigned)(*at - '0');
	}
	for (const char *at = left.digits; at < left.end; at++) {
		rest = *at == '.' ? rest : (rest * 10 + (unsigned)(*at - '0')) % divisor;
	}
	/* A divisor below 10^18 holds fewer than 60 twos and fives: beyond that, more tens change nothing. */
	for (int64_t i = 0; i < more && i < 64 && rest != 0; i++) {
		rest = rest * 10 % divisor;
	}
	return rest == 0;
}

static bool check_number(struct schema_checking *own, const struct schema_question *question)
{
	const struct schema *schema = question->schema;
	const struct {
		struct xylem_span bound;
		int wrong; /* this order, or */
		bool equal_wrong;
		const char *says;
	} bounds[] = {
		{ schema->minimum, -1, false, "is less than the minimum" },
		{ schema->maximum, 1, false, "is more than the maximum" },
		{ schema->exclusive_minimum, -1, true, "is not more than" },
		{ schema->exclusive_maximum, 1, true, "is not less than" },
	};
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (xylem_span_present(bounds[i].bound)) {
			int order = xylem_json_number_compare(question->value, bounds[i].bound);
			if (order == bounds[i].wrong || (order == 0 && bounds[i].equal_wrong)) {
				return schema_no(own, question, "%s %s %s", schema_show(question->value).text,
					bounds[i].says, schema_show(bounds[i].bound).text);
			}
		}
	}
	if (xylem_span_present(schema->multiple_of) &&
		!schema_is_multiple(question->value, schema->multiple_of)) {
		return schema_no(own, question, "%s is not a multiple of %s",
			schema_show(question->value).text, schema_show(schema->multiple_of).text);
	}
	return true;
}

bool schema_matches(struct schema_checking *own, const pcre2_code *pattern, struct xylem_span value)
{
	struct xylem_span text;
	if (xylem_json_string(value, own->arena, &text) < 0) {
		return schema_broken(own, -XYLEM_E_MEMORY, "out of memory");
	}
	int found = pcre2_match(
		pattern, (PCRE2_SPTR)text.at, text.n, 0, PCRE2_NO_UTF_CHECK, own->match, own->context);
	if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
		return schema_broken(
			own, -XYLEM_E_LIMIT, "a pattern of the schema takes too long on this message");
	}
	return found >= 0;
}

static bool check_string(struct schema_checking *own, const struct schema_question *question)
{
	const struct schema *schema = question->schema;
	if (schema->min_length >= 0 || schema->max_length >= 0) {
		int64_t n = (int64_t)json_string_count(question->value);
		if (n < schema->min_length) {
			return schema_no(own, question, "%s has %lld characters, expected at least %lld",
				schema_show(question->value).text, (long long)n,
				(long long)schema->min_length);
		}
		if (schema->max_length >= 0 && n > schema->max_length) {
			return schema_no(own, question, "%s has %lld characters, expected at most %lld",
				schema_show(question->value).text, (long long)n,
				(long long)schema->max_length);
		}
	}
	if (schema->pattern && !schema_matches(own, schema->pattern, question->value)) {
		return schema_no(own, question, "%s does not match the pattern %.*s",
			schema_show(question->value).text,
			(int)(schema->pattern_text.n > 100 ? 100 : schema->pattern_text.n),
			schema->pattern_text.at);
	}
	return true;
}

static bool check_count(struct schema_checking *own, const struct schema_question *question, int64_t n,
	int64_t minimum, int64_t maximum, const char *what)
{
	if (n < minimum) {
		return schema_no(own, question, "has %lld %s, expected at least %lld", (long long)n, what,
			(long long)minimum);
	}
	if (maximum >= 0 && n > maximum) {
		return schema_no(own, question, "has %lld %s, expected at most %lld", (long long)n, what,
			(long long)maximum);
	}
	return true;
}

static int item_order(const void *a, const void *b)
{
	return json_order(*(const struct xylem_span *)a, *(const struct xylem_span *)b);
}

/* Sorted, equal items stand side by side: a look at each pair would let one message cost minutes. */
static bool check_unique(struct schema_checking *own, const struct schema_question *question, size_t n)
{
	struct xylem_span *items = calloc(n + 1, sizeof(*items));
	struct xylem_json_iterator iterator;
	bool good = true;
	if (!items) {
		return schema_broken(own, -XYLEM_E_MEMORY, "out of memory");
	}
	xylem_json_iterate(&iterator, question->value);
	for (size_t i = 0; i < n && xylem_json_next(&iterator); i++) {
		items[i] = iterator.value;
	}
	qsort(items, n, sizeof(*items), item_order);
	for (size_t i = 1; i < n && good; i++) {
		good = json_order(items[i - 1], items[i]) != 0 ||
		       schema_no(own, question, "%s stands in it twice, expected unique items",
			       schema_show(items[i]).text);
	}
	free(items);
	return good;
}

static bool check_array(struct schema_checking *own, const struct schema_question *question)
{
	const struct schema *schema = question->schema;
	if (schema->min_items < 0 && schema->max_items < 0 && !schema->unique_items) {
		return true;
	}
	size_t n = xylem_json_count(question->value);
	return check_count(own, question, (int64_t)n, schema->min_items, schema->max_items, "items") &&
	       (!schema->unique_items || check_unique(own, question, n));
}

static bool check_object(struct schema_checking *own, const struct schema_question *question)
{
	const struct schema *schema = question->schema;
	for (size_t i = 0; i < schema->required_count; i++) {
		struct xylem_span name = schema->required[i];
		if (!xylem_span_present(xylem_json_member(question->value, name))) {
			return schema_no(own, question, "the member \"%.*s\" is missing",
				(int)(name.n > SCHEMA_SHOWN ? SCHEMA_SHOWN : name.n), name.at);
		}
	}
	if (schema->min_properties < 0 && schema->max_properties < 0) {
		return true;
	}
	return check_count(own, question, (int64_t)json_member_count(question->value), schema->min_properties,
		schema->max_properties, "members");
}

bool schema_value_check(struct schema_checking *own, const struct schema_question *question)
{
	if (!check_type(own, question) || !check_values(own, question)) {
		return false;
	}
	switch (xylem_json_type(question->value)) {
	case XYLEM_JSON_NUMBER:
		return check_number(own, question);
	case XYLEM_JSON_STRING:
		return check_string(own, question);
	case XYLEM_JSON_ARRAY:
		return check_array(own, question);
	case XYLEM_JSON_OBJECT:
		return check_object(own, question);
	default:
		return true;
	}
}
