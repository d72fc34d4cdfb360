/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to places. At run time variables and arguments stand in a chain of
 * cells, the nearest first; since scopes nest as the text does, how many cells
 * lie between a name and what it means is known here.
 *
 * A name means, in this order: what the program defines around it, a form
 * (form.c), a builtin in C, a definition of the library, which is parsed when
 * the first program text asks for it.
 */
#include "json/scan.h"

#include "jq/resolve.h"

bool jq_scope_push(struct jq_scope *scope, struct jq_entry entry)
{
	if (scope->n == scope->room) {
		uint32_t room = scope->room ? scope->room * 2 : 32;
		struct jq_entry *entries = xylem_arena_take(scope->tree->arena, room * sizeof(*entries));
		if (!entries) {
			return jq_tree_fail(scope->tree, NULL, 0, "out of memory");
		}
		if (scope->n) {
			memcpy(entries, scope->entries, scope->n * sizeof(*entries));
		}
		scope->entries = entries;
		scope->room = room;
	}
	entry.depth = scope->depth;
	scope->depth += entry.kind == ENTRY_VARIABLE || entry.kind == ENTRY_CLOSURE ||
			entry.kind == ENTRY_LABEL;
	scope->entries[scope->n++] = entry;
	return true;
}

static struct xylem_span name_of(const struct jq_node *node)
{
	return xylem_span(node->value.at, node->value.n);
}

/* --- Finding -------------------------------------------------------------------------- */

static const struct jq_entry *entry_find(const struct jq_scope *scope, struct xylem_span name,
	enum jq_entry_kind kind, enum jq_entry_kind other, uint32_t arity)
{
	for (uint32_t i = scope->n; i-- > 0;) {
		const struct jq_entry *entry = &scope->entries[i];
		if ((entry->kind == kind || entry->kind == other) && xylem_span_equal(entry->name, name) &&
			(entry->kind != ENTRY_DEFINITION || entry->definition->parameter_count == arity) &&
			(entry->kind != ENTRY_CLOSURE || arity == 0)) {
			return entry;
		}
	}
	return NULL;
}

static uint32_t distance_to(const struct jq_scope *scope, const struct jq_entry *entry)
{
	return scope->depth - entry->depth - 1;
}

static void variable_resolve(struct jq_scope *scope, struct jq_node *node)
{
	struct xylem_span name = name_of(node);
	const struct jq_entry *entry = entry_find(scope, name, ENTRY_VARIABLE, ENTRY_GLOBAL, 0);
	if (entry && entry->kind == ENTRY_GLOBAL) {
		node->kind = NODE_CONSTANT;
		node->value = jq_value_json(entry->json);
	} else if (entry) {
		node->distance = distance_to(scope, entry);
	} else if (xylem_span_is(name, "ENV") && scope->tree->options->impure) {
		node->kind = NODE_WORLD;
		node->op = WORLD_ENV;
	} else if (xylem_span_is(name, "ENV")) {
		jq_tree_fail(scope->tree, node->source, node->offset,
			"$ENV is not available: a program sees its input and nothing else");
	} else {
		jq_tree_fail(scope->tree, node->source, node->offset, "$%.*s is not defined",
			(int)(name.n > 64 ? 64 : name.n), name.at);
	}
}

static void break_resolve(struct jq_scope *scope, struct jq_node *node)
{
	struct xylem_span name = name_of(node);
	const struct jq_entry *entry = entry_find(scope, name, ENTRY_LABEL, ENTRY_LABEL, 0);
	if (entry) {
		node->distance = distance_to(scope, entry);
	} else {
		jq_tree_fail(scope->tree, node->source, node->offset,
			"there is no label $%.*s around this break", (int)(name.n > 64 ? 64 : name.n),
			name.at);
	}
}

/* --- Calls ----------------------------------------------------------------------------- */

static void list_resolve(struct jq_scope *scope, struct jq_node *node)
{
	for (uint32_t i = 0; i < node->count && !scope->tree->failed; i++) {
		jq_resolve_slot(scope, &node->list[i]);
	}
}

void jq_resolve_body(struct jq_scope *scope, struct jq_definition_node *definition)
{
	uint32_t n = scope->n, depth = scope->depth;
	for (uint32_t i = 0; i < definition->parameter_count; i++) {
		struct jq_parameter *parameter = &definition->parameters[i];
		struct jq_entry entry = { ENTRY_CLOSURE, .name = parameter->name, .parameter = parameter };
		if (!parameter->value || parameter->called) {
			jq_scope_push(scope, entry);
		}
		if (parameter->value) {
			entry.kind = ENTRY_VARIABLE;
			jq_scope_push(scope, entry);
		}
	}
	if (!scope->tree->failed) {
		jq_resolve_slot(scope, &definition->body);
	}
	scope->n = n;
	scope->depth = depth;
}

