/* SPDX-License-Identifier: Apache-2.0 */

/* Bodies into messages: each form, what it takes and what it refuses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include <cmocka.h>

#include <connectors/webhook_body.h>

static struct webhook_rules rules;
static struct xylem_arena *arena;

/* Headers of one request: pairs, NULL-terminated. */
static struct xylem_span header(const void *context, const char *name)
{
	for (const char *const *pair = context; pair[0]; pair += 2) {
		if (strcasecmp(pair[0], name) == 0) {
			return xylem_span_of(pair[1]);
		}
	}
	return XYLEM_SPAN_NONE;
}

static bool header_at(
	const void *context, size_t i, struct xylem_span *ret_name, struct xylem_span *ret_value)
{
	const char *const *pairs = context;
	size_t n = 0;
	while (pairs[2 * n]) {
		n++;
	}
	if (i < n) {
		*ret_name = xylem_span_of(pairs[2 * i]);
		*ret_value = xylem_span_of(pairs[2 * i + 1]);
	}
	return i < n;
}

static int setup(void **state)
{
	struct xylem_reason reason;
	arena = xylem_arena_new(0);
	rules = (struct webhook_rules){ .source = "/connectors/shop",
		.type = "shop.received",
		.forms = ~0U & ~WEBHOOK_ARRAY,
		.max_batch = 3 };
	return pick_init(&rules.pick_key, "/data/customer", true, &reason) +
	       pick_init(&rules.pick_subject, "header:X-Subject", true, &reason);
}

static int teardown(void **state)
{
	pick_finish(&rules.pick_id);
	pick_finish(&rules.pick_type);
	pick_finish(&rules.pick_subject);
	pick_finish(&rules.pick_key);
	xylem_arena_free(arena);
	return 0;
}

static struct xylem_message *messages;
static size_t n;
static struct xylem_reason reason;

static int read_body(const char *const *headers, const char *body)
{
	struct webhook_request request = {
		.context = headers, .header = header, .header_at = header_at, .body = xylem_span_of(body)
	};
	enum webhook_form form;
	messages = NULL;
	n = 0;
	reason.text[0] = '\0';
	int error = webhook_form_of(&rules, &request, &form, &reason);
	return error ? error : webhook_messages(&rules, &request, form, arena, &messages, &n, &reason);
}

#define HEADERS(...)              \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
#define JSON "Content-Type", "application/json"

static void plain_json(void **state)
{
	assert_int_equal(
		read_body(HEADERS(JSON, "X-Subject", "s1"), " {\"customer\":\"\\u00e9\",\"p\":19.99} "), 0);
	assert_int_equal(n, 1);
	assert_true(xylem_span_is(messages[0].data, " {\"customer\":\"\\u00e9\",\"p\":19.99} "));
	assert_true(xylem_span_is(messages[0].key, "\xC3\xA9"));
	assert_true(xylem_span_is(messages[0].type, "shop.received"));
	assert_true(xylem_span_is(messages[0].source, "/connectors/shop"));
	assert_true(xylem_span_is(messages[0].subject, "s1"));
	assert_true(xylem_span_is(messages[0].datacontenttype, "application/json"));
	assert_int_equal(messages[0].id.n, 36);
	assert_int_equal(xylem_message_check(&messages[0], &reason), 0);
}

static void plain_id_of_the_delivery(void **state)
{
	assert_int_equal(read_body(HEADERS(JSON, "webhook-id", "msg_1"), "{}"), 0);
	assert_true(xylem_span_is(messages[0].id, "msg_1"));
	assert_false(xylem_span_present(messages[0].key));
	assert_int_equal(
		read_body(HEADERS("Content-Type", "application/x-ndjson", "webhook-id", "msg_1"), "1\n2\n"),
		0);
	assert_int_equal(n, 2);
	assert_true(xylem_span_is(messages[1].id, "msg_1/1"));
}

static void plain_other_bytes(void **state)
{
	assert_int_equal(read_body(HEADERS("Content-Type", "text/csv"), "a;b"), 0);
	assert_true(xylem_span_is(messages[0].datacontenttype, "text/csv"));
	assert_int_equal(read_body(HEADERS("X", "y"), "\x01\xff"), 0);
	assert_true(xylem_span_is(messages[0].datacontenttype, "application/octet-stream"));
	assert_int_equal(read_body(HEADERS("X", "y"), ""), 0);
	assert_false(xylem_span_present(messages[0].data));
}

