/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The HTTP protocol binding of CloudEvents 1.0, as far as header values and
 * media types go; the webhook reads with it, the http sink writes with it.
 *
 * The rule not to break: decoding is one round. `%2541` is `%41`, not `A`:
 * a second round would let a sender smuggle what the first one has checked.
 */

#include <strings.h>

#include <connectors/cloudevents_http.h>
#include <json/utf8.h>

static bool begins(struct xylem_span text, const char *prefix)
{
	size_t n = strlen(prefix);
	return text.n >= n && strncasecmp(text.at, prefix, n) == 0;
}

static bool media_type_is(struct xylem_span text, const char *type)
{
	size_t n = strlen(type);
	return begins(text, type) &&
	       (text.n == n || text.at[n] == ';' || text.at[n] == ' ' || text.at[n] == '\t');
}

enum cloudevents_mode cloudevents_mode_of(struct xylem_span content_type)
{
	if (begins(content_type, "application/cloudevents-batch")) {
		return media_type_is(content_type, "application/cloudevents-batch+json")
			       ? CLOUDEVENTS_BATCH
			       : CLOUDEVENTS_UNSUPPORTED;
	}
	if (begins(content_type, "application/cloudevents")) {
		return media_type_is(content_type, "application/cloudevents+json") ? CLOUDEVENTS_STRUCTURED
										   : CLOUDEVENTS_UNSUPPORTED;
	}
	return CLOUDEVENTS_NONE;
}

/* --- Decoding ---------------------------------------------------------- */

static int refuse(struct xylem_reason *reason, const char *what)
{
	xylem_reason_set(reason, "%s", what);
	return -XYLEM_E_INVALID;
}

static int text_check(struct xylem_span text, struct xylem_reason *reason)
{
	const char *end = text.at + text.n;
	for (const char *at = text.at; at < end;) {
		uint32_t point = 0;
		size_t length = utf8_next(at, end, &point);
		if (length == 0) {
			return refuse(reason, "the value is not UTF-8 once decoded");
		}
		if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
			return refuse(reason, "the value has a control character in it");
		}
		at += length;
	}
	return 0;
}

static int hex_of(char character)
{
	if (character >= '0' && character <= '9') {
		return character - '0';
	}
	char lower = (char)(character | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A quoted string (RFC 9110, 5.6.4) without its quotes and backslashes, into room for value.n bytes. */
static int unquote(struct xylem_span value, char *room, size_t *ret_n, struct xylem_reason *reason)
{
	size_t n = 0;
	for (size_t i = 1; i < value.n; i++) {
		char byte = value.at[i];
		if (byte == '"') {
			if (i + 1 != value.n) {
				return refuse(reason, "the value goes on after its closing quote");
			}
			*ret_n = n;
			return 0;
		}
		if (byte == '\\') {
			if (++i == value.n) {
				break;
			}
			byte = value.at[i];
		}
		room[n++] = byte;
	}
	return refuse(reason, "the value has no closing quote");
}

/* In place; the text only gets shorter. */
static int percent_decode(char *text, size_t *n, struct xylem_reason *reason)
{
	size_t to = 0;
	for (size_t from = 0; from < *n; from++) {
		if (text[from] != '%') {
			text[to++] = text[from];
			continue;
		}
		int high = from + 2 < *n ? hex_of(text[from + 1]) : -1;
		int low = high >= 0 ? hex_of(text[from + 2]) : -1;
		if (low < 0) {
			return refuse(reason,
				"the value has a % without two hexadecimal digits after it (write %25)");
		}
		text[to++] = (char)(high << 4 | low);
		from += 2;
	}
	*n = to;
	return 0;
}

static int decode_into(struct xylem_span value, char *room, size_t *ret_n, struct xylem_reason *reason)
{
	size_t n = value.n;
	if (value.at[0] == '"') {
		int error = unquote(value, room, &n, reason);
		if (error) {
			return error;
		}
	} else {
		memcpy(room, value.at, n);
	}
	*ret_n = n;
	return percent_decode(room, ret_n, reason);
}

int cloudevents_header_decode(struct xylem_span value, struct xylem_arena *arena, struct xylem_span *ret_text,
	struct xylem_reason *reason)
{
	struct xylem_span text = value;
	if (value.n > 0 && (value.at[0] == '"' || memchr(value.at, '%', value.n))) {
		char *room = xylem_arena_take(arena, value.n);
		if (!room) {
			return -XYLEM_E_MEMORY;
		}
		size_t n = 0;
		int error = decode_into(value, room, &n, reason);
		if (error) {
			return error;
		}
		text = xylem_span(room, n);
	}
	int error = text_check(text, reason);
	if (!error) {
		*ret_text = text;
	}
	return error;
}

/* --- Encoding ---------------------------------------------------------- */

void cloudevents_header_encode(struct xylem_buffer *out, struct xylem_span text)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t plain = 0; /* bytes before i that stand for themselves and are not yet written */
	for (size_t i = 0; i < text.n; i++) {
		unsigned char byte = (unsigned char)text.at[i];
		if (byte > 0x20 && byte < 0x7f && byte != '"' && byte != '%') {
			continue;
		}
		char escape[3] = { '%', digits[byte >> 4], digits[byte & 15] };
		xylem_buffer_append(out, text.at + plain, i - plain);
		xylem_buffer_append(out, escape, 3);
		plain = i + 1;
	}
	if (plain < text.n) {
		xylem_buffer_append(out, text.at + plain, text.n - plain);
	}
}
