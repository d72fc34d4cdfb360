/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `import`, `include` and what they bring. A module's text comes from whoever
 * compiles the program, by name: the room reads no files. Its definitions see
 * what the module itself imports and defines, and the arguments, nothing of the
 * program around.
 */
#include "json/scan.h"

#include "jq/resolve.h"

enum { MODULES = 64 }; /* of one program */

struct jq_module {
	struct xylem_span name;
	struct jq_definition_node **definitions;
	uint32_t n;
	bool reading; /* asked for while it is being read: a circle */
	struct jq_module *next;
};

static struct xylem_span joined(struct jq_tree *tree, struct xylem_span alias, struct xylem_span name)
{
	return xylem_span_present(alias) ? xylem_span_of(xylem_arena_format(tree->arena, "%.*s::%.*s",
						   (int)alias.n, alias.at, (int)name.n, name.at))
					 : name;
}

static bool definitions_resolve(struct jq_tree *tree, struct jq_module *module, const struct jq_unit *unit)
{
	struct jq_scope scope;
	uint32_t n = 0;
	jq_scope_begin(&scope, tree);
	if (!jq_modules_import(&scope, unit)) {
		return false;
	}
	struct jq_node *node = unit->root;
	for (; node && node->kind == NODE_DEFINE; node = node->a) {
		n++;
	}
	if (node) {
		return jq_tree_fail(
			tree, node->source, node->offset, "a module has definitions only, no expression");
	}
	module->definitions = xylem_arena_take(tree->arena, (n + 1) * sizeof(struct jq_definition_node *));
	if (!module->definitions) {
		return false;
	}
	for (node = unit->root; node; node = node->a) {
		struct jq_definition_node *definition = node->definition;
		jq_scope_push(&scope, (struct jq_entry){ ENTRY_DEFINITION, .name = definition->name,
					      .definition = definition });
		jq_resolve_body(&scope, definition);
		module->definitions[module->n++] = definition;
	}
	return !tree->failed;
}

static struct jq_module *module_add(struct jq_tree *tree, struct xylem_span name)
{
	size_t count = 0;
	for (struct jq_module *each = tree->modules; each; each = each->next) {
		count++;
	}
	struct jq_module *module = count < MODULES ? xylem_arena_zero(tree->arena, sizeof(*module)) : NULL;
	if (module) {
		module->name = name;
		module->next = tree->modules;
		tree->modules = module;
	}
	return module;
}

static bool text_find(struct jq_tree *tree, const struct jq_unit *unit, const struct jq_import *import,
	struct jq_source *source)
{
	const struct jq_modules *modules = &tree->options->modules;
	const char *file = NULL;
	int error = modules->find ? modules->find(modules->context, import->name, import->data, &source->text,
					    &file)
				  : -XYLEM_E_NOT_FOUND;
	if (error < 0) {
		return jq_tree_fail(tree, unit->source, import->offset, "there is no module \"%.*s\"",
			(int)(import->name.n > 64 ? 64 : import->name.n), import->name.at);
	}
	source->text = xylem_arena_copy(tree->arena, source->text);
	source->file = xylem_arena_text(tree->arena, file ? xylem_span_of(file) : import->name);
	return source->text.at && source->file;
}

static struct jq_module *module_read(
	struct jq_tree *tree, const struct jq_unit *unit, const struct jq_import *import)
{
	for (struct jq_module *each = tree->modules; each; each = each->next) {
		if (xylem_span_equal(each->name, import->name)) {
			return each->reading ? jq_tree_fail(tree, unit->source, import->offset,
						       "modules import each other in a circle")
					     : each;
		}
	}
	struct jq_source *source = xylem_arena_zero(tree->arena, sizeof(*source));
	struct jq_module *module = source ? module_add(tree, import->name) : NULL;
	struct jq_unit own;
	if (!module) {
		return jq_tree_fail(tree, unit->source, import->offset, "more than %d modules", MODULES);
	}
	module->reading = true;
	if (!text_find(tree, unit, import, source) || !jq_parse(tree, source, &own) ||
		!definitions_resolve(tree, module, &own)) {
		return NULL;
	}
	module->reading = false;
	return module;
}

/* The JSON texts of a file, white space between them, as one list. */
static struct xylem_span texts_list(struct jq_tree *tree, struct xylem_span text)
{
	XYLEM_BUFFER_SCOPED list = { 0 };
	const char *end = text.at + text.n, *at = scan_space(text.at, end);
	xylem_buffer_byte(&list, '[');
	while (at < end) {
		const char *stop = scan_text(at, end);
		stop += stop == at; /* what begins no value: the check will say so */
		xylem_json_write_comma(&list);
		xylem_buffer_span(&list, xylem_span(at, (size_t)(stop - at)));
		at = scan_space(stop, end);
	}
	xylem_buffer_byte(&list, ']');
	return xylem_arena_copy(tree->arena, xylem_buffer_borrow(&list));
}

/* `import "NAME" as $x`: an array of the file's values. */
static bool data_import(struct jq_scope *scope, const struct jq_unit *unit, const struct jq_import *import)
{
	struct jq_tree *tree = scope->tree;
	struct jq_source source = { 0 };
	struct xylem_reason reason;
	if (!text_find(tree, unit, import, &source)) {
		return false;
	}
	struct xylem_span json = texts_list(tree, source.text);
	if (!json.at || xylem_json_check(json, NULL, &reason) < 0) {
		return jq_tree_fail(tree, unit->source, import->offset, "the data \"%.*s\" is %s",
			(int)import->name.n, import->name.at, json.at ? reason.text : "too large");
	}
	struct jq_entry entry = { ENTRY_GLOBAL, .name = import->alias, .json = json };
	jq_scope_push(scope, entry);
	entry.name = joined(tree, import->alias, import->alias);
	return jq_scope_push(scope, entry);
}

bool jq_modules_import(struct jq_scope *scope, const struct jq_unit *unit)
{
	for (const struct jq_import *import = unit->imports; import && !scope->tree->failed;
		import = import->next) {
		if (import->data) {
			data_import(scope, unit, import);
			continue;
		}
		struct jq_module *module = module_read(scope->tree, unit, import);
		for (uint32_t i = 0; module && i < module->n; i++) {
			struct jq_definition_node *definition = module->definitions[i];
			jq_scope_push(
				scope, (struct jq_entry){ ENTRY_DEFINITION,
					       .name = joined(scope->tree, import->alias, definition->name),
					       .definition = definition });
		}
	}
	return !scope->tree->failed;
}
