/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a JSON Schema. Each schema object in the file becomes one node,
 * known by the place where its text stands; so a reference finds the node of
 * its target, made or yet to be made, and recursive schemas need no more than
 * that. Nodes are compiled from a list that grows meanwhile: no recursion.
 *
 * The rule not to break: a keyword that is not in the table is refused. A
 * schema that is passed over in part lets through what its author wanted held.
 *
 * Patterns are PCRE2 in the ways that agree with ECMA-262, which JSON Schema
 * names: `$` is the very end, classes like \d are ASCII, \uXXXX is a code point.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/number.h"
#include "json/order.h"
#include "transforms/schema.h"

enum { NODES_MAX = 10000, MULTIPLE_DIGITS = 18 };

struct compile {
	struct schema_file *file;
	struct xylem_span root;
	struct xylem_reason *reason;
};

/* --- Saying what is wrong --------------------------------------------------- */

static int XYLEM_PRINTF(3, 4) refuse(struct compile *own, struct xylem_span at, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	XYLEM_BUFFER_SCOPED place = { 0 };
	xylem_json_place(own->root, at.at, &place);
	xylem_reason_set(own->reason, "schema #%.*s: %s", (int)(place.n > 200 ? 200 : place.n),
		place.n ? place.bytes : "", text);
	return -XYLEM_E_INVALID;
}

/* --- Nodes ------------------------------------------------------------------ */

static struct schema *node_find(const struct schema_file *file, struct xylem_span text)
{
	for (size_t i = 0; i < file->n; i++) {
		if (file->nodes[i]->text.at == text.at) {
			return file->nodes[i];
		}
	}
	return NULL;
}

static struct schema *node_make(struct schema_file *file, struct xylem_span text)
{
	if (file->n == file->room) {
		size_t room = file->room ? file->room * 2 : 32;
		struct schema **nodes = realloc(file->nodes, room * sizeof(struct schema *));
		if (!nodes) {
			return NULL;
		}
		file->nodes = nodes;
		file->room = room;
	}
	struct schema *node = xylem_arena_zero(file->arena, sizeof(*node));
	if (node) {
		node->text = text;
		node->min_length = node->max_length = node->min_items = node->max_items = -1;
		node->min_properties = node->max_properties = -1;
		file->nodes[file->n++] = node;
	}
	return node;
}

/* The node of the schema that stands here, to be compiled in its turn. */
static int node_at(struct compile *own, struct xylem_span text, const struct schema **ret_node)
{
	enum xylem_json_type type = xylem_json_type(text);
	if (type != XYLEM_JSON_OBJECT && type != XYLEM_JSON_TRUE && type != XYLEM_JSON_FALSE) {
		return refuse(own, text, "a schema is an object, true or false");
	}
	struct schema *node = node_find(own->file, text);
	if (!node && own->file->n == NODES_MAX) {
		return refuse(own, text, "the file has more than %d schemas", NODES_MAX);
	}
	if (!node && !(node = node_make(own->file, text))) {
		return -XYLEM_E_MEMORY;
	}
	*ret_node = node;
	return 0;
}

/* --- Readers of keywords ---------------------------------------------------- */

static int string_read(struct compile *own, struct xylem_span value, struct xylem_span *ret_text)
{
	if (xylem_json_type(value) != XYLEM_JSON_STRING) {
		return refuse(own, value, "a string is expected");
	}
	return xylem_json_string(value, own->file->arena, ret_text);
}

static int read_nothing(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	return 0;
}

static int read_schema(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	return node_at(own, value, field);
}

static int read_schemas(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	struct schema_list *list = field;
	struct xylem_json_iterator iterator;
	size_t count = xylem_json_count(value);
	if (xylem_json_type(value) != XYLEM_JSON_ARRAY || count == 0) {
		return refuse(own, value, "a list of at least one schema is expected");
	}
	list->items = xylem_arena_zero(own->file->arena, count * sizeof(struct schema *));
	if (!list->items) {
		return -XYLEM_E_MEMORY;
	}
	xylem_json_iterate(&iterator, value);
	for (int error; xylem_json_next(&iterator); list->n++) {
		if ((error = node_at(own, iterator.value, &list->items[list->n])) < 0) {
			return error;
		}
	}
	return 0;
}

static int read_number(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	if (xylem_json_type(value) != XYLEM_JSON_NUMBER) {
		return refuse(own, value, "a number is expected");
	}
	*(struct xylem_span *)field = value;
	return 0;
}

