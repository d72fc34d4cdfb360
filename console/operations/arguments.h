/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_OPERATIONS_ARGUMENTS_H
#define CONSOLE_OPERATIONS_ARGUMENTS_H

#include <console/operation.h>

/* Arguments that several operations have, as rows of their tables; `place` is the member's offset. */

/* A lane, a message, a case; the version of a case that a change was decided on. */
#define LANE_ARGUMENT(place)                                                                     \
	{                                                                                        \
		.name = "lane", .type = XYLEM_OPTION_STRING, .flags = XYLEM_OPTION_REQUIRED,     \
		.offset = (place), .since = "0.1", .summary = "The lane, as ROUTE/DESTINATION.", \
		.example = "orders/erp"                                                          \
	}
#define HANDLE_ARGUMENT(place)                                                                               \
	{                                                                                                    \
		.name = "handle", .type = XYLEM_OPTION_STRING, .flags = XYLEM_OPTION_REQUIRED,               \
		.offset = (place), .since = "0.1", .summary = "The message's handle: partition and offset.", \
		.example = "0-1234"                                                                          \
	}
#define CASE_ARGUMENT(place)                                                               \
	{                                                                                  \
		.name = "n", .type = XYLEM_OPTION_INTEGER, .flags = XYLEM_OPTION_REQUIRED, \
		.offset = (place), .minimum = 1, .maximum = INT64_MAX, .since = "0.1",     \
		.summary = "The number of the case.", .example = "7"                       \
	}
#define CASE_VERSION_ARGUMENT(place)                                                                       \
	{                                                                                                  \
		.name = "version", .type = XYLEM_OPTION_INTEGER, .flags = XYLEM_OPTION_REQUIRED,           \
		.offset = (place), .minimum = 0, .maximum = INT64_MAX, .since = "0.1",                     \
		.summary =                                                                                 \
			"The version of the case that the change was decided on; another one refuses it.", \
		.example = "1"                                                                             \
	}
/* Of lists with numbered rows: where a page begins, and how many `what` it has at the most. */
#define AFTER_ARGUMENT(place)                                                                           \
	{                                                                                               \
		.name = "after", .type = XYLEM_OPTION_INTEGER, .offset = (place), .default_value = "0", \
		.minimum = 0, .maximum = INT64_MAX, .since = "0.1",                                     \
		.summary = "The page after this one: `next` of the last answer."                        \
	}
#define LIMIT_ARGUMENT(place, what)                                                                      \
	{                                                                                                \
		.name = "limit", .type = XYLEM_OPTION_INTEGER, .offset = (place), .default_value = "50", \
		.minimum = 1, .maximum = 1000, .since = "0.1", .summary = "Most " what " on a page."     \
	}

#endif
