/* SPDX-License-Identifier: Apache-2.0 */
/* `where`: what it says about one event, and what it refuses at which column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <route/where.h>

#define TEXT(text) XYLEM_SPAN_LITERAL(text)

static const struct xylem_extension extensions[] = { { TEXT("traceparent"), TEXT("00-ab") } };

static struct xylem_message sample(void)
{
	return (struct xylem_message){
		.kind = XYLEM_MESSAGE,
		.id = TEXT("e-1"),
		.source = TEXT("shop"),
		.type = TEXT("order.created"),
		.subject = TEXT("M\xc3\xbcnchen"),
		.datacontenttype = TEXT("application/json"),
		.extensions = extensions,
		.extension_count = 1,
		.data = TEXT("{\"order\":{\"id\":\"A-\\u0031\",\"total\":19.99,\"big\":12345678901234567890,"
			     "\"paid\":true,"
			     "\"a b\":1,\"note\":null,\"lines\":[{\"qty\":1},{\"qty\":2}],\"tags\":[]}}"),
	};
}

enum verdict { YES, NO, ERROR };

static const struct {
	const char *text;
	enum verdict verdict;
	const char *says;
} cases[] = {
	{ ".type == \"order.created\"", YES, NULL },
	{ ".type == \"order.changed\"", NO, NULL },
	{ ".type | startswith(\"order.\")", YES, NULL },
	{ ".type | endswith(\"created\")", YES, NULL },
	{ ".subject | contains(\"\\u00fcn\")", YES, NULL },
	{ ".subject | length == 7", YES, NULL },
	{ ".id == \"e-1\" and .source == \"shop\"", YES, NULL },
	{ ".specversion == \"1.0\"", YES, NULL },
	{ ".traceparent == \"00-ab\"", YES, NULL },
	{ ".time", NO, NULL },
	{ ".time == null", YES, NULL },
	{ "has(\"time\")", NO, NULL },
	{ "has(\"subject\")", YES, NULL },
	{ "has(\"data\") and (has(\"data_base64\") | not)", YES, NULL },
	/* What comes out of these is the event itself. */
	{ "select(.type == \"order.created\").data.order.total > 19", YES, NULL },
	{ "select(.type == \"order.created\").subject == \"M\xc3\xbcnchen\"", YES, NULL },
	{ "select(.data.order.paid)[\"source\"] == \"shop\"", YES, NULL },
	{ "(select(true) // 1).data.order.paid", YES, NULL },
	{ "(try select(true)).data.order.paid", YES, NULL },
	{ "(if false then 1 end).data.order.paid", YES, NULL },
	{ "(if true then select(true) else 1 end).data.order.paid", YES, NULL },
	{ "(.type, select(true) | .data?) | .order?.paid?", YES, NULL },
	{ "select(true) == null + select(true) and (select(true) | has(\"data\"))", YES, NULL },
	{ "-(select(true).data.order.total) < -19", YES, NULL },
	{ ".data.order.id == \"A-1\"", YES, NULL },
	{ ".data.order[\"a b\"] == 1.0", YES, NULL },
	{ ".data.\"order\".\"a b\" == 1", YES, NULL },
	{ ".data[\"order\"][\"lines\"][-1].qty == 2", YES, NULL },
	{ ".data.order.lines[0].qty == 1", YES, NULL },
	{ ".data.order.lines[7].qty == null", YES, NULL },
	{ ".data.order.lines | length == 2", YES, NULL },
	{ ".data.order.total == 19.99", YES, NULL },
	{ ".data.order.total == 19.990000000000000000000001", NO, NULL },
	{ ".data.order.total < 19.990000000000000000000001", YES, NULL },
	{ ".data.order.big == 12345678901234567890", YES, NULL },
	{ ".data.order.big == 12345678901234567891", NO, NULL },
	{ ".data.order.big > 12345678901234567889", YES, NULL },
	{ ".data.order.total >= -5", YES, NULL },
	{ ".data.order.paid", YES, NULL },
	{ ".data.order.paid | not", NO, NULL },
	{ ".data.order.note // .data.order.paid", YES, NULL },
	{ ".data.order.note // false", NO, NULL },
	{ ".data.order.id.x? // true", YES, NULL },
	{ ".data.order.id.x // true", ERROR,
		"Cannot index string" }, /* as jq 1.6: `//` is for null, `?` for errors */
	{ ".data.order.id.x? // false", NO, NULL },
	{ ".data.order.id.x?", NO, NULL },
	{ ".data.order | has(\"id\")", YES, NULL },
	{ ".data.order.lines | has(1)", YES, NULL },
	{ ".data.order.lines | has(2)", NO, NULL },
	{ ".data.order.id | IN(\"B-1\", \"A-1\")", YES, NULL },
	{ ".data.order.big | IN(1, true, null, \"x\")", NO, NULL },
	{ ".data.order.tags | type == \"array\"", YES, NULL },
	{ "type == \"object\"", YES, NULL },
	{ "length == 8", YES, NULL },
	{ ". == .", YES, NULL },
	{ ". == null", NO, NULL },
	{ ".data | .order | .total > 10 and .paid", YES, NULL },
	{ "null < false and false < true and true < 0 and 0 < \"\"", YES, NULL },
	{ ".data.order.id < .data.order.lines", YES, NULL },
	{ "true or .data.order.id.x", YES, NULL },
	{ "false and .data.order.id.x", NO, NULL },
	{ " # a comment\n .type # and more\n != \"x\" ", YES, NULL },
	{ ".data.order.id.x", ERROR, "Cannot index string with string \"x\"" },
	{ ".data.order[0]", ERROR, "Cannot index object with number" },
	{ ".data.order.lines.qty", ERROR, "Cannot index array with string \"qty\"" },
	{ ".data.order.paid | length", ERROR, "boolean (true) has no length" },
	{ ".data.order | startswith(\"a\")", ERROR, "startswith() requires string inputs" },
	{ ".data.order.total | contains(\"1\")", ERROR,
		"number (19.99) and string (\"1\") cannot have their containment checked" },
	{ ".data.order | has(0)", ERROR, "Cannot check whether object has a number key" },
	{ ".data.order.lines | has(\"0\")", ERROR, "Cannot check whether array has a string key" },
	{ "true and .data.order.id.x", ERROR, "Cannot index string" },
	/* All of jq that is pure. */
	{ ".data.order.lines | map(.qty) | add == 3", YES, NULL },
	{ ".data.order.lines[].qty > 1", YES, NULL }, /* one yes is enough */
	{ ".data.order.lines[].qty > 2", NO, NULL },
	{ ".data.order.lines[] | select(.qty == 2)", YES, NULL },
	{ "select(.type == \"x\")", NO, NULL },
	{ "empty", NO, NULL },
	{ ".data.order.id | test(\"^a-[0-9]+$\"; \"i\")", YES, NULL },
	{ ".data.order.total * 100 > 1998", YES, NULL },
	{ "if .subject then .data.order.paid else false end", YES, NULL },
	{ ".data.order as $o | $o.paid and ($o.tags | length == 0)", YES, NULL },
	{ "[.type, .id] == [\"order.created\", \"e-1\"]", YES, NULL },
	{ "any(.data.order.lines[]; .qty > 1)", YES, NULL },
	{ ".data.order.lines | .[0:1] | length == 1", YES, NULL },
	{ "(true, error(\"late\"))", YES, NULL }, /* decided before it comes to that */
	{ "(error(\"early\"), true)", ERROR, "early" },
	{ "[range(1e9)] | length", ERROR, "limit" },
	{ "def f: f; f", ERROR, "limit" },
};

