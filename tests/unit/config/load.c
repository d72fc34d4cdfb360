/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole configurations: the design's example with everything that it says, files merged, generations compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <config/config.h>
#include <route/lane_options.h>

#include "kinds.h"
#include "sandbox.h"

static const char example[] =
	"bus: { name: acme, data: ./var/data }\n"
	"users: { ops: { role: operator, token: { file: ops.token }, jids: [Ops@ACME.test] } }\n"
	"xmpp: { server: 127.0.0.1:5347, domain: bus.acme.test, secret: { env: XYLEM_XMPP_SECRET } }\n"
	"connectors:\n"
	"  shop:    { webhook: { path: /shop, verify: standard-webhooks, secret: { file: shop.key }, key: "
	"/data/order/customer } }\n"
	"  erp:     { postgres: { dsn: \"host=/run/postgresql dbname=erp\", table: orders, on_conflict: "
	"nothing } }\n"
	"  events:  { kafka: { brokers: \"127.0.0.1:9092\", topic: orders } }\n"
	"  partner: { http: { url: \"https://partner.example/orders\" } }\n"
	"  desk:    { xmpp: { allow: [\"@acme.test\"] } }\n"
	"topics:\n"
	"  orders: { title: Orders, subscribe: [\"@acme.test\"] }\n"
	"routes:\n"
	"  orders:\n"
	"    from: [shop, desk]\n"
	"    where: .type == \"order.created\"\n"
	"    steps:\n"
	"      - validate: { schema: order.schema.json }\n"
	"      - jq: '{id: .data.order.id, total_cents: (.data.order.lines | map(.price_cents * .qty) | "
	"add)}'\n"
	"    to: [erp, { events: { parallel: 4, batch: { wait: 5ms } } }, partner, topic:orders]\n"
	"    deliver: { attempts: 20 }\n";

static void example_write(void)
{
	sandbox_write("xylem.yaml", 0644, example);
	sandbox_write("ops.token", 0600, "0123456789abcdef0123456789abcdef\n");
	sandbox_write("shop.key", 0600, "shop-secret-shop-secret");
	sandbox_write("order.schema.json", 0644, "{}");
	setenv("XYLEM_XMPP_SECRET", "xmpp-secret", 1);
}

static void report_print(const struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		print_message("%s:%d:%d: %s\n", report->problems[i].place.file,
			report->problems[i].place.line, report->problems[i].place.column,
			report->problems[i].text);
	}
}

static struct config *load(const char *path)
{
	struct config *config = NULL;
	struct config_report report = { 0 };
	int error = config_load(&config, path, &report);
	report_print(&report);
	assert_int_equal(error, 0);
	assert_int_equal(report.n, 0);
	config_report_finish(&report);
	return config;
}

static void everything_of_the_example(void **state)
{
	example_write();
	struct config *config = load("xylem.yaml");
	const struct config_view *view = config_view(config);
	char path[128];
	snprintf(path, sizeof(path), "%s/var/data", sandbox);
	assert_string_equal(view->bus->name, "acme");
	assert_string_equal(view->bus->data, path);
	assert_int_equal(view->bus->max_message, 1 << 20);
	assert_int_equal(view->journal->segment_size, 64 << 20);
	assert_int_equal(view->journal->retain_us, INT64_C(7) * 86400000000);
	assert_string_equal(view->console->listen, "127.0.0.1:7070");
	assert_string_equal(view->xmpp->domain, "bus.acme.test");
	assert_true(xylem_span_is(xylem_secret_borrow(view->xmpp->secret), "xmpp-secret"));
	assert_int_equal(view->connector_count, 5);
	const struct config_connector *shop = config_find_connector(view, "shop");
	const struct test_options *options = shop->options;
	assert_ptr_equal(shop->kind, &test_webhook);
	assert_int_equal(options->verify, 1);
	assert_true(xylem_span_is(xylem_secret_borrow(options->secret), "shop-secret-shop-secret"));
	assert_non_null(options->key);
	assert_int_equal(shop->place.line, 5);
	assert_int_equal(shop->place.column, 3);
	assert_null(config_find_connector(view, "sho"));
	assert_non_null(config_find_topic(view, "orders"));
	config_unref(config);
}

