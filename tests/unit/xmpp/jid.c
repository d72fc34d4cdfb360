/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: split, normalised, looked up in lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <base/jid.h>

static void normalises(void **state)
{
	static const struct {
		const char *text, *bare; /* NULL: no address */
	} cases[] = {
		{ "Alice@Example.COM/Phone", "alice@example.com" },
		{ "example.com", "example.com" },
		{ "example.com.", "example.com" },
		{ "a@b/c/d@e", "a@b" },
		{ "a@b/", NULL },
		{ "@b", NULL },
		{ "a@", NULL },
		{ "", NULL },
		{ "/x", NULL },
		{ "a@b@c", NULL },
		{ "j\xC3\xBCrgen@b", "j\xC3\xBCrgen@b" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bare[JID_SIZE];
		bool ok = jid_normalise(xylem_span_of(cases[i].text), bare);
		assert_int_equal(ok, cases[i].bare != NULL);
		if (ok) {
			assert_string_equal(bare, cases[i].bare);
		}
	}
	char bare[JID_SIZE], *large = calloc(1, JID_SIZE + 1);
	memset(large, 'a', JID_SIZE);
	assert_false(jid_normalise(xylem_span(large, JID_SIZE), bare));
	assert_true(jid_normalise(xylem_span(large, JID_SIZE - 1), bare));
	free(large);
}

static void looks_up_in_lists(void **state)
{
	const char *const items[] = { "Alice@example.com", "@acme.test", "bus.peer.test" };
	const struct xylem_strings list = { items, 3 };
	assert_true(jid_listed(list, "alice@example.com"));
	assert_true(jid_listed(list, "anybody@acme.test"));
	assert_true(jid_listed(list, "bus.peer.test"));
	assert_false(jid_listed(list, "bob@example.com"));
	assert_false(jid_listed(list, "acme.test"));
	assert_false(jid_listed(list, "a@evil-acme.test"));
	assert_false(jid_listed(list, "a@sub.acme.test"));
	assert_false(jid_listed((struct xylem_strings){ 0 }, "alice@example.com"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(normalises),
		cmocka_unit_test(looks_up_in_lists) };
	return cmocka_run_group_tests_name("xmpp jid", tests, NULL, NULL);
}
