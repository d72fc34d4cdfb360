/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a tree, and nodes that do not come from a file.
 */
#include <stdlib.h>
#include <string.h>

#include <config/tree.h>

struct config_place tree_place(const struct tree_node *node)
{
	return (struct config_place){ node->file->name, node->line, node->column };
}

struct tree_node *tree_find(const struct tree_node *mapping, const char *name)
{
	if (!mapping || mapping->kind != TREE_MAPPING) {
		return NULL;
	}
	for (size_t i = 0; i < mapping->n; i++) {
		if (strcmp(mapping->members[i].key->text, name) == 0) {
			return mapping->members[i].value;
		}
	}
	return NULL;
}

bool tree_empty(const struct tree_node *node)
{
	return !node ||
	       (node->kind == TREE_SCALAR && node->style == TREE_PLAIN &&
		       (node->n == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0));
}

const char *tree_kind_name(const struct tree_node *node)
{
	if (tree_empty(node)) {
		return "nothing";
	}
	switch (node->kind) {
	case TREE_LIST:
		return "a list";
	case TREE_MAPPING:
		return "a mapping";
	case TREE_SCALAR:
		break;
	}
	return "text";
}

#define QUOTE_TEXT 60

const char *tree_quote(const struct tree_node *node, char text[TREE_QUOTE_SIZE])
{
	if (node->kind != TREE_SCALAR || tree_empty(node)) {
		strcpy(text, tree_kind_name(node));
		return text;
	}
	size_t n = strlen(node->raw), kept = n > QUOTE_TEXT ? QUOTE_TEXT : n;
	while (kept < n && kept && (node->raw[kept] & 0xc0) == 0x80) {
		kept--;
	}
	char *at = text;
	*at++ = '`';
	for (size_t i = 0; i < kept; i++) {
		unsigned char byte = (unsigned char)node->raw[i];
		*at++ = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
	}
	strcpy(at, kept < n ? "...`" : "`");
	return text;
}

static struct tree_node *node_new(
	struct xylem_arena *arena, const struct tree_file *file, enum tree_kind kind)
{
	struct tree_node *node = xylem_arena_zero(arena, sizeof(*node));
	if (node) {
		*node = (struct tree_node){ .kind = kind, .file = file, .line = 1, .column = 1, .weight = 1 };
	}
	return node;
}

struct tree_node *tree_scalar_new(struct xylem_arena *arena, const struct tree_file *file, const char *text)
{
	struct tree_node *node = node_new(arena, file, TREE_SCALAR);
	if (node) {
		node->text = node->raw = xylem_arena_text(arena, xylem_span_of(text));
		node->n = strlen(text);
		node->style = TREE_DOUBLE_QUOTED;
	}
	return node && node->text ? node : NULL;
}

static struct tree_node *json_scalar(
	struct xylem_arena *arena, const struct tree_file *file, const json_t *json)
{
	char *text = json_is_string(json) ? NULL : json_dumps(json, JSON_ENCODE_ANY);
	struct tree_node *node = tree_scalar_new(arena, file, text ? text : json_string_value(json));
	if (node && !json_is_string(json)) {
		node->style = TREE_PLAIN;
	}
	free(text);
	return node;
}

static struct tree_node *json_node(
	struct xylem_arena *arena, const struct tree_file *file, const json_t *json, unsigned depth);

static struct tree_node *json_list(
	struct xylem_arena *arena, const struct tree_file *file, const json_t *json, unsigned depth)
{
	struct tree_node *node = node_new(arena, file, TREE_LIST);
	size_t n = json_array_size(json);
	struct tree_node **items = xylem_arena_take(arena, (n + 1) * sizeof(*items));
	for (size_t i = 0; items && i < n; i++) {
		items[i] = json_node(arena, file, json_array_get(json, i), depth + 1);
		if (!items[i]) {
			return NULL;
		}
	}
	if (node) {
		node->items = items;
		node->n = n;
	}
	return items ? node : NULL;
}

static struct tree_node *json_mapping(
	struct xylem_arena *arena, const struct tree_file *file, const json_t *json, unsigned depth)
{
	struct tree_node *node = node_new(arena, file, TREE_MAPPING);
	struct tree_member *members = xylem_arena_take(
		arena, (json_object_size(json) + 1) * sizeof(*members));
	const char *name;
	json_t *value;
	if (!node || !members) {
		return NULL;
	}
	node->members = members;
	json_object_foreach((json_t *)(uintptr_t)json, name, value)
	{
		struct tree_member member = { tree_scalar_new(arena, file, name),
			json_node(arena, file, value, depth + 1) };
		if (!member.key || !member.value) {
			return NULL;
		}
		members[node->n++] = member;
	}
	return node;
}

/* Recursion is bounded by TREE_DEPTH. */
static struct tree_node *json_node(
	struct xylem_arena *arena, const struct tree_file *file, const json_t *json, unsigned depth)
{
	if (depth > TREE_DEPTH) {
		return NULL;
	}
	if (json_is_object(json)) {
		return json_mapping(arena, file, json, depth);
	}
	return json_is_array(json) ? json_list(arena, file, json, depth) : json_scalar(arena, file, json);
}

struct tree_node *tree_json_new(struct xylem_arena *arena, const struct tree_file *file, const json_t *json)
{
	return json_node(arena, file, json, 0);
}
