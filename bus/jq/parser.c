/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From words to a tree, by recursive descent; the grammar is jq 1.7's
 * (src/parser.y). Where jq gives up on something that has one meaning only, as
 * `.a?//1` or `{a: 1 + 2}`, this takes it.
 *
 * Long chains (pipes, variables bound one after the other, `elif`) are read by
 * loops; what is nested costs depth, which is limited.
 */
#include "jq/parser.h"

/* --- Words ------------------------------------------------------------------------ */

uint32_t jq_parser_here(const struct jq_parser *parser)
{
	return (uint32_t)(parser->lexer.token_at - parser->lexer.start);
}

static void next(struct jq_parser *parser)
{
	jq_lexer_next(&parser->lexer);
}

static int token(const struct jq_parser *parser)
{
	return parser->lexer.token;
}

void *jq_parser_wrong(struct jq_parser *parser, const char *expected)
{
	struct xylem_span text = parser->lexer.text;
	if (token(parser) == TOKEN_END) {
		return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
			"the program ends where %s is expected", expected);
	}
	return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
		"unexpected %.*s: %s is expected", (int)(text.n > 40 ? 40 : text.n), text.at, expected);
}

bool jq_parser_accept(struct jq_parser *parser, int wanted)
{
	if (token(parser) != wanted) {
		return false;
	}
	next(parser);
	return true;
}

bool jq_parser_expect(struct jq_parser *parser, int wanted, const char *name)
{
	return jq_parser_accept(parser, wanted) || jq_parser_wrong(parser, name);
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

static struct jq_node *identity(struct jq_parser *parser)
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

/* --- Keywords --------------------------------------------------------------------------- */

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

static struct jq_node *if_read(struct jq_parser *parser)
{
	struct jq_node *first = NULL, **slot = &first;
	do {
		uint32_t offset = jq_parser_here(parser);
		next(parser);
		*slot = branch_read(parser, offset);
		if (!*slot) {
			return NULL;
		}
		slot = &(*slot)->c;
	} while (token(parser) == TOKEN_ELIF);
	if (jq_parser_accept(parser, TOKEN_ELSE) && !(*slot = jq_pipe_read(parser))) {
		return NULL;
	}
	return jq_parser_expect(parser, TOKEN_FINISH, "`elif`, `else` or `end`") ? first : NULL;
}

static struct jq_node *try_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	next(parser);
	struct jq_node *made = jq_parser_make(
		parser, offset, NODE_TRY, jq_operation_read(parser, JQ_TIGHTEST), NULL);
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
	next(parser);
	struct jq_node *source = jq_term_read(parser);
	if (!source || !jq_parser_expect(parser, TOKEN_AS, "`as`")) {
		return NULL;
	}
	struct jq_node *made = jq_parser_make(parser, offset, kind, source, NULL);
	if (!made || !jq_pattern_read(parser, ret_pattern)) {
		return NULL;
	}
	made->value = ret_pattern->variable;
	return jq_parser_expect(parser, '(', "`(`") ? made : NULL;
}

static struct jq_node *loop_read(struct jq_parser *parser, enum jq_node_kind kind)
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

static struct jq_node *label_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	next(parser);
	if (token(parser) != TOKEN_VARIABLE) {
		return jq_parser_wrong(parser, "a label (`$name`)");
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_LABEL, parser->lexer.text);
	next(parser);
	if (!made || !jq_parser_expect(parser, '|', "`|` behind a label")) {
		return NULL;
	}
	parser->pending = &made->a;
	return made;
}

static struct jq_node *break_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	next(parser);
	if (token(parser) != TOKEN_VARIABLE) {
		return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
			"break requires a label to break to");
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_BREAK, parser->lexer.text);
	next(parser);
	return made;
}

/* --- Definitions --------------------------------------------------------------------------- */

static bool parameters_read(struct jq_parser *parser, struct jq_definition_node *definition)
{
	struct jq_parameter room[JQ_PARAMETERS];
	uint32_t n = 0;
	do {
		bool value = token(parser) == TOKEN_VARIABLE;
		if ((!value && token(parser) != TOKEN_NAME) || n == JQ_PARAMETERS) {
			return jq_parser_wrong(parser, "a parameter (a name or `$name`, 32 at most)");
		}
		room[n++] = (struct jq_parameter){ .name = parser->lexer.text, .value = value };
		next(parser);
	} while (jq_parser_accept(parser, ';'));
	definition->parameters = xylem_arena_take(parser->tree->arena, n * sizeof(room[0]));
	if (definition->parameters) {
		memcpy(definition->parameters, room, n * sizeof(room[0]));
		definition->parameter_count = n;
	}
	return definition->parameters && jq_parser_expect(parser, ')', "`;` or `)`");
}

