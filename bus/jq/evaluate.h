/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_EVALUATE_H
#define JQ_EVALUATE_H

#include "jq/machine.h"
#include "jq/number.h"
#include "jq/text.h"
#include "jq/program.h"

/*
 * How a program runs, for the files of this room that do it.
 *
 * An expression is evaluated in one of two ways. jq_one(): it has at most one
 * result, which is returned. jq_each(): it gives each of its results to a sink,
 * which does with it all that follows, and returns; then comes the next result.
 * So nothing is ever suspended and come back to: what jq calls backtracking is
 * returning.
 *
 * Values are given over: who gets one releases it or gives it on. A path is the
 * keys from where paths began to the value, innermost first, on the stack of
 * those who walk it; NULL where nobody asked for paths.
 */
enum jq_status {
	JQ_DONE,
	JQ_NOTHING, /* jq_one: no result */
	JQ_RAISED,  /* an error, in machine->error */
	JQ_BROKE,   /* to machine->label */
	JQ_ENDED,   /* the run: a limit, `halt`, the receiver of results */
	JQ_TAIL,    /* within an action: go on with the flow as it is now */
};

struct jq_path {
	const struct jq_path *outer;
	struct jq_value key; /* borrowed */
};
extern const struct jq_path jq_path_root;   /* where paths begin */
extern const struct jq_path jq_path_broken; /* of a value that is in no place */

struct jq_sink {
	/* Consumes the value. */
	enum jq_status (*take)(struct jq_machine *machine, struct jq_sink *sink, struct jq_value value,
		const struct jq_path *path);
};

/* One evaluation under way. */
struct jq_flow {
	const struct jq_node *node;
	struct jq_cell *cells;
	struct jq_value input;
	const struct jq_path *path;
	struct jq_sink *sink;
	uint32_t mark; /* cells before it began */
};

struct jq_action {
	enum jq_status (*one)(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value);
	enum jq_status (*each)(struct jq_machine *machine, struct jq_flow *flow);
};

/* Both consume `input`. */
enum jq_status jq_one(struct jq_machine *machine, const struct jq_node *node, struct jq_cell *cells,
	struct jq_value input, struct jq_value *ret_value);
enum jq_status jq_each(struct jq_machine *machine, const struct jq_node *node, struct jq_cell *cells,
	struct jq_value input, const struct jq_path *path, struct jq_sink *sink);

/* evaluate_field.c: all fields of a path, from what stands before the first. evaluate_path.c: one of a value. */
enum jq_status jq_fields_one(struct jq_machine *machine, const struct jq_node *node, struct jq_cell *cells,
	struct jq_value input, struct jq_value *ret_value);
enum jq_status jq_field_of(struct jq_machine *machine, const struct jq_node *node, struct jq_value value,
	struct jq_value *ret_value);

/* The fields of a path from the one at `at` on; `entry` is what the one before gave, NULL: nothing. */
enum jq_status jq_fields_from(struct jq_machine *machine, const struct jq_fields *fields,
	const struct json_entry *entry, uint32_t at, struct jq_value *ret_value);

/* evaluate_record.c: makes the record of an OBJECT that is one; false: out of memory. */
bool jq_record_make(struct jq_tree *tree, struct jq_node *node);
/*
 * Members of the input (borrowed) by the names of the record, NULL where there is none; to be given back.
 * NULL: not that way.
 */
const struct json_entry **jq_record_find(
	struct jq_machine *machine, const struct jq_record *record, struct jq_value input);
void jq_record_give(
	struct jq_machine *machine, const struct jq_record *record, const struct json_entry **found);

/* For actions without results of their own place. */
enum jq_status jq_each_by_one(struct jq_machine *machine, struct jq_flow *flow);

/* What NONE from a constructor means. */
static inline enum jq_status jq_failed(const struct jq_machine *machine)
{
	return machine->limit == JQ_LIMIT_NONE ? JQ_RAISED : JQ_ENDED;
}

static inline enum jq_status jq_return(
	const struct jq_machine *machine, struct jq_value value, struct jq_value *ret_value)
{
	*ret_value = value;
	return jq_is_none(value) ? jq_failed(machine) : JQ_DONE;
}

/* Gives a made value to the sink; NONE is a failure. */
static inline enum jq_status jq_emit(struct jq_machine *machine, const struct jq_flow *flow,
	struct jq_value value, const struct jq_path *path)
{
	return jq_is_none(value) ? jq_failed(machine) : flow->sink->take(machine, flow->sink, value, path);
}

/*
 * A value that stands in no place; but null made of null (true of true, false of false) counts as what was
 * there, as in jq, which compares the two.
 */
static inline enum jq_status jq_emit_made(
	struct jq_machine *machine, const struct jq_flow *flow, struct jq_value value)
{
	const struct jq_path *path = flow->path;
	if (path && (value.kind > JQ_TRUE || value.kind != flow->input.kind)) {
		path = &jq_path_broken;
	}
	return jq_emit(machine, flow, value, path);
}

/* --- Cells --------------------------------------------------------------------------- */

/* NULL: a limit. Its value is NULL (the kind) at first. */
struct jq_cell *jq_cell_push(struct jq_machine *machine, struct jq_cell *parent);
void jq_cells_pop(struct jq_machine *machine, uint32_t mark);

static inline struct jq_cell *jq_cell_at(struct jq_cell *cells, uint32_t distance)
{
	while (distance-- > 0) {
		cells = cells->parent;
	}
	return cells;
}

/* --- Products: expressions whose results multiply ---------------------------------------- */

