/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jq's order of all values. Containers are compared side by side in frames on
 * the heap of the run, one a level, since values may be deeper than a stack.
 * Members are compared in the order of their names: first all names, then the
 * values.
 */
#include <stdlib.h>

#include "json/string.h"

#include "jq/machine.h"
#include "jq/number.h"

struct frame {
	struct frame *outer;
	struct jq_value a, b;                   /* made: ARRAY or OBJECT */
	const struct jq_member **left, **right; /* of objects, sorted */
	uint32_t n;                             /* pairs to compare */
	uint32_t at;
	int rest; /* the order if all pairs are equal */
};

static int bytes_order(struct xylem_span a, struct xylem_span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.at, b.at, n) : 0;
	return order ? (order > 0) - (order < 0) : (a.n > b.n) - (a.n < b.n);
}

static int string_order(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	if (a.kind == JQ_STRING_RAW && b.kind == JQ_STRING_RAW) {
		return json_string_order(xylem_span(a.at, a.n), xylem_span(b.at, b.n));
	}
	return bytes_order(jq_string_bytes(machine, a), jq_string_bytes(machine, b));
}

static int member_order(const void *a, const void *b)
{
	const struct jq_member *const *left = a, *const *right = b;
	return bytes_order(
		xylem_span((*left)->key.at, (*left)->key.n), xylem_span((*right)->key.at, (*right)->key.n));
}

const struct jq_member **jq_members_sorted(struct jq_machine *machine, const struct jq_object *object)
{
	const struct jq_member **members = jq_take(machine, (object->n + 1) * sizeof(struct jq_member *));
	if (!members || !jq_spend(machine, object->n)) {
		return NULL;
	}
	for (uint32_t i = 0; i < object->n; i++) {
		members[i] = &object->members[i];
	}
	qsort(members, object->n, sizeof(struct jq_member *), member_order);
	return members;
}

void jq_members_give(
	struct jq_machine *machine, const struct jq_member **members, const struct jq_object *object)
{
	jq_give(machine, members, (object->n + 1) * sizeof(struct jq_member *));
}

static int names_order(const struct frame *frame, uint32_t left, uint32_t right)
{
	uint32_t n = left < right ? left : right;
	for (uint32_t i = 0; i < n; i++) {
		int order = member_order(&frame->left[i], &frame->right[i]);
		if (order) {
			return order;
		}
	}
	return (left > right) - (left < right);
}

/* Sorts both; their names decide, or the values must. */
static int frame_objects(struct jq_machine *machine, struct frame *frame)
{
	frame->left = jq_members_sorted(machine, frame->a.object);
	frame->right = jq_members_sorted(machine, frame->b.object);
	if (!frame->left || !frame->right) {
		return 1;
	}
	frame->n = frame->a.object->n;
	return names_order(frame, frame->n, frame->b.object->n);
}

/* Opens two containers of one type, borrowed; not 0: they decide. */
static int frame_open(struct jq_machine *machine, struct frame **frames, struct jq_value a, struct jq_value b)
{
	struct frame *frame = jq_take(machine, sizeof(*frame));
	if (!frame) {
		return 1;
	}
	*frame = (struct frame){ .outer = *frames };
	frame->a = jq_made(machine, jq_retain(a));
	frame->b = jq_made(machine, jq_retain(b));
	*frames = frame;
	if (jq_is_none(frame->a) || jq_is_none(frame->b)) {
		return 1;
	}
	if (frame->a.kind == JQ_OBJECT) {
		return frame_objects(machine, frame);
	}
	uint32_t left = frame->a.array->n, right = frame->b.array->n;
	frame->n = left < right ? left : right;
	frame->rest = (left > right) - (left < right);
	return 0;
}

static struct frame *frame_close(struct jq_machine *machine, struct frame *frame)
{
	struct frame *outer = frame->outer;
	if (frame->left && frame->right) {
		jq_members_give(machine, frame->left, frame->a.object);
		jq_members_give(machine, frame->right, frame->b.object);
	}
	jq_release(machine, frame->a);
	jq_release(machine, frame->b);
	jq_give(machine, frame, sizeof(*frame));
	return outer;
}

static bool same_container(struct jq_value a, struct jq_value b)
{
	if (a.kind != b.kind) {
		return false;
	}
	if (a.kind == JQ_ARRAY_RAW || a.kind == JQ_OBJECT_RAW) {
		return a.n == b.n && (a.at == b.at || memcmp(a.at, b.at, a.n) == 0);
	}
	return false; /* NaN in it is not equal to itself */
}

/* Containers of one type count as equal here. */
static int flat_order(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	enum xylem_json_type left = jq_type(a), right = jq_type(b);
	if (left != right) {
		return left < right ? -1 : 1;
	}
	if (left == XYLEM_JSON_NUMBER) {
		return jq_number_order(a, b);
	}
	return left == XYLEM_JSON_STRING ? string_order(machine, a, b) : 0;
}

static int deep_order(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	struct frame *frames = NULL;
	int order = frame_open(machine, &frames, a, b);
	while (order == 0 && frames) {
		struct frame *frame = frames;
		if (frame->at == frame->n) {
			order = frame->rest;
			frames = frame_close(machine, frame);
			continue;
		}
		uint32_t i = frame->at++;
		struct jq_value left = frame->left ? frame->left[i]->value : frame->a.array->items[i];
		struct jq_value right = frame->left ? frame->right[i]->value : frame->b.array->items[i];
		order = flat_order(machine, left, right);
		if (order == 0 && left.kind >= JQ_ARRAY && !same_container(left, right)) {
			order = frame_open(machine, &frames, left, right);
		}
		order = jq_spend(machine, 1) ? order : 1;
	}
	while (frames) {
		frames = frame_close(machine, frames);
	}
	return order;
}

int jq_order(struct jq_machine *machine, struct jq_value a, struct jq_value b)
{
	int order = flat_order(machine, a, b);
	return order || a.kind < JQ_ARRAY || same_container(a, b) ? order : deep_order(machine, a, b);
}