static void route_of_the_example(void **state)
{
	example_write();
	struct config *config = load("xylem.yaml");
	const struct config_view *view = config_view(config);
	const struct config_route *route = config_find_route(view, "orders");
	assert_int_equal(route->from.n, 2);
	assert_non_null(route->where);
	assert_int_equal(route->step_count, 2);
	assert_ptr_equal(route->steps[0].kind, &test_validate);
	assert_true(
		xylem_span_is(((const struct test_options *)route->steps[0].options)->schema->bytes, "{}"));
	assert_int_equal(
		strncmp(((const struct test_options *)route->steps[1].options)->expression, "{id: .data", 10),
		0);
	assert_non_null(route->steps[1].program);
	assert_int_equal(route->lane_count, 4);
	assert_string_equal(route->lanes[0].destination, "erp");
	assert_ptr_equal(route->lanes[0].connector, config_find_connector(view, "erp"));
	assert_int_equal(route->lanes[0].options->attempts, 20);
	assert_int_equal(route->lanes[0].options->parallel, 1);
	assert_int_equal(route->lanes[1].options->parallel, 4);
	assert_int_equal(route->lanes[1].options->batch_wait_us, 5000);
	assert_int_equal(route->lanes[1].options->attempts, 20);
	assert_int_equal(route->lanes[1].options->timeout_us, 20000000);
	assert_string_equal(route->lanes[3].destination, "topic:orders");
	assert_ptr_equal(route->lanes[3].topic, config_find_topic(view, "orders"));
	config_unref(config);
}

static void users_by_token_and_jid(void **state)
{
	example_write();
	struct config *config = load("xylem.yaml");
	const struct config_view *view = config_view(config);
	const struct config_user *ops = config_user_by_token(
		view, xylem_span_of("0123456789abcdef0123456789abcdef"));
	assert_non_null(ops);
	assert_string_equal(ops->name, "ops");
	assert_int_equal(ops->role, ROLE_OPERATOR);
	assert_null(config_user_by_token(view, xylem_span_of("0123456789abcdef0123456789abcdeg")));
	assert_null(config_user_by_token(view, XYLEM_SPAN_NONE));
	assert_ptr_equal(config_user_by_jid(view, "ops@acme.test"), ops);
	assert_ptr_equal(config_user_by_jid(view, "OPS@acme.test"), ops);
	assert_null(config_user_by_jid(view, "ops@acme.test.evil"));
	assert_null(config_user_by_jid(view, ""));
	config_unref(config);
}

/* --- several files ---------------------------------------------------------- */

static int load_with(struct config **ret_config, struct config_report *report)
{
	memset(report, 0, sizeof(*report));
	*ret_config = NULL;
	return config_load(ret_config, "xylem.yaml", report);
}

static void files_are_merged_by_section(void **state)
{
	struct config *config;
	struct config_report report;
	mkdir("conf.d", 0755);
	mkdir("conf.d/sub.yaml.d", 0755);
	sandbox_write("xylem.yaml", 0644, "bus: { name: acme, data: ./d }\njournal: { max: 20GiB }\n");
	sandbox_write("conf.d/20-routes.yaml", 0644,
		"routes: { r: { from: [q], to: [p], steps: [{ validate: { schema: s.json } }] } }\n");
	sandbox_write("conf.d/10-connectors.yaml", 0644,
		"connectors:\n  p: { http: { url: http://p/ } }\n  q: { webhook: { path: /, key: /k } "
		"}\njournal: { segment: 32MiB }\n");
	sandbox_write("conf.d/s.json", 0644, "[]");
	sandbox_write("conf.d/empty.yaml", 0644, "# nothing\n");
	sandbox_write("conf.d/.hidden.yaml", 0644, "nonsense: [\n");
	sandbox_write("conf.d/notes.txt", 0644, "nonsense: [\n");
	assert_int_equal(load_with(&config, &report), 0);
	report_print(&report);
	assert_int_equal(report.n, 0);
	const struct config_view *view = config_view(config);
	assert_int_equal(view->journal->segment_size, 32 << 20);
	assert_int_equal(view->journal->max_bytes, INT64_C(20) << 30);
	assert_int_equal(view->connector_count, 2);
	assert_string_equal(view->connectors[0].place.file, "conf.d/10-connectors.yaml");
	/* A path is taken from the file it stands in. */
	const struct test_options *step = config_find_route(view, "r")->steps[0].options;
	assert_true(xylem_span_is(step->schema->bytes, "[]"));
	config_unref(config);
	config_report_finish(&report);
}

