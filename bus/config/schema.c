/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option tables as JSON Schema 2020-12. Where a scalar is typed, a string
 * with `${...}` is allowed beside it, since variables are put in after
 * parsing. Text may be written as a YAML number or boolean, because the bus
 * takes what is written as text when the option is text.
 */
#include <string.h>

#include <config/fill.h>
#include <config/schema.h>
#include <config/sections.h>
#include <config/tables.h>
#include <config/text.h>
#include <route/lane_options.h>

#define NAME_PATTERN "^[a-z0-9][a-z0-9_-]{0,63}$"
#define TOPIC_PATTERN "^[a-z0-9][a-z0-9_./-]{0,63}$"

static json_t *reference(const char *name)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/$defs/%s", name));
}

static json_t *text_schema(void)
{
	return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
}

static json_t *pattern_schema(const char *pattern)
{
	return json_pack("{s:s,s:s}", "type", "string", "pattern", pattern);
}

static json_t *or_variable(json_t *schema)
{
	return json_pack("{s:[o,o]}", "anyOf", schema, reference("variable"));
}

static json_t *choices_schema(const char *const *choices)
{
	json_t *list = json_array();
	for (; *choices; choices++) {
		json_array_append_new(list, json_string(*choices));
	}
	return json_pack("{s:o}", "enum", list);
}

static json_t *integer_schema(const struct xylem_option *option)
{
	json_t *schema = json_pack("{s:s}", "type", "integer");
	if (option->minimum || option->maximum) {
		json_object_set_new(schema, "minimum", json_integer(option->minimum));
		json_object_set_new(schema, "maximum", json_integer(option->maximum));
	}
	return schema;
}

static json_t *string_schema(const struct xylem_option *option)
{
	json_t *schema = text_schema();
	/* Bounds are bytes; a character is at least one, so only the upper bound carries over. */
	if (option->maximum) {
		json_object_set_new(schema, "maxLength", json_integer(option->maximum));
	}
	return schema;
}

static json_t *value_schema(const struct xylem_option *option)
{
	switch (option->type) {
	case XYLEM_OPTION_BOOL:
		return or_variable(json_pack("{s:s}", "type", "boolean"));
	case XYLEM_OPTION_INTEGER:
		return or_variable(integer_schema(option));
	case XYLEM_OPTION_SIZE:
		return or_variable(json_pack("{s:[s,s],s:s,s:i}", "type", "string", "integer", "pattern",
			"^[0-9]+(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$", "minimum", 0));
	case XYLEM_OPTION_DURATION:
		return or_variable(json_pack("{s:[s,s],s:s,s:i}", "type", "string", "integer", "pattern",
			"^(0|[0-9]+(us|ms|s|m|h|d))$", "maximum", 0));
	case XYLEM_OPTION_ENUM:
		return or_variable(choices_schema(option->choices));
	case XYLEM_OPTION_NAME:
		return or_variable(pattern_schema(NAME_PATTERN));
	case XYLEM_OPTION_URL:
		return or_variable(pattern_schema("^[hH][tT][tT][pP][sS]?://[^/?#@\\s]+([/?#][^\\s]*)?$"));
	case XYLEM_OPTION_ADDRESS:
		return or_variable(pattern_schema("^(unix:.+|\\[[^\\]]+\\]:[0-9]+|[^:\\[\\]\\s]+:[0-9]+)$"));
	case XYLEM_OPTION_POINTER:
		return or_variable(pattern_schema("^(/.*)?$"));
	case XYLEM_OPTION_SECRET:
		return reference("secret");
	case XYLEM_OPTION_LIST:
		return json_pack("{s:s,s:o}", "type", "array", "items", text_schema());
	case XYLEM_OPTION_MAP:
	case XYLEM_OPTION_FILES:
		return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", text_schema());
	case XYLEM_OPTION_JSON:
		return json_object();
	case XYLEM_OPTION_STRING:
		return string_schema(option);
	case XYLEM_OPTION_JID:
	case XYLEM_OPTION_PATH:
	case XYLEM_OPTION_FILE:
	case XYLEM_OPTION_EXPRESSION:
		break;
	}
	return text_schema();
}

static json_t *option_schema(const struct xylem_option *option)
{
	json_t *schema = value_schema(option);
	if (option->summary) {
		json_object_set_new(schema, "description", json_string(option->summary));
	}
	if (option->default_value && *option->default_value && option->type != XYLEM_OPTION_LIST &&
		option->type != XYLEM_OPTION_MAP && option->type != XYLEM_OPTION_JSON) {
		json_t *value = json_loads(option->default_value, JSON_DECODE_ANY, NULL);
		bool typed = option->type == XYLEM_OPTION_BOOL || option->type == XYLEM_OPTION_INTEGER;
		if (!value || !typed) {
			json_decref(value);
			value = json_string(option->default_value);
		}
		json_object_set_new(schema, "default", value);
	}
	return schema;
}

static json_t *object_new(void)
{
	return json_pack("{s:s,s:b,s:{}}", "type", "object", "additionalProperties", 0, "properties");
}

static void required_add(json_t *object, const char *name)
{
	json_t *required = json_object_get(object, "required");
	if (!required) {
		required = json_array();
		json_object_set_new(object, "required", required);
	}
	for (size_t i = 0; i < json_array_size(required); i++) {
		if (strcmp(json_string_value(json_array_get(required, i)), name) == 0) {
			return;
		}
	}
	json_array_append_new(required, json_string(name));
}

