/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd test [--junit FILE] [--only TEXT] FILE|FOLDER ...: runs the tests that
 * users write beside their routes (docs/route-tests.md), without a bus. A
 * folder stands for its files named *.test.yaml. Exit code 0: all passed; 1:
 * some did not; 2: a file could not be read, or it was not asked rightly.
 */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <base/clock.h>
#include <main/commands.h>
#include <main/route_test.h>

struct testing {
	const char *only; /* part of the names of the tests to run; NULL: all */
	size_t passed, failed;
	bool broken; /* a file could not be read */
	struct xylem_buffer junit;
};

static void problems_print(struct testing *testing, const char *path, struct config_report *report, int error)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	for (size_t i = 0; i < report->n; i++) {
		const struct config_problem *problem = &report->problems[i];
		if (!problem->warning) {
			xylem_buffer_format(&text, "%s:%d:%d: %s\n", problem->place.file, problem->place.line,
				problem->place.column, problem->text);
			xylem_buffer_format(&text, "%s%s", problem->excerpt ? problem->excerpt : "",
				problem->excerpt ? "\n" : "");
		}
	}
	fwrite(text.n ? text.bytes : "", 1, text.n, stderr);
	if (error) {
		route_test_junit_broken(&testing->junit, path, xylem_buffer_borrow(&text));
	}
	testing->broken |= error != 0;
	config_report_finish(report);
	*report = (struct config_report){ 0 };
}

static void result_print(const struct route_test *test, bool passed, const struct xylem_buffer *text)
{
	printf("%-5s %s:%d: ", passed ? "ok" : "FAIL", test->place.file, test->place.line);
	for (const char *c = test->name; *c; c++) {
		putchar((unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c);
	}
	putchar('\n');
	fwrite(text->n ? text->bytes : "", 1, text->n, stdout);
}

static void tests_run(
	struct testing *testing, const struct route_test_file *file, const struct config_view *view)
{
	struct route_test_result *results = calloc(file->n, sizeof(*results));
	struct xylem_buffer *texts = calloc(file->n, sizeof(*texts));
	size_t n = 0;
	for (size_t i = 0; results && texts && i < file->n; i++) {
		const struct route_test *test = &file->tests[i];
		if (testing->only && !strstr(test->name, testing->only)) {
			continue;
		}
		int64_t began = clock_mono_us();
		bool passed = route_test_run(test, view, "      ", &texts[n]);
		result_print(test, passed, &texts[n]);
		results[n] = (struct route_test_result){ test, passed, clock_mono_us() - began,
			xylem_buffer_borrow(&texts[n]) };
		testing->passed += passed;
		testing->failed += !passed;
		n++;
	}
	testing->broken |= !results || !texts;
	route_test_junit_write(&testing->junit, file->path, results, n);
	for (size_t i = 0; texts && i < n; i++) {
		xylem_buffer_finish(&texts[i]);
	}
	free(texts);
	free(results);
}

/* --- The environment of one file ------------------------------------------------ */

/* Sets the variables; what they were before goes to `before` (NULL: not set). */
static void environment_set(const struct xylem_pairs *variables, char **before)
{
	for (size_t i = 0; i < variables->n; i++) {
		const char *value = getenv(variables->items[i].name);
		before[i] = value ? strdup(value) : NULL;
		setenv(variables->items[i].name, variables->items[i].value, 1);
	}
}

static void environment_restore(const struct xylem_pairs *variables, char **before)
{
	for (size_t i = variables->n; i-- > 0;) {
		if (before[i]) {
			setenv(variables->items[i].name, before[i], 1);
		} else {
			unsetenv(variables->items[i].name);
		}
		free(before[i]);
	}
}

/* --- Files and folders ------------------------------------------------------------ */

static void file_run(struct testing *testing, const char *path)
{
	struct route_test_file file;
	struct config_report report = { 0 };
	struct config *config = NULL;
	int error = route_test_file_init(&file, path, &report);
	char **before = error ? NULL : calloc(file.environment.n + 1, sizeof(*before));
	problems_print(testing, path, &report, error);
	testing->broken |= !before;
	if (before) {
		environment_set(&file.environment, before);
		error = config_load_routes(&config, file.config, &report);
		problems_print(testing, path, &report, error);
	}
	if (before && !error) {
		tests_run(testing, &file, config_view(config));
	}
	if (before) {
		environment_restore(&file.environment, before);
	}
	free(before);
	config_unref(config);
	route_test_file_finish(&file);
}

static int entry_chosen(const struct dirent *entry)
{
	static const char end[] = ".test.yaml";
	size_t n = strlen(entry->d_name);
	return n > sizeof(end) - 1 && strcmp(entry->d_name + n - sizeof(end) + 1, end) == 0;
}

static void folder_run(struct testing *testing, const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, entry_chosen, alphasort);
	if (n < 0) {
		fprintf(stderr, "xylemd test: the folder %s cannot be read\n", path);
		testing->broken = true;
	}
	for (int i = 0; i < n; i++) {
		XYLEM_BUFFER_SCOPED name = { 0 };
		xylem_buffer_format(&name, "%s/%s", path, entries[i]->d_name);
		xylem_buffer_byte(&name, '\0');
		if (!name.failed) {
			file_run(testing, name.bytes);
		}
		free(entries[i]);
	}
	free(n >= 0 ? entries : NULL);
}

static bool junit_write(struct testing *testing, const char *path)
{
	FILE *out = fopen(path, "we");
	if (!out) {
		fprintf(stderr, "xylemd test: %s cannot be written\n", path);
		return false;
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	fwrite(testing->junit.n ? testing->junit.bytes : "", 1, testing->junit.n, out);
	fputs("</testsuites>\n", out);
	return fclose(out) == 0;
}

const char command_test_usage[] = "usage: xylemd test [--junit FILE] [--only TEXT] FILE|FOLDER ...\n"
				  "  --junit FILE  writes the results as JUnit XML\n"
				  "  --only TEXT   runs the tests with TEXT in their name\n";

static int usage(void)
{
	fputs(command_test_usage, stderr);
	return 2;
}

static int end(struct testing *testing, const char *junit)
{
	if (testing->passed + testing->failed == 0 && !testing->broken) {
		fprintf(stderr, "xylemd test: there is no test%s%s%s\n", testing->only ? " with \"" : "",
			testing->only ? testing->only : "", testing->only ? "\" in its name" : "");
		testing->broken = true;
	}
	printf("%zu passed, %zu failed\n", testing->passed, testing->failed);
	testing->broken |= junit && !junit_write(testing, junit);
	xylem_buffer_finish(&testing->junit);
	return testing->broken ? 2 : testing->failed ? 1 : 0;
}

int command_test(int argc, char **argv)
{
	static const struct option options[] = { { "junit", required_argument, NULL, 'j' },
		{ "only", required_argument, NULL, 'o' }, { NULL, 0, NULL, 0 } };
	struct testing testing = { .only = NULL };
	const char *junit = NULL;
	int option;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?') {
			return usage();
		}
		*(option == 'j' ? &junit : &testing.only) = optarg;
	}
	if (optind == argc) {
		return usage();
	}
	for (int i = optind; i < argc; i++) {
		struct stat status;
		if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode)) {
			folder_run(&testing, argv[i]);
		} else {
			file_run(&testing, argv[i]);
		}
	}
	return end(&testing, junit);
}
