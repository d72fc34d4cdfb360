/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes one value in JSON text and copies every other byte as it stands:
 * white space, the order of members, the digits of numbers, the way a string
 * is escaped. Walking finds the place, then it is two copies and what goes
 * between them.
 */
#include <xylem/json.h>

#include "json/pointer.h"
#include "json/scan.h"

/* --- Set -------------------------------------------------------------------- */

/* Levels of nesting of a value. */
static size_t depth_of(struct xylem_span value)
{
	size_t depth = 0, deepest = 0;
	const char *at = value.at, *end = value.at + value.n;
	while ((at = scan_structure(at, end)) < end) {
		char c = *at++;
		if (c == '"') {
			at = scan_string(at, end);
		} else if ((c | 0x20) == '{') {
			depth++;
			deepest = depth > deepest ? depth : deepest;
		} else if (depth > 0) {
			depth--;
		}
	}
	return deepest;
}

/* `"name":` of each token from `first` on but the one that is there already, with braces. */
static void write_nested(const struct xylem_json_pointer *pointer, size_t first, struct xylem_span value,
	struct xylem_buffer *out)
{
	for (size_t i = first; i < pointer->count; i++) {
		xylem_buffer_byte(out, '{');
		xylem_json_write_string(out, pointer->tokens[i].name);
		xylem_buffer_byte(out, ':');
	}
	xylem_buffer_span(out, value);
	for (size_t i = first; i < pointer->count; i++) {
		xylem_buffer_byte(out, '}');
	}
}

/* Where the last child of a container ends; behind its bracket when it has none. */
static const char *children_end(struct xylem_span container, size_t *ret_count)
{
	struct xylem_json_iterator iterator;
	const char *stop = container.at + 1;
	*ret_count = 0;
	xylem_json_iterate(&iterator, container);
	while (xylem_json_next(&iterator)) {
		stop = iterator.value.at + iterator.value.n;
		(*ret_count)++;
	}
	return stop;
}

static int place_refuse(const struct xylem_json_pointer *pointer, size_t level, struct xylem_span parent,
	struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED where = { 0 };
	json_pointer_write(pointer, level, &where);
	const char *type = xylem_json_type_name(xylem_json_type(parent));
	const char *why = xylem_json_type(parent) == XYLEM_JSON_ARRAY
				  ? ": its elements are set by an index up to its length, or -"
				  : " and takes no members";
	xylem_reason_set(reason, "cannot set below `%.*s`: it is of type %s%s", (int)where.n,
		where.n ? where.bytes : "", type, why);
	return -XYLEM_E_INVALID;
}

/* Adds below `parent`, which lacks the child that token `level` names. */
static int child_add(const struct xylem_json_pointer *pointer, size_t level, struct xylem_span parent,
	struct xylem_span text, struct xylem_span value, struct xylem_buffer *out,
	struct xylem_reason *reason)
{
	const struct json_token *token = &pointer->tokens[level];
	enum xylem_json_type type = xylem_json_type(parent);
	if (type != XYLEM_JSON_OBJECT && type != XYLEM_JSON_ARRAY) {
		return place_refuse(pointer, level, parent, reason);
	}
	size_t count;
	const char *stop = children_end(parent, &count);
	if (type == XYLEM_JSON_ARRAY && !token->past_end && !(token->indexed && token->index == count)) {
		return place_refuse(pointer, level, parent, reason);
	}
	xylem_buffer_append(out, text.at, (size_t)(stop - text.at));
	if (count > 0) {
		xylem_buffer_byte(out, ',');
	}
	if (type == XYLEM_JSON_OBJECT) {
		xylem_json_write_string(out, token->name);
		xylem_buffer_byte(out, ':');
	}
	write_nested(pointer, level + 1, value, out);
	xylem_buffer_append(out, stop, (size_t)(text.at + text.n - stop));
	return 0;
}

int xylem_json_set(const struct xylem_json_pointer *pointer, struct xylem_span text, struct xylem_span value,
	struct xylem_buffer *out, struct xylem_reason *reason)
{
	value = xylem_json_trim(value);
	if (pointer->count + depth_of(value) > XYLEM_JSON_DEPTH) {
		xylem_reason_set(
			reason, "the result would be nested deeper than %d levels", XYLEM_JSON_DEPTH);
		return -XYLEM_E_LIMIT;
	}
	struct xylem_span place = xylem_json_trim(text);
	if (place.n == 0) {
		write_nested(pointer, 0, value, out);
		return xylem_buffer_failed(out) ? -XYLEM_E_MEMORY : 0;
	}
	for (size_t level = 0; level < pointer->count; level++) {
		struct xylem_span child = json_token_get(&pointer->tokens[level], place);
		if (!xylem_span_present(child)) {
			int error = child_add(pointer, level, place, text, value, out, reason);
			return error == 0 && xylem_buffer_failed(out) ? -XYLEM_E_MEMORY : error;
		}
		place = child;
	}
	xylem_buffer_append(out, text.at, (size_t)(place.at - text.at));
	xylem_buffer_span(out, value);
	const char *stop = place.at + place.n;
	xylem_buffer_append(out, stop, (size_t)(text.at + text.n - stop));
	return xylem_buffer_failed(out) ? -XYLEM_E_MEMORY : 0;
}

/* --- Remove ----------------------------------------------------------------- */

static bool is_removed(
	const struct json_token *token, const struct xylem_json_iterator *iterator, size_t index)
{
	return iterator->object ? xylem_json_string_equals(iterator->name, token->name)
				: token->indexed && token->index == index;
}

/*
 * Copies a container but what the token names (every member of that name: the
 * value must be gone after). A child goes with the comma before it, the first
 * one that stays loses its own.
 */
static const char *children_copy(
	const struct json_token *token, struct xylem_span container, struct xylem_buffer *out)
{
	struct xylem_json_iterator iterator;
	const char *at = container.at + 1;
	bool kept = false;
	size_t index = 0;
	xylem_buffer_append(out, container.at, 1);
	xylem_json_iterate(&iterator, container);
	for (; xylem_json_next(&iterator); index++) {
		const char *stop = iterator.value.at + iterator.value.n;
		if (!is_removed(token, &iterator, index)) {
			const char *from = at;
			if (!kept && index > 0) {
				from = scan_space(from, stop);
				from += *from == ',';
			}
			xylem_buffer_append(out, from, (size_t)(stop - from));
			kept = true;
		}
		at = stop;
	}
	return at;
}

int xylem_json_remove(
	const struct xylem_json_pointer *pointer, struct xylem_span text, struct xylem_buffer *out)
{
	struct xylem_span parent = xylem_json_trim(text);
	for (size_t level = 0; level + 1 < pointer->count && xylem_span_present(parent); level++) {
		parent = json_token_get(&pointer->tokens[level], parent);
	}
	const char *at = text.at;
	if (pointer->count == 0) {
		at = text.at + text.n;
	} else if (xylem_span_present(json_token_get(&pointer->tokens[pointer->count - 1], parent))) {
		xylem_buffer_append(out, text.at, (size_t)(parent.at - text.at));
		at = children_copy(&pointer->tokens[pointer->count - 1], parent, out);
	}
	xylem_buffer_append(out, at, (size_t)(text.at + text.n - at));
	return xylem_buffer_failed(out) ? -XYLEM_E_MEMORY : 0;
}
