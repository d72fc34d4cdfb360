/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to operations: roles, typing of arguments, audit, data byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <console/operation.h>

#include "test_bus.h"

static struct bus *bus;

static int setup(void **state)
{
	bus = test_bus_new("listen: '127.0.0.1:0'");
	return 0;
}

static int teardown(void **state)
{
	test_bus_free(bus);
	return 0;
}

/* Runs with a JSON body; the result or the errors in *ret_json. */
static int run_as(enum config_role role, const char *name, const char *body, json_t **ret_json,
	struct xylem_reason *reason)
{
	struct operation_caller caller = { .name = "me", .role = role, .from = "test" };
	const struct operation *operation = operation_find(name);
	struct xylem_span span = xylem_span_of(body);
	json_t *arguments = NULL;
	assert_non_null(operation);
	*ret_json = NULL;
	int error = operation_read_body(operation, span, &arguments, ret_json, reason);
	if (!error) {
		json_t *result = NULL, *errors = NULL;
		error = operation_run_report(
			bus, operation, &caller, arguments, span, &result, &errors, reason);
		*ret_json = error ? errors : result;
	}
	json_decref(arguments);
	return error;
}

static void every_operation_refuses_every_lower_role(void **state)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	assert_true(n >= 26);
	for (size_t i = 0; i < n; i++) {
		for (enum config_role role = ROLE_NONE; role <= ROLE_ADMIN; role++) {
			struct operation_caller caller = { .name = "me", .role = role };
			json_t *arguments = json_object(), *result = NULL;
			struct xylem_reason reason = { .text = "" };
			size_t audited = bus->audit_count;
			int error = operation_run(
				bus, table[i], &caller, arguments, XYLEM_SPAN_NONE, &result, &reason);
			assert_int_equal(error == -XYLEM_E_FORBIDDEN, role < table[i]->role);
			assert_int_equal(bus->audit_count - audited, table[i]->unsafe || table[i]->payload);
			if (error) {
				assert_null(result);
				assert_true(reason.text[0]);
			}
			if (error == -XYLEM_E_FORBIDDEN && table[i]->unsafe) {
				assert_string_equal(last_audit(bus)->outcome, "forbidden");
				assert_string_equal(last_audit(bus)->operation, table[i]->name);
			}
			json_decref(arguments);
			json_decref(result);
		}
	}
}

