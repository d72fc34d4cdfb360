/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A time from text, by strptime()'s letters in the locale C. White space in the
 * format stands for any white space; numbers may have some before them.
 *
 * What the C library leaves open is settled: %s is UTC, an offset (%z) is taken
 * off so that the result is UTC, and %Z passes over letters. Numbers of weeks
 * (%U %W %V %G %g) are read and have no effect.
 */
#include <strings.h>

#include "jq/calendar.h"

struct reading {
	const char *at, *end;
	struct calendar *time;
	int century, year_of_century; /* negative: not said */
	int hour12;                   /* negative: not said */
	int64_t offset;               /* seconds east */
	bool afternoon, date, weekday, yearday, month, day, offset_said;
};

static bool is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void white_skip(struct reading *reading)
{
	while (reading->at < reading->end && is_white(*reading->at)) {
		reading->at++;
	}
}

/* Up to `most` digits, the number within the bounds. */
static bool number_read(struct reading *reading, int64_t low, int64_t high, int most, int64_t *ret_number)
{
	int64_t number = 0;
	int digits = 0;
	white_skip(reading);
	for (; reading->at < reading->end && digits < most && *reading->at >= '0' && *reading->at <= '9';
		reading->at++, digits++) {
		number = number * 10 + (*reading->at - '0');
	}
	if (digits == 0 || number < low || number > high) {
		return false;
	}
	*ret_number = number;
	return true;
}

static bool int_read(struct reading *reading, int low, int high, int most, int *ret_number)
{
	int64_t number;
	if (!number_read(reading, low, high, most, &number)) {
		return false;
	}
	*ret_number = (int)number;
	return true;
}

static bool word_take(struct reading *reading, const char *word, size_t n)
{
	if ((size_t)(reading->end - reading->at) < n || strncasecmp(reading->at, word, n) != 0) {
		return false;
	}
	reading->at += n;
	return true;
}

/* A name, whole or its first three letters. */
static bool name_read(struct reading *reading, const char *(*name)(int), int count, int *ret_number)
{
	for (int i = 0; i < count; i++) {
		const char *word = name(i);
		if (word_take(reading, word, strlen(word)) || word_take(reading, word, 3)) {
			*ret_number = i;
			return true;
		}
	}
	return false;
}

