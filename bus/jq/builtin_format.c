/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats: `@html`, `@csv` and the others, alone or before a string with
 * interpolations; and `format("html")`, which says the same.
 *
 * The rule: what goes out is escaped for where it goes. A value that a format
 * has no form for (a list within a row of CSV) is an error, never a guess.
 */
#include <math.h>

#include "jq/builtin.h"
#include "json/utf8.h"

/* Text under construction; NONE after the first failure, which stays. */
struct text {
	struct jq_machine *machine;
	struct jq_value value;
};

static struct text text_begin(struct jq_machine *machine)
{
	return (struct text){ machine, jq_string(machine, XYLEM_SPAN_LITERAL("")) };
}

static void text_put(struct text *text, struct xylem_span bytes)
{
	if (!jq_is_none(text->value) && bytes.n) {
		text->value = jq_string_append(text->machine, text->value, bytes);
	}
}

static void text_put_literal(struct text *text, const char *literal)
{
	text_put(text, xylem_span_of(literal));
}

/* Replaces bytes for which `replacement` gives text, and NUL by `\0`; runs of others go as they are. */
static void text_escape(
	struct text *text, struct xylem_span bytes, const char *(*replacement)(unsigned char byte))
{
	size_t run = 0;
	if (!jq_spend(text->machine, bytes.n / 64)) {
		text->value = jq_simple(JQ_NONE);
		return;
	}
	for (size_t i = 0; i < bytes.n; i++) {
		const char *instead = bytes.at[i] ? replacement((unsigned char)bytes.at[i]) : "\\0";
		if (instead) {
			text_put(text, xylem_span(bytes.at + run, i - run));
			text_put_literal(text, instead);
			run = i + 1;
		}
	}
	text_put(text, xylem_span(bytes.at + run, bytes.n - run));
}

/* `value` as text, escaped. */
static struct jq_value escaped(
	struct jq_machine *machine, struct jq_value value, const char *(*replacement)(unsigned char byte))
{
	struct jq_value string = jq_value_tostring(machine, value);
	if (jq_is_none(string)) {
		return string;
	}
	struct text text = text_begin(machine);
	text_escape(&text, jq_string_bytes(machine, string), replacement);
	jq_release(machine, string);
	return text.value;
}

/* --- html, uri ---------------------------------------------------------------- */

static const char *html_instead(unsigned char byte)
{
	switch (byte) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '\'':
		return "&apos;";
	case '"':
		return "&quot;";
	default:
		return NULL;
	}
}

static struct jq_value format_html(struct jq_machine *machine, struct jq_value value)
{
	return escaped(machine, value, html_instead);
}

