/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a `where` tree over one event. Values stay where they are: attributes
 * as spans of the message, payload as JSON text; the event is written out as
 * JSON only where an expression compares or measures it as a whole.
 *
 * A node gives one value, no value (jq's `empty`, from `?`), or an error. As
 * in jq the right side of a comparison comes before the left, and `?` turns an
 * error into no value. That data is not JSON is no error of jq's, so nothing
 * turns it into anything: -XYLEM_E_INVALID inside this file.
 *
 * Recursion here follows the tree, whose depth the parser bounds; never the
 * input.
 */
#include <xylem/json.h>

#include "json/order.h"
#include "json/string.h"
#include "json/utf8.h"
#include "route/where_tree.h"

struct evaluation {
	const struct xylem_message *message;
	struct xylem_arena *arena;
	struct xylem_reason *reason;
	bool data_known;
	struct where_value data; /* EMPTY: the event has none that is JSON or text */
};

#define LITERAL(text) ((struct where_value){ WHERE_JSON, XYLEM_SPAN_LITERAL(text) })

static struct where_value json_value(struct xylem_span text)
{
	return xylem_span_present(text) ? (struct where_value){ WHERE_JSON, text } : LITERAL("null");
}

static struct where_value truth_value(bool truth)
{
	return truth ? LITERAL("true") : LITERAL("false");
}

static enum xylem_json_type type_of(struct where_value value)
{
	return value.form == WHERE_STRING  ? XYLEM_JSON_STRING
	       : value.form == WHERE_EVENT ? XYLEM_JSON_OBJECT
					   : xylem_json_type(value.text);
}

static const char *type_name(struct where_value value)
{
	return xylem_json_type_name(type_of(value));
}

static bool is_true(struct where_value value)
{
	enum xylem_json_type type = type_of(value);
	return type != XYLEM_JSON_NULL && type != XYLEM_JSON_FALSE;
}

static int memory_short(struct evaluation *own)
{
	xylem_reason_set(own->reason, "out of memory");
	return -XYLEM_E_MEMORY;
}

/* --- The event -------------------------------------------------------------- */

static int data_load(struct evaluation *own)
{
	const struct xylem_message *message = own->message;
	struct xylem_reason reason;
	own->data = (struct where_value){ WHERE_EMPTY, XYLEM_SPAN_NONE };
	if (xylem_span_present(message->data) && xylem_content_type_is_json(message->datacontenttype)) {
		if (xylem_json_check(message->data, NULL, &reason) < 0) {
			xylem_reason_set(
				own->reason, "the expression asks for .data, which is %s", reason.text);
			return -XYLEM_E_INVALID;
		}
		own->data = (struct where_value){ WHERE_JSON, xylem_json_trim(message->data) };
	} else if (xylem_span_present(message->data) && utf8_valid(message->data)) {
		own->data = (struct where_value){ WHERE_STRING, message->data };
	}
	own->data_known = true;
	return 0;
}

/* The event as JSON text, for what cannot be said of it otherwise. */
static int event_write(struct evaluation *own, struct where_value *value)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	xylem_message_write_json(own->message, &out);
	struct xylem_span copy = xylem_buffer_failed(&out)
					 ? XYLEM_SPAN_NONE
					 : xylem_arena_copy(own->arena, xylem_buffer_borrow(&out));
	if (!xylem_span_present(copy)) {
		return memory_short(own);
	}
	*value = (struct where_value){ WHERE_JSON, copy };
	return 0;
}

/* A member of the event; form EMPTY where it has none of that name. */
static int event_member(struct evaluation *own, struct xylem_span name, struct where_value *ret_value)
{
	if (xylem_span_is(name, "data")) {
		int error = own->data_known ? 0 : data_load(own);
		if (error == 0) {
			*ret_value = own->data;
		}
		return error;
	}
	if (xylem_span_is(name, "data_base64")) {
		struct where_value event;
		int error = event_write(own, &event);
		if (error == 0) {
			struct xylem_span member = xylem_json_member(event.text, name);
			*ret_value = (struct where_value){
				xylem_span_present(member) ? WHERE_JSON : WHERE_EMPTY, member
			};
		}
		return error;
	}
	struct xylem_span text = xylem_message_attribute(own->message, name);
	*ret_value = (struct where_value){ xylem_span_present(text) ? WHERE_STRING : WHERE_EMPTY, text };
	return 0;
}

