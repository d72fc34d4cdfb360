/* SPDX-License-Identifier: Apache-2.0 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdint.h>

#include <xylem/buffer.h>

/*
 * Counters, gauges and histograms of the whole process, written by
 * metrics_write() in the Prometheus text format 0.0.4. The families are one
 * table (bus/metrics/families.c): name, type, help, label names. A series is
 * one combination of label values; getting it takes a lock and is done once,
 * counting on it is one relaxed atomic add.
 */
enum metric_family {
	METRIC_RECEIVED,       /* connector */
	METRIC_DELIVERED,      /* route, destination */
	METRIC_OUTCOMES,       /* route, destination, outcome */
	METRIC_ATTEMPTS,       /* route, destination, failure */
	METRIC_REFUSED,        /* connector, code: what intake refused */
	METRIC_UNROUTED,       /* none */
	METRIC_LANE_BACKLOG,   /* gauge; route, destination */
	METRIC_LANE_OLDEST,    /* gauge, seconds; route, destination */
	METRIC_LANE_STATE,     /* gauge 0/1; route, destination, state */
	METRIC_HOSPITAL_CASES, /* gauge; state */
	METRIC_JOURNAL_BYTES,  /* gauge */
	METRIC_JOURNAL_COMMITS,
	METRIC_JOURNAL_SYNC,  /* histogram, seconds */
	METRIC_JOURNAL_BATCH, /* histogram, messages */
	METRIC_CATALOGUE_COMMITS,
	METRIC_CATALOGUE_COMMIT, /* histogram, seconds */
	METRIC_END_TO_END,       /* histogram, seconds; route, destination */
	METRIC_CONNECTOR_UP,     /* gauge; connector */
	METRIC_CONNECTOR,        /* connector, name: xylem_host_count */
	METRIC_HTTP_REQUESTS,    /* code */
	METRIC_XMPP_STANZAS,     /* direction */
	METRIC_XMPP_LINK_UP,     /* gauge */
	METRIC_RELOAD_OK,        /* gauge: xylem_config_last_reload_successful */
	METRIC_RELOAD_TIME,      /* gauge, seconds */
	METRIC_TOPIC_ITEMS,      /* topic */
	METRIC_TOPIC_ENDED,
	METRIC_FAMILY_COUNT
};

struct metric; /* one series; lives as long as the process */

/*
 * Up to three label values, in the order of the family's label names; NULL
 * where it has fewer. Never NULL: without memory, or past the limit of a
 * family, it is a series that is counted nowhere. Shows a hidden series again.
 */
struct metric *metric_series(enum metric_family family, const char *a, const char *b, const char *c);
void metric_add(struct metric *metric, uint64_t n);       /* counters */
void metric_set(struct metric *metric, double value);     /* gauges */
void metric_observe(struct metric *metric, double value); /* histograms */
/* What a counter or gauge says; of a histogram, how many observations. */
double metric_value(const struct metric *metric);
/* Takes the series out of the exposition (a removed lane). */
void metric_hide(struct metric *metric);

/* Called before each exposition, to set gauges that are read from elsewhere; one exposition at a time. */
void metrics_on_collect(void (*collect)(void *context), void *context);
/* Takes it out again; it is not running any more when this returns. Not from within it. */
void metrics_off_collect(void (*collect)(void *context), void *context);
void metrics_write(struct xylem_buffer *out);

#endif
