/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands at a key in a value, and putting something there: fields,
 * indices, slices, as jq's jv_aux.c has them, with its words.
 */
#include <math.h>

#include "json/utf8.h"

#include "jq/evaluate.h"

/* --- Slices ----------------------------------------------------------------------- */

/* A bound: null, or a number. */
static bool bound_read(struct jq_value bound, double otherwise, double *ret_bound)
{
	if (bound.kind == JQ_NULL) {
		*ret_bound = otherwise;
		return true;
	}
	*ret_bound = jq_is_number(bound) ? jq_number_double(bound) : 0;
	return jq_is_number(bound);
}

static bool slice_bounds(struct jq_machine *machine, size_t length, struct jq_value from, struct jq_value to,
	size_t *ret_from, size_t *ret_to)
{
	double n = (double)length, start, end;
	if (!bound_read(from, 0, &start) || !bound_read(to, n, &end)) {
		jq_fail(machine, "Array/string slice indices must be integers");
		return false;
	}
	start = isnan(start) ? 0 : start < 0 ? start + n : start;
	start = start < 0 ? 0 : start > n ? n : floor(start);
	end = isnan(end) ? n : end < 0 ? end + n : end;
	end = end < 0 ? start : end > n ? n : ceil(end);
	*ret_from = (size_t)start;
	*ret_to = end < start ? (size_t)start : (size_t)end;
	return true;
}

/* Byte at which a code point begins. */
static size_t point_offset(struct xylem_span bytes, size_t point)
{
	const char *at = bytes.at, *end = at + bytes.n;
	for (; point > 0 && at < end; point--) {
		at++;
		while (at < end && ((unsigned char)*at & 0xc0) == 0x80) {
			at++;
		}
	}
	return (size_t)(at - bytes.at);
}

static struct jq_value string_slice(
	struct jq_machine *machine, struct jq_value string, struct jq_value from, struct jq_value to)
{
	struct xylem_span bytes = jq_string_bytes(machine, string);
	size_t start, end, count = utf8_count(bytes);
	if (!jq_spend(machine, bytes.n / 64) || !slice_bounds(machine, count, from, to, &start, &end)) {
		return jq_simple(JQ_NONE);
	}
	size_t first = count == bytes.n ? start : point_offset(bytes, start);
	size_t last = count == bytes.n ? end
				       : first + point_offset(xylem_span(bytes.at + first, bytes.n - first),
							 end - start);
	struct jq_value slice = jq_string(machine, xylem_span(bytes.at + first, last - first));
	jq_release(machine, string);
	return slice;
}

struct jq_value jq_get_slice(
	struct jq_machine *machine, struct jq_value value, struct jq_value from, struct jq_value to)
{
	if (value.kind == JQ_NULL) {
		return value;
	}
	if (jq_is_string(value)) {
		return string_slice(machine, value, from, to);
	}
	if (!jq_is_array(value)) {
		return jq_fail(machine, "Cannot index %s with object", jq_type_name(value));
	}
	size_t start, end;
	if (!slice_bounds(machine, jq_count(machine, value), from, to, &start, &end)) {
		return jq_simple(JQ_NONE);
	}
	return jq_array_slice(machine, value, start, end);
}

static struct jq_value slice_member(struct jq_machine *machine, struct jq_value key, const char *name)
{
	struct jq_value bound = jq_object_get(machine, key, xylem_span_of(name));
	return jq_is_none(bound) ? jq_bool(false) : bound; /* absent: no bound, not even null */
}

struct jq_value jq_slice_key(struct jq_machine *machine, struct jq_value from, struct jq_value to)
{
	struct jq_value key = jq_object(machine, 2);
	key = jq_object_set(machine, key, jq_string_borrow(XYLEM_SPAN_LITERAL("start")), jq_retain(from));
	return jq_object_set(machine, key, jq_string_borrow(XYLEM_SPAN_LITERAL("end")), jq_retain(to));
}

/* --- Getting ----------------------------------------------------------------------- */

struct jq_value jq_get_field(struct jq_machine *machine, struct jq_value value, struct jq_value name)
{
	struct xylem_span bytes = xylem_span(name.at, name.n);
	struct jq_value member;
	switch (value.kind) {
	case JQ_OBJECT_RAW:
		member = jq_text_member(machine, value, bytes);
		return jq_is_none(member) ? jq_simple(JQ_NULL) : jq_retain(member);
	case JQ_OBJECT:
		member = jq_object_get(machine, value, bytes);
		member = jq_is_none(member) ? jq_simple(JQ_NULL) : jq_retain(member);
		jq_release(machine, value);
		return member;
	case JQ_NULL:
		return value;
	default:
		if (name.n < 30) {
			return jq_fail(machine, "Cannot index %s with string \"%.*s\"", jq_type_name(value),
				(int)name.n, name.at);
		}
		return jq_fail(machine, "Cannot index %s with string", jq_type_name(value));
	}
}

