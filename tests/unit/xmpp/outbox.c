/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: order, barriers, repeats after a reconnect, and the stanza that a server does not bear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xmpp/outbox.h>

static void nothing(void *context, const struct link_outcome *outcome)
{
}

static void add(struct outbox *outbox, const char *text, const char *id, void *context)
{
	const struct outbox_track track = { id, "a@b/c", nothing, context };
	assert_int_equal(outbox_add(outbox, xylem_span_of(text), id != NULL ? &track : NULL), 0);
}

/* Writes as a socket would that takes `at_once` bytes a call; the text written. */
static const char *drain(struct outbox *outbox, size_t at_once)
{
	static char text[4096];
	struct iovec pieces[3];
	size_t n, length = 0;

	while ((n = outbox_gather(outbox, pieces, 3)) > 0) {
		size_t taken = 0;
		for (size_t i = 0; i < n && taken < at_once; i++) {
			size_t some = pieces[i].iov_len < at_once - taken ? pieces[i].iov_len
									  : at_once - taken;
			memcpy(text + length, pieces[i].iov_base, some);
			length += some;
			taken += some;
		}
		outbox_written(outbox, taken);
	}
	text[length] = '\0';
	return text;
}

/* The contexts (one letter each) of what has settled, with '!' behind those that failed. */
static const char *settled(struct outbox *outbox)
{
	static char text[256];
	link_confirmed done;
	void *context;
	struct link_outcome outcome;
	size_t n = 0;

	while (outbox_settled(outbox, &done, &context, &outcome)) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", (const char *)context,
			outcome.error != 0 ? "!" : "");
	}
	text[n] = '\0';
	return text;
}

static void confirms_what_was_before_the_barrier(void **state)
{
	for (size_t at_once = 1; at_once < 20; at_once++) {
		struct outbox *outbox = outbox_new();
		assert_false(outbox_barrier_due(outbox));
		add(outbox, "<1/>", "1", "a");
		add(outbox, "<r/>", NULL, NULL);
		add(outbox, "<2/>", "2", "b");
		assert_true(outbox_barrier_due(outbox));
		assert_int_equal(outbox_barrier(outbox, XYLEM_SPAN_LITERAL("<p/>")), 0);
		assert_false(outbox_barrier_due(outbox));
		add(outbox, "<3/>", "3", "c");
		assert_int_equal(outbox_queued_bytes(outbox), 20);
		assert_string_equal(drain(outbox, at_once), "<1/><r/><2/><p/><3/>");
		assert_string_equal(settled(outbox), "");
		outbox_barrier_back(outbox);
		assert_string_equal(settled(outbox), "ab");
		assert_int_equal(outbox_unconfirmed(outbox), 1);
		assert_int_equal(outbox_queued_bytes(outbox), 0);
		outbox_free(outbox);
	}
}

/* Each covers what is behind the one before it; a new stream knows none of them. */
static void several_barriers_come_back_in_order(void **state)
{
	struct outbox *outbox = outbox_new();
	static char names[OUTBOX_BARRIERS][2];
	for (unsigned i = 0; i < OUTBOX_BARRIERS; i++) {
		names[i][0] = (char)('a' + i);
		assert_true(outbox_barrier_room(outbox));
		add(outbox, "<s/>", names[i], names[i]);
		assert_int_equal(outbox_barrier(outbox, XYLEM_SPAN_LITERAL("<p/>")), 0);
	}
	assert_false(outbox_barrier_room(outbox));
	drain(outbox, 1000);
	outbox_barrier_back(outbox);
	assert_string_equal(settled(outbox), "a");
	assert_true(outbox_barrier_room(outbox));
	outbox_barrier_back(outbox);
	outbox_barrier_back(outbox);
	assert_string_equal(settled(outbox), "bc");
	outbox_restart(outbox, NULL);
	assert_false(outbox_barrier_out(outbox));
	outbox_barrier_back(outbox); /* a late one is nobody's */
	assert_string_equal(settled(outbox), "");
	assert_int_equal(outbox_barrier(outbox, XYLEM_SPAN_LITERAL("<p/>")), 0);
	drain(outbox, 1000);
	outbox_barrier_back(outbox);
	assert_string_equal(settled(outbox), "defghijklmnop");
	outbox_free(outbox);
}

/* Long stanzas are followed by as many spaces as their longest tag. */
static void long_tags_are_followed_by_spaces(void **state)
{
	static char stanza[2000], expected[4000];
	struct outbox *outbox = outbox_new();
	memset(stanza, 'x', sizeof(stanza) - 1);
	memcpy(stanza, "<1 a='>", 7);
	memcpy(stanza + 1500, "'>", 2);
	memcpy(stanza + sizeof(stanza) - 5, "</1>", 4);
	snprintf(expected, sizeof(expected), "%s%1501s<2/>", stanza, "");
	add(outbox, stanza, "1", "a");
	add(outbox, "<2/>", "2", "b");
	assert_int_equal(outbox_queued_bytes(outbox), strlen(expected));
	assert_string_equal(drain(outbox, 700), expected);
	assert_true(outbox_refused(outbox, XYLEM_SPAN_LITERAL("1"), XYLEM_SPAN_LITERAL("a@b"),
		XYLEM_SPAN_NONE, XYLEM_SPAN_NONE, XYLEM_SPAN_NONE));
	outbox_free(outbox);
}

