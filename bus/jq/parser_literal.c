/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, strings with what is interpolated, objects and arrays, as they are
 * written in a program.
 */
#include "json/scan.h"

#include "jq/parser.h"

/* --- Numbers and strings ------------------------------------------------------------ */

/* As JSON writes it: `.5`, `1.` and `007` are numbers here too. */
struct jq_node *jq_number_literal(struct jq_parser *parser)
{
	struct xylem_span text = parser->lexer.text;
	uint32_t offset = jq_parser_here(parser);
	while (text.n > 1 && text.at[0] == '0' && scan_is_digit(text.at[1])) {
		text = xylem_span(text.at + 1, text.n - 1);
	}
	const char *point = memchr(text.at, '.', text.n);
	bool digit_before = scan_is_digit(text.at[0]);
	bool digit_behind = !point || (point + 1 < text.at + text.n && scan_is_digit(point[1]));
	if (!digit_before || !digit_behind) {
		int whole = point ? (int)(point - text.at) : 0, rest = (int)text.n - whole - 1;
		char *made = xylem_arena_format(parser->tree->arena, "%s%.*s.%s%.*s", digit_before ? "" : "0",
			whole, text.at, digit_behind ? "" : "0", rest, point ? point + 1 : "");
		text = xylem_span_of(made);
	}
	jq_parser_next(parser);
	return text.at ? jq_parser_constant(parser, offset,
				 (struct jq_value){
					 .kind = JQ_LITERAL, .n = (uint32_t)text.n, .at = text.at })
		       : NULL;
}

/* A stretch of a string's text, up to a quote or `\(`: unescaped. */
static struct jq_node *string_text(struct jq_parser *parser, const char *at, const char *end)
{
	uint32_t offset = (uint32_t)(at - parser->lexer.start);
	char *quoted = xylem_arena_format(parser->tree->arena, "\"%.*s\"", (int)(end - at), at);
	if (!quoted) {
		return NULL;
	}
	/* Line ends and the like may stand in it as they are. */
	struct xylem_span json = xylem_span_of(quoted), bytes;
	for (char *c = quoted; *c; c++) {
		*c = (unsigned char)*c < 0x20 ? ' ' : *c;
	}
	size_t wrong_at;
	struct xylem_reason reason;
	if (memchr(at, '\0', (size_t)(end - at)) || xylem_json_check(json, &wrong_at, &reason) < 0) {
		return jq_tree_fail(
			parser->tree, parser->source, offset, "a string with a wrong escape or character");
	}
	if (memchr(at, '\\', (size_t)(end - at)) == NULL) {
		return jq_parser_constant(
			parser, offset, jq_string_borrow(xylem_span(at, (size_t)(end - at))));
	}
	/* Controls were blanked for the check only: they are put back where they stood. */
	memcpy(quoted + 1, at, (size_t)(end - at));
	return xylem_json_string(json, parser->tree->arena, &bytes) < 0
		       ? NULL
		       : jq_parser_constant(parser, offset, jq_string_borrow(bytes));
}

static const char *string_stop(const struct jq_parser *parser, const char *at)
{
	const char *end = parser->lexer.end;
	while (at < end && *at != '"' && !(*at == '\\' && end - at > 1 && at[1] == '(')) {
		at += *at == '\\' && end - at > 1 ? 2 : 1;
	}
	return at;
}

static struct jq_node *interpolation_read(struct jq_parser *parser, struct xylem_span format)
{
	jq_parser_next(parser);
	uint32_t offset = jq_parser_here(parser);
	struct jq_node *inner = jq_pipe_read(parser);
	if (!inner || jq_parser_token(parser) != ')') {
		return inner ? jq_parser_wrong(parser, "`)` behind what stands in a string") : NULL;
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_FORMAT, format);
	if (made) {
		made->a = inner;
	}
	return made; /* the lexer is behind `)`, in the string again */
}

/* At the opening quote. */
static struct jq_node *string_read(struct jq_parser *parser, struct xylem_span format)
{
	uint32_t offset = jq_parser_here(parser);
	const char *at = parser->lexer.token_at + 1;
	struct jq_list parts = { 0 };
	for (;;) {
		const char *stop = string_stop(parser, at);
		if (stop >= parser->lexer.end) {
			return jq_tree_fail(parser->tree, parser->source, offset, "the string does not end");
		}
		bool ends = *stop == '"';
		if ((stop > at || (ends && parts.n == 0)) &&
			!jq_list_add(parser, &parts, string_text(parser, at, stop))) {
			return NULL;
		}
		if (ends) {
			parser->lexer.at = stop + 1;
			jq_parser_next(parser);
			break;
		}
		parser->lexer.at = stop + 2;
		if (!jq_list_add(parser, &parts, interpolation_read(parser, format))) {
			return NULL;
		}
		at = parser->lexer.at;
	}
	if (parts.n == 1 && parts.items[0]->kind == NODE_CONSTANT) {
		return parts.items[0];
	}
	return jq_list_give(jq_parser_make(parser, offset, NODE_STRING, NULL, NULL), &parts);
}

static struct jq_node *format_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct xylem_span name = parser->lexer.text;
	jq_parser_next(parser);
	if (jq_parser_token(parser) == '"') {
		return string_read(parser, name);
	}
	struct jq_node *made = jq_parser_named(parser, offset, NODE_FORMAT, name);
	if (made) {
		made->a = jq_parser_identity(parser);
	}
	return made;
}

