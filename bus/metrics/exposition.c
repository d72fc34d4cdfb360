/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notation of the Prometheus text format 0.0.4 (prometheus/docs:
 * docs/instrumenting/exposition_formats.md): heads, numbers, label values.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <metrics/families.h>

void exposition_number(struct xylem_buffer *out, double value)
{
	if (isnan(value)) {
		xylem_buffer_text(out, "NaN");
		return;
	}
	if (isinf(value)) {
		xylem_buffer_text(out, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	char text[40];
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value) {
		snprintf(text, sizeof(text), "%.17g", value);
	}
	xylem_buffer_text(out, text);
}

void exposition_label(struct xylem_buffer *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '\\':
			xylem_buffer_text(out, "\\\\");
			break;
		case '"':
			xylem_buffer_text(out, "\\\"");
			break;
		case '\n':
			xylem_buffer_text(out, "\\n");
			break;
		default:
			xylem_buffer_byte(out, *text);
		}
	}
}

void exposition_head(struct xylem_buffer *out, const char *name, enum metric_type type, const char *help)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };
	xylem_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, names[type]);
}
