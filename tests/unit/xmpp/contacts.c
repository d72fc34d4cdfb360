/* SPDX-License-Identifier: Apache-2.0 */
/* Who has which of our addresses as a contact, and who is online. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xmpp/contacts.h>
#include <xmpp/online.h>

static void contacts_are_found_listed_and_bounded(void **state)
{
	struct contacts *contacts;
	struct contact found, *list;
	struct xylem_reason reason;
	size_t n;
	assert_int_equal(contacts_open(&contacts, NULL, &reason), 0);
	const struct contact rows[] = { { "", "a@x", true, SIGHT_ASKED },
		{ "route.b", "a@x", true, SIGHT_NONE }, { "route.a", "b@x", true, SIGHT_NONE },
		{ "route.a", "a@x", false, SIGHT_GRANTED } };
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(contacts_set(contacts, &rows[i], NULL, NULL), 0);
	}
	assert_true(contacts_find(contacts, "route.a", "b@x", &found));
	assert_true(found.watches);
	assert_false(contacts_find(contacts, "route.c", "b@x", &found));
	assert_int_equal(contacts_sight(contacts, "a@x"), SIGHT_GRANTED);
	assert_int_equal(contacts_sight(contacts, "b@x"), SIGHT_NONE);
	assert_int_equal(contacts_list(contacts, "route.a", &list, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].jid, "a@x");
	free(list);
	assert_int_equal(contacts_list(contacts, NULL, &list, &n), 0);
	assert_int_equal(n, 4);
	assert_string_equal(list[0].local, "");
	free(list);
	/* Neither right: gone. */
	assert_int_equal(
		contacts_set(contacts, &(struct contact){ "route.a", "b@x", false, SIGHT_NONE }, NULL, NULL),
		0);
	assert_false(contacts_find(contacts, "route.a", "b@x", &found));
	int error = 0;
	for (size_t i = 0; error == 0; i++) {
		char local[32];
		snprintf(local, sizeof(local), "topic.%zu", i);
		error = contacts_set(
			contacts, &(struct contact){ local, "greedy@x", true, SIGHT_NONE }, NULL, NULL);
		assert_true(i <= 5000);
	}
	assert_int_equal(error, -XYLEM_E_LIMIT);
	assert_null(contacts_close(contacts));
	assert_null(contacts_close(NULL));
}

static void append(void *context, const char *full)
{
	char *text = context;
	snprintf(text + strlen(text), 128 - strlen(text), "%s ", full);
}

static void each_resource_of_one_person(void **state)
{
	static const char *const fulls[] = { "a@x/2", "a@x/1", "aa@x/1", "a@xx/1", "b@x/1" };
	struct online *online = online_new();
	char text[128] = "";
	for (size_t i = 0; i < sizeof(fulls) / sizeof(fulls[0]); i++) {
		char bare[16] = "";
		size_t n = strcspn(fulls[i], "/");
		memcpy(bare, fulls[i], n);
		assert_true(online_set(online, bare, xylem_span_of(fulls[i] + n + 1), ONLINE_HERE));
	}
	online_each(online, "a@x", append, text);
	assert_string_equal(text, "a@x/1 a@x/2 ");
	online_each(online, "nobody@x", append, text);
	online_each(online, "a@", append, text);
	assert_string_equal(text, "a@x/1 a@x/2 ");
	online_free(online);
}

static void resources_come_and_go(void **state)
{
	struct online *online = online_new();
	struct xylem_span one = XYLEM_SPAN_LITERAL("1"), two = XYLEM_SPAN_LITERAL("2");
	assert_true(online_set(online, "a@x", one, ONLINE_HERE));
	assert_false(online_set(online, "a@x", one, ONLINE_HERE));
	assert_true(online_set(online, "a@x", two, ONLINE_HERE));
	assert_true(online_has(online, "a@x"));
	assert_true(online_has(online, "a@x/2"));
	assert_false(online_has(online, "a@x/3"));
	/* The beginning of another name is not the same name. */
	assert_false(online_has(online, "a@"));
	assert_false(online_has(online, "aa@x"));
	assert_true(online_set(online, "a@x", one, ONLINE_NOT));
	assert_true(online_has(online, "a@x"));
	/* Whoever stands aside gets what is sent to his full address only. */
	assert_true(online_set(online, "a@x", two, ONLINE_ASIDE));
	assert_false(online_set(online, "a@x", two, ONLINE_ASIDE));
	assert_false(online_has(online, "a@x"));
	assert_true(online_has(online, "a@x/2"));
	assert_true(online_set(online, "a@x", two, ONLINE_HERE));
	assert_true(online_has(online, "a@x"));
	/* The account is gone with everything. */
	assert_true(online_set(online, "a@x", XYLEM_SPAN_NONE, ONLINE_NOT));
	assert_false(online_has(online, "a@x"));
	size_t seen = 0;
	for (size_t i = 0; i < 100; i++) {
		char resource[16];
		snprintf(resource, sizeof(resource), "%zu", i);
		seen += online_set(online, "many@x", xylem_span_of(resource), ONLINE_HERE);
	}
	assert_int_equal(seen, 64);
	online_clear(online);
	assert_false(online_has(online, "many@x"));
	assert_null(online_free(online));
	assert_null(online_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contacts_are_found_listed_and_bounded),
		cmocka_unit_test(resources_come_and_go),
		cmocka_unit_test(each_resource_of_one_person),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
