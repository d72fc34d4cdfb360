/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting by keys, and what is made of the sorted: arrays, groups, the first of
 * each, the least and the greatest. Equal keys keep the order they came in.
 */
#include <stdlib.h>

#include "jq/evaluate.h"

static int keyed_order(const void *a, const void *b, void *machine)
{
	const struct jq_keyed *left = a, *right = b;
	int order = jq_order(machine, left->key, right->key);
	return order ? order : (left->index > right->index) - (left->index < right->index);
}

bool jq_keyed_sort(struct jq_machine *machine, struct jq_keyed *items, size_t n)
{
	/* n log n comparisons, told before: a comparison can do nothing about a limit. */
	size_t levels = n ? 64 - (size_t)__builtin_clzll(n) : 0;
	if (!jq_spend(machine, n * levels / 2)) {
		return false;
	}
	qsort_r(items, n, sizeof(*items), keyed_order, machine);
	return machine->limit == JQ_LIMIT_NONE;
}

/* The last of those with the greatest key, or the first with the least. */
static struct jq_value extreme(struct jq_machine *machine, struct jq_keyed *items, size_t n, bool greatest)
{
	if (n == 0) {
		return jq_simple(JQ_NULL);
	}
	return jq_retain(items[greatest ? n - 1 : 0].item);
}

struct jq_value jq_keyed_give(
	struct jq_machine *machine, enum jq_sorted what, struct jq_keyed *items, size_t n)
{
	if (what == SORTED_MIN || what == SORTED_MAX) {
		return extreme(machine, items, n, what == SORTED_MAX);
	}
	struct jq_value made = jq_array(machine, n), group = jq_simple(JQ_NULL);
	for (size_t i = 0; i < n && !jq_is_none(made); i++) {
		bool same = i > 0 && what != SORTED_SORT &&
			    jq_order(machine, items[i - 1].key, items[i].key) == 0;
		if (what == SORTED_SORT || (what == SORTED_UNIQUE && !same)) {
			made = jq_array_push(machine, made, items[i].item);
		} else if (what == SORTED_GROUP) {
			if (!same && i > 0) {
				made = jq_array_push(machine, made, group);
			}
			group = same ? group : jq_array(machine, 0);
			group = jq_array_push(machine, group, items[i].item);
		}
	}
	if (what == SORTED_GROUP && n > 0 && !jq_is_none(made)) {
		made = jq_array_push(machine, made, group);
	}
	return made;
}