/* From `def` to its `;`: a DEFINE node, what follows goes into its `a`. */
static struct jq_node *definition_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	next(parser);
	struct jq_definition_node *definition = xylem_arena_zero(parser->tree->arena, sizeof(*definition));
	struct jq_node *made = jq_parser_make(parser, offset, NODE_DEFINE, NULL, NULL);
	if (!definition || !made) {
		return NULL;
	}
	made->definition = definition;
	if (token(parser) != TOKEN_NAME) {
		return jq_parser_wrong(parser, "the name of a function");
	}
	definition->name = parser->lexer.text;
	next(parser);
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

static struct jq_node *name_read(struct jq_parser *parser)
{
	static const struct {
		const char *name;
		enum jq_kind kind;
	} words[] = { { "null", JQ_NULL }, { "true", JQ_TRUE }, { "false", JQ_FALSE } };
	uint32_t offset = jq_parser_here(parser);
	struct xylem_span name = parser->lexer.text;
	next(parser);
	for (size_t i = 0; token(parser) != '(' && i < sizeof(words) / sizeof(words[0]); i++) {
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

/* --- Terms ------------------------------------------------------------------------------- */

static struct jq_node *variable_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct xylem_span name = parser->lexer.text;
	next(parser);
	return xylem_span_is(name, "__loc__") ? jq_location(parser, offset)
					      : jq_parser_named(parser, offset, NODE_VARIABLE, name);
}

/* A point that is no field: `.`, `."name"`, `.[...]`. */
static struct jq_node *point_read(struct jq_parser *parser)
{
	struct jq_node *made = identity(parser);
	next(parser);
	if (made && (token(parser) == '"' || token(parser) == TOKEN_FORMAT)) {
		uint32_t offset = jq_parser_here(parser);
		struct jq_node *key = jq_string_literal(parser);
		return key ? jq_parser_make(parser, offset, NODE_INDEX, made, key) : NULL;
	}
	return made;
}

static struct jq_node *parentheses_read(struct jq_parser *parser)
{
	next(parser);
	struct jq_node *inner = jq_pipe_read(parser);
	return inner && jq_parser_expect(parser, ')', "`)`") ? inner : NULL;
}

static struct jq_node *first_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct jq_node *made;
	switch (token(parser)) {
	case TOKEN_NUMBER:
		return jq_number_literal(parser);
	case '"':
	case TOKEN_FORMAT:
		return jq_string_literal(parser);
	case '.':
		return point_read(parser);
	case TOKEN_FIELD:
		made = jq_field_literal(parser, offset, parser->lexer.text);
		next(parser);
		return made;
	case TOKEN_RECURSE:
		next(parser);
		return jq_parser_named(parser, offset, NODE_CALL, XYLEM_SPAN_LITERAL("recurse"));
	case TOKEN_VARIABLE:
		return variable_read(parser);
	case TOKEN_NAME:
		return name_read(parser);
	case '(':
		return parentheses_read(parser);
	case '[':
		return jq_array_literal(parser);
	case '{':
		return jq_object_literal(parser);
	case TOKEN_IF:
		return if_read(parser);
	case TOKEN_REDUCE:
		return loop_read(parser, NODE_REDUCE);
	case TOKEN_FOREACH:
		return loop_read(parser, NODE_FOREACH);
	case TOKEN_BREAK:
		return break_read(parser);
	default:
		return jq_parser_wrong(parser, "an expression");
	}
}