/* `Z`, `+hh`, `+hhmm` or `+hh:mm`. */
static bool offset_read(struct reading *reading)
{
	int hours, minutes = 0;
	white_skip(reading);
	reading->offset_said = true;
	if (word_take(reading, "Z", 1)) {
		return true;
	}
	if (reading->at == reading->end || (*reading->at != '+' && *reading->at != '-')) {
		return false;
	}
	int sign = *reading->at++ == '-' ? -1 : 1;
	if (!int_read(reading, 0, 24, 2, &hours)) {
		return false;
	}
	word_take(reading, ":", 1);
	if (reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9' &&
		!int_read(reading, 0, 59, 2, &minutes)) {
		return false;
	}
	reading->offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool seconds_read(struct reading *reading)
{
	int64_t seconds;
	if (!number_read(reading, 0, 67767976233532799, 17, &seconds)) {
		return false;
	}
	*reading->time = calendar_of(seconds);
	return true;
}

/* --- Letters ---------------------------------------------------------------------- */

static bool year_read(struct reading *reading)
{
	reading->date = true;
	reading->century = -1;
	reading->year_of_century = -1;
	return number_read(reading, 0, 9999, 4, &reading->time->year);
}

static bool date_letter(struct reading *reading, char letter)
{
	struct calendar *time = reading->time;
	reading->date = true;
	switch (letter) {
	case 'b':
	case 'B':
	case 'h':
		reading->month = true;
		return name_read(reading, calendar_month_name, 12, &time->month);
	case 'm':
		reading->month = int_read(reading, 1, 12, 2, &time->month);
		time->month -= reading->month;
		return reading->month;
	case 'd':
	case 'e':
		reading->day = true;
		return int_read(reading, 1, 31, 2, &time->day);
	case 'j':
		reading->yearday = int_read(reading, 1, 366, 3, &time->yearday);
		time->yearday -= reading->yearday;
		return reading->yearday;
	case 'Y':
		return year_read(reading);
	case 'y':
		return int_read(reading, 0, 99, 2, &reading->year_of_century);
	default: /* 'C' */
		return int_read(reading, 0, 99, 2, &reading->century);
	}
}

static bool week_letter(struct reading *reading, char letter)
{
	int ignored;
	switch (letter) {
	case 'a':
	case 'A':
		reading->weekday = true;
		return name_read(reading, calendar_weekday_name, 7, &reading->time->weekday);
	case 'u':
		reading->weekday = int_read(reading, 1, 7, 1, &reading->time->weekday);
		reading->time->weekday %= 7;
		return reading->weekday;
	case 'w':
		reading->weekday = true;
		return int_read(reading, 0, 6, 1, &reading->time->weekday);
	case 'G':
		return int_read(reading, 0, 9999, 4, &ignored);
	case 'g':
		return int_read(reading, 0, 99, 2, &ignored);
	default: /* 'U', 'V', 'W' */
		return int_read(reading, 0, 53, 2, &ignored);
	}
}

static bool clock_letter(struct reading *reading, char letter)
{
	struct calendar *time = reading->time;
	switch (letter) {
	case 'H':
	case 'k':
		reading->hour12 = -1;
		return int_read(reading, 0, 23, 2, &time->hour);
	case 'I':
	case 'l':
		return int_read(reading, 1, 12, 2, &reading->hour12);
	case 'M':
		return int_read(reading, 0, 59, 2, &time->minute);
	case 'S':
		return int_read(reading, 0, 61, 2, &time->second);
	case 's':
		return seconds_read(reading);
	case 'p':
	case 'P':
		reading->afternoon = word_take(reading, "PM", 2);
		return reading->afternoon || word_take(reading, "AM", 2);
	case 'z':
		return offset_read(reading);
	default: /* 'Z' */
		while (reading->at < reading->end &&
			((*reading->at | 0x20) >= 'a' && (*reading->at | 0x20) <= 'z')) {
			reading->at++;
		}
		return true;
	}
}

static bool letter_read(struct reading *reading, char letter)
{
	if (!letter) {
		return false;
	}
	if (strchr("bBhmdejYyC", letter)) {
		return date_letter(reading, letter);
	}
	if (strchr("aAuwGgUVW", letter)) {
		return week_letter(reading, letter);
	}
	if (strchr("HkIlMSspPzZ", letter)) {
		return clock_letter(reading, letter);
	}
	if (letter == 'n' || letter == 't') {
		white_skip(reading);
		return true;
	}
	return letter == '%' && word_take(reading, "%", 1);
}

/* `inner`: one of our own composites, which has none within. */
static bool format_read(struct reading *reading, struct xylem_span format, bool inner)
{
	for (const char *at = format.at, *end = at + format.n; at < end; at++) {
		if (is_white(*at)) {
			white_skip(reading);
			continue;
		}
		if (*at != '%') {
			if (reading->at == reading->end || *reading->at != *at) {
				return false;
			}
			reading->at++;
			continue;
		}
		at++;
		if (end - at > 1 && (*at == 'E' || *at == 'O' || *at == '-' || *at == '_' || *at == '0')) {
			at++;
		}
		const char *letters = at < end && !inner ? calendar_composite(*at) : NULL;
		if (at == end || !(letters ? format_read(reading, xylem_span_of(letters), true)
					   : letter_read(reading, *at))) {
			return false;
		}
	}
	return true;
}

/* --- What the parts say together -------------------------------------------------- */

static void year_settle(struct reading *reading)
{
	int year = reading->year_of_century;
	if (year >= 0) {
		int century = reading->century >= 0 ? reading->century : year >= 69 ? 19 : 20;
		reading->time->year = century * 100 + year;
	} else if (reading->century >= 0) {
		reading->time->year = reading->century * 100;
	}
}

static void days_settle(struct reading *reading)
{
	struct calendar *time = reading->time;
	int weekday = time->weekday;
	if (reading->yearday && !(reading->month && reading->day)) {
		struct calendar first = { .year = time->year, .day = 1 };
		struct calendar date = calendar_of(calendar_seconds(&first) + (int64_t)time->yearday * 86400);
		time->month = date.month;
		time->day = date.day;
	}
	if (reading->date && time->day) {
		calendar_days_set(time);
		time->weekday = reading->weekday ? weekday : time->weekday;
	}
}

static void offset_settle(struct reading *reading)
{
	if (reading->offset) {
		*reading->time = calendar_of(calendar_seconds(reading->time) - reading->offset);
	}
}

bool calendar_parse(struct xylem_span text, struct xylem_span format, struct calendar *ret_time,
	struct xylem_span *ret_rest)
{
	struct calendar time = { .year = 1900 };
	struct reading reading = { .at = text.at,
		.end = text.at + text.n,
		.time = &time,
		.century = -1,
		.year_of_century = -1,
		.hour12 = -1 };
	if (!format_read(&reading, format, false)) {
		return false;
	}
	year_settle(&reading);
	if (reading.hour12 >= 0) {
		time.hour = reading.hour12 % 12 + (reading.afternoon ? 12 : 0);
	}
	days_settle(&reading);
	offset_settle(&reading);
	*ret_time = time;
	*ret_rest = xylem_span(reading.at, (size_t)(reading.end - reading.at));
	return true;
}
