/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The problems of a configuration. All are collected, so that one reading of
 * the report repairs the file; after a hundred they are only counted. The
 * report outlives the configuration that it speaks of, therefore it owns the
 * file names in its places.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <config/report.h>

void config_report_finish(struct config_report *report)
{
	if (!report) {
		return;
	}
	for (size_t i = 0; i < report->n; i++) {
		free((void *)(uintptr_t)report->problems[i].place.file);
		free(report->problems[i].excerpt);
	}
	free(report->problems);
	*report = (struct config_report){ 0 };
}

static struct config_problem *problem_add(struct config_report *report, struct config_place place)
{
	if (report->n == REPORT_LIMIT) {
		return NULL;
	}
	if (!report->problems) {
		report->problems = calloc(REPORT_LIMIT, sizeof(*report->problems));
		if (!report->problems) {
			return NULL;
		}
	}
	struct config_problem *problem = &report->problems[report->n++];
	problem->place = place;
	problem->place.file = strdup(place.file ? place.file : "");
	return problem;
}

static XYLEM_PRINTF(2, 0) void problem_text(
	struct config_problem *problem, const char *format, va_list arguments)
{
	struct xylem_reason reason;
	char text[2 * sizeof(problem->text)];
	vsnprintf(text, sizeof(text), format, arguments);
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			*at = ' '; /* a problem is one line, and no terminal obeys it */
		}
	}
	xylem_reason_set(&reason, "%s", text); /* cuts at a whole character */
	memcpy(problem->text, reason.text, sizeof(problem->text));
}

void report_error(struct config_report *report, struct config_place place, const char *format, ...)
{
	report->errors++;
	struct config_problem *problem = problem_add(report, place);
	if (problem) {
		va_list arguments;
		va_start(arguments, format);
		problem_text(problem, format, arguments);
		va_end(arguments);
	}
}

void report_warning(struct config_report *report, struct config_place place, const char *format, ...)
{
	struct config_problem *problem = problem_add(report, place);
	if (problem) {
		va_list arguments;
		va_start(arguments, format);
		problem->warning = true;
		problem_text(problem, format, arguments);
		va_end(arguments);
	}
}

static char *excerpt_copy(const char *lines)
{
	char *copy = strdup(lines);
	for (char *at = copy; at && *at; at++) {
		if (*at != '\n' && *at != '\t' && ((unsigned char)*at < ' ' || *at == 0x7f)) {
			*at = ' ';
		}
	}
	return copy;
}

void report_program(
	struct config_report *report, struct config_place place, const char *excerpt, const char *format, ...)
{
	report->errors++;
	struct config_problem *problem = problem_add(report, place);
	if (problem) {
		va_list arguments;
		va_start(arguments, format);
		problem_text(problem, format, arguments);
		va_end(arguments);
		problem->excerpt = excerpt ? excerpt_copy(excerpt) : NULL;
	}
}

static int place_compare(const struct config_place *a, const struct config_place *b)
{
	int by_file = strcmp(a->file ? a->file : "", b->file ? b->file : "");
	if (by_file) {
		return by_file;
	}
	return a->line != b->line ? a->line - b->line : a->column - b->column;
}

/* Insertion: at most a hundred, nearly sorted, and stable. */
void report_sort(struct config_report *report)
{
	for (size_t i = 1; i < report->n; i++) {
		struct config_problem moved = report->problems[i];
		size_t at = i;
		while (at && place_compare(&report->problems[at - 1].place, &moved.place) > 0) {
			report->problems[at] = report->problems[at - 1];
			at--;
		}
		report->problems[at] = moved;
	}
}
