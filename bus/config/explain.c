/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `xylemd explain WORD`: everything that the tables know about a word. A word
 * is a section, a kind, an option (`attempts`, `batch.count`), an option of one
 * owner (`kafka.brokers`, `lane.attempts`), or one of a few lists.
 */
#include <string.h>

#include <config/fill.h>
#include <config/nearest.h>
#include <config/tables.h>

/* "connector kafka"; "lane", whose family has one table. */
static void owner_write(const struct table *table, struct xylem_buffer *out)
{
	xylem_buffer_text(out, table_family_name(table->family));
	if (table->family != TABLE_LANE) {
		xylem_buffer_format(out, " %s", table->name);
	}
}

/* `hmac.prefix` is written in `hmac`. */
static void option_example_write(const struct xylem_option *option, struct xylem_buffer *out)
{
	const char *dot = strchr(option->name, '.');
	if (option->example && dot) {
		xylem_buffer_format(out, "  Example: %.*s: { %s: %s }\n", (int)(dot - option->name),
			option->name, dot + 1, option->example);
	} else if (option->example) {
		xylem_buffer_format(out, "  Example: %s: %s\n", option->name, option->example);
	}
}

static void option_write(
	const struct table *table, const struct xylem_option *option, struct xylem_buffer *out)
{
	xylem_buffer_format(out, "%s of ", option->name);
	owner_write(table, out);
	xylem_buffer_text(out, ": ");
	option_bounds_write(option, out);
	if (option->flags & XYLEM_OPTION_REQUIRED) {
		xylem_buffer_text(out, "; required");
	} else if (option->default_value && *option->default_value) {
		xylem_buffer_format(out, "; default %s", option->default_value);
	}
	xylem_buffer_format(out, "\n  %s\n", option->summary);
	if (option->flags & XYLEM_OPTION_FIXED) {
		xylem_buffer_text(out, "  A change needs a restart of the bus.\n");
	}
	option_example_write(option, out);
}

static void table_write(const struct table *table, struct xylem_buffer *out)
{
	owner_write(table, out);
	xylem_buffer_format(out, "\n  %s\n\n", table->summary);
	for (const struct xylem_option *option = table->options; option && option->name; option++) {
		option_write(table, option, out);
	}
}

static bool list_write(const char *word, const struct table tables[], size_t n, struct xylem_buffer *out)
{
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		const char *family = table_family_name(tables[i].family);
		size_t length = strlen(family);
		if (strncmp(word, family, length) == 0 && strcmp(word + length, "s") == 0) {
			xylem_buffer_format(out, "%-12s %s\n", tables[i].name, tables[i].summary);
			any = true;
		}
	}
	return any;
}

static bool option_named(const struct table *table, const struct xylem_option *option, const char *word)
{
	const char *last = strrchr(option->name, '.');
	size_t owner = strlen(table->name);
	return strcmp(option->name, word) == 0 || (last && strcmp(last + 1, word) == 0) ||
	       (strncmp(word, table->name, owner) == 0 && word[owner] == '.' &&
		       strcmp(word + owner + 1, option->name) == 0);
}

static bool tables_write(const char *word, const struct table tables[], size_t n, struct xylem_buffer *out)
{
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(tables[i].name, word) == 0) {
			table_write(&tables[i], out);
			any = true;
			continue;
		}
		for (const struct xylem_option *option = tables[i].options; option && option->name;
			option++) {
			if (option_named(&tables[i], option, word)) {
				option_write(&tables[i], option, out);
				any = true;
			}
		}
	}
	return any;
}

static void unknown_write(const char *word, const struct table tables[], size_t n, struct xylem_buffer *out)
{
	char hint[NEAREST_HINT_SIZE];
	struct nearest nearest;
	nearest_init(&nearest, word);
	for (size_t i = 0; i < n; i++) {
		nearest_offer(&nearest, tables[i].name);
		for (const struct xylem_option *option = tables[i].options; option && option->name;
			option++) {
			nearest_offer(&nearest, option->name);
		}
	}
	xylem_buffer_format(out, "nothing is called `%.64s`%s\n", word,
		nearest.name ? nearest_hint(&nearest, hint)
			     : "; try `sections`, `connectors`, `transforms`, `lane` or `example`");
}

bool explain_write(const char *word, struct xylem_buffer *out)
{
	static struct table tables[TABLES_MOST];
	size_t n = tables_list(tables);
	if (strcmp(word, "example") == 0) {
		example_write(out);
		return true;
	}
	bool listed = list_write(word, tables, n, out);
	if (strcmp(word, "connectors") == 0 && listed) {
		return true; /* also a section, whose options are those of the kinds */
	}
	bool found = tables_write(word, tables, n, out);
	if (!listed && !found) {
		unknown_write(word, tables, n, out);
	}
	return listed || found;
}
