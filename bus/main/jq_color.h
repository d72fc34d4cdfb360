/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_JQ_COLOR_H
#define MAIN_JQ_COLOR_H

#include <xylem/buffer.h>
#include <xylem/span.h>

/* The colours of JSON at a terminal, as jq 1.7 has them ("Colors" in its manual). */
struct jq_colors {
	/* Of null, false, true, numbers, strings, arrays, objects and names of members; `ESC[...m` each. */
	char start[8][16];
};

/* jq's own, or those that `wanted` (of JQ_COLORS, may be NULL) names. False: it is not understood. */
bool jq_colors_init(struct jq_colors *colors, const char *wanted);

/* Appends a valid JSON text, formatted as it is, with colours. */
void jq_color_write(const struct jq_colors *colors, struct xylem_span json, struct xylem_buffer *out);

#endif
