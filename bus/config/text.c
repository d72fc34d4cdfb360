/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How single values are written: numbers with units, names, addresses, JIDs.
 * Nothing is guessed: a duration without a unit is refused, `yes` is not true.
 * The reasons say what is expected and leave quoting to the caller, who knows
 * whether the text may be shown.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <config/text.h>

static int refuse(struct xylem_reason *reason, const char *why)
{
	xylem_reason_set(reason, "%s", why);
	return -XYLEM_E_INVALID;
}

/* Length of the UTF-8 sequence at `at`, 0 if there is none (RFC 3629). */
static size_t utf8_sequence(const unsigned char *at, size_t n)
{
	static const struct {
		unsigned char least, most, second_least, second_most, length;
	} forms[] = {
		{ 0x00, 0x7f, 0x80, 0xbf, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (at[0] < forms[i].least || at[0] > forms[i].most) {
			continue;
		}
		size_t length = forms[i].length;
		if (length > n ||
			(length > 1 && (at[1] < forms[i].second_least || at[1] > forms[i].second_most))) {
			return 0;
		}
		for (size_t j = 2; j < length; j++) {
			if ((at[j] & 0xc0) != 0x80) {
				return 0;
			}
		}
		return length;
	}
	return 0;
}

bool text_is_utf8(struct xylem_span text)
{
	size_t at = 0;
	while (at < text.n) {
		size_t length = utf8_sequence((const unsigned char *)text.at + at, text.n - at);
		if (!length) {
			return false;
		}
		at += length;
	}
	return true;
}

int text_bool(const char *text, bool *ret_value, struct xylem_reason *reason)
{
	bool yes = strcmp(text, "true") == 0;
	if (!yes && strcmp(text, "false") != 0) {
		return refuse(reason, "is not a yes or no; write `true` or `false`");
	}
	*ret_value = yes;
	return 0;
}

/* Digits at the start; the rest is left to the caller. */
static int digits(const char *text, int64_t *ret_value, const char **ret_rest)
{
	int64_t value = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, *at - '0', &value)) {
			return -XYLEM_E_LIMIT;
		}
	}
	*ret_rest = at;
	*ret_value = value;
	return at == text ? -XYLEM_E_INVALID : 0;
}

int text_integer(const char *text, int64_t *ret_value, struct xylem_reason *reason)
{
	int64_t value;
	const char *rest;
	int error = digits(text + (*text == '-'), &value, &rest);
	if (error == -XYLEM_E_LIMIT) {
		return refuse(reason, "is too large for a number of 64 bits; write a smaller one");
	}
	if (error || *rest) {
		return refuse(reason, "is not a whole number; write digits only");
	}
	*ret_value = *text == '-' ? -value : value;
	return 0;
}

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "TB", 1000000000000 },
	{ "KiB", 1024 },
	{ "MiB", 1048576 },
	{ "GiB", 1073741824 },
	{ "TiB", 1099511627776 },
	{ NULL, 0 },
};

static const struct unit duration_units[] = {
	{ "us", 1 },
	{ "ms", 1000 },
	{ "s", 1000000 },
	{ "m", 60000000 },
	{ "h", 3600000000 },
	{ "d", 86400000000 },
	{ NULL, 0 },
};

static int with_unit(const char *text, const struct unit *units, int64_t plain, int64_t *ret_value)
{
	int64_t value, factor = 0;
	const char *rest;
	int error = digits(text, &value, &rest);
	if (error) {
		return error;
	}
	if (!*rest) {
		factor = value == 0 ? 1 : plain;
	}
	for (const struct unit *unit = units; unit->name; unit++) {
		if (strcmp(unit->name, rest) == 0) {
			factor = unit->factor;
		}
	}
	if (!factor) {
		return -XYLEM_E_INVALID;
	}
	return __builtin_mul_overflow(value, factor, ret_value) ? -XYLEM_E_LIMIT : 0;
}

int text_size(const char *text, int64_t *ret_bytes, struct xylem_reason *reason)
{
	int64_t bytes;
	int error = with_unit(text, size_units, 1, &bytes);
	if (error == -XYLEM_E_LIMIT) {
		return refuse(reason, "is too large a size; write a smaller one");
	}
	if (error) {
		return refuse(reason, "is not a size; write bytes or a number with KiB, MiB, GiB, kB, MB or "
				      "GB, such as `64KiB`");
	}
	*ret_bytes = bytes;
	return 0;
}

int text_duration(const char *text, int64_t *ret_us, struct xylem_reason *reason)
{
	int64_t us;
	int error = with_unit(text, duration_units, 0, &us);
	if (error == -XYLEM_E_LIMIT) {
		return refuse(reason, "is too long a duration; write a shorter one");
	}
	if (error) {
		return refuse(
			reason, "is not a duration; write a number with us, ms, s, m, h or d, such as `30s`");
	}
	*ret_us = us;
	return 0;
}

static bool small_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool name_of(const char *text, const char *more)
{
	size_t n = strlen(text);
	if (n == 0 || n > TEXT_NAME_LIMIT || !small_or_digit(text[0])) {
		return false;
	}
	for (size_t i = 1; i < n; i++) {
		if (!small_or_digit(text[i]) && !strchr(more, text[i])) {
			return false;
		}
	}
	return true;
}

int text_name(const char *text, struct xylem_reason *reason)
{
	if (!name_of(text, "_-")) {
		return refuse(reason, "is not a name; write small letters, digits, `_` and `-`, a letter or "
				      "digit first, at most 64");
	}
	return 0;
}