static int read_multiple(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	struct decimal decimal;
	if (!decimal_read(value, &decimal) || decimal.count == 0 || decimal.negative) {
		return refuse(own, value, "a number above 0 is expected");
	}
	if (decimal.count > MULTIPLE_DIGITS || decimal.far) {
		return refuse(own, value, "multipleOf takes at most %d digits here", MULTIPLE_DIGITS);
	}
	*(struct xylem_span *)field = value;
	return 0;
}

static int read_count(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	int64_t count;
	if (xylem_json_int64(value, &count) < 0 || count < 0) {
		return refuse(own, value, "a whole number of 0 or more is expected");
	}
	*(int64_t *)field = count;
	return 0;
}

static int read_flag(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	enum xylem_json_type type = xylem_json_type(value);
	if (type != XYLEM_JSON_TRUE && type != XYLEM_JSON_FALSE) {
		return refuse(own, value, "true or false is expected");
	}
	*(bool *)field = type == XYLEM_JSON_TRUE;
	return 0;
}

static int read_value(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	*(struct xylem_span *)field = value;
	return 0;
}

static int read_enum(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	if (xylem_json_type(value) != XYLEM_JSON_ARRAY || xylem_json_count(value) == 0) {
		return refuse(own, value, "a list of at least one value is expected");
	}
	return read_value(own, node, field, value);
}

static int type_read(struct compile *own, struct xylem_span value, unsigned *types)
{
	static const struct {
		const char *name;
		unsigned bits;
	} names[] = {
		{ "null", 1u << XYLEM_JSON_NULL },
		{ "boolean", 1u << XYLEM_JSON_TRUE | 1u << XYLEM_JSON_FALSE },
		{ "number", 1u << XYLEM_JSON_NUMBER },
		{ "integer", SCHEMA_INTEGER },
		{ "string", 1u << XYLEM_JSON_STRING },
		{ "array", 1u << XYLEM_JSON_ARRAY },
		{ "object", 1u << XYLEM_JSON_OBJECT },
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (xylem_json_string_equals(value, xylem_span_of(names[i].name))) {
			*types |= names[i].bits;
			return 0;
		}
	}
	return refuse(own, value, "a type is null, boolean, number, integer, string, array or object");
}

static int read_types(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	if (xylem_json_type(value) != XYLEM_JSON_ARRAY) {
		return type_read(own, value, field);
	}
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, value);
	for (int error; xylem_json_next(&iterator);) {
		if ((error = type_read(own, iterator.value, field)) < 0) {
			return error;
		}
	}
	return node->types ? 0 : refuse(own, value, "at least one type is expected");
}

static int pattern_compile(
	struct compile *own, struct xylem_span place, struct xylem_span text, pcre2_code **ret_pattern)
{
	int code;
	size_t offset;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	if (!context) {
		return -XYLEM_E_MEMORY;
	}
	pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
	*ret_pattern = pcre2_compile((PCRE2_SPTR)text.at, text.n,
		PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C, &code,
		&offset, context);
	pcre2_compile_context_free(context);
	if (!*ret_pattern) {
		char message[128] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
		return refuse(own, place, "the pattern is wrong at character %zu: %s", offset + 1, message);
	}
	return 0;
}

static int read_pattern(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	int error = string_read(own, value, &node->pattern_text);
	return error < 0 ? error : pattern_compile(own, value, node->pattern_text, &node->pattern);
}

static int read_required(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	struct xylem_json_iterator iterator;
	if (xylem_json_type(value) != XYLEM_JSON_ARRAY) {
		return refuse(own, value, "a list of member names is expected");
	}
	node->required = xylem_arena_zero(
		own->file->arena, (xylem_json_count(value) + 1) * sizeof(struct xylem_span));
	if (!node->required) {
		return -XYLEM_E_MEMORY;
	}
	xylem_json_iterate(&iterator, value);
	for (int error; xylem_json_next(&iterator); node->required_count++) {
		if ((error = string_read(own, iterator.value, &node->required[node->required_count])) < 0) {
			return error;
		}
	}
	return 0;
}

static int properties_read(struct compile *own, struct schema_properties *properties, struct xylem_span value)
{
	struct xylem_json_iterator iterator;
	if (xylem_json_type(value) != XYLEM_JSON_OBJECT) {
		return refuse(own, value, "an object of schemas is expected");
	}
	properties->items = xylem_arena_zero(
		own->file->arena, (xylem_json_count(value) + 1) * sizeof(struct schema_property));
	if (!properties->items) {
		return -XYLEM_E_MEMORY;
	}
	xylem_json_iterate(&iterator, value);
	for (; xylem_json_next(&iterator); properties->n++) {
		struct schema_property *property = &properties->items[properties->n];
		int error = string_read(own, iterator.name, &property->name);
		error = error < 0 ? error : node_at(own, iterator.value, &property->schema);
		if (error < 0) {
			return error;
		}
	}
	return 0;
}

