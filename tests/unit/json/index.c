/* SPDX-License-Identifier: Apache-2.0 */
/* Where the values of a text stand: the notes of the check say what a walk over the text finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <json/check.h>
#include <json/index.h>

static struct json_entry *entries_of(struct xylem_span text, size_t *ret_count)
{
	struct xylem_reason reason = { "" };
	struct json_entry *entries = calloc(json_index_most(text.n), sizeof(*entries));
	assert_non_null(entries);
	if (json_check_indexed(text, XYLEM_JSON_DEPTH, entries, ret_count, &reason) != 0) {
		fail_msg("%.*s: %s", (int)text.n, text.at, reason.text);
	}
	return entries;
}

/* The name with its quotes, as a walk gives it. */
static struct xylem_span entry_name(struct xylem_span text, const struct json_entry *entry, size_t n)
{
	assert_true(entry->name_n == JSON_NAME_ESCAPED || entry->name_n + 2u == n);
	return xylem_span(text.at + entry->at - entry->name_back - 1, n);
}

/* The values in a container, against a walk. */
static void container_agrees(struct xylem_span text, const struct json_entry *container)
{
	struct xylem_json_iterator iterator;
	const struct json_entry *entry = container + 1, *end = json_entry_next(container);
	xylem_json_iterate(&iterator, xylem_span(text.at + container->at, container->n));
	while (xylem_json_next(&iterator)) {
		assert_true(entry < end);
		assert_true(iterator.value.at == text.at + entry->at);
		assert_int_equal(iterator.value.n, entry->n);
		assert_int_equal(json_entry_type(entry), xylem_json_type(iterator.value));
		bool slashes = memchr(iterator.value.at, '\\', iterator.value.n) != NULL;
		assert_true(
			json_entry_type(entry) != XYLEM_JSON_STRING || json_entry_escaped(entry) == slashes);
		if (iterator.object) {
			struct xylem_span name = entry_name(text, entry, iterator.name.n);
			assert_true(name.at == iterator.name.at);
			assert_int_equal(
				entry->name_n == JSON_NAME_ESCAPED, memchr(name.at, '\\', name.n) != NULL);
		}
		entry = json_entry_next(entry);
	}
	assert_true(entry == end);
}

static void notes_agree_with_a_walk(void **unused)
{
	(void)unused;
	static const char *const texts[] = { "1", " \"a\" ", "\t[ ]\n", "{}", "null",
		"[1,2.5,-3e7,true,false,null,\"\",\"x\\ny\",\"\xc3\xa9\",[],{},[[[]]],[{}]]",
		"{\"a\":{\"b\":[{\"c\":1},{\"c\":[2]}]},\"a\":3,\"\":4,\"a\\u0062\":\"\\\\\",\"\xc3\xa9\":0}",
		" { \"a\" : [ 1 , { \"b\"\n:\t2 } ] , \"long name of a member, longer than sixteen\" : "
		"\"a text that is longer than sixteen bytes\" } ",
		"[\"123456789012345\",\"1234567890123456\",\"12345678901234567\",\"123456789012345\\t\"]" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct xylem_span text = xylem_span_of(texts[i]), whole = xylem_json_trim(text);
		size_t count;
		struct json_entry *entries = entries_of(text, &count);
		assert_int_equal(
			count > 0, *whole.at == '[' || *whole.at == '{'); /* nothing is looked up in others */
		if (count == 0) {
			free(entries);
			continue;
		}
		assert_true(text.at + entries->at == whole.at);
		assert_int_equal(entries->n, whole.n);
		assert_int_equal(json_entry_span(entries), count);
		for (size_t k = 0; k < count; k++) {
			if (json_entry_type(&entries[k]) >= XYLEM_JSON_ARRAY) {
				container_agrees(text, &entries[k]);
			}
		}
		free(entries);
	}
}

/* A name, and white space between it and its value, as long as an entry can say, and longer. */
static void what_does_not_fit_is_not_noted(void **unused)
{
	(void)unused;
	static const struct {
		size_t name, space;
		bool noted;
	} rows[] = { { 65533, 0, true }, { 65534, 0, false }, { 1, 65532, true }, { 1, 65533, false },
		{ 200000, 0, false }, { 1, 200000, false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = rows[i].name + rows[i].space + 6, count = 1;
		char *text = malloc(n);
		assert_non_null(text);
		memset(text, 'x', n);
		memcpy(text, "{\"", 2);
		memcpy(text + 2 + rows[i].name, "\":", 2);
		memset(text + 4 + rows[i].name, ' ', rows[i].space);
		memcpy(text + n - 2, "7}", 2);
		struct json_entry *entries = entries_of(xylem_span(text, n), &count);
		assert_int_equal(count, rows[i].noted ? 2 : 0);
		free(entries);
		free(text);
	}
}

/* The room that is asked for is enough, also for what is not valid. */
static void entries_have_room(void **unused)
{
	(void)unused;
	static const char *const texts[] = { "[", "[1,", "[1,1,1,1,1,1,1,1,1,1", "[[[[[[[[[[[[[[[[[[[[[[",
		"{\"\":{\"\":{\"\":{\"\":1", "[[],[],[],[],[],[],[],[]", "[0,0,0,0,0,0,0,0,0,0,0,0]" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct xylem_span text = xylem_span_of(texts[i]);
		size_t count, room = json_index_most(text.n);
		struct xylem_reason reason;
		struct json_entry *entries = malloc(room * sizeof(*entries)); /* a sanitizer looks at it */
		json_check_indexed(text, XYLEM_JSON_DEPTH, entries, &count, &reason);
		free(entries);
	}
	char deep[XYLEM_JSON_DEPTH * 2 + 2];
	memset(deep, '[', sizeof(deep));
	struct xylem_reason reason;
	size_t count, most = json_index_most(sizeof(deep));
	struct json_entry *entries = malloc(most * sizeof(*entries));
	assert_int_equal(json_check_indexed(
				 xylem_span(deep, sizeof(deep)), XYLEM_JSON_DEPTH, entries, &count, &reason),
		-XYLEM_E_LIMIT);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_agree_with_a_walk),
		cmocka_unit_test(what_does_not_fit_is_not_noted),
		cmocka_unit_test(entries_have_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
