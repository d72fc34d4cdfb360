/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the command line to a request. Values stay strings: the bus types them
 * by its option tables. Only data of messages is treated apart, so that its
 * bytes reach the bus as they were given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/ctl/ctl.h>
#include <message/base64.h>

#define WORDS_MAX 4096

/* --- Files -------------------------------------------------------------------- */

bool arguments_file(const char *name, struct xylem_buffer *out)
{
	char bytes[16384];
	bool input = strcmp(name, "-") == 0;
	FILE *file = input ? stdin : fopen(name, "re");
	if (!file) {
		return false;
	}
	for (size_t n = fread(bytes, 1, sizeof(bytes), file); n; n = fread(bytes, 1, sizeof(bytes), file)) {
		xylem_buffer_append(out, bytes, n);
	}
	bool good = !ferror(file) && !xylem_buffer_failed(out);
	if (!input) {
		fclose(file);
	}
	return good;
}

void arguments_set_data(json_t *values, struct xylem_span data)
{
	json_t *text = json_stringn(data.at ? data.at : "", data.n);
	if (text) {
		json_object_set_new(values, "data_text", text);
		return;
	}
	XYLEM_BUFFER_SCOPED base64 = { 0 };
	message_base64_write(&base64, data);
	json_object_set_new(values, "data_base64", json_stringn(base64.bytes, base64.n));
}

/* --- Reading the command line ---------------------------------------------------- */

static int complain(const char *what, const char *name)
{
	fprintf(stderr, "xylemctl: %s `%s`\n", what, name);
	return CTL_USAGE;
}

/*
 * The program's own options, which may stand anywhere. 1: it was one and took a value, 2:
 * without value, 0: none.
 */
static int own_option(const char *name, const char *value, struct ctl_options *options)
{
	const struct {
		const char *name;
		const char **target;
	} valued[] = { { "url", &options->url }, { "token-file", &options->token_file },
		{ "data-folder", &options->data }, { "bus", &options->bus } };
	const struct {
		const char *name;
		bool *target;
	} plain[] = { { "json", &options->json }, { "all", &options->all }, { "help", &options->help },
		{ "as-test", &options->as_test } };
	for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++) {
		if (strcmp(name, valued[i].name) == 0) {
			*valued[i].target = value;
			return 1;
		}
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(name, plain[i].name) == 0) {
			*plain[i].target = true;
			return 2;
		}
	}
	return 0;
}

static int set_value(
	const struct command *command, struct arguments *arguments, const char *name, const char *value)
{
	const char *in;
	char plain[64];
	snprintf(plain, sizeof(plain), "%s", name);
	for (char *at = plain; *at; at++) {
		*at = *at == '-' ? '_' : *at;
	}
	const char *real = command_argument(command, name, &in) ? name : plain;
	if (strcmp(real, "group") != 0 && !command_argument(command, real, &in)) {
		fprintf(stderr, "xylemctl: `%s` has no argument `%s`; see xylemctl %s --help\n",
			command->words, name, command->words);
		return CTL_USAGE;
	}
	if (!value) {
		return complain("a value is missing after", name);
	}
	if (json_object_get(arguments->values, real)) {
		return complain("given twice:", real);
	}
	return json_object_set_new(arguments->values, real, json_string(value)) ? complain("not UTF-8:", real)
										: CTL_OK;
}

/* One `--name VALUE` or `--name=VALUE`; *at moves on by what it used. */
static int read_option(const struct command *command, int argc, char **argv, int *at,
	struct ctl_options *options, struct arguments *arguments)
{
	char name[64];
	const char *text = argv[*at] + 2;
	const char *equal = strchr(text, '=');
	snprintf(name, sizeof(name), "%.*s", equal ? (int)(equal - text) : 60, text);
	const char *value = equal ? equal + 1 : *at + 1 < argc ? argv[*at + 1] : NULL;
	int own = own_option(name, value, options);
	if (own == 1 && !value) {
		return complain("a value is missing after", name);
	}
	*at += !equal && own != 2;
	return own ? CTL_OK : set_value(command, arguments, name, value);
}

static bool is_assignment(const struct command *command, const char *word)
{
	char name[64];
	const char *in, *equal = strchr(word, '=');
	if (!equal || equal - word >= (int)sizeof(name)) {
		return false;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equal - word), word);
	return command_argument(command, name, &in) != NULL;
}