/* The unreserved characters of RFC 3986, 2.3. */
static bool uri_unreserved(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static struct jq_value uri_encode(struct jq_machine *machine, struct xylem_span bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t more = 0;
	char *at = NULL;
	for (size_t i = 0; i < bytes.n; i++) {
		more += uri_unreserved((unsigned char)bytes.at[i]) ? 0 : 2;
	}
	struct jq_value string = jq_string_room(machine, bytes.n + more, &at);
	for (size_t i = 0; !jq_is_none(string) && i < bytes.n; i++) {
		unsigned char byte = (unsigned char)bytes.at[i];
		if (uri_unreserved(byte)) {
			*at++ = (char)byte;
			continue;
		}
		*at++ = '%';
		*at++ = digits[byte >> 4];
		*at++ = digits[byte & 15];
	}
	return string;
}

static struct jq_value format_uri(struct jq_machine *machine, struct jq_value value)
{
	struct jq_value string = jq_value_tostring(machine, value);
	if (jq_is_none(string) || !jq_spend(machine, string.n / 64)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value result = uri_encode(machine, jq_string_bytes(machine, string));
	jq_release(machine, string);
	return result;
}

/* --- csv, tsv, sh: rows of scalars --------------------------------------------- */

struct row_form {
	const char *separator;
	void (*string)(struct text *text, struct xylem_span bytes);
	const char *null;
	const char *refusal; /* of an element that is a container */
	bool nan_empty;
};

static const char *csv_instead(unsigned char byte)
{
	return byte == '"' ? "\"\"" : NULL;
}

static void csv_string(struct text *text, struct xylem_span bytes)
{
	text_put_literal(text, "\"");
	text_escape(text, bytes, csv_instead);
	text_put_literal(text, "\"");
}

static const char *tsv_instead(unsigned char byte)
{
	switch (byte) {
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\\':
		return "\\\\";
	default:
		return NULL;
	}
}

static void tsv_string(struct text *text, struct xylem_span bytes)
{
	text_escape(text, bytes, tsv_instead);
}

static const char *sh_instead(unsigned char byte)
{
	return byte == '\'' ? "'\\''" : NULL;
}

static void sh_string(struct text *text, struct xylem_span bytes)
{
	text_put_literal(text, "'");
	text_escape(text, bytes, sh_instead);
	text_put_literal(text, "'");
}

static const struct row_form csv_form = { ",", csv_string, "", "is not valid in a csv row", true };
static const struct row_form tsv_form = { "\t", tsv_string, "", "is not valid in a csv row", true };
static const struct row_form sh_form = { " ", sh_string, "null", "can not be escaped for shell", false };

static void row_number(struct text *text, struct jq_value number, const struct row_form *form)
{
	if (form->nan_empty && number.kind == JQ_DOUBLE && isnan(number.number)) {
		return;
	}
	struct jq_value string = jq_value_tostring(text->machine, number);
	if (jq_is_none(string)) {
		text->value = string;
		return;
	}
	text_put(text, jq_string_bytes(text->machine, string));
	jq_release(text->machine, string);
}

static void row_item(struct text *text, struct jq_value item, const struct row_form *form)
{
	switch (jq_type(item)) {
	case XYLEM_JSON_NULL:
		text_put_literal(text, form->null);
		break;
	case XYLEM_JSON_FALSE:
		text_put_literal(text, "false");
		break;
	case XYLEM_JSON_TRUE:
		text_put_literal(text, "true");
		break;
	case XYLEM_JSON_NUMBER:
		row_number(text, item, form);
		break;
	case XYLEM_JSON_STRING:
		form->string(text, jq_string_bytes(text->machine, item));
		break;
	default:
		text->value = jq_fail_type(text->machine, item, form->refusal);
	}
}

static struct jq_value row(struct jq_machine *machine, struct jq_value array, const struct row_form *form)
{
	struct text text = text_begin(machine);
	struct jq_walk walk = jq_walk_over(machine, array);
	bool first = true;
	while (!jq_is_none(text.value) && jq_walk_next(&walk)) {
		if (!jq_spend(machine, 1)) {
			return jq_simple(JQ_NONE);
		}
		if (!first) {
			text_put_literal(&text, form->separator);
		}
		first = false;
		if (!jq_is_none(text.value)) {
			row_item(&text, walk.value, form);
		}
	}
	return text.value;
}

static struct jq_value format_csv(struct jq_machine *machine, struct jq_value value)
{
	return jq_is_array(value) ? row(machine, value, &csv_form)
				  : jq_fail_type(machine, value, "cannot be csv-formatted, only array");
}

static struct jq_value format_tsv(struct jq_machine *machine, struct jq_value value)
{
	return jq_is_array(value) ? row(machine, value, &tsv_form)
				  : jq_fail_type(machine, value, "cannot be tsv-formatted, only array");
}

static struct jq_value format_sh(struct jq_machine *machine, struct jq_value value)
{
	if (jq_is_array(value)) {
		return row(machine, value, &sh_form);
	}
	struct text text = text_begin(machine);
	if (!jq_is_none(text.value)) {
		row_item(&text, value, &sh_form);
	}
	return text.value;
}

/* --- base64 (RFC 4648, 4) --------------------------------------------------------- */

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_encode(const unsigned char *from, size_t n, char *to)
{
	for (; n > 0; n = n < 3 ? 0 : n - 3, from += 3, to += 4) {
		uint32_t bits = (uint32_t)from[0] << 16 | (n > 1 ? (uint32_t)from[1] << 8 : 0) |
				(n > 2 ? from[2] : 0);
		to[0] = base64_alphabet[bits >> 18];
		to[1] = base64_alphabet[bits >> 12 & 63];
		to[2] = '=';
		to[3] = '=';
		if (n > 1) {
			to[2] = base64_alphabet[bits >> 6 & 63];
		}
		if (n > 2) {
			to[3] = base64_alphabet[bits & 63];
		}
	}
}

static struct jq_value format_base64(struct jq_machine *machine, struct jq_value value)
{
	char *to = NULL;
	struct jq_value string = jq_value_tostring(machine, value);
	if (jq_is_none(string)) {
		return string;
	}
	struct xylem_span bytes = jq_string_bytes(machine, string);
	struct jq_value result = jq_string_room(machine, (bytes.n + 2) / 3 * 4, &to);
	if (jq_is_none(result) || !jq_spend(machine, bytes.n / 64)) {
		return jq_simple(JQ_NONE);
	}
	base64_encode((const unsigned char *)bytes.at, bytes.n, to);
	jq_release(machine, string);
	return result;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes up to the first `=`; false at a character that has no place. */
static bool base64_decode(struct xylem_span text, char *to, size_t *ret_n, size_t *ret_digits)
{
	uint32_t bits = 0;
	size_t digits = 0, n = 0;
	for (; digits < text.n && text.at[digits] != '='; digits++) {
		int digit = base64_digit(text.at[digits]);
		if (digit < 0) {
			return false;
		}
		bits = bits << 6 | (uint32_t)digit;
		if (digits % 4) {
			to[n++] = (char)(bits >> (6 - digits % 4 * 2) & 0xff);
		}
	}
	*ret_n = n;
	*ret_digits = digits;
	return true;
}

/* Any bytes as a string: what is no UTF-8 becomes U+FFFD. */
static struct jq_value repaired(struct jq_machine *machine, struct xylem_span bytes)
{
	const char *at = bytes.at, *end = at + bytes.n, *run = at;
	if (utf8_valid(bytes)) {
		return jq_string(machine, bytes);
	}
	struct text text = text_begin(machine);
	while (at < end) {
		uint32_t point;
		size_t n = utf8_next(at, end, &point);
		if (n == 0) {
			text_put(&text, xylem_span(run, (size_t)(at - run)));
			text_put_literal(&text, "\xef\xbf\xbd");
			run = at + 1;
		}
		at += n ? n : 1;
	}
	text_put(&text, xylem_span(run, (size_t)(end - run)));
	return text.value;
}

static struct jq_value format_base64d(struct jq_machine *machine, struct jq_value value)
{
	size_t n, digits;
	struct jq_value string = jq_value_tostring(machine, value);
	if (jq_is_none(string)) {
		return string;
	}
	struct xylem_span text = jq_string_bytes(machine, string);
	char *to = jq_take(machine, text.n + 1);
	if (!to || !jq_spend(machine, text.n / 64)) {
		return jq_simple(JQ_NONE);
	}
	if (!base64_decode(text, to, &n, &digits)) {
		return jq_fail_type(machine, value, "is not valid base64 data");
	}
	if (digits % 4 == 1) {
		return jq_fail_type(machine, value, "trailing base64 byte found");
	}
	struct jq_value result = repaired(machine, xylem_span(to, n));
	jq_give(machine, to, text.n + 1);
	jq_release(machine, string);
	return result;
}

/* --- base32 (RFC 4648, 6) --------------------------------------------------------- */

static struct jq_value format_base32(struct jq_machine *machine, struct jq_value value)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char *to = NULL;
	struct jq_value string = jq_value_tostring(machine, value);
	if (jq_is_none(string)) {
		return string;
	}
	struct xylem_span bytes = jq_string_bytes(machine, string);
	size_t n = (bytes.n + 4) / 5 * 8, used = (bytes.n * 8 + 4) / 5;
	struct jq_value result = jq_string_room(machine, n, &to);
	if (jq_is_none(result) || !jq_spend(machine, bytes.n / 64)) {
		return jq_simple(JQ_NONE);
	}
	for (size_t i = 0; i < n; i++) {
		size_t byte = i * 5 / 8, shift = i * 5 % 8;
		unsigned pair = i < used ? (unsigned)(unsigned char)bytes.at[byte] << 8 : 0;
		pair |= byte + 1 < bytes.n ? (unsigned char)bytes.at[byte + 1] : 0;
		to[i] = i < used ? alphabet[pair >> (11 - shift) & 31] : '=';
	}
	jq_release(machine, string);
	return result;
}

/* --- The formats by name ------------------------------------------------------------ */

jq_format *jq_format_find(struct xylem_span name)
{
	static const struct {
		const char *name;
		jq_format *format;
	} formats[] = {
		{ "base32", format_base32 },
		{ "base64", format_base64 },
		{ "base64d", format_base64d },
		{ "csv", format_csv },
		{ "html", format_html },
		{ "json", jq_value_tojson },
		{ "sh", format_sh },
		{ "text", jq_value_tostring },
		{ "tsv", format_tsv },
		{ "uri", format_uri },
	};
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (xylem_span_is(name, formats[i].name)) {
			return formats[i].format;
		}
	}
	return NULL;
}
