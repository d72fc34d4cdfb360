/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemctl: a bus from the command line. Words, arguments and roles are those
 * of the operation table; what this program adds is tables, live tail, editing
 * and doing many cases in one go. docs/xylemctl.md.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <console/ctl/ctl.h>

static void print_help(void)
{
	printf("usage: xylemctl [OPTIONS] COMMAND [ARGUMENTS]\n\n");
	command_list();
	printf("\n  --url URL          the bus; else XYLEM_URL, else the one that runs here\n"
	       "  --token-file FILE  the token; else XYLEM_TOKEN, else the admin token of the bus\n"
	       "  --data-folder DIR  a bus of this machine, by its data folder\n"
	       "  --bus NAME         a bus of this user, by its name\n"
	       "  --json             what the API answers, for programs\n"
	       "  --all              every page of a list\n"
	       "  --as-test          after show HANDLE: the message as tests for xylemd test\n"
	       "  --help             after a command: its arguments\n\n"
	       "exit codes: 0 done, 1 refused or failed, 2 usage, 3 the bus cannot be reached, 4 not "
	       "authorised\n");
}

/* Pages of a list together, under the names of the first. */
static void add_page(json_t *all, const json_t *page)
{
	const char *name;
	json_t *value;
	json_object_foreach(all, name, value)
	{
		if (json_is_array(value)) {
			json_array_extend(value, json_object_get(page, name));
		}
	}
	json_object_set(all, "next", json_object_get(page, "next"));
}

static char *next_page(const json_t *answer)
{
	const json_t *next = json_object_get(answer, "next");
	if (json_is_integer(next) && json_integer_value(next)) {
		return json_dumps(next, JSON_ENCODE_ANY);
	}
	return json_is_string(next) ? strdup(json_string_value(next)) : NULL;
}

static int ask(
	struct client *client, const struct command *command, const json_t *values, json_t **ret_answer)
{
	XYLEM_BUFFER_SCOPED target = { 0 };
	XYLEM_BUFFER_SCOPED body = { 0 };
	int code = arguments_write(command, values, &target, &body);
	return code ? code
		    : client_ask_json(
			      client, command->method, target.bytes, xylem_buffer_borrow(&body), ret_answer);
}

static int ask_all(struct client *client, const struct command *command, json_t *values, json_t *answer)
{
	for (char *next = next_page(answer); next; next = next_page(answer)) {
		json_t *page = NULL;
		json_object_set_new(values, "after", json_string(next));
		free(next);
		int code = ask(client, command, values, &page);
		if (code) {
			return code;
		}
		add_page(answer, page);
		json_decref(page);
	}
	return CTL_OK;
}

static void print(const struct ctl_options *options, const struct command *command, const json_t *answer)
{
	if (options->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		view_show(command->id, answer);
	}
}

static int print_data(struct client *client, const struct command *command, const json_t *values)
{
	XYLEM_BUFFER_SCOPED target = { 0 };
	XYLEM_BUFFER_SCOPED body = { 0 };
	struct client_answer answer = { 0 };
	int code = arguments_write(command, values, &target, &body);
	if (!code) {
		code = client_ask(client, "GET", target.bytes, NULL, XYLEM_SPAN_NONE, &answer);
	}
	if (!code) {
		fwrite(answer.body.bytes, 1, answer.body.n, stdout);
		if (isatty(STDOUT_FILENO)) {
			putchar('\n');
		}
	}
	xylem_buffer_finish(&answer.body);
	return code;
}

static bool is_data(const struct command *command)
{
	size_t n = strlen(command->path);
	return n > 5 && strcmp(command->path + n - 5, "/data") == 0;
}

/* Data of `publish` that was not given comes from standard input, if that is a file or a pipe. */
static int add_input(const struct command *command, json_t *values)
{
	if (strcmp(command->id, "publish") != 0 || json_object_get(values, "event") ||
		json_object_get(values, "data") || json_object_get(values, "data_text") ||
		json_object_get(values, "data_base64") || isatty(STDIN_FILENO)) {
		return CTL_OK;
	}
	XYLEM_BUFFER_SCOPED data = { 0 };
	if (!arguments_file("-", &data)) {
		return CTL_REFUSED;
	}
	if (data.n) {
		arguments_set_data(values, xylem_buffer_borrow(&data));
	}
	return CTL_OK;
}

static int as_test_misplaced(void)
{
	fputs("xylemctl: `--as-test` belongs to `show HANDLE`\n", stderr);
	return CTL_USAGE;
}

