/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONSOLE_TEST_BUS_H
#define TESTS_UNIT_CONSOLE_TEST_BUS_H

/*
 * A bus for tests of the faces: the real configuration, catalogue, journal and hospital in a
 * folder of its own, and made-up lanes and connectors. The whole bus is tested by tests/path.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <catalogue/audit.h>
#include <config/report.h>
#include <main/bus.h>
#include <topic/topic.h>
#include <route/where.h>
#include <trace/trace.h>

struct bus {
	char folder[64];
	struct config *config;
	struct catalogue *catalogue;
	struct journal *journal;
	struct hospital *hospital;
	struct topics *topics;
	const char *obstacle;
	bool reload_fails;
	char paused[128]; /* last lane that was paused, and by whom */
	char pauser[128];
	unsigned pauses;
	bus_listener listener;
	void *listener_context;
	struct audit_row {
		char who[64], role[32], operation[32], arguments[512], outcome[32];
	} audit[64];
	size_t audit_count;
};

/* The audit has no handle but the catalogue; one bus a process. */
static struct bus *the_bus;

static inline void test_write(const char *folder, const char *name, mode_t mode, const char *text)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(file, mode)) {
		abort();
	}
	close(file);
}

/* Tokens of at least 16 characters, as the configuration asks. */
#define TOKEN_VIEWER "viewer-token-0123456789abcdef"
#define TOKEN_PAYLOAD "payload-token-0123456789abcdef"
#define TOKEN_OPERATOR "operator-token-0123456789abcdef"
#define TOKEN_DEPLOYER "deployer-token-0123456789abcdef"

static inline void test_config(struct bus *bus, const char *console)
{
	char text[2048], path[160];
	snprintf(text, sizeof(text),
		"bus: { name: test, data: ./data }\n"
		"console: { %s }\n"
		"users:\n"
		"  vera: { role: viewer, token: { file: viewer.token } }\n"
		"  paula: { role: payload-viewer, token: { file: payload.token } }\n"
		"  otto: { role: operator, token: { file: operator.token } }\n"
		"  dora: { role: deployer, token: { file: deployer.token } }\n"
		"topics:\n  news: { title: News }\n",
		console);
	test_write(bus->folder, "xylem.yaml", 0644, text);
	test_write(bus->folder, "viewer.token", 0600, TOKEN_VIEWER);
	test_write(bus->folder, "payload.token", 0600, TOKEN_PAYLOAD);
	test_write(bus->folder, "operator.token", 0600, TOKEN_OPERATOR);
	test_write(bus->folder, "deployer.token", 0600, TOKEN_DEPLOYER);
	snprintf(path, sizeof(path), "%s/xylem.yaml", bus->folder);
	struct config_report report = { 0 };
	if (config_load(&bus->config, path, &report)) {
		for (size_t i = 0; i < report.n; i++) {
			fprintf(stderr, "%s\n", report.problems[i].text);
		}
		abort();
	}
	config_report_finish(&report);
}

static inline void test_stores(struct bus *bus)
{
	char path[160], folder[160];
	struct xylem_reason reason = { .text = "" };
	snprintf(path, sizeof(path), "%s/data", bus->folder);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/data/catalogue.db", bus->folder);
	snprintf(folder, sizeof(folder), "%s/data/journal", bus->folder);
	struct catalogue_options catalogue = { .path = path, .io = io_system() };
	struct journal_options journal = { .folder = folder,
		.io = io_system(),
		.segment_size = 1 << 20,
		.retain_bytes = 1 << 30,
		.hold_bytes = 1 << 30 };
	struct journal_recovery recovery;
	if (catalogue_open(&bus->catalogue, &catalogue, &reason) ||
		journal_open(&bus->journal, &journal, &recovery, &reason)) {
		fprintf(stderr, "%s\n", reason.text);
		abort();
	}
	struct hospital_options hospital = {
		.catalogue = bus->catalogue, .journal = bus->journal, .max_cases = 100, .max_bytes = 1 << 20
	};
	if (hospital_open(&bus->hospital, &hospital, &reason)) {
		fprintf(stderr, "%s\n", reason.text);
		abort();
	}
}

