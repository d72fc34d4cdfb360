/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a file of route tests:
 *
 *     config: orders.yaml
 *     tests:
 *       - name: an order is mapped
 *         route: orders
 *         event: { type: order.created, data: { order: { id: o-1, lines: [] } } }
 *         expect: { data: { id: o-1, total_cents: 0 } }
 *
 * YAML as strict as the configuration's, by the same tables, except that
 * `${...}` means nothing here: data may hold it.
 */
#include <stdio.h>

#include <base/clock.h>
#include <config/fill.h>
#include <config/report.h>
#include <config/source_file.h>
#include <main/route_test.h>

enum { TESTS_MOST = 10000 }; /* in one file */

static const char *const outcomes_text = "delivered, filtered, case or not-taken";

static const struct xylem_option file_options[] = {
	{ .name = "config",
		.type = XYLEM_OPTION_PATH,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct route_test_file, config),
		.since = "0.2",
		.summary = "The configuration whose routes are tested.",
		.example = "orders.yaml" },
	{ .name = "environment",
		.type = XYLEM_OPTION_MAP,
		.offset = offsetof(struct route_test_file, environment),
		.since = "0.2",
		.summary = "Environment variables that are set before the configuration is read." },
	XYLEM_OPTIONS_END,
};

static const struct xylem_option test_options[] = {
	{ .name = "name",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct route_test, name),
		.since = "0.2",
		.summary = "What is tested, in words.",
		.example = "an order is mapped" },
	{ .name = "route",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct route_test, route),
		.since = "0.2",
		.summary = "The route.",
		.example = "orders" },
	{ .name = "step",
		.type = XYLEM_OPTION_INTEGER,
		.offset = offsetof(struct route_test, step),
		.minimum = 1,
		.maximum = 1000,
		.since = "0.2",
		.summary = "Only this step of the route, from 1." },
	{ .name = "now",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, now),
		.default_value = "2026-01-01T00:00:00Z",
		.since = "0.2",
		.summary = "What `now` is to the steps." },
	{ .name = "event.id",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.id),
		.default_value = "test",
		.since = "0.2",
		.summary = "The event's id." },
	{ .name = "event.source",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.source),
		.default_value = "urn:test",
		.since = "0.2",
		.summary = "The event's source." },
	{ .name = "event.type",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.type),
		.default_value = "test",
		.since = "0.2",
		.summary = "The event's type." },
	{ .name = "event.subject",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.subject),
		.since = "0.2",
		.summary = "The event's subject." },
	{ .name = "event.time",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.time),
		.since = "0.2",
		.summary = "The event's time." },
	{ .name = "event.datacontenttype",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.datacontenttype),
		.since = "0.2",
		.summary = "The type of the data; without it JSON." },
	{ .name = "event.dataschema",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.dataschema),
		.since = "0.2",
		.summary = "The event's dataschema." },
	{ .name = "event.extensions",
		.type = XYLEM_OPTION_MAP,
		.offset = offsetof(struct route_test, event.extensions),
		.since = "0.2",
		.summary = "Further attributes." },
	{ .name = "event.key",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.key),
		.since = "0.2",
		.summary = "The ordering key." },
	{ .name = "event.from",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.from),
		.since = "0.2",
		.summary = "The connector or `topic:NAME` that it comes from; the first of the route's "
			   "`from`." },
	{ .name = "event.data",
		.type = XYLEM_OPTION_JSON,
		.offset = offsetof(struct route_test, event.data),
		.since = "0.2",
		.summary = "The payload as JSON, or as YAML for it; digits are kept." },
	{ .name = "event.data_text",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, event.data_text),
		.since = "0.2",
		.summary = "The payload, byte for byte." },
	{ .name = "event.data_file",
		.type = XYLEM_OPTION_FILE,
		.offset = offsetof(struct route_test, event.data_file),
		.since = "0.2",
		.summary = "A file that is the payload." },
	{ .name = "expect.outcome",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, expect.outcome),
		.since = "0.2",
		.summary = "What becomes of it: delivered, filtered, case or not-taken." },
	{ .name = "expect.data",
		.type = XYLEM_OPTION_JSON,
		.offset = offsetof(struct route_test, expect.data),
		.since = "0.2",
		.summary =
			"The payload that comes out; numbers are compared by value, members in any order." },
	{ .name = "expect.data_text",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, expect.data_text),
		.since = "0.2",
		.summary = "The payload that comes out, byte for byte." },
	{ .name = "expect.event",
		.type = XYLEM_OPTION_JSON,
		.offset = offsetof(struct route_test, expect.event),
		.since = "0.2",
		.summary = "Attributes of the event that comes out, `data` among them; others may be "
			   "anything." },
	{ .name = "expect.parts",
		.type = XYLEM_OPTION_JSON,
		.offset = offsetof(struct route_test, expect.parts),
		.since = "0.2",
		.summary = "A list of such events: what a split makes, in order." },
	{ .name = "expect.code",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, expect.code),
		.since = "0.2",
		.summary = "The code of the case." },
	{ .name = "expect.error",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct route_test, expect.error),
		.since = "0.2",
		.summary = "Text that the case's reason has in it." },
	{ .name = "expect.step",
		.type = XYLEM_OPTION_INTEGER,
		.offset = offsetof(struct route_test, expect.step),
		.default_value = "-1",
		.minimum = -1,
		.maximum = 1000,
		.since = "0.2",
		.summary = "The step that fails, from 1; 0 is the route's `where`." },
	XYLEM_OPTIONS_END,
};

