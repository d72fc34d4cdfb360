/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_POINTER_H
#define JSON_POINTER_H

#include <xylem/json.h>

/* One reference token of RFC 6901, unescaped; and what it means to an array. */
struct json_token {
	struct xylem_span name;
	size_t index;  /* with `indexed` */
	bool indexed;  /* a plain decimal number without leading zeros */
	bool past_end; /* `-` */
};

struct xylem_json_pointer {
	size_t count;
	struct json_token tokens[]; /* their text stands behind the last */
};

/* The child a token names; absent if there is none. */
struct xylem_span json_token_get(const struct json_token *token, struct xylem_span parent);

/* Writes the pointer's first `count` tokens as RFC 6901 text. */
void json_pointer_write(const struct xylem_json_pointer *pointer, size_t count, struct xylem_buffer *out);

/* Appends `/name`, escaped as RFC 6901 asks. */
void json_pointer_write_token(struct xylem_buffer *out, struct xylem_span name);

#endif
