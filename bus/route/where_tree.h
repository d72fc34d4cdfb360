/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_WHERE_TREE_H
#define ROUTE_WHERE_TREE_H

#include <xylem/arena.h>
#include <xylem/json.h>
#include <xylem/message.h>

/* What the parser of `where` makes and its evaluator walks. Private to the three where*.c. */
enum where_kind {
	WHERE_IDENTITY,    /* . */
	WHERE_LITERAL,     /* `value` */
	WHERE_FIELD,       /* left.name */
	WHERE_INDEX,       /* left[index] */
	WHERE_PIPE,        /* left | right */
	WHERE_ALTERNATIVE, /* left // right */
	WHERE_OR,
	WHERE_AND,
	WHERE_EQUAL,
	WHERE_UNEQUAL,
	WHERE_LESS,
	WHERE_LESS_EQUAL,
	WHERE_GREATER,
	WHERE_GREATER_EQUAL,
	WHERE_NOT,
	WHERE_LENGTH,
	WHERE_TYPE,
	WHERE_HAS,        /* of `value`, a string or an index */
	WHERE_STARTSWITH, /* `value` is a string */
	WHERE_ENDSWITH,
	WHERE_CONTAINS,
	WHERE_IN,   /* the literals of the list `left` */
	WHERE_LIST, /* literal `value`, then the list `right` */
};

enum where_form {
	WHERE_EMPTY,  /* no value at all, as jq's `empty` */
	WHERE_JSON,   /* JSON text */
	WHERE_STRING, /* a string by its bytes */
	WHERE_EVENT,  /* the event itself, not written out */
};

struct where_value {
	enum where_form form;
	struct xylem_span text;
};

struct where_node {
	enum where_kind kind;
	bool optional; /* of FIELD and INDEX: no value instead of an error */
	unsigned depth;
	const struct where_node *left, *right;
	struct where_value value;
	struct xylem_span name;
	int64_t index;
};

/* How deep expressions nest, which bounds the stack of parser and evaluator, and how long they are. */
#define WHERE_DEPTH_MAX 100
#define WHERE_BYTES_MAX 16384

int where_parse(struct xylem_span text, struct xylem_arena *arena, const struct where_node **ret_root,
	size_t *ret_offset, struct xylem_reason *reason);

/* *ret_truth: of its one value; false for none. */
int where_evaluate(const struct where_node *root, const struct xylem_message *message,
	struct xylem_arena *arena, bool *ret_truth, struct xylem_reason *reason);

#endif
