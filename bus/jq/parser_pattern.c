/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind `as`: `$name`, `[$a, $b]`, `{name: $a, $b, ("k"): [$c]}`,
 * several of them between `?//`. A pattern becomes a row of steps, each of
 * which takes one variable from another; variables that have no name in the
 * program get one that no program can write.
 */
#include "jq/parser.h"

struct jq_step {
	struct jq_value from, to;
	struct jq_node *key; /* NULL: `to` is the same value */
	uint32_t offset;
	struct jq_step *next;
};

struct reading {
	struct jq_parser *parser;
	struct jq_step **tail;
};

static struct jq_value hidden_name(struct jq_parser *parser)
{
	char *name = xylem_arena_format(parser->tree->arena, "*%u", parser->tree->hidden++);
	return jq_string_borrow(xylem_span_of(name ? name : "*"));
}

static bool step_add(struct reading *reading, struct jq_value from, struct jq_node *key, struct jq_value to)
{
	struct jq_parser *parser = reading->parser;
	struct jq_step *step = xylem_arena_take(parser->tree->arena, sizeof(*step));
	if (!step) {
		return jq_tree_fail(parser->tree, parser->source, jq_parser_here(parser), "out of memory");
	}
	*step = (struct jq_step){ .from = from, .to = to, .key = key, .offset = jq_parser_here(parser) };
	*reading->tail = step;
	reading->tail = &step->next;
	return true;
}

static bool pattern_of(struct reading *reading, struct jq_value whole);

/* A pattern for what `key` finds in `from`. */
static bool part_read(struct reading *reading, struct jq_value from, struct jq_node *key)
{
	struct jq_parser *parser = reading->parser;
	if (jq_parser_token(parser) == TOKEN_VARIABLE) {
		struct jq_value to = jq_string_borrow(parser->lexer.text);
		bool added = step_add(reading, from, key, to);
		jq_parser_next(parser);
		return added;
	}
	struct jq_value to = hidden_name(parser);
	return step_add(reading, from, key, to) && pattern_of(reading, to);
}

static bool array_pattern(struct reading *reading, struct jq_value whole)
{
	struct jq_parser *parser = reading->parser;
	int64_t index = 0;
	jq_parser_next(parser);
	do {
		struct jq_node *key = jq_parser_constant(parser, jq_parser_here(parser), jq_int(index++));
		if (!key || !part_read(reading, whole, key)) {
			return false;
		}
	} while (jq_parser_accept(parser, ','));
	return jq_parser_expect(parser, ']', "`,` or `]`");
}

static struct jq_node *key_read(struct jq_parser *parser)
{
	uint32_t offset = jq_parser_here(parser);
	if (jq_parser_accept(parser, '(')) {
		struct jq_node *key = jq_pipe_read(parser);
		return key && jq_parser_expect(parser, ')', "`)`") ? key : NULL;
	}
	if (jq_parser_token(parser) == '"' || jq_parser_token(parser) == TOKEN_FORMAT) {
		return jq_string_literal(parser);
	}
	if (jq_parser_token(parser) != TOKEN_NAME && jq_parser_token(parser) != TOKEN_VARIABLE &&
		!jq_token_is_keyword(jq_parser_token(parser))) {
		return jq_parser_wrong(
			parser, "a name, a string, a variable or an expression in parentheses");
	}
	struct jq_node *key = jq_parser_constant(parser, offset, jq_string_borrow(parser->lexer.text));
	jq_parser_next(parser);
	return key;
}

static bool member_pattern(struct reading *reading, struct jq_value whole)
{
	struct jq_parser *parser = reading->parser;
	bool variable = jq_parser_token(parser) == TOKEN_VARIABLE;
	struct jq_value name = jq_string_borrow(parser->lexer.text);
	struct jq_node *key = key_read(parser);
	if (!key) {
		return false;
	}
	if (!variable) {
		return jq_parser_expect(parser, ':', "`:`") && part_read(reading, whole, key);
	}
	if (!step_add(reading, whole, key, name)) {
		return false;
	}
	/* {$name: PATTERN}: both the variable and what is in it */
	return !jq_parser_accept(parser, ':') || part_read(reading, name, NULL);
}

