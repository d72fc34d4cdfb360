/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a `where` expression into a tree. Recursive descent, one function a
 * level of jq's precedence, loosest first:
 *
 *     |    //    or    and    == != < <= > >=    postfix: .a ["b"] [0] ?
 *
 * The rule not to break: what is taken here means to jq what it means to us.
 * Whatever else jq knows is refused, with the place where it stands; nothing
 * is passed over.
 */
#include <xylem/json.h>

#include "json/utf8.h"
#include "route/where_tree.h"

struct parser {
	const char *start, *at, *end;
	struct xylem_arena *arena;
	struct xylem_reason *reason;
	const char *wrong; /* where, once something is */
	int error;
	unsigned depth;
};

typedef const struct where_node *tree;

/* --- Refusing --------------------------------------------------------------- */

static tree refuse(struct parser *parser, const char *at, const char *why)
{
	if (!parser->error) {
		size_t left = (size_t)(parser->end - at), n = left > 20 ? 20 : left;
		while (n > 0 && n < left && ((unsigned char)at[n] & 0xc0) == 0x80) {
			n--;
		}
		parser->error = -XYLEM_E_INVALID;
		parser->wrong = at;
		if (left) {
			xylem_reason_set(parser->reason, "`%.*s`: %s", (int)n, at, why);
		} else {
			xylem_reason_set(parser->reason, "at the end: %s", why);
		}
	}
	return NULL;
}

static struct where_node *node_new(struct parser *parser, enum where_kind kind, tree left, tree right)
{
	struct where_node *node = xylem_arena_zero(parser->arena, sizeof(*node));
	if (!node) {
		parser->error = parser->error ? parser->error : -XYLEM_E_MEMORY;
		return NULL;
	}
	unsigned l = left ? left->depth : 0, r = right ? right->depth : 0;
	node->kind = kind;
	node->left = left;
	node->right = right;
	node->depth = 1 + (l > r ? l : r);
	if (node->depth > WHERE_DEPTH_MAX) {
		refuse(parser, parser->at, "the expression is nested too deep");
		return NULL;
	}
	return node;
}

/* --- Words ------------------------------------------------------------------ */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct parser *parser)
{
	while (parser->at < parser->end) {
		char c = *parser->at;
		if (c == '#') {
			while (parser->at < parser->end && *parser->at != '\n') {
				parser->at++;
			}
		} else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			parser->at++;
		} else {
			break;
		}
	}
}

static char peek(struct parser *parser)
{
	skip_space(parser);
	return parser->at < parser->end ? *parser->at : '\0';
}

static char peek_second(const struct parser *parser)
{
	return parser->end - parser->at > 1 ? parser->at[1] : '\0';
}

/* The identifier that stands at `at`; empty if none does. */
static struct xylem_span word_at(const struct parser *parser, const char *at)
{
	const char *stop = at;
	while (stop < parser->end && (is_letter(*stop) || (stop > at && is_digit(*stop)))) {
		stop++;
	}
	return xylem_span(at, (size_t)(stop - at));
}

static bool take_word(struct parser *parser, const char *word)
{
	skip_space(parser);
	struct xylem_span found = word_at(parser, parser->at);
	if (!xylem_span_is(found, word)) {
		return false;
	}
	parser->at += found.n;
	return true;
}

/* --- Literals --------------------------------------------------------------- */

static tree parse_string(struct parser *parser)
{
	const char *start = parser->at, *at = start + 1;
	while (at < parser->end && *at != '"') {
		at += *at == '\\' && parser->end - at > 1 ? 2 : 1;
	}
	if (at >= parser->end) {
		return refuse(parser, start, "the string does not end");
	}
	size_t offset;
	struct xylem_span text = xylem_span(start, (size_t)(at + 1 - start));
	if (xylem_json_check(text, &offset, NULL) < 0) {
		return refuse(parser, start + offset,
			"a string here is written as in JSON; \\( ) is not part of `where`");
	}
	struct where_node *node = node_new(parser, WHERE_LITERAL, NULL, NULL);
	if (node && xylem_json_string(text, parser->arena, &node->value.text) < 0) {
		parser->error = -XYLEM_E_MEMORY;
		return NULL;
	}
	if (node) {
		node->value.form = WHERE_STRING;
	}
	parser->at = at + 1;
	return node;
}