static void a_name_belongs_to_one_file(void **state)
{
	struct config *config;
	struct config_report report;
	mkdir("conf.d", 0755);
	sandbox_write(
		"xylem.yaml", 0644, "bus: { name: acme, data: ./d }\ntopics: { t: { publish: [a@b.c] } }\n");
	sandbox_write("conf.d/a.yaml", 0644, "bus: { name: other }\n");
	sandbox_write("conf.d/b.yaml", 0644, "topics:\n  t: { publish: [a@b.c] }\n");
	sandbox_write("conf.d/c.yml", 0644, "topics: {}\n");
	sandbox_write("conf.d/d.yaml", 0644, "[\n");
	assert_int_equal(load_with(&config, &report), -XYLEM_E_INVALID);
	assert_null(config);
	assert_int_equal(report.n, 4);
	assert_string_equal(report.problems[0].place.file, "conf.d/a.yaml");
	assert_string_equal(report.problems[0].text,
		"option `name` is defined twice, first at xylem.yaml:1:8; remove one");
	assert_string_equal(
		report.problems[1].text, "topic `t` is defined twice, first at xylem.yaml:2:11; remove one");
	assert_int_equal(report.problems[1].place.line, 2);
	assert_true(report.problems[2].warning);
	assert_string_equal(report.problems[3].place.file, "conf.d/d.yaml");
	config_report_finish(&report);
}

/* Routes may name topics that nobody declares, unless it looks like a typing error (wrong/dangling.yaml). */
static void topics_that_only_routes_name(void **state)
{
	static const struct {
		const char *name;
		bool implied;
	} rows[] = { { "also.there", true }, { "behind", true }, { "made/by-client", true },
		{ "nobody-home", true }, { "nobody-there", true }, { "orders", false } };
	sandbox_write("xylem.yaml", 0644,
		"bus: { name: acme, data: ./d }\n"
		"xmpp: { server: \"127.0.0.1:5347\", domain: bus.example.com, secret: { env: PATH } }\n"
		"connectors:\n  p: { http: { url: http://p/ } }\n  q: { webhook: { path: /, key: /k } }\n"
		"  x: { xmpp: {} }\n"
		"topics: { orders: { publish: [a@b.c] } }\n"
		"routes:\n"
		"  a: { from: [q, \"topic:made/by-client\"], to: [topic:orders, { topic:behind: { window: 9 "
		"} }, p] "
		"}\n"
		"  b: { from: [topic:behind, topic:orders], to: [topic:also.there] }\n"
		"  c: { from: [q], to: [{ x: { otherwise: topic:nobody-home } }] }\n"
		"  d: { from: [q], deliver: { otherwise: topic:nobody-there }, to: [x] }\n");
	struct config *config = load("xylem.yaml");
	const struct config_view *view = config_view(config);
	assert_int_equal(view->topic_count, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < view->topic_count; i++) {
		assert_string_equal(view->topics[i].name, rows[i].name);
		assert_int_equal(view->topics[i].implied, rows[i].implied);
	}
	assert_ptr_equal(view->routes[0].lanes[1].topic, config_find_topic(view, "behind"));
	assert_ptr_equal(view->routes[2].lanes[0].otherwise_topic, config_find_topic(view, "nobody-home"));
	assert_ptr_equal(view->routes[3].lanes[0].otherwise_topic, config_find_topic(view, "nobody-there"));
	config_unref(config);
}

static void a_file_that_is_not_there(void **state)
{
	struct config *config;
	struct config_report report;
	assert_int_equal(load_with(&config, &report), -XYLEM_E_IO);
	assert_int_equal(report.errors, 1);
	assert_string_equal(report.problems[0].place.file, "xylem.yaml");
	config_report_finish(&report);
	mkdir("xylem.yaml", 0755);
	assert_int_equal(load_with(&config, &report), -XYLEM_E_IO);
	config_report_finish(&report);
	config_report_finish(&report);
}

