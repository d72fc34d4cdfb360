/* SPDX-License-Identifier: Apache-2.0 */
/* The operation table itself, paths with slashes, problems, guards, keys: what needs no running bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <console/guard.h>
#include <console/idempotency.h>
#include <console/openapi.h>
#include <console/problem.h>
#include <console/request.h>

#include "test_bus.h"

static void the_table_is_sound(void **state)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	for (size_t i = 0; i < n; i++) {
		const struct operation *operation = table[i];
		assert_ptr_equal(operation_find(operation->name), operation);
		assert_true(i == 0 || strcmp(table[i - 1]->name, operation->name) < 0);
		assert_true(operation->role > ROLE_NONE && operation->role <= ROLE_ADMIN);
		assert_string_equal(operation->method, operation->unsafe ? "POST" : "GET");
		assert_int_equal(operation->summary[strlen(operation->summary) - 1], '.');
		assert_true(!operation->payload || operation->role >= ROLE_PAYLOAD_VIEWER);
		assert_true(!operation->unsafe || operation->role >= ROLE_OPERATOR);
		struct xylem_span name;
		bool found = !operation_placeholder(operation, &name);
		for (const struct xylem_option *option = operation->arguments; option->name; option++) {
			found |= xylem_span_is(name, option->name) && (option->flags & XYLEM_OPTION_REQUIRED);
			assert_non_null(option->summary);
			assert_non_null(option->since);
			assert_true(option->offset < operation->arguments_size);
		}
		assert_true(found);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(table[j]->words, operation->words);
		}
	}
	assert_null(operation_find("nosuch"));
}

static void paths_may_hold_slashes(void **state)
{
	static const struct {
		const char *method, *path, *operation, *value, *allow;
	} rows[] = {
		{ "GET", "bus", "bus-status", "", NULL },
		{ "POST", "bus", NULL, "", "GET" },
		{ "GET", "lanes", "lanes", "", NULL },
		{ "GET", "lanes/orders/erp", "lane", "orders/erp", NULL },
		{ "POST", "lanes/orders/erp", NULL, "", "GET" },
		{ "POST", "lanes/orders/erp/pause", "lane-pause", "orders/erp", NULL },
		{ "POST", "lanes/orders/topic:a/b/resume", "lane-resume", "orders/topic:a/b", NULL },
		{ "POST", "lanes/orders/pause/pause", "lane-pause", "orders/pause", NULL },
		{ "GET", "lanes/orders/pause", "lane", "orders/pause", NULL },
		{ "POST", "lanes//pause", NULL, "", "GET" },
		{ "GET", "messages/0-17", "message", "0-17", NULL },
		{ "GET", "messages/0-17/data", "message-data", "0-17", NULL },
		{ "GET", "messages/", NULL, "", NULL },
		{ "GET", "hospital/cases/7/data", "hospital-case-data", "7", NULL },
		{ "POST", "hospital/cases/7/notes", "hospital-note", "7", NULL },
		{ "GET", "config/reload", NULL, "", "POST" },
		{ "DELETE", "config", NULL, "", "GET" },
		{ "GET", "", NULL, "", NULL },
		{ "GET", "nosuch", NULL, "", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_span value = XYLEM_SPAN_NONE;
		const char *allow = NULL;
		const struct operation *operation = operation_match(
			rows[i].method, xylem_span_of(rows[i].path), &value, &allow);
		if ((operation ? strcmp(operation->name, rows[i].operation ? rows[i].operation : "") != 0
			       : rows[i].operation != NULL) ||
			(operation && !xylem_span_is(value, rows[i].value)) ||
			(!operation && (allow ? !rows[i].allow || strcmp(allow, rows[i].allow) != 0
					      : rows[i].allow != NULL))) {
			print_error("%s %s: %s %.*s %s\n", rows[i].method, rows[i].path,
				operation ? operation->name : "-", (int)value.n, value.n ? value.at : "",
				allow ? allow : "-");
			fail();
		}
	}
}

static void problems_follow_the_error_table(void **state)
{
	for (int code = 1; code < XYLEM_ERROR_COUNT; code++) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		json_t *errors = json_pack("[{s:s}]", "pointer", "/x");
		int status = problem_write(&out, -code, "because \"x\" \xff", "/api/v1/x", errors);
		json_decref(errors);
		json_t *problem = json_loadb(out.bytes, out.n, 0, NULL);
		assert_non_null(problem);
		assert_int_equal(status, xylem_error_row(-code)->http_status);
		assert_int_equal(json_integer_value(json_object_get(problem, "status")), status);
		assert_string_equal(
			json_string_value(json_object_get(problem, "code")), xylem_error_row(-code)->name);
		assert_string_equal(json_string_value(json_object_get(problem, "detail")), "because \"x\" ?");
		assert_string_equal(json_string_value(json_object_get(problem, "instance")), "/api/v1/x");
		assert_int_equal(json_array_size(json_object_get(problem, "errors")), 1);
		json_decref(problem);
	}
	XYLEM_BUFFER_SCOPED out = { 0 };
	problem_write(&out, -XYLEM_E_METHOD, NULL, "/", NULL);
	json_t *problem = json_loadb(out.bytes, out.n, 0, NULL);
	assert_null(json_object_get(problem, "errors"));
	assert_string_equal(json_string_value(json_object_get(problem, "detail")),
		xylem_error_row(-XYLEM_E_METHOD)->text);
	json_decref(problem);
}

static void hosts_and_origins(void **state)
{
	static const char *const further[] = { "bus.acme.test" };
	const struct xylem_strings hosts = { further, 1 };
	static const struct {
		const char *host;
		bool good;
	} rows[] = { { "localhost", true }, { "LOCALHOST:7070", true }, { "127.0.0.1:7070", true },
		{ "[::1]:1", true }, { "10.0.0.7:7070", true }, { "bus.acme.test", true },
		{ "Bus.Acme.Test:443", true }, { "evil.test", false }, { "127.0.0.1.evil.test", false },
		{ "localhost.evil.test:7070", false }, { "bus.acme.test.", false },
		{ "localhost:70x", false }, { "localhost:", false }, { "", false },
		{ "localhost@evil.test", false }, { "[::1", false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (guard_host(rows[i].host, "10.0.0.7", &hosts) != rows[i].good) {
			print_error("%s\n", rows[i].host);
			fail();
		}
	}
	assert_true(guard_origin("http://localhost:7070", "localhost:7070"));
	assert_true(guard_origin("https://bus.acme.test", "bus.acme.test"));
	assert_false(guard_origin("http://localhost:7071", "localhost:7070"));
	assert_false(guard_origin("null", "localhost:7070"));
	assert_false(guard_origin("http://evil.test", "localhost:7070"));
}

static void bearers(void **state)
{
	assert_true(xylem_span_is(guard_bearer("Bearer abc"), "abc"));
	assert_true(xylem_span_is(guard_bearer("bearer   abc "), "abc"));
	assert_int_equal(guard_bearer("Bearer ").n, 0);
	assert_int_equal(guard_bearer("Basic abc").n, 0);
	assert_int_equal(guard_bearer(NULL).n, 0);
}

static void wrong_tokens_cost_an_allowance(void **state)
{
	static struct guard guard;
	guard_init(&guard);
	int64_t now_us = 1000000000;
	int wait_s = 0;
	for (int i = 0; i < GUARD_BURST; i++) {
		assert_true(guard_allows(&guard, "192.0.2.1", now_us, &wait_s));
		guard_failed(&guard, "192.0.2.1", now_us);
	}
	assert_false(guard_allows(&guard, "192.0.2.1", now_us, &wait_s));
	assert_int_equal(wait_s, GUARD_REFILL_US / 1000000);
	assert_true(guard_allows(&guard, "192.0.2.1", now_us + GUARD_REFILL_US, &wait_s));
	guard_failed(&guard, "192.0.2.1", now_us + GUARD_REFILL_US);
	assert_false(guard_allows(&guard, "192.0.2.1", now_us + GUARD_REFILL_US, &wait_s));
	assert_true(guard_allows(&guard, "192.0.2.1", now_us + 100 * (int64_t)GUARD_REFILL_US, &wait_s));
	guard_finish(&guard);
}

static void idempotency_keys(void **state)
{
	struct xylem_span key;
	struct xylem_reason reason;
	assert_int_equal(idempotency_key("\"abc\"", &key, &reason), 0);
	assert_true(xylem_span_is(key, "abc"));
	assert_int_equal(idempotency_key("abc", &key, &reason), 0);
	static const char *const bad[] = { "", "\"\"", "a b", "a\"b", "\x01", "caf\xc3\xa9" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(idempotency_key(bad[i], &key, &reason), -XYLEM_E_INVALID);
	}
	struct idempotency_request a, b, c;
	idempotency_name(&a, "me", "/x", xylem_span_of("k"), xylem_span_of("1"));
	idempotency_name(&b, "me", "/x", xylem_span_of("k"), xylem_span_of("2"));
	idempotency_name(&c, "you", "/x", xylem_span_of("k"), xylem_span_of("1"));
	assert_memory_equal(a.name, b.name, 32);
	assert_memory_not_equal(a.fingerprint, b.fingerprint, 32);
	assert_memory_not_equal(a.name, c.name, 32);
}

static void targets_are_decoded_once(void **state)
{
	static const struct {
		const char *from, *to; /* NULL: refused */
		bool query;
	} rows[] = { { "/a%2Fb", "/a/b", false }, { "a+b", "a b", true }, { "/a+b", "/a+b", false },
		{ "%2525", "%25", false }, { "%00", NULL, false }, { "%0a", NULL, false },
		{ "%4", NULL, false }, { "%zz", NULL, false }, { "%", NULL, false },
		{ "h%C3%A9", "h\xc3\xa9", false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];
		strcpy(text, rows[i].from);
		bool good = target_decode(text, rows[i].query);
		assert_int_equal(good, rows[i].to != NULL);
		if (good) {
			assert_string_equal(text, rows[i].to);
		}
	}
	struct request *request = request_new(NULL, NULL, "/x?a=1&b=&c&d=%20%26");
	assert_null(request->target_problem);
	assert_int_equal(json_object_size(request->query), 4);
	assert_string_equal(json_string_value(json_object_get(request->query, "d")), " &");
	request_free(request);
	static const char *const bad[] = { "x", "*", "http://h/", "/%ff", "/?a=1&a=2", "/?a=%ff", "/?a=%00",
		"/?%" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		request = request_new(NULL, NULL, bad[i]);
		if (!request->target_problem) {
			print_error("%s\n", bad[i]);
			fail();
		}
		request_free(request);
	}
	assert_null(request_free(NULL));
}