static int read_properties(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	return properties_read(own, field, value);
}

static int read_pattern_properties(
	struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	struct schema_properties *properties = field;
	int error = properties_read(own, properties, value);
	for (size_t i = 0; i < properties->n && error == 0; i++) {
		struct schema_property *property = &properties->items[i];
		error = pattern_compile(own, value, property->name, &property->pattern);
	}
	return error;
}

/* $defs: compiled whether anything points there or not, so that what is wrong in them is said. */
static int read_definitions(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	struct schema_properties ignored = { 0 };
	return properties_read(own, &ignored, value);
}

static int read_dialect(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	static const char dialect[] = "https://json-schema.org/draft/2020-12/schema";
	struct xylem_span text;
	int error = string_read(own, value, &text);
	if (error < 0) {
		return error;
	}
	text.n -= text.n > 0 && text.at[text.n - 1] == '#';
	return xylem_span_is(text, dialect) ? 0
					    : refuse(own, value, "this bus knows one dialect, %s", dialect);
}

static int read_identity(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	return node == own->file->nodes[0]
		       ? 0
		       : refuse(own, value, "$id stands at the root only: references are local here");
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'                     ? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

/* Undoes percent-encoding in place (RFC 6901, 6). */
static struct xylem_span fragment_decode(struct xylem_arena *arena, struct xylem_span text)
{
	char *out = xylem_arena_take(arena, text.n + 1);
	size_t n = 0;
	for (size_t i = 0; out && i < text.n; i++) {
		bool encoded = text.at[i] == '%' && i + 2 < text.n && hex_value(text.at[i + 1]) >= 0 &&
			       hex_value(text.at[i + 2]) >= 0;
		out[n++] = encoded ? (char)(hex_value(text.at[i + 1]) << 4 | hex_value(text.at[i + 2]))
				   : text.at[i];
		i += encoded ? 2 : 0;
	}
	return xylem_span(out, n);
}

static int read_reference(struct compile *own, struct schema *node, void *field, struct xylem_span value)
{
	struct xylem_span text;
	int error = string_read(own, value, &text);
	if (error < 0) {
		return error;
	}
	if (text.n == 0 || text.at[0] != '#' || (text.n > 1 && text.at[1] != '/')) {
		return refuse(own, value, "references are local here, like #/$defs/line");
	}
	struct xylem_json_pointer *pointer;
	struct xylem_reason reason;
	text = fragment_decode(own->file->arena, xylem_span(text.at + 1, text.n - 1));
	if (!xylem_span_present(text)) {
		return -XYLEM_E_MEMORY;
	}
	if (xylem_json_pointer_new(&pointer, text, &reason) < 0) {
		return refuse(own, value, "%s", reason.text);
	}
	struct xylem_span target = xylem_json_pointer_get(pointer, own->root);
	xylem_json_pointer_free(pointer);
	return xylem_span_present(target) ? node_at(own, target, field)
					  : refuse(own, value, "there is nothing at #%.*s",
						    (int)(text.n > 100 ? 100 : text.n), text.at);
}

/* --- The table -------------------------------------------------------------- */

typedef int (*keyword_reader)(struct compile *own, struct schema *node, void *field, struct xylem_span value);

#define KEYWORD(name, reader, field)                         \
	{                                                    \
		name, reader, offsetof(struct schema, field) \
	}
#define ANNOTATION(name)              \
	{                             \
		name, read_nothing, 0 \
	}
static const struct {
	const char *name;
	keyword_reader read;
	size_t offset;
} keywords[] = {
	KEYWORD("type", read_types, types),
	KEYWORD("enum", read_enum, enumeration),
	KEYWORD("const", read_value, constant),
	KEYWORD("properties", read_properties, properties),
	KEYWORD("patternProperties", read_pattern_properties, pattern_properties),
	KEYWORD("additionalProperties", read_schema, additional_properties),
	KEYWORD("required", read_required, required),
	KEYWORD("minProperties", read_count, min_properties),
	KEYWORD("maxProperties", read_count, max_properties),
	KEYWORD("prefixItems", read_schemas, prefix_items),
	KEYWORD("items", read_schema, items),
	KEYWORD("minItems", read_count, min_items),
	KEYWORD("maxItems", read_count, max_items),
	KEYWORD("uniqueItems", read_flag, unique_items),
	KEYWORD("minimum", read_number, minimum),
	KEYWORD("maximum", read_number, maximum),
	KEYWORD("exclusiveMinimum", read_number, exclusive_minimum),
	KEYWORD("exclusiveMaximum", read_number, exclusive_maximum),
	KEYWORD("multipleOf", read_multiple, multiple_of),
	KEYWORD("minLength", read_count, min_length),
	KEYWORD("maxLength", read_count, max_length),
	KEYWORD("pattern", read_pattern, pattern),
	KEYWORD("allOf", read_schemas, all_of),
	KEYWORD("anyOf", read_schemas, any_of),
	KEYWORD("oneOf", read_schemas, one_of),
	KEYWORD("not", read_schema, not_),
	KEYWORD("if", read_schema, if_),
	KEYWORD("then", read_schema, then_),
	KEYWORD("else", read_schema, else_),
	KEYWORD("$ref", read_reference, ref),
	{ "$defs", read_definitions, 0 },
	{ "definitions", read_definitions, 0 },
	{ "$schema", read_dialect, 0 },
	{ "$id", read_identity, 0 },
	ANNOTATION("$comment"),
	ANNOTATION("title"),
	ANNOTATION("description"),
	ANNOTATION("default"),
	ANNOTATION("examples"),
	ANNOTATION("format"),
	ANNOTATION("deprecated"),
	ANNOTATION("readOnly"),
	ANNOTATION("writeOnly"),
	ANNOTATION("contentEncoding"),
	ANNOTATION("contentMediaType"),
};

static int keyword_compile(struct compile *own, struct schema *node, const struct xylem_json_iterator *member)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (xylem_json_string_equals(member->name, xylem_span_of(keywords[i].name))) {
			return keywords[i].read(own, node, (char *)node + keywords[i].offset, member->value);
		}
	}
	return refuse(own, member->value,
		"the keyword %.*s is not in the subset of JSON Schema that this bus knows",
		(int)(member->name.n > 64 ? 64 : member->name.n), member->name.at);
}

