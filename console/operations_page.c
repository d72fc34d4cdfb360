/* SPDX-License-Identifier: Apache-2.0 */
/* docs/operations.md: the operation table for people, printed from itself. */
#include <console/openapi.h>
#include <console/operation.h>

static const char head[] =
	"<!-- Made from the operation table by `xylem-pages operations`; a test compares. -->\n"
	"# Operations\n\n"
	"What a person or program can do to a bus, defined once (`console/operations/`, one file each) and "
	"shown by\n"
	"every face: REST, `xylemctl`, commands and chat over XMPP. `xylemctl WORDS ARGUMENTS` is the same "
	"as the\n"
	"method and path, and the name is the node of the XMPP command. Roles, each with the rights of those "
	"before\n"
	"it: viewer, payload-viewer, operator, deployer, admin. What changes something, and what shows data "
	"of\n"
	"messages, is written to the audit, refused attempts included.\n\n"
	"| words | method and path below `/api/v1` | role | what |\n|---|---|---|---|\n";

static void write_option(struct xylem_buffer *out, const struct xylem_option *option)
{
	xylem_buffer_format(out, "| `%s` | ", option->name);
	json_t *schema = openapi_schema(option);
	json_t *type = json_object_get(schema, "type");
	if (option->type == XYLEM_OPTION_ENUM) {
		for (const char *const *choice = option->choices; *choice; choice++) {
			xylem_buffer_format(out, "%s`%s`", choice == option->choices ? "" : ", ", *choice);
		}
	} else if (option->type == XYLEM_OPTION_DURATION) {
		xylem_buffer_text(out, "duration");
	} else {
		xylem_buffer_text(out, json_is_string(type) ? json_string_value(type) : "any");
	}
	json_decref(schema);
	xylem_buffer_text(out, " | ");
	if (option->flags & XYLEM_OPTION_REQUIRED) {
		xylem_buffer_text(out, "required");
	} else if (option->default_value) {
		xylem_buffer_format(out, "`%s`", option->default_value);
	}
	xylem_buffer_format(out, " | %s |\n", option->summary);
}

static void write_operation(struct xylem_buffer *out, const struct operation *operation)
{
	xylem_buffer_format(out,
		"\n## %s\n\n%s\n\n`xylemctl %s` = `%s /api/v1/%s` = command `%s`; role %s%s.\n",
		operation->words, operation->summary, operation->words, operation->method, operation->path,
		operation->name, config_role_name(operation->role),
		operation->unsafe || operation->payload ? "; audited" : "");
	if (operation->arguments->name) {
		xylem_buffer_text(out, "\n| argument | type | default | what |\n|---|---|---|---|\n");
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		write_option(out, option);
	}
}

void operations_write_page(struct xylem_buffer *out)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	xylem_buffer_text(out, head);
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_format(out, "| `%s` | `%s %s` | %s | %s |\n", table[i]->words, table[i]->method,
			table[i]->path, config_role_name(table[i]->role), table[i]->summary);
	}
	for (size_t i = 0; i < n; i++) {
		write_operation(out, table[i]);
	}
}
