/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description of the API for programs (OpenAPI 3.1). It is made from the
 * operation table and nothing else, so it cannot say what the bus does not do;
 * what is not in the table (the stream, health, the notation of errors) stands
 * here as text.
 */
#include <stdio.h>
#include <string.h>

#include <console/openapi.h>
#include <console/operation.h>
#include <console/stream.h>
#include <metrics/build_info.h>

static const char description[] = "The operations of a Xylem bus. Times are RFC 3339 in UTC, durations are "
				  "written as `5s`, `10m`, positions are "
				  "handles (`0-1234`). Errors are problem details (RFC 9457) with a stable "
				  "`code`. A lane's name holds a slash "
				  "(`orders/erp`) and stands in a path as it is. See docs/api.md.";

static void set_type(json_t *schema, const struct xylem_option *option)
{
	switch (option->type) {
	case XYLEM_OPTION_BOOL:
		json_object_set_new(schema, "type", json_string("boolean"));
		break;
	case XYLEM_OPTION_INTEGER:
		json_object_set_new(schema, "type", json_string("integer"));
		break;
	case XYLEM_OPTION_LIST:
		json_object_set_new(schema, "type", json_string("array"));
		json_object_set_new(schema, "items", json_pack("{s:s}", "type", "string"));
		break;
	case XYLEM_OPTION_MAP:
	case XYLEM_OPTION_FILES:
		json_object_set_new(schema, "type", json_string("object"));
		json_object_set_new(schema, "additionalProperties", json_pack("{s:s}", "type", "string"));
		break;
	case XYLEM_OPTION_JSON:
		break; /* anything */
	case XYLEM_OPTION_SIZE:
	case XYLEM_OPTION_DURATION:
		json_object_set_new(schema, "type", json_pack("[s, s]", "string", "integer"));
		break;
	default:
		json_object_set_new(schema, "type", json_string("string"));
	}
}

static void set_bounds(json_t *schema, const struct xylem_option *option)
{
	if (option->type == XYLEM_OPTION_INTEGER && (option->minimum || option->maximum)) {
		json_object_set_new(schema, "minimum", json_integer(option->minimum));
		if (option->maximum != INT64_MAX) {
			json_object_set_new(schema, "maximum", json_integer(option->maximum));
		}
	}
	if (option->type == XYLEM_OPTION_STRING && option->maximum) {
		json_object_set_new(schema, "minLength", json_integer(option->minimum));
		json_object_set_new(schema, "maxLength", json_integer(option->maximum));
	}
	if (option->type == XYLEM_OPTION_NAME) {
		json_object_set_new(schema, "pattern", json_string("^[a-z0-9][a-z0-9_-]*$"));
	}
}

static void set_default(json_t *schema, const struct xylem_option *option)
{
	if (!option->default_value) {
		return;
	}
	bool typed = option->type == XYLEM_OPTION_INTEGER || option->type == XYLEM_OPTION_BOOL;
	json_t *value = typed ? json_loads(option->default_value, JSON_DECODE_ANY, NULL)
			      : json_string(option->default_value);
	json_object_set_new(schema, "default", value);
}

json_t *openapi_schema(const struct xylem_option *option)
{
	json_t *schema = json_object();
	set_type(schema, option);
	set_bounds(schema, option);
	if (option->type == XYLEM_OPTION_ENUM) {
		json_t *values = json_array();
		for (const char *const *choice = option->choices; *choice; choice++) {
			json_array_append_new(values, json_string(*choice));
		}
		json_object_set_new(schema, "enum", values);
	}
	set_default(schema, option);
	json_object_set_new(schema, "description", json_string(option->summary));
	return schema;
}

static json_t *parameter(const struct xylem_option *option, const char *in)
{
	bool required = (option->flags & XYLEM_OPTION_REQUIRED) || strcmp(in, "path") == 0;
	json_t *schema = openapi_schema(option);
	json_object_del(schema, "description");
	return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", option->name, "in", in, "required", required,
		"description", option->summary, "schema", schema);
}

static json_t *parameters(const struct operation *operation)
{
	struct xylem_span placeholder = XYLEM_SPAN_NONE;
	operation_placeholder(operation, &placeholder);
	json_t *list = json_array();
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (xylem_span_is(placeholder, option->name)) {
			json_array_append_new(list, parameter(option, "path"));
		} else if (!operation->unsafe) {
			json_array_append_new(list, parameter(option, "query"));
		}
	}
	if (operation->unsafe) {
		json_array_append_new(
			list, json_pack("{s:s}", "$ref", "#/components/parameters/idempotency-key"));
	}
	return list;
}

static json_t *body_of(const struct operation *operation)
{
	struct xylem_span placeholder = XYLEM_SPAN_NONE;
	operation_placeholder(operation, &placeholder);
	json_t *properties = json_object(), *required = json_array();
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (!xylem_span_is(placeholder, option->name)) {
			json_object_set_new(properties, option->name, openapi_schema(option));
			if (option->flags & XYLEM_OPTION_REQUIRED) {
				json_array_append_new(required, json_string(option->name));
			}
		}
	}
	bool needed = json_array_size(required) > 0;
	json_t *schema = json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
		"properties", properties, "required", required);
	return json_pack(
		"{s:b, s:{s:{s:o}}}", "required", needed, "content", "application/json", "schema", schema);
}

