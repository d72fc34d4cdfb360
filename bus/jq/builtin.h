/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_BUILTIN_H
#define JQ_BUILTIN_H

#include "jq/value.h"

/*
 * A builtin in C: pure, gives exactly one value or fails (NONE, after jq_fail).
 * `input` and `arguments` are borrowed: return jq_retain(input) to give it on.
 * Long loops call jq_spend(). Nothing here recurses on input.
 */
typedef struct jq_value jq_function(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments);

struct jq_builtin {
	const char *name;
	uint8_t arity; /* up to 6 */
	jq_function *function;
};

/* One table for each file, sorted by name, then arity; ends with an empty row. builtin.c lists the tables. */
extern const struct jq_builtin jq_builtin_core[];
extern const struct jq_builtin jq_builtin_value[];
extern const struct jq_builtin jq_builtin_regex[];
extern const struct jq_builtin jq_builtin_date[];
extern const struct jq_builtin jq_builtin_string[];
extern const struct jq_builtin jq_builtin_math[];

/* NULL: none of that name. */
const struct jq_builtin *jq_builtin_find(struct xylem_span name, size_t arity);

/*
 * A builtin in the language itself: parsed only in programs that use it, as if
 * it were defined before them. It may use other builtins.
 */
struct jq_definition {
	const char *name;
	uint8_t arity;
	const char *text; /* `def NAME(...): ...;` */
};
extern const struct jq_definition jq_library_core[];
extern const struct jq_definition jq_library_string[]; /* regular expressions, dates, strings */

const struct jq_definition *jq_definition_find(struct xylem_span name, size_t arity);

/* All names as `name/arity`: what `builtins` says. */
struct jq_value jq_builtin_names(struct jq_machine *machine);
/* Those of form.c, by number; false beyond the last. */
bool jq_form_name(size_t index, const char **ret_name, uint8_t *ret_arity);

/* `@NAME`: formats a value; `text` for no format. NULL: no such format. */
typedef struct jq_value jq_format(struct jq_machine *machine, struct jq_value value);
jq_format *jq_format_find(struct xylem_span name);

/*
 * A place of the machine's for what regular expressions keep between runs
 * (compiled patterns); NULL at first. `release` is called when the machine ends.
 */
void **jq_patterns(struct jq_machine *machine, void (*release)(void *patterns));

#endif
