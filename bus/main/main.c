/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd: the bus, and what can be asked of a configuration without one.
 */
#include <stdio.h>
#include <string.h>

#include <main/commands.h>

#ifndef XYLEM_VERSION
#define XYLEM_VERSION "0"
#endif

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
	const char *usage; /* NULL: the command has a --help of its own */
} commands[] = {
	{ "check", command_check, "check a configuration and say what is wrong, with file, line and column",
		command_check_usage },
	{ "explain", command_explain, "explain an option or a kind of connector or transform",
		command_explain_usage },
	{ "farewell", command_farewell, "tell contacts over XMPP that a bus that died is gone",
		command_farewell_usage },
	{ "jq", command_jq, "run a program of the jq language over documents", NULL },
	{ "reference", command_reference, "write the reference pages into a folder",
		command_reference_usage },
	{ "run", command_run, "run the bus", command_run_usage },
	{ "schema", command_schema, "print the JSON Schema of the configuration, for editors",
		command_schema_usage },
	{ "test", command_test, "run the tests that stand beside the routes", command_test_usage },
};

static int usage(FILE *out, int code)
{
	fputs("usage: xylemd COMMAND ...\n\n", out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	}
	fputs("\nxylemctl talks to a running bus.\n", out);
	return code;
}

/* getopt() begins what it says with argv[0]. */
static int run(const struct command *command, int argc, char **argv)
{
	char name[32];
	if (argc == 2 && command->usage && strcmp(argv[1], "--help") == 0) {
		fputs(command->usage, stdout);
		return 0;
	}
	snprintf(name, sizeof(name), "xylemd %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		return usage(stderr, 2);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("xylemd %s\n", XYLEM_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		return usage(stdout, 0);
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return run(&commands[i], argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "xylemd: there is no command \"%s\"\n", argv[1]);
	return usage(stderr, 2);
}
