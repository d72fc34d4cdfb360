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
} commands[] = {
	{ "check", command_check, "check a configuration and say what is wrong, with file, line and column" },
	{ "explain", command_explain, "explain an option or a kind of connector or transform" },
	{ "farewell", command_farewell, "tell contacts over XMPP that a bus that died is gone" },
	{ "jq", command_jq, "run a program of the jq language over documents" },
	{ "reference", command_reference, "write the reference pages into a folder" },
	{ "run", command_run, "run the bus" },
	{ "schema", command_schema, "print the JSON Schema of the configuration, for editors" },
	{ "test", command_test, "run the tests that stand beside the routes" },
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
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "xylemd: there is no command \"%s\"\n", argv[1]);
	return usage(stderr, 2);
}
