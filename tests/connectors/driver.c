/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives connectors by hand: a program that opens the connectors of a
 * configuration with a real journal behind them, and does what lines on its standard input
 * say. The Python tests beside it start servers, break them, and look at both ends.
 *
 *     connector-driver CONFIG
 *
 *     sink NAME TIMEOUT_MS        opens a sink worker; `deliver` goes to the last one opened
 *     deliver OFFSET [EVENT...]   one call; the events (a JSON array) get positions from OFFSET on
 *     interrupt MS                interrupts the sink from another thread MS later
 *     probe NAME MS
 *     source NAME                 starts it; what it hands in goes to the journal in bus.data
 *     hold NAME | release NAME | stop NAME
 *     wait N MS                   until the journal has N messages
 *     dump                        all messages of the journal
 *
 * Each command is answered by one line, `ok`, `error TEXT` or a JSON value. The
 * extension `partitionkey` of an event given to `deliver` becomes its key.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <base/clock.h>
#include <connector/instance.h>
#include <contract/exports.h>
#include <journal/journal.h>
#include <xylem/xylem.h>

#define INSTANCES 8
#define EVENTS 20000

struct driver {
	struct config *config;
	const struct config_view *view;
	struct journal *journal;
	struct intake *intake;
	struct instance *instances[INSTANCES];
	size_t instance_count;
	struct instance *sink;
	void *worker;
	struct xylem_arena *arena;
	struct xylem_message *messages;
	const struct xylem_message **pointers;
	struct xylem_result *results;
};

static void say_error(const char *text)
{
	printf("error %s\n", text);
}

static struct instance *find(struct driver *driver, const char *name)
{
	const struct config_connector *connector = config_find_connector(driver->view, name);
	struct xylem_reason reason = { "no such connector" };
	struct instance *instance = NULL;
	size_t i;

	for (i = 0; i < driver->instance_count; i++) {
		if (strcmp(instance_name(driver->instances[i]), name) == 0) {
			return driver->instances[i];
		}
	}
	if (connector != NULL && driver->instance_count < INSTANCES) {
		struct instance_options options = { .name = connector->name,
			.kind = connector->kind,
			.options = connector->options,
			.config = driver->config,
			.data = driver->view->bus->data };

		if (instance_open(&instance, &options, &reason) == 0) {
			driver->instances[driver->instance_count++] = instance;
			return instance;
		}
	}
	say_error(reason.text);
	return NULL;
}

static void close_worker(struct driver *driver)
{
	if (driver->worker != NULL) {
		instance_kind(driver->sink)->sink_close(driver->worker);
	}
	driver->worker = NULL;
}

static void do_sink(struct driver *driver, const char *name, const char *rest)
{
	struct xylem_reason reason = { "" };

	close_worker(driver);
	driver->sink = find(driver, name);
	if (driver->sink == NULL) {
		return;
	}
	if (instance_sink_open(driver->sink, atoll(rest) * 1000, &driver->worker, &reason) != 0) {
		say_error(reason.text);
		return;
	}
	puts("ok");
}

static size_t read_events(struct driver *driver, uint64_t offset, struct xylem_span array)
{
	struct xylem_json_iterator events = { 0 };
	struct xylem_reason reason = { "" };
	size_t at = 0, n = 0;

	if (xylem_json_check(array, &at, &reason) != 0) {
		say_error(reason.text);
		return 0;
	}
	xylem_json_iterate(&events, xylem_json_trim(array));
	while (n < EVENTS && xylem_json_next(&events)) {
		struct xylem_message *message = &driver->messages[n];

		if (xylem_message_read_json(message, driver->arena, events.value, &reason) != 0) {
			say_error(reason.text);
			return 0;
		}
		message->position.offset = offset + n;
		message->key = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("partitionkey"));
		driver->pointers[n++] = message;
	}
	return n;
}

