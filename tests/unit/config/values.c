/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single values: each notation, what it refuses, each type through an option
 * table, variables, places inside scalars, and the nearest name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <config/fill.h>
#include <config/interpolate.h>
#include <config/nearest.h>
#include <config/report.h>
#include <config/text.h>

#include "kinds.h"
#include "sandbox.h"

static void numbers_with_units(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} sizes[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "64KiB", 65536 },
		{ "1MiB", 1048576 },
		{ "10GB", 10000000000 },
		{ "7B", 7 },
		{ "3kB", 3000 },
		{ "2TiB", 2199023255552 },
		{ "9223372036854775807", INT64_MAX },
		{ "", -1 },
		{ "KiB", -1 },
		{ "1 KiB", -1 },
		{ "-1", -1 },
		{ "1.5MiB", -1 },
		{ "1G", -1 },
		{ "1kib", -1 },
		{ "9223372036854775808", -1 },
		{ "9007199254740993TiB", -1 },
		{ "0x10", -1 },
	};
	static const struct {
		const char *text;
		int64_t value;
	} durations[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "5us", 5 },
		{ "5ms", 5000 },
		{ "30s", 30000000 },
		{ "10m", 600000000 },
		{ "2h", 7200000000 },
		{ "7d", 604800000000 },
		{ "30", -1 },
		{ "", -1 },
		{ "s", -1 },
		{ "1w", -1 },
		{ "1 s", -1 },
		{ "-1s", -1 },
		{ "1.5s", -1 },
		{ "1h30m", -1 },
		{ "9223372036854775807d", -1 },
	};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct xylem_reason reason = { "" };
		int64_t value = -7;
		int error = text_size(sizes[i].text, &value, &reason);
		assert_int_equal(error, sizes[i].value < 0 ? -XYLEM_E_INVALID : 0);
		assert_int_equal(value, sizes[i].value < 0 ? -7 : sizes[i].value);
		assert_true((reason.text[0] != 0) == (error != 0));
	}
	for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
		int64_t value = -7;
		int error = text_duration(durations[i].text, &value, NULL);
		assert_int_equal(error, durations[i].value < 0 ? -XYLEM_E_INVALID : 0);
		assert_int_equal(value, durations[i].value < 0 ? -7 : durations[i].value);
	}
}

static void integers_and_yes_or_no(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
		bool good;
	} integers[] = {
		{ "0", 0, true },
		{ "-12", -12, true },
		{ "9223372036854775807", INT64_MAX, true },
		{ "", 0, false },
		{ "-", 0, false },
		{ "1_000", 0, false },
		{ "1e3", 0, false },
		{ "+1", 0, false },
		{ " 1", 0, false },
		{ "9223372036854775808", 0, false },
	};
	for (size_t i = 0; i < sizeof(integers) / sizeof(*integers); i++) {
		int64_t value = 0;
		assert_int_equal(text_integer(integers[i].text, &value, NULL) == 0, integers[i].good);
		assert_int_equal(value, integers[i].value);
	}
	bool value = false;
	assert_int_equal(text_bool("true", &value, NULL), 0);
	assert_true(value);
	for (const char *const *wrong = (const char *const[]){ "yes", "no", "on", "True", "1", "", NULL };
		*wrong; wrong++) {
		assert_int_equal(text_bool(*wrong, &value, NULL), -XYLEM_E_INVALID);
	}
}

struct form {
	const char *text;
	bool good;
};

static void forms_check(int (*check)(const char *text, struct xylem_reason *reason), const struct form *forms)
{
	for (; forms->text; forms++) {
		struct xylem_reason reason = { "" };
		int error = check(forms->text, &reason);
		if ((error == 0) != forms->good) {
			fail_msg("`%s` is %s", forms->text, forms->good ? reason.text : "taken");
		}
	}
}

