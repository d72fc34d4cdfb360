/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terms: what an operator stands between, with the fields, brackets and question
 * marks behind it.
 */
#include "jq/parser.h"

static struct jq_node *variable_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct xylem_span name = parser->lexer.text;
	jq_parser_next(parser);
	return xylem_span_is(name, "__loc__") ? jq_location(parser, offset)
					      : jq_parser_named(parser, offset, NODE_VARIABLE, name);
}

/* A point that is no field: `.`, `."name"`, `.[...]`. */
static struct jq_node *point_read(struct jq_parser *parser)
{
	struct jq_node *made = jq_parser_identity(parser);
	jq_parser_next(parser);
	if (made && (jq_parser_token(parser) == '"' || jq_parser_token(parser) == TOKEN_FORMAT)) {
		uint32_t offset = jq_parser_here(parser);
		struct jq_node *key = jq_string_literal(parser);
		return key ? jq_parser_make(parser, offset, NODE_INDEX, made, key) : NULL;
	}
	return made;
}

static struct jq_node *parentheses_read(struct jq_parser *parser)
{
	jq_parser_next(parser);
	struct jq_node *inner = jq_pipe_read(parser);
	return inner && jq_parser_expect(parser, ')', "`)`") ? inner : NULL;
}

static struct jq_node *first_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct jq_node *made;
	switch (jq_parser_token(parser)) {
	case TOKEN_NUMBER:
		return jq_number_literal(parser);
	case '"':
	case TOKEN_FORMAT:
		return jq_string_literal(parser);
	case '.':
		return point_read(parser);
	case TOKEN_FIELD:
		made = jq_field_literal(parser, offset, parser->lexer.text);
		jq_parser_next(parser);
		return made;
	case TOKEN_RECURSE:
		jq_parser_next(parser);
		return jq_parser_named(parser, offset, NODE_CALL, XYLEM_SPAN_LITERAL("recurse"));
	case TOKEN_VARIABLE:
		return variable_read(parser);
	case TOKEN_NAME:
		return jq_name_read(parser);
	case '(':
		return parentheses_read(parser);
	case '[':
		return jq_array_literal(parser);
	case '{':
		return jq_object_literal(parser);
	case TOKEN_IF:
		return jq_if_read(parser);
	case TOKEN_REDUCE:
		return jq_loop_read(parser, NODE_REDUCE);
	case TOKEN_FOREACH:
		return jq_loop_read(parser, NODE_FOREACH);
	case TOKEN_BREAK:
		return jq_break_read(parser);
	default:
		return jq_parser_wrong(parser, "an expression");
	}
}

/* Behind `[`: index, slice or iteration of `term`. */
static struct jq_node *bracket_read(struct jq_parser *parser, struct jq_node *term)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	if (jq_parser_accept(parser, ']')) {
		return jq_parser_make(parser, offset, NODE_ITERATE, term, NULL);
	}
	struct jq_node *from = jq_parser_token(parser) == ':' ? NULL : jq_pipe_read(parser), *to = NULL;
	if (!from && jq_parser_token(parser) != ':') {
		return NULL;
	}
	if (jq_parser_accept(parser, ']')) {
		return jq_parser_make(parser, offset, NODE_INDEX, term, from);
	}
	if (!jq_parser_expect(parser, ':', "`]` or `:`")) {
		return NULL;
	}
	if (jq_parser_token(parser) != ']' && !(to = jq_pipe_read(parser))) {
		return NULL;
	}
	if (!from && !to) {
		return jq_parser_wrong(parser, "a bound of the slice");
	}
	struct jq_node *made = jq_parser_make(parser, offset, NODE_SLICE, term, from);
	if (made) {
		made->c = to;
	}
	return jq_parser_expect(parser, ']', "`]`") ? made : NULL;
}

/*
 * `?` behind a part of a path hides that part's error only; behind anything else, and behind
 * parentheses (`grouped`), all errors of it.
 */
static struct jq_node *optional(struct jq_parser *parser, struct jq_node *term, bool grouped)
{
	uint32_t offset = jq_parser_here(parser);
	bool path = term->kind == NODE_FIELD || term->kind == NODE_INDEX || term->kind == NODE_SLICE ||
		    term->kind == NODE_ITERATE;
	if (jq_parser_token(parser) == TOKEN_DESTRUCTURE) { /* `.a?//1`: two words that were read as one */
		parser->lexer.at = parser->lexer.token_at + 1;
	}
	jq_parser_next(parser);
	if (path && !grouped && !term->optional) {
		term->optional = true;
		return term;
	}
	return jq_parser_make(parser, offset, NODE_TRY, term, NULL);
}

static struct jq_node *field_behind(struct jq_parser *parser, struct jq_node *term)
{
	struct jq_node *made = jq_parser_named(
		parser, jq_parser_here(parser), NODE_FIELD, parser->lexer.text);
	jq_parser_next(parser);
	if (made) {
		made->a = term;
	}
	return made;
}

static struct jq_node *point_behind(struct jq_parser *parser, struct jq_node *term)
{
	jq_parser_next(parser);
	uint32_t offset = jq_parser_here(parser);
	if (jq_parser_token(parser) == '[') {
		return bracket_read(parser, term);
	}
	if (jq_parser_token(parser) != '"' && jq_parser_token(parser) != TOKEN_FORMAT) {
		return jq_parser_wrong(
			parser, "a field or `[` behind the point (try .[\"field\"] for unusual names)");
	}
	struct jq_node *key = jq_string_literal(parser);
	return key ? jq_parser_make(parser, offset, NODE_INDEX, term, key) : NULL;
}

struct jq_node *jq_term_read(struct jq_parser *parser)
{
	if (!jq_parser_deeper(parser)) {
		return NULL;
	}
	bool grouped = jq_parser_token(parser) == '(';
	struct jq_node *term = first_read(parser);
	for (bool more = true; term && more; grouped = false) {
		switch (jq_parser_token(parser)) {
		case TOKEN_FIELD:
			term = field_behind(parser, term);
			break;
		case '.':
			term = point_behind(parser, term);
			break;
		case '[':
			term = bracket_read(parser, term);
			break;
		case '?':
		case TOKEN_DESTRUCTURE:
			term = optional(parser, term, grouped);
			break;
		default:
			more = false;
			break;
		}
	}
	parser->depth--;
	return term;
}