static int node_compile(struct compile *own, struct schema *node)
{
	struct xylem_json_iterator iterator;
	if (xylem_json_type(node->text) != XYLEM_JSON_OBJECT) {
		node->never = xylem_json_type(node->text) == XYLEM_JSON_FALSE;
		return 0;
	}
	if (json_member_count(node->text) != xylem_json_count(node->text)) {
		return refuse(own, node->text, "a keyword stands twice");
	}
	xylem_json_iterate(&iterator, node->text);
	while (xylem_json_next(&iterator)) {
		int error = keyword_compile(own, node, &iterator);
		if (error < 0) {
			return error;
		}
	}
	return 0;
}

/* --- The file --------------------------------------------------------------- */

struct schema_file *schema_file_free(struct schema_file *file)
{
	if (file) {
		for (size_t i = 0; i < file->n; i++) {
			pcre2_code_free(file->nodes[i]->pattern);
			const struct schema_properties *patterns = &file->nodes[i]->pattern_properties;
			for (size_t k = 0; k < patterns->n; k++) {
				pcre2_code_free(patterns->items[k].pattern);
			}
		}
		free(file->nodes);
		xylem_arena_free(file->arena);
		free(file);
	}
	return NULL;
}

static int file_compile(struct schema_file *file, struct xylem_span text, struct xylem_reason *reason)
{
	struct compile own = { .file = file, .reason = reason };
	struct xylem_reason why;
	const struct schema *root;
	if (xylem_json_check(text, NULL, &why) < 0) {
		xylem_reason_set(reason, "the schema is %s", why.text);
		return -XYLEM_E_INVALID;
	}
	own.root = xylem_json_trim(xylem_arena_copy(file->arena, text));
	int error = xylem_span_present(own.root) ? node_at(&own, own.root, &root) : -XYLEM_E_MEMORY;
	for (size_t i = 0; i < file->n && error == 0; i++) {
		error = node_compile(&own, file->nodes[i]);
	}
	const struct schema *loop = NULL;
	error = error < 0 ? error : schema_loop_find(file, &loop);
	return loop ? refuse(&own, loop->text, "it refers to itself about the same value") : error;
}

int schema_file_new(struct schema_file **ret_file, struct xylem_span text, struct xylem_reason *reason)
{
	struct schema_file *file = calloc(1, sizeof(*file));
	if (!file) {
		return -XYLEM_E_MEMORY;
	}
	file->arena = xylem_arena_new(0);
	int error = file->arena ? file_compile(file, text, reason) : -XYLEM_E_MEMORY;
	if (error < 0) {
		schema_file_free(file);
		return error;
	}
	*ret_file = file;
	return 0;
}
