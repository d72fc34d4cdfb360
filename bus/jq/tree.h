/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_TREE_H
#define JQ_TREE_H

#include "jq/builtin.h"
#include "jq/jq.h"

/* A program as the parser makes it and the machine walks it. For this room alone. */

enum jq_node_kind {
	NODE_IDENTITY,
	NODE_CONSTANT, /* value */
	NODE_FIELD,    /* a | .value */
	NODE_INDEX,    /* a | .[b] */
	NODE_SLICE,    /* a | .[b:c], either may be NULL */
	NODE_ITERATE,  /* a | .[] */
	NODE_PIPE,
	NODE_COMMA,
	NODE_NEGATE,
	NODE_BINARY, /* a op b */
	NODE_AND,
	NODE_OR,
	NODE_ALTERNATIVE, /* a // b */
	NODE_IF,          /* if a then b else c, c may be NULL */
	NODE_TRY,         /* try a catch b, b may be NULL */
	NODE_REDUCE,      /* reduce a as $ (b; c) */
	NODE_FOREACH,     /* foreach a as $ (b; c; d), d may be NULL */
	NODE_BIND,        /* a as $value | b */
	NODE_DESTRUCTURE, /* list: what is tried one after the other on a */
	NODE_VARIABLE,
	NODE_CALL,      /* before names are resolved: value(list) */
	NODE_ARRAY,     /* [a], a may be NULL */
	NODE_OBJECT,    /* list: key, value, key, value ... */
	NODE_STRING,    /* list: parts, each a string already */
	NODE_FORMAT,    /* a | @value */
	NODE_ASSIGN,    /* a = b */
	NODE_UPDATE,    /* a |= b */
	NODE_CALCULATE, /* a op= b */
	NODE_LABEL,     /* label $value | a */
	NODE_BREAK,
	NODE_DEFINE, /* def; a */
	/* What names become. */
	NODE_CLOSURE, /* an argument, called */
	NODE_INVOKE,  /* a definition, called: list */
	NODE_BUILTIN, /* a function in C: list */
	NODE_EMPTY,
	NODE_ERROR, /* error(a) */
	NODE_NOT,
	NODE_SELECT,
	NODE_RECURSE, /* recurse(a; b), b may be NULL */
	NODE_PATH,
	NODE_GETPATH,
	NODE_DELETE,
	NODE_FIRST,
	NODE_LAST,
	NODE_LIMIT, /* limit(a; b) */
	NODE_SKIP,
	NODE_UNTIL, /* until(a; b) */
	NODE_WHILE,
	NODE_REPEAT,
	NODE_RANGE, /* range(a; b; c), c may be NULL */
	NODE_ANY,   /* any(a; b) */
	NODE_ALL,
	NODE_ISEMPTY,
	NODE_SORTED, /* op(a): an array by the keys that a gives for each element */
	NODE_ADD,    /* add(a) */
	NODE_DATA,   /* a | .value, the event's payload, checked when it is reached: payload.c */
	NODE_WORLD,  /* what only an impure program has: op */
	NODE_KINDS,
};

enum jq_sorted { SORTED_SORT, SORTED_GROUP, SORTED_UNIQUE, SORTED_MIN, SORTED_MAX };

enum jq_world_op {
	WORLD_INPUT,
	WORLD_DEBUG,
	WORLD_STDERR,
	WORLD_ENV,
	WORLD_FILE,
	WORLD_LINE,
	WORLD_HALT,
	WORLD_HALT_ERROR, /* a: the exit status */
};

enum jq_operator {
	OPERATOR_ADD,
	OPERATOR_SUBTRACT,
	OPERATOR_MULTIPLY,
	OPERATOR_DIVIDE,
	OPERATOR_MODULO,
	OPERATOR_EQUAL,
	OPERATOR_UNEQUAL,
	OPERATOR_LESS,
	OPERATOR_LESS_EQUAL,
	OPERATOR_GREATER,
	OPERATOR_GREATER_EQUAL,
	OPERATOR_ALTERNATIVE, /* of `//=` only */
};

/* How many results an expression has. */
enum jq_outputs { OUTPUTS_ONE, OUTPUTS_MAYBE, OUTPUTS_MANY };

struct jq_source {
	const char *file;
	struct xylem_span text;
};

struct jq_action;

/* `.a.b.c` of what stands before it. */
struct jq_field {
	const char *name;
	size_t n;
	const struct jq_node *node;
};
struct jq_fields {
	const struct jq_node *base; /* NULL: the input */
	uint32_t n;
	struct jq_field fields[];
};