static void keys_of_any_type(void **state)
{
	static const struct {
		const char *body, *key;
	} rows[] = { { "{\"customer\":7}", "7" },
		{ "{\"customer\":12345678901234567890}", "12345678901234567890" },
		{ "{\"customer\":null}", NULL }, { "{\"customer\":\"\"}", NULL },
		{ "{\"customer\":true}", "true" }, { "{\"customer\":[1]}", "[1]" }, { "[]", NULL },
		{ "{}", NULL } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_body(HEADERS(JSON), rows[i].body), 0);
		assert_int_equal(xylem_span_present(messages[0].key), rows[i].key != NULL);
		assert_true(!rows[i].key || xylem_span_is(messages[0].key, rows[i].key));
	}
}

static void binary_event(void **state)
{
	assert_int_equal(read_body(HEADERS(JSON, "CE-SpecVersion", "1.0", "ce-id", "1", "ce-source", "/s",
					   "ce-type", "t", "Ce-Subject", "Euro%20%E2%82%AC",
					   "ce-partitionkey", "p", "ce-time", "2026-11-21T09:00:00Z"),
				 "{\"customer\":\"c\"}"),
		0);
	assert_true(xylem_span_is(messages[0].id, "1"));
	assert_true(xylem_span_is(messages[0].type, "t"));
	assert_true(xylem_span_is(messages[0].subject, "Euro \xE2\x82\xAC"));
	assert_true(xylem_span_is(messages[0].key, "c"));
	assert_true(xylem_span_is(
		xylem_message_attribute(&messages[0], XYLEM_SPAN_LITERAL("partitionkey")), "p"));
	assert_int_equal(xylem_message_check(&messages[0], &reason), 0);
}

static void binary_events_that_are_none(void **state)
{
	assert_int_equal(read_body(HEADERS("ce-specversion", "0.3", "ce-id", "1"), ""), -XYLEM_E_INVALID);
	assert_int_equal(
		read_body(HEADERS("ce-specversion", "1.0", "ce-subject", "%C0%A0"), ""), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "ce-subject"));
	assert_int_equal(read_body(HEADERS("ce-specversion", "1.0", "ce-datacontenttype", "text/plain"), ""),
		-XYLEM_E_INVALID);
	assert_int_equal(
		read_body(HEADERS(JSON, "ce-specversion", "1.0", "ce-id", "1"), "{"), -XYLEM_E_INVALID);
}

static const char *const structured[] = { "Content-Type", "application/cloudevents+json", NULL };
static const char *const batch[] = { "Content-Type", "application/cloudevents-batch+json", NULL };

static void structured_events(void **state)
{
	assert_int_equal(
		read_body(structured,
			"{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\",\"data\":{"
			"\"customer\":\"c\"}}"),
		0);
	assert_true(xylem_span_is(messages[0].id, "a"));
	assert_true(xylem_span_is(messages[0].key, "c"));
	assert_int_equal(
		read_body(batch, "[{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\"},"
				 "{\"specversion\":\"1.0\",\"id\":\"b\",\"source\":\"/s\",\"type\":\"t\"}]"),
		0);
	assert_int_equal(n, 2);
	assert_true(xylem_span_is(messages[1].id, "b"));
}

static void a_batch_is_taken_whole_or_not(void **state)
{
	assert_int_equal(
		read_body(HEADERS("Content-Type", "application/x-ndjson"), "{}\n{\n{}\n"), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "line 2"));
	assert_int_equal(n, 0);
	assert_int_equal(
		read_body(HEADERS("Content-Type", "application/x-ndjson"), "1\n2\n3\n4"), -XYLEM_E_LIMIT);
	assert_int_equal(read_body(HEADERS("Content-Type", "application/x-ndjson"), "\n"), -XYLEM_E_INVALID);
	assert_int_equal(
		read_body(batch,
			"[{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\"},{}]"),
		-XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "element 1"));
	assert_int_equal(read_body(batch, "{}"), -XYLEM_E_INVALID);
	assert_int_equal(read_body(batch, "[]"), -XYLEM_E_INVALID);
}

