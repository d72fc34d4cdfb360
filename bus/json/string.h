/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_STRING_H
#define JSON_STRING_H

#include <xylem/json.h>

/* A string value as a row of unescaped pieces; `piece` is valid until the next call. No memory is taken. */
struct json_pieces {
	const char *at, *end;
	struct xylem_span piece;
	char decoded[4];
};
struct json_pieces json_pieces_over(struct xylem_span value);
bool json_pieces_next(struct json_pieces *pieces);

/* Orders two string values by the code points of their unescaped text: -1, 0, 1. */
int json_string_order(struct xylem_span a, struct xylem_span b);

/* Code points of a string value, unescaped. */
size_t json_string_count(struct xylem_span value);

#endif
