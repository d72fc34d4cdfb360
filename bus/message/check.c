/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CloudEvents 1.0 asks of context attributes, checked once at intake: a
 * message in the journal has passed this, and nobody behind it asks again.
 * Data is not looked at: it is opaque.
 *
 * Strings (CloudEvents 1.0.2, "Type system"): Unicode without control
 * characters U+0000-1F and U+007F-9F, without noncharacters, and (as UTF-8
 * always is) without surrogates.
 *
 * What it does not do: it does not parse `source` and `dataschema` as URIs.
 * Producers send spaces and umlauts there, and refusing an order for that
 * would help nobody.
 */
#include <xylem/message.h>

#include "base/clock.h"
#include "json/utf8.h"
#include "message/attribute.h"

static bool point_allowed(uint32_t point)
{
	return point >= 0x20 && !(point >= 0x7f && point <= 0x9f) && !(point >= 0xfdd0 && point <= 0xfdef) &&
	       (point & 0xfffe) != 0xfffe;
}

/* True when the eight bytes are all in U+0020..7E, as nearly all of an attribute are. */
static bool eight_plain(const char *at)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	/* No high bit, none below 0x20, and none equal to 0x7f (which carries into the high bit). */
	return ((word | (word - ones * 0x20) | (word + ones)) & highs) == 0;
}

/* Offset of the first byte that is no allowed text; text.n if none. */
static size_t text_span(struct xylem_span text)
{
	size_t at = 0;
	while (at < text.n) {
		if (text.n - at >= 8 && eight_plain(text.at + at)) {
			at += 8;
			continue;
		}
		uint32_t point;
		size_t n = utf8_next(text.at + at, text.at + text.n, &point);
		if (n == 0 || !point_allowed(point)) {
			break;
		}
		at += n;
	}
	return at;
}

static int value_check(struct xylem_span name, struct xylem_span value, struct xylem_reason *reason)
{
	if (value.n > ATTRIBUTE_BYTES_MAX) {
		xylem_reason_set(reason, "attribute %.*s has %zu bytes; at most %d are taken", (int)name.n,
			name.at, value.n, ATTRIBUTE_BYTES_MAX);
		return -XYLEM_E_TOO_LARGE;
	}
	size_t good = text_span(value);
	if (good < value.n) {
		xylem_reason_set(reason,
			"attribute %.*s has a control character or invalid UTF-8 at byte %zu (0x%02x)",
			(int)name.n, name.at, good, (unsigned char)value.at[good]);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int core_check(
	const struct attribute *attribute, const struct xylem_message *message, struct xylem_reason *reason)
{
	struct xylem_span value = attribute_get(attribute, message);
	if (attribute->required && value.n == 0) {
		xylem_reason_set(
			reason, "attribute %s is required and must not be empty", attribute->name.at);
		return -XYLEM_E_INVALID;
	}
	return value_check(attribute->name, value, reason);
}

static bool name_repeated(const struct xylem_message *message, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (xylem_span_equal(message->extensions[i].name, message->extensions[index].name)) {
			return true;
		}
	}
	return false;
}

static int extension_check(const struct xylem_message *message, size_t index, struct xylem_reason *reason)
{
	struct xylem_span name = message->extensions[index].name;
	if (!attribute_extension_name_valid(name)) {
		xylem_reason_set(reason,
			"extension %zu is not named by 1 to 20 of a-z and 0-9, or has a name that is kept",
			index + 1);
		return -XYLEM_E_INVALID;
	}
	if (name_repeated(message, index)) {
		xylem_reason_set(reason, "extension %.*s stands twice", (int)name.n, name.at);
		return -XYLEM_E_INVALID;
	}
	return value_check(name, message->extensions[index].value, reason);
}

static int time_check(struct xylem_span time, struct xylem_reason *reason)
{
	int64_t ignored;
	if (xylem_span_present(time) && clock_parse(time.at, time.n, &ignored) < 0) {
		xylem_reason_set(reason,
			"attribute time is not a time by RFC 3339, like 2026-11-21T09:30:00Z: %.*s",
			(int)(time.n > 64 ? 64 : time.n), time.at);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

int xylem_message_check(const struct xylem_message *message, struct xylem_reason *reason)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < attribute_count; i++) {
		error = core_check(&attribute_table[i], message, reason);
	}
	if (error == 0) {
		error = time_check(message->time, reason);
	}
	if (error == 0 && message->extension_count > ATTRIBUTE_EXTENSIONS_MAX) {
		xylem_reason_set(reason, "the event has %zu extensions; at most %d are taken",
			message->extension_count, ATTRIBUTE_EXTENSIONS_MAX);
		error = -XYLEM_E_TOO_LARGE;
	}
	for (size_t i = 0; error == 0 && i < message->extension_count; i++) {
		error = extension_check(message, i, reason);
	}
	return error;
}
