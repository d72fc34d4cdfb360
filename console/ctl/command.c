/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands: the operation table as docs/openapi.json has it, which is
 * built into this program and which a test holds to the table. So a new
 * operation is a new command without a line here.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/ctl/ctl.h>
#include <console/ctl/openapi_json.h>

#define COMMANDS_MAX 200

static struct command commands[COMMANDS_MAX];
static size_t command_count;
static json_t *document;

static int by_words(const void *a, const void *b)
{
	return strcmp(((const struct command *)a)->words, ((const struct command *)b)->words);
}

static void add(const char *path, const char *method, json_t *operation)
{
	const char *words = json_string_value(json_object_get(operation, "x-xylem-words"));
	if (!words || command_count + 1 >= COMMANDS_MAX) {
		return;
	}
	commands[command_count++] = (struct command){ .id = json_string_value(
							      json_object_get(operation, "operationId")),
		.words = words,
		.method = method,
		.path = path,
		.summary = json_string_value(json_object_get(operation, "summary")),
		.role = json_string_value(json_object_get(operation, "x-xylem-role")),
		.operation = operation };
}

static void load(void)
{
	const char *path;
	json_t *item;
	if (document) {
		return;
	}
	document = json_loads(openapi_json, 0, NULL);
	json_object_foreach(json_object_get(document, "paths"), path, item)
	{
		add(path, "GET", json_object_get(item, "get"));
		add(path, "POST", json_object_get(item, "post"));
	}
	qsort(commands, command_count, sizeof(commands[0]), by_words);
}

const struct command *command_at(size_t i)
{
	load();
	return i < command_count ? &commands[i] : NULL;
}

const struct command *command_find(const char *id)
{
	for (size_t i = 0; command_at(i); i++) {
		if (strcmp(commands[i].id, id) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

/* How many of argv the words take; 0: they do not begin it. */
static int match(const char *words, int argc, char **argv)
{
	int used = 0;
	while (*words) {
		size_t n = strcspn(words, " ");
		if (used >= argc || strlen(argv[used]) != n || strncmp(argv[used], words, n) != 0) {
			return 0;
		}
		words += n + (words[n] == ' ');
		used++;
	}
	return used;
}

const struct command *command_match(int argc, char **argv, int *ret_words)
{
	const struct command *found = NULL;
	int best = 0;
	for (size_t i = 0; command_at(i); i++) {
		int used = match(commands[i].words, argc, argv);
		if (used > best) {
			best = used;
			found = &commands[i];
		}
	}
	*ret_words = best;
	return found;
}

static json_t *body_schema(const struct command *command)
{
	json_t *body = json_object_get(command->operation, "requestBody");
	return json_object_get(
		json_object_get(json_object_get(body, "content"), "application/json"), "schema");
}

const json_t *command_argument(const struct command *command, const char *name, const char **ret_in)
{
	size_t i;
	const json_t *parameter;
	json_array_foreach(json_object_get(command->operation, "parameters"), i, parameter)
	{
		const char *own = json_string_value(json_object_get(parameter, "name"));
		if (own && strcmp(own, name) == 0) {
			*ret_in = json_string_value(json_object_get(parameter, "in"));
			return json_object_get(parameter, "schema");
		}
	}
	*ret_in = "body";
	return json_object_get(json_object_get(body_schema(command), "properties"), name);
}

const char *command_required(const struct command *command, size_t i)
{
	size_t n = 0, at;
	const json_t *item;
	json_array_foreach(json_object_get(command->operation, "parameters"), at, item)
	{
		if (json_is_true(json_object_get(item, "required")) && n++ == i) {
			return json_string_value(json_object_get(item, "name"));
		}
	}
	return json_string_value(json_array_get(json_object_get(body_schema(command), "required"), i - n));
}

static void print_choices(const json_t *schema)
{
	size_t i;
	const json_t *choice;
	json_array_foreach(json_object_get(schema, "enum"), i, choice)
	{
		printf("%s%s", i ? ", " : " One of: ", json_string_value(choice));
	}
}

static void print_argument(const char *name, const json_t *schema, const char *description)
{
	const json_t *initial = json_object_get(schema, "default");
	char *text = initial ? json_dumps(initial, JSON_ENCODE_ANY) : NULL;
	printf("  --%-14s %s", name, description ? description : "");
	print_choices(schema);
	printf("%s%s%s\n", text ? " [" : "", text ? text : "", text ? "]" : "");
	free(text);
}

bool command_takes_cases(const struct command *command)
{
	return strcmp(command->id, "hospital-replay") == 0 || strcmp(command->id, "hospital-discard") == 0 ||
	       strcmp(command->id, "hospital-restore") == 0;
}

/* What must be given, as words in their order; the version of a case is looked up. */
static void print_required(const struct command *command)
{
	const char *name;
	for (size_t i = 0; (name = command_required(command, i)); i++) {
		for (const char *at = strcmp(name, "version") ? name : ""; *at; at++) {
			printf("%s%c", at == name ? " " : "", toupper((unsigned char)*at));
		}
	}
	if (command_takes_cases(command)) {
		printf(" ... | --group G");
	} else if (strcmp(command->id, "hospital-draft") == 0) {
		printf(" [FILE|-]");
	}
}

void command_usage(const struct command *command)
{
	printf("usage: xylemctl %s", command->words);
	print_required(command);
	printf(" [--OPTION VALUE ...]\n\n%s\nNeeds the role %s. %s %s\n\n", command->summary, command->role,
		command->method, command->path);
	size_t i;
	json_t *item;
	const char *name;
	json_array_foreach(json_object_get(command->operation, "parameters"), i, item)
	{
		if (json_object_get(item, "name")) {
			print_argument(json_string_value(json_object_get(item, "name")),
				json_object_get(item, "schema"),
				json_string_value(json_object_get(item, "description")));
		}
	}
	json_object_foreach(json_object_get(body_schema(command), "properties"), name, item)
	{
		print_argument(name, item, json_string_value(json_object_get(item, "description")));
	}
}

void command_list(void)
{
	for (size_t i = 0; command_at(i); i++) {
		printf("  %-18s %s\n", commands[i].words, commands[i].summary);
		if (strcmp(commands[i].words, "status") == 0) {
			printf("  %-18s %s\n", "tail [TYPE ...]", "Shows what happens, live.");
		}
	}
}