struct jq_node *jq_string_literal(struct jq_parser *parser)
{
	return jq_parser_token(parser) == '"' ? string_read(parser, XYLEM_SPAN_LITERAL("text"))
					      : format_read(parser);
}

/* --- Objects and arrays --------------------------------------------------------------- */

struct jq_node *jq_field_literal(struct jq_parser *parser, uint32_t offset, struct xylem_span name)
{
	struct jq_node *made = jq_parser_named(parser, offset, NODE_FIELD, name);
	if (made) {
		made->a = jq_parser_identity(parser);
	}
	return made;
}

struct jq_node *jq_location(struct jq_parser *parser, uint32_t offset)
{
	char *text = xylem_arena_format(parser->tree->arena, "{\"file\":\"<top-level>\",\"line\":%u}",
		jq_place_of(parser->source, offset).line);
	return text ? jq_parser_constant(parser, offset,
			      (struct jq_value){
				      .kind = JQ_OBJECT_RAW, .n = (uint32_t)strlen(text), .at = text })
		    : NULL;
}

/* A member without a value of its own: `{a}`, `{$a}`, `{"a b"}`, `{$__loc__}`. */
static struct jq_node *member_short(struct jq_parser *parser, uint32_t offset, int kind, struct jq_node *key)
{
	struct xylem_span name = xylem_span(key->value.at, key->value.n);
	if (kind == TOKEN_VARIABLE) {
		return xylem_span_is(name, "__loc__") ? jq_location(parser, offset)
						      : jq_parser_named(parser, offset, NODE_VARIABLE, name);
	}
	if (kind == TOKEN_NAME || jq_token_is_keyword(kind)) {
		return jq_field_literal(parser, offset, name);
	}
	if (key->kind != NODE_CONSTANT) { /* the key is made once: see `member_put` */
		struct jq_node *own = jq_parser_make(parser, offset, NODE_IDENTITY, NULL, NULL);
		if (own) {
			own->optional = true;
		}
		return own;
	}
	/* A constant stands in one place only. */
	struct jq_node *again = jq_parser_constant(parser, offset, key->value);
	return again ? jq_parser_make(parser, offset, NODE_INDEX, jq_parser_identity(parser), again) : NULL;
}

static struct jq_node *member_key(struct jq_parser *parser, int kind)
{
	uint32_t offset = jq_parser_here(parser);
	if (kind == '(') {
		jq_parser_next(parser);
		struct jq_node *key = jq_pipe_read(parser);
		if (!key || !jq_parser_expect(parser, ')', "`)` behind an object key")) {
			return NULL;
		}
		return key;
	}
	if (kind == '"' || kind == TOKEN_FORMAT) {
		return jq_string_literal(parser);
	}
	if (kind == TOKEN_NAME || kind == TOKEN_VARIABLE || jq_token_is_keyword(kind)) {
		struct jq_node *key = jq_parser_constant(
			parser, offset, jq_string_borrow(parser->lexer.text));
		jq_parser_next(parser);
		return key;
	}
	if (kind == TOKEN_NUMBER) {
		return jq_tree_fail(
			parser->tree, parser->source, offset, "an object key is a string, not a number");
	}
	return jq_parser_wrong(
		parser, "an object key (a name, a string, a variable or an expression in parentheses)");
}

static bool member_read(struct jq_parser *parser, struct jq_list *list)
{
	int kind = jq_parser_token(parser);
	uint32_t offset = jq_parser_here(parser);
	struct jq_node *key = member_key(parser, kind), *value;
	if (!key) {
		return false;
	}
	if (jq_parser_accept(parser, ':')) {
		value = jq_pipe_without_commas(parser);
		if (kind == TOKEN_VARIABLE) { /* {$name: ...}: the key is the variable's value */
			key = jq_parser_named(
				parser, offset, NODE_VARIABLE, xylem_span(key->value.at, key->value.n));
		}
	} else if (kind == '(') {
		jq_parser_wrong(parser, "`:` behind an object key in parentheses");
		return false;
	} else {
		value = member_short(parser, offset, kind, key);
	}
	return jq_list_add(parser, list, key) && jq_list_add(parser, list, value);
}

struct jq_node *jq_object_literal(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct jq_list list = { 0 };
	jq_parser_next(parser);
	while (jq_parser_token(parser) != '}') {
		if (!member_read(parser, &list)) {
			return NULL;
		}
		if (!jq_parser_accept(parser, ',')) {
			break;
		}
	}
	if (!jq_parser_expect(parser, '}', "`,` or `}`")) {
		return NULL;
	}
	return jq_list_give(jq_parser_make(parser, offset, NODE_OBJECT, NULL, NULL), &list);
}

struct jq_node *jq_array_literal(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	struct jq_node *inner = NULL;
	jq_parser_next(parser);
	if (jq_parser_token(parser) != ']' && !(inner = jq_pipe_read(parser))) {
		return NULL;
	}
	return jq_parser_expect(parser, ']', "`]`") ? jq_parser_make(parser, offset, NODE_ARRAY, inner, NULL)
						    : NULL;
}
