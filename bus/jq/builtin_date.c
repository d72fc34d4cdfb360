/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates: seconds since 1970, lists of year, month and so on, and text. All of
 * it is UTC and English, whatever TZ and the locale say: the same message
 * gives the same result on every machine.
 */
#include <math.h>

#include "jq/builtin.h"
#include "jq/calendar.h"

#define ISO_8601 XYLEM_SPAN_LITERAL("%Y-%m-%dT%H:%M:%SZ")
#define SECONDS_MOST 67767976233532799.0 /* the year 2^31 + 1900, as gmtime() has it */

static struct jq_value second_value(const struct calendar *time)
{
	return time->fraction > 0 ? jq_double(time->second + time->fraction) : jq_int(time->second);
}

static struct jq_value list_of(struct jq_machine *machine, const struct calendar *time)
{
	const struct jq_value parts[] = { jq_int(time->year), jq_int(time->month), jq_int(time->day),
		jq_int(time->hour), jq_int(time->minute), second_value(time), jq_int(time->weekday),
		jq_int(time->yearday) };
	struct jq_value list = jq_array(machine, 9);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !jq_is_none(list); i++) {
		list = jq_array_push(machine, list, parts[i]);
	}
	return list;
}

/* False: beyond what a calendar has. */
static bool time_of_number(struct jq_value number, struct calendar *ret_time)
{
	double seconds = jq_number_double(number), whole = floor(seconds);
	if (!(fabs(seconds) <= SECONDS_MOST)) {
		return false;
	}
	*ret_time = calendar_of((int64_t)whole);
	ret_time->fraction = seconds - whole;
	return true;
}

/* One part of a list, without its fraction. */
static bool part_read(struct jq_machine *machine, struct jq_value list, size_t index, int *ret_part)
{
	struct jq_value part = jq_array_item(machine, list, index);
	double number = jq_is_number(part) ? trunc(jq_number_double(part)) : NAN;
	if (!(fabs(number) < 1e9)) {
		return false;
	}
	*ret_part = (int)number;
	return true;
}

/* Six parts, or eight with the days of week and year. */
static bool time_of_list(struct jq_machine *machine, struct jq_value list, struct calendar *ret_time)
{
	struct calendar time = { 0 };
	int year;
	if (!part_read(machine, list, 0, &year) || !part_read(machine, list, 1, &time.month) ||
		!part_read(machine, list, 2, &time.day) || !part_read(machine, list, 3, &time.hour) ||
		!part_read(machine, list, 4, &time.minute) || !part_read(machine, list, 5, &time.second)) {
		return false;
	}
	time.year = year;
	if (jq_count(machine, list) < 8) {
		calendar_days_set(&time);
	} else if (!part_read(machine, list, 6, &time.weekday) ||
		   !part_read(machine, list, 7, &time.yearday)) {
		return false;
	}
	*ret_time = time;
	return true;
}

static struct jq_value no_such_time(struct jq_machine *machine)
{
	return jq_fail(machine, "error converting number of seconds since epoch to datetime");
}

/* --- Numbers and lists --------------------------------------------------------- */

static struct jq_value gmtime_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct calendar time;
	(void)arguments;
	if (!jq_is_number(input)) {
		return jq_fail(machine, "gmtime() requires numeric inputs");
	}
	return time_of_number(input, &time) ? list_of(machine, &time) : no_such_time(machine);
}

static struct jq_value mktime_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct calendar time;
	(void)arguments;
	if (!jq_is_array(input)) {
		return jq_fail(machine, "mktime requires array inputs");
	}
	if (!time_of_list(machine, input, &time)) {
		return jq_fail(machine, "mktime requires parsed datetime inputs");
	}
	return jq_int(calendar_seconds(&time));
}

static struct jq_value now_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)input, (void)arguments;
	return jq_double((double)jq_now_us(machine) / 1e6);
}

/* --- Text ------------------------------------------------------------------------ */

static struct jq_value time_format(
	struct jq_machine *machine, struct jq_value input, struct xylem_span format)
{
	struct calendar time;
	if (jq_is_number(input)) {
		return time_of_number(input, &time) ? calendar_format(machine, &time, format)
						    : no_such_time(machine);
	}
	if (!jq_is_array(input) || !time_of_list(machine, input, &time)) {
		return jq_fail(machine, "strftime/1 requires parsed datetime inputs");
	}
	return calendar_format(machine, &time, format);
}

static struct jq_value strftime_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	if (!jq_is_string(arguments[0])) {
		return jq_fail(machine, "strftime/1 requires a string format");
	}
	return time_format(machine, input, jq_string_bytes(machine, arguments[0]));
}

static struct jq_value todate_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	return time_format(machine, input, ISO_8601);
}

static bool white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* False: an error was raised. *ret_rest: what of the text stands behind. */
static bool time_parse(struct jq_machine *machine, struct jq_value input, struct xylem_span format,
	struct calendar *ret_time, struct xylem_span *ret_rest)
{
	struct xylem_span text = jq_string_bytes(machine, input);
	text.at = text.at ? text.at : "";
	if (jq_spend(machine, (text.n + format.n) / 16) && calendar_parse(text, format, ret_time, ret_rest) &&
		(ret_rest->n == 0 || white(*ret_rest->at))) {
		return true;
	}
	jq_fail(machine, "date \"%.*s\" does not match format \"%.*s\"", (int)(text.n > 150 ? 150 : text.n),
		text.at, (int)(format.n > 150 ? 150 : format.n), format.at);
	return false;
}

static struct jq_value strptime_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct calendar time;
	struct xylem_span rest;
	if (!jq_is_string(input) || !jq_is_string(arguments[0])) {
		return jq_fail(machine, "strptime/1 requires string inputs and arguments");
	}
	if (!time_parse(machine, input, jq_string_bytes(machine, arguments[0]), &time, &rest)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value list = list_of(machine, &time);
	if (rest.n == 0 || jq_is_none(list)) {
		return list;
	}
	struct jq_value behind = jq_string(machine, rest);
	return jq_is_none(behind) ? behind : jq_array_push(machine, list, behind);
}

static struct jq_value fromdate_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct calendar time;
	struct xylem_span rest;
	(void)arguments;
	if (!jq_is_string(input)) {
		return jq_fail(machine, "strptime/1 requires string inputs and arguments");
	}
	return time_parse(machine, input, ISO_8601, &time, &rest) ? jq_int(calendar_seconds(&time))
								  : jq_simple(JQ_NONE);
}

const struct jq_builtin jq_builtin_date[] = {
	{ "fromdate", 0, fromdate_0 },
	{ "fromdateiso8601", 0, fromdate_0 },
	{ "gmtime", 0, gmtime_0 },
	{ "mktime", 0, mktime_0 },
	{ "now", 0, now_0 },
	{ "strftime", 1, strftime_1 },
	{ "strptime", 1, strptime_1 },
	{ "todate", 0, todate_0 },
	{ "todateiso8601", 0, todate_0 },
	{ .name = NULL },
};
