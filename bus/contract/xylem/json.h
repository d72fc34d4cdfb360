/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_JSON_H
#define XYLEM_JSON_H

#include <stdint.h>

#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/span.h>

/*
 * JSON as bytes: a strict scanner (RFC 8259) that validates once and then
 * finds, reads and replaces values where they stand, on demand. Numbers keep
 * their text. Nothing here recurses on input and nothing allocates except
 * into the arena or buffer it is given.
 *
 * Limits: depth 128 (XYLEM_JSON_DEPTH), size whatever the caller admitted.
 */
#define XYLEM_JSON_DEPTH 128

enum xylem_json_type {
	XYLEM_JSON_NONE = 0, /* absent */
	XYLEM_JSON_NULL,
	XYLEM_JSON_FALSE,
	XYLEM_JSON_TRUE,
	XYLEM_JSON_NUMBER,
	XYLEM_JSON_STRING,
	XYLEM_JSON_ARRAY,
	XYLEM_JSON_OBJECT,
};

/*
 * Validates one JSON text with optional white space around it: grammar, UTF-8,
 * escapes (no lone surrogates), depth. -XYLEM_E_INVALID (or -XYLEM_E_LIMIT for
 * depth) with the byte offset and a reason. All functions below take text that
 * has passed this (or a value found in such text) and are safe, though without
 * meaning, on other bytes.
 */
XYLEM_PUBLIC int xylem_json_check(struct xylem_span text, size_t *ret_offset, struct xylem_reason *reason);

/* Type by first byte; NONE for an absent span. */
XYLEM_PUBLIC enum xylem_json_type xylem_json_type(struct xylem_span value);
XYLEM_PUBLIC const char *xylem_json_type_name(
	enum xylem_json_type type); /* "null", "boolean", "number", ... */

/* The text without white space around it. */
XYLEM_PUBLIC struct xylem_span xylem_json_trim(struct xylem_span text);

/*
 * Walks an object or array. `{0}` + xylem_json_iterate(&i, value) starts it; each
 * xylem_json_next() gives the next element, false at the end. `name` is the
 * member name as it stands, quotes included (array: absent).
 */
struct xylem_json_iterator {
	const char *at, *end;
	bool object;
	struct xylem_span name;
	struct xylem_span value;
};
XYLEM_PUBLIC void xylem_json_iterate(struct xylem_json_iterator *iterator, struct xylem_span container);
XYLEM_PUBLIC bool xylem_json_next(struct xylem_json_iterator *iterator);

/* Member by unescaped name (the last one of that name, as jq has it); element by index. Absent if none. */
XYLEM_PUBLIC struct xylem_span xylem_json_member(struct xylem_span object, struct xylem_span name);
XYLEM_PUBLIC struct xylem_span xylem_json_element(struct xylem_span array, size_t index);
XYLEM_PUBLIC size_t xylem_json_count(struct xylem_span container);

/*
 * RFC 6901 pointers, compiled once and shared by threads. The text is the
 * plain form ("/order/id", "" for the whole).
 */
struct xylem_json_pointer;
XYLEM_PUBLIC int xylem_json_pointer_new(
	struct xylem_json_pointer **ret_pointer, struct xylem_span text, struct xylem_reason *reason);
XYLEM_PUBLIC struct xylem_json_pointer *xylem_json_pointer_free(struct xylem_json_pointer *pointer);
XYLEM_PUBLIC struct xylem_span xylem_json_pointer_get(
	const struct xylem_json_pointer *pointer, struct xylem_span text);
/* Writes the pointer to the innermost value of `text` that covers the byte `at`: for telling a person where. */
XYLEM_PUBLIC void xylem_json_place(struct xylem_span text, const char *at, struct xylem_buffer *out);

/*
 * Copies `text` with the value at the pointer replaced by `value` (JSON text),
 * or appended where the parent object lacks the member, or the array index is
 * one past the end or `-`. Missing parents become objects. Everything else is
 * copied byte for byte. -XYLEM_E_INVALID where a parent is neither object nor array.
 */
XYLEM_PUBLIC int xylem_json_set(const struct xylem_json_pointer *pointer, struct xylem_span text,
	struct xylem_span value, struct xylem_buffer *out, struct xylem_reason *reason);
/* Copies `text` without the value; an absent one is no error. */
XYLEM_PUBLIC int xylem_json_remove(
	const struct xylem_json_pointer *pointer, struct xylem_span text, struct xylem_buffer *out);

/* Unescaped bytes of a string value (quotes included in `value`); borrowed where it has no escapes, else in the arena. */
XYLEM_PUBLIC int xylem_json_string(
	struct xylem_span value, struct xylem_arena *arena, struct xylem_span *ret_bytes);
/* True when the string value, unescaped, equals the bytes. Allocates nothing. */
XYLEM_PUBLIC bool xylem_json_string_equals(struct xylem_span value, struct xylem_span bytes);
/* A number that is an integer in range, exactly (1e2 and 1.0 count); else -XYLEM_E_INVALID. */
XYLEM_PUBLIC int xylem_json_int64(struct xylem_span value, int64_t *ret_number);
/* Nearest binary64, correctly rounded, never by locale; *ret_exact: true when the double prints back to the same value. */
XYLEM_PUBLIC int xylem_json_double(struct xylem_span value, double *ret_number, bool *ret_exact);
/* Orders two numbers by value, exactly, however long: <0, 0, >0. */
XYLEM_PUBLIC int xylem_json_number_compare(struct xylem_span a, struct xylem_span b);
/* Two values equal as JSON values: numbers by value, strings unescaped, member order ignored. */
XYLEM_PUBLIC bool xylem_json_equal(struct xylem_span a, struct xylem_span b);

/* A JSON string with quotes; invalid UTF-8 becomes U+FFFD. Escapes only what RFC 8259 asks. */
XYLEM_PUBLIC void xylem_json_write_string(struct xylem_buffer *out, struct xylem_span bytes);
/* `"name":` after a comma where one is due (the buffer's last byte is not `{`, `[`, `,` or `:`). */
XYLEM_PUBLIC void xylem_json_write_name(struct xylem_buffer *out, const char *name);
XYLEM_PUBLIC void xylem_json_write_comma(struct xylem_buffer *out); /* a comma where one is due */
XYLEM_PUBLIC void xylem_json_write_int64(struct xylem_buffer *out, int64_t number);

#endif
