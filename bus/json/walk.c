/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds values in validated text, on demand: nothing is built, a member is
 * found by passing over what stands before it. That is a few bytes a cycle,
 * and most messages are asked for two or three values.
 *
 * The last of several members of one name counts, as in jq; so a member is
 * known only at the end of its object.
 */
#include <xylem/json.h>

#include "json/scan.h"

enum xylem_json_type xylem_json_type(struct xylem_span value)
{
	switch (value.n ? value.at[0] : '\0') {
	case 'n':
		return XYLEM_JSON_NULL;
	case 'f':
		return XYLEM_JSON_FALSE;
	case 't':
		return XYLEM_JSON_TRUE;
	case '"':
		return XYLEM_JSON_STRING;
	case '[':
		return XYLEM_JSON_ARRAY;
	case '{':
		return XYLEM_JSON_OBJECT;
	case '-':
	case '0' ... '9':
		return XYLEM_JSON_NUMBER;
	default:
		return XYLEM_JSON_NONE;
	}
}

const char *xylem_json_type_name(enum xylem_json_type type)
{
	static const char *const names[] = {
		[XYLEM_JSON_NONE] = "absent",
		[XYLEM_JSON_NULL] = "null",
		[XYLEM_JSON_FALSE] = "boolean",
		[XYLEM_JSON_TRUE] = "boolean",
		[XYLEM_JSON_NUMBER] = "number",
		[XYLEM_JSON_STRING] = "string",
		[XYLEM_JSON_ARRAY] = "array",
		[XYLEM_JSON_OBJECT] = "object",
	};
	return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : names[XYLEM_JSON_NONE];
}

struct xylem_span xylem_json_trim(struct xylem_span text)
{
	if (text.n == 0) {
		return text;
	}
	const char *end = text.at + text.n;
	const char *at = scan_space(text.at, end);
	while (end > at && scan_is_space(end[-1])) {
		end--;
	}
	return xylem_span(at, (size_t)(end - at));
}

void xylem_json_iterate(struct xylem_json_iterator *iterator, struct xylem_span container)
{
	container = xylem_json_trim(container);
	enum xylem_json_type type = xylem_json_type(container);
	bool walkable = type == XYLEM_JSON_OBJECT || type == XYLEM_JSON_ARRAY;
	*iterator = (struct xylem_json_iterator){
		.at = walkable ? container.at + 1 : NULL,
		.end = walkable ? container.at + container.n : NULL,
		.object = type == XYLEM_JSON_OBJECT,
	};
}

static bool next_name(struct xylem_json_iterator *iterator)
{
	const char *at = iterator->at, *end = iterator->end;
	if (*at != '"') {
		return false;
	}
	const char *stop = scan_string(at + 1, end);
	iterator->name = xylem_span(at, (size_t)(stop - at));
	at = scan_space(stop, end);
	if (at >= end || *at != ':') {
		return false;
	}
	iterator->at = scan_space(at + 1, end);
	return iterator->at < end;
}

bool xylem_json_next(struct xylem_json_iterator *iterator)
{
	const char *end = iterator->end;
	const char *at = scan_space(iterator->at, end);
	if (at < end && *at == ',') {
		at = scan_space(at + 1, end);
	}
	iterator->at = at;
	if (at >= end || *at == '}' || *at == ']' || (iterator->object && !next_name(iterator))) {
		iterator->at = end;
		return false;
	}
	at = iterator->at;
	const char *stop = scan_value(at, end);
	if (stop == at) { /* no value: not validated text */
		iterator->at = end;
		return false;
	}
	iterator->value = xylem_span(at, (size_t)(stop - at));
	iterator->at = stop;
	return true;
}

struct xylem_span xylem_json_member(struct xylem_span object, struct xylem_span name)
{
	struct xylem_span found = XYLEM_SPAN_NONE;
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, object);
	while (iterator.object && xylem_json_next(&iterator)) {
		if (xylem_json_string_equals(iterator.name, name)) {
			found = iterator.value;
		}
	}
	return found;
}

struct xylem_span xylem_json_element(struct xylem_span array, size_t index)
{
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, array);
	while (!iterator.object && xylem_json_next(&iterator)) {
		if (index-- == 0) {
			return iterator.value;
		}
	}
	return XYLEM_SPAN_NONE;
}

size_t xylem_json_count(struct xylem_span container)
{
	size_t count = 0;
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, container);
	while (xylem_json_next(&iterator)) {
		count++;
	}
	return count;
}
