/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of all option tables, and how one option and one table are shown as
 * text. Pages, examples and explanations differ in their frame only.
 */
#include <stdio.h>
#include <string.h>

#include <config/fill.h>
#include <config/sections.h>
#include <config/tables.h>
#include <config/text.h>
#include <route/lane_options.h>

const char *table_family_name(enum table_family family)
{
	static const char *const names[] = { "section", "lane", "connector", "transform" };
	return names[family];
}

size_t tables_list(struct table tables[])
{
	size_t n = 0, connectors, transforms;
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		tables[n++] = (struct table){ TABLE_SECTION, sections[i].name, sections[i].entry,
			sections[i].summary, sections[i].options, 0 };
	}
	tables[n++] = (struct table){ TABLE_LANE, "lane", NULL,
		"How a route delivers to one destination: `deliver:` of the route, and the destination's own "
		"mapping under `to:`.",
		lane_options_table, 0 };
	const struct xylem_connector *const *connector = registry_connectors(&connectors);
	for (size_t i = 0; i < connectors && n < TABLES_MOST; i++) {
		tables[n++] = (struct table){ TABLE_CONNECTOR, connector[i]->name, NULL,
			connector[i]->summary, connector[i]->options, connector[i]->flags };
	}
	const struct xylem_transform *const *transform = registry_transforms(&transforms);
	for (size_t i = 0; i < transforms && n < TABLES_MOST; i++) {
		tables[n++] = (struct table){ TABLE_TRANSFORM, transform[i]->name, NULL,
			transform[i]->summary, transform[i]->options, 0 };
	}
	return n;
}

static const char *number_format(
	const struct xylem_option *option, int64_t value, char text[TEXT_NUMBER_SIZE])
{
	if (option->type == XYLEM_OPTION_SIZE) {
		return text_size_format(value, text);
	}
	if (option->type == XYLEM_OPTION_DURATION) {
		return text_duration_format(value, text);
	}
	snprintf(text, TEXT_NUMBER_SIZE, "%lld", (long long)value);
	return text;
}

static void choices_write(const char *const *choices, struct xylem_buffer *out)
{
	for (size_t i = 0; choices[i]; i++) {
		xylem_buffer_format(out, "%s`%s`", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
	}
}

void option_bounds_write(const struct xylem_option *option, struct xylem_buffer *out)
{
	char least[TEXT_NUMBER_SIZE], most[TEXT_NUMBER_SIZE];
	if (option->type == XYLEM_OPTION_ENUM) {
		choices_write(option->choices, out);
		return;
	}
	xylem_buffer_text(out, option_type_name(option->type));
	if (option->minimum == 0 && option->maximum == 0) {
		return;
	}
	const char *unit = option->type == XYLEM_OPTION_STRING ? " bytes" : "";
	if (option->maximum == INT64_MAX) {
		xylem_buffer_format(
			out, ", at least %s%s", number_format(option, option->minimum, least), unit);
	} else {
		xylem_buffer_format(out, ", %s to %s%s", number_format(option, option->minimum, least),
			number_format(option, option->maximum, most), unit);
	}
}

static void indent_write(unsigned indent, bool live, struct xylem_buffer *out)
{
	for (unsigned i = 0; i < indent; i++) {
		xylem_buffer_byte(out, ' ');
	}
	xylem_buffer_text(out, live ? "" : "# ");
}

/* What to write for an option: its default, else its example. */
static const char *option_value(const struct xylem_option *option)
{
	if (option->default_value && *option->default_value) {
		return option->default_value;
	}
	return option->example ? option->example : "...";
}

static void option_line_write(const struct xylem_option *option, const char *name, unsigned indent, bool live,
	struct xylem_buffer *out)
{
	indent_write(indent, live, out);
	xylem_buffer_format(out, "%s: %s\n", name, option_value(option));
}

static bool in_group(const struct xylem_option *option, const char *group, size_t n)
{
	return strncmp(option->name, group, n) == 0 && option->name[n] == '.';
}

static bool group_required(const struct xylem_option *options, const char *group, size_t n)
{
	for (; options->name; options++) {
		if (in_group(options, group, n) && (options->flags & XYLEM_OPTION_REQUIRED)) {
			return true;
		}
	}
	return false;
}

static bool group_seen(
	const struct xylem_option *options, const struct xylem_option *before, const char *group, size_t n)
{
	for (; options < before; options++) {
		if (in_group(options, group, n)) {
			return true;
		}
	}
	return false;
}

static void group_write(const struct xylem_option *options, const char *group, size_t n, unsigned indent,
	struct xylem_buffer *out)
{
	bool live = group_required(options, group, n);
	indent_write(indent, live, out);
	xylem_buffer_format(out, "%.*s:\n", (int)n, group);
	for (; options->name; options++) {
		if (in_group(options, group, n)) {
			bool own = live && (options->flags & XYLEM_OPTION_REQUIRED);
			indent_write(indent, own, out);
			xylem_buffer_format(out, "  %s: %s\n", options->name + n + 1, option_value(options));
		}
	}
}

void table_example_write(const struct xylem_option *options, unsigned indent, struct xylem_buffer *out)
{
	for (const struct xylem_option *option = options; option->name; option++) {
		const char *dot = strchr(option->name, '.');
		if (!dot) {
			option_line_write(
				option, option->name, indent, option->flags & XYLEM_OPTION_REQUIRED, out);
		} else if (!group_seen(options, option, option->name, (size_t)(dot - option->name))) {
			group_write(options, option->name, (size_t)(dot - option->name), indent, out);
		}
	}
}
