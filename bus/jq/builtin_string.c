/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings: what they begin and end with, taking them apart, putting them
 * together, finding one in another. Positions are code points, never bytes.
 */
#include "jq/builtin.h"
#include "json/utf8.h"

static struct xylem_span bytes_of(struct jq_machine *machine, struct jq_value string)
{
	return jq_string_bytes(machine, string);
}

static bool begins(struct xylem_span text, struct xylem_span with)
{
	return text.n >= with.n && (with.n == 0 || memcmp(text.at, with.at, with.n) == 0);
}

static bool ends(struct xylem_span text, struct xylem_span with)
{
	return text.n >= with.n && (with.n == 0 || memcmp(text.at + text.n - with.n, with.at, with.n) == 0);
}

/* --- Beginning and end ------------------------------------------------------- */

static struct jq_value startswith_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	if (!jq_is_string(input) || !jq_is_string(arguments[0])) {
		return jq_fail(machine, "startswith() requires string inputs");
	}
	return jq_bool(begins(bytes_of(machine, input), bytes_of(machine, arguments[0])));
}

static struct jq_value endswith_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	if (!jq_is_string(input) || !jq_is_string(arguments[0])) {
		return jq_fail(machine, "endswith() requires string inputs");
	}
	return jq_bool(ends(bytes_of(machine, input), bytes_of(machine, arguments[0])));
}

static struct jq_value ltrimstr_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	if (!jq_is_string(input) || !jq_is_string(arguments[0])) {
		return jq_retain(input);
	}
	struct xylem_span text = bytes_of(machine, input), part = bytes_of(machine, arguments[0]);
	return part.n && begins(text, part)
		       ? jq_string(machine, xylem_span(text.at + part.n, text.n - part.n))
		       : jq_retain(input);
}

static struct jq_value rtrimstr_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	if (!jq_is_string(input) || !jq_is_string(arguments[0])) {
		return jq_retain(input);
	}
	struct xylem_span text = bytes_of(machine, input), part = bytes_of(machine, arguments[0]);
	return part.n && ends(text, part) ? jq_string(machine, xylem_span(text.at, text.n - part.n))
					  : jq_retain(input);
}

/* The property White_Space of Unicode. */
static bool white(uint32_t point)
{
	return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85 || point == 0xa0 ||
	       point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
	       point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

/* Bytes of white space at the start, and at the end. */
static size_t white_before(struct xylem_span text)
{
	const char *at = text.at, *end = at + text.n;
	uint32_t point;
	for (size_t n; (n = utf8_next(at, end, &point)) && white(point);) {
		at += n;
	}
	return (size_t)(at - text.at);
}

static size_t white_behind(struct xylem_span text)
{
	const char *at = text.at + text.n, *end = at;
	while (at > text.at) {
		const char *last = at - 1;
		while (last > text.at && ((unsigned char)*last & 0xc0) == 0x80) {
			last--;
		}
		uint32_t point;
		if (!utf8_next(last, at, &point) || !white(point)) {
			break;
		}
		at = last;
	}
	return (size_t)(end - at);
}

static struct jq_value trim(struct jq_machine *machine, struct jq_value input, bool left, bool right)
{
	if (!jq_is_string(input)) {
		return jq_fail_type(machine, input, "cannot be trimmed");
	}
	struct xylem_span text = bytes_of(machine, input);
	size_t from = left ? white_before(text) : 0;
	size_t behind = right && from < text.n ? white_behind(text) : 0;
	return from + behind == 0 ? jq_retain(input)
				  : jq_string(machine, xylem_span(text.at + from, text.n - from - behind));
}

static struct jq_value trim_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	return trim(machine, input, true, true);
}

static struct jq_value ltrim_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	return trim(machine, input, true, false);
}

static struct jq_value rtrim_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	return trim(machine, input, false, true);
}

/* --- Letters and code points --------------------------------------------------- */

