/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `+ - * / %` and the comparisons do with values of every type. Operands
 * are given over: a left one with one reference grows in place, so that adding
 * up in a `reduce` costs what is added.
 */
#include <math.h>

#include "json/utf8.h"

#include "jq/evaluate.h"

/* Both were consumed and have no more references from here. */
static struct jq_value done(
	struct jq_machine *machine, struct jq_value a, struct jq_value b, struct jq_value result)
{
	jq_release(machine, a);
	jq_release(machine, b);
	return result;
}

/* --- Adding ---------------------------------------------------------------------------- */

static struct jq_value add_strings(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	a = jq_string_made(machine, a);
	b = jq_string_made(machine, b);
	if (jq_is_none(a) || jq_is_none(b)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value sum = jq_string_append(machine, a, xylem_span(b.at, b.n));
	jq_release(machine, b);
	return sum;
}

static struct jq_value add_arrays(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	struct jq_walk walk = jq_walk_over(machine, b);
	size_t count = 0;
	if (jq_is_array(a) && jq_count(machine, a) == 0) {
		return done(machine, a, jq_simple(JQ_NULL), b);
	}
	while (!jq_is_none(a) && jq_walk_next(&walk)) {
		a = jq_array_push(machine, a, jq_retain(walk.value));
		count++;
	}
	jq_release(machine, b);
	return jq_spend(machine, count / 4) ? a : jq_simple(JQ_NONE);
}

static struct jq_value add_objects(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	struct jq_walk walk = jq_walk_over(machine, b);
	size_t count = 0;
	while (!jq_is_none(a) && jq_walk_next(&walk)) {
		a = jq_object_set(machine, a, jq_retain(walk.key), jq_retain(walk.value));
		count++;
	}
	jq_release(machine, b);
	return jq_spend(machine, count / 2) ? a : jq_simple(JQ_NONE);
}

static struct jq_value add(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (jq_is_number(a) && jq_is_number(b)) {
		return jq_number_add(a, b);
	}
	if (a.kind == JQ_NULL) {
		return b;
	}
	if (b.kind == JQ_NULL) {
		return a;
	}
	if (jq_is_string(a) && jq_is_string(b)) {
		return add_strings(machine, a, b);
	}
	if (jq_is_array(a) && jq_is_array(b)) {
		return add_arrays(machine, a, b);
	}
	if (jq_is_object(a) && jq_is_object(b)) {
		return add_objects(machine, a, b);
	}
	return jq_fail_types(machine, a, b, "cannot be added");
}

/* --- Subtracting ------------------------------------------------------------------------- */

static bool holds(struct jq_machine *machine, struct jq_value array, struct jq_value item)
{
	struct jq_walk walk = jq_walk_over(machine, array);
	while (jq_walk_next(&walk) && jq_spend(machine, 1)) {
		if (jq_order(machine, walk.value, item) == 0) {
			return true;
		}
	}
	return false;
}

static struct jq_value subtract(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (jq_is_number(a) && jq_is_number(b)) {
		return jq_number_subtract(a, b);
	}
	if (!jq_is_array(a) || !jq_is_array(b)) {
		return jq_fail_types(machine, a, b, "cannot be subtracted");
	}
	struct jq_value left = jq_array(machine, 0);
	b = jq_made(machine, b);
	struct jq_walk walk = jq_walk_over(machine, a);
	while (!jq_is_none(left) && !jq_is_none(b) && jq_walk_next(&walk)) {
		if (!holds(machine, b, walk.value)) {
			left = jq_array_push(machine, left, jq_retain(walk.value));
		}
	}
	return machine->limit ? jq_simple(JQ_NONE) : done(machine, a, b, left);
}

/* --- Multiplying -------------------------------------------------------------------------- */

static struct jq_value repeat(struct jq_machine *machine, struct jq_value string, double times)
{
	struct xylem_span bytes = jq_string_bytes(machine, string);
	if (times < 0 || isnan(times)) {
		jq_release(machine, string);
		return jq_simple(JQ_NULL);
	}
	double size = bytes.n ? floor(times) * (double)bytes.n : 0;
	if (size > (double)machine->memory.limit) {
		return jq_limit_reached(machine, JQ_LIMIT_MEMORY);
	}
	char *at;
	struct jq_value made = jq_string_room(machine, (size_t)size, &at);
	for (size_t n = 0; !jq_is_none(made) && n < (size_t)size; n += bytes.n) {
		memcpy(at + n, bytes.at, bytes.n);
	}
	jq_release(machine, string);
	return jq_spend(machine, (uint64_t)size / 64) ? made : jq_simple(JQ_NONE);
}

/* Objects within both are merged. Recurses as deep as values may be (JQ_VALUE_DEPTH). */
static struct jq_value merge(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	a = jq_owned(machine, a);
	struct jq_walk walk = jq_walk_over(machine, b);
	while (!jq_is_none(a) && jq_walk_next(&walk) && jq_spend(machine, 1)) {
		struct jq_value *place = jq_object_place(a.object, xylem_span(walk.key.at, walk.key.n));
		struct jq_value item = jq_retain(walk.value);
		if (place && jq_is_object(*place) && jq_is_object(item)) {
			struct jq_value inner = *place;
			*place = jq_simple(JQ_NULL); /* so that it has one reference */
			item = merge(machine, inner, item);
		}
		a = jq_object_set(machine, a, jq_retain(walk.key), item);
	}
	jq_release(machine, b);
	return machine->limit ? jq_simple(JQ_NONE) : a;
}

static struct jq_value multiply(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (jq_is_number(a) && jq_is_number(b)) {
		return jq_number_multiply(a, b);
	}
	if (jq_is_string(a) && jq_is_number(b)) {
		return repeat(machine, a, jq_number_double(b));
	}
	if (jq_is_number(a) && jq_is_string(b)) {
		return repeat(machine, b, jq_number_double(a));
	}
	if (jq_is_object(a) && jq_is_object(b)) {
		return merge(machine, a, b);
	}
	return jq_fail_types(machine, a, b, "cannot be multiplied");
}

/* --- Dividing ------------------------------------------------------------------------------ */

static struct jq_value points_of(struct jq_machine *machine, struct xylem_span bytes)
{
	struct jq_value parts = jq_array(machine, 0);
	const char *at = bytes.at, *end = at + bytes.n;
	while (at < end && !jq_is_none(parts)) {
		uint32_t point;
		size_t n = utf8_next(at, end, &point);
		n = n ? n : 1;
		parts = jq_array_push(machine, parts, jq_string(machine, xylem_span(at, n)));
		at += n;
	}
	return jq_spend(machine, bytes.n / 4) ? parts : jq_simple(JQ_NONE);
}

struct jq_value jq_string_split(struct jq_machine *machine, struct jq_value string, struct jq_value separator)
{
	struct xylem_span bytes = jq_string_bytes(machine, string), by = jq_string_bytes(machine, separator);
	if (by.n == 0) {
		return points_of(machine, bytes);
	}
	struct jq_value parts = jq_array(machine, 0);
	const char *at = bytes.at, *end = at + bytes.n;
	while (bytes.n && !jq_is_none(parts)) {
		const char *stop = memmem(at, (size_t)(end - at), by.at, by.n);
		struct xylem_span part = xylem_span(at, (size_t)((stop ? stop : end) - at));
		parts = jq_array_push(machine, parts, jq_string(machine, part));
		if (!stop) {
			break;
		}
		at = stop + by.n;
	}
	return jq_spend(machine, bytes.n / 16) ? parts : jq_simple(JQ_NONE);
}

static struct jq_value divide(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (jq_is_number(a) && jq_is_number(b)) {
		return jq_number_double(b) == 0
			       ? jq_fail_types(machine, a, b, "cannot be divided because the divisor is zero")
			       : jq_number_divide(a, b);
	}
	if (jq_is_string(a) && jq_is_string(b)) {
		return done(machine, a, b, jq_string_split(machine, a, b));
	}
	return jq_fail_types(machine, a, b, "cannot be divided");
}

static struct jq_value modulo(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (!jq_is_number(a) || !jq_is_number(b)) {
		return jq_fail_types(machine, a, b, "cannot be divided (remainder)");
	}
	if (isnan(jq_number_double(a)) || isnan(jq_number_double(b))) {
		return jq_double(NAN);
	}
	int64_t divisor = jq_number_cut(b);
	if (divisor == 0) {
		return jq_fail_types(
			machine, a, b, "cannot be divided (remainder) because the divisor is zero");
	}
	return jq_int(divisor == -1 ? 0 : jq_number_cut(a) % divisor);
}

/* --- Comparing ------------------------------------------------------------------------------- */

static bool compares(enum jq_operator op, int order)
{
	switch (op) {
	case OPERATOR_EQUAL:
		return order == 0;
	case OPERATOR_UNEQUAL:
		return order != 0;
	case OPERATOR_LESS:
		return order < 0;
	case OPERATOR_LESS_EQUAL:
		return order <= 0;
	case OPERATOR_GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

struct jq_value jq_calculate(
	struct jq_machine *machine, enum jq_operator op, struct jq_value a, struct jq_value b)
{
	switch (op) {
	case OPERATOR_ADD:
		return add(machine, a, b);
	case OPERATOR_SUBTRACT:
		return subtract(machine, a, b);
	case OPERATOR_MULTIPLY:
		return multiply(machine, a, b);
	case OPERATOR_DIVIDE:
		return divide(machine, a, b);
	case OPERATOR_MODULO:
		return modulo(machine, a, b);
	case OPERATOR_ALTERNATIVE:
		return jq_is_true(a) ? done(machine, jq_simple(JQ_NULL), b, a)
				     : done(machine, a, jq_simple(JQ_NULL), b);
	default:
		return done(machine, a, b, jq_bool(compares(op, jq_order(machine, a, b))));
	}
}

/* --- Indices --------------------------------------------------------------------------------- */

static struct jq_value array_indices(struct jq_machine *machine, struct jq_value whole, struct jq_value part)
{
	struct jq_value found = jq_array(machine, 0);
	whole = jq_made(machine, jq_retain(whole));
	part = jq_made(machine, jq_retain(part));
	if (jq_is_none(whole) || jq_is_none(part)) {
		return jq_simple(JQ_NONE);
	}
	size_t n = part.array->n, last = whole.array->n;
	for (size_t i = 0; n > 0 && i + n <= last && jq_spend(machine, 1); i++) {
		size_t same = 0;
		while (same < n &&
			jq_order(machine, whole.array->items[i + same], part.array->items[same]) == 0) {
			same++;
		}
		jq_spend(machine, same / 4);
		if (same == n) {
			found = jq_array_push(machine, found, jq_int((int64_t)i));
		}
	}
	return machine->limit ? jq_simple(JQ_NONE) : done(machine, whole, part, found);
}

static struct jq_value string_indices(struct jq_machine *machine, struct jq_value whole, struct jq_value part)
{
	struct xylem_span bytes = jq_string_bytes(machine, whole), wanted = jq_string_bytes(machine, part);
	struct jq_value found = jq_array(machine, 0);
	const char *at = bytes.at, *end = at + bytes.n, *counted = at;
	size_t points = 0;
	while (wanted.n && !jq_is_none(found) && (at = memmem(at, (size_t)(end - at), wanted.at, wanted.n))) {
		points += utf8_count(xylem_span(counted, (size_t)(at - counted)));
		counted = at++;
		found = jq_array_push(machine, found, jq_int((int64_t)points));
		if (!jq_spend(machine, wanted.n / 64)) {
			return jq_simple(JQ_NONE);
		}
	}
	return jq_spend(machine, bytes.n / 16) ? found : jq_simple(JQ_NONE);
}

struct jq_value jq_indices(struct jq_machine *machine, struct jq_value whole, struct jq_value part)
{
	if (jq_is_array(whole) && jq_is_array(part)) {
		return array_indices(machine, whole, part);
	}
	return string_indices(machine, whole, part);
}