static enum verdict verdict_of(
	const char *text, const struct xylem_message *message, struct xylem_reason *reason)
{
	struct where *where;
	bool match = false;
	int column = 0;
	if (where_compile(text, &where, &column, reason) < 0) {
		fail_msg("%s: column %d: %s", text, column, reason->text);
	}
	int error = where_match(where, message, &match, reason);
	assert_true(error == 0 || error == -XYLEM_E_UNPROCESSABLE);
	where_free(where);
	return error ? ERROR : match ? YES : NO;
}

static void expressions_say_what_jq_says(void **state)
{
	struct xylem_message message = sample();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xylem_reason reason = { "" };
		enum verdict verdict = verdict_of(cases[i].text, &message, &reason);
		if (verdict != cases[i].verdict || (cases[i].says && !strstr(reason.text, cases[i].says))) {
			fail_msg("%s: %d %s", cases[i].text, verdict, reason.text);
		}
	}
}

static void data_is_what_the_event_format_makes_of_it(void **state)
{
	static const struct {
		const char *type, *data, *text;
		enum verdict verdict;
	} rows[] = {
		{ NULL, NULL, ".data == null", YES },
		{ NULL, NULL, "has(\"data\")", NO },
		{ NULL, " 7 ", ".data == 7", YES },
		{ "text/plain", "hello", ".data == \"hello\"", YES },
		{ "text/plain", "{\"a\":1}", ".data.a == 1", ERROR },
		{ "text/plain", "\xff", ".data == null and .data_base64 == \"/w==\"", YES },
		{ "text/plain", "hello", ".data_base64 == null", YES },
		{ NULL, "{broken", ".data.a == 1", ERROR },
		{ NULL, "{broken", ".data.a? // true",
			ERROR }, /* no way round: the data is not what it says it is */
		{ NULL, "{broken", ".type == \"order.created\"", YES }, /* nobody asked for it */
		{ NULL, "{broken", ".type == \"other\" and .data.a == 1", NO },
		{ NULL, "{broken", ".type == \"other\" and (.data.a // 0) > 1", NO },
		{ NULL, "{broken", ".type == \"other\" and (if .id then .data.a else 0 end) > 1", NO },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_message message = sample();
		struct xylem_reason reason = { "" };
		message.datacontenttype = xylem_span_of(rows[i].type);
		message.data = xylem_span_of(rows[i].data);
		if (verdict_of(rows[i].text, &message, &reason) != rows[i].verdict) {
			fail_msg("row %zu: %s: %s", i, rows[i].text, reason.text);
		}
	}
}

