/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builtins about the shape of values: length, keys, membership, entries,
 * flattening, paths.
 */
#include <math.h>

#include "jq/builtin.h"
#include "jq/evaluate.h"

#define FUNCTION(name)               \
	static struct jq_value name( \
		struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)

/* A number without its sign, its text kept. */
static struct jq_value magnitude(struct jq_value number)
{
	if (number.kind == JQ_LITERAL) {
		size_t sign = number.at[0] == '-';
		number.at += sign;
		number.n -= (uint32_t)sign;
		return number;
	}
	if (number.kind == JQ_INT && number.integer != INT64_MIN) {
		return jq_int(number.integer < 0 ? -number.integer : number.integer);
	}
	return jq_double(fabs(jq_number_double(number)));
}

FUNCTION(length)
{
	if (input.kind == JQ_NULL) {
		return jq_int(0);
	}
	if (jq_is_number(input)) {
		return magnitude(input);
	}
	if (input.kind < JQ_STRING) {
		return jq_fail_type(machine, input, "has no length");
	}
	return jq_int((int64_t)jq_count(machine, input));
}

FUNCTION(abs_value)
{
	if (jq_is_number(input)) {
		return jq_number_order(input, jq_int(0)) < 0 && !isnan(jq_number_double(input))
			       ? magnitude(input)
			       : input;
	}
	return input.kind < JQ_INT ? jq_fail_type(machine, input, "cannot be negated") : jq_retain(input);
}

FUNCTION(type_of)
{
	return jq_string_borrow(xylem_span_of(jq_type_name(input)));
}

FUNCTION(toarray)
{
	return jq_is_array(input) ? jq_retain(input)
				  : jq_array_push(machine, jq_array(machine, 1), jq_retain(input));
}

FUNCTION(truth)
{
	return jq_bool(true);
}

/* --- Keys ------------------------------------------------------------------------------ */

static struct jq_value indices_of(struct jq_machine *machine, struct jq_value array)
{
	size_t n = jq_count(machine, array);
	struct jq_value keys = jq_array(machine, n);
	for (size_t i = 0; i < n && !jq_is_none(keys); i++) {
		keys = jq_array_push(machine, keys, jq_int((int64_t)i));
	}
	return jq_spend(machine, n / 8) ? keys : jq_simple(JQ_NONE);
}

FUNCTION(keys_unsorted)
{
	if (jq_is_array(input)) {
		return indices_of(machine, input);
	}
	if (!jq_is_object(input)) {
		return jq_fail_type(machine, input, "has no keys");
	}
	struct jq_value keys = jq_array(machine, 0);
	struct jq_walk walk = jq_walk_over(machine, input);
	while (!jq_is_none(keys) && jq_walk_next(&walk)) {
		keys = jq_array_push(machine, keys, jq_retain(walk.key));
	}
	return machine->limit ? jq_simple(JQ_NONE) : keys;
}