/* --- Strings and order ------------------------------------------------------ */

static int string_text(struct evaluation *own, struct where_value value, struct xylem_span *ret_text)
{
	if (value.form == WHERE_STRING) {
		*ret_text = value.text;
		return 0;
	}
	return xylem_json_string(value.text, own->arena, ret_text) < 0 ? memory_short(own) : 0;
}

static int text_order(struct xylem_span a, struct xylem_span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.at, b.at, n) : 0;
	return order ? (order > 0) - (order < 0) : (a.n > b.n) - (a.n < b.n);
}

static int string_order(struct evaluation *own, struct where_value a, struct where_value b, int *ret_order)
{
	struct xylem_span left, right;
	int error = string_text(own, a, &left);
	error = error ? error : string_text(own, b, &right);
	if (error == 0) {
		*ret_order = text_order(left, right);
	}
	return error;
}

static int order_of(struct evaluation *own, struct where_value a, struct where_value b, int *ret_order)
{
	enum xylem_json_type left = type_of(a), right = type_of(b);
	if (left != right) {
		*ret_order = left < right ? -1 : 1;
		return 0;
	}
	if (left == XYLEM_JSON_STRING) {
		return string_order(own, a, b, ret_order);
	}
	int error = a.form == WHERE_EVENT ? event_write(own, &a) : 0;
	error = error == 0 && b.form == WHERE_EVENT ? event_write(own, &b) : error;
	if (error == 0) {
		*ret_order = json_order(a.text, b.text);
	}
	return error;
}

/* --- Paths ------------------------------------------------------------------ */

static int field_get(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	enum xylem_json_type type = type_of(input);
	if (input.form == WHERE_EVENT) {
		int error = event_member(own, node->name, ret_value);
		if (error == 0 && ret_value->form == WHERE_EMPTY) {
			*ret_value = LITERAL("null");
		}
		return error;
	}
	if (type == XYLEM_JSON_OBJECT || type == XYLEM_JSON_NULL) {
		*ret_value = json_value(xylem_json_member(input.text, node->name));
		return 0;
	}
	xylem_reason_set(own->reason, "Cannot index %s with \"%.*s\"", type_name(input), (int)node->name.n,
		node->name.n ? node->name.at : "");
	return -XYLEM_E_UNPROCESSABLE;
}

static int index_get(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	enum xylem_json_type type = type_of(input);
	if (type != XYLEM_JSON_ARRAY && type != XYLEM_JSON_NULL) {
		xylem_reason_set(own->reason, "Cannot index %s with number", type_name(input));
		return -XYLEM_E_UNPROCESSABLE;
	}
	int64_t index = node->index;
	if (index < 0 && type == XYLEM_JSON_ARRAY) {
		index += (int64_t)xylem_json_count(input.text);
	}
	*ret_value = index < 0 ? LITERAL("null") : json_value(xylem_json_element(input.text, (size_t)index));
	return 0;
}

/* --- Tests ------------------------------------------------------------------ */

static int length_get(struct evaluation *own, struct where_value input, struct where_value *ret_value)
{
	size_t n = 0;
	int error = input.form == WHERE_EVENT ? event_write(own, &input) : 0;
	switch (error ? XYLEM_JSON_NONE : type_of(input)) {
	case XYLEM_JSON_NONE:
		return error;
	case XYLEM_JSON_NULL:
		break;
	case XYLEM_JSON_NUMBER: { /* its absolute value */
		bool negative = input.text.at[0] == '-';
		*ret_value = json_value(xylem_span(input.text.at + negative, input.text.n - negative));
		return 0;
	}
	case XYLEM_JSON_STRING:
		n = input.form == WHERE_STRING ? utf8_count(input.text) : json_string_count(input.text);
		break;
	case XYLEM_JSON_ARRAY:
		n = xylem_json_count(input.text);
		break;
	case XYLEM_JSON_OBJECT:
		n = json_member_count(input.text);
		break;
	default:
		xylem_reason_set(own->reason, "%s (%.*s) has no length", type_name(input), (int)input.text.n,
			input.text.at);
		return -XYLEM_E_UNPROCESSABLE;
	}
	char *digits = xylem_arena_format(own->arena, "%zu", n);
	*ret_value = (struct where_value){ WHERE_JSON, xylem_span_of(digits) };
	return digits ? 0 : memory_short(own);
}