static const struct {
	const char *text;
	int column;
	const char *says;
} refusals[] = {
	{ "", 1, "an expression is expected" },
	{ " \n ", 1, "an expression is expected" },
	{ ".a ==", 6, "the program ends" },
	{ ".a = 1", 4, "equality is `==`" },
	{ ".type == \"x\" and .a = 1", 21, "equality is `==`" },
	{ ".a |= 1", 4, "always a yes" },
	{ ".a //= 1", 4, "always a yes" },
	{ ".a == 1 == 2", 9, "does not group" },
	{ ".a..b", 3, "unexpected .." },
	{ "$x", 1, "$x is not defined" },
	{ "env", 1, "env is not available" },
	{ ".a | input", 6, "input is not available" },
	{ "now | localtime", 7, "localtime is not available" },
	{ "(.a", 4, "`)` is expected" },
	{ ".a)", 3, "unexpected )" },
	{ "\"abc", 1, "does not end" },
	{ "has", 1, "has/0 is not defined; a text stands in quotes: \"has\"" },
	{ "data.total > 1", 1, "data/0 is not defined; the event's is `.data`" },
	{ "IN()", 4, "an expression is expected" },
	{ ".a and", 7, "the program ends" },
	{ ".\"M\xc3\xbcnchen\" == $y", 15, "$y is not defined" }, /* columns count characters */
	{ ".a == 1 and\n  nosuch", 15, "nosuch/0 is not defined" },
	{ ".a == 'x'", 7, "an expression is expected" },
};

static void what_is_wrong_is_refused_where_it_stands(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct where *where = NULL;
		struct xylem_reason reason = { "" };
		int column = 0;
		assert_int_equal(where_compile(refusals[i].text, &where, &column, &reason), -XYLEM_E_INVALID);
		assert_null(where);
		if (column != refusals[i].column || !strstr(reason.text, refusals[i].says)) {
			fail_msg("%s: column %d: %s", refusals[i].text, column, reason.text);
		}
	}
	assert_null(where_free(NULL));
}

/* `n` times `one`, then `middle`, then `n` times `other`. */
static int compile_nested(const char *one, const char *middle, const char *other, size_t n)
{
	char *text = calloc(1, n * (strlen(one) + strlen(other)) + strlen(middle) + 1), *at = text;
	for (size_t i = 0; i < n; i++) {
		at = stpcpy(at, one);
	}
	at = stpcpy(at, middle);
	for (size_t i = 0; i < n; i++) {
		at = stpcpy(at, other);
	}
	struct where *where = NULL;
	int error = where_compile(text, &where, NULL, NULL);
	where_free(where);
	free(text);
	return error;
}

static void nesting_is_bounded(void **state)
{
	static const struct {
		const char *one, *middle, *other;
	} rows[] = { { "(", ".", ")" }, { "[", ".", "]" }, { "if . then ", ".", " end" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(compile_nested(rows[i].one, rows[i].middle, rows[i].other, 40), 0);
		assert_int_equal(
			compile_nested(rows[i].one, rows[i].middle, rows[i].other, 500), -XYLEM_E_INVALID);
	}
	assert_int_equal(compile_nested(".a | ", ".", "", 3000), 0);
	assert_int_equal(compile_nested("", "IN(1", ",1", 5000), -XYLEM_E_INVALID); /* not closed */
	assert_int_equal(compile_nested(" ", ".", "", 20000), -XYLEM_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_say_what_jq_says),
		cmocka_unit_test(data_is_what_the_event_format_makes_of_it),
		cmocka_unit_test(what_is_wrong_is_refused_where_it_stands),
		cmocka_unit_test(nesting_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
