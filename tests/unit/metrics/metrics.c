/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: the text format, line by line, and counting from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <metrics/families.h>

static char *scrape(void)
{
	struct xylem_buffer out = { 0 };
	metrics_write(&out);
	char *text = xylem_buffer_take(&out, NULL);
	if (!text) {
		abort();
	}
	return text;
}

static void has(const char *text, const char *line)
{
	if (!strstr(text, line)) {
		print_error("missing: %s\nin:\n%s\n", line, text);
		fail();
	}
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
		n++;
	}
	return n;
}

static void every_family_has_a_row(void **state)
{
	for (int i = 0; i < METRIC_FAMILY_COUNT; i++) {
		const struct metric_family_row *row = &metric_families[i];
		assert_non_null(row->name);
		assert_non_null(row->help);
		assert_memory_equal(row->name, "xylem_", 6);
		bool total = strlen(row->name) > 6 &&
			     strcmp(row->name + strlen(row->name) - 6, "_total") == 0;
		assert_int_equal(total, row->type == METRIC_COUNTER && i != METRIC_FAMILY_NAMED);
		assert_int_equal(row->bound_count > 0, row->type == METRIC_HISTOGRAM);
		assert_in_range(row->bound_count, 0, 23);
		for (size_t b = 1; b < row->bound_count; b++) {
			assert_true(row->bounds[b - 1] < row->bounds[b]);
		}
	}
}

static void labels_are_escaped(void **state)
{
	struct metric *metric = metric_series(METRIC_RECEIVED, "a\\b\"c\nd", NULL, NULL);
	metric_add(metric, 3);
	metric_add(metric, 2);
	assert_ptr_equal(metric, metric_series(METRIC_RECEIVED, "a\\b\"c\nd", NULL, NULL));
	char *text = scrape();
	has(text, "\nxylem_messages_received_total{connector=\"a\\\\b\\\"c\\nd\"} 5\n");
	free(text);
}

static void a_family_stands_together_under_one_head(void **state)
{
	metric_add(metric_series(METRIC_DELIVERED, "r", "x", NULL), 1);
	metric_set(metric_series(METRIC_LANE_BACKLOG, "r", "x", NULL), 7);
	metric_add(metric_series(METRIC_DELIVERED, "r", "y", NULL), 2);
	char *text = scrape();
	has(text, "# HELP xylem_messages_delivered_total Messages that a destination acknowledged.\n"
		  "# TYPE xylem_messages_delivered_total counter\n"
		  "xylem_messages_delivered_total{route=\"r\",destination=\"x\"} 1\n"
		  "xylem_messages_delivered_total{route=\"r\",destination=\"y\"} 2\n#");
	has(text, "xylem_lane_backlog_messages{route=\"r\",destination=\"x\"} 7\n");
	assert_int_equal(count(text, "# TYPE xylem_messages_delivered_total "), 1);
	assert_int_equal(count(text, "# HELP xylem_messages_delivered_total "), 1);
	free(text);
}

static void histograms_add_up(void **state)
{
	struct metric *metric = metric_series(METRIC_JOURNAL_BATCH, NULL, NULL, NULL);
	static const double values[] = { 1, 1, 2, 3, 100, 20000 };
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		metric_observe(metric, values[i]);
	}
	assert_true(metric_value(metric) == 6);
	char *text = scrape();
	has(text, "_messages_bucket{le=\"1\"} 2\nxylem_journal_append_batch_messages_bucket{le=\"2\"} 3\n");
	has(text, "_messages_bucket{le=\"5\"} 4\n");
	has(text, "_messages_bucket{le=\"10000\"} 5\nxylem_journal_append_batch_messages_bucket{le=\"+Inf\"} "
		  "6\n"
		  "xylem_journal_append_batch_messages_sum 20107\nxylem_journal_append_batch_messages_count "
		  "6\n");
	free(text);
	metric_observe(metric_series(METRIC_END_TO_END, "r", "x", NULL), 0.002);
	text = scrape();
	has(text, "_seconds_bucket{route=\"r\",destination=\"x\",le=\"0.0025\"} 1\n");
	has(text, "_seconds_sum{route=\"r\",destination=\"x\"} 0.002\n");
	free(text);
}

