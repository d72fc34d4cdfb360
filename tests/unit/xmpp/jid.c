/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: split, normalised, looked up in lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <base/jid.h>

static void normalises(void **state)
{
	static const struct {
		const char *text, *bare; /* NULL: no address */
	} cases[] = {
		{ "Alice@Example.COM/Phone", "alice@example.com" }, { "example.com", "example.com" },
		{ "example.com.", "example.com" }, { "a@b/c/d@e", "a@b" }, { "a@b/", NULL }, { "@b", NULL },
		{ "a@", NULL }, { "", NULL }, { "/x", NULL }, { "a@b@c", NULL },
		{ "j\xC3\xBCrgen@b", "j\xC3\xBCrgen@b" },
		{ "\xC3\x9CN\xCE\xA9@B\xC3\x9C.EXAMPLE./X\xC3\x9C", "\xC3\xBCn\xCF\x89@b\xC3\xBC.example" },
		{ "\xC8\xBA"
		  "a@b",
			"\xE2\xB1\xA5"
			"a@b" },                /* longer than it was */
		{ "\xC3@B\xFF", "\xC3@b\xFF" }, /* no UTF-8: as it is */
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
	for (size_t i = 0; i + 1 < JID_SIZE - 1; i += 2) {
		memcpy(large + i, "\xC8\xBA", 2); /* takes three bytes in lower case */
	}
	assert_false(jid_normalise(xylem_span(large, JID_SIZE - 2), bare));
	assert_true(jid_normalise(xylem_span(large, 1364), bare));
	assert_int_equal(strlen(bare), 2046);
	free(large);
}

static void looks_up_in_lists(void **state)
{
	const char *const items[] = { "Alice@example.com", "@acme.test", "bus.peer.test",
		"\xC3\x96zg\xC3\xBCr@example.com", "@B\xC3\x9C.example" };
	const struct xylem_strings list = { items, 5 };
	assert_true(jid_listed(list, "alice@example.com"));
	assert_true(jid_listed(list, "anybody@acme.test"));
	assert_true(jid_listed(list, "bus.peer.test"));
	assert_true(jid_listed(list, "\xC3\xB6zg\xC3\xBCr@example.com"));
	assert_true(jid_listed(list, "anybody@b\xC3\xBC.example"));
	assert_false(jid_listed(list, "b\xC3\xBC.example"));
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