static void arguments_are_typed_and_faults_are_named(void **state)
{
	static const struct {
		const char *operation, *body;
		int error;
		const char *part; /* of the reason */
	} rows[] = {
		{ "lane-pause", "{\"lane\": \"orders/erp\"}", 0, "" },
		{ "lane-pause", "{\"lane\": \"nosuch/erp\"}", -XYLEM_E_NOT_FOUND, "nosuch/erp" },
		{ "lane-pause", "{}", -XYLEM_E_INVALID, "lane" },
		{ "lane-pause", "{\"lane\": \"a\", \"lane\": \"b\"}", -XYLEM_E_INVALID, "twice" },
		{ "lane-pause", "{\"line\": \"a/b\"}", -XYLEM_E_INVALID, "line" },
		{ "lane-pause", "[1]", -XYLEM_E_INVALID, "array" },
		{ "lane-pause", "{\"lane\": ", -XYLEM_E_INVALID, "not valid JSON" },
		{ "lane-pause", "", -XYLEM_E_INVALID, "not valid JSON" },
		{ "messages", "{\"limit\": 1000}", 0, "" },
		{ "messages", "{\"limit\": \"7\"}", 0, "" },
		{ "messages", "{\"limit\": 1001}", -XYLEM_E_INVALID, "limit" },
		{ "messages", "{\"limit\": 0}", -XYLEM_E_INVALID, "limit" },
		{ "messages", "{\"limit\": \"x\"}", -XYLEM_E_INVALID, "limit" },
		{ "messages", "{\"outcome\": \"delivered\"}", 0, "" },
		{ "messages", "{\"outcome\": \"deliverd\"}", -XYLEM_E_INVALID, "delivered" },
		{ "messages", "{\"after\": \"0-12\"}", 0, "" },
		{ "messages", "{\"after\": \"12\"}", -XYLEM_E_INVALID, "after" },
		{ "messages", "{\"since\": \"15m\"}", 0, "" },
		{ "messages", "{\"since\": \"2026-11-21T09:00:00Z\"}", 0, "" },
		{ "messages", "{\"since\": \"yesterday\"}", -XYLEM_E_INVALID, "since" },
		{ "message", "{\"handle\": \"0-x\"}", -XYLEM_E_INVALID, "0-x" },
		{ "hospital-case", "{\"n\": 5}", -XYLEM_E_NOT_FOUND, "" },
		{ "hospital-case", "{\"n\": 0}", -XYLEM_E_INVALID, "n" },
		{ "hospital-replay", "{\"n\": 5}", -XYLEM_E_INVALID, "version" },
		{ "hospital-replay", "{\"n\": 5, \"version\": 1, \"from\": \"middle\"}", -XYLEM_E_INVALID,
			"middle" },
		{ "hospital-draft", "{\"n\": 5, \"version\": 1}", -XYLEM_E_INVALID, "data" },
		{ "hospital-draft", "{\"n\": 5, \"version\": 1, \"data\": 1, \"data_text\": \"x\"}",
			-XYLEM_E_INVALID, "one of" },
		{ "hospital-draft", "{\"n\": 5, \"version\": 1, \"data_base64\": \"a\"}", -XYLEM_E_INVALID,
			"base64" },
		{ "lane-drop", "{\"lane\": \"orders/erp\"}", -XYLEM_E_CONFLICT, "configuration" },
		{ "connector-probe", "{\"name\": \"shop\", \"timeout\": \"1s\"}", 0, "" },
		{ "connector-probe", "{\"name\": \"shop\", \"timeout\": \"1h\"}", -XYLEM_E_INVALID,
			"timeout" },
		{ "publish", "{\"ingress\": \"nosuch\", \"data\": {}}", -XYLEM_E_NOT_FOUND, "nosuch" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_reason reason = { .text = "" };
		json_t *json;
		int error = run_as(ROLE_ADMIN, rows[i].operation, rows[i].body, &json, &reason);
		if (error != rows[i].error || !strstr(reason.text, rows[i].part)) {
			print_error("%s %s: %d %s\n", rows[i].operation, rows[i].body, error, reason.text);
			fail();
		}
		json_decref(json);
	}
}

static void errors_point_at_the_argument(void **state)
{
	struct xylem_reason reason;
	json_t *errors;
	assert_int_equal(
		run_as(ROLE_ADMIN, "messages", "{\"limit\": 0, \"outcome\": \"x\"}", &errors, &reason),
		-XYLEM_E_INVALID);
	assert_int_equal(json_array_size(errors), 2);
	bool limit = false, outcome = false;
	for (size_t i = 0; i < 2; i++) {
		const char *pointer = json_string_value(
			json_object_get(json_array_get(errors, i), "pointer"));
		assert_non_null(pointer);
		limit |= strcmp(pointer, "/limit") == 0;
		outcome |= strcmp(pointer, "/outcome") == 0;
	}
	assert_true(limit && outcome);
	json_decref(errors);
	assert_int_equal(
		run_as(ROLE_ADMIN, "messages", "{\"nosuch\": 0}", &errors, &reason), -XYLEM_E_INVALID);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors, 0), "pointer")), "/nosuch");
	json_decref(errors);
	assert_int_equal(
		run_as(ROLE_ADMIN, "messages", "{\"kye\": \"k\"}", &errors, &reason), -XYLEM_E_INVALID);
	assert_string_equal(reason.text, "`kye`: the operation has no such argument; did you mean `key`?");
	assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "pointer")), "/kye");
	json_decref(errors);
}

static void text_search_needs_the_right_to_see_data(void **state)
{
	struct xylem_reason reason;
	json_t *json;
	assert_int_equal(
		run_as(ROLE_VIEWER, "messages", "{\"text\": \"x\"}", &json, &reason), -XYLEM_E_FORBIDDEN);
	assert_int_equal(run_as(ROLE_PAYLOAD_VIEWER, "messages", "{\"text\": \"x\"}", &json, &reason), 0);
	json_decref(json);
}

