/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TABLES_H
#define CONFIG_TABLES_H

#include <stddef.h>

#include <config/config.h>
#include <xylem/buffer.h>

/*
 * Every option table of this program, with whose it is: sections, lanes,
 * connectors and transforms. The printers walk this list and nothing else.
 */
enum table_family { TABLE_SECTION, TABLE_LANE, TABLE_CONNECTOR, TABLE_TRANSFORM };

struct table {
	enum table_family family;
	const char *name;  /* "bus", "lane", "kafka" */
	const char *entry; /* sections of named entries: what one is called; else NULL */
	const char *summary;
	const struct xylem_option *options;
	unsigned flags; /* of connectors */
};

#define TABLES_MOST 1100
/* Fills `tables` (TABLES_MOST of them), loads all modules, and returns how many there are. */
size_t tables_list(struct table tables[]);

const char *table_family_name(enum table_family family); /* "section", "lane", "connector", "transform" */

/* --- printers: all text in `out`, whose failure the caller checks ---------------- */

/* What may be written: "size, 1KiB to 64MiB", "`a`, `b` or `c`". */
void option_bounds_write(const struct xylem_option *option, struct xylem_buffer *out);
/* The options as YAML at that indentation: required ones live, the others commented out with their defaults. */
void table_example_write(const struct xylem_option *options, unsigned indent, struct xylem_buffer *out);
/* A whole configuration with every section, connector, transform and option. */
void example_write(struct xylem_buffer *out);
/* One page of the reference. */
void reference_write(const struct table *table, struct xylem_buffer *out);
void reference_index_write(const struct table tables[], size_t n, struct xylem_buffer *out);
/* "connector-kafka.md", at most 128 bytes. */
const char *reference_file_name(const struct table *table, char name[128]);
/* Everything known about a word; false: nothing (then out has the nearest words). */
bool explain_write(const char *word, struct xylem_buffer *out);

#endif
