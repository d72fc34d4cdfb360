/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: the wall clock for what people read, the monotonic one for waiting.
 * Test builds may shift the wall clock by XYLEM_CLOCK_OFFSET (microseconds).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xylem/error.h>

static int64_t now(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
#ifdef XYLEM_TEST_SEAMS
	const char *offset = getenv("XYLEM_CLOCK_OFFSET");
	return now(CLOCK_REALTIME) + (offset ? strtoll(offset, NULL, 10) : 0);
#else
	return now(CLOCK_REALTIME);
#endif
}

int64_t clock_mono_us(void)
{
	return now(CLOCK_MONOTONIC);
}

struct timespec clock_timespec(int64_t mono_us)
{
	if (mono_us < 0) {
		mono_us = 0;
	}
	return (struct timespec){ .tv_sec = (time_t)(mono_us / 1000000),
		.tv_nsec = (mono_us % 1000000) * 1000 };
}

const char *clock_format(int64_t wall_us, char text[CLOCK_TEXT_SIZE])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	int64_t rest = wall_us % 1000000;
	if (rest < 0) {
		rest += 1000000;
		seconds--;
	}
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099) {
		memcpy(text, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_SIZE);
		return text;
	}
	char wide[80];
	snprintf(wide, sizeof(wide), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(rest / 1000));
	memcpy(text, wide, CLOCK_TEXT_SIZE - 1);
	text[CLOCK_TEXT_SIZE - 1] = '\0';
	return text;
}

/* Reads `n` digits at *at; -1 when they are not digits. */
static int digits(const char **at, const char *end, int n)
{
	int value = 0;
	for (int i = 0; i < n; i++, (*at)++) {
		if (*at >= end || **at < '0' || **at > '9') {
			return -1;
		}
		value = value * 10 + (**at - '0');
	}
	return value;
}

static bool skip(const char **at, const char *end, const char *any)
{
	if (*at < end && **at && strchr(any, **at)) {
		(*at)++;
		return true;
	}
	return false;
}

static bool date_read(const char **at, const char *end, struct tm *tm)
{
	tm->tm_year = digits(at, end, 4) - 1900;
	bool ok = tm->tm_year >= -1900 && skip(at, end, "-");
	tm->tm_mon = digits(at, end, 2) - 1;
	ok = ok && tm->tm_mon >= 0 && tm->tm_mon < 12 && skip(at, end, "-");
	tm->tm_mday = digits(at, end, 2);
	if (!ok || tm->tm_mday < 1) {
		return false;
	}
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = tm->tm_year + 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return tm->tm_mday <= lengths[tm->tm_mon] + (leap && tm->tm_mon == 1);
}

static bool time_read(const char **at, const char *end, struct tm *tm, int64_t *ret_fraction_us)
{
	tm->tm_hour = digits(at, end, 2);
	bool ok = tm->tm_hour >= 0 && tm->tm_hour < 24 && skip(at, end, ":");
	tm->tm_min = digits(at, end, 2);
	ok = ok && tm->tm_min >= 0 && tm->tm_min < 60 && skip(at, end, ":");
	tm->tm_sec = digits(at, end, 2);
	if (!ok || tm->tm_sec < 0 || tm->tm_sec > 60) {
		return false;
	}
	*ret_fraction_us = 0;
	if (skip(at, end, ".")) {
		int64_t unit = 100000;
		const char *first = *at;
		for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, unit /= 10) {
			*ret_fraction_us += unit * (**at - '0');
		}
		return *at > first;
	}
	return true;
}

static bool zone_read(const char **at, const char *end, int *ret_minutes)
{
	if (skip(at, end, "Zz")) {
		*ret_minutes = 0;
		return true;
	}
	int sign = skip(at, end, "+") ? 1 : skip(at, end, "-") ? -1 : 0;
	int hours = digits(at, end, 2);
	bool ok = sign != 0 && hours >= 0 && hours < 24 && skip(at, end, ":");
	int minutes = digits(at, end, 2);
	*ret_minutes = sign * (hours * 60 + minutes);
	return ok && minutes >= 0 && minutes < 60;
}

int clock_parse(const char *text, size_t n, int64_t *ret_wall_us)
{
	const char *at = text, *end = text + n;
	struct tm tm = { 0 };
	int64_t fraction = 0;
	int zone = 0;
	if (!date_read(&at, end, &tm) || !skip(&at, end, "Tt ") || !time_read(&at, end, &tm, &fraction) ||
		!zone_read(&at, end, &zone) || at != end) {
		return -XYLEM_E_INVALID;
	}
	*ret_wall_us = ((int64_t)timegm(&tm) - (int64_t)zone * 60) * 1000000 + fraction;
	return 0;
}
