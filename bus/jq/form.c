/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builtins whose arguments are expressions, made into nodes of the tree: `map`,
 * `select`, `first`, `range` ... They see what stands around the call, so no
 * cell is needed for them. And what a pure program may not call.
 */
#include "jq/resolve.h"

static struct jq_node *new_node(struct jq_scope *scope, const struct jq_node *call, enum jq_node_kind kind,
	struct jq_node *a, struct jq_node *b)
{
	struct jq_node *node = jq_node_new(scope->tree, call->source, call->offset, kind);
	if (node) {
		node->a = a;
		node->b = b;
	}
	return node;
}

static struct jq_node *dot(struct jq_scope *scope, const struct jq_node *call)
{
	return new_node(scope, call, NODE_IDENTITY, NULL, NULL);
}

/* `.[]` */
static struct jq_node *elements(struct jq_scope *scope, const struct jq_node *call)
{
	return new_node(scope, call, NODE_ITERATE, dot(scope, call), NULL);
}

static struct jq_node *call_of(struct jq_scope *scope, const struct jq_node *call, const char *name)
{
	struct jq_node *node = new_node(scope, call, NODE_CALL, NULL, NULL);
	if (node) {
		node->value = jq_string_borrow(xylem_span_of(name));
	}
	return node;
}

static void become(struct jq_node *node, enum jq_node_kind kind, struct jq_node *a, struct jq_node *b)
{
	node->kind = (uint8_t)kind;
	node->a = a;
	node->b = b;
	node->list = NULL;
	node->count = 0;
}

/* --- Forms ------------------------------------------------------------------------------- */

static void form_map(struct jq_scope *scope, struct jq_node *call)
{
	struct jq_node *each = new_node(scope, call, NODE_PIPE, elements(scope, call), call->list[0]);
	become(call, NODE_ARRAY, each, NULL);
}

static void form_map_values(struct jq_scope *scope, struct jq_node *call)
{
	become(call, NODE_UPDATE, elements(scope, call), call->list[0]);
}

static void form_with_entries(struct jq_scope *scope, struct jq_node *call)
{
	struct jq_node *each = new_node(scope, call, NODE_PIPE, elements(scope, call), call->list[0]);
	struct jq_node *mapped = new_node(scope, call, NODE_ARRAY, each, NULL);
	struct jq_node *rest = new_node(scope, call, NODE_PIPE, mapped, call_of(scope, call, "from_entries"));
	become(call, NODE_PIPE, call_of(scope, call, "to_entries"), rest);
}

static void form_recurse(struct jq_scope *scope, struct jq_node *call)
{
	struct jq_node *step = call->count > 0 ? call->list[0] : elements(scope, call);
	if (call->count == 0 && step) {
		step->optional = true;
	}
	if (call->count == 2) { /* recurse(f; condition) */
		struct jq_node *select = new_node(scope, call, NODE_SELECT, call->list[1], NULL);
		step = new_node(scope, call, NODE_PIPE, step, select);
	}
	become(call, NODE_RECURSE, step, NULL);
}

static void form_range(struct jq_scope *scope, struct jq_node *call)
{
	struct jq_node *from = call->list[0], *to = call->count > 1 ? call->list[1] : NULL;
	struct jq_node *by = call->count > 2 ? call->list[2] : NULL;
	if (!to) {
		to = from;
		from = new_node(scope, call, NODE_CONSTANT, NULL, NULL);
		if (from) {
			from->value = jq_int(0);
		}
	}
	become(call, NODE_RANGE, from, to);
	call->c = by;
}

/* any and all: of elements, of elements by a condition, of what an expression gives by a condition. */
static void quantifier(struct jq_scope *scope, struct jq_node *call, enum jq_node_kind kind)
{
	struct jq_node *source = call->count == 2 ? call->list[0] : elements(scope, call);
	struct jq_node *condition = call->count == 0 ? dot(scope, call) : call->list[call->count - 1];
	become(call, kind, source, condition);
}

static void form_any(struct jq_scope *scope, struct jq_node *call)
{
	quantifier(scope, call, NODE_ANY);
}

static void form_all(struct jq_scope *scope, struct jq_node *call)
{
	quantifier(scope, call, NODE_ALL);
}

static void form_error(struct jq_scope *scope, struct jq_node *call)
{
	become(call, NODE_ERROR, call->count ? call->list[0] : dot(scope, call), NULL);
}

/* `.[index]` */
static void element_at(struct jq_scope *scope, struct jq_node *call, int64_t index)
{
	struct jq_node *key = new_node(scope, call, NODE_CONSTANT, NULL, NULL);
	if (key) {
		key->value = jq_int(index);
	}
	become(call, NODE_INDEX, dot(scope, call), key);
}

static void form_first(struct jq_scope *scope, struct jq_node *call)
{
	element_at(scope, call, 0);
}

static void form_last(struct jq_scope *scope, struct jq_node *call)
{
	element_at(scope, call, -1);
}

static void form_inputs(struct jq_scope *scope, struct jq_node *call)
{
	/* repeat(input), ended by the end of inputs: see NODE_WORLD */
	become(call, NODE_WORLD, NULL, NULL);
	call->op = WORLD_INPUT;
	call->optional = true;
}

static void form_halt_error(struct jq_scope *scope, struct jq_node *call)
{
	struct jq_node *status = call->count ? call->list[0]
					     : new_node(scope, call, NODE_CONSTANT, NULL, NULL);
	if (status && !call->count) {
		status->value = jq_int(5);
	}
	become(call, NODE_WORLD, status, NULL);
	call->op = WORLD_HALT_ERROR;
}

static void form_debug(struct jq_scope *scope, struct jq_node *call)
{
	become(call, NODE_WORLD, call->count ? call->list[0] : NULL, NULL);
	call->op = WORLD_DEBUG;
}

