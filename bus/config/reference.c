/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference pages in Markdown and an example configuration, printed from the
 * option tables. Nobody edits the pages; they are committed so that they can
 * be read without a build, and a test compares them.
 */
#include <stdio.h>
#include <string.h>

#include <xylem/connector.h>

#include <config/sections.h>
#include <config/tables.h>
#include <route/lane_options.h>

const char *reference_file_name(const struct table *table, char name[128])
{
	if (table->family == TABLE_LANE) {
		snprintf(name, 128, "lane.md");
	} else {
		snprintf(name, 128, "%s-%.64s.md", table_family_name(table->family), table->name);
	}
	return name;
}

/* A bar would end the cell. */
static void cell_write(const char *text, struct xylem_buffer *out)
{
	for (; *text; text++) {
		xylem_buffer_text(out, *text == '|' ? "\\" : "");
		xylem_buffer_byte(out, *text);
	}
}

static void flags_write(const struct xylem_option *option, struct xylem_buffer *out)
{
	if (option->flags & XYLEM_OPTION_FIXED) {
		xylem_buffer_text(out, " A change needs a restart.");
	}
	if (option->flags & XYLEM_OPTION_SHORT) {
		xylem_buffer_text(out, " The short form sets this one.");
	}
	if (option->example && option->default_value) {
		xylem_buffer_text(out, " For example `");
		cell_write(option->example, out);
		xylem_buffer_text(out, "`.");
	}
}

static void option_row_write(const struct xylem_option *option, struct xylem_buffer *out)
{
	XYLEM_BUFFER_SCOPED bounds = { 0 };
	option_bounds_write(option, &bounds);
	xylem_buffer_byte(&bounds, '\0');
	xylem_buffer_format(out, "| `%s` | ", option->name);
	cell_write(bounds.failed ? "" : bounds.bytes, out);
	if (option->flags & XYLEM_OPTION_REQUIRED) {
		xylem_buffer_text(out, " | *required*");
	} else if (option->default_value && *option->default_value) {
		xylem_buffer_text(out, " | `");
		cell_write(option->default_value, out);
		xylem_buffer_text(out, "`");
	} else {
		xylem_buffer_text(out, " | none");
	}
	xylem_buffer_text(out, " | ");
	cell_write(option->summary ? option->summary : "", out);
	flags_write(option, out);
	xylem_buffer_format(out, " | %s |\n", option->since ? option->since : "");
}

static void options_write(const struct xylem_option *options, struct xylem_buffer *out)
{
	if (!options || !options->name) {
		xylem_buffer_text(out, "\nIt has no options.\n");
		return;
	}
	xylem_buffer_text(
		out, "\n| option | value | default | what it does | since |\n|---|---|---|---|---|\n");
	for (; options->name; options++) {
		option_row_write(options, out);
	}
	xylem_buffer_text(
		out, "\nA dot means a mapping inside: `batch.count` is written `batch: { count: ... }`.\n");
}

static void connector_head_write(const struct table *table, struct xylem_buffer *out)
{
	bool source = table->flags & XYLEM_CONNECTOR_SOURCE, sink = table->flags & XYLEM_CONNECTOR_SINK;
	xylem_buffer_format(out, "\nIt is a %s: %s.",
		source && sink ? "source and a sink"
		: source       ? "source"
			       : "sink",
		source && sink ? "it may stand under `from` and under `to` of routes"
		: source       ? "it may stand under `from` of routes"
			       : "it may stand under `to` of routes");
	if (table->flags & XYLEM_SINK_ORDERED) {
		xylem_buffer_text(out, " It delivers in sequence and stops at the first failure.");
	}
	if (table->flags & XYLEM_SINK_ALL_OR_NOTHING) {
		xylem_buffer_text(out, " A delivery of several messages succeeds or fails as a whole.");
	}
	xylem_buffer_text(out, "\n");
}