/* An OBJECT of paths: the names that they begin with (evaluate_record.c). */
enum { JQ_RECORD_NAMES = 64 };
struct jq_record_slot {
	const char *name; /* NULL: free */
	uint32_t n, index;
};
struct jq_record {
	struct jq_record_slot *slots; /* by hash */
	uint32_t mask, shift;
	uint32_t n;  /* names */
	uint8_t *of; /* for each value its name's index, JQ_RECORD_NAMES where it is no path */
};

struct jq_node {
	const struct jq_action *action;
	uint8_t kind, outputs, op;
	bool optional;     /* `?` behind it: its own error is no error */
	uint32_t distance; /* cells to pass over: to the variable, to what surrounds a definition */
	uint32_t count;    /* of list */
	uint32_t offset;   /* in the source */
	struct jq_node *a, *b, *c, *d;
	struct jq_node **list;
	struct jq_value value;
	const struct jq_record *record; /* of an OBJECT, where it has one */
	const struct jq_fields *fields; /* of a FIELD, where it ends a path that is not long (shape.c) */
	uint8_t height; /* expressions within each other, where they are few and none is a call (shape.c); or 0 */
	union {
		const struct jq_builtin *builtin;
		jq_format *format;
		struct jq_definition_node *definition;
		struct jq_parameter *parameter; /* of a CLOSURE */
	};
	const struct jq_source *source;
	struct jq_node *made_before; /* all nodes of a program, for passes that need no order */
};

struct jq_parameter {
	struct xylem_span name; /* without the dollar sign */
	bool value;             /* `$name` */
	bool called;            /* ... and also called as a function */
	uint8_t outputs;        /* of all that is given for it */
};

struct jq_definition_node {
	struct xylem_span name;
	struct jq_parameter *parameters;
	uint32_t parameter_count;
	uint32_t depth; /* cells around it */
	struct jq_node *body;
	struct jq_definition_node *next; /* of a module's; of those parsed from the library */
};

enum {
	JQ_NESTING = 200,  /* parentheses within parentheses */
	JQ_NODES = 100000, /* of one program, with what it uses of the library */
	JQ_PARAMETERS = 32,
	JQ_PROGRAM_SIZE = 1024 * 1024,
};

/* What is being made of a program's texts. */
struct jq_tree {
	struct xylem_arena *arena;
	const struct jq_options *options;
	struct jq_node *last; /* made */
	uint32_t node_count;
	uint32_t hidden;       /* variables without a name so far */
	struct jq_place place; /* of the first error */
	bool failed;
	struct xylem_reason *reason;
	struct jq_definition_node *library; /* parsed so far */
	struct jq_module *modules;          /* read so far */
};

/* One text: modules that it asks for, definitions, and an expression (NULL in a module of definitions only). */
struct jq_import {
	struct xylem_span name;
	struct xylem_span alias; /* without dollar sign; absent: include */
	bool data;
	uint32_t offset;
	struct jq_import *next;
};
struct jq_unit {
	const struct jq_source *source;
	struct jq_import *imports;
	struct jq_node *
		root; /* with its definitions as DEFINE nodes; the innermost `a` is NULL without expression */
	struct jq_node *metadata;
};

struct jq_node *jq_node_new(
	struct jq_tree *tree, const struct jq_source *source, uint32_t offset, enum jq_node_kind kind);

/* The first error counts. Returns NULL. */
void *jq_tree_fail(struct jq_tree *tree, const struct jq_source *source, uint32_t offset, const char *format,
	...) XYLEM_PRINTF(4, 5);

bool jq_parse(struct jq_tree *tree, const struct jq_source *source, struct jq_unit *ret_unit);
/* Names to places and functions. NULL when the tree failed. */
struct jq_node *jq_resolve(struct jq_tree *tree, const struct jq_unit *unit);
/* How many results each node has. */
void jq_outputs_find(struct jq_tree *tree);
/* payload.c: how an expression over the event (NULL: the event itself) looks at its payload. */
enum jq_payload {
	PAYLOAD_WHOLE,   /* with everything else: it is checked before the run */
	PAYLOAD_BY_NAME, /* as `.data` only, by nodes that are NODE_DATA now and check it */
	PAYLOAD_UNSEEN,
};
/* Of the event's attributes those that it names, unless it is WHOLE: bits in the order of attribute_table, and */
enum { JQ_NAMES_SPECVERSION = 1 << 30, JQ_NAMES_EXTENSIONS = 1 << 29 };
enum jq_payload jq_payload_find(struct jq_node *node, uint32_t *names);
/* What the machine calls for each node. */
void jq_actions_set(struct jq_tree *tree);
/* shape.c: what can be evaluated at once; when everything else is known. */
bool jq_shapes_find(struct jq_tree *tree);

/* Line and column, both from 1; columns count characters. */
struct jq_place jq_place_of(const struct jq_source *source, uint32_t offset);

#endif