/* Every $ref must point at something, every operation must be there. */
static void check_refs(const json_t *root, const json_t *node)
{
	const char *name;
	json_t *value;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)node, name, value)
	{
		if (strcmp(name, "$ref") == 0) {
			char path[128];
			snprintf(path, sizeof(path), "%s", json_string_value(value) + 2);
			const json_t *at = root;
			for (char *part = strtok(path, "/"); part; part = strtok(NULL, "/")) {
				at = json_object_get(at, part);
			}
			assert_non_null(at);
		}
		check_refs(root, value);
	}
	json_array_foreach(node, i, value)
	{
		check_refs(root, value);
	}
}

static void openapi_holds_every_operation(void **state)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	json_t *openapi = openapi_new();
	assert_non_null(openapi);
	check_refs(openapi, openapi);
	for (size_t i = 0; i < n; i++) {
		char path[128];
		snprintf(path, sizeof(path), "/api/v1/%s", table[i]->path);
		json_t *item = json_object_get(json_object_get(openapi, "paths"), path);
		json_t *view = json_object_get(item, table[i]->unsafe ? "post" : "get");
		assert_string_equal(json_string_value(json_object_get(view, "operationId")), table[i]->name);
		size_t arguments = 0;
		for (const struct xylem_option *option = table[i]->arguments; option->name; option++) {
			arguments++;
		}
		json_t *parameters = json_object_get(view, "parameters");
		json_t *schema = json_object_get(
			json_object_get(json_object_get(json_object_get(view, "requestBody"), "content"),
				"application/json"),
			"schema");
		assert_int_equal(json_array_size(parameters) - table[i]->unsafe +
					 json_object_size(json_object_get(schema, "properties")),
			arguments);
	}
	json_decref(openapi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(paths_may_hold_slashes),
		cmocka_unit_test(problems_follow_the_error_table),
		cmocka_unit_test(hosts_and_origins),
		cmocka_unit_test(bearers),
		cmocka_unit_test(wrong_tokens_cost_an_allowance),
		cmocka_unit_test(idempotency_keys),
		cmocka_unit_test(targets_are_decoded_once),
		cmocka_unit_test(openapi_holds_every_operation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