/* Nobody publishes here. */
static inline int test_publish(void *context, const char *ingress, const struct xylem_message *messages,
	size_t n, xylem_submit_done done, void *done_context, struct xylem_reason *reason)
{
	return -XYLEM_E_UNSUPPORTED;
}

static inline void test_topics(struct bus *bus)
{
	const struct topics_bus of = {
		.journal = bus->journal, .catalogue = bus->catalogue, .publish = test_publish
	};
	struct xylem_reason reason;
	if (topics_new(&bus->topics, &of, &reason) || topics_apply(bus->topics, config_view(bus->config))) {
		abort();
	}
}

static inline struct bus *test_bus_new(const char *console)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	strcpy(bus->folder, "/tmp/xylem-console-XXXXXX");
	if (!mkdtemp(bus->folder)) {
		abort();
	}
	setenv("XDG_RUNTIME_DIR", bus->folder, 1);
	test_config(bus, console);
	test_stores(bus);
	test_topics(bus);
	the_bus = bus;
	return bus;
}

static inline int test_unlink(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	return remove(path);
}

static inline void test_bus_free(struct bus *bus)
{
	topics_free(bus->topics);
	hospital_close(bus->hospital);
	journal_close(bus->journal);
	catalogue_close(bus->catalogue);
	config_unref(bus->config);
	nftw(bus->folder, test_unlink, 8, FTW_DEPTH | FTW_PHYS);
	free(bus);
}

/* --- bus.h ------------------------------------------------------------------- */

struct config *bus_config(struct bus *bus)
{
	return config_ref(bus->config);
}

struct journal *bus_journal(struct bus *bus)
{
	return bus->journal;
}

struct catalogue *bus_catalogue(struct bus *bus)
{
	return bus->catalogue;
}

struct topics *bus_topics(struct bus *bus)
{
	return bus->topics;
}

struct hospital *bus_hospital(struct bus *bus)
{
	return bus->hospital;
}

int64_t bus_started_us(struct bus *bus)
{
	return 1700000000000000;
}

const char *bus_not_ready(struct bus *bus, char text[256])
{
	return bus->obstacle ? strcpy(text, bus->obstacle) : NULL;
}

int bus_reload(struct bus *bus, struct config_report *report)
{
	if (!bus->reload_fails) {
		return 0;
	}
	report_error(report, (struct config_place){ "xylem.yaml", 3, 7 }, "no such thing");
	return -XYLEM_E_INVALID;
}

int bus_publish(struct bus *bus, const char *ingress, const struct xylem_message *messages, size_t n,
	struct xylem_position *ret_positions, struct xylem_reason *reason)
{
	if (strcmp(ingress, "shop") != 0) {
		xylem_reason_set(reason, "there is no connector `%s`", ingress);
		return -XYLEM_E_NOT_FOUND;
	}
	struct xylem_message message = *messages;
	message.ingress = xylem_span_of(ingress);
	return journal_append_wait(bus->journal, &message, 1, false, ret_positions);
}

int bus_lanes(struct bus *bus, struct lane_state **ret_lanes, size_t *ret_n)
{
	struct lane_state *lanes = calloc(2, sizeof(*lanes));
	lanes[0] = (struct lane_state){ .number = 1,
		.name = "orders/erp",
		.route = "orders",
		.destination = "erp",
		.condition = LANE_DOWN,
		.why = "connection refused",
		.backlog = 17,
		.oldest_us = 2500000 };
	lanes[1] = (struct lane_state){ .number = 2,
		.name = "orders/topic:a/b",
		.route = "orders",
		.destination = "topic:a/b",
		.condition = LANE_IDLE };
	*ret_lanes = lanes;
	*ret_n = 2;
	return 0;
}

