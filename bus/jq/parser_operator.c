/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made of terms: operators by their rank, variables bound by `as`, commas
 * and pipes.
 */
#include "jq/parser.h"

/* Behind `TERM as`: variables, and the rest of the pipe as what sees them. */
static struct jq_node *binding_read(struct jq_parser *parser, struct jq_node *source)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	struct jq_pattern pattern;
	if (!jq_pattern_read_all(parser, &pattern) ||
		!jq_parser_expect(parser, '|', pattern.count ? "`?//` or `|`" : "`|` behind the variables")) {
		return NULL;
	}
	if (pattern.count) {
		return jq_pattern_choice(parser, source, &pattern);
	}
	struct jq_node *made = jq_parser_make(parser, offset, NODE_BIND, source, NULL);
	if (!made) {
		return NULL;
	}
	made->value = pattern.variable;
	if (pattern.steps) {
		made->b = jq_pattern_chain(parser, &pattern, &parser->pending);
		return made->b ? made : NULL;
	}
	parser->pending = &made->b;
	return made;
}

static struct jq_node *operand_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	switch (jq_parser_token(parser)) {
	case '-':
		jq_parser_next(parser);
		struct jq_node *operand = jq_operation_read(parser, JQ_PRODUCT);
		return operand ? jq_parser_make(parser, offset, NODE_NEGATE, operand, NULL) : NULL;
	case TOKEN_TRY:
		return jq_try_read(parser);
	case TOKEN_LABEL:
		return jq_label_read(parser);
	case TOKEN_DEF: {
		struct jq_node *made = jq_definition_read(parser);
		parser->pending = made ? &made->a : NULL;
		return made;
	}
	default: {
		struct jq_node *term = jq_term_read(parser);
		return term && jq_parser_token(parser) == TOKEN_AS ? binding_read(parser, term) : term;
	}
	}
}

struct operator
{
	int token;
	uint8_t rank;
	uint8_t kind;
	uint8_t op;
	bool right;  /* groups to the right */
	bool single; /* does not group at all */
};

static const struct operator operators[] = {
	{ TOKEN_ALTERNATIVE, 1, NODE_ALTERNATIVE, 0, true, false },
	{ '=', 2, NODE_ASSIGN, 0, false, true },
	{ TOKEN_UPDATE, 2, NODE_UPDATE, 0, false, true },
	{ TOKEN_ADD_UPDATE, 2, NODE_CALCULATE, OPERATOR_ADD, false, true },
	{ TOKEN_SUBTRACT_UPDATE, 2, NODE_CALCULATE, OPERATOR_SUBTRACT, false, true },
	{ TOKEN_MULTIPLY_UPDATE, 2, NODE_CALCULATE, OPERATOR_MULTIPLY, false, true },
	{ TOKEN_DIVIDE_UPDATE, 2, NODE_CALCULATE, OPERATOR_DIVIDE, false, true },
	{ TOKEN_MODULO_UPDATE, 2, NODE_CALCULATE, OPERATOR_MODULO, false, true },
	{ TOKEN_ALTERNATIVE_UPDATE, 2, NODE_CALCULATE, OPERATOR_ALTERNATIVE, false, true },
	{ TOKEN_OR, 3, NODE_OR, 0, false, false },
	{ TOKEN_AND, 4, NODE_AND, 0, false, false },
	{ TOKEN_EQUAL, 5, NODE_BINARY, OPERATOR_EQUAL, false, true },
	{ TOKEN_UNEQUAL, 5, NODE_BINARY, OPERATOR_UNEQUAL, false, true },
	{ '<', 5, NODE_BINARY, OPERATOR_LESS, false, true },
	{ TOKEN_LESS_EQUAL, 5, NODE_BINARY, OPERATOR_LESS_EQUAL, false, true },
	{ '>', 5, NODE_BINARY, OPERATOR_GREATER, false, true },
	{ TOKEN_GREATER_EQUAL, 5, NODE_BINARY, OPERATOR_GREATER_EQUAL, false, true },
	{ '+', 6, NODE_BINARY, OPERATOR_ADD, false, false },
	{ '-', 6, NODE_BINARY, OPERATOR_SUBTRACT, false, false },
	{ '*', JQ_PRODUCT, NODE_BINARY, OPERATOR_MULTIPLY, false, false },
	{ '/', JQ_PRODUCT, NODE_BINARY, OPERATOR_DIVIDE, false, false },
	{ '%', JQ_PRODUCT, NODE_BINARY, OPERATOR_MODULO, false, false },
};

static const struct operator* operator_find(int token)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (operators[i].token == token) {
			return &operators[i];
		}
	}
	return NULL;
}

/* Operands and operators of at least this rank. */
struct jq_node *jq_operation_read(struct jq_parser *parser, int lowest)
{
	if (!jq_parser_deeper(parser)) {
		return NULL;
	}
	struct jq_node *left = operand_read(parser);
	int above = 100; /* ranks that may still follow: below one that does not group */
	while (left && !parser->pending) {
		const struct operator* operator= operator_find(jq_parser_token(parser));
		if (!operator|| operator->rank<lowest) {
			break;
		}
		if (operator->rank >= above) {
			jq_parser_wrong(parser, "`|`, `,` or parentheses (this operator does not group)");
			return NULL;
		}
		above = operator->single ? operator->rank : 100;
		uint32_t offset = jq_parser_here(parser);
		jq_parser_next(parser);
		struct jq_node *right = jq_operation_read(parser, operator->rank + !operator->right);
		left = right ? jq_parser_make(parser, offset, operator->kind, left, right) : NULL;
		if (left) {
			left->op = operator->op;
		}
	}
	parser->depth--;
	return left;
}

/* Expressions between commas; ends at once behind `as ... |`, which sees the rest of the pipe. */
static struct jq_node *commas_read(struct jq_parser *parser)
{
	struct jq_node *first = NULL, **slot = &first;
	for (;;) {
		*slot = jq_operation_read(parser, 0);
		if (!*slot) {
			return NULL;
		}
		if (parser->pending || jq_parser_token(parser) != ',') {
			return first;
		}
		uint32_t offset = jq_parser_here(parser);
		jq_parser_next(parser);
		*slot = jq_parser_make(parser, offset, NODE_COMMA, *slot, NULL);
		if (!*slot) {
			return NULL;
		}
		slot = &(*slot)->b;
	}
}

static struct jq_node *segment_read(struct jq_parser *parser, bool commas)
{
	return commas ? commas_read(parser) : jq_operation_read(parser, 0);
}

static struct jq_node *pipe_of(struct jq_parser *parser, bool commas)
{
	struct jq_node *first = NULL, **slot = &first;
	if (!jq_parser_deeper(parser)) {
		return NULL;
	}
	for (;;) {
		*slot = segment_read(parser, commas);
		if (!*slot) {
			return NULL;
		}
		if (parser->pending) {
			slot = parser->pending;
			parser->pending = NULL;
		} else if (jq_parser_token(parser) == '|') {
			*slot = jq_parser_make(parser, jq_parser_here(parser), NODE_PIPE, *slot, NULL);
			jq_parser_next(parser);
			if (!*slot) {
				return NULL;
			}
			slot = &(*slot)->b;
		} else {
			parser->depth--;
			return first;
		}
	}
}

struct jq_node *jq_pipe_read(struct jq_parser *parser)
{
	return pipe_of(parser, true);
}

struct jq_node *jq_pipe_without_commas(struct jq_parser *parser)
{
	return pipe_of(parser, false);
}