static void do_deliver(struct driver *driver, const char *offset, const char *rest)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	size_t n = read_events(driver, strtoull(offset, NULL, 10), xylem_span_of(rest)), i;
	int64_t began;

	if (n == 0 || driver->worker == NULL) {
		return;
	}
	memset(driver->results, 0, n * sizeof(*driver->results));
	began = clock_mono_us();
	instance_kind(driver->sink)->deliver(driver->worker, driver->pointers, n, driver->results);
	xylem_buffer_format(&out, "{\"us\":%" PRId64 ",\"results\":[", clock_mono_us() - began);
	for (i = 0; i < n; i++) {
		const struct xylem_result *result = &driver->results[i];
		const char *name = result->failure == XYLEM_DELIVERED   ? "delivered"
				   : result->failure == XYLEM_NOT_TRIED ? "not-tried"
									: xylem_failure_name(result->failure);

		xylem_buffer_format(&out, "%s[\"%s\",", i > 0 ? "," : "", name);
		xylem_json_write_string(&out, xylem_span_of(result->code));
		xylem_buffer_byte(&out, ',');
		xylem_json_write_string(&out, xylem_span_of(result->reason.text));
		xylem_buffer_byte(&out, ']');
	}
	xylem_buffer_text(&out, "]}\n");
	fwrite(out.bytes, 1, out.n, stdout);
	xylem_arena_reset(driver->arena);
}

struct alarm {
	struct driver *driver;
	int64_t after_us;
};

static void *ring(void *context)
{
	struct alarm *alarm = context;
	struct timespec when = clock_timespec(clock_mono_us() + alarm->after_us);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
	instance_kind(alarm->driver->sink)->interrupt(alarm->driver->worker);
	free(alarm);
	return NULL;
}

static void do_interrupt(struct driver *driver, const char *ms)
{
	struct alarm *alarm = malloc(sizeof(*alarm));
	pthread_t thread;

	*alarm = (struct alarm){ driver, atoll(ms) * 1000 };
	if (pthread_create(&thread, NULL, ring, alarm) == 0) {
		pthread_detach(thread);
	}
	puts("ok");
}

static void do_probe(struct driver *driver, const char *name, const char *rest)
{
	struct xylem_result result = { 0 };
	struct instance *instance = find(driver, name);

	if (instance == NULL) {
		return;
	}
	if (instance_probe(instance, atoll(rest) * 1000, &result) == 0) {
		puts("ok");
	} else {
		printf("error %s %s %s\n", xylem_failure_name(result.failure), result.code,
			result.reason.text);
	}
}

static void do_source(struct driver *driver, const char *name)
{
	struct xylem_reason reason = { "" };
	struct instance *instance = find(driver, name);

	if (instance == NULL) {
		return;
	}
	if (instance_start(instance, driver->intake, &reason) != 0) {
		say_error(reason.text);
		return;
	}
	puts("ok");
}

/* Offsets need not be dense, but nothing is derived or replayed here, so they are. */
static uint64_t journaled(struct driver *driver)
{
	return journal_end(driver->journal).offset - journal_begin(driver->journal).offset;
}

static void do_wait(struct driver *driver, const char *count, const char *rest)
{
	struct journal_waiter *waiter = journal_waiter_new(driver->journal);
	int64_t deadline = clock_mono_us() + atoll(rest) * 1000;
	uint64_t wanted = strtoull(count, NULL, 10);

	while (journaled(driver) < wanted && clock_mono_us() < deadline) {
		journal_wait(waiter, journal_end(driver->journal), deadline);
	}
	journal_waiter_free(waiter);
	printf("%" PRIu64 "\n", journaled(driver));
}

static void do_dump(struct driver *driver)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct journal_batch *batch = journal_batch_new();
	struct xylem_position at = journal_begin(driver->journal);
	size_t i;

	xylem_buffer_byte(&out, '[');
	while (journal_read(driver->journal, at, 1000, 1 << 20, batch) == 0 && batch->n > 0) {
		for (i = 0; i < batch->n; i++) {
			const struct xylem_message *message = &batch->messages[i];

			xylem_buffer_text(&out, out.n > 1 ? ",{\"key\":" : "{\"key\":");
			if (xylem_span_present(message->key)) {
				xylem_json_write_string(&out, message->key);
			} else {
				xylem_buffer_text(&out, "null");
			}
			xylem_buffer_text(&out, ",\"event\":");
			xylem_message_write_json(message, &out);
			xylem_buffer_byte(&out, '}');
		}
		at = batch->next;
	}
	journal_batch_free(batch);
	xylem_buffer_text(&out, "]\n");
	fwrite(out.bytes, 1, out.n, stdout);
}