static void arrays_by_option_only(void **state)
{
	assert_int_equal(read_body(HEADERS(JSON), "[{\"customer\":1},{\"customer\":2}]"), 0);
	assert_int_equal(n, 1);
	rules.forms = WEBHOOK_ARRAY;
	assert_int_equal(read_body(HEADERS(JSON), "[{\"customer\":1} , {\"customer\":2}]"), 0);
	assert_int_equal(n, 2);
	assert_true(xylem_span_is(messages[0].data, "{\"customer\":1}"));
	assert_true(xylem_span_is(messages[1].key, "2"));
	assert_int_equal(read_body(HEADERS(JSON), "{}"), -XYLEM_E_INVALID);
	assert_int_equal(read_body(HEADERS("Content-Type", "text/plain"), "[]"), -XYLEM_E_UNSUPPORTED);
	assert_int_equal(read_body(batch, "[]"), -XYLEM_E_UNSUPPORTED);
}

static void one_content_type(void **state)
{
	rules.content_type = "application/json";
	assert_int_equal(read_body(HEADERS("Content-Type", "text/plain"), "{}"), -XYLEM_E_UNSUPPORTED);
	assert_int_equal(read_body(HEADERS("X", "y"), "{"), -XYLEM_E_INVALID);
	assert_int_equal(read_body(HEADERS("X", "y"), "{}"), 0);
	assert_true(xylem_span_is(messages[0].datacontenttype, "application/json"));
	assert_int_equal(read_body(HEADERS("Content-Type", "Application/JSON; charset=utf-8"), "{}"), 0);
}

static void traces_of_who_is_believed(void **state)
{
	static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	struct xylem_span name = XYLEM_SPAN_LITERAL("traceparent");
	assert_int_equal(read_body(HEADERS(JSON, "traceparent", parent), "{}"), 0);
	assert_false(xylem_span_present(xylem_message_attribute(&messages[0], name)));
	rules.carry_trace = true;
	assert_int_equal(read_body(HEADERS(JSON, "traceparent", parent), "{}"), 0);
	assert_true(xylem_span_is(xylem_message_attribute(&messages[0], name), parent));
	static const char *const wrong[] = { "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(read_body(HEADERS(JSON, "traceparent", wrong[i]), "{}"), 0);
		assert_false(xylem_span_present(xylem_message_attribute(&messages[0], name)));
	}
}

static void bodies_that_are_not_json(void **state)
{
	static const char *const bodies[] = { "", "{", "{} {}", "{'a':1}", "\xff", "{\"a\":01}" };
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		assert_int_equal(read_body(HEADERS(JSON), bodies[i]), -XYLEM_E_INVALID);
		assert_non_null(strstr(reason.text, "byte"));
	}
}

static void picks_that_are_none(void **state)
{
	static const char *const texts[] = { "", "/", "/subject/x", "/data/~2", "header:", ".data.customer",
		"$.customer", NULL };
	for (size_t i = 0; texts[i]; i++) {
		struct pick pick;
		struct xylem_reason why = { "" };
		if (pick_init(&pick, texts[i], true, &why) == 0) {
			fail_msg("\"%s\" was taken", texts[i]);
		}
		assert_true(why.text[0]);
		pick_finish(&pick);
	}
	struct pick pick;
	assert_int_equal(pick_init(&pick, "header:X", false, &reason), -XYLEM_E_INVALID);
	assert_int_equal(pick_init(&pick, "data.changed", false, &reason), 0);
	assert_int_equal(pick_init_key(&pick, "data.customer", false, &reason), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "/data/customer"));
	assert_int_equal(pick_init_key(&pick, "one", false, &reason), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(plain_json), TEST(plain_id_of_the_delivery),
		TEST(plain_other_bytes), TEST(keys_of_any_type), TEST(bodies_that_are_not_json),
		TEST(binary_event), TEST(binary_events_that_are_none), TEST(structured_events),
		TEST(a_batch_is_taken_whole_or_not), TEST(arrays_by_option_only), TEST(one_content_type),
		TEST(traces_of_who_is_believed), TEST(picks_that_are_none) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