static void a_hundred_problems_are_kept(void **state)
{
	struct config *config;
	struct config_report report;
	XYLEM_BUFFER_SCOPED text = { 0 };
	xylem_buffer_text(&text, "bus: { name: a, data: d }\ntopics:\n");
	for (int i = 0; i < 150; i++) {
		xylem_buffer_format(&text, "  t%d: { wrong: 1 }\n", i);
	}
	sandbox_bytes("xylem.yaml", 0644, text.bytes, text.n);
	assert_int_equal(load_with(&config, &report), -XYLEM_E_INVALID);
	assert_int_equal(report.n, 100);
	assert_int_equal(report.errors, 150);
	config_report_finish(&report);
}

/* --- generations ------------------------------------------------------------ */

static struct config *load_changed(const char *from, const char *to)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	char text[sizeof(example) + 64];
	const char *at = strstr(example, from);
	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - example), example, to, at + strlen(from));
	sandbox_write("xylem.yaml", 0644, text);
	assert_int_equal(config_load(&config, "xylem.yaml", &report), 0);
	config_report_finish(&report);
	return config;
}

static bool steps_differ(const struct config *a, const struct config *b)
{
	return memcmp(config_find_route(config_view(a), "orders")->steps_hash,
		       config_find_route(config_view(b), "orders")->steps_hash, 32) != 0;
}

static bool generation_differs(const struct config *a, const struct config *b)
{
	return strcmp(config_view(a)->generation, config_view(b)->generation) != 0;
}

static void what_changed_is_seen(void **state)
{
	example_write();
	struct config *first = load("xylem.yaml");
	struct config *same = load_changed("  orders: { title: Orders, subscribe: [\"@acme.test\"] }",
		"  orders: { subscribe: [\"@acme.test\"], title: \"Orders\" } # other order, same thing");
	struct config *title = load_changed("title: Orders", "title: Sales");
	struct config *where = load_changed("order.created", "order.changed");
	struct config *lane = load_changed("attempts: 20", "attempts: 21");
	assert_false(generation_differs(first, same));
	assert_true(generation_differs(first, title));
	assert_true(generation_differs(first, where));
	assert_true(generation_differs(first, lane));
	assert_false(steps_differ(first, title));
	assert_true(steps_differ(first, where));
	assert_false(steps_differ(first, lane));
	sandbox_write("xylem.yaml", 0644, example);
	sandbox_write("order.schema.json", 0644, "{ }");
	struct config *schema = load("xylem.yaml");
	assert_true(generation_differs(first, schema));
	assert_true(steps_differ(first, schema));
	struct config *const all[] = { first, same, title, where, lane, schema };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		config_unref(all[i]);
	}
}

static void what_needs_a_restart_is_said(void **state)
{
	example_write();
	struct config_report report = { 0 };
	struct config *first = load("xylem.yaml");
	struct config *title = load_changed("title: Orders", "title: Sales");
	struct config *data = load_changed("./var/data", "./var/else");
	config_restart_check(
		config_view(first), config_view(title), (struct config_place){ "x", 1, 1 }, &report);
	assert_int_equal(report.n, 0);
	config_restart_check(
		config_view(first), config_view(data), (struct config_place){ "x", 1, 1 }, &report);
	assert_int_equal(report.n, 1);
	assert_non_null(strstr(report.problems[0].text, "`data` of section `bus`"));
	config_report_finish(&report);
	config_unref(first);
	config_unref(title);
	config_unref(data);
}

static void a_reference_keeps_it(void **state)
{
	example_write();
	struct config *config = load("xylem.yaml");
	struct config *second = config_ref(config);
	assert_ptr_equal(config, second);
	assert_null(config_unref(config));
	assert_string_equal(config_view(second)->bus->name, "acme");
	config_unref(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_of_the_example, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(route_of_the_example, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(users_by_token_and_jid, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(files_are_merged_by_section, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(a_name_belongs_to_one_file, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			topics_that_only_routes_name, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_not_there, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(a_hundred_problems_are_kept, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(what_changed_is_seen, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(
			what_needs_a_restart_is_said, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(a_reference_keeps_it, sandbox_setup, sandbox_teardown),
	};
	return cmocka_run_group_tests_name("config load", tests, NULL, NULL);
}
