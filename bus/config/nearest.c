/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean ...?". A name counts as near when at most one third of the
 * wanted one (rounded up) has to change; farther guesses confuse more than
 * they help.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <config/nearest.h>

#define LONGEST 64

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

static char folded(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return (char)(c + 32);
	}
	return c == '-' ? '_' : c;
}

size_t nearest_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	if (n > LONGEST || m > LONGEST) {
		return SIZE_MAX;
	}
	size_t rows[3][LONGEST + 1];
	for (size_t j = 0; j <= m; j++) {
		rows[0][j] = j;
	}
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t differs = folded(a[i - 1]) != folded(b[j - 1]);
			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + differs);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				size_t swapped = rows[(i - 2) % 3][j - 2] + 1;
				row[j] = swapped < row[j] ? swapped : row[j];
			}
		}
	}
	return rows[n % 3][m];
}

void nearest_init(struct nearest *nearest, const char *wanted)
{
	*nearest = (struct nearest){ .wanted = wanted, .distance = (strlen(wanted) + 2) / 3 + 1 };
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	size_t distance = nearest_distance(nearest->wanted, name);
	if (distance < nearest->distance && distance < strlen(name)) {
		nearest->distance = distance;
		nearest->name = name;
	}
}

const char *nearest_hint(const struct nearest *nearest, char text[NEAREST_HINT_SIZE])
{
	text[0] = '\0';
	if (nearest->name) {
		snprintf(text, NEAREST_HINT_SIZE, "; did you mean `%s`?", nearest->name);
	}
	return text;
}