static void data_is_journaled_digit_by_digit(void **state)
{
	static const struct {
		const char *body, *data, *type;
	} rows[] = {
		{ "{\"ingress\": \"shop\", \"data\": {\"price\": 19.99, "
		  "\"id\":12345678901234567890,\"tiny\":1e-400}}",
			"{\"price\": 19.99, \"id\":12345678901234567890,\"tiny\":1e-400}",
			"application/json" },
		{ "{\"ingress\": \"shop\", \"data_text\": \"h\\u00e9 \\\"1\\\"\"}", "h\xc3\xa9 \"1\"",
			"text/plain; charset=utf-8" },
		{ "{\"ingress\": \"shop\", \"data_base64\": \"aGVsbG8=\"}", "hello",
			"application/octet-stream" },
		{ "{\"ingress\": \"shop\", \"event\": {\"specversion\": \"1.0\", \"id\": \"7\", \"source\": "
		  "\"/s\", "
		  "\"type\": \"t\", \"data\": {\"n\": 1e400}}}",
			"{\"n\": 1e400}", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_reason reason = { .text = "" };
		json_t *json;
		int error = run_as(ROLE_OPERATOR, "publish", rows[i].body, &json, &reason);
		if (error) {
			print_error("%s: %s\n", rows[i].body, reason.text);
		}
		assert_int_equal(error, 0);
		char body[128];
		snprintf(body, sizeof(body), "{\"handle\": \"%s\"}",
			json_string_value(json_object_get(json, "handle")));
		json_decref(json);
		assert_int_equal(run_as(ROLE_PAYLOAD_VIEWER, "message-data", body, &json, &reason), 0);
		assert_string_equal(json_string_value(json_object_get(json, "data_text")), rows[i].data);
		if (rows[i].type) {
			assert_string_equal(
				json_string_value(json_object_get(json, "contenttype")), rows[i].type);
		}
		json_decref(json);
		assert_string_equal(last_audit(bus)->operation, "message-data");
	}
}

static void the_audit_says_what_but_not_which_data(void **state)
{
	struct xylem_reason reason;
	json_t *json;
	run_as(ROLE_OPERATOR, "publish", "{\"ingress\": \"shop\", \"data_text\": \"secret\", \"key\": \"k\"}",
		&json, &reason);
	json_decref(json);
	const struct audit_row *row = last_audit(bus);
	assert_string_equal(row->who, "me");
	assert_string_equal(row->role, "operator");
	assert_string_equal(row->operation, "publish");
	assert_string_equal(row->outcome, "ok");
	assert_non_null(strstr(row->arguments, "\"key\":\"k\""));
	assert_non_null(strstr(row->arguments, "\"(from)\":\"test\""));
	assert_null(strstr(row->arguments, "secret"));
}

static void who_paused_is_told(void **state)
{
	struct xylem_reason reason;
	json_t *json;
	assert_int_equal(
		run_as(ROLE_OPERATOR, "lane-pause", "{\"lane\": \"orders/topic:a/b\"}", &json, &reason), 0);
	json_decref(json);
	assert_string_equal(bus->paused, "orders/topic:a/b");
	assert_string_equal(bus->pauser, "me");
}

static void a_failed_reload_lists_what_is_wrong(void **state)
{
	struct xylem_reason reason;
	json_t *json;
	bus->reload_fails = true;
	assert_int_equal(run_as(ROLE_DEPLOYER, "config-reload", "{}", &json, &reason), -XYLEM_E_INVALID);
	bus->reload_fails = false;
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json, 0), "line")), 3);
	assert_non_null(strstr(reason.text, "xylem.yaml:3:7"));
	json_decref(json);
	assert_int_equal(run_as(ROLE_DEPLOYER, "config-reload", "{}", &json, &reason), 0);
	json_decref(json);
}

static void an_unwilling_connector_is_an_answer(void **state)
{
	struct xylem_reason reason;
	json_t *json;
	assert_int_equal(run_as(ROLE_OPERATOR, "connector-probe", "{\"name\": \"shop\"}", &json, &reason), 0);
	assert_true(json_is_false(json_object_get(json, "up")));
	assert_string_equal(json_string_value(json_object_get(json, "failure")), "down");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_refuses_every_lower_role),
		cmocka_unit_test(arguments_are_typed_and_faults_are_named),
		cmocka_unit_test(errors_point_at_the_argument),
		cmocka_unit_test(text_search_needs_the_right_to_see_data),
		cmocka_unit_test(data_is_journaled_digit_by_digit),
		cmocka_unit_test(the_audit_says_what_but_not_which_data),
		cmocka_unit_test(who_paused_is_told),
		cmocka_unit_test(a_failed_reload_lists_what_is_wrong),
		cmocka_unit_test(an_unwilling_connector_is_an_answer),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