static struct jq_value sorted_array(struct jq_machine *machine, struct jq_value array, enum jq_sorted what)
{
	size_t n = jq_count(machine, array);
	struct jq_keyed *items = jq_take(machine, (n + 1) * sizeof(*items));
	struct jq_walk walk = jq_walk_over(machine, array);
	for (uint32_t i = 0; items && jq_walk_next(&walk); i++) {
		items[i] = (struct jq_keyed){ walk.value, jq_retain(walk.value), i };
	}
	if (!items || !jq_keyed_sort(machine, items, n)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value made = jq_keyed_give(machine, what, items, n);
	jq_give(machine, items, (n + 1) * sizeof(*items));
	return made;
}

FUNCTION(keys)
{
	struct jq_value unsorted = keys_unsorted(machine, input, arguments);
	if (jq_is_none(unsorted) || jq_is_array(input)) {
		return unsorted;
	}
	struct jq_value sorted = sorted_array(machine, unsorted, SORTED_SORT);
	jq_release(machine, unsorted);
	return sorted;
}

FUNCTION(has)
{
	struct jq_value key = arguments[0];
	if (input.kind == JQ_NULL) {
		return jq_bool(false);
	}
	if (jq_is_object(input) && jq_is_string(key)) {
		return jq_bool(!jq_is_none(jq_object_get(machine, input, jq_string_bytes(machine, key))));
	}
	if (jq_is_array(input) && jq_is_number(key)) {
		double index = jq_number_double(key);
		return jq_bool(trunc(index) >= 0 && trunc(index) < (double)jq_count(machine, input));
	}
	return jq_fail(
		machine, "Cannot check whether %s has a %s key", jq_type_name(input), jq_type_name(key));
}

/* --- contains -------------------------------------------------------------------------------- */

static bool contains_value(struct jq_machine *machine, struct jq_value a, struct jq_value b);

static bool contains_members(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	struct jq_walk walk = jq_walk_over(machine, b);
	while (jq_walk_next(&walk)) {
		struct jq_value own = jq_object_get(machine, a, xylem_span(walk.key.at, walk.key.n));
		if (jq_is_none(own) || !contains_value(machine, own, walk.value)) {
			return false;
		}
	}
	return true;
}

static bool contains_one(struct jq_machine *machine, struct jq_value array, struct jq_value item)
{
	struct jq_walk walk = jq_walk_over(machine, array);
	while (jq_walk_next(&walk) && jq_spend(machine, 1)) {
		if (contains_value(machine, walk.value, item)) {
			return true;
		}
	}
	return false;
}

static bool contains_elements(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	struct jq_walk walk = jq_walk_over(machine, b);
	while (jq_walk_next(&walk)) {
		if (!contains_one(machine, a, walk.value)) {
			return false;
		}
	}
	return true;
}

/* Recurses as deep as the second value is, which is bounded (JQ_VALUE_DEPTH, XYLEM_JSON_DEPTH). */
static bool contains_value(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (jq_is_object(a) && jq_is_object(b)) {
		return contains_members(machine, a, b);
	}
	if (jq_is_array(a) && jq_is_array(b)) {
		return contains_elements(machine, a, b);
	}
	if (jq_is_string(a) && jq_is_string(b)) {
		struct xylem_span whole = jq_string_bytes(machine, a), part = jq_string_bytes(machine, b);
		return part.n == 0 || memmem(whole.at, whole.n, part.at, part.n) != NULL;
	}
	return jq_order(machine, a, b) == 0;
}

FUNCTION(contains)
{
	struct jq_value other = arguments[0];
	bool flat = input.kind < JQ_INT || other.kind < JQ_INT;
	if (jq_type(input) != jq_type(other) || (flat && input.kind != other.kind)) {
		return jq_fail_types(machine, input, other, "cannot have their containment checked");
	}
	bool found = contains_value(machine, input, other);
	return machine->limit ? jq_simple(JQ_NONE) : jq_bool(found);
}

/* --- Entries --------------------------------------------------------------------------------------- */

static struct jq_value entry_of(struct jq_machine *machine, struct jq_value key, struct jq_value value)
{
	struct jq_value entry = jq_object(machine, 2);
	entry = jq_object_set(machine, entry, jq_string_borrow(XYLEM_SPAN_LITERAL("key")), jq_retain(key));
	return jq_object_set(machine, entry, jq_string_borrow(XYLEM_SPAN_LITERAL("value")), jq_retain(value));
}

FUNCTION(to_entries)
{
	if (input.kind < JQ_ARRAY) {
		return jq_fail_type(machine, input, "has no keys");
	}
	struct jq_value entries = jq_array(machine, 0);
	struct jq_walk walk = jq_walk_over(machine, input);
	size_t count = 0;
	while (!jq_is_none(entries) && jq_walk_next(&walk)) {
		entries = jq_array_push(machine, entries, entry_of(machine, walk.key, walk.value));
		count++;
	}
	return jq_spend(machine, count) ? entries : jq_simple(JQ_NONE);
}

/* The first of some members that is neither null nor false; the last whatever it is. */
static struct jq_value member_of(
	struct jq_machine *machine, struct jq_value entry, const char *const *names, size_t n)
{
	struct jq_value value = jq_simple(JQ_NULL);
	for (size_t i = 0; i < n && !jq_is_true(value) && !jq_is_none(value); i++) {
		value = jq_get_field(machine, jq_retain(entry), jq_string_borrow(xylem_span_of(names[i])));
	}
	return value;
}

static struct jq_value entry_add(struct jq_machine *machine, struct jq_value object, struct jq_value entry)
{
	static const char *const names[] = { "key", "Key", "name", "Name" };
	struct jq_value key = member_of(machine, entry, names, sizeof(names) / sizeof(names[0]));
	if (jq_is_none(key)) {
		return key;
	}
	if (!jq_is_string(key)) {
		return jq_fail_key(machine, key);
	}
	struct jq_value value = jq_is_object(entry)
					? jq_object_get(machine, entry, XYLEM_SPAN_LITERAL("value"))
					: jq_simple(JQ_NULL);
	if (jq_is_none(value)) {
		value = jq_object_get(machine, entry, XYLEM_SPAN_LITERAL("Value"));
	}
	return jq_object_set(machine, object, key, jq_is_none(value) ? jq_simple(JQ_NULL) : jq_retain(value));
}

FUNCTION(from_entries)
{
	struct jq_value object = jq_object(machine, 0);
	if (input.kind < JQ_ARRAY) {
		return jq_fail_iterate(machine, input);
	}
	struct jq_walk walk = jq_walk_over(machine, input);
	while (!jq_is_none(object) && jq_walk_next(&walk) && jq_spend(machine, 1)) {
		object = entry_add(machine, object, walk.value);
	}
	return machine->limit ? jq_simple(JQ_NONE) : object;
}

/* --- Arrays ------------------------------------------------------------------------------------------ */

/* Recurses as deep as the value is. */
static struct jq_value flatten_into(
	struct jq_machine *machine, struct jq_value flat, struct jq_value value, double depth)
{
	struct jq_walk walk = jq_walk_over(machine, value);
	while (!jq_is_none(flat) && jq_walk_next(&walk)) {
		flat = jq_is_array(walk.value) && depth != 0
			       ? flatten_into(machine, flat, walk.value, depth - 1)
			       : jq_array_push(machine, flat, jq_retain(walk.value));
		if (!jq_spend(machine, 1)) {
			return jq_simple(JQ_NONE);
		}
	}
	return flat;
}

static struct jq_value flattened(struct jq_machine *machine, struct jq_value input, double depth)
{
	return input.kind < JQ_ARRAY ? jq_fail_iterate(machine, input)
				     : flatten_into(machine, jq_array(machine, 0), input, depth);
}

FUNCTION(flatten)
{
	return flattened(machine, input, -1);
}

FUNCTION(flatten_depth)
{
	if (!jq_is_number(arguments[0])) {
		return jq_fail(machine, "flatten depth must not be negative");
	}
	double depth = jq_number_double(arguments[0]);
	return !(depth >= 0) ? jq_fail(machine, "flatten depth must not be negative")
			     : flattened(machine, input, depth);
}

FUNCTION(add_all)
{
	if (input.kind < JQ_ARRAY) {
		return jq_fail_iterate(machine, input);
	}
	struct jq_value sum = jq_simple(JQ_NULL);
	struct jq_walk walk = jq_walk_over(machine, input);
	while (!jq_is_none(sum) && jq_walk_next(&walk)) {
		sum = jq_calculate(machine, OPERATOR_ADD, sum, jq_retain(walk.value));
	}
	return machine->limit ? jq_simple(JQ_NONE) : sum;
}

FUNCTION(reverse)
{
	if (!jq_is_array(input)) {
		struct jq_value n = length(machine, input, NULL);
		return jq_is_none(n) || jq_number_double(n) > 0
			       ? (jq_is_none(n) ? n : jq_get(machine, jq_retain(input), jq_int(0)))
			       : jq_array(machine, 0);
	}
	struct jq_value array = jq_made(machine, jq_retain(input));
	struct jq_value made = jq_is_none(array) ? array : jq_array(machine, array.array->n);
	for (size_t i = jq_is_none(made) ? 0 : array.array->n; i-- > 0;) {
		made = jq_array_push(machine, made, jq_retain(array.array->items[i]));
	}
	jq_release(machine, array);
	return machine->limit ? jq_simple(JQ_NONE) : made;
}

static struct jq_value sorted_or_fail(struct jq_machine *machine, struct jq_value input, enum jq_sorted what)
{
	return jq_is_array(input) ? sorted_array(machine, input, what)
				  : jq_fail_type(machine, input, "cannot be sorted, as it is not an array");
}

FUNCTION(sort)
{
	return sorted_or_fail(machine, input, SORTED_SORT);
}

FUNCTION(unique)
{
	return sorted_or_fail(machine, input, SORTED_UNIQUE);
}

static struct jq_value extreme(struct jq_machine *machine, struct jq_value input, bool greatest)
{
	if (!jq_is_array(input)) {
		return jq_fail_type(machine, input, "cannot be iterated over");
	}
	struct jq_value found = jq_simple(JQ_NONE);
	struct jq_walk walk = jq_walk_over(machine, input);
	while (jq_walk_next(&walk) && jq_spend(machine, 1)) {
		int order = jq_is_none(found) ? 0 : jq_order(machine, walk.value, found);
		found = jq_is_none(found) || (greatest ? order >= 0 : order < 0) ? walk.value : found;
	}
	return machine->limit      ? jq_simple(JQ_NONE)
	       : jq_is_none(found) ? jq_simple(JQ_NULL)
				   : jq_retain(found);
}

FUNCTION(least)
{
	return extreme(machine, input, false);
}

FUNCTION(greatest)
{
	return extreme(machine, input, true);
}

FUNCTION(transpose)
{
	struct jq_value rows = jq_is_array(input) ? jq_made(machine, jq_retain(input)) : input;
	if (!jq_is_array(rows)) {
		return jq_is_none(rows) ? rows : jq_fail_iterate(machine, input);
	}
	size_t width = 0;
	for (size_t i = 0; i < rows.array->n; i++) {
		if (!jq_is_array(rows.array->items[i]) && rows.array->items[i].kind != JQ_NULL) {
			return jq_fail(
				machine, "Cannot index %s with number", jq_type_name(rows.array->items[i]));
		}
		size_t n = jq_count(machine, rows.array->items[i]);
		width = n > width ? n : width;
	}
	struct jq_value made = jq_array(machine, width);
	for (size_t x = 0; x < width && !jq_is_none(made); x++) {
		struct jq_value column = jq_array(machine, rows.array->n);
		for (size_t y = 0; y < rows.array->n && jq_spend(machine, 1); y++) {
			struct jq_value row = rows.array->items[y];
			struct jq_value item = row.kind == JQ_NULL ? jq_simple(JQ_NONE)
								   : jq_array_item(machine, row, x);
			item = jq_is_none(item) ? jq_simple(JQ_NULL) : jq_retain(item);
			column = jq_array_push(machine, column, item);
		}
		made = jq_array_push(machine, made, column);
	}
	return machine->limit ? jq_simple(JQ_NONE) : made;
}

FUNCTION(bsearch)
{
	if (!jq_is_array(input)) {
		return jq_fail_type(machine, input, "cannot be searched from");
	}
	struct jq_value array = jq_made(machine, jq_retain(input));
	int64_t low = 0, high = jq_is_none(array) ? -1 : (int64_t)array.array->n - 1;
	while (low <= high) {
		int64_t middle = low + (high - low) / 2;
		int order = jq_order(machine, array.array->items[middle], arguments[0]);
		if (order == 0) {
			return jq_int(middle);
		}
		low = order < 0 ? middle + 1 : low;
		high = order < 0 ? high : middle - 1;
	}
	jq_release(machine, array);
	return machine->limit ? jq_simple(JQ_NONE) : jq_int(-1 - low);
}

/* --- Paths --------------------------------------------------------------------------------------------- */

FUNCTION(setpath)
{
	return jq_path_set(machine, jq_retain(input), jq_retain(arguments[0]), jq_retain(arguments[1]));
}

FUNCTION(delpaths)
{
	return jq_paths_delete(machine, jq_retain(input), jq_retain(arguments[0]));
}

const struct jq_builtin jq_builtin_core[] = {
	{ "abs", 0, abs_value },
	{ "add", 0, add_all },
	{ "bsearch", 1, bsearch },
	{ "contains", 1, contains },
	{ "delpaths", 1, delpaths },
	{ "flatten", 0, flatten },
	{ "flatten", 1, flatten_depth },
	{ "from_entries", 0, from_entries },
	{ "has", 1, has },
	{ "have_decnum", 0, truth },
	{ "have_literal_numbers", 0, truth },
	{ "keys", 0, keys },
	{ "keys_unsorted", 0, keys_unsorted },
	{ "length", 0, length },
	{ "max", 0, greatest },
	{ "min", 0, least },
	{ "reverse", 0, reverse },
	{ "setpath", 2, setpath },
	{ "sort", 0, sort },
	{ "to_entries", 0, to_entries },
	{ "toarray", 0, toarray },
	{ "transpose", 0, transpose },
	{ "type", 0, type_of },
	{ "unique", 0, unique },
	{ NULL, 0, NULL },
};
