/* SPDX-License-Identifier: Apache-2.0 */
/* Context attributes by name, and what CloudEvents asks of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <message/attribute.h>

#define TEXT(text) XYLEM_SPAN_LITERAL(text)

static struct xylem_message sample(void)
{
	return (struct xylem_message){
		.kind = XYLEM_MESSAGE, .id = TEXT("1"), .source = TEXT("shop"), .type = TEXT("order.created")
	};
}

static void attributes_are_found_set_and_removed(void **state)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_message message = sample();
	assert_true(xylem_span_is(xylem_message_attribute(&message, TEXT("specversion")), "1.0"));
	static const char *const names[] = { "id", "source", "type", "subject", "time", "datacontenttype",
		"dataschema", "traceparent", "b2" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct xylem_span name = xylem_span_of(names[i]);
		assert_int_equal(xylem_message_set_attribute(&message, arena, name, name), 0);
		assert_true(xylem_span_is(xylem_message_attribute(&message, name), names[i]));
	}
	assert_int_equal(message.extension_count, 2);
	const struct xylem_extension *shared = message.extensions;
	assert_int_equal(xylem_message_set_attribute(&message, arena, TEXT("traceparent"), TEXT("new")), 0);
	assert_true(xylem_span_is(shared[0].value, "traceparent")); /* the old array is as it was */
	assert_true(xylem_span_is(message.extensions[0].value, "new"));
	assert_int_equal(
		xylem_message_set_attribute(&message, arena, TEXT("traceparent"), XYLEM_SPAN_NONE), 0);
	assert_int_equal(message.extension_count, 1);
	assert_false(xylem_span_present(xylem_message_attribute(&message, TEXT("traceparent"))));
	assert_int_equal(xylem_message_set_attribute(&message, arena, TEXT("subject"), XYLEM_SPAN_NONE), 0);
	assert_false(xylem_span_present(message.subject));
	xylem_arena_free(arena);
}

static void wrong_names_are_refused(void **state)
{
	static const char *const names[] = { "", "data", "specversion", "Upper", "with-dash", "data_base64",
		"a23456789012345678901" };
	struct xylem_message message = sample();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(
			xylem_message_set_attribute(&message, NULL, xylem_span_of(names[i]), TEXT("v")),
			-XYLEM_E_INVALID);
	}
	assert_int_equal(
		xylem_message_set_attribute(&message, NULL, TEXT("id"), XYLEM_SPAN_NONE), -XYLEM_E_INVALID);
	assert_int_equal(
		xylem_message_set_attribute(&message, NULL, TEXT("type"), TEXT("")), -XYLEM_E_INVALID);
}

static void check_names_the_attribute(void **state)
{
	static const struct {
		const char *name, *value, *says; /* says NULL: taken */
	} cases[] = {
		{ "subject", "plain", NULL },
		{ "subject", "", NULL },
		{ "subject", "M\xc3\xbcnchen \xf0\x9f\x8d\x8f and more of it", NULL },
		{ "subject", "0123456\x7f", "subject has a control character or invalid UTF-8 at byte 7" },
		{ "subject", "01234567\n", "at byte 8" },
		{ "subject", "\xc2\x85", "at byte 0" },
		{ "subject", "ab\xff", "at byte 2" },
		{ "subject", "\xef\xbf\xbf", "at byte 0" },
		{ "subject", "\xef\xb7\x90", "at byte 0" },
		{ "time", "2026-11-21T09:30:00.5+01:00", NULL },
		{ "time", "yesterday", "attribute time is not a time" },
		{ "traceparent", "00-ab", NULL },
		{ "traceparent", "a\tb", "traceparent has a control" },
	};
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xylem_message message = sample();
		struct xylem_reason reason = { "" };
		assert_int_equal(xylem_message_set_attribute(&message, arena, xylem_span_of(cases[i].name),
					 xylem_span_of(cases[i].value)),
			0);
		int error = xylem_message_check(&message, &reason);
		assert_int_equal(error, cases[i].says ? -XYLEM_E_INVALID : 0);
		if (cases[i].says && !strstr(reason.text, cases[i].says)) {
			fail_msg("case %zu says: %s", i, reason.text);
		}
	}
	xylem_arena_free(arena);
}

static void check_refuses_what_is_missing_or_too_much(void **state)
{
	struct xylem_reason reason;
	struct xylem_message message = sample();
	message.id = XYLEM_SPAN_NONE;
	assert_int_equal(xylem_message_check(&message, &reason), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "attribute id is required"));
	message = sample();
	message.type = TEXT("");
	assert_int_equal(xylem_message_check(&message, &reason), -XYLEM_E_INVALID);

	struct xylem_extension extensions[ATTRIBUTE_EXTENSIONS_MAX + 1];
	char names[ATTRIBUTE_EXTENSIONS_MAX + 1][8];
	for (int i = 0; i <= ATTRIBUTE_EXTENSIONS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "e%d", i);
		extensions[i] = (struct xylem_extension){ xylem_span_of(names[i]), TEXT("v") };
	}
	message = sample();
	message.extensions = extensions;
	message.extension_count = ATTRIBUTE_EXTENSIONS_MAX;
	assert_int_equal(xylem_message_check(&message, &reason), 0);
	message.extension_count++;
	assert_int_equal(xylem_message_check(&message, &reason), -XYLEM_E_TOO_LARGE);
	message.extension_count = 2;
	extensions[1].name = extensions[0].name;
	assert_int_equal(xylem_message_check(&message, &reason), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "e0 stands twice"));
	extensions[1].name = TEXT("data");
	assert_int_equal(xylem_message_check(&message, &reason), -XYLEM_E_INVALID);

	char *large = malloc(ATTRIBUTE_BYTES_MAX + 1);
	memset(large, 'a', ATTRIBUTE_BYTES_MAX + 1);
	message = sample();
	message.subject = xylem_span(large, ATTRIBUTE_BYTES_MAX);
	assert_int_equal(xylem_message_check(&message, &reason), 0);
	message.subject.n++;
	assert_int_equal(xylem_message_check(&message, &reason), -XYLEM_E_TOO_LARGE);
	free(large);
}

static void json_content_types(void **state)
{
	static const struct {
		const char *type;
		bool json;
	} cases[] = {
		{ NULL, true },
		{ "application/json", true },
		{ "Application/JSON; charset=utf-8", true },
		{ " text/json", true },
		{ "application/problem+json ;x=y", true },
		{ "application/x+JSON", true },
		{ "", false },
		{ "+json", false },
		{ "text/plain", false },
		{ "application/jsonx", false },
		{ "application/xml; t=\"a/b+json\"", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(xylem_content_type_is_json(xylem_span_of(cases[i].type)), cases[i].json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_found_set_and_removed),
		cmocka_unit_test(wrong_names_are_refused),
		cmocka_unit_test(check_names_the_attribute),
		cmocka_unit_test(check_refuses_what_is_missing_or_too_much),
		cmocka_unit_test(json_content_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