static struct jq_value get_element(struct jq_machine *machine, struct jq_value array, struct jq_value key)
{
	double place = jq_number_double(key);
	struct jq_value item = jq_simple(JQ_NONE);
	if (!isnan(place)) {
		place = trunc(place);
		place = place < 0 ? place + (double)jq_count(machine, array) : place;
		if (place >= 0 && place < 4e9) {
			item = jq_array_item(machine, array, (size_t)place);
		}
	}
	item = jq_is_none(item) ? jq_simple(JQ_NULL) : jq_retain(item);
	if (array.kind == JQ_ARRAY_RAW && !jq_spend(machine, array.n / 256)) {
		return jq_simple(JQ_NONE);
	}
	jq_release(machine, array);
	return item;
}

struct jq_value jq_get(struct jq_machine *machine, struct jq_value value, struct jq_value key)
{
	if (jq_is_string(key)) {
		struct xylem_span bytes = jq_string_bytes(machine, key);
		return jq_get_field(machine, value, jq_string_borrow(bytes));
	}
	if (jq_is_number(key) && jq_is_array(value)) {
		return get_element(machine, value, key);
	}
	if (jq_is_object(key) && (jq_is_array(value) || jq_is_string(value) || value.kind == JQ_NULL)) {
		return jq_get_slice(machine, value, slice_member(machine, key, "start"),
			slice_member(machine, key, "end"));
	}
	if (jq_is_array(key) && jq_is_array(value)) {
		struct jq_value found = jq_indices(machine, value, key);
		jq_release(machine, value);
		return found;
	}
	if (value.kind == JQ_NULL && jq_is_number(key)) {
		return value;
	}
	return jq_fail(machine, "Cannot index %s with %s", jq_type_name(value), jq_type_name(key));
}

/* --- Setting ------------------------------------------------------------------------ */

static struct jq_value set_element(
	struct jq_machine *machine, struct jq_value array, struct jq_value key, struct jq_value item)
{
	double place = jq_number_double(key);
	if (isnan(place)) {
		return jq_fail(machine, "Cannot set array element at NaN index");
	}
	place = trunc(place);
	array = jq_owned(machine, array);
	if (jq_is_none(array)) {
		return array;
	}
	place = place < 0 ? place + array.array->n : place;
	if (place < 0) {
		return jq_fail(machine, "Out of bounds negative array index");
	}
	if (place >= 536870911) {
		return jq_fail(machine, "Array index too large");
	}
	if (!jq_spend(machine, place > array.array->n ? (uint64_t)place - array.array->n : 0)) {
		return jq_simple(JQ_NONE);
	}
	while (!jq_is_none(array) && array.array->n < (size_t)place) {
		array = jq_array_push(machine, array, jq_simple(JQ_NULL));
	}
	return jq_is_none(array) ? array : jq_array_put(machine, array, (size_t)place, item);
}

static struct jq_value set_slice(
	struct jq_machine *machine, struct jq_value array, struct jq_value key, struct jq_value items)
{
	size_t start, end;
	if (!jq_is_array(items)) {
		return jq_fail(machine, "A slice of an array can only be assigned another array");
	}
	array = jq_owned(machine, array);
	if (jq_is_none(array) || !slice_bounds(machine, array.array->n, slice_member(machine, key, "start"),
					 slice_member(machine, key, "end"), &start, &end)) {
		return jq_simple(JQ_NONE);
	}
	return jq_array_splice(machine, array, start, end, items);
}

struct jq_value jq_set(
	struct jq_machine *machine, struct jq_value value, struct jq_value key, struct jq_value item)
{
	bool null = value.kind == JQ_NULL;
	if (jq_is_string(key) && (null || jq_is_object(value))) {
		value = null ? jq_object(machine, 0) : value;
		return jq_object_set(machine, value, jq_retain(key), item);
	}
	if (jq_is_number(key) && (null || jq_is_array(value))) {
		return set_element(machine, null ? jq_array(machine, 0) : value, key, item);
	}
	if (jq_is_object(key) && (null || jq_is_array(value))) {
		return set_slice(machine, null ? jq_array(machine, 0) : value, key, item);
	}
	if (jq_is_object(key) && jq_is_string(value)) {
		return jq_fail(machine, "Cannot update string slices");
	}
	return jq_fail(
		machine, "Cannot update field at %s index of %s", jq_type_name(key), jq_type_name(value));
}
