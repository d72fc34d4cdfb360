/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a program looks at the event that is its input. A question about an
 * event's attributes is asked of every message: only those that it names are
 * put before it. Where nothing can reach `.data`, it is neither checked nor
 * read, and where it is reached by its name only, it is checked when that is
 * done: `.type == "order" and .data.total > 1` says no to any other type,
 * whatever its payload is.
 *
 * Only what sees the event itself is followed: behind `.type | ...` nothing
 * can reach it any more, since whatever holds the whole event (`.` as a value,
 * a variable, an argument of a function) counts as reading it. What is not
 * known here counts as reading, too. The recursion follows the program, whose
 * depth the parser bounds.
 */
#include "jq/evaluate.h"
#include "jq/index.h"
#include "message/attribute.h"

static bool is_event(const struct jq_node *node)
{
	return !node || node->kind == NODE_IDENTITY;
}

static bool names_data(struct jq_value name)
{
	static const struct xylem_span data = XYLEM_SPAN_LITERAL("data"),
				       base64 = XYLEM_SPAN_LITERAL("data_base64");
	struct xylem_span bytes = xylem_span(name.at, name.n);
	return name.kind != JQ_STRING || xylem_span_equal(bytes, data) || xylem_span_equal(bytes, base64);
}

/* What comes out of it is never the event. */
static bool leaves_event(const struct jq_node *node)
{
	switch (node->kind) {
	case NODE_CONSTANT:
	case NODE_FIELD:
	case NODE_DATA:
	case NODE_INDEX:
	case NODE_NEGATE:
	case NODE_BINARY:
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
	case NODE_ARRAY:
	case NODE_OBJECT:
	case NODE_STRING:
	case NODE_BUILTIN:
	case NODE_EMPTY:
		return true;
	case NODE_PIPE:
		return leaves_event(node->a) || leaves_event(node->b);
	case NODE_TRY:
		return node->a && leaves_event(node->a);
	case NODE_COMMA:
	case NODE_ALTERNATIVE:
		return leaves_event(node->a) && leaves_event(node->b);
	case NODE_IF: /* without `else` it gives its input */
		return leaves_event(node->b) && node->c && leaves_event(node->c);
	default:
		return false;
	}
}

/* --- When it is run ----------------------------------------------------------- */

static bool payload_check(struct jq_machine *machine)
{
	if (!xylem_span_present(machine->payload)) {
		return true;
	}
	if (jq_index_check(machine, machine->payload, XYLEM_JSON_DEPTH - 1, &machine->payload_reason) < 0) {
		machine->callback = -XYLEM_E_INVALID;
		return false;
	}
	machine->payload = XYLEM_SPAN_NONE;
	return true;
}

static enum jq_status data_one(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	return payload_check(machine) ? jq_action_field.one(machine, flow, ret_value) : JQ_ENDED;
}

static enum jq_status data_each(struct jq_machine *machine, struct jq_flow *flow)
{
	return payload_check(machine) ? jq_action_field.each(machine, flow) : JQ_ENDED;
}

const struct jq_action jq_action_data = { data_one, data_each };

/* --- When it is compiled ------------------------------------------------------- */

static enum jq_payload least(enum jq_payload a, enum jq_payload b)
{
	return a < b ? a : b;
}

/* What has to be there for it: an attribute of the table, specversion, or all extensions. */
static uint32_t name_bit(struct jq_value name)
{
	struct xylem_span bytes = xylem_span(name.at, name.n);
	const struct attribute *attribute = attribute_find(bytes);
	if (attribute) {
		return 1u << (attribute - attribute_table);
	}
	return xylem_span_is(bytes, "specversion") ? JQ_NAMES_SPECVERSION : JQ_NAMES_EXTENSIONS;
}

/* Of a part whose result is looked into: it may be the event, as that of `select(.type == "a")` is. */
static enum jq_payload value_payload(struct jq_node *node, uint32_t *names)
{
	return is_event(node) || !leaves_event(node) ? PAYLOAD_WHOLE : jq_payload_find(node, names);
}

static enum jq_payload list_payload(struct jq_node *node, uint32_t *names)
{
	enum jq_payload payload = PAYLOAD_UNSEEN;
	for (uint32_t i = 0; i < node->count; i++) {
		payload = least(payload, value_payload(node->list[i], names));
	}
	return payload;
}

/* `has("time")` and `type` of the event itself. */
static enum jq_payload builtin_payload(struct jq_node *node, uint32_t *names)
{
	const struct jq_node *name = node->count == 1 ? node->list[0] : NULL;
	bool has = strcmp(node->builtin->name, "has") == 0 && name && name->kind == NODE_CONSTANT &&
		   !names_data(name->value);
	if (has) {
		*names |= name_bit(name->value);
	}
	return has || strcmp(node->builtin->name, "type") == 0 ? list_payload(node, names) : PAYLOAD_WHOLE;
}

/* A member of the event: of the payload it is checked from now on. */
static enum jq_payload field_payload(struct jq_node *node, uint32_t *names)
{
	if (!is_event(node->a)) {
		return value_payload(node->a, names);
	}
	if (!names_data(node->value)) {
		*names |= name_bit(node->value);
		return PAYLOAD_UNSEEN;
	}
	node->kind = NODE_DATA;
	node->action = &jq_action_data;
	return PAYLOAD_BY_NAME;
}

static enum jq_payload pipe_payload(struct jq_node *node, uint32_t *names)
{
	if (is_event(node->a)) {
		return jq_payload_find(node->b, names);
	}
	bool leaves = leaves_event(node->a);
	return least(
		jq_payload_find(node->a, names), leaves ? PAYLOAD_UNSEEN : jq_payload_find(node->b, names));
}

enum jq_payload jq_payload_find(struct jq_node *node, uint32_t *names)
{
	switch (node ? node->kind : NODE_IDENTITY) {
	case NODE_CONSTANT:
	case NODE_EMPTY:
	case NODE_NOT:
	case NODE_VARIABLE:
		return PAYLOAD_UNSEEN;
	case NODE_FIELD:
		return field_payload(node, names);
	case NODE_INDEX:
	case NODE_BINARY:
		return least(value_payload(node->a, names), value_payload(node->b, names));
	case NODE_NEGATE:
		return value_payload(node->a, names);
	case NODE_PIPE:
		return pipe_payload(node, names);
	case NODE_COMMA:
	case NODE_AND:
	case NODE_OR:
	case NODE_ALTERNATIVE:
		return least(jq_payload_find(node->a, names), jq_payload_find(node->b, names));
	case NODE_IF: {
		enum jq_payload then = least(
			jq_payload_find(node->a, names), jq_payload_find(node->b, names));
		return node->c ? least(then, jq_payload_find(node->c, names)) : then;
	}
	case NODE_TRY:
	case NODE_SELECT:
		return jq_payload_find(node->a, names);
	case NODE_STRING:
		return list_payload(node, names);
	case NODE_BUILTIN:
		return builtin_payload(node, names);
	default:
		return PAYLOAD_WHOLE;
	}
}
