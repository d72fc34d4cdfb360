/* SPDX-License-Identifier: Apache-2.0 */
/* What an XMPP address takes for a repeat, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <connectors/xmpp_repeats.h>

static struct xylem_message made(struct xylem_extension extensions[3], const char *from, const char *id,
	const char *kind, const char *data)
{
	size_t n = 0;
	extensions[n++] = (struct xylem_extension){ XYLEM_SPAN_LITERAL("xmppfrom"), xylem_span_of(from) };
	if (id != NULL) {
		extensions[n++] = (struct xylem_extension){ XYLEM_SPAN_LITERAL("xmppid"), xylem_span_of(id) };
	}
	if (kind != NULL) {
		extensions[n++] = (struct xylem_extension){ XYLEM_SPAN_LITERAL("xmppkind"),
			xylem_span_of(kind) };
	}
	return (struct xylem_message){ .id = XYLEM_SPAN_LITERAL("e"),
		.type = XYLEM_SPAN_LITERAL("t"),
		.data = xylem_span_of(data),
		.extensions = extensions,
		.extension_count = n };
}

static void names_tell_sender_id_and_content(void **state)
{
	static const struct {
		const char *from, *id, *data;
		bool same; /* as the first */
	} rows[] = {
		{ "a@example.com/one", "1", "x", true },
		{ "a@example.com/two", "1", "x", true },
		{ "A@Example.Com", "1", "x", true },
		{ "b@example.com/one", "1", "x", false },
		{ "a@example.com/one", "2", "x", false },
		{ "a@example.com/one", "1", "y", false },
		{ "a@example.com/one", "1x", "", false },
		{ "a@example.com/one", "1", "", false },
	};
	struct repeats_name first, name;
	struct xylem_extension extensions[3];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_message message = made(extensions, rows[i].from, rows[i].id, NULL, rows[i].data);
		assert_true(repeats_name(&message, &name));
		first = i == 0 ? name : first;
		assert_int_equal(memcmp(first.bytes, name.bytes, sizeof(name.bytes)) == 0, rows[i].same);
	}
	struct xylem_message nameless = made(extensions, "a@example.com", NULL, NULL, "x");
	assert_false(repeats_name(&nameless, &name));
	struct xylem_message room = made(extensions, "r@example.com/a", "1", "groupchat", "x");
	assert_false(repeats_name(&room, &name));
}

static struct repeats_name numbered(uint32_t number)
{
	struct repeats_name name = { { 0 } };
	memcpy(name.bytes, &number, sizeof(number));
	return name;
}

static void is_under_way_then_taken_or_forgotten(void **state)
{
	struct repeats *repeats = repeats_new();
	struct repeats_name one = numbered(1), two = numbered(1 + REPEATS_KEPT); /* of one bucket */

	assert_int_equal(repeats_see(repeats, &one), REPEATS_NEW);
	assert_int_equal(repeats_see(repeats, &two), REPEATS_NEW);
	assert_int_equal(repeats_see(repeats, &one), REPEATS_UNDER_WAY);
	repeats_settle(repeats, &one, true);
	assert_int_equal(repeats_see(repeats, &one), REPEATS_TAKEN);
	repeats_settle(repeats, &two, false);
	assert_int_equal(repeats_see(repeats, &two), REPEATS_NEW);
	assert_int_equal(repeats_see(repeats, &one), REPEATS_TAKEN);
	repeats_free(repeats);
	assert_null(repeats_free(NULL));
}

static void the_oldest_goes_first(void **state)
{
	struct repeats *repeats = repeats_new();

	for (uint32_t i = 0; i < REPEATS_KEPT + 10; i++) {
		struct repeats_name name = numbered(i);
		assert_int_equal(repeats_see(repeats, &name), REPEATS_NEW);
		repeats_settle(repeats, &name, true);
	}
	for (uint32_t i = 10; i < REPEATS_KEPT + 10; i++) {
		struct repeats_name name = numbered(i);
		assert_int_equal(repeats_see(repeats, &name), REPEATS_TAKEN);
	}
	struct repeats_name gone = numbered(9);
	assert_int_equal(repeats_see(repeats, &gone), REPEATS_NEW);
	repeats_free(repeats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_tell_sender_id_and_content),
		cmocka_unit_test(is_under_way_then_taken_or_forgotten),
		cmocka_unit_test(the_oldest_goes_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
