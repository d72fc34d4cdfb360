/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrong configurations, each in wrong/NAME.yaml with what the report says in
 * NAME.txt. Run with XYLEM_UPDATE=1 to write the texts anew, and read the
 * difference before it is committed. No text may show the canary.
 */
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <config/config.h>

#include "kinds.h"

#define CANARY "canary-5a1f"

/* The text of a report, with the source's own folder taken out. */
static char *report_text(const struct config_report *report)
{
	struct xylem_buffer text = { 0 };
	const char *source = getenv("XYLEM_SOURCE");
	for (size_t i = 0; i < report->n; i++) {
		const struct config_problem *problem = &report->problems[i];
		const char *at = strstr(problem->text, source);
		xylem_buffer_format(&text, "%s:%d:%d: %s", problem->place.file, problem->place.line,
			problem->place.column, problem->warning ? "warning: " : "");
		if (at) {
			xylem_buffer_append(&text, problem->text, (size_t)(at - problem->text));
			xylem_buffer_format(&text, "SOURCE%s\n", at + strlen(source));
		} else {
			xylem_buffer_format(&text, "%s\n", problem->text);
		}
		if (problem->excerpt) {
			xylem_buffer_format(&text, "%s\n", problem->excerpt);
		}
	}
	return xylem_buffer_take(&text, NULL);
}

static char *file_text(const char *path)
{
	struct xylem_buffer text = { 0 };
	char piece[4096];
	size_t n;
	FILE *file = fopen(path, "r");
	while (file && (n = fread(piece, 1, sizeof(piece), file)) > 0) {
		xylem_buffer_append(&text, piece, n);
	}
	if (file) {
		fclose(file);
	}
	return xylem_buffer_take(&text, NULL);
}

static void compare(const char *path, const char *text)
{
	if (getenv("XYLEM_UPDATE")) {
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
		assert_int_equal(fclose(file), 0);
		return;
	}
	char *expected = file_text(path);
	if (!expected || strcmp(expected, text) != 0) {
		print_error("%s: got\n%s", path, text);
	}
	assert_non_null(expected);
	assert_string_equal(text, expected);
	free(expected);
}

static int yaml_only(const struct dirent *entry)
{
	return strstr(entry->d_name, ".yaml") != NULL;
}

static void each_says_what_and_where(void **state)
{
	struct dirent **entries;
	int n = scandir("wrong", &entries, yaml_only, alphasort);
	assert_true(n >= 30);
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX], expected[PATH_MAX];
		struct config *config = NULL;
		struct config_report report = { 0 };
		snprintf(path, sizeof(path), "wrong/%s", entries[i]->d_name);
		snprintf(expected, sizeof(expected), "%.*s.txt", (int)strlen(path) - 5, path);
		int error = config_load(&config, path, &report);
		assert_true(report.n > 0);
		assert_int_equal(error, report.errors ? -XYLEM_E_INVALID : 0);
		assert_true((config != NULL) == (report.errors == 0));
		char *text = report_text(&report);
		assert_null(strstr(text, CANARY));
		compare(expected, text);
		free(text);
		config_unref(config);
		config_report_finish(&report);
		free(entries[i]);
	}
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_says_what_and_where) };
	char folder[PATH_MAX];
	/* What modules this machine could build is not the question here. */
	setenv("XYLEM_PLUGINS", "/nonexistent", 1);
	snprintf(folder, sizeof(folder), "%s/tests/unit/config",
		getenv("XYLEM_SOURCE") ? getenv("XYLEM_SOURCE") : "");
	if (chdir(folder) != 0) {
		fprintf(stderr, "set XYLEM_SOURCE to the folder of the source\n");
		return 1;
	}
	setenv("CANARY", CANARY, 1);
	setenv("TOKEN_OF_TEST", "0123456789abcdef0123", 1);
	return cmocka_run_group_tests_name("config wrong", tests, NULL, NULL);
}