int arguments_read(const struct command *command, int argc, char **argv, struct ctl_options *options,
	struct arguments *ret_arguments)
{
	struct arguments arguments = { .values = json_object(), .words = calloc(WORDS_MAX, sizeof(char *)) };
	int code = arguments.values && arguments.words ? CTL_OK : CTL_REFUSED;
	for (int at = 0; at < argc && code == CTL_OK; at++) {
		if (strncmp(argv[at], "--", 2) == 0 && argv[at][2]) {
			code = read_option(command, argc, argv, &at, options, &arguments);
		} else if (is_assignment(command, argv[at])) {
			char name[64];
			const char *equal = strchr(argv[at], '=');
			snprintf(name, sizeof(name), "%.*s", (int)(equal - argv[at]), argv[at]);
			code = set_value(command, &arguments, name, equal + 1);
		} else if (arguments.word_count < WORDS_MAX) {
			arguments.words[arguments.word_count++] = argv[at];
		}
	}
	if (code) {
		arguments_finish(&arguments);
		return code;
	}
	*ret_arguments = arguments;
	return CTL_OK;
}

void arguments_finish(struct arguments *arguments)
{
	json_decref(arguments->values);
	free((void *)arguments->words);
	*arguments = (struct arguments){ .values = NULL };
}

int arguments_place(const struct command *command, struct arguments *arguments)
{
	size_t used = 0;
	for (size_t i = 0; command_required(command, i); i++) {
		const char *name = command_required(command, i);
		if (json_object_get(arguments->values, name)) {
			continue;
		}
		if (used >= arguments->word_count) {
			fprintf(stderr, "xylemctl: %s: `%s` is missing; see xylemctl %s --help\n",
				command->words, name, command->words);
			return CTL_USAGE;
		}
		int code = set_value(command, arguments, name, arguments->words[used++]);
		if (code) {
			return code;
		}
	}
	return used == arguments->word_count ? CTL_OK
					     : complain("one word too many:", arguments->words[used]);
}

/* --- Writing the request --------------------------------------------------------------- */

/* `@FILE` stands for what is in the file. */
static int read_value(const char *given, struct xylem_buffer *out)
{
	if (given[0] != '@') {
		xylem_buffer_text(out, given);
		return CTL_OK;
	}
	return arguments_file(given + 1, out) ? CTL_OK : complain("cannot read", given + 1);
}

static void write_path(const struct command *command, const json_t *values, struct xylem_buffer *target)
{
	const char *open = strchr(command->path, '{');
	if (!open) {
		xylem_buffer_text(target, command->path);
		return;
	}
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(open + 1, "}"), open + 1);
	const char *value = json_string_value(json_object_get(values, name));
	xylem_buffer_append(target, command->path, (size_t)(open - command->path));
	client_encode(target, xylem_span_of(value ? value : ""), true);
	xylem_buffer_text(target, strchr(open, '}') + 1);
}

/* A value whose schema names no type is JSON, and goes in as it stands. */
static int write_member(const json_t *schema, const char *name, const char *value, struct xylem_buffer *body)
{
	XYLEM_BUFFER_SCOPED bytes = { 0 };
	int code = read_value(value, &bytes);
	bool raw = !json_object_get(schema, "type") && !json_object_get(schema, "enum");
	xylem_buffer_format(body, "%s\"%s\":", body->n > 1 ? "," : "", name);
	if (raw) {
		xylem_buffer_span(body, xylem_buffer_borrow(&bytes));
		return code;
	}
	json_t *text = json_stringn(bytes.bytes ? bytes.bytes : "", bytes.n);
	char *dump = text ? json_dumps(text, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	code = !code && !dump ? complain("not UTF-8:", name) : code;
	xylem_buffer_text(body, dump ? dump : "\"\"");
	free(dump);
	json_decref(text);
	return code;
}

int arguments_write(const struct command *command, const json_t *values, struct xylem_buffer *ret_target,
	struct xylem_buffer *ret_body)
{
	const char *name, *in;
	json_t *value;
	bool post = strcmp(command->method, "POST") == 0, first = true;
	int code = CTL_OK;
	write_path(command, values, ret_target);
	if (post) {
		xylem_buffer_byte(ret_body, '{');
	}
	json_object_foreach((json_t *)(uintptr_t)values, name, value)
	{
		const json_t *schema = command_argument(command, name, &in);
		if (code || !schema || strcmp(in, "path") == 0) {
			continue;
		}
		if (post) {
			code = write_member(schema, name, json_string_value(value), ret_body);
		} else {
			xylem_buffer_format(ret_target, "%c%s=", first ? '?' : '&', name);
			client_encode(ret_target, xylem_span_of(json_string_value(value)), false);
			first = false;
		}
	}
	if (post) {
		xylem_buffer_byte(ret_body, '}');
	}
	xylem_buffer_byte(ret_target, '\0');
	return code;
}
