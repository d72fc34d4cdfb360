/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a text to a unit, by recursive descent; the grammar is jq 1.7's
 * (src/parser.y). Where jq gives up on something that has one meaning only, as
 * `.a?//1` or `{a: 1 + 2}`, this takes it.
 *
 * Long chains (pipes, variables bound one after the other, `elif`) are read by
 * loops; what is nested costs depth, which is limited. Here are what the files of
 * the parser share, and the whole: modules, definitions, an expression.
 */
#include "jq/parser.h"

/* --- Words ------------------------------------------------------------------------ */

uint32_t jq_parser_here(const struct jq_parser *parser)
{
	return (uint32_t)(parser->lexer.token_at - parser->lexer.start);
}

void *jq_parser_wrong(struct jq_parser *parser, const char *expected)
{
	struct xylem_span text = parser->lexer.text;
	if (jq_parser_token(parser) == TOKEN_END) {
		return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
			"the program ends where %s is expected", expected);
	}
	while (text.at + text.n < parser->lexer.end && (text.at[text.n] & 0xc0) == 0x80) {
		text.n++; /* a character beyond ASCII is no token: it is shown whole */
	}
	return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
		"unexpected %.*s: %s is expected", (int)(text.n > 40 ? 40 : text.n), text.at, expected);
}

bool jq_parser_accept(struct jq_parser *parser, int wanted)
{
	if (jq_parser_token(parser) != wanted) {
		return false;
	}
	jq_parser_next(parser);
	return true;
}

bool jq_parser_expect(struct jq_parser *parser, int wanted, const char *name)
{
	return jq_parser_accept(parser, wanted) || jq_parser_wrong(parser, name);
}

bool jq_parser_deeper(struct jq_parser *parser)
{
	if (++parser->depth > JQ_NESTING) {
		jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
			"the program is nested deeper than %d levels", JQ_NESTING);
		return false;
	}
	return true;
}

struct jq_node *jq_parser_make(struct jq_parser *parser, uint32_t offset, enum jq_node_kind kind,
	struct jq_node *a, struct jq_node *b)
{
	struct jq_node *made = jq_node_new(parser->tree, parser->source, offset, kind);
	if (made) {
		made->a = a;
		made->b = b;
	}
	return made;
}

struct jq_node *jq_parser_constant(struct jq_parser *parser, uint32_t offset, struct jq_value value)
{
	struct jq_node *made = jq_parser_make(parser, offset, NODE_CONSTANT, NULL, NULL);
	if (made) {
		made->value = value;
	}
	return made;
}

struct jq_node *jq_parser_named(
	struct jq_parser *parser, uint32_t offset, enum jq_node_kind kind, struct xylem_span name)
{
	struct jq_node *made = jq_parser_make(parser, offset, kind, NULL, NULL);
	if (made) {
		made->value = jq_string_borrow(name);
	}
	return made;
}

struct jq_node *jq_parser_identity(struct jq_parser *parser)
{
	return jq_parser_make(parser, jq_parser_here(parser), NODE_IDENTITY, NULL, NULL);
}

bool jq_list_add(struct jq_parser *parser, struct jq_list *list, struct jq_node *item)
{
	if (!item) {
		return false;
	}
	if (list->n == list->room) {
		uint32_t room = list->room ? list->room * 2 : 4;
		struct jq_node **items = xylem_arena_take(parser->tree->arena, room * sizeof(*items));
		if (!items) {
			return jq_tree_fail(
				parser->tree, parser->source, jq_parser_here(parser), "out of memory");
		}
		if (list->n) {
			memcpy(items, list->items, list->n * sizeof(*items));
		}
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = item;
	return true;
}

struct jq_node *jq_list_give(struct jq_node *made, const struct jq_list *list)
{
	if (made) {
		made->list = list->items;
		made->count = list->n;
	}
	return made;
}

/* --- Units ---------------------------------------------------------------------------------- */

static bool is_constant_object(const struct jq_node *node)
{
	return node->kind == NODE_OBJECT || (node->kind == NODE_CONSTANT && jq_is_object(node->value));
}

static bool metadata_read(struct jq_parser *parser)
{
	struct jq_node *metadata = jq_term_read(parser);
	if (metadata && !is_constant_object(metadata)) {
		return jq_tree_fail(
			parser->tree, parser->source, metadata->offset, "metadata is a constant object");
	}
	return metadata != NULL;
}

/* Behind `import` or `include`. */
static struct jq_import *import_read(struct jq_parser *parser, bool include)
{
	struct jq_import *import = xylem_arena_zero(parser->tree->arena, sizeof(*import));
	if (!import || jq_parser_token(parser) != '"') {
		return jq_parser_wrong(parser, "the name of a module in quotes");
	}
	import->offset = jq_parser_here(parser);
	struct jq_node *name = jq_string_literal(parser);
	if (!name || name->kind != NODE_CONSTANT) {
		return name ? jq_parser_wrong(parser, "a constant name before this") : NULL;
	}
	import->name = xylem_span(name->value.at, name->value.n);
	if (!include) {
		if (!jq_parser_expect(parser, TOKEN_AS, "`as`")) {
			return NULL;
		}
		import->data = jq_parser_token(parser) == TOKEN_VARIABLE;
		import->alias = parser->lexer.text;
		if (!import->data && jq_parser_token(parser) != TOKEN_NAME) {
			return jq_parser_wrong(parser, "a name or `$name`");
		}
		jq_parser_next(parser);
	}
	if (jq_parser_token(parser) != ';' && !metadata_read(parser)) {
		return NULL;
	}
	return jq_parser_expect(parser, ';', "`;`") ? import : NULL;
}

static bool imports_read(struct jq_parser *parser, struct jq_unit *unit)
{
	struct jq_import **tail = &unit->imports;
	while (jq_parser_token(parser) == TOKEN_IMPORT || jq_parser_token(parser) == TOKEN_INCLUDE) {
		bool include = jq_parser_token(parser) == TOKEN_INCLUDE;
		jq_parser_next(parser);
		*tail = import_read(parser, include);
		if (!*tail) {
			return false;
		}
		tail = &(*tail)->next;
	}
	return true;
}

static bool unit_read(struct jq_parser *parser, struct jq_unit *unit)
{
	if (jq_parser_accept(parser, TOKEN_MODULE) &&
		!(metadata_read(parser) && jq_parser_expect(parser, ';', "`;`"))) {
		return false;
	}
	if (!imports_read(parser, unit)) {
		return false;
	}
	struct jq_node **slot = &unit->root;
	while (jq_parser_token(parser) == TOKEN_DEF) {
		*slot = jq_definition_read(parser);
		if (!*slot) {
			return false;
		}
		slot = &(*slot)->a;
	}
	if (jq_parser_token(parser) != TOKEN_END && !(*slot = jq_pipe_read(parser))) {
		return false;
	}
	return jq_parser_token(parser) == TOKEN_END ||
	       jq_parser_wrong(parser, "an operator or the end of the program");
}

bool jq_parse(struct jq_tree *tree, const struct jq_source *source, struct jq_unit *ret_unit)
{
	const char *at = source->text.at;
	struct jq_parser parser = {
		.tree = tree, .source = source, .lexer = { .start = at, .at = at, .end = at + source->text.n }
	};
	struct jq_unit unit = { .source = source };
	jq_parser_next(&parser);
	if (!unit_read(&parser, &unit) || tree->failed) {
		return tree->failed ? false : jq_tree_fail(tree, NULL, 0, "out of memory") != NULL;
	}
	*ret_unit = unit;
	return true;
}
