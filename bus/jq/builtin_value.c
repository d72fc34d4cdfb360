/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builtins between values and their text: tojson, fromjson, tostring, tonumber,
 * format; and the list of builtins itself.
 */
#include <math.h>

#include "json/check.h"
#include "json/scan.h"

#include "jq/builtin.h"
#include "jq/evaluate.h"

#define FUNCTION(name)               \
	static struct jq_value name( \
		struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)

FUNCTION(tojson)
{
	return jq_value_tojson(machine, input);
}

FUNCTION(tostring)
{
	return jq_value_tostring(machine, input);
}

FUNCTION(fromjson)
{
	if (!jq_is_string(input)) {
		return jq_fail_type(machine, input, "only strings can be parsed");
	}
	struct xylem_span text = jq_string_bytes(machine, input), trimmed = xylem_json_trim(text);
	struct xylem_reason reason;
	if (trimmed.n == 0) {
		return jq_fail(machine, "Expected JSON value (while parsing '%.*s')",
			(int)(text.n > 100 ? 100 : text.n), text.at);
	}
	if (xylem_span_is(trimmed, "nan") || xylem_span_is(trimmed, "NaN")) {
		return jq_double(NAN);
	}
	if (json_check_within(trimmed, JQ_TEXT_DEPTH, NULL, &reason) < 0) {
		return jq_fail(machine, "%s (while parsing '%.*s')", reason.text,
			(int)(text.n > 100 ? 100 : text.n), text.at);
	}
	struct jq_value own = jq_string(machine, trimmed);
	return jq_is_none(own) || !jq_spend(machine, text.n / 32) ? jq_simple(JQ_NONE)
								  : jq_value_json(xylem_span(own.at, own.n));
}

static size_t digits(const char *at, const char *end)
{
	const char *from = at;
	while (at < end && scan_is_digit(*at)) {
		at++;
	}
	return (size_t)(at - from);
}

/* What jq takes for a number and JSON does not: `007`, `+1`, `.5`, `5.`. Written as JSON has it; NONE: it is none. */
static struct jq_value number_loose(struct jq_machine *machine, struct xylem_span text)
{
	const char *at = text.at, *end = at + text.n;
	bool minus = at < end && *at == '-';
	at += at < end && (*at == '-' || *at == '+');
	struct xylem_span whole = xylem_span(at, digits(at, end)), fraction = xylem_span(end, 0);
	at += whole.n;
	if (at < end && *at == '.') {
		fraction = xylem_span(at + 1, digits(at + 1, end));
		at = fraction.at + fraction.n;
	}
	for (; whole.n > 1 && *whole.at == '0'; whole.n--) {
		whole.at++;
	}
	if (whole.n + fraction.n == 0) {
		return jq_simple(JQ_NONE);
	}
	XYLEM_BUFFER_SCOPED json = { 0 };
	xylem_buffer_format(&json, "%s%.*s%s%.*s%.*s", minus ? "-" : "", whole.n ? (int)whole.n : 1,
		whole.n ? whole.at : "0", fraction.n ? "." : "", (int)fraction.n, fraction.at,
		(int)(end - at), at);
	struct xylem_span bytes = xylem_buffer_borrow(&json);
	struct jq_value own = xylem_json_check(bytes, NULL, NULL) == 0 ? jq_string(machine, bytes)
								       : jq_simple(JQ_NONE);
	return jq_is_none(own) ? own : jq_value_json(xylem_span(own.at, own.n));
}

FUNCTION(tonumber)
{
	if (jq_is_number(input)) {
		return jq_retain(input);
	}
	if (jq_is_string(input)) {
		struct xylem_span text = xylem_json_trim(jq_string_bytes(machine, input));
		if (xylem_json_type(text) == XYLEM_JSON_NUMBER && xylem_json_check(text, NULL, NULL) == 0) {
			struct jq_value own = jq_string(machine, text);
			return jq_is_none(own) ? own : jq_value_json(xylem_span(own.at, own.n));
		}
		struct jq_value loose = number_loose(machine, text);
		if (!jq_is_none(loose) || machine->limit) {
			return loose;
		}
		if (xylem_span_is(text, "nan")) {
			return jq_double(NAN);
		}
	}
	return jq_fail_type(machine, input, "cannot be parsed as a number");
}

FUNCTION(format)
{
	if (!jq_is_string(arguments[0])) {
		return jq_fail_type(machine, arguments[0], "is not a valid format");
	}
	struct xylem_span name = jq_string_bytes(machine, arguments[0]);
	jq_format *found = jq_format_find(name);
	return found ? found(machine, input)
		     : jq_fail(machine, "%.*s is not a valid format", (int)(name.n > 64 ? 64 : name.n),
			       name.at);
}

FUNCTION(builtins)
{
	return jq_builtin_names(machine);
}

const struct jq_builtin jq_builtin_value[] = {
	{ "builtins", 0, builtins },
	{ "format", 1, format },
	{ "fromjson", 0, fromjson },
	{ "tojson", 0, tojson },
	{ "tonumber", 0, tonumber },
	{ "tostring", 0, tostring },
	{ NULL, 0, NULL },
};