/* Walks the dots of a name, making the mappings on the way. */
static void option_add(json_t *object, const struct xylem_option *option)
{
	char part[128];
	const char *name = option->name, *dot;
	while ((dot = strchr(name, '.')) != NULL) {
		memcpy(part, name, (size_t)(dot - name));
		part[dot - name] = '\0';
		if (option->flags & XYLEM_OPTION_REQUIRED) {
			required_add(object, part);
		}
		json_t *properties = json_object_get(object, "properties");
		object = json_object_get(properties, part);
		if (!object) {
			object = object_new();
			json_object_set_new(properties, part, object);
		}
		name = dot + 1;
	}
	json_object_set_new(json_object_get(object, "properties"), name, option_schema(option));
	if (option->flags & XYLEM_OPTION_REQUIRED) {
		required_add(object, name);
	}
}

static json_t *table_schema(const struct xylem_option *options, const char *summary)
{
	json_t *object = object_new();
	json_object_set_new(object, "description", json_string(summary));
	for (; options->name; options++) {
		option_add(object, options);
	}
	return object;
}

/* Nothing at all may be written where nothing is required. */
static json_t *or_nothing(json_t *object)
{
	return json_object_get(object, "required")
		       ? object
		       : json_pack("{s:[o,{s:s}]}", "anyOf", object, "type", "null");
}

static json_t *kind_schema(const struct table *table)
{
	json_t *whole = or_nothing(table_schema(table->options, table->summary));
	const struct xylem_option *option = option_short(table->options);
	return option ? json_pack("{s:[o,o]}", "anyOf", whole, option_schema(option)) : whole;
}

/* A mapping with one member out of several kinds. */
static json_t *one_of_kinds(enum table_family family, const struct table tables[], size_t n)
{
	json_t *object = object_new();
	json_t *properties = json_object_get(object, "properties");
	json_object_set_new(object, "minProperties", json_integer(1));
	json_object_set_new(object, "maxProperties", json_integer(1));
	for (size_t i = 0; i < n; i++) {
		if (tables[i].family == family) {
			json_object_set_new(properties, tables[i].name, kind_schema(&tables[i]));
		}
	}
	return object;
}

static json_t *steps_schema(const struct table tables[], size_t n)
{
	json_t *mapping = one_of_kinds(TABLE_TRANSFORM, tables, n), *names = json_array();
	json_object_set_new(json_object_get(mapping, "properties"), "where", text_schema());
	for (size_t i = 0; i < n; i++) {
		if (tables[i].family == TABLE_TRANSFORM) {
			json_array_append_new(names, json_string(tables[i].name));
		}
	}
	json_t *items = json_array_size(names) ? json_pack("{s:[o,{s:o}]}", "anyOf", mapping, "enum", names)
					       : mapping;
	if (items == mapping) {
		json_decref(names);
	}
	return json_pack("{s:[s,s],s:o}", "type", "array", "null", "items", items);
}

static json_t *route_schema(const struct table tables[], size_t n)
{
	json_t *route = table_schema(sections[SECTION_ROUTES].options, sections[SECTION_ROUTES].summary);
	json_t *properties = json_object_get(route, "properties");
	json_object_set_new(properties, "steps", steps_schema(tables, n));
	json_object_set_new(properties, "deliver", reference("lane"));
	json_object_set_new(properties, "to",
		json_pack("{s:s,s:i,s:{s:[{s:s},{s:s,s:i,s:i,s:o}]}}", "type", "array", "minItems", 1,
			"items", "anyOf", "type", "string", "type", "object", "minProperties", 1,
			"maxProperties", 1, "additionalProperties", reference("lane")));
	return route;
}

static json_t *section_schema(enum section_number number, const struct table tables[], size_t n)
{
	const struct section *section = &sections[number];
	json_t *entry;
	if (!section->entry) {
		return or_nothing(table_schema(section->options, section->summary));
	}
	if (number == SECTION_CONNECTORS) {
		entry = one_of_kinds(TABLE_CONNECTOR, tables, n);
	} else if (number == SECTION_ROUTES) {
		entry = route_schema(tables, n);
	} else {
		entry = or_nothing(table_schema(section->options, section->summary));
	}
	return json_pack("{s:[s,s],s:s,s:o,s:o}", "type", "object", "null", "description", section->summary,
		"propertyNames", pattern_schema(number == SECTION_TOPICS ? TOPIC_PATTERN : NAME_PATTERN),
		"additionalProperties", entry);
}

static json_t *definitions(void)
{
	json_t *secret = json_pack("{s:s,s:s,s:i,s:i,s:b,s:{s:{s:s},s:{s:s},s:{s:s}}}", "description",
		"Where a secret is; it is never written in the configuration.", "type", "object",
		"minProperties", 1, "maxProperties", 1, "additionalProperties", 0, "properties", "env",
		"type", "string", "file", "type", "string", "credential", "type", "string");
	json_t *lane = json_pack("{s:[o,{s:s}]}", "anyOf",
		table_schema(lane_options_table, "How a lane delivers."), "type", "null");
	return json_pack("{s:o,s:o,s:o}", "secret", secret, "lane", lane, "variable",
		pattern_schema("\\$\\{[A-Za-z_][A-Za-z0-9_]*(:[-?][^}]*)?\\}"));
}

json_t *schema_new(void)
{
	static struct table tables[TABLES_MOST];
	size_t n = tables_list(tables);
	json_t *schema = object_new();
	json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("Configuration of xylemd"));
	json_object_set_new(schema, "$defs", definitions());
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		json_object_set_new(json_object_get(schema, "properties"), sections[i].name,
			section_schema((enum section_number)i, tables, n));
	}
	return schema;
}