static void errors_find_their_stanza(void **state)
{
	struct outbox *outbox = outbox_new();
	struct xylem_span none = XYLEM_SPAN_NONE;
	add(outbox, "<1/>", "1", "a");
	add(outbox, "<2/>", "2", "b");
	assert_int_equal(outbox_barrier(outbox, XYLEM_SPAN_LITERAL("<p/>")), 0);
	drain(outbox, 100);
	/* By id and bare address: the error may come from the bare one for the full one. */
	assert_true(
		outbox_refused(outbox, XYLEM_SPAN_LITERAL("2"), XYLEM_SPAN_LITERAL("a@b"), none, none, none));
	assert_false(
		outbox_refused(outbox, XYLEM_SPAN_LITERAL("2"), XYLEM_SPAN_LITERAL("x@b"), none, none, none));
	assert_false(
		outbox_refused(outbox, XYLEM_SPAN_LITERAL("9"), XYLEM_SPAN_LITERAL("a@b"), none, none, none));
	outbox_barrier_back(outbox);
	assert_string_equal(settled(outbox), "ab!");
	outbox_free(outbox);
}

/* Servers write an address in lower case, whatever the configuration or an event had. */
static void errors_find_an_address_as_the_server_writes_it(void **state)
{
	struct outbox *outbox = outbox_new();
	struct xylem_span none = XYLEM_SPAN_NONE;
	const struct outbox_track track = { "1", "\xC3\x9Cn@B.Example/C", nothing, "a" };
	assert_int_equal(outbox_add(outbox, XYLEM_SPAN_LITERAL("<1/>"), &track), 0);
	assert_true(outbox_refused(outbox, XYLEM_SPAN_LITERAL("1"), XYLEM_SPAN_LITERAL("\xC3\xBCn@b.example"),
		none, none, none));
	assert_false(
		outbox_refused(outbox, XYLEM_SPAN_LITERAL("1"), XYLEM_SPAN_LITERAL("@"), none, none, none));
	outbox_free(outbox);
}

static void repeats_what_is_not_confirmed_in_order(void **state)
{
	struct outbox *outbox = outbox_new();
	struct iovec pieces[2];
	add(outbox, "<1/>", "1", "a");
	add(outbox, "<r/>", NULL, NULL);
	add(outbox, "<2/>", "2", "b");
	/* The first is out, the second half. */
	assert_int_equal(outbox_gather(outbox, pieces, 2), 2);
	outbox_written(outbox, 6);
	add(outbox, "<3/>", "3", "c");
	outbox_restart(outbox, NULL);
	assert_true(outbox_barrier_due(outbox));
	assert_string_equal(drain(outbox, 100), "<1/><2/><3/>");
	assert_int_equal(outbox_resent(outbox), 1);
	outbox_abandon(outbox, -XYLEM_E_STOPPING);
	assert_string_equal(settled(outbox), "a!b!c!");
	outbox_free(outbox);
}

/* A server that closes the stream at "<2/>": all others get through, and it alone fails. */
static void find_the_bad_one(const char *blame)
{
	struct outbox *outbox = outbox_new();
	char order[64] = "";

	add(outbox, "<1/>", "1", "a");
	add(outbox, "<2/>", "2", "b");
	add(outbox, "<3/>", "3", "c");
	for (int streams = 0; streams < 10 && outbox_unconfirmed(outbox) > 0; streams++) {
		bool dead = false;
		while (!dead && outbox_barrier_due(outbox)) {
			assert_int_equal(outbox_barrier(outbox, XYLEM_SPAN_LITERAL("<p/>")), 0);
			const char *sent = drain(outbox, 100);
			/* Once it is under suspicion, nothing travels beside it. */
			assert_true(streams < 2 || strlen(sent) <= strlen("<1/><p/>"));
			dead = strstr(sent, "<2/>") != NULL;
			if (!dead) {
				outbox_barrier_back(outbox);
			}
		}
		outbox_restart(outbox, dead ? blame : NULL);
		strcat(order, settled(outbox));
	}
	assert_string_equal(order, "ab!c");
	outbox_free(outbox);
}

static void finds_the_one_that_a_server_does_not_bear(void **state)
{
	find_the_bad_one("policy-violation");
}

static void finds_it_when_the_server_says_nothing(void **state)
{
	find_the_bad_one(NULL);
}

static void forgets_whom_it_is_told_to(void **state)
{
	struct outbox *outbox = outbox_new();
	struct iovec pieces[1];
	char *one = "a", *two = "b";
	add(outbox, "<1/>", "1", one);
	add(outbox, "<2/>", "2", two);
	add(outbox, "<3/>", "3", one);
	assert_int_equal(outbox_gather(outbox, pieces, 1), 1);
	outbox_written(outbox, 2);
	outbox_forget(outbox, one);
	/* What was begun is finished, what was not is not sent. */
	assert_string_equal(drain(outbox, 100), "/><2/>");
	assert_int_equal(outbox_barrier(outbox, XYLEM_SPAN_LITERAL("<p/>")), 0);
	drain(outbox, 100);
	outbox_barrier_back(outbox);
	outbox_forget(outbox, two);
	assert_string_equal(settled(outbox), "");
	assert_int_equal(outbox_held_bytes(outbox), 0);
	outbox_free(outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confirms_what_was_before_the_barrier),
		cmocka_unit_test(several_barriers_come_back_in_order),
		cmocka_unit_test(long_tags_are_followed_by_spaces),
		cmocka_unit_test(errors_find_their_stanza),
		cmocka_unit_test(errors_find_an_address_as_the_server_writes_it),
		cmocka_unit_test(repeats_what_is_not_confirmed_in_order),
		cmocka_unit_test(finds_the_one_that_a_server_does_not_bear),
		cmocka_unit_test(finds_it_when_the_server_says_nothing),
		cmocka_unit_test(forgets_whom_it_is_told_to),
	};
	outbox_free(NULL);
	return cmocka_run_group_tests_name("xmpp outbox", tests, NULL, NULL);
}