static int run_plain(struct client *client, const struct ctl_options *options, const struct command *command,
	struct arguments *arguments)
{
	int code = arguments_place(command, arguments);
	if (!code) {
		code = add_input(command, arguments->values);
	}
	if (!code && options->as_test) {
		const char *handle = json_string_value(json_object_get(arguments->values, "handle"));
		return handle && strcmp(command->id, "message") == 0 ? ctl_as_test(client, handle)
								     : as_test_misplaced();
	}
	if (!code && is_data(command) && !options->json) {
		return print_data(client, command, arguments->values);
	}
	json_t *answer = NULL;
	if (!code) {
		code = ask(client, command, arguments->values, &answer);
	}
	if (!code && options->all) {
		code = ask_all(client, command, arguments->values, answer);
	}
	if (!code) {
		print(options, command, answer);
	}
	json_decref(answer);
	return code;
}

static int run_command(struct client *client, const struct ctl_options *options,
	const struct command *command, struct arguments *arguments)
{
	if (command_takes_cases(command)) {
		return ctl_cases(client, options, command, arguments);
	}
	if (strcmp(command->id, "hospital-draft") == 0) {
		return ctl_edit(client, options, command, arguments);
	}
	return run_plain(client, options, command, arguments);
}

static struct client *connect_bus(const struct ctl_options *options, int *ret_code)
{
	struct ctl_bus bus;
	*ret_code = ctl_find_bus(options, &bus);
	if (*ret_code) {
		return NULL;
	}
	struct client *client = client_new(&bus);
	explicit_bzero(bus.token, sizeof(bus.token));
	*ret_code = client ? CTL_OK : CTL_REFUSED;
	return client;
}

/* Takes the program's own options out of a `tail` line, which has no entry in the table of commands. */
static int run_tail(int argc, char **argv, struct ctl_options *options)
{
	struct command none = { .id = "tail", .words = "tail", .operation = NULL };
	struct arguments ignored = { .values = NULL };
	char *own[64], *rest[64];
	int own_count = 0, rest_count = 0, code;
	for (int i = 0; i < argc && own_count < 62 && rest_count < 62; i++) {
		bool valued = strcmp(argv[i], "--url") == 0 || strcmp(argv[i], "--token-file") == 0 ||
			      strcmp(argv[i], "--data-folder") == 0 || strcmp(argv[i], "--bus") == 0;
		if (valued || strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--help") == 0) {
			own[own_count++] = argv[i];
			if (valued && i + 1 < argc) {
				own[own_count++] = argv[++i];
			}
		} else {
			rest[rest_count++] = argv[i];
		}
	}
	code = arguments_read(&none, own_count, own, options, &ignored);
	if (code) {
		return code;
	}
	arguments_finish(&ignored);
	if (options->help) {
		ctl_tail_usage(stdout);
		return CTL_OK;
	}
	struct client *client = connect_bus(options, &code);
	if (client) {
		code = ctl_tail(client, options, rest_count, rest);
	}
	client_free(client);
	return code;
}

static int run_words(int argc, char **argv, struct ctl_options *options)
{
	int words = 0;
	const struct command *command = command_match(argc, argv, &words);
	if (!command && strcmp(argv[0], "hospital") == 0 && (argc == 1 || argv[1][0] == '-')) {
		command = command_find("hospital-groups");
		words = 1;
	}
	if (!command) {
		fprintf(stderr, "xylemctl: there is no command `%s`; see xylemctl --help\n", argv[0]);
		return CTL_USAGE;
	}
	struct arguments arguments;
	int code = arguments_read(command, argc - words, argv + words, options, &arguments);
	if (code) {
		return code;
	}
	if (options->help) {
		command_usage(command);
	} else {
		struct client *client = connect_bus(options, &code);
		if (client) {
			code = run_command(client, options, command, &arguments);
		}
		client_free(client);
	}
	arguments_finish(&arguments);
	return code;
}

/* Options that stand before the command are moved behind it, so that there is one reading of them. */
static int first_word(int argc, char **argv)
{
	int at = 1;
	while (at < argc && strncmp(argv[at], "--", 2) == 0) {
		bool plain = strcmp(argv[at], "--json") == 0 || strcmp(argv[at], "--all") == 0 ||
			     strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "--as-test") == 0 ||
			     strchr(argv[at], '=');
		at += plain ? 1 : 2;
	}
	return at < argc ? at : argc;
}

int main(int argc, char **argv)
{
	struct ctl_options options = { .url = NULL };
	signal(SIGPIPE, SIG_IGN);
	int first = first_word(argc, argv);
	if (first == argc) {
		bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;
		print_help();
		return asked ? CTL_OK : CTL_USAGE;
	}
	char **line = calloc((size_t)argc + 1, sizeof(*line));
	if (!line) {
		return CTL_REFUSED;
	}
	int n = 0;
	for (int i = first; i < argc; i++) {
		line[n++] = argv[i];
	}
	for (int i = 1; i < first; i++) {
		line[n++] = argv[i];
	}
	int code = strcmp(line[0], "tail") == 0 ? run_tail(n - 1, line + 1, &options)
						: run_words(n, line, &options);
	if (fflush(stdout) || ferror(stdout)) {
		code = code ? code : CTL_REFUSED;
	}
	free(line);
	return code;
}
