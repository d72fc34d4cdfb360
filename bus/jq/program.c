/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a text to a program: parsed, names resolved, results counted. All of it
 * lies in one arena and is never changed again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/utf8.h"

#include "jq/program.h"

enum { LINE_SHOWN = 120 };

static const struct jq_limits limits_default = {
	.steps = 10000000,
	.memory = (size_t)64 * 1024 * 1024,
	.depth = 10000,
	.output = (size_t)16 * 1024 * 1024,
	.time_us = 5000000,
};

/* --- Nodes and errors --------------------------------------------------------------- */

struct jq_node *jq_node_new(
	struct jq_tree *tree, const struct jq_source *source, uint32_t offset, enum jq_node_kind kind)
{
	if (tree->node_count == JQ_NODES) {
		return jq_tree_fail(tree, source, offset, "the program has more than %d parts", JQ_NODES);
	}
	struct jq_node *node = xylem_arena_zero(tree->arena, sizeof(*node));
	if (!node) {
		return jq_tree_fail(tree, source, offset, "out of memory");
	}
	node->kind = (uint8_t)kind;
	node->source = source;
	node->offset = offset;
	node->made_before = tree->last;
	tree->last = node;
	tree->node_count++;
	return node;
}

struct jq_place jq_place_of(const struct jq_source *source, uint32_t offset)
{
	struct jq_place place = { 1, 1 };
	const char *line = source->text.at;
	for (uint32_t i = 0; i < offset && i < source->text.n; i++) {
		if (source->text.at[i] == '\n') {
			place.line++;
			line = source->text.at + i + 1;
		}
	}
	size_t behind = (size_t)(source->text.at + offset - line);
	place.column = 1 + (uint32_t)utf8_count(xylem_span(line, behind));
	return place;
}

/* The line, cut around the column, and a caret under it. */
static void line_show(struct xylem_buffer *out, const struct jq_source *source, uint32_t offset)
{
	const char *start = source->text.at, *end = start + source->text.n, *at = start + offset;
	const char *line = at, *stop = at;
	while (line > start && line[-1] != '\n' && at - line < LINE_SHOWN / 2) {
		line--;
	}
	while (line < at && ((unsigned char)*line & 0xc0) == 0x80) {
		line++;
	}
	while (stop < end && *stop != '\n' && stop - line < LINE_SHOWN) {
		stop++;
	}
	xylem_buffer_format(out, "\n    %.*s\n    ", (int)(stop - line), line);
	for (const char *c = line; c < at; c++) {
		if (((unsigned char)*c & 0xc0) != 0x80) {
			xylem_buffer_byte(out, *c == '\t' ? '\t' : ' ');
		}
	}
	xylem_buffer_byte(out, '^');
}

void *jq_tree_fail(
	struct jq_tree *tree, const struct jq_source *source, uint32_t offset, const char *format, ...)
{
	if (tree->failed) {
		return NULL;
	}
	tree->failed = true;
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!source) {
		xylem_reason_set(tree->reason, "%s", text);
		return NULL;
	}
	XYLEM_BUFFER_SCOPED shown = { 0 };
	tree->place = jq_place_of(source, offset);
	line_show(&shown, source, offset);
	xylem_reason_set(tree->reason, "%s:%u:%u: %s%.*s", source->file, tree->place.line, tree->place.column,
		text, (int)shown.n, shown.n ? shown.bytes : "");
	return NULL;
}

/* --- Compiling ----------------------------------------------------------------------- */

