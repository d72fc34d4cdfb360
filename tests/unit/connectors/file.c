/* SPDX-License-Identifier: Apache-2.0 */

/* Files that grow, rotate, shrink and are read on after a restart; files that are appended to. On real files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <config/config.h>
#include <connector/instance.h>
#include <connectors/file_position.h>
#include <intake/intake.h>
#include <journal/journal.h>

#define MAX_MESSAGE 5000
#define PATIENCE 30000000

static char folder[64];
static char path[128], old[128];
static struct config *config;
static struct journal *journal;
static struct intake *intake;
static struct instance *instance;
static struct xylem_position at; /* the journal, read up to here */
static struct xylem_reason reason;

/* --- A bus's front half ------------------------------------------------ */

static void config_make(const char *options)
{
	char file[160];
	snprintf(file, sizeof(file), "%s/x.yaml", folder);
	FILE *out = fopen(file, "w");
	fprintf(out, "bus: { name: test, data: ./data }\nconnectors: { log: { file: { path: %s, %s } } }\n",
		path, options);
	fclose(out);
	struct config_report report = { 0 };
	if (config_load(&config, file, &report)) {
		fail_msg("%s", report.problems[0].text);
	}
	config_report_finish(&report);
}

static void open_it(void)
{
	const struct config_connector *connector = &config_view(config)->connectors[0];
	const struct instance_options options = { .name = "log",
		.kind = connector->kind,
		.options = connector->options,
		.config = config,
		.data = folder };
	assert_int_equal(instance_open(&instance, &options, &reason), 0);
}

static void start(void)
{
	open_it();
	assert_int_equal(instance_start(instance, intake, &reason), 0);
}

static void stop(void)
{
	instance_stop(instance);
	instance = instance_unref(instance);
}

static int setup(void **state)
{
	char journal_folder[128];
	strcpy(folder, "/tmp/xylem-file-XXXXXX");
	if (!mkdtemp(folder)) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(old, sizeof(old), "%s/log.1", folder);
	snprintf(journal_folder, sizeof(journal_folder), "%s/journal", folder);
	struct journal_recovery recovery;
	const struct journal_options options = { .folder = journal_folder,
		.io = io_system(),
		.segment_size = 1 << 20,
		.retain_bytes = 1 << 24,
		.retain_us = 3600000000,
		.hold_bytes = 1 << 28,
		.reserve_bytes = 1 << 16 };
	int error = journal_open(&journal, &options, &recovery, &reason);
	intake = intake_new(journal, MAX_MESSAGE);
	at = journal_end(journal);
	return error;
}

static int remove_one(const char *name, const struct stat *status, int flag, struct FTW *walk)
{
	return remove(name);
}

