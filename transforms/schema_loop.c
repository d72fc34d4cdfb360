/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema that leads back to itself without going down in the instance would
 * never end. Schemas that nothing points at are taken away until none is left
 * to take; what stays is a loop.
 */
#include <stdlib.h>

#include "transforms/schema.h"

/* The i-th schema that is asked about the same value; NULL behind the last. */
static const struct schema *same_value(const struct schema *node, size_t i)
{
	const struct schema *single[] = { node->ref, node->not_, node->if_, node->then_, node->else_ };
	const struct schema_list *lists[] = { &node->all_of, &node->any_of, &node->one_of };
	for (size_t k = 0; k < sizeof(single) / sizeof(single[0]); k++) {
		if (single[k] && i-- == 0) {
			return single[k];
		}
	}
	for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
		if (i < lists[k]->n) {
			return lists[k]->items[i];
		}
		i -= lists[k]->n;
	}
	return NULL;
}

static size_t index_of(const struct schema_file *file, const struct schema *node)
{
	size_t i = 0;
	while (file->nodes[i] != node) {
		i++;
	}
	return i;
}

int schema_loop_find(const struct schema_file *file, const struct schema **ret_node)
{
	size_t *pointed = calloc(file->n * 2, sizeof(*pointed)), *ready = pointed + file->n, n = 0, done = 0;
	if (!pointed) {
		return -XYLEM_E_MEMORY;
	}
	const struct schema *target;
	for (size_t i = 0; i < file->n; i++) {
		for (size_t k = 0; (target = same_value(file->nodes[i], k)); k++) {
			pointed[index_of(file, target)]++;
		}
	}
	for (size_t i = 0; i < file->n; i++) {
		if (pointed[i] == 0) {
			ready[n++] = i;
		}
	}
	for (; done < n; done++) {
		for (size_t k = 0; (target = same_value(file->nodes[ready[done]], k)); k++) {
			size_t index = index_of(file, target);
			if (--pointed[index] == 0) {
				ready[n++] = index;
			}
		}
	}
	for (size_t i = 0; i < file->n; i++) {
		if (pointed[i]) {
			*ret_node = file->nodes[i];
			break;
		}
	}
	free(pointed);
	return 0;
}