static int has_test(
	struct evaluation *own, const struct where_node *node, struct where_value input, bool *ret_truth)
{
	bool named = node->value.form == WHERE_STRING;
	enum xylem_json_type type = type_of(input);
	if (type == XYLEM_JSON_NULL) {
		*ret_truth = false;
		return 0;
	}
	if (type != (named ? XYLEM_JSON_OBJECT : XYLEM_JSON_ARRAY)) {
		xylem_reason_set(own->reason, "Cannot check whether %s has a %s key", type_name(input),
			named ? "string" : "number");
		return -XYLEM_E_UNPROCESSABLE;
	}
	if (input.form == WHERE_EVENT) {
		struct where_value member;
		int error = event_member(own, node->value.text, &member);
		if (error == 0) {
			*ret_truth = member.form != WHERE_EMPTY;
		}
		return error;
	}
	int64_t index = -1;
	if (named) {
		*ret_truth = xylem_span_present(xylem_json_member(input.text, node->value.text));
	} else {
		xylem_json_int64(node->value.text, &index);
		*ret_truth = index >= 0 && xylem_span_present(xylem_json_element(input.text, (size_t)index));
	}
	return 0;
}

static bool holds(enum where_kind kind, struct xylem_span text, struct xylem_span part)
{
	if (part.n == 0) {
		return true;
	}
	if (part.n > text.n) {
		return false;
	}
	switch (kind) {
	case WHERE_STARTSWITH:
		return memcmp(text.at, part.at, part.n) == 0;
	case WHERE_ENDSWITH:
		return memcmp(text.at + text.n - part.n, part.at, part.n) == 0;
	default:
		return memmem(text.at, text.n, part.at, part.n) != NULL;
	}
}

static int string_test(
	struct evaluation *own, const struct where_node *node, struct where_value input, bool *ret_truth)
{
	if (type_of(input) != XYLEM_JSON_STRING) {
		if (node->kind == WHERE_CONTAINS) {
			xylem_reason_set(own->reason, "%s and string cannot have their containment checked",
				type_name(input));
		} else {
			xylem_reason_set(own->reason, "%s() requires string inputs",
				node->kind == WHERE_STARTSWITH ? "startswith" : "endswith");
		}
		return -XYLEM_E_UNPROCESSABLE;
	}
	struct xylem_span text;
	int error = string_text(own, input, &text);
	if (error == 0) {
		*ret_truth = holds(node->kind, text, node->value.text);
	}
	return error;
}

static int in_test(
	struct evaluation *own, const struct where_node *node, struct where_value input, bool *ret_truth)
{
	bool found = false;
	for (const struct where_node *item = node->left; item && !found; item = item->right) {
		int order = 0;
		int error = order_of(own, input, item->value, &order);
		if (error < 0) {
			return error;
		}
		found = order == 0;
	}
	*ret_truth = found;
	return 0;
}

/* --- The walk --------------------------------------------------------------- */

static int evaluate(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value);

