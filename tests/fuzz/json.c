/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON text. Not valid: every walk still ends and stays inside.
 * Valid: each value found is valid by itself, numbers and strings read, and
 * setting and removing through a pointer to it gives valid text again, in
 * which get finds what was set and no longer finds what was removed. What the
 * check notes of places is what a walk finds.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json/index.h>
#include <json/number.h>
#include <json/order.h>
#include <json/pointer.h>
#include <json/string.h>
#include <json/utf8.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { VALUES = 64 };

static void number_try(struct xylem_span value)
{
	double number;
	int64_t integer;
	bool exact;
	assert(xylem_json_double(value, &number, &exact) == 0);
	assert(xylem_json_number_compare(value, value) == 0);
	if (xylem_json_int64(value, &integer) == 0) {
		struct xylem_buffer out = { 0 };
		xylem_json_write_int64(&out, integer);
		assert(xylem_json_number_compare(value, xylem_buffer_borrow(&out)) == 0);
		xylem_buffer_finish(&out);
	}
}

static void string_try(struct xylem_span value, struct xylem_arena *arena)
{
	struct xylem_span text, again;
	struct xylem_buffer out = { 0 };
	assert(xylem_json_string(value, arena, &text) == 0 && utf8_valid(text));
	assert(xylem_json_string_equals(value, text));
	assert(json_string_count(value) == utf8_count(text));
	xylem_json_write_string(&out, text);
	assert(xylem_json_check(xylem_buffer_borrow(&out), NULL, NULL) == 0);
	assert(xylem_json_string(xylem_buffer_borrow(&out), arena, &again) == 0 &&
		xylem_span_equal(text, again));
	assert(json_string_order(value, xylem_buffer_borrow(&out)) == 0);
	xylem_buffer_finish(&out);
}

static void value_try(struct xylem_span value, struct xylem_arena *arena)
{
	assert(xylem_json_check(value, NULL, NULL) == 0);
	assert(xylem_json_equal(value, value));
	if (xylem_json_type(value) == XYLEM_JSON_NUMBER) {
		number_try(value);
	} else if (xylem_json_type(value) == XYLEM_JSON_STRING) {
		string_try(value, arena);
	}
}

/* `-` is one past the end: what was put there is elsewhere now. */
static bool has_dash(const struct xylem_json_pointer *pointer)
{
	for (size_t i = 0; i < pointer->count; i++) {
		if (pointer->tokens[i].past_end) {
			return true;
		}
	}
	return false;
}

static void change_try(struct xylem_span text, const struct xylem_json_pointer *pointer)
{
	struct xylem_span found = xylem_json_pointer_get(pointer, text),
			  value = XYLEM_SPAN_LITERAL("[19.990]");
	struct xylem_buffer out = { 0 }, gone = { 0 };
	if (xylem_span_present(found)) {
		assert(xylem_json_set(pointer, text, found, &out, NULL) == 0);
		assert(xylem_span_equal(
			xylem_buffer_borrow(&out), text)); /* the same value: the same bytes */
		xylem_buffer_clear(&out);
	}
	if (xylem_json_set(pointer, text, value, &out, NULL) == 0) {
		assert(xylem_json_check(xylem_buffer_borrow(&out), NULL, NULL) == 0);
		if (!has_dash(pointer)) {
			assert(xylem_span_equal(
				xylem_json_pointer_get(pointer, xylem_buffer_borrow(&out)), value));
		}
	}
	assert(xylem_json_remove(pointer, text, &gone) == 0);
	if (pointer->count > 0) {
		assert(xylem_json_check(xylem_buffer_borrow(&gone), NULL, NULL) == 0);
	}
	xylem_buffer_finish(&out);
	xylem_buffer_finish(&gone);
}