static void do_hold(struct driver *driver, const char *name, bool hold, bool stop)
{
	struct instance *instance = find(driver, name);

	if (instance == NULL) {
		return;
	}
	if (stop) {
		instance_stop(instance);
	} else {
		instance_hold(instance, hold);
	}
	puts("ok");
}

static void obey(struct driver *driver, char *line)
{
	char *verb = strtok(line, " \n"), *first = strtok(NULL, " \n"), *rest = strtok(NULL, "\n");

	first = first ? first : line + strlen(line);
	rest = rest ? rest : line + strlen(line);
	if (verb == NULL) {
		return;
	}
	if (strcmp(verb, "sink") == 0) {
		do_sink(driver, first, rest);
	} else if (strcmp(verb, "deliver") == 0) {
		do_deliver(driver, first, rest);
	} else if (strcmp(verb, "interrupt") == 0) {
		do_interrupt(driver, first);
	} else if (strcmp(verb, "probe") == 0) {
		do_probe(driver, first, rest);
	} else if (strcmp(verb, "source") == 0) {
		do_source(driver, first);
	} else if (strcmp(verb, "wait") == 0) {
		do_wait(driver, first, rest);
	} else if (strcmp(verb, "dump") == 0) {
		do_dump(driver);
	} else if (strcmp(verb, "hold") == 0 || strcmp(verb, "release") == 0 || strcmp(verb, "stop") == 0) {
		do_hold(driver, first, *verb == 'h', *verb == 's');
	} else {
		say_error("no such command");
	}
}

static int open_all(struct driver *driver, const char *path)
{
	struct config_report report = { 0 };
	struct journal_recovery recovery;
	struct xylem_reason reason = { "" };
	char folder[4096];
	int error = config_load(&driver->config, path, &report);
	size_t i;

	for (i = 0; i < report.n; i++) {
		fprintf(stderr, "%s:%d: %s\n", report.problems[i].place.file, report.problems[i].place.line,
			report.problems[i].text);
	}
	config_report_finish(&report);
	if (error != 0) {
		return error;
	}
	driver->view = config_view(driver->config);
	snprintf(folder, sizeof(folder), "%s/journal", driver->view->bus->data);
	error = journal_open(&driver->journal,
		&(struct journal_options){ .folder = folder,
			.io = io_system(),
			.segment_size = 64 << 20,
			.retain_bytes = (uint64_t)1 << 40,
			.retain_us = INT64_MAX / 2,
			.hold_bytes = (uint64_t)1 << 40 },
		&recovery, &reason);
	if (error != 0) {
		fprintf(stderr, "journal: %s\n", reason.text);
		return error;
	}
	driver->intake = intake_new(driver->journal, (size_t)driver->view->bus->max_message);
	driver->arena = xylem_arena_new(0);
	driver->messages = calloc(EVENTS, sizeof(*driver->messages));
	driver->pointers = calloc(EVENTS, sizeof(*driver->pointers));
	driver->results = calloc(EVENTS, sizeof(*driver->results));
	return 0;
}

static void close_all(struct driver *driver)
{
	close_worker(driver);
	while (driver->instance_count > 0) {
		struct instance *instance = driver->instances[--driver->instance_count];

		instance_stop(instance);
		instance_unref(instance);
	}
	intake_free(driver->intake);
	journal_close(driver->journal);
	xylem_arena_free(driver->arena);
	free(driver->messages);
	free(driver->pointers);
	free(driver->results);
	config_unref(driver->config);
}

int main(int argc, char **argv)
{
	struct driver driver = { 0 };
	char *line = NULL;
	size_t room = 0;

	if (contract_exports[0] == NULL || argc != 2 || open_all(&driver, argv[1]) != 0) {
		fprintf(stderr, "usage: connector-driver CONFIG\n");
		return 2;
	}
	puts("ready");
	fflush(stdout);
	while (getline(&line, &room, stdin) > 0) {
		obey(&driver, line);
		fflush(stdout);
	}
	free(line);
	close_all(&driver);
	return 0;
}
