/* SPDX-License-Identifier: Apache-2.0 */

/* Messages as requests: which content type and which body a form gives. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <connectors/outgoing.h>

static const char *header(const struct outgoing *outgoing, const char *name)
{
	for (const struct curl_slist *line = outgoing->headers; line; line = line->next) {
		if (strncmp(line->data, name, strlen(name)) == 0) {
			return line->data + strlen(name);
		}
	}
	return NULL;
}

static void forms_and_their_content_types(void **state)
{
	static const struct {
		enum outgoing_form form;
		const char *type, *data, *content_type, *id, *body;
	} rows[] = {
		{ OUTGOING_CLOUDEVENT_BINARY, "text/plain", "hi", " text/plain", " e-1", "hi" },
		{ OUTGOING_CLOUDEVENT_BINARY, NULL, "{}", " application/json", " e-1", "{}" },
		{ OUTGOING_DATA, "text/plain", "hi", " text/plain", NULL, "hi" },
		{ OUTGOING_ARRAY, NULL, " {} ", " application/json", NULL, "[{}]" },
		{ OUTGOING_NDJSON, NULL, "{\n}", " application/x-ndjson", NULL, "{ }\n" },
		/* Data that is an event itself: its type in the header would make it the event. */
		{ OUTGOING_CLOUDEVENT_BINARY, "application/cloudevents+json", "{\"x\":1}",
			" application/cloudevents+json; charset=UTF-8", NULL,
			"{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/s\",\"type\":\"t\","
			"\"datacontenttype\":\"application/cloudevents+json\",\"data\":{\"x\":1}}" },
		{ OUTGOING_CLOUDEVENT_BINARY, "Application/CloudEvents-batch+json", "[]",
			" application/cloudevents+json; charset=UTF-8", NULL, NULL },
		{ OUTGOING_DATA, "application/cloudevents+json", "{}", " application/cloudevents+json", NULL,
			"{}" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outgoing outgoing = { 0 };
		struct outgoing_rules rules = { .form = rows[i].form };
		struct xylem_message message = { .id = XYLEM_SPAN_LITERAL("e-1"),
			.source = XYLEM_SPAN_LITERAL("/s"),
			.type = XYLEM_SPAN_LITERAL("t"),
			.datacontenttype = rows[i].type ? xylem_span_of(rows[i].type) : XYLEM_SPAN_NONE,
			.data = xylem_span_of(rows[i].data) };
		const struct xylem_message *one = &message;
		assert_int_equal(outgoing_make(&outgoing, &rules, &one, 1, 0), 0);
		assert_string_equal(header(&outgoing, "Content-Type:"), rows[i].content_type);
		if (rows[i].id) {
			assert_string_equal(header(&outgoing, "ce-id:"), rows[i].id);
		} else {
			assert_null(header(&outgoing, "ce-id:"));
		}
		if (rows[i].body) {
			assert_int_equal(outgoing.body.n, strlen(rows[i].body));
			assert_memory_equal(outgoing.body.at, rows[i].body, outgoing.body.n);
		}
		outgoing_finish(&outgoing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(forms_and_their_content_types) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
