/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_CALENDAR_H
#define JQ_CALENDAR_H

#include <stdint.h>

#include "jq/value.h"

/* A time taken apart, as jq's lists have it: UTC, the proleptic Gregorian calendar, no leap seconds. */
struct calendar {
	int64_t year;
	int month; /* from 0 */
	int day;   /* from 1 */
	int hour, minute;
	int second;
	double fraction; /* of a second */
	int weekday;     /* 0: Sunday */
	int yearday;     /* from 0 */
};

/* Seconds since 1970; parts outside of their range carry over, as in timegm(). */
int64_t calendar_seconds(const struct calendar *time);
/* What `seconds` means; from -67768040609740800 to 67767976233532799 (years of 32 bits). */
struct calendar calendar_of(int64_t seconds);
/* Sets weekday and yearday from year, month and day. */
void calendar_days_set(struct calendar *time);
/* Days of a month (from 0) of a year. */
int calendar_month_days(int64_t year, int month);

/* English names, by number; "?" outside of the range. */
const char *calendar_weekday_name(int weekday);
const char *calendar_month_name(int month);

/* What a letter of a format stands for that is made of other letters ("%m/%d/%y" for D); NULL: it is none. */
const char *calendar_composite(char letter);

/* As strftime() in the locale C and UTC. NONE: a limit. */
struct jq_value calendar_format(
	struct jq_machine *machine, const struct calendar *time, struct xylem_span format);
/*
 * As strptime() in the locale C; an offset (%z) is taken off, so that the
 * result is UTC. *ret_rest: what of the text was not read. False: it does not match.
 */
bool calendar_parse(struct xylem_span text, struct xylem_span format, struct calendar *ret_time,
	struct xylem_span *ret_rest);

#endif
