/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON event format: what is written reads back to the same event, and what is wrong is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/json.h>
#include <xylem/message.h>

#define TEXT(text) XYLEM_SPAN_LITERAL(text)
#define HEAD "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\""

static const struct {
	const char *type;
	struct xylem_span data;
	const char *written; /* behind HEAD */
} payloads[] = {
	{ NULL, XYLEM_SPAN_NONE, "}" },
	{ NULL, TEXT("{\"price\":19.99, \"id\":12345678901234567890}"),
		",\"data\":{\"price\":19.99, \"id\":12345678901234567890}}" },
	{ NULL, TEXT("null"), ",\"data\":null}" },
	{ NULL, TEXT("\"text\""), ",\"data\":\"text\"}" },
	{ NULL, TEXT("not json"), ",\"data_base64\":\"bm90IGpzb24=\"}" },
	{ NULL, TEXT(""), ",\"data_base64\":\"\"}" },
	{ "application/json", TEXT("1e-400"), ",\"datacontenttype\":\"application/json\",\"data\":1e-400}" },
	{ "application/json", TEXT("\xff"),
		",\"datacontenttype\":\"application/json\",\"data_base64\":\"/w==\"}" },
	{ "text/plain", TEXT("a\"\xc3\xa9\n"),
		",\"datacontenttype\":\"text/plain\",\"data\":\"a\\\"\xc3\xa9\\n\"}" },
	{ "text/plain", TEXT(""), ",\"datacontenttype\":\"text/plain\",\"data\":\"\"}" },
	{ "text/plain", TEXT("{\"a\":1}"),
		",\"datacontenttype\":\"text/plain\",\"data\":\"{\\\"a\\\":1}\"}" },
	{ "image/png", TEXT("\x89PNG\0"),
		",\"datacontenttype\":\"image/png\",\"data_base64\":\"iVBORwA=\"}" },
	{ "image/png", TEXT("\x89PN\0ab"),
		",\"datacontenttype\":\"image/png\",\"data_base64\":\"iVBOAGFi\"}" },
};

static void payloads_round_trip(void **state)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct xylem_message message = { .kind = XYLEM_MESSAGE,
			.id = TEXT("1"),
			.source = TEXT("s"),
			.type = TEXT("t"),
			.datacontenttype = xylem_span_of(payloads[i].type),
			.data = payloads[i].data };
		struct xylem_buffer out = { 0 };
		xylem_message_write_json(&message, &out);
		assert_int_equal(xylem_json_check(xylem_buffer_borrow(&out), NULL, NULL), 0);
		struct xylem_span written = xylem_buffer_borrow(&out);
		assert_true(written.n > strlen(HEAD));
		assert_memory_equal(written.at, HEAD, strlen(HEAD));
		if (!xylem_span_is(xylem_span(written.at + strlen(HEAD), written.n - strlen(HEAD)),
			    payloads[i].written)) {
			fail_msg("%.*s", (int)written.n, written.at);
		}
		struct xylem_message read;
		assert_int_equal(xylem_message_read_json(&read, arena, written, NULL), 0);
		assert_true(xylem_span_equal(read.data, payloads[i].data));
		assert_int_equal(xylem_span_present(read.data), xylem_span_present(payloads[i].data));
		xylem_buffer_finish(&out);
	}
	xylem_arena_free(arena);
}

