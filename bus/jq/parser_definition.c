/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions: what `def` says, and names, which call one.
 */
#include "jq/parser.h"

static bool parameters_read(struct jq_parser *parser, struct jq_definition_node *definition)
{
	struct jq_parameter room[JQ_PARAMETERS];
	uint32_t n = 0;
	do {
		bool value = jq_parser_token(parser) == TOKEN_VARIABLE;
		if ((!value && jq_parser_token(parser) != TOKEN_NAME) || n == JQ_PARAMETERS) {
			return jq_parser_wrong(parser, "a parameter (a name or `$name`, 32 at most)");
		}
		room[n++] = (struct jq_parameter){ .name = parser->lexer.text, .value = value };
		jq_parser_next(parser);
	} while (jq_parser_accept(parser, ';'));
	definition->parameters = xylem_arena_take(parser->tree->arena, n * sizeof(room[0]));
	if (definition->parameters) {
		memcpy(definition->parameters, room, n * sizeof(room[0]));
		definition->parameter_count = n;
	}
	return definition->parameters && jq_parser_expect(parser, ')', "`;` or `)`");
}

/* From `def` to its `;`: a DEFINE node, what follows goes into its `a`. */
struct jq_node *jq_definition_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	jq_parser_next(parser);
	struct jq_definition_node *definition = xylem_arena_zero(parser->tree->arena, sizeof(*definition));
	struct jq_node *made = jq_parser_make(parser, offset, NODE_DEFINE, NULL, NULL);
	if (!definition || !made) {
		return NULL;
	}
	made->definition = definition;
	if (jq_parser_token(parser) != TOKEN_NAME) {
		return jq_parser_wrong(parser, "the name of a function");
	}
	definition->name = parser->lexer.text;
	jq_parser_next(parser);
	if (jq_parser_accept(parser, '(') && !parameters_read(parser, definition)) {
		return NULL;
	}
	struct jq_enclosing within = { parser->bodies, definition };
	if (!jq_parser_expect(parser, ':', "`:`")) {
		return NULL;
	}
	parser->bodies = &within;
	definition->body = jq_pipe_read(parser);
	parser->bodies = within.outer;
	return definition->body && jq_parser_expect(parser, ';', "`;` at the end of a function") ? made
												 : NULL;
}

/* `def f($a): a;`: the parameter is called as the function that it also is. */
static void called_note(struct jq_parser *parser, struct xylem_span name)
{
	for (struct jq_enclosing *each = parser->bodies; each; each = each->outer) {
		for (uint32_t i = 0; i < each->definition->parameter_count; i++) {
			struct jq_parameter *parameter = &each->definition->parameters[i];
			parameter->called |= parameter->value && xylem_span_equal(parameter->name, name);
		}
	}
}

struct jq_node *jq_name_read(struct jq_parser *parser)
{
	static const struct {
		const char *name;
		enum jq_kind kind;
	} words[] = { { "null", JQ_NULL }, { "true", JQ_TRUE }, { "false", JQ_FALSE } };
	uint32_t offset = jq_parser_here(parser);
	struct xylem_span name = parser->lexer.text;
	jq_parser_next(parser);
	for (size_t i = 0; jq_parser_token(parser) != '(' && i < sizeof(words) / sizeof(words[0]); i++) {
		if (xylem_span_is(name, words[i].name)) {
			return jq_parser_constant(parser, offset, jq_simple(words[i].kind));
		}
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_CALL, name);
	struct jq_list list = { 0 };
	if (!jq_parser_accept(parser, '(')) {
		called_note(parser, name);
		return made;
	}
	do {
		if (!jq_list_add(parser, &list, jq_pipe_read(parser))) {
			return NULL;
		}
	} while (jq_parser_accept(parser, ';'));
	return jq_parser_expect(parser, ')', "`;` or `)` behind an argument") ? jq_list_give(made, &list)
									      : NULL;
}
