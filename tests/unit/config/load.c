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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_of_the_example, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(route_of_the_example, sandbox_setup, sandbox_teardown),
		cmocka_unit_test_setup_teardown(users_by_token_and_jid, sandbox_setup, sandbox_teardown),
	};
	return cmocka_run_group_tests_name("config load", tests, NULL, NULL);
}
