/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series of the process: made once under a lock, counted with relaxed
 * atomics, never freed, so that a pointer to one is good for ever. A hidden
 * series keeps its count and comes back with it when its name returns.
 *
 * Locks, in this order: `exposition` (one scrape at a time; collectors run
 * under it and may ask for series), then `registry` (the lists of series).
 *
 * The rule not to break: counting takes no lock. What this does not do: it
 * knows no values of other rooms; those hand theirs in by a collector.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <metrics/build_info.h>
#include <metrics/families.h>

/* Of one family; more is a label that is not bounded, and is counted nowhere. */
#define SERIES_MAX 10000
#define BUCKETS_MAX 24

struct metric {
	_Alignas(64) _Atomic uint64_t value; /* counters: the count; gauges and sums: the bits of a double */
	_Atomic bool hidden;
	enum metric_family family;
	char *labels[3];
	_Atomic uint64_t *buckets; /* of a histogram, bound_count + 1 */
	struct metric *next;
};

struct collector {
	void (*collect)(void *context);
	void *context;
	struct collector *next;
};

static pthread_mutex_t exposition = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct metric *series[METRIC_FAMILY_COUNT]; /* in order of making */
static size_t series_count[METRIC_FAMILY_COUNT];
static struct collector *collectors;

/* What is counted nowhere. */
static _Atomic uint64_t nowhere_buckets[BUCKETS_MAX];
static struct metric nowhere[METRIC_FAMILY_COUNT];