static void page_example_write(const struct table *table, struct xylem_buffer *out)
{
	unsigned indent = 2;
	xylem_buffer_text(out, "\n```yaml\n");
	switch (table->family) {
	case TABLE_SECTION:
		xylem_buffer_format(out, "%s:\n", table->name);
		if (table->entry) {
			xylem_buffer_text(out, "  NAME:\n");
			indent = 4;
		}
		break;
	case TABLE_LANE:
		xylem_buffer_text(out, "routes:\n  NAME:\n    deliver:\n");
		indent = 6;
		break;
	case TABLE_CONNECTOR:
		xylem_buffer_format(out, "connectors:\n  NAME:\n    %s:\n", table->name);
		indent = 6;
		break;
	case TABLE_TRANSFORM:
		xylem_buffer_format(out, "    steps:\n      - %s:\n", table->name);
		indent = 10;
		break;
	}
	table_example_write(table->options, indent, out);
	xylem_buffer_text(out, "```\n");
}

static void short_form_write(const struct table *table, struct xylem_buffer *out)
{
	for (const struct xylem_option *option = table->options; option->name; option++) {
		if (option->flags & XYLEM_OPTION_SHORT) {
			xylem_buffer_format(out, "\nIn short: `%s: %s` sets `%s`.\n", table->name,
				option->example ? option->example : "...", option->name);
		}
	}
}

void reference_write(const struct table *table, struct xylem_buffer *out)
{
	const char *family = table->family == TABLE_LANE ? "Options of a" : table_family_name(table->family);
	xylem_buffer_format(out, "# %c%s `%s`\n\n", family[0] >= 'a' ? family[0] - 32 : family[0], family + 1,
		table->name);
	xylem_buffer_format(out,
		"<!-- Printed by `xylemd reference`; edit the option table instead. -->\n\n%s\n",
		table->summary);
	if (table->family == TABLE_CONNECTOR) {
		connector_head_write(table, out);
	}
	if (!table->options) {
		xylem_buffer_text(
			out, "\nThe options are those of the kind: see the pages of the connectors.\n");
		return;
	}
	page_example_write(table, out);
	if (table->family == TABLE_TRANSFORM || table->family == TABLE_CONNECTOR) {
		short_form_write(table, out);
	}
	options_write(table->options, out);
}

void reference_index_write(const struct table tables[], size_t n, struct xylem_buffer *out)
{
	char name[128];
	xylem_buffer_text(out,
		"# Reference\n\n<!-- Printed by `xylemd reference`. -->\n\n"
		"Every option of the configuration, printed from the tables that the bus checks it by.\n"
		"How the file is read: [configuration](../configuration.md).\n");
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || tables[i].family != tables[i - 1].family) {
			xylem_buffer_format(out, "\n## %s%s\n\n",
				tables[i].family == TABLE_SECTION     ? "Section"
				: tables[i].family == TABLE_LANE      ? "Lane"
				: tables[i].family == TABLE_CONNECTOR ? "Connector"
								      : "Transform",
				"s");
		}
		xylem_buffer_format(out, "- [%s](%s): %s\n", tables[i].name,
			reference_file_name(&tables[i], name), tables[i].summary);
	}
}

/* A section of named entries has one entry of each kind that it knows. */
static void section_example_write(
	const struct section *section, const struct table tables[], size_t n, struct xylem_buffer *out)
{
	xylem_buffer_format(out, "\n# %s\n%s:\n", section->summary, section->name);
	if (!section->entry) {
		table_example_write(section->options, 2, out);
		return;
	}
	if (section->options) {
		xylem_buffer_format(out, "  example-%s:\n", section->entry);
		table_example_write(section->options, 4, out);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (tables[i].family == TABLE_CONNECTOR) {
			xylem_buffer_format(out, "  # %s\n  example-%s:\n    %s:\n", tables[i].summary,
				tables[i].name, tables[i].name);
			table_example_write(tables[i].options, 6, out);
		}
	}
}

void example_write(struct xylem_buffer *out)
{
	static struct table tables[TABLES_MOST];
	size_t n = tables_list(tables);
	xylem_buffer_text(out,
		"# Every option of a configuration. What is commented out shows the default, or an example\n"
		"# where there is none. Printed by `xylemd explain example`.\n");
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		section_example_write(&sections[i], tables, n, out);
	}
	xylem_buffer_text(out, "    # deliver, and each destination under `to`, may say:\n    # deliver:\n");
	XYLEM_BUFFER_SCOPED lane = { 0 };
	table_example_write(lane_options_table, 4, &lane);
	xylem_buffer_span(out, xylem_buffer_borrow(&lane));
}
