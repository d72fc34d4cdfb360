/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays that were made, and making them from text: one level only, the elements
 * stay text. An array with one reference grows in place.
 */
#include "jq/machine.h"
#include "jq/text.h"

static struct jq_value array_value(struct jq_array *array)
{
	return (struct jq_value){ .kind = JQ_ARRAY, .array = array };
}

struct jq_value jq_array(struct jq_machine *machine, size_t room)
{
	struct jq_array *array = jq_take(machine, sizeof(*array));
	if (!array) {
		return jq_simple(JQ_NONE);
	}
	*array = (struct jq_array){ .count = 1, .depth = 1 };
	if (room > 0) {
		room = room < 4 ? 4 : room;
		array->items = room > UINT32_MAX / 2 ? NULL
						     : jq_take(machine, room * sizeof(struct jq_value));
		if (!array->items) {
			return jq_limit_reached(machine, JQ_LIMIT_MEMORY);
		}
		array->room = (uint32_t)room;
	}
	return array_value(array);
}

static bool array_grow(struct jq_machine *machine, struct jq_array *array, size_t least)
{
	size_t room = array->room ? (size_t)array->room * 2 : 4;
	room = room < least ? least : room;
	struct jq_value *items = room > UINT32_MAX / 2 ? NULL : jq_take(machine, room * sizeof(*items));
	if (!items) {
		jq_limit_reached(machine, JQ_LIMIT_MEMORY);
		return false;
	}
	if (array->n) {
		memcpy(items, array->items, array->n * sizeof(*items));
	}
	jq_give(machine, array->items, array->room * sizeof(*items));
	array->items = items;
	array->room = (uint32_t)room;
	return true;
}

/* Counts the levels that an item adds; false: too many. */
static bool depth_add(struct jq_machine *machine, struct jq_array *array, struct jq_value item)
{
	size_t depth = jq_depth_add(machine, item);
	if (depth == 0) {
		return false;
	}
	array->depth = array->depth < depth ? (uint16_t)depth : array->depth;
	return true;
}

struct jq_value jq_array_push(struct jq_machine *machine, struct jq_value value, struct jq_value item)
{
	value = jq_owned(machine, value);
	if (jq_is_none(value) || jq_is_none(item)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_array *array = value.array;
	if ((array->n == array->room && !array_grow(machine, array, array->n + 1)) ||
		(item.kind >= JQ_ARRAY && !depth_add(machine, array, item))) {
		return jq_simple(JQ_NONE);
	}
	array->items[array->n++] = item;
	return value;
}

struct jq_value jq_array_put(
	struct jq_machine *machine, struct jq_value value, size_t index, struct jq_value item)
{
	value = jq_owned(machine, value);
	if (jq_is_none(value)) {
		return value;
	}
	if (index >= value.array->n) {
		return jq_array_push(machine, value, item);
	}
	if (item.kind >= JQ_ARRAY && !depth_add(machine, value.array, item)) {
		return jq_simple(JQ_NONE);
	}
	jq_release(machine, value.array->items[index]);
	value.array->items[index] = item;
	return value;
}

struct jq_value jq_array_slice(struct jq_machine *machine, struct jq_value array, size_t from, size_t to)
{
	array = jq_made(machine, array);
	if (jq_is_none(array)) {
		return array;
	}
	struct jq_value slice = jq_array(machine, to - from);
	if (!jq_is_none(slice)) {
		slice.array->depth = array.array->depth;
		for (size_t i = from; i < to; i++) {
			slice.array->items[slice.array->n++] = jq_retain(array.array->items[i]);
		}
	}
	jq_release(machine, array);
	return slice;
}

struct jq_value jq_array_splice(
	struct jq_machine *machine, struct jq_value value, size_t from, size_t to, struct jq_value items)
{
	value = jq_owned(machine, value);
	items = jq_made(machine, items);
	if (jq_is_none(value) || jq_is_none(items)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_array *array = value.array;
	size_t tail = array->n - to, gap = items.array->n, n = from + gap + tail;
	if ((n > array->room && !array_grow(machine, array, n)) ||
		!jq_spend(machine, gap + (to - from == gap ? 0 : tail / 16))) {
		return jq_simple(JQ_NONE);
	}
	for (size_t i = from; i < to; i++) {
		jq_release(machine, array->items[i]);
	}
	if (n) {
		memmove(array->items + from + gap, array->items + to, tail * sizeof(*array->items));
	}
	for (size_t i = 0; i < gap; i++) {
		array->items[from + i] = jq_retain(items.array->items[i]);
	}
	array->n = (uint32_t)n;
	array->depth = array->depth < items.array->depth ? items.array->depth : array->depth;
	jq_release(machine, items);
	return value;
}

struct jq_value jq_array_made(struct jq_machine *machine, struct jq_value text)
{
	struct jq_value made = jq_array(machine, 0);
	struct jq_walk walk = jq_walk_over(machine, text);
	size_t count = 0;
	while (!jq_is_none(made) && jq_walk_next(&walk)) {
		made = jq_array_push(machine, made, walk.value);
		count++;
	}
	return jq_spend(machine, count) ? made : jq_simple(JQ_NONE);
}

struct jq_value jq_array_copy(struct jq_machine *machine, const struct jq_array *array)
{
	struct jq_value copy = jq_array(machine, array->n);
	if (jq_is_none(copy)) {
		return copy;
	}
	for (size_t i = 0; i < array->n; i++) {
		copy.array->items[i] = jq_retain(array->items[i]);
	}
	copy.array->n = array->n;
	copy.array->depth = array->depth;
	return jq_spend(machine, array->n / 16) ? copy : jq_simple(JQ_NONE);
}

struct jq_value jq_array_item(struct jq_machine *machine, struct jq_value array, size_t index)
{
	if (array.kind == JQ_ARRAY) {
		return index < array.array->n ? array.array->items[index] : jq_simple(JQ_NONE);
	}
	struct jq_walk walk = jq_walk_over(machine, array);
	while (jq_walk_next(&walk)) {
		if (index-- == 0) {
			return walk.value;
		}
	}
	return jq_simple(JQ_NONE);
}