/* --- What the tables cannot see --------------------------------------------------- */

static void outcome_check(
	const struct route_test *test, const struct tree_node *node, struct config_report *report)
{
	const char *outcome = test->expect.outcome;
	bool delivered = xylem_span_present(test->expect.data) || test->expect.data_text ||
			 xylem_span_present(test->expect.event) || xylem_span_present(test->expect.parts);
	bool failed = test->expect.code || test->expect.error || test->expect.step >= 0;
	if (outcome && strcmp(outcome, "delivered") != 0 && strcmp(outcome, "filtered") != 0 &&
		strcmp(outcome, "case") != 0 && strcmp(outcome, "not-taken") != 0) {
		report_error(report, tree_place(node), "`expect.outcome` is `%.40s`; write %s", outcome,
			outcomes_text);
	} else if (delivered && (failed || (outcome && strcmp(outcome, "delivered") != 0))) {
		report_error(report, tree_place(node),
			"`expect` has data and another outcome than `delivered`; remove one");
	} else if (failed && outcome && strcmp(outcome, "case") != 0) {
		report_error(report, tree_place(node),
			"`expect` has an error and another outcome than `case`; remove one");
	} else if (!delivered && !failed && !outcome) {
		report_error(report, tree_place(node),
			"`expect` is missing; write `expect: { data: ... }`, or `outcome`: %s",
			outcomes_text);
	}
}

static void shapes_check(
	const struct route_test *test, const struct tree_node *node, struct config_report *report)
{
	int sources = xylem_span_present(test->event.data) + (test->event.data_text != NULL) +
		      (test->event.data_file != NULL);
	int64_t now;
	if (sources > 1) {
		report_error(report, tree_place(node),
			"`event` has more than one of `data`, `data_text` and `data_file`; keep one");
	}
	if (xylem_span_present(test->expect.event) &&
		xylem_json_type(test->expect.event) != XYLEM_JSON_OBJECT) {
		report_error(report, tree_place(node),
			"`expect.event` is no mapping; write `expect.event: { type: ..., data: ... }`");
	}
	if (xylem_span_present(test->expect.parts) &&
		xylem_json_type(test->expect.parts) != XYLEM_JSON_ARRAY) {
		report_error(report, tree_place(node),
			"`expect.parts` is no list; write one mapping for each event that comes out");
	}
	if (test->now && clock_parse(test->now, strlen(test->now), &now) < 0) {
		report_error(report, tree_place(node),
			"`now` is no time; write one such as `2026-01-01T00:00:00Z`");
	}
}

/* --- The file ------------------------------------------------------------------------ */

