/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <jansson.h>

#include <config/config.h>
#include <xylem/arena.h>
#include <xylem/span.h>

/*
 * YAML as a tree in which every node knows its file, line and column. A strict
 * subset: one document, no tags, no merge keys, no doubled keys, keys are
 * scalars, aliases and everything else within the limits below.
 */
#define TREE_DEPTH 64                /* mappings and lists inside each other */
#define TREE_ALIASES 100             /* `*name` in one file */
#define TREE_NODES 200000            /* in one file, aliases counted as what they stand for */
#define TREE_BYTES (4 * 1024 * 1024) /* of one file */

/* What `${VAR}` is in a file. */
enum tree_variables {
	TREE_VARIABLES,       /* replaced; an error where VAR is not set */
	TREE_VARIABLES_STAND, /* replaced where all of a scalar's are set; others stand for themselves */
	TREE_VARIABLES_NONE,  /* text like any other */
};

struct tree_file {
	const char *name;       /* as the user named it */
	const char *folder;     /* absolute; relative paths in the file start here */
	unsigned number;        /* files are read in this order */
	struct xylem_span text; /* valid as long as the tree */
	enum tree_variables variables;
};

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAPPING };
enum tree_style { TREE_PLAIN, TREE_SINGLE_QUOTED, TREE_DOUBLE_QUOTED, TREE_LITERAL, TREE_FOLDED };

struct tree_node {
	enum tree_kind kind;
	enum tree_style style; /* of scalars */
	bool interpolated;     /* `${...}` was replaced in it; `raw` is what the file says */
	bool unset;            /* a variable in it could not be replaced, which was reported */
	const struct tree_file *file;
	int line, column; /* from 1, in characters */
	const char *text; /* scalars: terminated, valid UTF-8 without NUL */
	const char *raw;
	size_t n; /* scalars: bytes of text; lists and mappings: how many */
	struct tree_node **items;
	struct tree_member *members;
	size_t weight; /* nodes in it, itself included */
};

struct tree_member {
	struct tree_node *key; /* a scalar */
	struct tree_node *value;
};

/*
 * Reads one file's text. *ret_root is NULL for a file without content. All
 * memory is the arena's. Problems go to the report; -XYLEM_E_INVALID when the
 * tree cannot be used, 0 otherwise (problems with single scalars are reported
 * and the tree is there, so that more can be checked).
 */
int tree_read(const struct tree_file *file, struct xylem_arena *arena, struct config_report *report,
	struct tree_node **ret_root);

/* Nodes that stand for themselves: defaults of options and arguments of operations. NULL: no memory. */
struct tree_node *tree_scalar_new(struct xylem_arena *arena, const struct tree_file *file, const char *text);
/* A JSON value as a tree, for filling options from it. Depth at most TREE_DEPTH; NULL: deeper, or no memory. */
struct tree_node *tree_json_new(struct xylem_arena *arena, const struct tree_file *file, const json_t *json);

struct config_place tree_place(const struct tree_node *node);
/* The place of a byte of a scalar's text, mapped back through quotes and block indentation. */
struct config_place tree_place_inside(const struct tree_node *node, size_t offset);

/* Member of a mapping; NULL if there is none, or for another kind of node. */
struct tree_node *tree_find(const struct tree_node *mapping, const char *name);
/* Nothing was written: absent, or a plain scalar that is empty, `~` or `null`. */
bool tree_empty(const struct tree_node *node);
const char *tree_kind_name(const struct tree_node *node); /* "a list", "a mapping", "text", "nothing" */

/* What the file says, for a message: raw, cut, control characters as `?`, in back-quotes. */
#define TREE_QUOTE_SIZE 96
const char *tree_quote(const struct tree_node *node, char text[TREE_QUOTE_SIZE]);

#endif