/* Walks down the first member and the last element of each level, with a pointer made on the way. */
static void walk_try(struct xylem_span text, struct xylem_arena *arena)
{
	struct xylem_buffer path = { 0 };
	struct xylem_span value = xylem_json_trim(text);
	for (size_t i = 0; i < VALUES && xylem_span_present(value); i++) {
		struct xylem_json_pointer *pointer;
		struct xylem_json_iterator iterator;
		struct xylem_span child = XYLEM_SPAN_NONE, name = XYLEM_SPAN_NONE;
		value_try(value, arena);
		assert(xylem_json_pointer_new(&pointer, xylem_buffer_borrow(&path), NULL) == 0);
		change_try(text, pointer);
		assert(xylem_json_pointer_free(pointer) == NULL);
		xylem_json_iterate(&iterator, value);
		for (size_t index = 0; xylem_json_next(&iterator); index++) {
			child = iterator.value;
			if (iterator.object) {
				assert(xylem_json_string(iterator.name, arena, &name) == 0);
			} else {
				name = xylem_span_of(xylem_arena_format(arena, "%zu", index));
			}
		}
		json_pointer_write_token(&path, name);
		value = child;
	}
	xylem_buffer_finish(&path);
}

/* On bytes that are no JSON there is no meaning, but nothing goes astray. */
static void astray_try(struct xylem_span text, struct xylem_arena *arena)
{
	struct xylem_json_iterator iterator;
	struct xylem_span bytes;
	struct decimal decimal;
	xylem_json_iterate(&iterator, text);
	for (size_t i = 0; i < VALUES && xylem_json_next(&iterator); i++) {
		xylem_json_string(iterator.value, arena, &bytes);
		json_string_count(iterator.value);
		xylem_json_string_equals(iterator.name, text);
		decimal_read(iterator.value, &decimal);
	}
	json_order(text, text);
	xylem_json_string(text, arena, &bytes);
	struct xylem_json_pointer *pointer;
	if (xylem_json_pointer_new(&pointer, text, NULL) == 0) {
		change_try(XYLEM_SPAN_LITERAL("{\"a\":[1,{\"b\":null}]}"), pointer);
		xylem_json_pointer_free(pointer);
	}
}

static void container_try(struct xylem_span text, const struct json_entry *container)
{
	struct xylem_json_iterator iterator;
	const struct json_entry *entry = container + 1, *end = json_entry_next(container);
	xylem_json_iterate(&iterator, xylem_span(text.at + container->at, container->n));
	while (xylem_json_next(&iterator)) {
		assert(entry < end && text.at + entry->at == iterator.value.at &&
			entry->n == iterator.value.n);
		assert(json_entry_type(entry) == xylem_json_type(iterator.value));
		assert(!iterator.object || iterator.name.at + 1 == text.at + entry->at - entry->name_back);
		assert(!iterator.object || entry->name_n == JSON_NAME_ESCAPED ||
			entry->name_n + 2u == iterator.name.n);
		entry = json_entry_next(entry);
	}
	assert(entry == end);
}

/* Both checks agree, and the notes with a walk. */
static void index_try(struct xylem_span text)
{
	struct json_entry *entries = malloc(json_index_most(text.n) * sizeof(*entries));
	struct xylem_reason reason = { "" }, other = { "" };
	size_t count = 0, offset;
	int error = json_check_indexed(text, XYLEM_JSON_DEPTH, entries, &count, &reason);
	assert(error == xylem_json_check(text, &offset, &other) && strcmp(reason.text, other.text) == 0);
	for (size_t i = 0; error == 0 && i < count; i++) {
		if (json_entry_type(&entries[i]) >= XYLEM_JSON_ARRAY) {
			container_try(text, &entries[i]);
		}
	}
	free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct xylem_span text = xylem_span((const char *)bytes, n);
	struct xylem_arena *arena = xylem_arena_new(0);
	index_try(text);
	if (xylem_json_check(text, NULL, NULL) == 0) {
		walk_try(text, arena);
	} else {
		astray_try(text, arena);
	}
	xylem_arena_free(arena);
	return 0;
}