/* Adds `shift` to what lies from `first` to `last`. */
static struct jq_value letters_shift(
	struct jq_machine *machine, struct jq_value input, char first, char last, int shift)
{
	char *to = NULL;
	if (!jq_is_string(input)) {
		return jq_fail(machine, "explode input must be a string");
	}
	struct xylem_span text = bytes_of(machine, input);
	struct jq_value result = jq_string_room(machine, text.n, &to);
	if (jq_is_none(result) || !jq_spend(machine, text.n / 64)) {
		return jq_simple(JQ_NONE);
	}
	for (size_t i = 0; i < text.n; i++) {
		char c = text.at[i];
		to[i] = c >= first && c <= last ? (char)(c + shift) : c;
	}
	return result;
}

static struct jq_value ascii_downcase_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	return letters_shift(machine, input, 'A', 'Z', 'a' - 'A');
}

static struct jq_value ascii_upcase_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	return letters_shift(machine, input, 'a', 'z', 'A' - 'a');
}

static struct jq_value explode_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	if (!jq_is_string(input)) {
		return jq_fail(machine, "explode input must be a string");
	}
	struct xylem_span text = bytes_of(machine, input);
	struct jq_value points = jq_array(machine, utf8_count(text));
	if (!jq_spend(machine, text.n / 8)) {
		return jq_simple(JQ_NONE);
	}
	for (const char *at = text.at, *end = at + text.n; at < end && !jq_is_none(points);) {
		uint32_t point = 0xfffd;
		size_t n = utf8_next(at, end, &point);
		points = jq_array_push(machine, points, jq_int(point));
		at += n ? n : 1;
	}
	return points;
}

/* The code point that a number stands for: what is none is U+FFFD. */
static uint32_t point_of(double number)
{
	bool point = number > -1 && number < 0x110000;
	uint32_t whole = point && number > 0 ? (uint32_t)number : 0;
	return !point || (whole >= 0xd800 && whole < 0xe000) ? 0xfffd : whole;
}

static struct jq_value implode_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct jq_value text = jq_string(machine, XYLEM_SPAN_LITERAL(""));
	(void)arguments;
	if (!jq_is_array(input)) {
		return jq_fail(machine, "implode input must be an array");
	}
	struct jq_walk walk = jq_walk_over(machine, input);
	while (!jq_is_none(text) && jq_walk_next(&walk)) {
		char bytes[4];
		double number = jq_is_number(walk.value) ? jq_number_double(walk.value) : 0;
		if (!jq_is_number(walk.value) || number != number) {
			return jq_fail_type(machine, walk.value,
				"can't be imploded, unicode codepoint needs to be numeric");
		}
		if (!jq_spend(machine, 1)) {
			return jq_simple(JQ_NONE);
		}
		text = jq_string_append(
			machine, text, xylem_span(bytes, utf8_write(bytes, point_of(number))));
	}
	return text;
}

static struct jq_value utf8bytelength_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)arguments;
	if (!jq_is_string(input)) {
		return jq_fail_type(machine, input, "only strings have UTF-8 byte length");
	}
	return jq_int((int64_t)bytes_of(machine, input).n);
}

/* --- Taking apart and putting together --------------------------------------------- */

/* Every code point by itself. */
static struct jq_value split_points(struct jq_machine *machine, struct xylem_span text)
{
	struct jq_value parts = jq_array(machine, utf8_count(text));
	for (const char *at = text.at, *end = at + text.n; at < end && !jq_is_none(parts);) {
		uint32_t point;
		size_t n = utf8_next(at, end, &point);
		n = n ? n : 1;
		struct jq_value part = jq_string(machine, xylem_span(at, n));
		parts = jq_is_none(part) ? part : jq_array_push(machine, parts, part);
		at += n;
	}
	return parts;
}

static struct jq_value split_at(
	struct jq_machine *machine, struct xylem_span text, struct xylem_span separator)
{
	struct jq_value parts = jq_array(machine, 4);
	const char *at = text.at, *end = at + text.n;
	for (bool more = true; more && !jq_is_none(parts);) {
		const char *found = memmem(at, (size_t)(end - at), separator.at, separator.n);
		struct jq_value part = jq_string(
			machine, xylem_span(at, (size_t)((found ? found : end) - at)));
		if (jq_is_none(part) || !jq_spend(machine, 1 + part.n / 64)) {
			return jq_simple(JQ_NONE);
		}
		parts = jq_array_push(machine, parts, part);
		more = found != NULL;
		at = found ? found + separator.n : end;
	}
	return parts;
}