static void connectors_name_their_own(void **state)
{
	metric_add(metric_series(METRIC_CONNECTOR, "erp", "splits", NULL), 1);
	metric_add(metric_series(METRIC_CONNECTOR, "events", "re-balances", NULL), 4);
	metric_add(metric_series(METRIC_CONNECTOR, "dwh", "splits", NULL), 2);
	char *text = scrape();
	has(text, "# TYPE xylem_connector_splits_total "
		  "counter\nxylem_connector_splits_total{connector=\"erp\"} 1\n"
		  "xylem_connector_splits_total{connector=\"dwh\"} 2\n# HELP "
		  "xylem_connector_re_balances_total ");
	has(text, "xylem_connector_re_balances_total{connector=\"events\"} 4\n");
	free(text);
}

static void hidden_series_come_back_with_their_count(void **state)
{
	struct metric *metric = metric_series(METRIC_TOPIC_ITEMS, "gone", NULL, NULL);
	metric_add(metric, 9);
	metric_hide(metric);
	metric_hide(NULL);
	char *text = scrape();
	assert_null(strstr(text, "xylem_topic_items_total"));
	free(text);
	assert_ptr_equal(metric, metric_series(METRIC_TOPIC_ITEMS, "gone", NULL, NULL));
	text = scrape();
	has(text, "xylem_topic_items_total{topic=\"gone\"} 9\n");
	free(text);
}

static void the_process_tells_of_itself(void **state)
{
	char *text = scrape();
	static const char *const names[] = { "xylem_build_info{version=\"",
		"\nprocess_resident_memory_bytes ", "\nprocess_open_fds ", "\nprocess_max_fds ",
		"\nprocess_cpu_seconds_total ", "\nprocess_start_time_seconds ", "\nprocess_threads " };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		has(text, names[i]);
	}
	double start = strtod(strstr(text, "\nprocess_start_time_seconds ") + 28, NULL);
	assert_true(start <= (double)time(NULL) + 2 && start > (double)time(NULL) - 24 * 3600);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

static void numbers_keep_their_digits(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = { { 0, "0" }, { 0.1, "0.1" }, { 1e21, "1e+21" }, { 1.0 / 3, "0.33333333333333331" },
		{ -2, "-2" }, { 1.0 / 0.0, "+Inf" }, { -1.0 / 0.0, "-Inf" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_buffer out = { 0 };
		exposition_number(&out, rows[i].value);
		char *text = xylem_buffer_take(&out, NULL);
		assert_string_equal(text, rows[i].text);
		free(text);
	}
}

static void collect(void *context)
{
	metric_set(metric_series(METRIC_HOSPITAL_CASES, "open", NULL, NULL), ++*(int *)context);
}

static void collectors_run_before_each_scrape(void **state)
{
	int runs = 0;
	metrics_on_collect(collect, &runs);
	free(scrape());
	char *text = scrape();
	has(text, "xylem_hospital_cases{state=\"open\"} 2\n");
	free(text);
	metrics_off_collect(collect, &runs);
	metrics_off_collect(collect, &runs);
	free(scrape());
	assert_int_equal(runs, 2);
}

static void *counting(void *context)
{
	struct metric *counter = metric_series(METRIC_UNROUTED, NULL, NULL, NULL);
	struct metric *histogram = metric_series(METRIC_JOURNAL_SYNC, NULL, NULL, NULL);
	for (int i = 0; i < 10000; i++) {
		metric_add(counter, 1);
		metric_observe(histogram, 0.5);
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, counting, NULL), 0);
	}
	free(scrape());
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	char *text = scrape();
	has(text, "\nxylem_messages_unrouted_total 40000\n");
	has(text, "xylem_journal_fsync_duration_seconds_sum "
		  "20000\nxylem_journal_fsync_duration_seconds_count 40000\n");
	free(text);
}

static void too_many_series_are_counted_nowhere(void **state)
{
	char name[16];
	for (int i = 0; i < 10001; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		metric_add(metric_series(METRIC_REFUSED, "c", name, NULL), 1);
	}
	char *text = scrape();
	has(text, "code=\"c9999\"} 1\n");
	assert_null(strstr(text, "code=\"c10000\""));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_family_has_a_row),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(a_family_stands_together_under_one_head),
		cmocka_unit_test(histograms_add_up),
		cmocka_unit_test(connectors_name_their_own),
		cmocka_unit_test(hidden_series_come_back_with_their_count),
		cmocka_unit_test(the_process_tells_of_itself),
		cmocka_unit_test(numbers_keep_their_digits),
		cmocka_unit_test(collectors_run_before_each_scrape),
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(too_many_series_are_counted_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
