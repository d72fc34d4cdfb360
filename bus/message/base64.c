/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, 4) for `data_base64`. Read strictly, so that one text has one meaning. */
#include <stdint.h>

#include <xylem/error.h>

#include "message/base64.h"

void message_base64_write(struct xylem_buffer *out, struct xylem_span bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (!xylem_buffer_reserve(out, (bytes.n / 3 + 1) * 4)) {
		return;
	}
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t group = (uint32_t)(unsigned char)bytes.at[i] << 16;
		group |= left > 1 ? (uint32_t)(unsigned char)bytes.at[i + 1] << 8 : 0;
		group |= left > 2 ? (uint32_t)(unsigned char)bytes.at[i + 2] : 0;
		char four[4] = { digits[group >> 18], digits[group >> 12 & 63],
			left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '=' };
		xylem_buffer_append(out, four, sizeof(four));
	}
}

static int digit_value(char c)
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

/* Four digits to `n` bytes, 1 to 3; what stands behind them must be padding. */
static bool group_read(const char *four, size_t n, char *out)
{
	uint32_t group = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i <= n ? digit_value(four[i]) : four[i] == '=' ? 0 : -1;
		if (value < 0) {
			return false;
		}
		group = group << 6 | (uint32_t)value;
	}
	for (size_t i = 0; i < n; i++) {
		out[i] = (char)(group >> (16 - 8 * i));
	}
	return (group & ((1u << (24 - 8 * n)) - 1)) == 0;
}

int message_base64_read(struct xylem_span text, struct xylem_arena *arena, struct xylem_span *ret_bytes)
{
	size_t padding = 0;
	while (padding < 2 && padding < text.n && text.at[text.n - 1 - padding] == '=') {
		padding++;
	}
	if (text.n % 4 != 0) {
		return -XYLEM_E_INVALID;
	}
	size_t n = text.n / 4 * 3 - padding;
	char *room = xylem_arena_take(arena, n + 1);
	if (!room) {
		return -XYLEM_E_MEMORY;
	}
	for (size_t in = 0, out = 0; in < text.n; in += 4, out += 3) {
		if (!group_read(text.at + in, n - out < 3 ? n - out : 3, room + out)) {
			return -XYLEM_E_INVALID;
		}
	}
	*ret_bytes = xylem_span(room, n);
	return 0;
}
