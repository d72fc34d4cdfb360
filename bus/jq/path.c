/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as arrays of keys: getting, setting and deleting what stands there.
 *
 * Setting opens the way: every container on it is owned and holds null in the
 * place of the next, so that what is put back changes in place. Nothing here
 * goes deeper than the value does.
 */
#include <math.h>
#include <stdlib.h>

#include "jq/evaluate.h"

/* --- Paths on the way ------------------------------------------------------------------- */

struct jq_value jq_path_keys(struct jq_machine *machine, const struct jq_path *path)
{
	size_t n = 0;
	for (const struct jq_path *each = path; each->outer; each = each->outer) {
		n++;
	}
	struct jq_value keys = jq_array(machine, n);
	for (const struct jq_path *each = path; !jq_is_none(keys) && each->outer; each = each->outer) {
		keys.array->items[--n] = jq_retain(each->key);
		keys.array->n++;
		if (each->key.kind >= JQ_ARRAY) {
			keys.array->depth = 2; /* the bounds of a slice */
		}
	}
	return keys;
}

const struct jq_path *jq_path_keep(struct jq_machine *machine, const struct jq_path *path)
{
	const struct jq_path *kept = &jq_path_root, **slot = &kept;
	if (!path || path == &jq_path_broken) {
		return path;
	}
	for (; path->outer; path = path->outer) {
		struct jq_path *copy = jq_take(machine, sizeof(*copy));
		if (!copy) {
			return NULL;
		}
		*copy = (struct jq_path){ &jq_path_root, jq_retain(path->key) };
		*slot = copy;
		slot = &copy->outer;
	}
	return kept;
}

const struct jq_path *jq_path_from(
	struct jq_machine *machine, const struct jq_path *outer, struct jq_value keys)
{
	struct jq_walk walk = jq_walk_over(machine, keys);
	while (outer && jq_walk_next(&walk)) {
		struct jq_path *step = jq_take(machine, sizeof(*step));
		if (step) {
			*step = (struct jq_path){ outer, jq_retain(walk.value) };
		}
		outer = step;
	}
	return outer;
}

/* --- Getting and setting ------------------------------------------------------------------- */

struct jq_value jq_path_get(struct jq_machine *machine, struct jq_value value, struct jq_value keys)
{
	if (!jq_is_array(keys)) {
		return jq_fail(machine, "Path must be specified as an array");
	}
	struct jq_walk walk = jq_walk_over(machine, keys);
	while (!jq_is_none(value) && jq_walk_next(&walk)) {
		value = jq_get(machine, value, walk.value);
	}
	jq_release(machine, keys);
	return value;
}

/* Takes what stands at the key out of an owned container, leaving null. Borrowed where it stays. */
static struct jq_value take_out(struct jq_machine *machine, struct jq_value *container, struct jq_value key)
{
	struct jq_value found = jq_get(machine, jq_retain(*container), key);
	if (jq_is_none(found) || !jq_is_counted(found)) {
		return found;
	}
	if (jq_is_string(key) && container->kind == JQ_OBJECT && container->object->count == 1) {
		struct xylem_span name = jq_string_bytes(machine, key);
		*jq_object_place(container->object, name) = jq_simple(JQ_NULL);
		jq_release(machine, found); /* the reference that stood there */
	} else if (jq_is_number(key) && container->kind == JQ_ARRAY && container->array->count == 1) {
		int64_t index;
		if (jq_number_int64(key, &index)) {
			index += index < 0 ? container->array->n : 0;
			container->array->items[index] = jq_simple(JQ_NULL);
			jq_release(machine, found);
		}
	}
	return found;
}

bool jq_path_open(
	struct jq_machine *machine, struct jq_value root, struct jq_value keys, struct jq_opened *opened)
{
	if (!jq_is_array(keys)) {
		jq_fail(machine, "Path must be specified as an array");
		return false;
	}
	size_t n = jq_count(machine, keys);
	*opened = (struct jq_opened){ .leaf = root };
	opened->containers = n ? jq_take(machine, n * sizeof(struct jq_value)) : NULL;
	struct jq_walk walk = jq_walk_over(machine, keys);
	while ((n == 0 || opened->containers) && jq_walk_next(&walk)) {
		struct jq_value container = opened->leaf;
		if (container.kind >= JQ_ARRAY && !jq_is_object(walk.value)) {
			container = jq_owned(machine, container);
		}
		if (jq_is_none(container) || !jq_spend(machine, 1)) {
			return false;
		}
		opened->leaf = take_out(machine, &container, walk.value);
		if (jq_is_none(opened->leaf)) {
			return false;
		}
		opened->containers[opened->n++] = container;
	}
	return opened->n == n;
}