int bus_lane_pause(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason)
{
	if (strncmp(name, "orders/", 7) != 0) {
		xylem_reason_set(reason, "there is no lane `%s`", name);
		return -XYLEM_E_NOT_FOUND;
	}
	snprintf(bus->paused, sizeof(bus->paused), "%s", name);
	snprintf(bus->pauser, sizeof(bus->pauser), "%s", who);
	bus->pauses++;
	return 0;
}

int bus_lane_resume(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason)
{
	return 0;
}

int bus_lane_drop(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason)
{
	xylem_reason_set(reason, "%s is in the configuration", name);
	return -XYLEM_E_CONFLICT;
}

int bus_connectors(struct bus *bus, struct connector_state **ret_connectors, size_t *ret_n)
{
	struct connector_state *connectors = calloc(1, sizeof(*connectors));
	*connectors = (struct connector_state){
		.name = "shop", .kind = "webhook", .source = true, .up = true
	};
	*ret_connectors = connectors;
	*ret_n = 1;
	return 0;
}

int bus_connector_probe(struct bus *bus, const char *name, int64_t timeout_us,
	struct xylem_result *ret_result, struct xylem_reason *reason)
{
	ret_result->failure = XYLEM_FAILURE_DOWN;
	strcpy(ret_result->code, "refused");
	strcpy(ret_result->reason.text, "nobody listens");
	return 0;
}

uint64_t bus_listen(struct bus *bus, unsigned events, bus_listener listener, void *context)
{
	bus->listener = listener;
	bus->listener_context = context;
	return 1;
}

void bus_unlisten(struct bus *bus, uint64_t listener)
{
	bus->listener = NULL;
}

const char *lane_condition_name(enum lane_condition condition)
{
	static const char *const names[] = { "running", "idle", "down", "misconfigured", "paused", "stopped",
		"retired" };
	return names[condition];
}

/* The configuration here has no routes. */
__attribute__((weak)) int where_compile(
	const char *text, struct where **ret_where, int *ret_column, struct xylem_reason *reason)
{
	abort();
}

__attribute__((weak)) struct where *where_free(struct where *where)
{
	return NULL;
}

/* --- trace and audit ------------------------------------------------------------- */

int trace_search(struct journal *journal, struct catalogue *catalogue, const struct trace_filter *filter,
	json_t **ret_page, struct xylem_reason *reason)
{
	*ret_page = json_pack("{s:[], s:n, s:I, s:I, s:I, s:i, s:I}", "messages", "next", "limit",
		(json_int_t)filter->limit, "before", (json_int_t)filter->before.offset, "since",
		(json_int_t)filter->since_us, "outcome", filter->outcome, "scanned", (json_int_t)0);
	return 0;
}

int trace_show(struct journal *journal, struct catalogue *catalogue, struct xylem_position at,
	json_t **ret_message, struct xylem_reason *reason)
{
	xylem_reason_set(reason, "there is no such message");
	return -XYLEM_E_NOT_FOUND;
}

int audit_write(struct catalogue *catalogue, const struct audit_record *record, struct xylem_reason *reason)
{
	struct audit_row *row = &the_bus->audit[the_bus->audit_count++ % 64];
	snprintf(row->who, sizeof(row->who), "%s", record->who);
	snprintf(row->role, sizeof(row->role), "%s", record->role);
	snprintf(row->operation, sizeof(row->operation), "%s", record->operation);
	snprintf(row->arguments, sizeof(row->arguments), "%s", record->arguments);
	snprintf(row->outcome, sizeof(row->outcome), "%s", record->outcome);
	return 0;
}

int audit_list(struct catalogue *catalogue, uint64_t after, size_t limit, json_t **ret_page,
	struct xylem_reason *reason)
{
	*ret_page = json_pack("{s:[], s:n}", "records", "next");
	return 0;
}

static inline const struct audit_row *last_audit(const struct bus *bus)
{
	return bus->audit_count ? &bus->audit[(bus->audit_count - 1) % 64] : NULL;
}

#endif
