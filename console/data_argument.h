/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_DATA_ARGUMENT_H
#define CONSOLE_DATA_ARGUMENT_H

#include <xylem/arena.h>
#include <xylem/error.h>
#include <xylem/option.h>

/*
 * Data handed in by a person or program, in one of three notations: any JSON value as it
 * stands, text, base64.
 */
struct data_argument {
	struct xylem_span json;
	const char *text;
	const char *base64;
};

/* The rows of an options table for a `struct data_argument` member of the owner's struct. */
#define DATA_ARGUMENT_OPTIONS(owner, member)                                                                \
	{ .name = "data",                                                                                   \
		.type = XYLEM_OPTION_JSON,                                                                  \
		.offset = offsetof(owner, member) + offsetof(struct data_argument, json),                   \
		.since = "0.1",                                                                             \
		.summary = "The data as a JSON value; its bytes are kept as they stand.",                   \
		.example = "{\"order\": 17}" },                                                             \
		{ .name = "data_text",                                                                      \
			.type = XYLEM_OPTION_STRING,                                                        \
			.offset = offsetof(owner, member) + offsetof(struct data_argument, text),           \
			.since = "0.1",                                                                     \
			.summary = "The data as text, instead of `data`.",                                  \
			.example = "hello" },                                                               \
	{                                                                                                   \
		.name = "data_base64", .type = XYLEM_OPTION_STRING,                                         \
		.offset = offsetof(owner, member) + offsetof(struct data_argument, base64), .since = "0.1", \
		.summary = "The data as base64 (RFC 4648, 4), instead of `data`.", .example = "aGVsbG8="    \
	}

/*
 * The bytes; absent when none was given. -XYLEM_E_INVALID when two were, or base64 is none.
 * Borrows or is in the arena.
 */
int data_argument_read(const struct data_argument *payload, struct xylem_arena *arena,
	struct xylem_span *ret_data, struct xylem_reason *reason);

#endif