static void names_urls_and_addresses(void **state)
{
	static const struct form names[] = { { "a", true }, { "erp-2_x", true }, { "9", true }, { "", false },
		{ "A", false }, { "-a", false }, { "a.b", false }, { "a/b", false }, { "a b", false },
		{ "\xc3\xa9", false },
		{ "a123456789012345678901234567890123456789012345678901234567890123456789", false },
		{ NULL, false } };
	static const struct form topics[] = { { "shop/orders.new", true }, { "a", true }, { "/a", false },
		{ "a:b", false }, { NULL, false } };
	static const struct form urls[] = { { "http://a", true }, { "https://a.example:8443/x?y=1#z", true },
		{ "HTTPS://a", true }, { "http://[::1]:80/", true }, { "", false }, { "a.example", false },
		{ "ftp://a", false }, { "https://", false }, { "https:///x", false },
		{ "https://u@a/", false }, { "https://u:p@a/", false }, { "https://a/x y", false },
		{ "https://a:70000/", false }, { "https://a:/", false }, { "https://a:b/", false },
		{ "javascript://a", false }, { "https://a/@b", true }, { NULL, false } };
	static const struct form addresses[] = { { "127.0.0.1:5347", true }, { "host.example:1", true },
		{ "[::1]:7070", true }, { "unix:/run/x.sock", true }, { "a:0", true }, { "", false },
		{ "a", false }, { ":1", false }, { "a:", false }, { "a:65536", false }, { "::1:80", false },
		{ "[]:1", false }, { "unix:", false }, { "a:1x", false }, { "http://a:1", false },
		{ NULL, false } };
	forms_check(text_name, names);
	forms_check(text_topic_name, topics);
	forms_check(text_url, urls);
	forms_check(text_address, addresses);
}

static void jids_in_their_normal_form(void **state)
{
	static const struct {
		const char *text, *normal;
	} jids[] = {
		{ "Ops@ACME.test", "ops@acme.test" },
		{ "acme.test", "acme.test" },
		{ "acme.test.", "acme.test" },
		{ "a@b/c", NULL },
		{ "@b", NULL },
		{ "\xC3\x9C@ACME.test", "\xC3\xBC@acme.test" },
		{ "a@", NULL },
		{ "", NULL },
		{ "a b@c", NULL },
		{ "a@b@c", NULL },
		{ "a:b@c", NULL },
		{ ".", NULL },
		{ "a@.b", NULL },
	};
	char normal[TEXT_JID_SIZE];
	for (size_t i = 0; i < sizeof(jids) / sizeof(*jids); i++) {
		assert_int_equal(text_jid(jids[i].text, normal, NULL), jids[i].normal ? 0 : -XYLEM_E_INVALID);
		if (jids[i].normal) {
			assert_string_equal(normal, jids[i].normal);
		}
	}
	assert_int_equal(text_jid_or_domain("@ACME.test", normal, NULL), 0);
	assert_string_equal(normal, "@acme.test");
	assert_int_equal(text_jid_or_domain("@", normal, NULL), -XYLEM_E_INVALID);
	assert_int_equal(text_jid_or_domain("@a@b", normal, NULL), -XYLEM_E_INVALID);
	assert_int_equal(text_jid_or_domain("x@acme.test", normal, NULL), 0);
}

static void variables_in_text(void **state)
{
	static const struct {
		const char *text, *result;
	} texts[] = {
		{ "plain", "plain" },
		{ "${A}", "one" },
		{ "<${A}${A}>", "<oneone>" },
		{ "${EMPTY}", "" },
		{ "${EMPTY:-d}", "d" },
		{ "${UNSET:-}", "" },
		{ "${UNSET:-a b}", "a b" },
		{ "${A:-d}", "one" },
		{ "${A:?x}", "one" },
		{ "$$", "$" },
		{ "$${A}", "${A}" },
		{ "a$b", "a$b" },
		{ "cost: 5$", "cost: 5$" },
		{ "${NESTED}", "${A}" },
		{ "${UNSET}", NULL },
		{ "${UNSET:?set it}", NULL },
		{ "${", NULL },
		{ "${A", NULL },
		{ "${}", NULL },
		{ "${A-x}", NULL },
		{ "${1}", NULL },
		{ "${LATIN}", NULL },
	};
	setenv("A", "one", 1);
	setenv("EMPTY", "", 1);
	setenv("NESTED", "${A}", 1);
	setenv("LATIN", "\xe9", 1);
	unsetenv("UNSET");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		struct xylem_reason reason = { "" };
		size_t offset = 99;
		int error = interpolate(texts[i].text, &out, &offset, &reason);
		assert_int_equal(error, texts[i].result ? 0 : -XYLEM_E_INVALID);
		assert_true(texts[i].result || (reason.text[0] && offset < strlen(texts[i].text)));
		if (texts[i].result) {
			assert_true(xylem_span_is(xylem_buffer_borrow(&out), texts[i].result));
		}
	}
}