static void attributes_are_read(void **state)
{
	static const char json[] =
		" { \"type\":\"t\\u0031\", \"specversion\":\"1.0\", \"id\":\"a\", \"source\":\"/s\","
		"\"subject\":null, \"time\":\"2026-11-21T09:30:00Z\", \"flag\":true, \"count\":-7,"
		"\"gone\":\"x\", \"gone\":null, \"twice\":\"1\", \"twice\":\"2\",\"d\\u0061ta\":[1.0] }";
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_message message;
	assert_int_equal(
		xylem_message_read_json(&message, arena, TEXT(" ") /* nothing */, NULL), -XYLEM_E_INVALID);
	assert_int_equal(xylem_message_read_json(&message, arena, xylem_span_of(json), NULL), 0);
	static const char *const expected[][2] = { { "type", "t1" }, { "id", "a" }, { "source", "/s" },
		{ "time", "2026-11-21T09:30:00Z" }, { "flag", "true" }, { "count", "-7" }, { "twice", "2" } };
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_true(xylem_span_is(
			xylem_message_attribute(&message, xylem_span_of(expected[i][0])), expected[i][1]));
	}
	assert_false(xylem_span_present(message.subject));
	assert_int_equal(message.extension_count, 3);
	assert_true(xylem_span_is(message.data, "[1.0]"));
	assert_int_equal(message.kind, XYLEM_MESSAGE);
	assert_int_equal(xylem_message_check(&message, NULL), 0);

	struct xylem_buffer out = { 0 };
	xylem_message_write_json(&message, &out);
	xylem_buffer_byte(&out, '\0');
	assert_string_equal(out.bytes, "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/"
				       "s\",\"type\":\"t1\",\"time\":\"2026-11-21T09:30:00Z\","
				       "\"flag\":\"true\",\"count\":\"-7\",\"twice\":\"2\",\"data\":[1.0]}");
	xylem_buffer_finish(&out);
	xylem_arena_free(arena);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
		{ "{", "not valid JSON at byte 1" },
		{ "[]", "an event is a JSON object, not of type array" },
		{ "{\"id\":\"1\"}", "event member specversion is missing" },
		{ "{\"specversion\":\"0.3\"}", "event member specversion must be \"1.0\"" },
		{ "{\"specversion\":1.0}", "event member specversion must be \"1.0\"" },
		{ HEAD ",\"subject\":7}", "event member subject must be a string" },
		{ HEAD ",\"My-Ext\":\"\"}", "event member My-Ext is no attribute" },
		{ HEAD ",\"ext\":{}}", "event member ext is an object or array" },
		{ HEAD ",\"ext\":1.5}", "event member ext is a number, but no integer" },
		{ HEAD ",\"ext\":1e2}", "event member ext is a number, but no integer" },
		{ HEAD ",\"data\":1,\"data_base64\":\"\"}", "event member data_base64 stands beside data" },
		{ HEAD ",\"data_base64\":7}", "event member data_base64 is not base64" },
		{ HEAD ",\"data_base64\":\"QQ\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"QQ=\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"QR==\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"Q===\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"====\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"QQ==QQ==\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"Q Q=\"}", "is not base64" },
		{ HEAD ",\"data_base64\":\"Q-_A\"}", "is not base64" },
	};
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xylem_message message = { .id = TEXT("before") };
		struct xylem_reason reason = { "" };
		assert_int_equal(
			xylem_message_read_json(&message, arena, xylem_span_of(cases[i].json), &reason),
			-XYLEM_E_INVALID);
		if (!strstr(reason.text, cases[i].says)) {
			fail_msg("%s: %s", cases[i].json, reason.text);
		}
		assert_true(xylem_span_is(message.id, "before"));
	}
	xylem_arena_free(arena);
}

/* The deepest data does not fit inside an event: it goes as base64 and comes back whole. */
static void the_deepest_data_round_trips(void **state)
{
	char deep[2 * XYLEM_JSON_DEPTH];
	memset(deep, '[', XYLEM_JSON_DEPTH);
	memset(deep + XYLEM_JSON_DEPTH, ']', XYLEM_JSON_DEPTH);
	struct xylem_message message = {
		.kind = XYLEM_MESSAGE, .id = TEXT("1"), .source = TEXT("s"), .type = TEXT("t")
	};
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t less = 0; less < 2; less++) {
		message.data = xylem_span(deep + less, sizeof(deep) - 2 * less);
		struct xylem_buffer out = { 0 };
		struct xylem_message read;
		xylem_message_write_json(&message, &out);
		assert_int_equal(xylem_message_read_json(&read, arena, xylem_buffer_borrow(&out), NULL), 0);
		assert_true(xylem_span_equal(read.data, message.data));
		xylem_buffer_finish(&out);
	}
	xylem_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_round_trip),
		cmocka_unit_test(attributes_are_read),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(the_deepest_data_round_trips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