/* Behind `[`: index, slice or iteration of `term`. */
static struct jq_node *bracket_read(struct jq_parser *parser, struct jq_node *term)
{
	uint32_t offset = jq_parser_here(parser);
	next(parser);
	if (jq_parser_accept(parser, ']')) {
		return jq_parser_make(parser, offset, NODE_ITERATE, term, NULL);
	}
	struct jq_node *from = token(parser) == ':' ? NULL : jq_pipe_read(parser), *to = NULL;
	if (!from && token(parser) != ':') {
		return NULL;
	}
	if (jq_parser_accept(parser, ']')) {
		return jq_parser_make(parser, offset, NODE_INDEX, term, from);
	}
	if (!jq_parser_expect(parser, ':', "`]` or `:`")) {
		return NULL;
	}
	if (token(parser) != ']' && !(to = jq_pipe_read(parser))) {
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
	if (token(parser) == TOKEN_DESTRUCTURE) { /* `.a?//1`: two words that were read as one */
		parser->lexer.at = parser->lexer.token_at + 1;
	}
	next(parser);
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
	next(parser);
	if (made) {
		made->a = term;
	}
	return made;
}

static struct jq_node *point_behind(struct jq_parser *parser, struct jq_node *term)
{
	next(parser);
	uint32_t offset = jq_parser_here(parser);
	if (token(parser) == '[') {
		return bracket_read(parser, term);
	}
	if (token(parser) != '"' && token(parser) != TOKEN_FORMAT) {
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
	bool grouped = token(parser) == '(';
	struct jq_node *term = first_read(parser);
	for (bool more = true; term && more; grouped = false) {
		switch (token(parser)) {
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

/* --- Operators ------------------------------------------------------------------------------ */

/* Behind `TERM as`: variables, and the rest of the pipe as what sees them. */
static struct jq_node *binding_read(struct jq_parser *parser, struct jq_node *source)
{
	uint32_t offset = jq_parser_here(parser);
	next(parser);
	struct jq_pattern pattern;
	if (!jq_pattern_read(parser, &pattern) || token(parser) == TOKEN_DESTRUCTURE) {
		return parser->tree->failed ? NULL : jq_pattern_choice(parser, source, &pattern);
	}
	struct jq_node *made = jq_parser_make(parser, offset, NODE_BIND, source, NULL);
	if (!made || !jq_parser_expect(parser, '|', "`|` behind the variables")) {
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
	switch (token(parser)) {
	case '-':
		next(parser);
		struct jq_node *operand = jq_operation_read(parser, JQ_PRODUCT);
		return operand ? jq_parser_make(parser, offset, NODE_NEGATE, operand, NULL) : NULL;
	case TOKEN_TRY:
		return try_read(parser);
	case TOKEN_LABEL:
		return label_read(parser);
	case TOKEN_DEF: {
		struct jq_node *made = definition_read(parser);
		parser->pending = made ? &made->a : NULL;
		return made;
	}
	default: {
		struct jq_node *term = jq_term_read(parser);
		return term && token(parser) == TOKEN_AS ? binding_read(parser, term) : term;
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

bool jq_parser_deeper(struct jq_parser *parser)
{
	if (++parser->depth > JQ_NESTING) {
		jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser),
			"the program is nested deeper than %d levels", JQ_NESTING);
		return false;
	}
	return true;
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
		const struct operator* operator= operator_find(token(parser));
		if (!operator|| operator->rank<lowest) {
			break;
		}
		if (operator->rank >= above) {
			jq_parser_wrong(parser, "`|`, `,` or parentheses (this operator does not group)");
			return NULL;
		}
		above = operator->single ? operator->rank : 100;
		uint32_t offset = jq_parser_here(parser);
		next(parser);
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
		if (parser->pending || token(parser) != ',') {
			return first;
		}
		uint32_t offset = jq_parser_here(parser);
		next(parser);
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
		} else if (token(parser) == '|') {
			*slot = jq_parser_make(parser, jq_parser_here(parser), NODE_PIPE, *slot, NULL);
			next(parser);
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
	if (!import || token(parser) != '"') {
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
		import->data = token(parser) == TOKEN_VARIABLE;
		import->alias = parser->lexer.text;
		if (!import->data && token(parser) != TOKEN_NAME) {
			return jq_parser_wrong(parser, "a name or `$name`");
		}
		next(parser);
	}
	if (token(parser) != ';' && !metadata_read(parser)) {
		return NULL;
	}
	return jq_parser_expect(parser, ';', "`;`") ? import : NULL;
}

static bool imports_read(struct jq_parser *parser, struct jq_unit *unit)
{
	struct jq_import **tail = &unit->imports;
	while (token(parser) == TOKEN_IMPORT || token(parser) == TOKEN_INCLUDE) {
		bool include = token(parser) == TOKEN_INCLUDE;
		next(parser);
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
	while (token(parser) == TOKEN_DEF) {
		*slot = definition_read(parser);
		if (!*slot) {
			return false;
		}
		slot = &(*slot)->a;
	}
	if (token(parser) != TOKEN_END && !(*slot = jq_pipe_read(parser))) {
		return false;
	}
	return token(parser) == TOKEN_END || jq_parser_wrong(parser, "an operator or the end of the program");
}

bool jq_parse(struct jq_tree *tree, const struct jq_source *source, struct jq_unit *ret_unit)
{
	const char *at = source->text.at;
	struct jq_parser parser = {
		.tree = tree, .source = source, .lexer = { .start = at, .at = at, .end = at + source->text.n }
	};
	struct jq_unit unit = { .source = source };
	next(&parser);
	if (!unit_read(&parser, &unit) || tree->failed) {
		return tree->failed ? false : jq_tree_fail(tree, NULL, 0, "out of memory") != NULL;
	}
	*ret_unit = unit;
	return true;
}
