/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include <config/config.h>

#define REPORT_LIMIT 100 /* problems kept; later ones are only counted */

/*
 * Add a problem at a place: "what; what to do", without the place. The report
 * owns what it is given. No function here may be handed a secret's bytes.
 */
void report_error(struct config_report *report, struct config_place place, const char *format, ...)
	XYLEM_PRINTF(3, 4);
void report_warning(struct config_report *report, struct config_place place, const char *format, ...)
	XYLEM_PRINTF(3, 4);

/* The same about a program: `excerpt` is shown below it (lines, the last not ended); NULL: none. */
void report_program(struct config_report *report, struct config_place place, const char *excerpt,
	const char *format, ...) XYLEM_PRINTF(4, 5);

/* Sorts by file, line and column, errors and warnings together; what has one place keeps its order. */
void report_sort(struct config_report *report);

#endif