static struct jq_definition_node *library_find(struct jq_tree *tree, struct xylem_span name, uint32_t arity)
{
	for (struct jq_definition_node *each = tree->library; each; each = each->next) {
		if (xylem_span_equal(each->name, name) && each->parameter_count == arity) {
			return each;
		}
	}
	const struct jq_definition *definition = jq_definition_find(name, arity);
	struct jq_source *source = definition ? xylem_arena_take(tree->arena, sizeof(*source)) : NULL;
	struct jq_unit unit;
	if (!source) {
		return NULL;
	}
	*source = (struct jq_source){ "builtin", xylem_span_of(definition->text) };
	if (!jq_parse(tree, source, &unit) || !unit.root || unit.root->kind != NODE_DEFINE) {
		return NULL;
	}
	struct jq_definition_node *made = unit.root->definition;
	made->next = tree->library;
	tree->library = made;
	struct jq_scope scope = { .tree = tree };
	jq_scope_push(&scope, (struct jq_entry){ ENTRY_DEFINITION, .name = made->name, .definition = made });
	jq_resolve_body(&scope, made);
	return made;
}

static void not_defined(struct jq_scope *scope, const struct jq_node *node)
{
	struct xylem_span name = name_of(node);
	jq_tree_fail(scope->tree, node->source, node->offset, "%.*s/%u is not defined",
		(int)(name.n > 64 ? 64 : name.n), name.at, node->count);
}

static void builtin_resolve(struct jq_scope *scope, struct jq_node *node)
{
	if (jq_form_apply(scope, node)) {
		if (!scope->tree->failed && node->kind != NODE_CALL) {
			jq_resolve_slot(scope, &node);
		}
		return;
	}
	list_resolve(scope, node);
	const struct jq_builtin *builtin = jq_builtin_find(name_of(node), node->count);
	if (builtin) {
		node->kind = NODE_BUILTIN;
		node->builtin = builtin;
		return;
	}
	struct jq_definition_node *definition = library_find(scope->tree, name_of(node), node->count);
	if (definition) {
		node->kind = NODE_INVOKE;
		node->definition = definition;
		node->distance = scope->depth;
	} else if (!scope->tree->failed) {
		not_defined(scope, node);
	}
}

static void call_resolve(struct jq_scope *scope, struct jq_node *node)
{
	const struct jq_entry *entry = entry_find(
		scope, name_of(node), ENTRY_CLOSURE, ENTRY_DEFINITION, node->count);
	if (!entry) {
		builtin_resolve(scope, node);
		return;
	}
	struct jq_entry found = *entry; /* what the arguments define may move the entries */
	list_resolve(scope, node);
	if (found.kind == ENTRY_CLOSURE) {
		node->kind = NODE_CLOSURE;
		node->parameter = found.parameter;
		node->distance = distance_to(scope, &found);
	} else {
		node->kind = NODE_INVOKE;
		node->definition = found.definition;
		node->distance = scope->depth - found.definition->depth;
	}
}

/* --- The walk --------------------------------------------------------------------------- */

static void define_resolve(struct jq_scope *scope, struct jq_node *node)
{
	struct jq_definition_node *definition = node->definition;
	definition->depth = scope->depth;
	jq_scope_push(scope,
		(struct jq_entry){ ENTRY_DEFINITION, .name = definition->name, .definition = definition });
	jq_resolve_body(scope, definition);
}

static void loop_resolve(struct jq_scope *scope, struct jq_node *node)
{
	uint32_t n = scope->n, depth = scope->depth;
	jq_resolve_slot(scope, &node->a);
	jq_resolve_slot(scope, &node->b);
	jq_scope_push(scope, (struct jq_entry){ ENTRY_VARIABLE, .name = name_of(node) });
	jq_resolve_slot(scope, &node->c);
	jq_resolve_slot(scope, &node->d);
	scope->n = n;
	scope->depth = depth;
}

static void format_resolve(struct jq_scope *scope, struct jq_node *node)
{
	struct xylem_span name = name_of(node);
	node->format = jq_format_find(name);
	if (!node->format) {
		jq_tree_fail(scope->tree, node->source, node->offset, "%.*s is not a valid format",
			(int)(name.n > 64 ? 64 : name.n), name.at);
	}
}