int text_topic_name(const char *text, struct xylem_reason *reason)
{
	if (!name_of(text, "_-./")) {
		return refuse(reason, "is not a topic's name; write small letters, digits, `_`, `-`, `.` and "
				      "`/`, a letter or digit first, at most 64");
	}
	return 0;
}

/* HOST or [V6] at the start, then nothing or :PORT; `end` is where the authority ends. */
static bool host_and_port(const char *at, const char *end, bool port_needed)
{
	const char *host = at;
	if (at < end && *at == '[') {
		while (at < end && *at != ']') {
			at++;
		}
		if (at == end || at - host < 3) {
			return false;
		}
		at++;
	} else {
		while (at < end &&
			(isalnum((unsigned char)*at) || strchr("-._", *at) || (unsigned char)*at >= 0x80)) {
			at++;
		}
		if (at == host) {
			return false;
		}
	}
	if (at == end) {
		return !port_needed;
	}
	long port = 0;
	const char *colon = at++;
	for (; at < end && *at >= '0' && *at <= '9' && port <= 65535; at++) {
		port = port * 10 + (*at - '0');
	}
	return *colon == ':' && at == end && at > colon + 1 && port <= 65535;
}

int text_url(const char *text, struct xylem_reason *reason)
{
	const char *authority = NULL;
	if (strncasecmp(text, "http://", 7) == 0) {
		authority = text + 7;
	} else if (strncasecmp(text, "https://", 8) == 0) {
		authority = text + 8;
	}
	if (!authority) {
		return refuse(reason, "is not a URL of http or https; write `https://HOST/PATH`");
	}
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at <= ' ' || *at == 0x7f) {
			return refuse(reason,
				"has white space or control characters in the URL; percent-encode them");
		}
	}
	const char *end = authority + strcspn(authority, "/?#");
	if (memchr(authority, '@', (size_t)(end - authority))) {
		return refuse(reason, "has a user or password in the URL; take them out and use the options "
				      "for credentials");
	}
	if (!host_and_port(authority, end, false)) {
		return refuse(reason, "has no valid host and port in the URL; write `https://HOST/PATH` or "
				      "`https://HOST:PORT/PATH`");
	}
	return 0;
}

int text_address(const char *text, struct xylem_reason *reason)
{
	if (strncmp(text, "unix:", 5) == 0 && text[5]) {
		return 0;
	}
	if (!host_and_port(text, text + strlen(text), true)) {
		return refuse(reason, "is not an address; write `HOST:PORT`, `[V6]:PORT` or `unix:PATH`");
	}
	return 0;
}

static bool jid_part(const char *at, size_t n, const char *forbidden)
{
	if (n == 0 || n > 1023) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)at[i] <= ' ' || at[i] == 0x7f || strchr(forbidden, at[i])) {
			return false;
		}
	}
	return true;
}

int text_jid(const char *text, char out[TEXT_JID_SIZE], struct xylem_reason *reason)
{
	const char *at = strchr(text, '@');
	const char *domain = at ? at + 1 : text;
	if (strchr(text, '/')) {
		return refuse(reason, "has a resource; write the bare JID, `NAME@DOMAIN`");
	}
	if ((at && !jid_part(text, (size_t)(at - text), "\"&'/:<>@")) || domain[0] == '.' ||
		!jid_part(domain, strlen(domain), "\"&'/<>@\\(){},;")) {
		return refuse(reason, "is not a JID; write `NAME@DOMAIN` or a domain");
	}
	if (!jid_fold(xylem_span_of(text), out, TEXT_JID_SIZE)) {
		return refuse(reason, "is longer than an address may be");
	}
	size_t n = strlen(out);
	if (out[n - 1] == '.') {
		out[n - 1] = '\0'; /* RFC 7622, 3.2: a final dot does not count */
	}
	return 0;
}

int text_jid_or_domain(const char *text, char out[TEXT_JID_SIZE], struct xylem_reason *reason)
{
	if (text[0] != '@') {
		return text_jid(text, out, reason);
	}
	if (strchr(text + 1, '@') || text_jid(text + 1, out, reason) < 0) {
		return refuse(reason, "is not `@` and a domain; write `@example.org` or a JID");
	}
	memmove(out + 1, out, strlen(out) + 1);
	out[0] = '@';
	return 0;
}

static const char *format_unit(int64_t value, const struct unit *const *units, char text[TEXT_NUMBER_SIZE])
{
	for (; *units; units++) {
		if (value % (*units)->factor == 0 && value != 0) {
			snprintf(text, TEXT_NUMBER_SIZE, "%lld%s", (long long)(value / (*units)->factor),
				(*units)->name);
			return text;
		}
	}
	snprintf(text, TEXT_NUMBER_SIZE, "%lld", (long long)value);
	return text;
}

const char *text_size_format(int64_t bytes, char text[TEXT_NUMBER_SIZE])
{
	static const struct unit *const units[] = { &size_units[9], &size_units[8], &size_units[7],
		&size_units[6], NULL };
	return format_unit(bytes, units, text);
}

const char *text_duration_format(int64_t us, char text[TEXT_NUMBER_SIZE])
{
	static const struct unit *const units[] = { &duration_units[5], &duration_units[4],
		&duration_units[3], &duration_units[2], &duration_units[1], &duration_units[0], NULL };
	return format_unit(us, units, text);
}