static json_t *success(const struct operation *operation)
{
	json_t *content = json_pack("{s:{s:{s:s}}}", "application/json", "schema", "type", "object");
	if (operation->bytes) {
		json_object_set_new(content, "application/octet-stream", json_object());
	}
	return json_pack("{s:s, s:o}", "description",
		operation->bytes ? "The bytes of the data; with `Accept: application/json` an object of "
				   "`contenttype` and "
				   "`data_text` or `data_base64`."
				 : "Done.",
		"content", content);
}

static json_t *operation_view(const struct operation *operation)
{
	char tag[32];
	size_t n = strcspn(operation->path, "/");
	memcpy(tag, operation->path, n < sizeof(tag) ? n : sizeof(tag) - 1);
	tag[n < sizeof(tag) ? n : sizeof(tag) - 1] = '\0';
	json_t *view = json_pack("{s:s, s:s, s:[s], s:s, s:s, s:o, s:{s:o, s:{s:s}}}", "operationId",
		operation->name, "summary", operation->summary, "tags", tag, "x-xylem-role",
		config_role_name(operation->role), "x-xylem-words", operation->words, "parameters",
		parameters(operation), "responses", "200", success(operation), "default", "$ref",
		"#/components/responses/problem");
	if (operation->unsafe) {
		json_object_set_new(view, "requestBody", body_of(operation));
	}
	return view;
}

/* What is not in the table, as it stands in the document. */
static const char events_text[] =
	"{\"get\": {\"operationId\": \"events\", \"tags\": [\"events\"], \"x-xylem-role\": \"viewer\","
	" \"summary\": \"Streams what happens (server-sent events); `Last-Event-ID` goes on after that "
	"one.\","
	" \"parameters\": [{\"name\": \"types\", \"in\": \"query\", \"required\": false, \"schema\": "
	"{\"type\": \"string\"},"
	"  \"description\": \"Only these, with commas between: accepted, settled, case, lane, connector, "
	"reload.\"},"
	"  {\"name\": \"Last-Event-ID\", \"in\": \"header\", \"required\": false, \"schema\": {\"type\": "
	"\"string\"},"
	"  \"description\": \"The id of the last event that was seen.\"}],"
	" \"responses\": {\"200\": {\"description\": \"The stream.\", \"content\": {\"text/event-stream\": "
	"{}}},"
	"  \"default\": {\"$ref\": \"#/components/responses/problem\"}}}}";

static const char components_text[] =
	"{\"securitySchemes\": {\"token\": {\"type\": \"http\", \"scheme\": \"bearer\"}},"
	" \"parameters\": {\"idempotency-key\": {\"name\": \"Idempotency-Key\", \"in\": \"header\", "
	"\"required\": false,"
	"  \"schema\": {\"type\": \"string\", \"maxLength\": 257}, \"description\":"
	"  \"A repetition with the same key and body within 24 hours gets the first answer.\"}},"
	" \"responses\": {\"problem\": {\"description\": \"Refused or failed (RFC 9457).\", \"content\":"
	"  {\"application/problem+json\": {\"schema\": {\"$ref\": \"#/components/schemas/problem\"}}}}},"
	" \"schemas\": {\"problem\": {\"type\": \"object\", \"required\": [\"type\", \"title\", \"status\", "
	"\"code\"],"
	"  \"properties\": {\"type\": {\"type\": \"string\"}, \"title\": {\"type\": \"string\"},"
	"  \"status\": {\"type\": \"integer\"}, \"detail\": {\"type\": \"string\"}, \"instance\": {\"type\": "
	"\"string\"},"
	"  \"code\": {\"type\": \"string\", \"description\": \"The stable name of the error.\"},"
	"  \"errors\": {\"type\": \"array\", \"items\": {\"type\": \"object\"}}}}}}";

static json_t *paths(void)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	json_t *view = json_object();
	for (size_t i = 0; i < n; i++) {
		char path[256];
		snprintf(path, sizeof(path), "/api/v1/%s", table[i]->path);
		json_t *item = json_object_get(view, path);
		if (!item) {
			item = json_object();
			json_object_set_new(view, path, item);
		}
		json_object_set_new(item, strcmp(table[i]->method, "GET") == 0 ? "get" : "post",
			operation_view(table[i]));
	}
	json_object_set_new(view, "/api/v1/events", json_loads(events_text, 0, NULL));
	return view;
}

json_t *openapi_new(void)
{
	return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[{s:[]}], s:o, s:o}", "openapi",
		"3.1.0", "info", "title", "Xylem", "version", XYLEM_VERSION, "description", description,
		"license", "name", "Apache-2.0", "identifier", "Apache-2.0", "servers", "url", "/",
		"security", "token", "paths", paths(), "components", json_loads(components_text, 0, NULL));
}
