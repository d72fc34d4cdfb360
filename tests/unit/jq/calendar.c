/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar against the C library, over times of twenty millennia and every letter of strftime(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <time.h>

#include <jq/calendar.h>
#include <jq/jq.h>

static uint64_t state = 0x9e3779b97f4a7c15;

static int64_t some_time(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)(state % 600000000000) - 300000000000;
}

static struct tm library_time(int64_t seconds)
{
	time_t time = seconds;
	struct tm tm;
	assert_non_null(gmtime_r(&time, &tm));
	return tm;
}

static void days_and_seconds(void **unused)
{
	for (int i = 0; i < 200000; i++) {
		int64_t seconds = i < 1000 ? (int64_t)(i - 500) * 43199 : some_time();
		struct calendar time = calendar_of(seconds);
		struct tm tm = library_time(seconds);
		assert_int_equal(time.year, tm.tm_year + 1900);
		assert_int_equal(time.month, tm.tm_mon);
		assert_int_equal(time.day, tm.tm_mday);
		assert_int_equal(time.hour, tm.tm_hour);
		assert_int_equal(time.minute, tm.tm_min);
		assert_int_equal(time.second, tm.tm_sec);
		assert_int_equal(time.weekday, tm.tm_wday);
		assert_int_equal(time.yearday, tm.tm_yday);
		assert_int_equal(calendar_seconds(&time), seconds);
	}
}

static void parts_carry_over(void **unused)
{
	static const struct tm rows[] = {
		{ .tm_year = 115, .tm_mon = 14, .tm_mday = 35, .tm_hour = 25, .tm_min = 61, .tm_sec = 61 },
		{ .tm_year = 100, .tm_mon = -1, .tm_mday = 0, .tm_hour = -1, .tm_min = -1, .tm_sec = -1 },
		{ .tm_year = 124, .tm_mon = 1, .tm_mday = 30 },
		{ .tm_year = -1900, .tm_mon = 25, .tm_mday = -400 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tm tm = rows[i];
		struct calendar time = { .year = (int64_t)tm.tm_year + 1900,
			.month = tm.tm_mon,
			.day = tm.tm_mday,
			.hour = tm.tm_hour,
			.minute = tm.tm_min,
			.second = tm.tm_sec };
		assert_int_equal(calendar_seconds(&time), timegm(&tm));
	}
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t library_format(char *text, size_t room, const char *format, const struct tm *tm)
{
	return strftime(text, room, format, tm);
}
#pragma GCC diagnostic pop

/* A machine to make strings in; the program is nothing. */
static struct jq_machine *machine_new(struct jq_program **ret_program)
{
	static const struct jq_options options = { .file = "test" };
	struct xylem_reason reason;
	assert_int_equal(jq_program_new(XYLEM_SPAN_LITERAL("."), &options, ret_program, NULL, &reason), 0);
	struct jq_machine *machine = jq_machine_new(*ret_program);
	assert_non_null(machine);
	return machine;
}

static void formats(void **unused)
{
	static const char *const rows[] = { "%a %A %b %B %c %C %d %D %e %F %g %G %h %H %I %j %k %l %m %M",
		"%n%p %P %r %R %s %S %t %T %u %U %V %w %W %x %X %y %Y %z %%",
		"%-d %_m %05Y %^a %^B %#p %-j %_H %3S", "%Ey %Od %E %q %", "plain" };
	struct jq_program *program;
	struct jq_machine *machine = machine_new(&program);
	for (int i = 0; i < 20000; i++) {
		int64_t seconds = some_time() / (i % 2 ? 1 : 100);
		struct calendar time = calendar_of(seconds);
		struct tm tm = library_time(seconds);
		const char *format = rows[i % (sizeof(rows) / sizeof(rows[0]))];
		char text[512];
		size_t n = library_format(text, sizeof(text), format, &tm);
		if (time.year < 1000 || time.year > 9999) {
			continue; /* the library pads what has no place there in its own way */
		}
		jq_machine_begin(machine, 0);
		struct xylem_span mine = jq_string_bytes(
			machine, calendar_format(machine, &time, xylem_span_of(format)));
		if (mine.n != n || memcmp(mine.at, text, n) != 0) {
			print_error("%s of %lld: %.*s, not %s\n", format, (long long)seconds, (int)mine.n,
				mine.at, text);
			fail();
		}
	}
	jq_machine_free(machine);
	jq_program_free(program);
}

static void text_is_read(void **unused)
{
	static const char *const rows[][2] = { { "%Y-%m-%dT%H:%M:%SZ", "2015-03-05T23:51:47Z" },
		{ "%d/%m/%y %I:%M %p", "05/03/15 11:51 PM" }, { "%a, %d %B %Y", "Thu, 05 March 2015" },
		{ "%Y %j", "2024 060" }, { "%D %T", "03/05/15 23:51:47" }, { "%e.%b.%Y", " 5.mar.2015" },
		{ "%C%y-%m-%d", "2015-03-05" }, { "%F%%%R", "2015-03-05%23:51" },
		{ "%Y-%m-%d", "2015-3-5" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tm tm = { .tm_mday = 0 };
		struct calendar time;
		struct xylem_span rest;
		bool date_only = strcmp(rows[i][0], "%F%%%R") ==
				 0; /* glibc 2.36 reads %F only from 2.37 on */
		const char *end = date_only ? "" : strptime(rows[i][1], rows[i][0], &tm);
		assert_non_null(end);
		assert_true(
			calendar_parse(xylem_span_of(rows[i][1]), xylem_span_of(rows[i][0]), &time, &rest));
		assert_int_equal(rest.n, strlen(end));
		if (!date_only) {
			assert_int_equal(calendar_seconds(&time), timegm(&tm));
		}
		assert_int_equal(time.day, i == 3 ? 29 : 5);
	}
}

static void text_is_refused(void **unused)
{
	static const char *const rows[][2] = { { "%Y", "x" }, { "%m", "13" }, { "%d", "0" }, { "%H", "24" },
		{ "%a", "Xyz" }, { "%z", "0100" }, { "%z", "+2500" }, { "%Q", "1" }, { "%", "%" },
		{ "a%Y", "b2015" }, { "%I", "13" }, { "%p", "XM" }, { "%Y-", "2015" }, { "%j", "367" },
		{ "%s", "-1" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct calendar time;
		struct xylem_span rest;
		if (calendar_parse(xylem_span_of(rows[i][1]), xylem_span_of(rows[i][0]), &time, &rest)) {
			print_error("%s takes %s\n", rows[i][0], rows[i][1]);
			fail();
		}
	}
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	setlocale(LC_ALL, "C");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_seconds),
		cmocka_unit_test(parts_carry_over),
		cmocka_unit_test(formats),
		cmocka_unit_test(text_is_read),
		cmocka_unit_test(text_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