/* Also what `/` does with two strings. */
static struct jq_value split_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	if (!jq_is_string(input) || !jq_is_string(arguments[0])) {
		return jq_fail(machine, "split input and separator must be strings");
	}
	struct xylem_span text = bytes_of(machine, input), separator = bytes_of(machine, arguments[0]);
	if (text.n == 0) {
		return jq_array(machine, 0);
	}
	if (separator.n == 0) {
		return jq_spend(machine, text.n) ? split_points(machine, text) : jq_simple(JQ_NONE);
	}
	return split_at(machine, text, separator);
}

/* One more element behind `text`; consumes `text`. */
static struct jq_value join_item(struct jq_machine *machine, struct jq_value text, struct jq_value item)
{
	switch (jq_type(item)) {
	case XYLEM_JSON_NULL:
		return text;
	case XYLEM_JSON_STRING:
		return jq_string_append(machine, text, bytes_of(machine, item));
	case XYLEM_JSON_FALSE:
	case XYLEM_JSON_TRUE:
	case XYLEM_JSON_NUMBER: {
		struct jq_value string = jq_value_tostring(machine, item);
		if (jq_is_none(string)) {
			return string;
		}
		text = jq_string_append(machine, text, bytes_of(machine, string));
		jq_release(machine, string);
		return text;
	}
	default:
		return jq_fail_types(machine, text, item, "cannot be added");
	}
}

/* As iterating over it would say. */
static struct jq_value not_iterable(struct jq_machine *machine, struct jq_value value)
{
	struct jq_value text = jq_value_tojson(machine, value);
	if (jq_is_none(text)) {
		return text;
	}
	struct xylem_span bytes = bytes_of(machine, text);
	bool cut = bytes.n > 14;
	return jq_fail(machine, "Cannot iterate over %s (%.*s%s)", jq_type_name(value),
		cut ? 11 : (int)bytes.n, bytes.at, cut ? "..." : "");
}

static struct jq_value join_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct jq_value separator = arguments[0];
	bool null = separator.kind == JQ_NULL, first = true;
	if (!jq_is_array(input) && !jq_is_object(input)) {
		return not_iterable(machine, input);
	}
	struct jq_value text = jq_string(machine, XYLEM_SPAN_LITERAL(""));
	struct jq_walk walk = jq_walk_over(machine, input);
	while (!jq_is_none(text) && jq_walk_next(&walk)) {
		if (!jq_spend(machine, 1)) {
			return jq_simple(JQ_NONE);
		}
		if (!first && !null) {
			text = jq_is_string(separator)
				       ? jq_string_append(machine, text, bytes_of(machine, separator))
				       : jq_fail_types(machine, text, separator, "cannot be added");
		}
		first = false;
		if (!jq_is_none(text)) {
			text = join_item(machine, text, walk.value);
		}
	}
	return text;
}

/* --- Finding --------------------------------------------------------------------------- */

/* Counts code points as it goes: positions must not go back. */
struct counter {
	const char *at;
	int64_t points;
};

static struct jq_value position(struct counter *counter, const char *found)
{
	counter->points += (int64_t)utf8_count(xylem_span(counter->at, (size_t)(found - counter->at)));
	counter->at = found;
	return jq_int(counter->points);
}

/* All positions, those that overlap too. */
static struct jq_value strindices_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct xylem_span text = bytes_of(machine, input), part = bytes_of(machine, arguments[0]);
	struct jq_value found = jq_array(machine, 4);
	struct counter counter = { text.at, 0 };
	const char *at = text.at, *end = at + text.n;
	while (part.n && !jq_is_none(found) && (at = memmem(at, (size_t)(end - at), part.at, part.n))) {
		if (!jq_spend(machine, 1 + part.n / 64)) {
			return jq_simple(JQ_NONE);
		}
		found = jq_array_push(machine, found, position(&counter, at));
		at++;
	}
	return found;
}

static struct jq_value strindex_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct xylem_span text = bytes_of(machine, input), part = bytes_of(machine, arguments[0]);
	struct counter counter = { text.at, 0 };
	const char *at = part.n ? memmem(text.at, text.n, part.at, part.n) : NULL;
	return at && jq_spend(machine, 1 + text.n / 64) ? position(&counter, at) : jq_simple(JQ_NULL);
}

