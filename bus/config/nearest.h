/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

/*
 * Finds the name that somebody probably meant: the one with the fewest
 * insertions, deletions, replacements and swaps of neighbours (optimal string
 * alignment). `{0}`-start with nearest_init, offer every known name, read `name`.
 */
struct nearest {
	const char *wanted;
	const char *name; /* NULL: none is near enough */
	size_t distance;
};

void nearest_init(struct nearest *nearest, const char *wanted);
void nearest_offer(struct nearest *nearest, const char *name); /* must outlive the search */

/* Distance of two texts, at most 64 bytes each; SIZE_MAX for longer ones. */
size_t nearest_distance(const char *a, const char *b);

/* "; did you mean `name`?" into text, or "" without a near one; returns text. */
#define NEAREST_HINT_SIZE 160
const char *nearest_hint(const struct nearest *nearest, char text[NEAREST_HINT_SIZE]);

#endif