/* --- through an option table ------------------------------------------------ */

struct work {
	struct keep keep;
	struct config_report report;
	struct tree_file file;
	struct tree_node *root;
	struct test_options options;
	struct fill fill;
};

static int work_fill(struct work *work, const char *yaml)
{
	memset(work, 0, sizeof(*work));
	assert_int_equal(keep_init(&work->keep, 0), 0);
	work->file = (struct tree_file){ .name = "x.yaml", .folder = sandbox, .text = xylem_span_of(yaml) };
	assert_int_equal(tree_read(&work->file, work->keep.arena, &work->report, &work->root), 0);
	work->fill = (struct fill){ .keep = &work->keep, .report = &work->report, .subject = "test" };
	return config_fill(test_all_options, &work->options, work->root, &work->fill);
}

static void work_finish(struct work *work)
{
	config_report_finish(&work->report);
	keep_finish(&work->keep);
}

static void every_type_is_set(void **state)
{
	struct work work;
	char path[128];
	sandbox_write("s.json", 0644, "{}\n");
	assert_int_equal(
		work_fill(&work,
			"compress: true\nnumber: \"80\"\nsize: 2KiB\nwait: 5ms\ntext: 12\nverify: github\n"
			"name: abc\nurl: https://a/\naddress: unix:run/x.sock\njid: A@B.test\nkey: /a/b\n"
			"secret: { file: key }\nfolder: ./sub\nschema: s.json\nexpression: .a | .b\n"
			"allow: [1, yes]\nheaders: { X-A: 5 }\njson: { a: [1.50, yes, null, \"1\", true, ~] "
			"}\n"
			"tls: { ca: /etc/ca.pem }\n"),
		-XYLEM_E_INVALID);
	assert_int_equal(work.report.n, 1); /* the secret's file is not there */
	assert_int_equal(work.report.problems[0].place.line, 12);
	assert_int_equal(work.report.problems[0].place.column, 17);
	assert_true(work.options.compress);
	assert_int_equal(work.options.number, 80);
	assert_int_equal(work.options.size, 2048);
	assert_int_equal(work.options.wait, 5000);
	assert_string_equal(work.options.text, "12");
	assert_int_equal(work.options.verify, 2);
	assert_string_equal(work.options.jid, "a@b.test");
	snprintf(path, sizeof(path), "unix:%s/run/x.sock", sandbox);
	assert_string_equal(work.options.address, path);
	snprintf(path, sizeof(path), "%s/sub", sandbox);
	assert_string_equal(work.options.folder, path);
	assert_true(xylem_span_is(work.options.schema->bytes, "{}\n"));
	assert_int_equal(work.options.allow.n, 2);
	assert_string_equal(work.options.allow.items[1], "yes");
	assert_string_equal(work.options.headers.items[0].value, "5");
	assert_true(xylem_span_is(work.options.json, "{\"a\":[1.50,\"yes\",null,\"1\",true,\"~\"]}"));
	assert_string_equal(work.options.ca, "/etc/ca.pem");
	work_finish(&work);
}

