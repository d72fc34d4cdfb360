/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days and seconds: the arithmetic of the calendar, by numbers alone. Nothing
 * here asks the C library, whose functions depend on TZ and on the locale.
 *
 * Years begin in March within, so that the leap day is the last
 * (E. G. Richards, Mapping Time, 1998; the form is Howard Hinnant's
 * "chrono-Compatible Low-Level Date Algorithms").
 */
#include "jq/calendar.h"

enum { DAYS_OF_ERA = 146097, YEARS_OF_ERA = 400 };

static int64_t floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of the first day of a month; `month` 0 to 11. */
static int64_t month_begin(int64_t year, int month)
{
	year -= month < 2;
	int64_t era = floor_divide(year, YEARS_OF_ERA);
	int64_t year_of_era = year - era * YEARS_OF_ERA;
	int64_t day_of_year = (153 * (month + (month > 1 ? -2 : 10)) + 2) / 5;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * DAYS_OF_ERA + day_of_era - 719468;
}

int calendar_month_days(int64_t year, int month)
{
	int64_t next = month == 11 ? month_begin(year + 1, 0) : month_begin(year, month + 1);
	return (int)(next - month_begin(year, month));
}

int64_t calendar_seconds(const struct calendar *time)
{
	int64_t years = floor_divide(time->month, 12);
	int month = (int)(time->month - years * 12);
	int64_t days = month_begin(time->year + years, month) + time->day - 1;
	return days * 86400 + (int64_t)time->hour * 3600 + (int64_t)time->minute * 60 + time->second;
}

void calendar_days_set(struct calendar *time)
{
	int64_t day = floor_divide(calendar_seconds(time), 86400);
	time->weekday = (int)(day + 4 - floor_divide(day + 4, 7) * 7);
	time->yearday = (int)(day - month_begin(time->year, 0));
}

static void date_set(struct calendar *time, int64_t day)
{
	day += 719468;
	int64_t era = floor_divide(day, DAYS_OF_ERA);
	int64_t day_of_era = day - era * DAYS_OF_ERA;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
				      day_of_era / (DAYS_OF_ERA - 1)) /
			      365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int month = (int)((5 * day_of_year + 2) / 153);
	time->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	time->month = month < 10 ? month + 2 : month - 10;
	time->year = year_of_era + era * YEARS_OF_ERA + (time->month < 2);
}

struct calendar calendar_of(int64_t seconds)
{
	struct calendar time = { 0 };
	int64_t day = floor_divide(seconds, 86400);
	int of_day = (int)(seconds - day * 86400);
	date_set(&time, day);
	time.hour = of_day / 3600;
	time.minute = of_day / 60 % 60;
	time.second = of_day % 60;
	calendar_days_set(&time);
	return time;
}

const char *calendar_weekday_name(int weekday)
{
	static const char *const names[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
		"Saturday" };
	return weekday >= 0 && weekday < 7 ? names[weekday] : "?";
}

const char *calendar_month_name(int month)
{
	static const char *const names[] = { "January", "February", "March", "April", "May", "June", "July",
		"August", "September", "October", "November", "December" };
	return month >= 0 && month < 12 ? names[month] : "?";
}

const char *calendar_composite(char letter)
{
	switch (letter) {
	case 'c':
		return "%a %b %e %H:%M:%S %Y";
	case 'D':
	case 'x':
		return "%m/%d/%y";
	case 'F':
		return "%Y-%m-%d";
	case 'r':
		return "%I:%M:%S %p";
	case 'R':
		return "%H:%M";
	case 'T':
	case 'X':
		return "%H:%M:%S";
	default:
		return NULL;
	}
}