static tree parse_json_literal(struct parser *parser, size_t n)
{
	struct where_node *node = node_new(parser, WHERE_LITERAL, NULL, NULL);
	if (node) {
		node->value = (struct where_value){ WHERE_JSON, xylem_span(parser->at, n) };
	}
	parser->at += n;
	return node;
}

static tree parse_number(struct parser *parser)
{
	const char *start = parser->at, *at = start + (*start == '-');
	while (at < parser->end && (is_digit(*at) || *at == '.' || ((*at | 0x20) == 'e') ||
					   ((*at == '+' || *at == '-') && (at[-1] | 0x20) == 'e'))) {
		at++;
	}
	struct xylem_span text = xylem_span(start, (size_t)(at - start));
	if (xylem_json_check(text, NULL, NULL) < 0) {
		return refuse(parser, start, "a number is written as in JSON; `where` does not calculate");
	}
	return parse_json_literal(parser, text.n);
}

static tree parse_literal(struct parser *parser)
{
	char c = peek(parser);
	struct xylem_span word = word_at(parser, parser->at);
	if (c == '"') {
		return parse_string(parser);
	}
	if (is_digit(c) || c == '-') {
		return parse_number(parser);
	}
	if (xylem_span_is(word, "true") || xylem_span_is(word, "false") || xylem_span_is(word, "null")) {
		return parse_json_literal(parser, word.n);
	}
	return refuse(parser, parser->at, "a string, a number, true, false or null is expected");
}

/* --- Tests ------------------------------------------------------------------ */

static bool expect(struct parser *parser, char c, const char *why)
{
	if (peek(parser) != c) {
		refuse(parser, parser->at, why);
		return false;
	}
	parser->at++;
	return true;
}

static const struct {
	const char *name;
	enum where_kind kind;
	bool argument;
} tests[] = {
	{ "not", WHERE_NOT, false },
	{ "length", WHERE_LENGTH, false },
	{ "type", WHERE_TYPE, false },
	{ "has", WHERE_HAS, true },
	{ "startswith", WHERE_STARTSWITH, true },
	{ "endswith", WHERE_ENDSWITH, true },
	{ "contains", WHERE_CONTAINS, true },
	{ "IN", WHERE_IN, true },
};

/* `( literal )`, of the kind that the test takes. */
static tree parse_argument(struct parser *parser, enum where_kind kind)
{
	skip_space(parser);
	const char *start = parser->at;
	tree literal = parse_literal(parser);
	if (!literal) {
		return NULL;
	}
	int64_t index;
	struct where_node *node = node_new(parser, kind, NULL, NULL);
	if (!node) {
		return NULL;
	}
	node->value = literal->value;
	if (literal->value.form != WHERE_STRING &&
		(kind != WHERE_HAS || xylem_json_int64(literal->value.text, &index) < 0)) {
		return refuse(parser, start,
			kind == WHERE_HAS ? "`has` takes a string or an integer" : "a string is expected");
	}
	return node;
}

/* `( literal, literal ... )` of IN, read from the left, kept as a list. */
static tree parse_members(struct parser *parser)
{
	struct where_node *head = node_new(parser, WHERE_IN, NULL, NULL);
	const struct where_node **place = head ? &head->left : NULL;
	while (place) {
		tree literal = parse_literal(parser);
		struct where_node *item = literal ? node_new(parser, WHERE_LIST, NULL, NULL) : NULL;
		if (!item) {
			return NULL;
		}
		item->value = literal->value;
		*place = item;
		place = &item->right;
		if (peek(parser) != ',') {
			break;
		}
		parser->at++;
	}
	return head;
}

static tree parse_test(struct parser *parser, struct xylem_span word)
{
	const char *start = parser->at;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (!xylem_span_is(word, tests[i].name)) {
			continue;
		}
		parser->at += word.n;
		if (!tests[i].argument) {
			return node_new(parser, tests[i].kind, NULL, NULL);
		}
		if (!expect(parser, '(', "an argument in parentheses is expected")) {
			return NULL;
		}
		tree node = tests[i].kind == WHERE_IN ? parse_members(parser)
						      : parse_argument(parser, tests[i].kind);
		return node && expect(parser, ')', "a closing parenthesis is expected") ? node : NULL;
	}
	return refuse(parser, start,
		"not part of `where`, which knows not, length, type, has, startswith, endswith, contains and "
		"IN "
		"(docs/where.md); a jq step has all of jq");
}

/* --- Paths ------------------------------------------------------------------ */

static tree parse_pipe(struct parser *parser);