static double from_bits(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint64_t to_bits(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static bool same_label(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static struct metric *series_find(enum metric_family family, const char *const values[3])
{
	for (struct metric *metric = series[family]; metric; metric = metric->next) {
		if (same_label(metric->labels[0], values[0]) && same_label(metric->labels[1], values[1]) &&
			same_label(metric->labels[2], values[2])) {
			return metric;
		}
	}
	return NULL;
}

static struct metric *series_free(struct metric *metric)
{
	if (metric) {
		for (size_t i = 0; i < 3; i++) {
			free(metric->labels[i]);
		}
		free(metric->buckets);
		free(metric);
	}
	return NULL;
}

static struct metric *series_new(enum metric_family family, const char *const values[3])
{
	const struct metric_family_row *row = &metric_families[family];
	struct metric *metric = aligned_alloc(64, (sizeof(*metric) + 63) / 64 * 64);
	if (!metric) {
		return NULL;
	}
	memset(metric, 0, sizeof(*metric));
	metric->family = family;
	for (size_t i = 0; i < 3 && row->labels[i]; i++) {
		metric->labels[i] = strdup(values[i] ? values[i] : "");
		if (!metric->labels[i]) {
			return series_free(metric);
		}
	}
	if (row->type == METRIC_HISTOGRAM) {
		metric->buckets = calloc(row->bound_count + 1, sizeof(*metric->buckets));
		if (!metric->buckets) {
			return series_free(metric);
		}
	}
	return metric;
}

static void series_append(struct metric *metric)
{
	struct metric **end = &series[metric->family];
	while (*end) {
		end = &(*end)->next;
	}
	*end = metric;
	series_count[metric->family]++;
}

static struct metric *series_nowhere(enum metric_family family)
{
	nowhere[family].family = family;
	nowhere[family].buckets = nowhere_buckets;
	return &nowhere[family];
}

struct metric *metric_series(enum metric_family family, const char *a, const char *b, const char *c)
{
	const char *values[3] = { a, b, c };
	pthread_mutex_lock(&registry);
	struct metric *metric = series_find(family, values);
	if (!metric && series_count[family] < SERIES_MAX) {
		metric = series_new(family, values);
		if (metric) {
			series_append(metric);
		}
	}
	if (!metric) {
		metric = series_nowhere(family);
	}
	atomic_store_explicit(&metric->hidden, false, memory_order_relaxed);
	pthread_mutex_unlock(&registry);
	return metric;
}

void metric_add(struct metric *metric, uint64_t n)
{
	atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void metric_set(struct metric *metric, double value)
{
	atomic_store_explicit(&metric->value, to_bits(value), memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
	const struct metric_family_row *row = &metric_families[metric->family];
	size_t i = 0;
	while (i < row->bound_count && value > row->bounds[i]) {
		i++;
	}
	atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
	uint64_t sum = atomic_load_explicit(&metric->value, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&metric->value, &sum, to_bits(from_bits(sum) + value),
		memory_order_relaxed, memory_order_relaxed)) {
	}
}

static uint64_t observations(const struct metric *metric)
{
	uint64_t n = 0;
	for (size_t i = 0; i <= metric_families[metric->family].bound_count; i++) {
		n += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
	}
	return n;
}

double metric_value(const struct metric *metric)
{
	uint64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
	switch (metric_families[metric->family].type) {
	case METRIC_COUNTER:
		return (double)value;
	case METRIC_GAUGE:
		return from_bits(value);
	case METRIC_HISTOGRAM:
		return (double)observations(metric);
	}
	return 0;
}

void metric_hide(struct metric *metric)
{
	if (metric) {
		atomic_store_explicit(&metric->hidden, true, memory_order_relaxed);
	}
}

void metrics_on_collect(void (*collect)(void *context), void *context)
{
	struct collector *collector = calloc(1, sizeof(*collector));
	if (!collector) {
		return; /* its gauges keep their last value */
	}
	collector->collect = collect;
	collector->context = context;
	pthread_mutex_lock(&exposition);
	collector->next = collectors;
	collectors = collector;
	pthread_mutex_unlock(&exposition);
}

void metrics_off_collect(void (*collect)(void *context), void *context)
{
	pthread_mutex_lock(&exposition);
	for (struct collector **at = &collectors; *at; at = &(*at)->next) {
		if ((*at)->collect == collect && (*at)->context == context) {
			struct collector *gone = *at;
			*at = gone->next;
			free(gone);
			break;
		}
	}
	pthread_mutex_unlock(&exposition);
}

/* --- The exposition ------------------------------------------------------ */

/* `{route="a",destination="b"` without the closing brace; false when there is no label. */
static bool write_labels(struct xylem_buffer *out, const struct metric *metric, size_t n)
{
	const struct metric_family_row *row = &metric_families[metric->family];
	bool any = false;
	for (size_t i = 0; i < n && row->labels[i]; i++) {
		xylem_buffer_format(out, "%s%s=\"", any ? "," : "{", row->labels[i]);
		exposition_label(out, metric->labels[i]);
		xylem_buffer_byte(out, '"');
		any = true;
	}
	return any;
}

static void write_histogram(struct xylem_buffer *out, const struct metric *metric)
{
	const struct metric_family_row *row = &metric_families[metric->family];
	uint64_t n = 0;
	for (size_t i = 0; i <= row->bound_count; i++) {
		n += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
		xylem_buffer_format(out, "%s_bucket", row->name);
		xylem_buffer_text(out, write_labels(out, metric, 3) ? ",le=\"" : "{le=\"");
		exposition_number(out, i < row->bound_count ? row->bounds[i] : INFINITY);
		xylem_buffer_format(out, "\"} %llu\n", (unsigned long long)n);
	}
	xylem_buffer_format(out, "%s_sum", row->name);
	xylem_buffer_text(out, write_labels(out, metric, 3) ? "} " : " ");
	exposition_number(out, from_bits(atomic_load_explicit(&metric->value, memory_order_relaxed)));
	xylem_buffer_format(out, "\n%s_count", row->name);
	xylem_buffer_text(out, write_labels(out, metric, 3) ? "}" : "");
	xylem_buffer_format(out, " %llu\n", (unsigned long long)n);
}

static void write_series(
	struct xylem_buffer *out, const struct metric *metric, const char *name, size_t labels)
{
	uint64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
	xylem_buffer_text(out, name);
	xylem_buffer_text(out, write_labels(out, metric, labels) ? "} " : " ");
	if (metric_families[metric->family].type == METRIC_COUNTER) {
		xylem_buffer_format(out, "%llu", (unsigned long long)value);
	} else {
		exposition_number(out, from_bits(value));
	}
	xylem_buffer_byte(out, '\n');
}

static bool shown(const struct metric *metric)
{
	return !atomic_load_explicit(&metric->hidden, memory_order_relaxed);
}

static void write_family(struct xylem_buffer *out, enum metric_family family)
{
	const struct metric_family_row *row = &metric_families[family];
	bool headed = false;
	for (const struct metric *metric = series[family]; metric; metric = metric->next) {
		if (!shown(metric)) {
			continue;
		}
		if (!headed) {
			exposition_head(out, row->name, row->type, row->help);
			headed = true;
		}
		if (row->type == METRIC_HISTOGRAM) {
			write_histogram(out, metric);
		} else {
			write_series(out, metric, row->name, 3);
		}
	}
}

/* Whether an earlier shown series has the same second label, so that its family is written already. */
static bool named_before(const struct metric *metric)
{
	for (const struct metric *other = series[METRIC_FAMILY_NAMED]; other != metric; other = other->next) {
		if (shown(other) && same_label(other->labels[1], metric->labels[1])) {
			return true;
		}
	}
	return false;
}

/* One family for each name that connectors count under. */
static void write_named(struct xylem_buffer *out)
{
	const struct metric_family_row *row = &metric_families[METRIC_FAMILY_NAMED];
	for (const struct metric *first = series[METRIC_FAMILY_NAMED]; first; first = first->next) {
		if (!shown(first) || named_before(first)) {
			continue;
		}
		char name[128];
		snprintf(name, sizeof(name), "%s_%s_total", row->name, first->labels[1]);
		for (char *at = name; *at; at++) {
			bool plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
			*at = plain ? *at : '_';
		}
		exposition_head(out, name, row->type, row->help);
		for (const struct metric *metric = first; metric; metric = metric->next) {
			if (shown(metric) && same_label(metric->labels[1], first->labels[1])) {
				write_series(out, metric, name, 1);
			}
		}
	}
}

void metrics_write(struct xylem_buffer *out)
{
	pthread_mutex_lock(&exposition);
	for (struct collector *collector = collectors; collector; collector = collector->next) {
		collector->collect(collector->context);
	}
	exposition_head(out, "xylem_build_info", METRIC_GAUGE, "What runs here; always 1.");
	xylem_buffer_text(
		out, "xylem_build_info{version=\"" XYLEM_VERSION "\",revision=\"" XYLEM_REVISION "\"} 1\n");
	pthread_mutex_lock(&registry);
	for (enum metric_family family = 0; family < METRIC_FAMILY_COUNT; family++) {
		if (family == METRIC_FAMILY_NAMED) {
			write_named(out);
		} else {
			write_family(out, family);
		}
	}
	pthread_mutex_unlock(&registry);
	process_write(out);
	pthread_mutex_unlock(&exposition);
}
