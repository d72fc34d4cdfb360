/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders and equates values of any shape. Two walks go side by side; what is
 * open is kept in frames on the heap, one a level, so that nothing recurses on
 * input. Members of an object are sorted first: looking each one up in the
 * other object would let a stranger make one comparison cost a minute.
 */
#include <stdlib.h>

#include <xylem/json.h>

#include "json/number.h"
#include "json/order.h"
#include "json/string.h"

struct member {
	struct xylem_span name, value;
	size_t index; /* where it stood */
};

struct members {
	struct member *items;
	size_t n;
};

/* Two containers of one type, compared as far as `at`. */
struct frame {
	bool object;
	struct xylem_json_iterator left, right; /* arrays */
	struct members a, b;                    /* objects */
	size_t at;
};

static int member_order(const void *a, const void *b)
{
	const struct member *left = a, *right = b;
	int order = json_string_order(left->name, right->name);
	return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* Sorted by name, the last of each name only. */
static bool members_read(struct xylem_span object, struct members *ret_members)
{
	size_t n = 0, count = xylem_json_count(object);
	struct member *items = calloc(count + 1, sizeof(*items));
	if (!items) {
		return false;
	}
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, object);
	for (size_t i = 0; i < count && xylem_json_next(&iterator); i++) {
		items[i] = (struct member){ iterator.name, iterator.value, i };
	}
	qsort(items, count, sizeof(*items), member_order);
	for (size_t i = 0; i < count; i++) {
		bool repeated = n > 0 && json_string_order(items[n - 1].name, items[i].name) == 0;
		n -= repeated;
		items[n++] = items[i];
	}
	*ret_members = (struct members){ items, n };
	return true;
}

size_t json_member_count(struct xylem_span object)
{
	struct members members;
	if (!members_read(object, &members)) {
		return xylem_json_count(object);
	}
	free(members.items);
	return members.n;
}

static int names_order(const struct members *a, const struct members *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	for (size_t i = 0; i < n; i++) {
		int order = json_string_order(a->items[i].name, b->items[i].name);
		if (order) {
			return order;
		}
	}
	return (a->n > b->n) - (a->n < b->n);
}

/* Opens two containers; 0 when their contents decide. */
static int frame_open(struct frame *frame, struct xylem_span a, struct xylem_span b)
{
	*frame = (struct frame){ .object = xylem_json_type(a) == XYLEM_JSON_OBJECT };
	if (!frame->object) {
		xylem_json_iterate(&frame->left, a);
		xylem_json_iterate(&frame->right, b);
		return 0;
	}
	if (!members_read(a, &frame->a) || !members_read(b, &frame->b)) {
		return 1;
	}
	return names_order(&frame->a, &frame->b);
}

static void frame_close(struct frame *frame)
{
	free(frame->a.items);
	free(frame->b.items);
}

/* The next two values to compare. False at the end; then *ret_order says which went on longer. */
static bool frame_next(
	struct frame *frame, struct xylem_span *ret_a, struct xylem_span *ret_b, int *ret_order)
{
	*ret_order = 0;
	if (frame->object) {
		if (frame->at == frame->a.n) {
			return false;
		}
		*ret_a = frame->a.items[frame->at].value;
		*ret_b = frame->b.items[frame->at++].value;
		return true;
	}
	bool left = xylem_json_next(&frame->left), right = xylem_json_next(&frame->right);
	*ret_a = frame->left.value;
	*ret_b = frame->right.value;
	*ret_order = left - right;
	return left && right;
}

/* Values that hold no others; containers of one type count as equal here. */
static int flat_order(struct xylem_span a, struct xylem_span b)
{
	enum xylem_json_type left = xylem_json_type(a), right = xylem_json_type(b);
	if (left != right) {
		return left < right ? -1 : 1;
	}
	if (left == XYLEM_JSON_NUMBER) {
		return xylem_json_number_compare(a, b);
	}
	return left == XYLEM_JSON_STRING ? json_string_order(a, b) : 0;
}

static bool is_container(struct xylem_span value)
{
	return xylem_json_type(value) >= XYLEM_JSON_ARRAY;
}

static bool same_text(struct xylem_span a, struct xylem_span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

static int deep_order(struct xylem_span a, struct xylem_span b)
{
	struct frame *frames = calloc(XYLEM_JSON_DEPTH, sizeof(*frames));
	size_t depth = 0;
	int order = frames ? frame_open(&frames[depth++], a, b) : 1;
	while (order == 0 && depth > 0) {
		if (!frame_next(&frames[depth - 1], &a, &b, &order)) {
			frame_close(&frames[--depth]);
		} else if ((order = flat_order(a, b)) == 0 && is_container(a) && !same_text(a, b)) {
			order = depth < XYLEM_JSON_DEPTH ? frame_open(&frames[depth++], a, b) : 1;
		}
	}
	while (depth > 0) {
		frame_close(&frames[--depth]);
	}
	free(frames);
	return order;
}

int json_order(struct xylem_span a, struct xylem_span b)
{
	int order = flat_order(a, b);
	return order || !is_container(a) || same_text(a, b) ? order : deep_order(a, b);
}

bool xylem_json_equal(struct xylem_span a, struct xylem_span b)
{
	return json_order(xylem_json_trim(a), xylem_json_trim(b)) == 0;
}