/* jq reads `?//` as one word of another meaning. */
static bool take_question(struct parser *parser)
{
	if (peek(parser) != '?') {
		return false;
	}
	if (parser->end - parser->at >= 3 && parser->at[1] == '/' && parser->at[2] == '/') {
		refuse(parser, parser->at, "put a space between ? and //");
		return false;
	}
	parser->at++;
	return true;
}

static tree path_end(struct parser *parser, struct where_node *node)
{
	if (node && take_question(parser)) {
		node->optional = true;
	}
	return parser->error ? NULL : node;
}

static tree parse_field(struct parser *parser, tree left, struct xylem_span name)
{
	struct where_node *node = node_new(parser, WHERE_FIELD, left, NULL);
	if (node) {
		node->name = name;
	}
	return path_end(parser, node);
}

static tree parse_bracket(struct parser *parser, tree left)
{
	const char *start = parser->at++;
	if (peek(parser) == ']') {
		return refuse(parser, start, "iterating is not part of `where`; a jq step has it");
	}
	const char *inside = parser->at;
	tree literal = parse_literal(parser);
	if (!literal ||
		!expect(parser, ']', "a closing bracket is expected; slices are not part of `where`")) {
		return NULL;
	}
	if (literal->value.form == WHERE_STRING) {
		return parse_field(parser, left, literal->value.text);
	}
	int64_t index;
	if (xylem_json_int64(literal->value.text, &index) < 0 || index > INT32_MAX || index < -INT32_MAX) {
		return refuse(parser, inside, "an index is a string or an integer");
	}
	struct where_node *node = node_new(parser, WHERE_INDEX, left, NULL);
	if (node) {
		node->index = index;
	}
	return path_end(parser, node);
}

/* `.name` or `."name"`; `at` stands on the dot. */
static tree parse_dot(struct parser *parser, tree left)
{
	struct xylem_span name = word_at(parser, parser->at + 1);
	if (name.n > 0) {
		parser->at += 1 + name.n;
		return parse_field(parser, left, name);
	}
	const char *start = parser->at++;
	if (peek(parser) != '"') {
		return refuse(parser, start, "a name must follow the dot");
	}
	tree literal = parse_string(parser);
	return literal ? parse_field(parser, left, literal->value.text) : NULL;
}

static tree parse_identity(struct parser *parser)
{
	tree node = node_new(parser, WHERE_IDENTITY, NULL, NULL);
	if (!node) {
		return NULL;
	}
	if (is_letter(peek_second(parser))) {
		return parse_dot(parser, node);
	}
	if (peek_second(parser) == '.') {
		return refuse(parser, parser->at, "descending is not part of `where`; a jq step has it");
	}
	parser->at++;
	if (peek(parser) == '"') {
		tree literal = parse_string(parser);
		return literal ? parse_field(parser, node, literal->value.text) : NULL;
	}
	return node;
}

static tree parse_parentheses(struct parser *parser)
{
	parser->at++;
	if (++parser->depth > WHERE_DEPTH_MAX) {
		return refuse(parser, parser->at, "the expression is nested too deep");
	}
	tree inside = parse_pipe(parser);
	parser->depth--;
	return inside && expect(parser, ')', "a closing parenthesis is expected") ? inside : NULL;
}

static tree parse_term(struct parser *parser)
{
	char c = peek(parser);
	if (c == '.' && is_digit(peek_second(parser))) {
		return refuse(
			parser, parser->at, "a number is written as in JSON, with a digit before the point");
	}
	if (c == '.') {
		return parse_identity(parser);
	}
	if (c == '(') {
		return parse_parentheses(parser);
	}
	struct xylem_span word = word_at(parser, parser->at);
	if (word.n == 0 || xylem_span_is(word, "true") || xylem_span_is(word, "false") ||
		xylem_span_is(word, "null")) {
		if (c == '"' || c == '-' || is_digit(c) || word.n > 0) {
			return parse_literal(parser);
		}
		return refuse(parser, parser->at,
			c ? "not understood here (docs/where.md)" : "a path, a value or a test is expected");
	}
	return parse_test(parser, word);
}

static tree parse_postfix(struct parser *parser)
{
	tree node = parse_term(parser);
	for (char c; node && ((c = peek(parser)) == '.' || c == '[');) {
		node = c == '.' ? parse_dot(parser, node) : parse_bracket(parser, node);
	}
	if (node && peek(parser) == '?') {
		/* jq up to 1.6 lets it hide errors that come after it, from 1.7 on not: no two readings here. */
		return refuse(parser, parser->at, "`?` stands behind a part of a path only");
	}
	return node;
}