/* A constant string whose JSON text is its bytes between quotes. */
static void plain_note(struct jq_node *node)
{
	const char *at = node->value.at;
	if (node->kind == NODE_CONSTANT && node->value.kind == JQ_STRING &&
		scan_plain(at, at + node->value.n) == at + node->value.n) {
		node->value.flags |= JQ_PLAIN;
	}
}

/* Constant keys that all differ need no search when the object is made: noted in `optional`. */
static void object_simplify(struct jq_node *node)
{
	bool distinct = node->count <= 128;
	for (uint32_t i = 0; i < node->count && distinct; i += 2) {
		const struct jq_node *key = node->list[i];
		distinct = key->kind == NODE_CONSTANT && key->value.kind == JQ_STRING;
		plain_note(node->list[i]);
		for (uint32_t k = 0; k < i && distinct; k += 2) {
			distinct = !xylem_span_equal(name_of(key), name_of(node->list[k]));
		}
	}
	node->optional = distinct;
}

/* A key that is known is a field. */
static void index_simplify(struct jq_node *node)
{
	if (node->b->kind == NODE_CONSTANT && node->b->value.kind == JQ_STRING) {
		node->kind = NODE_FIELD;
		node->value = node->b->value;
		node->b = NULL;
	}
}

/* What is done at a node itself; gives the slot to go on with, NULL where there is none. */
static struct jq_node **node_resolve(struct jq_scope *scope, struct jq_node **slot)
{
	struct jq_node *node = *slot;
	switch (node->kind) {
	case NODE_DEFINE:
		define_resolve(scope, node);
		*slot = node->a;
		return slot;
	case NODE_BIND:
		jq_resolve_slot(scope, &node->a);
		jq_scope_push(scope, (struct jq_entry){ ENTRY_VARIABLE, .name = name_of(node) });
		return &node->b;
	case NODE_LABEL:
		jq_scope_push(scope, (struct jq_entry){ ENTRY_LABEL, .name = name_of(node) });
		return &node->a;
	case NODE_DESTRUCTURE:
		jq_resolve_slot(scope, &node->a);
		jq_scope_push(scope, (struct jq_entry){ ENTRY_VARIABLE, .name = name_of(node) });
		list_resolve(scope, node);
		return NULL;
	case NODE_REDUCE:
	case NODE_FOREACH:
		loop_resolve(scope, node);
		return NULL;
	case NODE_VARIABLE:
		variable_resolve(scope, node);
		return NULL;
	case NODE_BREAK:
		break_resolve(scope, node);
		return NULL;
	case NODE_CALL:
		call_resolve(scope, node);
		return NULL;
	case NODE_PIPE:
	case NODE_COMMA:
		jq_resolve_slot(scope, &node->a);
		return &node->b;
	case NODE_IF:
		jq_resolve_slot(scope, &node->a);
		jq_resolve_slot(scope, &node->b);
		return &node->c;
	case NODE_FORMAT:
		format_resolve(scope, node);
		return &node->a;
	default:
		list_resolve(scope, node);
		jq_resolve_slot(scope, &node->b);
		jq_resolve_slot(scope, &node->c);
		jq_resolve_slot(scope, &node->d);
		if (node->kind == NODE_INDEX && !scope->tree->failed) {
			index_simplify(node);
		}
		if (node->kind == NODE_OBJECT && !scope->tree->failed) {
			object_simplify(node);
		}
		return &node->a;
	}
}

void jq_resolve_slot(struct jq_scope *scope, struct jq_node **slot)
{
	uint32_t n = scope->n, depth = scope->depth;
	while (slot && *slot && !scope->tree->failed) {
		slot = node_resolve(scope, slot);
	}
	scope->n = n;
	scope->depth = depth;
}

void jq_scope_begin(struct jq_scope *scope, struct jq_tree *tree)
{
	*scope = (struct jq_scope){ .tree = tree };
	for (size_t i = 0; i < tree->options->argument_count; i++) {
		const struct jq_argument *argument = &tree->options->arguments[i];
		jq_scope_push(scope, (struct jq_entry){ ENTRY_GLOBAL, .name = xylem_span_of(argument->name),
					     .json = argument->json });
	}
}

struct jq_node *jq_resolve(struct jq_tree *tree, const struct jq_unit *unit)
{
	struct jq_scope scope;
	jq_scope_begin(&scope, tree);
	struct jq_node *root = unit->root;
	if (!tree->failed && jq_modules_import(&scope, unit)) {
		jq_resolve_slot(&scope, &root);
	}
	return tree->failed ? NULL : root;
}