static void defaults_stand_where_nothing_is_written(void **state)
{
	struct work work;
	assert_int_equal(work_fill(&work, "number: 5\n"), 0);
	assert_int_equal(work.options.wait, 5000000);
	assert_int_equal(work.options.allow.n, 2);
	assert_string_equal(work.options.allow.items[0], "a");
	assert_null(work.options.text);
	work.fill.overlay = true;
	struct tree_node *wait = tree_scalar_new(work.keep.arena, &work.file, "9s");
	struct tree_node *key = tree_scalar_new(work.keep.arena, &work.file, "wait");
	struct tree_member member = { key, wait };
	struct tree_node overlay = { .kind = TREE_MAPPING, .file = &work.file, .members = &member, .n = 1 };
	assert_int_equal(config_fill(test_all_options, &work.options, &overlay, &work.fill), 0);
	assert_int_equal(work.options.wait, 9000000);
	assert_int_equal(work.options.number, 5);
	work_finish(&work);
}

/* One line each; what the one problem must say. */
static void each_refusal_has_its_words(void **state)
{
	static const struct {
		const char *yaml, *words;
	} cases[] = {
		{ "number: 0", "write 1 to 65535" },
		{ "number: [1]", "is a list; write one value (whole number)" },
		{ "size: 2MiB", "write 1KiB to 1MiB" },
		{ "wait: 2m", "write 1ms to 1m" },
		{ "wait: 5", "a number with us, ms, s, m, h or d" },
		{ "verify: githb", "did you mean `github`?" },
		{ "text: { a: b }", "is a mapping; write one value (text)" },
		{ "text: ~", "has no value" },
		{ "folder: \"\"", "write a path" },
		{ "schema: .", "is not a regular file" },
		{ "schema: none.json", "No such file" },
		{ "allow: [a, [b]]", "write text as an entry of the list" },
		{ "allow: { a: b }", "write a list such as `[a, b]`" },
		{ "headers: { a: [b] }", "write text as the value of each name" },
		{ "tls: { a: { b: c } }", "unknown option `a` in `tls` of test" },
		{ "adress: a:1", "did you mean `address`?" },
		{ "zzzzzz: 1", "unknown option `zzzzzz` of test" },
		{ "[a]", "write a mapping of its options" },
		{ "secret: [a]", "is not a way to name a secret" },
		{ "secret: { file: a, env: B }", "is not a way to name a secret" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct work work;
		assert_int_not_equal(work_fill(&work, cases[i].yaml), 0);
		assert_int_equal(work.report.errors, 1);
		if (!strstr(work.report.problems[0].text, cases[i].words)) {
			fail_msg("%s: got: %s", cases[i].yaml, work.report.problems[0].text);
		}
		work_finish(&work);
	}
}

static void strangers_name_no_files(void **state)
{
	static const char *const yaml[] = { "schema: /etc/passwd", "folder: /etc",
		"secret: { file: /etc/passwd }" };
	for (size_t i = 0; i < 3; i++) {
		struct work work;
		work_fill(&work, "number: 1");
		work.file.text = xylem_span_of(yaml[i]);
		work.fill.foreign = true;
		assert_int_equal(tree_read(&work.file, work.keep.arena, &work.report, &work.root), 0);
		assert_int_equal(config_fill(test_all_options, &work.options, work.root, &work.fill),
			-XYLEM_E_INVALID);
		assert_non_null(strstr(work.report.problems[0].text, "may be set in the configuration only"));
		work_finish(&work);
	}
}

static void arguments_come_as_json(void **state)
{
	struct work work;
	work_fill(&work, "number: 1");
	json_t *json = json_pack("{s:i,s:b,s:[s],s:{s:f},s:{s:s}}", "number", 7, "compress", 1, "allow", "x",
		"json", "a", 1.5, "tls", "ca", "/x");
	struct tree_node *node = tree_json_new(work.keep.arena, &work.file, json);
	assert_int_equal(config_fill(test_all_options, &work.options, node, &work.fill), 0);
	assert_int_equal(work.options.number, 7);
	assert_true(work.options.compress);
	assert_string_equal(work.options.allow.items[0], "x");
	assert_true(xylem_span_is(work.options.json, "{\"a\":1.5}"));
	json_decref(json);
	json = json_array();
	for (int i = 0; i < 100; i++) {
		json = json_pack("[o]", json);
	}
	assert_null(tree_json_new(work.keep.arena, &work.file, json));
	json_decref(json);
	work_finish(&work);
}

static void a_byte_of_a_scalar_has_its_place(void **state)
{
	static const struct {
		const char *yaml, *marked;
		int line, column;
	} cases[] = {
		{ "a: .x == y\n", "y", 1, 10 },
		{ "a: \".x == y\"\n", "y", 1, 11 },
		{ "a: '''.x'' == y'\n", "y", 1, 15 },
		{ "a: \"\\\"q\\\" \\u00e9\\x41 \\ty\"\n", "y", 1, 24 },
		{ "a: \"\xc3\xa9\xc3\xa9 y\"\n", "y", 1, 8 },
		{ "a: |\n  one\n\n    y\n", "y", 4, 5 },
		{ "a: >-\n  one\n  two\n  y\n", "y", 4, 3 },
		{ "a: one\n  two\n  y\n", "y", 3, 3 },
		{ "a: \"one\\\n   y\"\n", "y", 2, 4 },
		{ "a: &anchor y\n", "y", 1, 12 },
		{ "\xef\xbb\xbf"
		  "a: b y\n",
			"y", 1, 6 },
		{ "a: |2\n     y\n", "y", 2, 6 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct work work;
		work_fill(&work, "number: 1");
		work.file.text = xylem_span_of(cases[i].yaml);
		assert_int_equal(tree_read(&work.file, work.keep.arena, &work.report, &work.root), 0);
		const struct tree_node *node = tree_find(work.root, "a");
		const char *at = strstr(node->text, cases[i].marked);
		struct config_place place = tree_place_inside(node, (size_t)(at - node->text));
		if (place.line != cases[i].line || place.column != cases[i].column) {
			fail_msg("%zu: %d:%d", i, place.line, place.column);
		}
		work_finish(&work);
	}
}

static void the_nearest_name(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} pairs[] = {
		{ "", "", 0 },
		{ "a", "", 1 },
		{ "brokers", "broker", 1 },
		{ "brokesr", "brokers", 1 },
		{ "ab", "ba", 1 },
		{ "kitten", "sitting", 3 },
		{ "on-case", "on_case", 0 },
		{ "URL", "url", 0 },
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		assert_int_equal(nearest_distance(pairs[i].a, pairs[i].b), pairs[i].distance);
		assert_int_equal(nearest_distance(pairs[i].b, pairs[i].a), pairs[i].distance);
	}
	struct nearest nearest;
	char longest[100] = { 0 };
	memset(longest, 'x', 99);
	nearest_init(&nearest, longest);
	nearest_offer(&nearest, "x");
	assert_null(nearest.name);
	nearest_init(&nearest, "ab");
	nearest_offer(&nearest, "xy");
	assert_null(nearest.name);
}

static void halves_are_closed(void **state)
{
	struct keep keep = { 0 };
	struct digest digest = { 0 };
	config_report_finish(NULL);
	keep_finish(&keep);
	digest_finish(&digest);
	assert_null(config_unref(NULL));
	assert_false(xylem_span_present(xylem_secret_borrow(NULL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_with_units),
		cmocka_unit_test(integers_and_yes_or_no),
		cmocka_unit_test(names_urls_and_addresses),
		cmocka_unit_test(jids_in_their_normal_form),
		cmocka_unit_test(variables_in_text),
		cmocka_unit_test(the_nearest_name),
		cmocka_unit_test_setup_teardown(every_type_is_set, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			defaults_stand_where_nothing_is_written, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(each_refusal_has_its_words, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(strangers_name_no_files, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(arguments_come_as_json, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			a_byte_of_a_scalar_has_its_place, sandbox_setup, sandbox_teardown),
		cmocka_unit_test(halves_are_closed),
	};
	return cmocka_run_group_tests_name("config values", tests, NULL, NULL);
}
