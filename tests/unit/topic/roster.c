/* SPDX-License-Identifier: Apache-2.0 */
/* The subscribers of a topic: sorted, found, counted, replaced as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <topic/state.h>

static struct roster *with(struct roster *roster, const char *jid, const char *subid, bool pending)
{
	struct subscriber one = { .jid = jid, .pending = pending };
	snprintf(one.subid, sizeof(one.subid), "%s", subid);
	struct roster *next = roster_with(roster, &one);
	assert_non_null(next);
	roster_unref(roster);
	return next;
}

static struct roster *some(void)
{
	struct roster *roster = NULL;
	roster = with(roster, "bob@b/phone", "2", false);
	roster = with(roster, "bob@b", "1", false);
	roster = with(roster, "bob@b.org", "3", false);
	roster = with(roster, "bob@b", "0", true);
	roster = with(roster, "al@b", "9", false);
	return roster;
}

static void finds(void **state)
{
	struct roster *roster = some();
	size_t n;
	assert_int_equal(roster->n, 5);
	assert_int_equal(roster->active, 4);
	const struct subscriber *first = roster_find(roster, "bob@b", &n);
	assert_int_equal(n, 2);
	assert_string_equal(first[0].subid, "0");
	assert_string_equal(first[1].subid, "1");
	assert_null(roster_find(roster, "bob", &n));
	assert_int_equal(n, 0);
	assert_null(roster_find(NULL, "bob@b", &n));
	roster_unref(roster);
}

/* A bare address counts its resources, and nobody whose address begins the same. */
static void counts(void **state)
{
	struct roster *roster = some();
	size_t active;
	assert_int_equal(roster_count(roster, "bob@b", &active), 3);
	assert_int_equal(active, 2);
	assert_int_equal(roster_count(roster, "bob@b.org", &active), 1);
	assert_int_equal(roster_count(roster, "nobody@b", &active), 0);
	assert_int_equal(roster_count(NULL, "bob@b", &active), 0);
	roster_unref(roster);
}

static void replaces(void **state)
{
	struct roster *roster = with(some(), "bob@b", "0", false);
	struct roster *held = roster_ref(roster);
	size_t n;
	assert_int_equal(roster->n, 5);
	assert_int_equal(roster->active, 5);
	struct roster *less = roster_without(roster, "bob@b", "1");
	roster_unref(roster);
	assert_int_equal(less->n, 4);
	assert_int_equal(held->n, 5); /* whoever holds it sees what was */
	assert_string_equal(roster_find(less, "bob@b", &n)->subid, "0");
	assert_int_equal(n, 1);
	roster_unref(held);
	roster_unref(less);
	assert_null(roster_unref(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds), cmocka_unit_test(counts),
		cmocka_unit_test(replaces) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