enum { IMPURE = 1 };

struct form {
	const char *name;
	uint8_t arity;
	uint8_t flags;
	uint8_t kind, op; /* without `apply`: the kind, arguments as a and b */
	void (*apply)(struct jq_scope *scope, struct jq_node *call);
};

static const struct form forms[] = {
	{ "add", 1, 0, NODE_ADD, 0, NULL },
	{ "all", 0, 0, 0, 0, form_all },
	{ "all", 1, 0, 0, 0, form_all },
	{ "all", 2, 0, 0, 0, form_all },
	{ "any", 0, 0, 0, 0, form_any },
	{ "any", 1, 0, 0, 0, form_any },
	{ "any", 2, 0, 0, 0, form_any },
	{ "debug", 0, IMPURE, 0, 0, form_debug },
	{ "debug", 1, IMPURE, 0, 0, form_debug },
	{ "del", 1, 0, NODE_DELETE, 0, NULL },
	{ "empty", 0, 0, NODE_EMPTY, 0, NULL },
	{ "env", 0, IMPURE, NODE_WORLD, WORLD_ENV, NULL },
	{ "error", 0, 0, 0, 0, form_error },
	{ "error", 1, 0, 0, 0, form_error },
	{ "first", 0, 0, 0, 0, form_first },
	{ "first", 1, 0, NODE_FIRST, 0, NULL },
	{ "getpath", 1, 0, NODE_GETPATH, 0, NULL },
	{ "group_by", 1, 0, NODE_SORTED, SORTED_GROUP, NULL },
	{ "halt", 0, IMPURE, NODE_WORLD, WORLD_HALT, NULL },
	{ "halt_error", 0, IMPURE, 0, 0, form_halt_error },
	{ "halt_error", 1, IMPURE, 0, 0, form_halt_error },
	{ "input", 0, IMPURE, NODE_WORLD, WORLD_INPUT, NULL },
	{ "input_filename", 0, IMPURE, NODE_WORLD, WORLD_FILE, NULL },
	{ "input_line_number", 0, IMPURE, NODE_WORLD, WORLD_LINE, NULL },
	{ "inputs", 0, IMPURE, 0, 0, form_inputs },
	{ "isempty", 1, 0, NODE_ISEMPTY, 0, NULL },
	{ "last", 0, 0, 0, 0, form_last },
	{ "last", 1, 0, NODE_LAST, 0, NULL },
	{ "limit", 2, 0, NODE_LIMIT, 0, NULL },
	{ "map", 1, 0, 0, 0, form_map },
	{ "map_values", 1, 0, 0, 0, form_map_values },
	{ "max_by", 1, 0, NODE_SORTED, SORTED_MAX, NULL },
	{ "min_by", 1, 0, NODE_SORTED, SORTED_MIN, NULL },
	{ "not", 0, 0, NODE_NOT, 0, NULL },
	{ "path", 1, 0, NODE_PATH, 0, NULL },
	{ "range", 1, 0, 0, 0, form_range },
	{ "range", 2, 0, 0, 0, form_range },
	{ "range", 3, 0, 0, 0, form_range },
	{ "recurse", 0, 0, 0, 0, form_recurse },
	{ "recurse", 1, 0, 0, 0, form_recurse },
	{ "recurse", 2, 0, 0, 0, form_recurse },
	{ "repeat", 1, 0, NODE_REPEAT, 0, NULL },
	{ "select", 1, 0, NODE_SELECT, 0, NULL },
	{ "skip", 2, 0, NODE_SKIP, 0, NULL },
	{ "sort_by", 1, 0, NODE_SORTED, SORTED_SORT, NULL },
	{ "stderr", 0, IMPURE, NODE_WORLD, WORLD_STDERR, NULL },
	{ "unique_by", 1, 0, NODE_SORTED, SORTED_UNIQUE, NULL },
	{ "until", 2, 0, NODE_UNTIL, 0, NULL },
	{ "while", 2, 0, NODE_WHILE, 0, NULL },
	{ "with_entries", 1, 0, 0, 0, form_with_entries },
};

/* Impure and no form: they exist, if at all, as builtins of the command. */
static const char *const refused[] = { "get_search_list", "localtime", "modulemeta", "strflocaltime" };

static void impure(struct jq_scope *scope, struct jq_node *call)
{
	jq_tree_fail(scope->tree, call->source, call->offset,
		"%.*s is not available: a program sees its input and nothing else, so that it gives the same "
		"result whenever it is run again",
		(int)call->value.n, call->value.at);
}

static void form_use(struct jq_scope *scope, struct jq_node *call, const struct form *form)
{
	if (form->apply) {
		form->apply(scope, call);
		return;
	}
	become(call, form->kind, call->count > 0 ? call->list[0] : NULL,
		call->count > 1 ? call->list[1] : NULL);
	call->op = form->op;
}

bool jq_form_apply(struct jq_scope *scope, struct jq_node *call)
{
	struct xylem_span name = xylem_span(call->value.at, call->value.n);
	bool pure = !scope->tree->options->impure && call->source->file != NULL;
	for (size_t i = 0; pure && i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (xylem_span_is(name, refused[i])) {
			impure(scope, call);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].arity == call->count && xylem_span_is(name, forms[i].name)) {
			if (pure && (forms[i].flags & IMPURE)) {
				impure(scope, call);
			} else {
				form_use(scope, call, &forms[i]);
			}
			return true;
		}
	}
	return false;
}

bool jq_form_name(size_t index, const char **ret_name, uint8_t *ret_arity)
{
	if (index >= sizeof(forms) / sizeof(forms[0])) {
		return false;
	}
	*ret_name = forms[index].name;
	*ret_arity = forms[index].arity;
	return true;
}
