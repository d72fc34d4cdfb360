/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: one that is good, and those that must be refused with a reason.
 * They are built beside this test from module.c with different definitions.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <config/config.h>

#include "kinds.h"

static void a_good_module_is_loaded_once(void **state)
{
	struct xylem_reason reason = { "" };
	const struct xylem_connector *good = registry_connector("good", &reason);
	assert_non_null(good);
	assert_string_equal(good->name, "good");
	assert_ptr_equal(registry_connector("good", &reason), good);
	assert_null(registry_transform("good", &reason));
}

static void others_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *name, *words;
	} cases[] = {
		{ "old", "was built for version 0 of the connector contract" },
		{ "renamed", "calls itself `good`" },
		{ "halved", "lacks sink_open, deliver or sink_close" },
		{ "mute", "exports neither xylem_connector_mute nor xylem_transform_mute" },
		{ "kafak", "did you mean `kafka`?" },
		{ "nothing_like_it", "there is no kind of connector" },
		{ "../good", "there is no kind of connector" },
		{ "", "there is no kind of connector" },
		{ "xmpp_client",
			"install the package xylem-xmpp-client, or build with -Dxmpp_client=enabled" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct xylem_reason reason = { "" };
		assert_null(registry_connector(cases[i].name, &reason));
		if (!strstr(reason.text, cases[i].words)) {
			fail_msg("%s: got: %s", cases[i].name, reason.text);
		}
	}
	struct xylem_reason reason = { "" };
	assert_null(registry_transform("jqq", &reason));
	assert_non_null(strstr(reason.text, "did you mean `jq`?"));
}

static void all_are_listed_in_order(void **state)
{
	size_t n, good = 0;
	const struct xylem_connector *const *kinds = registry_connectors(&n);
	for (size_t i = 0; i < n; i++) {
		good += strcmp(kinds[i]->name, "good") == 0;
		assert_true(i == 0 || strcmp(kinds[i - 1]->name, kinds[i]->name) < 0);
	}
	assert_int_equal(good, 1);
	assert_true(n >= 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_module_is_loaded_once),
		cmocka_unit_test(others_are_refused_with_a_reason),
		cmocka_unit_test(all_are_listed_in_order),
	};
	char path[PATH_MAX], plugins[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	*(strrchr(path, '/') ? strrchr(path, '/') : path) = '\0';
	snprintf(plugins, sizeof(plugins), "/no/such/folder:%s/unit/config", path);
	setenv("XYLEM_PLUGINS", plugins, 1);
	return cmocka_run_group_tests_name("config registry", tests, NULL, NULL);
}
