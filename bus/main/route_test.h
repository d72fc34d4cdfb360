/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_ROUTE_TEST_H
#define MAIN_ROUTE_TEST_H

#include <config/config.h>
#include <config/keep.h>
#include <xylem/buffer.h>

/* Tests that users write beside their routes; docs/route-tests.md. */

/* What becomes of an event in a route. */
enum route_test_outcome {
	ROUTE_TEST_DELIVERED,
	ROUTE_TEST_FILTERED,
	ROUTE_TEST_CASE,
	ROUTE_TEST_NOT_TAKEN, /* from elsewhere */
};

struct route_test {
	const char *name, *route;
	int64_t step; /* only this one, from 1; 0: `where` and all steps */
	const char *now;
	struct {
		const char *id, *source, *type, *subject, *time, *datacontenttype, *dataschema, *key, *from;
		struct xylem_pairs extensions;
		struct xylem_span data; /* JSON */
		const char *data_text;
		const struct xylem_file *data_file;
	} event;
	struct {
		const char *outcome; /* NULL: DELIVERED, or CASE where an error is expected */
		struct xylem_span data;
		const char *data_text;
		struct xylem_span event; /* an object: the attributes to compare, `data` among them */
		struct xylem_span parts; /* a list of such objects */
		const char *code, *error;
		int64_t step; /* in which it fails, from 1; -1: not said */
	} expect;
	struct config_place place;
};

struct route_test_file {
	const char *path;
	struct keep keep;
	const char *config; /* path of the configuration */
	struct xylem_pairs environment;
	struct route_test *tests;
	size_t n;
};

/* Reads a file of tests. -XYLEM_E_INVALID with problems in the report; -XYLEM_E_IO when it cannot be read. */
int route_test_file_init(struct route_test_file *file, const char *path, struct config_report *report);
void route_test_file_finish(struct route_test_file *file);

/*
 * Runs one test over the routes of `view`. True: all is as expected; false:
 * `out` gets lines, indented by `indent`, that say what is not.
 */
bool route_test_run(const struct route_test *test, const struct config_view *view, const char *indent,
	struct xylem_buffer *out);

/* One result as JUnit has it. */
struct route_test_result {
	const struct route_test *test;
	bool passed;
	int64_t took_us;
	struct xylem_span text; /* why it failed */
};
/* A `<testsuite>`; `name`: the file. */
void route_test_junit_write(
	struct xylem_buffer *out, const char *name, const struct route_test_result *results, size_t n);
/* The same for a file whose tests could not be run: one error. */
void route_test_junit_broken(struct xylem_buffer *out, const char *name, struct xylem_span why);

#endif
