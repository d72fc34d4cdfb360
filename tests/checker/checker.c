/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker: sends messages and remembers what was acknowledged (load), receives
 * messages and remembers them (sink), and compares the two memories (verify).
 * docs/testing.md tells how the suites use it.
 */
#include <checker/checker.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "load", checker_load },
		{ "sink", checker_sink },
		{ "verify", checker_verify },
	};
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fputs("usage: checker load|sink|verify ...; each without arguments says what it takes\n", stderr);
	return 2;
}
