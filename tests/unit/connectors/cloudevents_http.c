/* SPDX-License-Identifier: Apache-2.0 */

/* The HTTP binding of CloudEvents: header values in and out, media types, lines. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <connectors/cloudevents_http.h>
#include <connectors/lines.h>

static void headers_decode(void **state)
{
	static const struct {
		const char *value, *text; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "Euro%20%E2%82%AC%20%F0%9F%98%80",
			"Euro \xE2\x82\xAC \xF0\x9F\x98\x80" }, /* the binding's example */
		{ "%e2%82%ac", "\xE2\x82\xAC" },
		{ "%C0%A0", NULL },    /* an overlong form */
		{ "%ED%A0%80", NULL }, /* a surrogate */
		{ "%F4%90%80%80", NULL },
		{ "%E2%82", NULL },
		{ "%2541", "%41" }, /* one round, not two */
		{ "100%", NULL },
		{ "100%2", NULL },
		{ "%zz", NULL },
		{ "%00", NULL },
		{ "%0d%0aX: y", NULL },
		{ "%7F", NULL },
		{ "%C2%85", NULL },
		{ "\"quoted\"", "quoted" },
		{ "\"with \\\"quotes\\\" and \\\\\"", "with \"quotes\" and \\" },
		{ "\"%20\"", " " },
		{ "\"open", NULL },
		{ "\"open\\\"", NULL },
		{ "\"closed\" and more", NULL },
		{ "\"", NULL },
		{ "in \"the\" middle", "in \"the\" middle" },
		{ "\xE2\x82\xAC", "\xE2\x82\xAC" },
		{ "\xC0\xA0", NULL },
	};
	struct xylem_arena *arena = xylem_arena_new(0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_span text = XYLEM_SPAN_NONE;
		struct xylem_reason reason = { "" };
		int error = cloudevents_header_decode(xylem_span_of(rows[i].value), arena, &text, &reason);
		if (!rows[i].text) {
			if (error != -XYLEM_E_INVALID || !reason.text[0] || xylem_span_present(text)) {
				fail_msg("%s was taken", rows[i].value);
			}
		} else if (error || !xylem_span_is(text, rows[i].text)) {
			fail_msg(
				"%s came out as %.*s (%s)", rows[i].value, (int)text.n, text.at, reason.text);
		}
	}
	xylem_arena_free(arena);
}

static void headers_encode(void **state)
{
	static const struct {
		const char *text, *value;
	} rows[] = {
		{ "", "" },
		{ "a/b?c=d&e", "a/b?c=d&e" },
		{ "Euro \xE2\x82\xAC", "Euro%20%E2%82%AC" },
		{ "100%\"\r\n\x7f", "100%25%22%0D%0A%7F" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_buffer out = { 0 };
		cloudevents_header_encode(&out, xylem_span_of(rows[i].text));
		assert_true(xylem_span_is(xylem_buffer_borrow(&out), rows[i].value));
		xylem_buffer_finish(&out);
	}
}

static void modes_by_media_type(void **state)
{
	static const struct {
		const char *type;
		enum cloudevents_mode mode;
	} rows[] = {
		{ NULL, CLOUDEVENTS_NONE },
		{ "", CLOUDEVENTS_NONE },
		{ "application/json", CLOUDEVENTS_NONE },
		{ "application/cloudevents+json", CLOUDEVENTS_STRUCTURED },
		{ "Application/CloudEvents+JSON; charset=utf-8", CLOUDEVENTS_STRUCTURED },
		{ "application/cloudevents-batch+json", CLOUDEVENTS_BATCH },
		{ "APPLICATION/CLOUDEVENTS-BATCH+JSON;charset=utf-8", CLOUDEVENTS_BATCH },
		{ "application/cloudevents+xml", CLOUDEVENTS_UNSUPPORTED },
		{ "application/cloudevents-batch+protobuf", CLOUDEVENTS_UNSUPPORTED },
		{ "application/cloudevents", CLOUDEVENTS_UNSUPPORTED },
		{ "application/cloudevents+jsonx", CLOUDEVENTS_UNSUPPORTED },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(cloudevents_mode_of(xylem_span_of(rows[i].type)), rows[i].mode);
	}
}

static void lines_are_split(void **state)
{
	static const struct {
		const char *text;
		const char *lines[4];
	} rows[] = {
		{ "", { NULL } },
		{ "\n\r\n \t\r\n", { NULL } },
		{ "a", { "a", NULL } },
		{ "a\nb\n", { "a", "b", NULL } },
		{ "a\r\n\n  \nb", { "a", "b", NULL } },
		{ " a \n\rb\r\r\n", { " a ", "\rb\r", NULL } },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_span rest = xylem_span_of(rows[i].text), line;
		size_t n = 0;
		for (; lines_next(&rest, &line); n++) {
			assert_non_null(rows[i].lines[n]);
			assert_true(xylem_span_is(line, rows[i].lines[n]));
		}
		assert_null(rows[i].lines[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_split),
		cmocka_unit_test(modes_by_media_type),
		cmocka_unit_test(headers_decode),
		cmocka_unit_test(headers_encode),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