static bool program_build(struct jq_program *program, struct jq_tree *tree, struct xylem_span text)
{
	struct jq_source *source = xylem_arena_take(tree->arena, sizeof(*source));
	struct xylem_span copy = xylem_arena_copy(tree->arena, text);
	if (!source || !xylem_span_present(copy)) {
		return jq_tree_fail(tree, NULL, 0, "out of memory");
	}
	*source = (struct jq_source){ program->file, copy };
	if (text.n > JQ_PROGRAM_SIZE) {
		return jq_tree_fail(tree, NULL, 0, "%s: the program is longer than %d bytes", program->file,
			JQ_PROGRAM_SIZE);
	}
	if (!utf8_valid(text)) {
		return jq_tree_fail(tree, NULL, 0, "%s: the program is not UTF-8", program->file);
	}
	struct jq_unit unit;
	if (!jq_parse(tree, source, &unit)) {
		return false;
	}
	struct jq_node **end = &unit.root;
	while (*end && (*end)->kind == NODE_DEFINE) {
		end = &(*end)->a;
	}
	if (!*end) {
		return jq_tree_fail(tree, source, (uint32_t)text.n, "there is no program (try \".\")");
	}
	program->root = jq_resolve(tree, &unit);
	if (!program->root) {
		return false;
	}
	jq_outputs_find(tree);
	jq_actions_set(tree);
	program->payload = tree->options->spare ? jq_payload_find(program->root, &program->names)
						: PAYLOAD_WHOLE;
	program->names |= program->payload == PAYLOAD_WHOLE ? UINT32_MAX : 0;
	return jq_shapes_find(tree);
}

static void limits_set(struct jq_limits *limits, const struct jq_limits *asked)
{
	*limits = limits_default;
	limits->steps = asked->steps ? asked->steps : limits->steps;
	limits->memory = asked->memory ? asked->memory : limits->memory;
	limits->depth = asked->depth ? asked->depth : limits->depth;
	limits->output = asked->output ? asked->output : limits->output;
	limits->time_us = asked->time_us ? asked->time_us : limits->time_us;
}

/* Values of arguments and what they are called outlive the caller's. */
static bool arguments_copy(struct jq_options *options, struct xylem_arena *arena)
{
	struct jq_argument *arguments = xylem_arena_take(
		arena, (options->argument_count + 1) * sizeof(struct jq_argument));
	for (size_t i = 0; arguments && i < options->argument_count; i++) {
		arguments[i].name = xylem_arena_text(arena, xylem_span_of(options->arguments[i].name));
		arguments[i].json = xylem_arena_copy(arena, options->arguments[i].json);
		if (!arguments[i].name || !xylem_span_present(arguments[i].json)) {
			return false;
		}
	}
	options->arguments = arguments;
	return arguments != NULL;
}

int jq_program_new(struct xylem_span text, const struct jq_options *options, struct jq_program **ret_program,
	struct jq_place *ret_place, struct xylem_reason *reason)
{
	static const struct jq_options none = { 0 };
	struct jq_options own = options ? *options : none;
	struct xylem_arena *arena = xylem_arena_new(0);
	struct jq_program *program = arena ? xylem_arena_zero(arena, sizeof(*program)) : NULL;
	if (!program || !arguments_copy(&own, arena)) {
		xylem_arena_free(arena);
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	program->arena = arena;
	program->file = xylem_arena_text(arena, xylem_span_of(own.file ? own.file : "program"));
	program->impure = own.impure;
	limits_set(&program->limits, &own.limits);
	struct jq_tree tree = { .arena = arena, .options = &own, .reason = reason, .place = { 1, 1 } };
	if (!program->file || !program_build(program, &tree, text)) {
		if (ret_place) {
			*ret_place = tree.place;
		}
		jq_program_free(program);
		return -XYLEM_E_INVALID;
	}
	*ret_program = program;
	return 0;
}

static const struct jq_node *assignment_find(const struct jq_node *node)
{
	switch (node->kind) {
	case NODE_ASSIGN:
	case NODE_UPDATE:
	case NODE_CALCULATE:
		return node;
	case NODE_PIPE:
		return assignment_find(node->b);
	case NODE_AND:
	case NODE_OR: {
		const struct jq_node *left = assignment_find(node->a);
		return left ? left : assignment_find(node->b);
	}
	default:
		return NULL;
	}
}

bool jq_program_assigns(const struct jq_program *program, struct jq_place *ret_place)
{
	const struct jq_node *node = assignment_find(program->root);
	if (node) {
		*ret_place = jq_place_of(node->source, node->offset);
	}
	return node != NULL;
}

struct jq_program *jq_program_free(struct jq_program *program)
{
	if (program) {
		xylem_arena_free(program->arena);
	}
	return NULL;
}