static bool object_pattern(struct reading *reading, struct jq_value whole)
{
	jq_parser_next(reading->parser);
	do {
		if (!member_pattern(reading, whole)) {
			return false;
		}
	} while (jq_parser_accept(reading->parser, ','));
	return jq_parser_expect(reading->parser, '}', "`,` or `}`");
}

static bool pattern_of(struct reading *reading, struct jq_value whole)
{
	struct jq_parser *parser = reading->parser;
	if (!jq_parser_deeper(parser)) {
		return false;
	}
	bool read = jq_parser_token(parser) == '[' ? array_pattern(reading, whole)
		    : jq_parser_token(parser) == '{'
			    ? object_pattern(reading, whole)
			    : jq_parser_wrong(parser, "a variable or a pattern") != NULL;
	parser->depth--;
	return read;
}

static bool pattern_read(struct jq_parser *parser, struct jq_pattern *ret_pattern)
{
	struct jq_pattern pattern = { .start = parser->lexer };
	if (jq_parser_token(parser) == TOKEN_VARIABLE) {
		pattern.variable = jq_string_borrow(parser->lexer.text);
		jq_parser_next(parser);
		*ret_pattern = pattern;
		return true;
	}
	pattern.variable = hidden_name(parser);
	struct reading reading = { parser, &pattern.steps };
	bool read = pattern_of(&reading, pattern.variable);
	*ret_pattern = pattern;
	return read;
}

/* --- Nodes ------------------------------------------------------------------------------ */

static struct jq_node *step_source(struct jq_parser *parser, const struct jq_step *step)
{
	struct jq_node *from = jq_parser_named(
		parser, step->offset, NODE_VARIABLE, xylem_span(step->from.at, step->from.n));
	if (!from || !step->key) {
		return from;
	}
	/* The key is found with the value that is taken apart as its input. */
	struct jq_node *dot = jq_parser_make(parser, step->offset, NODE_IDENTITY, NULL, NULL);
	struct jq_node *index = jq_parser_make(parser, step->offset, NODE_INDEX, dot, step->key);
	return index ? jq_parser_make(parser, step->offset, NODE_PIPE, from, index) : NULL;
}

struct jq_node *jq_pattern_chain(
	struct jq_parser *parser, const struct jq_pattern *pattern, struct jq_node ***ret_slot)
{
	struct jq_node *first = NULL, **slot = &first;
	for (const struct jq_step *step = pattern->steps; step; step = step->next) {
		struct jq_node *bind = jq_parser_make(
			parser, step->offset, NODE_BIND, step_source(parser, step), NULL);
		if (!bind || !bind->a) {
			return NULL;
		}
		bind->value = step->to;
		*slot = bind;
		slot = &bind->b;
	}
	*ret_slot = slot;
	return first;
}

/* Reads the pattern at `start` once more, under the same name for the whole. */
static struct jq_node *chain_again(struct jq_parser *parser, const struct jq_lexer *start,
	struct jq_value whole, struct jq_node ***ret_slot)
{
	struct jq_lexer lexer = parser->lexer;
	parser->lexer = *start;
	struct jq_pattern again = { .variable = whole };
	struct reading reading = { parser, &again.steps };
	bool read = pattern_of(&reading, whole);
	parser->lexer = lexer;
	return read ? jq_pattern_chain(parser, &again, ret_slot) : NULL;
}

/* --- `?//` ------------------------------------------------------------------------------ */

enum { CHOICES = 16 };

static bool is_named(struct jq_value variable)
{
	return variable.at[0] != '*';
}

/* `null as $each |` for the variables of all patterns. */
static struct jq_node **nulls_add(
	struct jq_parser *parser, const struct jq_pattern *patterns, size_t n, struct jq_node **slot)
{
	for (size_t i = 0; i < n && slot; i++) {
		const struct jq_step whole = { .to = patterns[i].variable, .next = patterns[i].steps };
		for (const struct jq_step *step = &whole; step && slot; step = step->next) {
			if (is_named(step->to)) {
				struct jq_node *null = jq_parser_constant(
					parser, step->offset, jq_simple(JQ_NULL));
				*slot = jq_parser_make(parser, step->offset, NODE_BIND, null, NULL);
				if (*slot) {
					(*slot)->value = step->to;
				}
				slot = *slot ? &(*slot)->b : NULL;
			}
		}
	}
	return slot;
}

