/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd check [--json] FILE: says what is wrong with a configuration, each
 * problem with file, line and column, without starting anything. Exit code 0
 * with warnings only, 1 with errors, 2 when it was not asked rightly.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

#include <config/config.h>
#include <main/commands.h>

static void text_print(const char *path, const struct config *config, const struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct config_problem *problem = &report->problems[i];
		printf("%s:%d:%d: %s%s\n", problem->place.file, problem->place.line, problem->place.column,
			problem->warning ? "warning: " : "", problem->text);
		if (problem->excerpt) {
			puts(problem->excerpt);
		}
	}
	size_t warnings = 0, errors = 0;
	for (size_t i = 0; i < report->n; i++) {
		warnings += report->problems[i].warning;
		errors += !report->problems[i].warning;
	}
	if (report->errors > errors) {
		printf("and %zu more\n", report->errors - errors);
	}
	if (config) {
		printf("%s: good, %zu warning%s, generation %.12s\n", path, warnings,
			warnings == 1 ? "" : "s", config_view(config)->generation);
	} else {
		printf("%s: %zu error%s, %zu warning%s\n", path, report->errors,
			report->errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	}
}

static void json_print(const struct config *config, const struct config_report *report)
{
	json_t *problems = json_array();
	for (size_t i = 0; i < report->n; i++) {
		const struct config_problem *problem = &report->problems[i];
		json_array_append_new(
			problems, json_pack("{s:s,s:i,s:i,s:s,s:s}", "file", problem->place.file, "line",
					  problem->place.line, "column", problem->place.column, "severity",
					  problem->warning ? "warning" : "error", "text", problem->text));
	}
	json_t *result = json_pack("{s:b,s:I,s:o,s:s?}", "ok", config != NULL, "errors",
		(json_int_t)report->errors, "problems", problems, "generation",
		config ? config_view(config)->generation : NULL);
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(result);
}

const char command_check_usage[] = "usage: xylemd check [--json] FILE\n"
				   "  --json  what is wrong, for programs\n";

static int usage(void)
{
	fputs(command_check_usage, stderr);
	return 2;
}

int command_check(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	bool json = false;
	int option;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'j') {
			return usage();
		}
		json = true;
	}
	if (optind + 1 != argc) {
		return usage();
	}
	struct config *config = NULL;
	struct config_report report = { 0 };
	int error = config_load(&config, argv[optind], &report);
	if (json) {
		json_print(config, &report);
	} else {
		text_print(argv[optind], config, &report);
	}
	config_report_finish(&report);
	config_unref(config);
	return error ? 1 : 0;
}
