/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_INDEX_H
#define JQ_INDEX_H

#include "json/index.h"
#include "json/scan.h"

#include "jq/machine.h"

/*
 * The text that a run is about, with the places of its values: for this room
 * alone. A value of it knows its entry by the low bits of the entry's number
 * (`spare`); a value of another text, or of one without an index, has none.
 */

/* Checks the text, and notes its values where there is room and no other text has an index in this run. */
int jq_index_check(
	struct jq_machine *machine, struct xylem_span text, size_t depth, struct xylem_reason *reason);

/* Among entries further apart than `spare` can tell. */
const struct json_entry *jq_entry_far(const struct jq_index *index, uint16_t spare, size_t at);

/* The entry of a value that is text (LITERAL and the raw kinds, but no STRING); NULL if it has none. */
static inline const struct json_entry *jq_entry_of(const struct jq_machine *machine, struct jq_value value)
{
	const struct jq_index *index = &machine->index;
	size_t at = (size_t)((uintptr_t)value.at - (uintptr_t)index->begin);
	if (at >= index->n) {
		return NULL;
	}
	if (value.spare < index->count && index->entries[value.spare].at == at) {
		return &index->entries[value.spare];
	}
	return jq_entry_far(index, value.spare, at);
}

static inline struct jq_value jq_entry_value(const struct jq_index *index, const struct json_entry *entry)
{
	static const uint8_t kinds[] = { [XYLEM_JSON_NULL] = JQ_NULL,
		[XYLEM_JSON_FALSE] = JQ_FALSE,
		[XYLEM_JSON_TRUE] = JQ_TRUE,
		[XYLEM_JSON_NUMBER] = JQ_LITERAL,
		[XYLEM_JSON_STRING] = JQ_STRING_RAW,
		[XYLEM_JSON_ARRAY] = JQ_ARRAY_RAW,
		[XYLEM_JSON_OBJECT] = JQ_OBJECT_RAW };
	struct jq_value value = { .kind = kinds[json_entry_type(entry)],
		.spare = (uint16_t)(entry - index->entries),
		.n = entry->n,
		.at = index->begin + entry->at };
	if (value.kind == JQ_STRING_RAW && !json_entry_escaped(entry)) {
		value.kind = JQ_STRING;
		value.flags = JQ_PLAIN;
		value.at++;
		value.n -= 2;
	}
	return value;
}

/* A member's name: a STRING, or a STRING_RAW where it has escapes. */
static inline struct jq_value jq_entry_name(const struct jq_index *index, const struct json_entry *entry)
{
	const char *at = index->begin + entry->at - entry->name_back;
	if (entry->name_n == JSON_NAME_ESCAPED) {
		size_t n = (size_t)(scan_string(at, index->begin + entry->at) - at);
		return (struct jq_value){ .kind = JQ_STRING_RAW, .n = (uint32_t)n + 1, .at = at - 1 };
	}
	return (struct jq_value){ .kind = JQ_STRING, .flags = JQ_PLAIN, .n = entry->name_n, .at = at };
}

/* Names are short: all of one is its first and its last bytes, which may overlap. */
static inline bool jq_same_bytes(const char *a, const char *b, size_t n)
{
	uint64_t x, y;
	uint32_t p[2], q[2];
	if (n >= 8) {
		memcpy(&x, a + n - 8, 8);
		memcpy(&y, b + n - 8, 8);
		return x == y && (n == 8 || memcmp(a, b, n - 8) == 0);
	}
	if (n >= 4) {
		memcpy(&p[0], a, 4);
		memcpy(&q[0], b, 4);
		memcpy(&p[1], a + n - 4, 4);
		memcpy(&q[1], b + n - 4, 4);
		return ((p[0] ^ q[0]) | (p[1] ^ q[1])) == 0;
	}
	return n == 0 || (a[0] == b[0] && a[n - 1] == b[n - 1] && a[n / 2] == b[n / 2]);
}

bool jq_entry_escaped_is(
	const struct jq_index *index, const struct json_entry *entry, struct xylem_span name);

/* The last member of that name; NULL if there is none. */
static inline const struct json_entry *jq_entry_member(
	const struct jq_index *index, const struct json_entry *object, const char *name, size_t n)
{
	const struct json_entry *entry = object + 1, *end = json_entry_next(object), *found = NULL;
	/* No entry has a longer name in full, and the mark is none's length. */
	size_t plain = n < JSON_NAME_ESCAPED ? n : SIZE_MAX;
	for (; entry < end; entry = json_entry_next(entry)) {
		if (entry->name_n == plain) {
			const char *at = index->begin + entry->at - entry->name_back;
			found = jq_same_bytes(at, name, n) ? entry : found;
		} else if (entry->name_n == JSON_NAME_ESCAPED &&
			   jq_entry_escaped_is(index, entry, xylem_span(name, n))) {
			found = entry;
		}
	}
	return found;
}

size_t jq_entry_count(const struct json_entry *container);

#endif