/* --- Operators -------------------------------------------------------------- */

/* The comparison that stands here and its length; 0 if none does. */
static size_t comparison_at(struct parser *parser, enum where_kind *ret_kind)
{
	static const struct {
		const char *text;
		enum where_kind kind;
	} operators[] = {
		{ "==", WHERE_EQUAL },
		{ "!=", WHERE_UNEQUAL },
		{ "<=", WHERE_LESS_EQUAL },
		{ ">=", WHERE_GREATER_EQUAL },
		{ "<", WHERE_LESS },
		{ ">", WHERE_GREATER },
	};
	skip_space(parser);
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t n = strlen(operators[i].text);
		if ((size_t)(parser->end - parser->at) >= n &&
			memcmp(parser->at, operators[i].text, n) == 0) {
			*ret_kind = operators[i].kind;
			return n;
		}
	}
	return 0;
}

static tree parse_comparison(struct parser *parser)
{
	enum where_kind kind = WHERE_EQUAL;
	tree left = parse_postfix(parser);
	size_t n = left ? comparison_at(parser, &kind) : 0;
	if (n == 0) {
		return left;
	}
	parser->at += n;
	tree right = parse_postfix(parser);
	if (right && comparison_at(parser, &(enum where_kind){ 0 }) > 0) {
		return refuse(parser, parser->at, "comparisons do not chain: join them by `and`");
	}
	return right ? node_new(parser, kind, left, right) : NULL;
}

static tree parse_and(struct parser *parser)
{
	tree left = parse_comparison(parser);
	while (left && take_word(parser, "and")) {
		tree right = parse_comparison(parser);
		left = right ? node_new(parser, WHERE_AND, left, right) : NULL;
	}
	return left;
}

static tree parse_or(struct parser *parser)
{
	tree left = parse_and(parser);
	while (left && take_word(parser, "or")) {
		tree right = parse_and(parser);
		left = right ? node_new(parser, WHERE_OR, left, right) : NULL;
	}
	return left;
}

/* Both of the following group to the right. */
static tree parse_alternative(struct parser *parser)
{
	tree left = parse_or(parser);
	if (!left || peek(parser) != '/' || peek_second(parser) != '/') {
		return left;
	}
	parser->at += 2;
	if (peek(parser) == '=') {
		return refuse(parser, parser->at - 2, "changing values is not part of `where`");
	}
	if (++parser->depth > WHERE_DEPTH_MAX) {
		return refuse(parser, parser->at, "the expression is nested too deep");
	}
	tree right = parse_alternative(parser);
	parser->depth--;
	return right ? node_new(parser, WHERE_ALTERNATIVE, left, right) : NULL;
}

static tree parse_pipe(struct parser *parser)
{
	tree left = parse_alternative(parser);
	if (!left || peek(parser) != '|') {
		return left;
	}
	if (peek_second(parser) == '=') {
		return refuse(parser, parser->at, "changing values is not part of `where`");
	}
	parser->at++;
	if (++parser->depth > WHERE_DEPTH_MAX) {
		return refuse(parser, parser->at, "the expression is nested too deep");
	}
	tree right = parse_pipe(parser);
	parser->depth--;
	return right ? node_new(parser, WHERE_PIPE, left, right) : NULL;
}

int where_parse(struct xylem_span text, struct xylem_arena *arena, const struct where_node **ret_root,
	size_t *ret_offset, struct xylem_reason *reason)
{
	struct parser parser = {
		.start = text.at, .at = text.at, .end = text.at + text.n, .arena = arena, .reason = reason
	};
	if (text.n > WHERE_BYTES_MAX || !utf8_valid(text)) {
		refuse(&parser, parser.at,
			text.n > WHERE_BYTES_MAX ? "longer than 16384 bytes" : "not valid UTF-8");
		*ret_offset = 0;
		return parser.error;
	}
	tree root = parse_pipe(&parser);
	if (root && peek(&parser) != '\0') {
		root = refuse(
			&parser, parser.at, "not understood here; a jq step has all of jq (docs/where.md)");
	}
	if (root && parser.at < parser.end) {
		root = refuse(&parser, parser.at, "a zero byte");
	}
	if (!root) {
		*ret_offset = parser.wrong ? (size_t)(parser.wrong - parser.start) : 0;
		return parser.error ? parser.error : -XYLEM_E_INTERNAL;
	}
	*ret_root = root;
	return 0;
}
