/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A time as text, by strftime()'s letters: those of POSIX, and of the GNU
 * library `%k %l %P %s`, the flags `- _ 0 ^ #` and a width. Always in the
 * locale C, always UTC: %Z is UTC and %z +0000. A letter that is unknown
 * stands for itself.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "jq/calendar.h"

struct output {
	struct jq_machine *machine;
	struct jq_value value; /* NONE after the first failure */
	const struct calendar *time;
};

/* One conversion: what stands between `%` and its letter. */
struct conversion {
	char pad; /* 0: as the letter has it; '-': none */
	bool upper, swap;
	int width;
};

static void put(struct output *output, struct xylem_span bytes)
{
	if (!jq_is_none(output->value) && bytes.n) {
		output->value = jq_string_append(output->machine, output->value, bytes);
	}
}

/* Spaces or zeros before what is narrower than the width. */
static void put_padding(struct output *output, char pad, size_t n, int width)
{
	for (size_t i = n; width > 0 && i < (size_t)width; i++) {
		put(output, xylem_span(&pad, 1));
	}
}

static void put_text(
	struct output *output, const struct conversion *conversion, const char *text, size_t most)
{
	char bytes[64];
	size_t n = 0;
	for (; text[n] && n < most && n < sizeof(bytes); n++) {
		unsigned char c = (unsigned char)text[n];
		bytes[n] = (char)(conversion->upper ? toupper(c) : c);
	}
	put_padding(output, conversion->pad == '0' ? '0' : ' ', n, conversion->width);
	put(output, xylem_span(bytes, n));
}

static void put_number(
	struct output *output, const struct conversion *conversion, int64_t number, int width, char pad)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64,
		number < 0 ? (uint64_t)0 - (uint64_t)number : (uint64_t)number);
	pad = conversion->pad ? (conversion->pad == '_' ? ' ' : conversion->pad) : pad;
	width = conversion->width ? conversion->width : pad == '-' ? 0 : width;
	pad = pad == '-' ? '0' : pad;
	if (number < 0 && pad == '0') {
		put(output, xylem_span("-", 1));
	}
	put_padding(output, pad, (size_t)n + (number < 0), width);
	if (number < 0 && pad != '0') {
		put(output, xylem_span("-", 1));
	}
	put(output, xylem_span(digits, (size_t)n));
}

/* --- Weeks -------------------------------------------------------------------- */

static bool leap(int64_t year)
{
	return calendar_month_days(year, 1) == 29;
}

/* Days of the year from the Monday of its week 1 (ISO 8601: the week with the first Thursday) on. */
static int iso_days(int yearday, int weekday)
{
	int sunday_last = (weekday + 6) % 7;
	int first_monday = (yearday - sunday_last + 371) % 7;
	return yearday - (first_monday <= 3 ? first_monday : first_monday - 7);
}

static int iso_week(const struct calendar *time, int64_t *ret_year)
{
	int weekday = (time->weekday % 7 + 7) % 7;
	int days = iso_days(time->yearday, weekday);
	*ret_year = time->year;
	if (days < 0) {
		*ret_year = time->year - 1;
		days = iso_days(time->yearday + 365 + leap(time->year - 1), weekday);
	} else {
		int next = iso_days(time->yearday - 365 - leap(time->year), weekday);
		if (next >= 0) {
			*ret_year = time->year + 1;
			days = next;
		}
	}
	return days / 7 + 1;
}

static int64_t century_of(int64_t year)
{
	return year / 100 - (year % 100 < 0);
}

/* --- Letters -------------------------------------------------------------------- */

static bool put_name(struct output *output, struct conversion conversion, char letter)
{
	const struct calendar *time = output->time;
	bool afternoon = time->hour >= 12;
	switch (letter) {
	case 'a':
		put_text(output, &conversion, calendar_weekday_name(time->weekday), 3);
		return true;
	case 'A':
		put_text(output, &conversion, calendar_weekday_name(time->weekday), 16);
		return true;
	case 'b':
	case 'h':
		put_text(output, &conversion, calendar_month_name(time->month), 3);
		return true;
	case 'B':
		put_text(output, &conversion, calendar_month_name(time->month), 16);
		return true;
	case 'p':
		conversion.upper = false;
		put_text(output, &conversion,
			conversion.swap ? afternoon ? "pm" : "am"
			: afternoon     ? "PM"
					: "AM",
			2);
		return true;
	case 'P':
		put_text(output, &conversion, afternoon ? "pm" : "am", 2);
		return true;
	case 'z':
		put_text(output, &conversion, "+0000", 5);
		return true;
	case 'Z':
		put_text(output, &conversion, conversion.swap ? "utc" : "UTC", 3);
		return true;
	case 'n':
		put_text(output, &conversion, "\n", 1);
		return true;
	case 't':
		put_text(output, &conversion, "\t", 1);
		return true;
	case '%':
		put_text(output, &conversion, "%", 1);
		return true;
	default:
		return false;
	}
}

