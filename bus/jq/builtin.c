/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of builtins, found by name and number of arguments. A table ends
 * with an empty row; each is sorted, but small, so they are searched in turn
 * when a program is compiled and never after.
 */
#include <stdio.h>

#include "jq/builtin.h"

static const struct jq_builtin *const tables[] = {
	jq_builtin_core,
	jq_builtin_date,
	jq_builtin_math,
	jq_builtin_regex,
	jq_builtin_string,
	jq_builtin_value,
};

static const struct jq_definition *const libraries[] = {
	jq_library_core,
	jq_library_string,
};

const struct jq_builtin *jq_builtin_find(struct xylem_span name, size_t arity)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct jq_builtin *row = tables[t]; row->name; row++) {
			if (row->arity == arity && xylem_span_is(name, row->name)) {
				return row;
			}
		}
	}
	return NULL;
}

const struct jq_definition *jq_definition_find(struct xylem_span name, size_t arity)
{
	for (size_t t = 0; t < sizeof(libraries) / sizeof(libraries[0]); t++) {
		for (const struct jq_definition *row = libraries[t]; row->name; row++) {
			if (row->arity == arity && xylem_span_is(name, row->name)) {
				return row;
			}
		}
	}
	return NULL;
}

/* --- builtins ------------------------------------------------------------------------- */

static struct jq_value name_add(
	struct jq_machine *machine, struct jq_value names, const char *name, unsigned arity)
{
	char text[80];
	if (name[0] == '_') { /* a part of others */
		return names;
	}
	int n = snprintf(text, sizeof(text), "%s/%u", name, arity);
	return jq_array_push(machine, names, jq_string(machine, xylem_span(text, (size_t)n)));
}

struct jq_value jq_builtin_names(struct jq_machine *machine)
{
	struct jq_value names = jq_array(machine, 0);
	const char *name;
	uint8_t arity;
	for (size_t i = 0; jq_form_name(i, &name, &arity); i++) {
		names = name_add(machine, names, name, arity);
	}
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct jq_builtin *row = tables[t]; row->name; row++) {
			names = name_add(machine, names, row->name, row->arity);
		}
	}
	for (size_t t = 0; t < sizeof(libraries) / sizeof(libraries[0]); t++) {
		for (const struct jq_definition *row = libraries[t]; row->name; row++) {
			names = name_add(machine, names, row->name, row->arity);
		}
	}
	return names;
}
