/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORMS_SCHEMA_H
#define TRANSFORMS_SCHEMA_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>

#include <xylem/arena.h>
#include <xylem/error.h>
#include <xylem/json.h>

/*
 * A JSON Schema (2020-12, the subset of docs/transforms.md), compiled: each
 * schema object is one node, and references are arrows between nodes. Read-only
 * after compiling, shared by threads.
 */
struct schema;

/* A list of schemas, in the order they stand in. */
struct schema_list {
	const struct schema **items;
	size_t n;
};

struct schema_property {
	struct xylem_span name; /* unescaped; of a pattern: its text */
	pcre2_code *pattern;    /* of patternProperties */
	const struct schema *schema;
};

struct schema_properties {
	struct schema_property *items;
	size_t n;
};

struct schema {
	struct xylem_span text; /* where it stands in the file: also its identity */
	bool never;             /* `false` */
	unsigned types;         /* bits of 1 << enum xylem_json_type, and SCHEMA_INTEGER; 0: any */
	struct xylem_span enumeration, constant; /* JSON; absent: not asked */
	struct xylem_span minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
	int64_t min_length, max_length, min_items, max_items, min_properties,
		max_properties; /* -1: not asked */
	bool unique_items;
	struct xylem_span pattern_text;
	pcre2_code *pattern;
	struct xylem_span *required; /* unescaped names */
	size_t required_count;
	struct schema_properties properties, pattern_properties;
	const struct schema *additional_properties;
	struct schema_list prefix_items;
	const struct schema *items;
	struct schema_list all_of, any_of, one_of;
	const struct schema *not_, *if_, *then_, *else_, *ref;
};

#define SCHEMA_INTEGER (1u << 16)

/* All nodes of one file; the first is the root. */
struct schema_file {
	struct xylem_arena *arena;
	struct schema **nodes;
	size_t n, room;
};

/* `text` is copied. -XYLEM_E_INVALID with the keyword's pointer and what is wrong there. */
int schema_file_new(struct schema_file **ret_file, struct xylem_span text, struct xylem_reason *reason);
struct schema_file *schema_file_free(struct schema_file *file);

/* A schema that leads back to itself about the same value; untouched if there is none. -XYLEM_E_MEMORY. */
int schema_loop_find(const struct schema_file *file, const struct schema **ret_node);

/* What one thread needs to check. */
struct schema_worker;
struct schema_worker *schema_worker_new(void);
struct schema_worker *schema_worker_free(struct schema_worker *worker);

/*
 * Checks valid JSON. 0; -XYLEM_E_UNPROCESSABLE with the place in the instance and
 * what was expected there; -XYLEM_E_LIMIT where the schema asks for more work
 * than one message may cost; -XYLEM_E_MEMORY.
 */
int schema_check(const struct schema_file *file, struct schema_worker *worker, struct xylem_span json,
	struct xylem_arena *arena, struct xylem_reason *reason);

/* True when number a is a whole multiple of number b > 0, exactly; b has at most 18 digits. */
bool schema_is_multiple(struct xylem_span a, struct xylem_span b);

#endif
