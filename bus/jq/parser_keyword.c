/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What begins with a word of the language: `if`, `try`, `reduce` and `foreach`,
 * `label` and `break`.
 */
#include "jq/parser.h"

/* Behind `if` or `elif`: condition and branch. */
static struct jq_node *branch_read(struct jq_parser *parser, uint32_t offset)
{
	struct jq_node *condition = jq_pipe_read(parser);
	if (!condition || !jq_parser_expect(parser, TOKEN_THEN, "`then`")) {
		return NULL;
	}
	struct jq_node *branch = jq_pipe_read(parser);
	return branch ? jq_parser_make(parser, offset, NODE_IF, condition, branch) : NULL;
}

struct jq_node *jq_if_read(struct jq_parser *parser)
{
	struct jq_node *first = NULL, **slot = &first;
	do {
		uint32_t offset = jq_parser_here(parser);
		jq_parser_next(parser);
		*slot = branch_read(parser, offset);
		if (!*slot) {
			return NULL;
		}
		slot = &(*slot)->c;
	} while (jq_parser_token(parser) == TOKEN_ELIF);
	if (jq_parser_accept(parser, TOKEN_ELSE) && !(*slot = jq_pipe_read(parser))) {
		return NULL;
	}
	return jq_parser_expect(parser, TOKEN_FINISH, "`elif`, `else` or `end`") ? first : NULL;
}

/* What `try` tries: a term; behind a definition, a label or variables the rest of the pipe too. */
static struct jq_node *tried_read(struct jq_parser *parser)
{
	struct jq_node *made = jq_operation_read(parser, JQ_TIGHTEST), **slot = parser->pending;
	parser->pending = NULL;
	return made && slot && !(*slot = jq_pipe_read(parser)) ? NULL : made;
}

struct jq_node *jq_try_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	struct jq_node *made = jq_parser_make(parser, offset, NODE_TRY, tried_read(parser), NULL);
	if (made && made->a && jq_parser_accept(parser, TOKEN_CATCH) &&
		!(made->b = jq_operation_read(parser, JQ_TIGHTEST))) {
		return NULL;
	}
	return made && made->a ? made : NULL;
}

/* The source of `reduce` and `foreach`, with its variable; patterns beyond a variable in *ret_pattern. */
static struct jq_node *loop_head(
	struct jq_parser *parser, enum jq_node_kind kind, struct jq_pattern *ret_pattern)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	struct jq_node *source = jq_term_read(parser);
	if (!source || !jq_parser_expect(parser, TOKEN_AS, "`as`")) {
		return NULL;
	}
	struct jq_node *made = jq_parser_make(parser, offset, kind, source, NULL);
	if (!made || !jq_pattern_read_all(parser, ret_pattern)) {
		return NULL;
	}
	made->value = ret_pattern->variable;
	return jq_parser_expect(parser, '(', "`(`") ? made : NULL;
}

struct jq_node *jq_loop_read(struct jq_parser *parser, enum jq_node_kind kind)
{
	struct jq_pattern pattern;
	struct jq_node *made = loop_head(parser, kind, &pattern);
	if (!made || !(made->b = jq_pipe_read(parser)) || !jq_parser_expect(parser, ';', "`;`") ||
		!(made->c = jq_pattern_pipe(parser, &pattern))) {
		return NULL;
	}
	if (kind == NODE_FOREACH && jq_parser_accept(parser, ';') &&
		!(made->d = jq_pattern_pipe(parser, &pattern))) {
		return NULL;
	}
	return jq_parser_expect(parser, ')', kind == NODE_FOREACH ? "`;` or `)`" : "`)`") ? made : NULL;
}

struct jq_node *jq_label_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	if (jq_parser_token(parser) != TOKEN_VARIABLE) {
		return jq_parser_wrong(parser, "a label (`$name`)");
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_LABEL, parser->lexer.text);
	jq_parser_next(parser);
	if (!made || !jq_parser_expect(parser, '|', "`|` behind a label")) {
		return NULL;
	}
	parser->pending = &made->a;
	return made;
}

struct jq_node *jq_break_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	if (jq_parser_token(parser) != TOKEN_VARIABLE) {
		return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
			"break requires a label to break to");
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_BREAK, parser->lexer.text);
	jq_parser_next(parser);
	return made;
}