static bool put_date(struct output *output, const struct conversion *conversion, char letter)
{
	const struct calendar *time = output->time;
	switch (letter) {
	case 'C':
		put_number(output, conversion, century_of(time->year), 2, '0');
		return true;
	case 'd':
		put_number(output, conversion, time->day, 2, '0');
		return true;
	case 'e':
		put_number(output, conversion, time->day, 2, ' ');
		return true;
	case 'j':
		put_number(output, conversion, (int64_t)time->yearday + 1, 3, '0');
		return true;
	case 'm':
		put_number(output, conversion, (int64_t)time->month + 1, 2, '0');
		return true;
	case 'u':
		put_number(output, conversion, time->weekday == 0 ? 7 : time->weekday, 1, '0');
		return true;
	case 'w':
		put_number(output, conversion, time->weekday, 1, '0');
		return true;
	case 'y':
		put_number(output, conversion, time->year - century_of(time->year) * 100, 2, '0');
		return true;
	case 'Y':
		put_number(output, conversion, time->year, 1, '0');
		return true;
	default:
		return false;
	}
}

static bool put_week(struct output *output, const struct conversion *conversion, char letter)
{
	const struct calendar *time = output->time;
	int64_t year;
	int week = iso_week(time, &year);
	switch (letter) {
	case 'g':
		put_number(output, conversion, year - century_of(year) * 100, 2, '0');
		return true;
	case 'G':
		put_number(output, conversion, year, 1, '0');
		return true;
	case 'U':
		put_number(output, conversion, (time->yearday - time->weekday + 7) / 7, 2, '0');
		return true;
	case 'V':
		put_number(output, conversion, week, 2, '0');
		return true;
	case 'W':
		put_number(output, conversion, (time->yearday - (time->weekday + 6) % 7 + 7) / 7, 2, '0');
		return true;
	default:
		return false;
	}
}

static bool put_clock(struct output *output, const struct conversion *conversion, char letter)
{
	const struct calendar *time = output->time;
	int hour = time->hour % 12 ? time->hour % 12 : 12;
	switch (letter) {
	case 'H':
		put_number(output, conversion, time->hour, 2, '0');
		return true;
	case 'I':
		put_number(output, conversion, hour, 2, '0');
		return true;
	case 'k':
		put_number(output, conversion, time->hour, 2, ' ');
		return true;
	case 'l':
		put_number(output, conversion, hour, 2, ' ');
		return true;
	case 'M':
		put_number(output, conversion, time->minute, 2, '0');
		return true;
	case 's':
		put_number(output, conversion, calendar_seconds(time), 1, '0');
		return true;
	case 'S':
		put_number(output, conversion, time->second, 2, '0');
		return true;
	default:
		return false;
	}
}

static bool put_letter(struct output *output, struct conversion conversion, char letter)
{
	return put_name(output, conversion, letter) || put_date(output, &conversion, letter) ||
	       put_clock(output, &conversion, letter) || put_week(output, &conversion, letter);
}

/* `at` stands behind the `%`; the result on the letter, or on the end. */
static const char *conversion_read(const char *at, const char *end, struct conversion *ret_conversion)
{
	struct conversion conversion = { 0 };
	for (; at < end && strchr("-_0^#", *at) && *at; at++) {
		conversion.upper |= *at == '^';
		conversion.swap |= *at == '#';
		conversion.pad = *at == '^' || *at == '#' ? conversion.pad : *at;
	}
	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		conversion.width = conversion.width > 99 ? 999 : conversion.width * 10 + (*at - '0');
	}
	if (end - at > 1 && (*at == 'E' || *at == 'O') && isalpha((unsigned char)at[1])) {
		at++; /* another calendar or digits: the locale C has none */
	}
	*ret_conversion = conversion;
	return at;
}

/* A format without composites within composites: `inner` is one of ours. */
static void put_format(struct output *output, struct xylem_span format, bool inner)
{
	const char *at = format.at, *end = at + format.n;
	while (at < end && !jq_is_none(output->value) && jq_spend(output->machine, 1)) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		put(output, xylem_span(at, (size_t)((percent ? percent : end) - at)));
		if (!percent) {
			return;
		}
		struct conversion conversion;
		const char *letter = conversion_read(percent + 1, end, &conversion);
		const char *letters = letter < end && !inner ? calendar_composite(*letter) : NULL;
		at = letter < end ? letter + 1 : end;
		if (letters) {
			put_format(output, xylem_span_of(letters), true);
		} else if (letter == end || !put_letter(output, conversion, *letter)) {
			put(output, xylem_span(percent, (size_t)(at - percent)));
		}
	}
}

struct jq_value calendar_format(
	struct jq_machine *machine, const struct calendar *time, struct xylem_span format)
{
	struct output output = { machine, jq_string(machine, XYLEM_SPAN_LITERAL("")), time };
	put_format(&output, format, false);
	return output.value;
}
