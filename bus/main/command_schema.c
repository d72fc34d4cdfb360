/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd schema: prints the JSON Schema of the configuration. An editor that
 * knows the YAML language server takes it by the line
 *
 *     # yaml-language-server: $schema=xylem.schema.json
 */
#include <stdio.h>

#include <config/schema.h>
#include <main/commands.h>

const char command_schema_usage[] = "usage: xylemd schema\n";

int command_schema(int argc, char **argv)
{
	if (argc != 1) {
		fputs(command_schema_usage, stderr);
		return 2;
	}
	json_t *schema = schema_new();
	int error = !schema || json_dumpf(schema, stdout, JSON_INDENT(2)) < 0;
	putchar('\n');
	json_decref(schema);
	return error || fflush(stdout) != 0 ? 1 : 0;
}
