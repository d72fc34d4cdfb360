/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_RESOLVE_H
#define JQ_RESOLVE_H

#include "jq/tree.h"

/* What the files that resolve names share. */

enum jq_entry_kind { ENTRY_VARIABLE, ENTRY_CLOSURE, ENTRY_DEFINITION, ENTRY_LABEL, ENTRY_GLOBAL };

struct jq_entry {
	enum jq_entry_kind kind;
	struct xylem_span name;
	uint32_t depth; /* cells below its own */
	union {
		struct jq_parameter *parameter;
		struct jq_definition_node *definition;
		struct xylem_span json;
	};
};

/* Names that can be seen, the nearest last. */
struct jq_scope {
	struct jq_tree *tree;
	struct jq_entry *entries;
	uint32_t n, room;
	uint32_t depth; /* cells at run time */
};

/* What a program and each of its modules begin with: the arguments (`--arg`, `$ARGS`). */
void jq_scope_begin(struct jq_scope *scope, struct jq_tree *tree);
bool jq_scope_push(struct jq_scope *scope, struct jq_entry entry);
/* Resolves what stands in the slot; a DEFINE node gives way to what follows it. */
void jq_resolve_slot(struct jq_scope *scope, struct jq_node **slot);
void jq_resolve_body(struct jq_scope *scope, struct jq_definition_node *definition);

/* Turns the call into a node of its own kind, arguments unresolved. False: no such form. */
bool jq_form_apply(struct jq_scope *scope, struct jq_node *call);

/* module.c: brings what the unit imports into the scope. */
bool jq_modules_import(struct jq_scope *scope, const struct jq_unit *unit);

#endif