/* One way to take `whole` apart, and the pipe, read once more. */
static struct jq_node *choice_read(struct jq_parser *parser, const struct jq_pattern *patterns, size_t n,
	const struct jq_pattern *pattern, struct jq_value whole, const struct jq_lexer *pipe)
{
	struct jq_node *first = NULL, **slot = nulls_add(parser, patterns, n, &first);
	parser->lexer = *pipe;
	if (!slot) {
		return NULL;
	}
	if (pattern->steps) {
		struct jq_node **inner;
		*slot = chain_again(parser, &pattern->start, whole, &inner);
		slot = *slot ? inner : NULL;
	} else {
		const struct jq_step step = { .from = whole, .to = pattern->variable };
		*slot = jq_parser_make(
			parser, jq_parser_here(parser), NODE_BIND, step_source(parser, &step), NULL);
		if (*slot) {
			(*slot)->value = pattern->variable;
		}
		slot = *slot ? &(*slot)->b : NULL;
	}
	return slot && (*slot = jq_pipe_read(parser)) ? first : NULL;
}

/* At `?//` behind the first pattern: the others, under one name for the whole. */
static bool choices_read(struct jq_parser *parser, struct jq_pattern *pattern)
{
	struct jq_pattern *patterns = xylem_arena_take(parser->tree->arena, CHOICES * sizeof(*patterns));
	uint32_t n = 1;
	if (!patterns) {
		return false;
	}
	patterns[0] = *pattern;
	while (jq_parser_accept(parser, TOKEN_DESTRUCTURE)) {
		if (n == CHOICES) {
			return jq_parser_wrong(parser, "`|` (16 patterns are taken)");
		}
		if (!pattern_read(parser, &patterns[n++])) {
			return false;
		}
	}
	*pattern = (struct jq_pattern){ .variable = hidden_name(parser), .choices = patterns, .count = n };
	return true;
}

bool jq_pattern_read_all(struct jq_parser *parser, struct jq_pattern *ret_pattern)
{
	return pattern_read(parser, ret_pattern) &&
	       (jq_parser_token(parser) != TOKEN_DESTRUCTURE || choices_read(parser, ret_pattern));
}

struct jq_node *jq_pattern_choice(
	struct jq_parser *parser, struct jq_node *source, const struct jq_pattern *pattern)
{
	struct jq_node *made = jq_parser_make(parser, jq_parser_here(parser), NODE_DESTRUCTURE, source, NULL);
	struct jq_lexer pipe = parser->lexer;
	struct jq_list list = { 0 };
	for (uint32_t i = 0; made && i < pattern->count; i++) {
		if (!jq_list_add(parser, &list,
			    choice_read(parser, pattern->choices, pattern->count, &pattern->choices[i],
				    pattern->variable, &pipe))) {
			return NULL;
		}
	}
	if (made) {
		made->value = pattern->variable;
	}
	return jq_list_give(made, &list);
}

/* --- Loops ------------------------------------------------------------------------------ */

struct jq_node *jq_pattern_pipe(struct jq_parser *parser, const struct jq_pattern *pattern)
{
	if (pattern->count) {
		struct xylem_span whole = xylem_span(pattern->variable.at, pattern->variable.n);
		return jq_pattern_choice(parser,
			jq_parser_named(parser, jq_parser_here(parser), NODE_VARIABLE, whole), pattern);
	}
	if (!pattern->steps) {
		return jq_pipe_read(parser);
	}
	struct jq_node **slot;
	struct jq_node *chain = chain_again(parser, &pattern->start, pattern->variable, &slot);
	if (!chain || !(*slot = jq_pipe_read(parser))) {
		return NULL;
	}
	return chain;
}