static struct jq_value strrindex_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct xylem_span text = bytes_of(machine, input), part = bytes_of(machine, arguments[0]);
	struct counter counter = { text.at, 0 };
	if (!jq_spend(machine, 1 + text.n / 16)) {
		return jq_simple(JQ_NONE);
	}
	for (size_t at = text.n - part.n; part.n && part.n <= text.n; at--) {
		if (memcmp(text.at + at, part.at, part.n) == 0) {
			return position(&counter, text.at + at);
		}
		if (at == 0) {
			break;
		}
		/* A comparison may go far into a long part. */
		if (text.at[at] == part.at[0] && !jq_spend(machine, part.n / 64)) {
			return jq_simple(JQ_NONE);
		}
	}
	return jq_simple(JQ_NULL);
}

/* --- The tables ------------------------------------------------------------------------ */

const struct jq_builtin jq_builtin_string[] = {
	{ "_strindex", 1, strindex_1 },
	{ "_strindices", 1, strindices_1 },
	{ "_strrindex", 1, strrindex_1 },
	{ "ascii_downcase", 0, ascii_downcase_0 },
	{ "ascii_upcase", 0, ascii_upcase_0 },
	{ "endswith", 1, endswith_1 },
	{ "explode", 0, explode_0 },
	{ "implode", 0, implode_0 },
	{ "join", 1, join_1 },
	{ "ltrim", 0, ltrim_0 },
	{ "ltrimstr", 1, ltrimstr_1 },
	{ "rtrim", 0, rtrim_0 },
	{ "rtrimstr", 1, rtrimstr_1 },
	{ "split", 1, split_1 },
	{ "startswith", 1, startswith_1 },
	{ "trim", 0, trim_0 },
	{ "utf8bytelength", 0, utf8bytelength_0 },
	{ .name = NULL },
};

/* What has several outputs, or takes an expression: written in the language, over the functions above. */
const struct jq_definition jq_library_string[] = {
	{ "ascii", 0, "def ascii: [.] | implode;" },
	{ "capture", 1, "def capture(re): _capture(re) | .[];" },
	{ "capture", 2, "def capture(re; flags): _capture(re; flags) | .[];" },
	{ "date", 0, "def date: todate;" },
	{ "dateadd", 2, "def dateadd(unit; $n): . + $n;" },
	{ "datesub", 2, "def datesub(unit; $n): . - $n;" },
	{ "gsub", 2, "def gsub($re; str): sub($re; str; \"g\");" },
	{ "gsub", 3, "def gsub($re; str; $flags): sub($re; str; $flags + \"g\");" },
	{ "index", 1,
		"def index($i): if type == \"string\" and ($i | type) == \"string\" then _strindex($i) "
		"else indices($i) | .[0] end;" },
	{ "indices", 1,
		"def indices($i): if type == \"array\" then .[if $i | type == \"array\" then $i else [$i] "
		"end] "
		"elif type == \"string\" and ($i | type) == \"string\" then _strindices($i) else .[$i] "
		"end;" },
	{ "match", 1, "def match(re): _match(re) | .[];" },
	{ "match", 2, "def match(re; flags): _match(re; flags) | .[];" },
	{ "rindex", 1,
		"def rindex($i): if type == \"string\" and ($i | type) == \"string\" then _strrindex($i) "
		"else indices($i) | .[-1:][0] end;" },
	{ "scan", 1, "def scan($re): _scan($re; null) | .[];" },
	{ "scan", 2, "def scan($re; $flags): _scan($re; $flags) | .[];" },
	{ "splits", 1, "def splits($re): split($re; null) | .[];" },
	{ "splits", 2, "def splits($re; $flags): split($re; $flags) | .[];" },
	{ "sub", 2, "def sub($re; str): sub($re; str; null);" },
	/* Each edit is the text before a match and the match's named captures; the last is the text behind. */
	{ "sub", 3,
		"def sub($re; str; $flags): . as $in | _edits($re; $flags) | .[-1] as $rest | "
		"(reduce .[:-1][] as $edit ([]; [$edit[1] | str] as $new | reduce range(0; $new | length) as "
		"$i "
		"(.; .[$i] += $edit[0] + $new[$i])) | .[] + $rest) // $in;" },
	{ .name = NULL },
};