struct jq_value jq_path_close(
	struct jq_machine *machine, struct jq_value keys, struct jq_opened *opened, struct jq_value item)
{
	size_t n = opened->n;
	while (opened->n > 0 && !jq_is_none(item)) {
		struct jq_value key = jq_array_item(machine, keys, --opened->n);
		item = jq_set(machine, opened->containers[opened->n], key, item);
	}
	jq_give(machine, opened->containers, n * sizeof(struct jq_value));
	return item;
}

struct jq_value jq_path_set(
	struct jq_machine *machine, struct jq_value value, struct jq_value keys, struct jq_value item)
{
	struct jq_opened opened;
	keys = jq_is_array(keys) ? jq_made(machine, keys) : keys;
	if (jq_is_none(keys) || !jq_path_open(machine, value, keys, &opened)) {
		return jq_simple(JQ_NONE);
	}
	jq_release(machine, opened.leaf);
	item = jq_path_close(machine, keys, &opened, item);
	jq_release(machine, keys);
	return item;
}

/* --- Deleting --------------------------------------------------------------------------------- */

/* Which elements go: one byte each. */
static bool mark_key(struct jq_machine *machine, struct jq_value array, struct jq_value key, char *marks)
{
	uint32_t n = array.array->n;
	if (jq_is_number(key)) {
		/* Its fraction is cut before it counts from the end, as where elements are read. */
		double place = jq_number_double(key);
		place = trunc(place) + (place < 0 ? n : 0);
		if (place >= 0 && place < n) {
			marks[(size_t)place] = 1;
		}
		return true;
	}
	if (!jq_is_object(key)) {
		jq_fail(machine, "Cannot delete %s element of array", jq_type_name(key));
		return false;
	}
	/* A slice of the indices tells which they are. */
	if (!jq_spend(machine, n / 4)) {
		return false;
	}
	struct jq_value indices = jq_array(machine, n);
	for (uint32_t i = 0; i < n && !jq_is_none(indices); i++) {
		indices = jq_array_push(machine, indices, jq_int(i));
	}
	struct jq_value slice = jq_is_none(indices) ? indices : jq_get(machine, indices, key);
	for (uint32_t i = 0; !jq_is_none(slice) && i < slice.array->n; i++) {
		marks[slice.array->items[i].integer] = 1;
	}
	bool fine = !jq_is_none(slice);
	jq_release(machine, slice);
	return fine;
}

static struct jq_value delete_elements(
	struct jq_machine *machine, struct jq_value array, struct jq_value keys)
{
	array = jq_made(machine, array);
	char *marks = jq_is_none(array) ? NULL : jq_take(machine, array.array->n + 1);
	struct jq_value left = jq_array(machine, 0);
	if (!marks || jq_is_none(left)) {
		return jq_simple(JQ_NONE);
	}
	memset(marks, 0, array.array->n);
	for (uint32_t i = 0; i < keys.array->n; i++) {
		if (!mark_key(machine, array, keys.array->items[i], marks)) {
			return jq_simple(JQ_NONE);
		}
	}
	for (uint32_t i = 0; i < array.array->n && !jq_is_none(left); i++) {
		left = marks[i] ? left : jq_array_push(machine, left, jq_retain(array.array->items[i]));
	}
	jq_give(machine, marks, array.array->n + 1);
	bool more = jq_spend(machine, array.array->n);
	jq_release(machine, array);
	return more ? left : jq_simple(JQ_NONE);
}

