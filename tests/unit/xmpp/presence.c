/* SPDX-License-Identifier: Apache-2.0 */
/* When contacts are told what an address shows: states at once, numbers once a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <xmpp/presence_body.h>

#define SECOND INT64_C(1000000)
#define START (INT64_C(5000) * SECOND)

static struct address shown(const char *words, const char *numbers)
{
	struct address address = { .show = SHOW_AVAILABLE };
	snprintf(address.words, sizeof(address.words), "%s", words);
	snprintf(address.numbers, sizeof(address.numbers), "%s", numbers);
	return address;
}

static void what_is_due_when(void **state)
{
	static const struct {
		const char *what;
		enum presence_show show;
		const char *words, *numbers;
		bool hidden;
		int64_t after_us;
		bool due;
	} rows[] = {
		{ "nothing", SHOW_AVAILABLE, "ok", "1 delivered", false, 3600 * SECOND, false },
		{ "numbers at once", SHOW_AVAILABLE, "ok", "2 delivered", false, 0, false },
		{ "numbers within the minute", SHOW_AVAILABLE, "ok", "2 delivered", false, 60 * SECOND - 1,
			false },
		{ "numbers after it", SHOW_AVAILABLE, "ok", "2 delivered", false, 60 * SECOND, true },
		{ "a state at once", SHOW_DND, "ok", "1 delivered", false, 0, true },
		{ "words at once", SHOW_AVAILABLE, "paused", "1 delivered", false, 1, true },
		{ "gone at once", SHOW_AVAILABLE, "ok", "1 delivered", true, 0, true },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = shown("ok", "1 delivered");
		assert_true(presence_due(&address, START)); /* never told */
		presence_told(&address, START);
		assert_false(presence_due(&address, START));
		address.show = rows[i].show;
		address.hidden = rows[i].hidden;
		snprintf(address.words, sizeof(address.words), "%s", rows[i].words);
		snprintf(address.numbers, sizeof(address.numbers), "%s", rows[i].numbers);
		if (presence_due(&address, START + rows[i].after_us) != rows[i].due) {
			fail_msg("%s", rows[i].what);
		}
	}
}

/* An hour of numbers that change every second: told once a minute, and with a state, after which the minute is a new one. */
static void an_hour_is_sixty_minutes(void **state)
{
	struct address address = shown("ok", "");
	int told = 0;
	int64_t last = START;
	presence_told(&address, START);
	for (int second = 1; second <= 3600; second++) {
		int64_t now = START + second * SECOND;
		bool changes = second == 1830; /* half a minute after the numbers were told */
		snprintf(address.numbers, sizeof(address.numbers), "%d delivered", second);
		address.show = second < 1830 ? SHOW_AVAILABLE : SHOW_DND;
		if (presence_due(&address, now)) {
			assert_true(changes || now - last >= 60 * SECOND);
			presence_told(&address, now);
			assert_string_equal(address.told_numbers, address.numbers);
			told++;
			last = now;
		}
		assert_true(!changes || last == now);
	}
	assert_int_equal(told, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_due_when),
		cmocka_unit_test(an_hour_is_sixty_minutes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
