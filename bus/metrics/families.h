/* SPDX-License-Identifier: Apache-2.0 */
#ifndef METRICS_FAMILIES_H
#define METRICS_FAMILIES_H

#include <stddef.h>

#include <metrics/metrics.h>

/* The table of families, and the series as the exposition sees them. Inside this room only. */
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_family_row {
	const char *name;
	enum metric_type type;
	const char *help;
	const char *labels[3]; /* NULL where it has fewer */
	const double *bounds;  /* upper bounds of a histogram, rising, without +Inf */
	size_t bound_count;
};
extern const struct metric_family_row metric_families[METRIC_FAMILY_COUNT];

/* The family whose second label is part of its name: xylem_connector_NAME_total. */
#define METRIC_FAMILY_NAMED METRIC_CONNECTOR

/* process_* as the Prometheus client libraries name them; what cannot be read is left out. */
void process_write(struct xylem_buffer *out);

/* Numbers and texts of the format; HELP and TYPE of one family. */
void exposition_number(struct xylem_buffer *out, double value);
void exposition_label(struct xylem_buffer *out, const char *text);
void exposition_head(struct xylem_buffer *out, const char *name, enum metric_type type, const char *help);

#endif
