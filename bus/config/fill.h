/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_FILL_H
#define CONFIG_FILL_H

#include <config/config.h>
#include <config/digest.h>
#include <config/keep.h>
#include <config/tree.h>

/*
 * Fills a struct from a mapping by its option table: connectors, transforms,
 * sections, lanes and the arguments of operations all go through this. What
 * the struct points at lives in `keep`. Problems go to the report with the
 * place of the value at fault.
 */
struct fill {
	struct keep *keep;
	struct config_report *report;
	struct digest *digest;        /* gets every value, defaults too; NULL: none */
	const char *subject;          /* for texts: "connector `erp` (postgres)" */
	const char *const *elsewhere; /* members that the caller reads himself, NULL-terminated; NULL: none */
	bool overlay;                 /* what is not written keeps its value: no defaults, nothing required */
	bool optional;                /* the mapping may be absent: then defaults only, nothing required */
	bool foreign;                 /* from outside (an operation): FILE, PATH and SECRET are refused */
};

/*
 * `options` is zeroed memory of the table's struct (overlay: filled before).
 * `node`: a mapping, or nothing. 0; -XYLEM_E_INVALID with at least one error
 * in the report; the struct is then filled as far as it went.
 */
int config_fill(const struct xylem_option *table, void *options, const struct tree_node *node,
	const struct fill *fill);

/* The short form `name: VALUE`: fills the option flagged SHORT from the value, the others by default. */
int config_fill_short(const struct xylem_option *table, void *options, const struct tree_node *value,
	const struct fill *fill);

/* The option flagged SHORT; NULL: the table has none. */
const struct xylem_option *option_short(const struct xylem_option *table);
/*
 * True when a step's value is its short form: not a mapping, or a mapping
 * without any name of the table where the short option takes mappings itself.
 */
bool option_is_short_form(const struct xylem_option *table, const struct tree_node *value);
/* Is it a program that begins with `{` and was not put into quotes? No name in it is one of the options, or nearly. */
bool option_is_bare_object(const struct xylem_option *table, const struct tree_node *value);

const char *option_type_name(enum xylem_option_type type); /* "duration", "secret", ... */

#endif