static struct jq_value delete_keys(struct jq_machine *machine, struct jq_value value, struct jq_value keys)
{
	if (value.kind == JQ_NULL || keys.array->n == 0) {
		return value;
	}
	if (jq_is_array(value)) {
		return delete_elements(machine, value, keys);
	}
	if (!jq_is_object(value)) {
		return jq_fail(machine, "Cannot delete fields from %s", jq_type_name(value));
	}
	for (uint32_t i = 0; i < keys.array->n && !jq_is_none(value); i++) {
		struct jq_value key = keys.array->items[i];
		if (!jq_is_string(key)) {
			return jq_fail(machine, "Cannot delete %s field of object", jq_type_name(key));
		}
		value = jq_object_remove(machine, value, jq_string_bytes(machine, key));
	}
	return value;
}

static struct jq_value key_at(
	struct jq_machine *machine, struct jq_value paths, uint32_t path, uint32_t level)
{
	return jq_array_item(machine, paths.array->items[path], level);
}

/*
 * Deletes the sorted paths from..to, which agree up to `level`. Recurses as
 * deep as the value is: where it ends, null has nothing to delete. A slice of
 * an array is an array again, so that keys that are slices would never end.
 */
static struct jq_value delete_sorted(struct jq_machine *machine, struct jq_value value, struct jq_value paths,
	uint32_t from, uint32_t to, uint32_t level)
{
	struct jq_value keys = jq_array(machine, 0);
	if (level > JQ_VALUE_DEPTH) {
		return jq_fail(machine, "Path too deep");
	}
	for (uint32_t next; from < to && !jq_is_none(keys) && !jq_is_none(value); from = next) {
		struct jq_value key = key_at(machine, paths, from, level);
		next = from + 1;
		while (next < to && jq_order(machine, key, key_at(machine, paths, next, level)) == 0) {
			next++;
		}
		if (!jq_spend(machine, next - from)) {
			return jq_simple(JQ_NONE);
		}
		if (jq_count(machine, paths.array->items[from]) == level + 1) {
			keys = jq_array_push(machine, keys, jq_retain(key));
			continue;
		}
		struct jq_value inner = jq_get(machine, jq_retain(value), key);
		if (inner.kind == JQ_NULL) {
			continue;
		}
		inner = jq_is_none(inner) ? inner
					  : delete_sorted(machine, inner, paths, from, next, level + 1);
		value = jq_is_none(inner) ? inner : jq_set(machine, value, key, inner);
	}
	if (jq_is_none(keys) || jq_is_none(value)) {
		return jq_simple(JQ_NONE);
	}
	value = delete_keys(machine, value, keys);
	jq_release(machine, keys);
	return value;
}

static struct jq_value paths_sorted(struct jq_machine *machine, struct jq_value paths)
{
	size_t n = paths.array->n;
	struct jq_keyed *items = jq_take(machine, (n + 1) * sizeof(*items));
	for (size_t i = 0; items && i < n; i++) {
		struct jq_value path = paths.array->items[i];
		if (!jq_is_array(path)) {
			return jq_fail(
				machine, "Path must be specified as array, not %s", jq_type_name(path));
		}
		path = jq_made(machine, jq_retain(path));
		items[i] = (struct jq_keyed){ path, path, (uint32_t)i };
	}
	if (!items || machine->limit || !jq_keyed_sort(machine, items, n)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value sorted = jq_array(machine, n);
	for (size_t i = 0; i < n && !jq_is_none(sorted); i++) {
		sorted = jq_array_push(machine, sorted, items[i].item);
	}
	jq_give(machine, items, (n + 1) * sizeof(*items));
	return sorted;
}

struct jq_value jq_paths_delete(struct jq_machine *machine, struct jq_value value, struct jq_value paths)
{
	if (!jq_is_array(paths)) {
		return jq_fail(machine, "Paths must be specified as an array");
	}
	paths = jq_made(machine, paths);
	paths = jq_is_none(paths) ? paths : paths_sorted(machine, paths);
	if (jq_is_none(paths)) {
		return paths;
	}
	uint32_t n = paths.array->n;
	if (n > 0 && jq_count(machine, paths.array->items[0]) == 0) {
		jq_release(machine, value);
		return jq_simple(JQ_NULL); /* all of it */
	}
	value = n ? delete_sorted(machine, value, paths, 0, n, 0) : value;
	jq_release(machine, paths);
	return value;
}