/* `expect: filtered`, `expect: not-taken`: short for the outcome. */
static void expect_expand(struct xylem_arena *arena, const struct tree_node *test)
{
	for (size_t i = 0; test->kind == TREE_MAPPING && i < test->n; i++) {
		struct tree_member *member = &test->members[i];
		if (strcmp(member->key->text, "expect") != 0 || member->value->kind != TREE_SCALAR ||
			tree_empty(member->value)) {
			continue;
		}
		struct tree_node *mapping = xylem_arena_zero(arena, sizeof(*mapping));
		struct tree_node *key = tree_scalar_new(arena, member->value->file, "outcome");
		struct tree_member *inner = xylem_arena_zero(arena, sizeof(*inner));
		if (!mapping || !key || !inner) {
			return;
		}
		key->line = member->value->line;
		key->column = member->value->column;
		*inner = (struct tree_member){ key, member->value };
		*mapping = *member->value;
		mapping->kind = TREE_MAPPING;
		mapping->members = inner;
		mapping->n = 1;
		member->value = mapping;
	}
}

static void test_read(struct route_test_file *file, const struct tree_node *node, struct route_test *test,
	struct config_report *report)
{
	const struct fill fill = { .keep = &file->keep, .report = report, .subject = "test" };
	size_t before = report->errors;
	test->place = tree_place(node);
	expect_expand(file->keep.arena, node);
	config_fill(test_options, test, node, &fill);
	if (report->errors == before) {
		outcome_check(test, node, report);
		shapes_check(test, node, report);
	}
}

static int tests_read(
	struct route_test_file *file, const struct tree_node *root, struct config_report *report)
{
	const struct tree_node *list = tree_find(root, "tests");
	if (!list || list->kind != TREE_LIST || list->n == 0 || list->n > TESTS_MOST) {
		report_error(report, list ? tree_place(list) : (struct config_place){ file->path, 1, 1 },
			"`tests` is no list of 1 to %d tests, each with a dash", TESTS_MOST);
		return -XYLEM_E_INVALID;
	}
	file->tests = xylem_arena_zero(file->keep.arena, list->n * sizeof(*file->tests));
	if (!file->tests) {
		return -XYLEM_E_MEMORY;
	}
	file->n = list->n;
	for (size_t i = 0; i < list->n; i++) {
		test_read(file, list->items[i], &file->tests[i], report);
	}
	return report->errors ? -XYLEM_E_INVALID : 0;
}

static int tree_load(
	struct route_test_file *file, struct config_report *report, const struct tree_node **ret_root)
{
	struct xylem_reason reason;
	struct tree_node *root = NULL;
	struct tree_file *source = xylem_arena_zero(file->keep.arena, sizeof(*source));
	if (!source) {
		return -XYLEM_E_MEMORY;
	}
	source->name = file->path;
	source->variables = TREE_VARIABLES_NONE;
	source->folder = source_file_folder(file->keep.arena, file->path);
	int error = source_file_take(file->path, TREE_BYTES, file->keep.arena, &source->text, &reason);
	if (error) {
		report_error(report, (struct config_place){ file->path, 1, 1 }, "the file %s", reason.text);
		return -XYLEM_E_IO;
	}
	error = tree_read(source, file->keep.arena, report, &root);
	if (!error && !root) {
		report_error(report, (struct config_place){ file->path, 1, 1 },
			"the file is empty; write `config:` and `tests:`");
		error = -XYLEM_E_INVALID;
	}
	*ret_root = root;
	return error;
}

int route_test_file_init(struct route_test_file *file, const char *path, struct config_report *report)
{
	static const char *const elsewhere[] = { "tests", NULL };
	const struct tree_node *root = NULL;
	*file = (struct route_test_file){ .path = path };
	int error = keep_init(&file->keep, 0);
	if (!error) {
		error = tree_load(file, report, &root);
	}
	if (error) {
		return error;
	}
	const struct fill fill = {
		.keep = &file->keep, .report = report, .subject = "the file of tests", .elsewhere = elsewhere
	};
	error = config_fill(file_options, file, root, &fill);
	int of_tests = tests_read(file, root, report);
	return error ? error : of_tests;
}

void route_test_file_finish(struct route_test_file *file)
{
	keep_finish(&file->keep);
}