static bool compares(enum where_kind kind, int order)
{
	switch (kind) {
	case WHERE_EQUAL:
		return order == 0;
	case WHERE_UNEQUAL:
		return order != 0;
	case WHERE_LESS:
		return order < 0;
	case WHERE_LESS_EQUAL:
		return order <= 0;
	case WHERE_GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

static int comparison(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	struct where_value left, right;
	int order = 0, error = evaluate(own, node->right, input, &right);
	if (error < 0 || right.form == WHERE_EMPTY) {
		*ret_value = (struct where_value){ WHERE_EMPTY, XYLEM_SPAN_NONE };
		return error;
	}
	error = evaluate(own, node->left, input, &left);
	if (error < 0 || left.form == WHERE_EMPTY) {
		*ret_value = left;
		return error;
	}
	error = order_of(own, left, right, &order);
	*ret_value = truth_value(compares(node->kind, order));
	return error;
}

/* `and` and `or`: the left alone decides where it can. */
static int junction(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	int error = evaluate(own, node->left, input, ret_value);
	if (error < 0 || ret_value->form == WHERE_EMPTY) {
		return error;
	}
	if (is_true(*ret_value) == (node->kind == WHERE_AND)) {
		error = evaluate(own, node->right, input, ret_value);
		if (error < 0 || ret_value->form == WHERE_EMPTY) {
			return error;
		}
	}
	*ret_value = truth_value(is_true(*ret_value));
	return 0;
}

static int alternative(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	int error = evaluate(own, node->left, input, ret_value);
	if (error < 0 || (ret_value->form != WHERE_EMPTY && is_true(*ret_value))) {
		return error;
	}
	return evaluate(own, node->right, input, ret_value);
}

/* Nodes that look at one value: what stands left of them, or `.`. */
static int unary(struct evaluation *own, const struct where_node *node, struct where_value value,
	struct where_value *ret_value)
{
	bool truth = false;
	int error = 0;
	switch (node->kind) {
	case WHERE_FIELD:
		return field_get(own, node, value, ret_value);
	case WHERE_INDEX:
		return index_get(own, node, value, ret_value);
	case WHERE_LENGTH:
		return length_get(own, value, ret_value);
	case WHERE_TYPE:
		*ret_value = (struct where_value){ WHERE_STRING, xylem_span_of(type_name(value)) };
		return 0;
	case WHERE_NOT:
		truth = !is_true(value);
		break;
	case WHERE_HAS:
		error = has_test(own, node, value, &truth);
		break;
	case WHERE_IN:
		error = in_test(own, node, value, &truth);
		break;
	default:
		error = string_test(own, node, value, &truth);
		break;
	}
	*ret_value = truth_value(truth);
	return error;
}

static int path(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	struct where_value left;
	int error = evaluate(own, node->left, input, &left);
	if (error < 0 || left.form == WHERE_EMPTY) {
		*ret_value = left;
		return error;
	}
	error = unary(own, node, left, ret_value);
	if (error == -XYLEM_E_UNPROCESSABLE && node->optional) {
		*ret_value = (struct where_value){ WHERE_EMPTY, XYLEM_SPAN_NONE };
		return 0;
	}
	return error;
}

static int evaluate(struct evaluation *own, const struct where_node *node, struct where_value input,
	struct where_value *ret_value)
{
	int error;
	*ret_value = (struct where_value){ WHERE_EMPTY, XYLEM_SPAN_NONE };
	switch (node->kind) {
	case WHERE_IDENTITY:
		*ret_value = input;
		return 0;
	case WHERE_LITERAL:
		*ret_value = node->value;
		return 0;
	case WHERE_FIELD:
	case WHERE_INDEX:
		return path(own, node, input, ret_value);
	case WHERE_PIPE:
		error = evaluate(own, node->left, input, ret_value);
		return error < 0 || ret_value->form == WHERE_EMPTY
			       ? error
			       : evaluate(own, node->right, *ret_value, ret_value);
	case WHERE_ALTERNATIVE:
		return alternative(own, node, input, ret_value);
	case WHERE_OR:
	case WHERE_AND:
		return junction(own, node, input, ret_value);
	case WHERE_EQUAL ... WHERE_GREATER_EQUAL:
		return comparison(own, node, input, ret_value);
	default:
		return unary(own, node, input, ret_value);
	}
}

int where_evaluate(const struct where_node *root, const struct xylem_message *message,
	struct xylem_arena *arena, bool *ret_truth, struct xylem_reason *reason)
{
	struct xylem_reason own_reason;
	struct evaluation own = { .message = message, .arena = arena, .reason = &own_reason };
	struct where_value value;
	int error = evaluate(&own, root, (struct where_value){ WHERE_EVENT, XYLEM_SPAN_NONE }, &value);
	if (error < 0) {
		xylem_reason_set(reason, "%s", own_reason.text);
		return error == -XYLEM_E_INVALID ? -XYLEM_E_UNPROCESSABLE : error;
	}
	*ret_truth = value.form != WHERE_EMPTY && is_true(value);
	return 0;
}
