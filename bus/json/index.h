/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_INDEX_H
#define JSON_INDEX_H

#include <xylem/json.h>

/*
 * Where the values of a text stand, noted while it is checked: an entry for
 * each value, in the order of the text, so that a member is found and a value is
 * passed over without reading the text again. All positions are bytes from the
 * beginning of the text.
 */
struct json_entry {
	uint32_t at, n;     /* the value, a string with its quotes */
	uint32_t shape;     /* what the functions below take out of it */
	uint16_t name_n;    /* bytes of a member's name between its quotes, or JSON_NAME_ESCAPED */
	uint16_t name_back; /* how far before the value they begin */
};

enum { JSON_NAME_ESCAPED = UINT16_MAX }; /* it has backslashes; its end is to be looked for */

static inline uint32_t json_entry_shape(uint32_t span, enum xylem_json_type type, bool escaped)
{
	return span << 4 | (uint32_t)type << 1 | escaped;
}

/* Entries: its own and those of all values that stand in it. */
static inline uint32_t json_entry_span(const struct json_entry *entry)
{
	return entry->shape >> 4;
}

static inline enum xylem_json_type json_entry_type(const struct json_entry *entry)
{
	return (enum xylem_json_type)(entry->shape >> 1 & 7);
}

/* Is it a string with backslashes? */
static inline bool json_entry_escaped(const struct json_entry *entry)
{
	return entry->shape & 1;
}

static inline const struct json_entry *json_entry_next(const struct json_entry *entry)
{
	return entry + json_entry_span(entry);
}

/* Entries that any text of n bytes may need, valid or not. */
static inline size_t json_index_most(size_t n)
{
	return n / 2 + XYLEM_JSON_DEPTH;
}

enum { JSON_INDEXED = 64 * 1024 * 1024 }; /* bytes of text that has an index at most */

/*
 * As json_check_within(), and notes the values: `entries` has room for
 * json_index_most() of them. *ret_count is 0 where there are no notes: the text is no container, or
 * has names too long, or too much white space behind them, for an entry.
 */
int json_check_indexed(struct xylem_span text, size_t depth, struct json_entry *entries, size_t *ret_count,
	struct xylem_reason *reason);

#endif