/*
 * Evaluates operands one within the other, the first outermost, and gives all
 * of their values (borrowed) to `finish`, once for each combination.
 */
struct jq_product {
	struct jq_sink sink;
	const struct jq_flow *flow;
	const struct jq_node *const *operands; /* NULL among them: the value null */
	struct jq_value *values;
	uint32_t n, at;
	enum jq_status (*finish)(
		struct jq_machine *machine, const struct jq_flow *flow, const struct jq_value *values);
};
enum jq_status jq_product_run(struct jq_machine *machine, struct jq_product *product);

/* --- Values ----------------------------------------------------------------------------- */

/* operator.c: consume both. */
struct jq_value jq_calculate(
	struct jq_machine *machine, enum jq_operator op, struct jq_value a, struct jq_value b);
struct jq_value jq_string_split(
	struct jq_machine *machine, struct jq_value string, struct jq_value separator);
/* Indices of `part` in an array (equal runs of elements) or a string (in code points). Borrows. */
struct jq_value jq_indices(struct jq_machine *machine, struct jq_value whole, struct jq_value part);

/* access.c: `value | .[key]`; consumes `value`, borrows `key`. */
struct jq_value jq_get(struct jq_machine *machine, struct jq_value value, struct jq_value key);
struct jq_value jq_get_field(struct jq_machine *machine, struct jq_value value, struct jq_value name);
struct jq_value jq_get_slice(
	struct jq_machine *machine, struct jq_value value, struct jq_value from, struct jq_value to);
struct jq_value jq_set(
	struct jq_machine *machine, struct jq_value value, struct jq_value key, struct jq_value item);
struct jq_value jq_slice_key(struct jq_machine *machine, struct jq_value from, struct jq_value to);

/* path.c: keys of a path, outermost first, as an array; and what is done with them. */
struct jq_value jq_path_keys(struct jq_machine *machine, const struct jq_path *path);
const struct jq_path *jq_path_keep(struct jq_machine *machine, const struct jq_path *path);
/* A path of keys in reverse, made of an array's items, on top of `outer`; in the memory of the run. */
const struct jq_path *jq_path_from(
	struct jq_machine *machine, const struct jq_path *outer, struct jq_value keys);
struct jq_value jq_path_get(struct jq_machine *machine, struct jq_value value, struct jq_value keys);
struct jq_value jq_path_set(
	struct jq_machine *machine, struct jq_value value, struct jq_value keys, struct jq_value item);
struct jq_value jq_paths_delete(struct jq_machine *machine, struct jq_value value, struct jq_value paths);

/*
 * Takes the value at a path out, to be changed and put back: every container on
 * the way is owned and has a hole, so that what is changed has one reference.
 */
struct jq_opened {
	struct jq_value *containers;
	struct jq_value leaf;
	uint32_t n;
};
bool jq_path_open(
	struct jq_machine *machine, struct jq_value root, struct jq_value keys, struct jq_opened *opened);
struct jq_value jq_path_close(
	struct jq_machine *machine, struct jq_value keys, struct jq_opened *opened, struct jq_value item);

/* What `.[]` of such a value is: nothing where it is `.[]?`, else an error. Consumes. */
enum jq_status jq_not_iterable(struct jq_machine *machine, const struct jq_node *node, struct jq_value value);
/* `Cannot iterate over ...`; NONE. */
struct jq_value jq_fail_iterate(struct jq_machine *machine, struct jq_value value);
/* `Cannot use ... as object key`; NONE. */
struct jq_value jq_fail_key(struct jq_machine *machine, struct jq_value key);
/* `Invalid path expression with result ...`; NONE. */
struct jq_value jq_fail_path(struct jq_machine *machine, struct jq_value value);

/* Sorts: by key, then by place. `items` has n pairs. */
struct jq_keyed {
	struct jq_value key, item;
	uint32_t index;
};
bool jq_keyed_sort(struct jq_machine *machine, struct jq_keyed *items, size_t n);
struct jq_value jq_keyed_give(
	struct jq_machine *machine, enum jq_sorted what, struct jq_keyed *items, size_t n);

/* stack.c: runs the flow on the machine's own stack, for deep recursion. */
enum jq_status jq_deep(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value);
void jq_stack_free(struct jq_machine *machine);
/* evaluate.c: the flow, where it stands. */
enum jq_status jq_flow_run(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value);

extern const struct jq_action jq_action_identity, jq_action_constant, jq_action_field, jq_action_data,
	jq_action_index, jq_action_slice, jq_action_iterate, jq_action_pipe, jq_action_comma,
	jq_action_negate, jq_action_binary, jq_action_and, jq_action_or, jq_action_alternative, jq_action_if,
	jq_action_try, jq_action_reduce, jq_action_foreach, jq_action_bind, jq_action_destructure,
	jq_action_variable, jq_action_array, jq_action_map, jq_action_sum, jq_action_object, jq_action_string,
	jq_action_format, jq_action_assign, jq_action_update, jq_action_calculate, jq_action_label,
	jq_action_break, jq_action_closure, jq_action_invoke, jq_action_builtin, jq_action_empty,
	jq_action_error, jq_action_not, jq_action_select, jq_action_recurse, jq_action_path,
	jq_action_getpath, jq_action_delete, jq_action_first, jq_action_last, jq_action_limit, jq_action_skip,
	jq_action_until, jq_action_while, jq_action_repeat, jq_action_range, jq_action_any, jq_action_all,
	jq_action_isempty, jq_action_sorted, jq_action_add, jq_action_world;

#endif