static int teardown(void **state)
{
	if (instance) {
		stop();
	}
	intake = intake_free(intake);
	journal = journal_close(journal);
	config = config_unref(config);
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- Files and messages ------------------------------------------------ */

static void append(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_APPEND | O_CREAT, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* The next message that comes into the journal; its id and type are copied out. */
struct seen {
	char data[256], id[80], type[80];
};

static struct seen next(void)
{
	struct seen seen = { "", "", "" };
	struct journal_batch *batch = journal_batch_new();
	struct journal_waiter *waiter = journal_waiter_new(journal);
	int64_t end = clock_mono_us() + PATIENCE;
	while (batch->n == 0) {
		assert_int_equal(journal_read(journal, at, 1, 1, batch), 0);
		if (batch->n == 0) {
			assert_true(clock_mono_us() < end);
			journal_wait(waiter, at, end);
		}
	}
	const struct xylem_message *message = &batch->messages[0];
	snprintf(seen.data, sizeof(seen.data), "%.*s", (int)message->data.n, message->data.at);
	snprintf(seen.id, sizeof(seen.id), "%.*s", (int)message->id.n, message->id.at);
	snprintf(seen.type, sizeof(seen.type), "%.*s", (int)message->type.n, message->type.at);
	at = batch->next;
	journal_waiter_free(waiter);
	journal_batch_free(batch);
	return seen;
}

static void expect(const char *data)
{
	struct seen seen = next();
	assert_string_equal(seen.data, data);
}

/* --- Source ------------------------------------------------------------ */

static void lines_come_as_they_are_ended(void **state)
{
	config_make("format: lines");
	append(path, "one\ntwo\r\n\n  \nthr");
	start();
	expect("one");
	expect("two");
	append(path, "ee\nfour\n");
	expect("three");
	expect("four");
}

static void a_file_that_comes_later(void **state)
{
	config_make("format: lines, from: end");
	start();
	append(path, "one\n");
	expect("one");
}

static void from_the_end(void **state)
{
	config_make("format: lines, from: end");
	append(path, "before\n");
	start();
	append(path, "after\n");
	expect("after");
}

static void rotation(void **state)
{
	config_make("format: lines");
	append(path, "one\n");
	start();
	expect("one");
	append(path, "two\nhalf");
	assert_int_equal(rename(path, old), 0);
	append(path, "three\n");
	expect("two");
	expect("half"); /* nobody will end it any more */
	expect("three");
}

static void truncation(void **state)
{
	config_make("format: lines");
	append(path, "one\ntwo\n");
	start();
	expect("one");
	struct seen before = next();
	assert_int_equal(truncate(path, 0), 0);
	append(path, "1\n");
	struct seen after = next();
	assert_string_equal(after.data, "1");
	assert_memory_not_equal(before.id, after.id, 36); /* another life of the file */
}

static void a_restart_reads_on(void **state)
{
	config_make("format: lines");
	append(path, "one\n");
	start();
	struct seen first = next();
	stop();
	append(path, "two\n");
	start();
	struct seen second = next();
	assert_string_equal(second.data, "two");
	assert_memory_equal(first.id, second.id, 36);
	assert_string_equal(second.id + 36, "-4");
}

static void a_rotation_while_it_was_off(void **state)
{
	config_make("format: lines");
	append(path, "one\n");
	start();
	expect("one");
	stop();
	append(path, "two\n");
	assert_int_equal(rename(path, old), 0);
	append(path, "three\n");
	start();
	expect("two");
	expect("three");
}

static void a_lost_position_repeats_with_other_ids(void **state)
{
	char position[160];
	config_make("format: lines");
	append(path, "one\n");
	start();
	expect("one");
	stop();
	snprintf(position, sizeof(position), "%s/connectors/log/position", folder);
	int fd = open(position, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
	start();
	expect("one");
}

static void what_is_no_event(void **state)
{
	config_make("key: /data/k");
	append(path, "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/"
		     "s\",\"type\":\"t\",\"data\":{\"k\":1}}\nno event\n");
	start();
	struct seen event = next();
	assert_string_equal(event.id, "a");
	assert_string_equal(event.data, "{\"k\":1}");
	struct seen malformed = next();
	assert_string_equal(malformed.type, "log.malformed");
	assert_string_equal(malformed.data, "no event");
}

static void lines_too_long(void **state)
{
	config_make("format: lines");
	char *text = malloc(700000);
	memset(text, 'x', 700000);
	strcpy(text + MAX_MESSAGE + 1, "\nshort\n");
	append(path, text);
	memset(text, 'y', 699000); /* more than one read: it is dropped before its end is seen */
	strcpy(text + 699000, "\nlast\n");
	append(path, text);
	free(text);
	start();
	expect("short");
	expect("last");
}

static void many_lines(void **state)
{
	config_make("format: ndjson");
	FILE *out = fopen(path, "w");
	for (int i = 0; i < 5000; i++) {
		fprintf(out, "{\"n\":%d}\n", i);
	}
	fclose(out);
	start();
	for (int i = 0; i < 5000; i++) {
		char data[32];
		snprintf(data, sizeof(data), "{\"n\":%d}", i);
		expect(data);
	}
}

/* --- Sink -------------------------------------------------------------- */

static void *worker;
static struct xylem_result results[3];

static void deliver(const char *const *data, size_t n)
{
	struct xylem_message messages[3];
	const struct xylem_message *pointers[3];
	memset(results, 0, sizeof(results));
	for (size_t i = 0; i < n; i++) {
		messages[i] = (struct xylem_message){ .id = XYLEM_SPAN_LITERAL("1"),
			.source = XYLEM_SPAN_LITERAL("/s"),
			.type = XYLEM_SPAN_LITERAL("t"),
			.data = xylem_span_of(data[i]) };
		pointers[i] = &messages[i];
	}
	instance_kind(instance)->deliver(worker, pointers, n, results);
}

static void file_is(const char *name, const char *text)
{
	char bytes[1024] = "";
	FILE *in = fopen(name, "r");
	assert_non_null(in);
	bytes[fread(bytes, 1, sizeof(bytes) - 1, in)] = '\0';
	fclose(in);
	assert_string_equal(bytes, text);
}

static void sink_open(const char *options)
{
	config_make(options);
	open_it();
	assert_int_equal(instance_sink_open(instance, 1000000, &worker, &reason), 0);
}

static void sink_close(void)
{
	instance_kind(instance)->sink_close(worker);
	instance = instance_unref(instance);
}

static void lines_are_appended(void **state)
{
	append(path, "there\n");
	sink_open("format: lines");
	deliver((const char *const[]){ "one", "two" }, 2);
	assert_int_equal(results[0].failure, 0);
	assert_int_equal(results[1].failure, 0);
	file_is(path, "there\none\ntwo\n");
	sink_close();
}

static void a_line_cut_by_a_kill_takes_no_other_with_it(void **state)
{
	append(path, "whole\nhal");
	sink_open("format: lines");
	deliver((const char *const[]){ "half", "next" }, 2);
	assert_int_equal(results[0].failure, 0);
	file_is(path, "whole\nhal\nhalf\nnext\n");
	sink_close();
}

static void a_line_with_a_break_is_wrong(void **state)
{
	sink_open("format: lines");
	deliver((const char *const[]){ "one", "t\nwo", "three" }, 3);
	assert_int_equal(results[0].failure, 0);
	assert_int_equal(results[1].failure, XYLEM_FAILURE_WRONG);
	assert_string_equal(results[1].code, "line-break");
	assert_int_equal(results[2].failure, XYLEM_NOT_TRIED);
	file_is(path, "one\n");
	sink_close();
}

static void json_with_breaks_is_a_line(void **state)
{
	sink_open("format: ndjson");
	deliver((const char *const[]){ "{\n \"a\":\r\n1}", "{" }, 2);
	assert_int_equal(results[0].failure, 0);
	assert_int_equal(results[1].failure, XYLEM_FAILURE_WRONG);
	file_is(path, "{  \"a\":  1}\n");
	sink_close();
}

static void a_rotated_file_is_opened_again(void **state)
{
	sink_open("format: lines");
	deliver((const char *const[]){ "one" }, 1);
	assert_int_equal(rename(path, old), 0);
	deliver((const char *const[]){ "two" }, 1);
	file_is(old, "one\n");
	file_is(path, "two\n");
	sink_close();
}

static void a_full_disk_is_down(void **state)
{
	strcpy(path, "/dev/full");
	sink_open("format: lines, sync: false");
	deliver((const char *const[]){ "one", "two" }, 2);
	assert_int_equal(results[0].failure, XYLEM_FAILURE_DOWN);
	assert_string_equal(results[0].code, "file-ENOSPC");
	assert_int_equal(results[1].failure, XYLEM_NOT_TRIED);
	sink_close();
}

/* --- The position ------------------------------------------------------ */

static void positions_round_trip(void **state)
{
	struct file_position position = { 1, 2, 3, 0xdeadbeef, 3, "01a1fd2a-b78f-72f3-a45a-91a84b8e537e" },
			     again;
	char text[256];
	size_t n = file_position_format(&position, text);
	assert_int_equal(file_position_parse(xylem_span(text, n), &again), 0);
	char same[256];
	file_position_format(&again, same);
	assert_string_equal(text, same);
	for (size_t part = 0; part < n; part++) {
		assert_int_equal(file_position_parse(xylem_span(text, part), &again), -XYLEM_E_INVALID);
	}
	text[0] = 'X';
	assert_int_equal(file_position_parse(xylem_span(text, n), &again), -XYLEM_E_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { cmocka_unit_test(positions_round_trip),
		TEST(lines_come_as_they_are_ended), TEST(a_file_that_comes_later), TEST(from_the_end),
		TEST(what_is_no_event), TEST(many_lines), TEST(lines_too_long), TEST(rotation),
		TEST(truncation), TEST(a_restart_reads_on), TEST(a_rotation_while_it_was_off),
		TEST(a_lost_position_repeats_with_other_ids), TEST(lines_are_appended),
		TEST(a_line_cut_by_a_kill_takes_no_other_with_it), TEST(a_line_with_a_break_is_wrong),
		TEST(json_with_breaks_is_a_line), TEST(a_rotated_file_is_opened_again),
		TEST(a_full_disk_is_down) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
