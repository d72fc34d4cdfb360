/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_PARSER_H
#define JQ_PARSER_H

#include "jq/lexer.h"
#include "jq/tree.h"

/* What the files of the parser share. */

enum { JQ_PRODUCT = 7, JQ_TIGHTEST = 100 }; /* ranks of operators */

struct jq_enclosing {
	struct jq_enclosing *outer;
	struct jq_definition_node *definition;
};

struct jq_parser {
	struct jq_tree *tree;
	const struct jq_source *source;
	struct jq_lexer lexer;
	size_t depth;
	struct jq_node **pending;    /* where the rest of the pipe belongs: behind `as ... |` */
	struct jq_enclosing *bodies; /* of definitions, that are being read */
};

static inline void jq_parser_next(struct jq_parser *parser)
{
	jq_lexer_next(&parser->lexer);
}

static inline int jq_parser_token(const struct jq_parser *parser)
{
	return parser->lexer.token;
}

/* parser.c. All give NULL (or false) once the tree failed. */
uint32_t jq_parser_here(const struct jq_parser *parser);
void *jq_parser_wrong(struct jq_parser *parser, const char *expected);
bool jq_parser_accept(struct jq_parser *parser, int token);
bool jq_parser_expect(struct jq_parser *parser, int token, const char *name);
bool jq_parser_deeper(struct jq_parser *parser); /* one more level; false: too many */
struct jq_node *jq_parser_make(struct jq_parser *parser, uint32_t offset, enum jq_node_kind kind,
	struct jq_node *a, struct jq_node *b);
struct jq_node *jq_parser_named(
	struct jq_parser *parser, uint32_t offset, enum jq_node_kind kind, struct xylem_span name);
struct jq_node *jq_parser_identity(struct jq_parser *parser);
struct jq_node *jq_parser_constant(struct jq_parser *parser, uint32_t offset, struct jq_value value);

struct jq_list {
	struct jq_node **items;
	uint32_t n, room;
};
bool jq_list_add(struct jq_parser *parser, struct jq_list *list, struct jq_node *item);
struct jq_node *jq_list_give(struct jq_node *node, const struct jq_list *list);

/* parser_operator.c */
struct jq_node *jq_pipe_read(struct jq_parser *parser);
struct jq_node *jq_pipe_without_commas(struct jq_parser *parser);
/* Operands and operators of at least this rank. */
struct jq_node *jq_operation_read(struct jq_parser *parser, int lowest);

/* parser_term.c */
struct jq_node *jq_term_read(struct jq_parser *parser);

/* parser_keyword.c: each at its word */
struct jq_node *jq_if_read(struct jq_parser *parser);
struct jq_node *jq_try_read(struct jq_parser *parser);
struct jq_node *jq_loop_read(struct jq_parser *parser, enum jq_node_kind kind);
struct jq_node *jq_label_read(struct jq_parser *parser); /* the rest of the pipe is pending */
struct jq_node *jq_break_read(struct jq_parser *parser);

/* parser_definition.c */
struct jq_node *jq_definition_read(
	struct jq_parser *parser);                      /* `def` to its `;`; what follows goes into `a` */
struct jq_node *jq_name_read(struct jq_parser *parser); /* a call, or null, true, false */

/* parser_literal.c */
struct jq_node *jq_number_literal(struct jq_parser *parser);
struct jq_node *jq_string_literal(struct jq_parser *parser); /* at a quote or a format */
struct jq_node *jq_object_literal(struct jq_parser *parser);
struct jq_node *jq_array_literal(struct jq_parser *parser);
struct jq_node *jq_location(struct jq_parser *parser, uint32_t offset);
struct jq_node *jq_field_literal(struct jq_parser *parser, uint32_t offset, struct xylem_span name);

/* parser_pattern.c: a pattern behind `as` */
struct jq_step;
struct jq_pattern {
	struct jq_lexer start;
	struct jq_value variable;   /* that the whole goes into */
	struct jq_step *steps;      /* variables that are taken from others, in order */
	struct jq_pattern *choices; /* several between `?//`; then there are no steps */
	uint32_t count;             /* of the choices; 0: it is one pattern */
};
bool jq_pattern_read_all(struct jq_parser *parser, struct jq_pattern *ret_pattern);
/* The steps as nested BIND nodes; *ret_slot is where what sees the variables belongs. */
struct jq_node *jq_pattern_chain(
	struct jq_parser *parser, const struct jq_pattern *pattern, struct jq_node ***ret_slot);
/* Reads a pipe within the pattern's variables, of the variable. The pattern is read again: nodes stand in one place only. */
struct jq_node *jq_pattern_pipe(struct jq_parser *parser, const struct jq_pattern *pattern);
/* The same for several choices, of what the source gives; at the pipe. */
struct jq_node *jq_pattern_choice(
	struct jq_parser *parser, struct jq_node *source, const struct jq_pattern *pattern);

#endif
