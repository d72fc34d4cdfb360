/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd explain WORD: what the option tables know about a section, a kind or
 * an option; `xylemd explain example` prints a whole configuration.
 */
#include <stdio.h>

#include <config/tables.h>
#include <main/commands.h>

const char command_explain_usage[] =
	"usage: xylemd explain WORD\n\nWORD is a section, a connector, a transform, an option "
	"such as `attempts`,\n"
	"or one of: sections, connectors, transforms, lane, example\n";

int command_explain(int argc, char **argv)
{
	if (argc != 2) {
		fputs(command_explain_usage, stderr);
		return 2;
	}
	XYLEM_BUFFER_SCOPED text = { 0 };
	bool found = explain_write(argv[1], &text);
	fwrite(text.n ? text.bytes : "", 1, text.n, found ? stdout : stderr);
	return found && !text.failed && fflush(stdout) == 0 ? 0 : 1;
}
