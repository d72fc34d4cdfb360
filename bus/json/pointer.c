/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 6901 pointers: split and unescaped once, at configuration; then each get
 * is one walk down. Read-only after that and shared by threads.
 */
#include <stdlib.h>

#include <xylem/json.h>

#include "json/pointer.h"
#include "json/scan.h"
#include "json/string.h"
#include "json/utf8.h"

/* Decimal without leading zeros that fits; anything else is only a name. */
static void token_number(struct json_token *token)
{
	struct xylem_span name = token->name;
	token->past_end = xylem_span_is(name, "-");
	if (name.n == 0 || name.n > 15 || (name.n > 1 && name.at[0] == '0')) {
		return;
	}
	size_t index = 0;
	for (size_t i = 0; i < name.n; i++) {
		if (!scan_is_digit(name.at[i])) {
			return;
		}
		index = index * 10 + (size_t)(name.at[i] - '0');
	}
	token->indexed = true;
	token->index = index;
}

static size_t slash_count(struct xylem_span text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.n; i++) {
		count += text.at[i] == '/';
	}
	return count;
}

/* Unescapes one token at `at` into `room`; -1 for a tilde without 0 or 1. */
static const char *token_read(const char *at, const char *end, char **room, struct json_token *token)
{
	char *start = *room, *out = start;
	for (; at < end && *at != '/'; at++) {
		if (*at == '~') {
			if (++at == end || (*at != '0' && *at != '1')) {
				return NULL;
			}
			*out++ = *at == '0' ? '~' : '/';
		} else {
			*out++ = *at;
		}
	}
	*token = (struct json_token){ .name = xylem_span(start, (size_t)(out - start)) };
	token_number(token);
	*room = out;
	return at;
}

static int pointer_refuse(struct xylem_reason *reason, struct xylem_span text, const char *why)
{
	xylem_reason_set(reason, "`%.*s` is no JSON pointer: %s", (int)(text.n > 200 ? 200 : text.n),
		text.n ? text.at : "", why);
	return -XYLEM_E_INVALID;
}

int xylem_json_pointer_new(
	struct xylem_json_pointer **ret_pointer, struct xylem_span text, struct xylem_reason *reason)
{
	size_t count = slash_count(text);
	if (text.n > 0 && text.at[0] != '/') {
		return pointer_refuse(reason, text, "it must begin with a slash, like /order/id");
	}
	if (!utf8_valid(text)) {
		return pointer_refuse(reason, XYLEM_SPAN_LITERAL("..."), "it is not valid UTF-8");
	}
	if (count > XYLEM_JSON_DEPTH) {
		xylem_reason_set(reason, "a JSON pointer has at most %d parts", XYLEM_JSON_DEPTH);
		return -XYLEM_E_LIMIT;
	}
	struct xylem_json_pointer *pointer = calloc(
		1, sizeof(*pointer) + count * sizeof(struct json_token) + text.n + 1);
	if (!pointer) {
		return -XYLEM_E_MEMORY;
	}
	char *room = (char *)&pointer->tokens[count];
	const char *at = text.at, *end = text.at + text.n;
	pointer->count = count;
	for (size_t i = 0; i < count; i++) {
		at = token_read(at + 1, end, &room, &pointer->tokens[i]);
		if (!at) {
			free(pointer);
			return pointer_refuse(reason, text, "a tilde is written ~0 and a slash in a name ~1");
		}
	}
	*ret_pointer = pointer;
	return 0;
}

struct xylem_json_pointer *xylem_json_pointer_free(struct xylem_json_pointer *pointer)
{
	free(pointer);
	return NULL;
}

struct xylem_span json_token_get(const struct json_token *token, struct xylem_span parent)
{
	enum xylem_json_type type = xylem_json_type(parent);
	if (type == XYLEM_JSON_OBJECT) {
		return xylem_json_member(parent, token->name);
	}
	return type == XYLEM_JSON_ARRAY && token->indexed ? xylem_json_element(parent, token->index)
							  : XYLEM_SPAN_NONE;
}

struct xylem_span xylem_json_pointer_get(const struct xylem_json_pointer *pointer, struct xylem_span text)
{
	struct xylem_span value = xylem_json_trim(text);
	for (size_t i = 0; i < pointer->count && xylem_span_present(value); i++) {
		value = json_token_get(&pointer->tokens[i], value);
	}
	return value;
}

static void token_escape(struct xylem_buffer *out, struct xylem_span name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.at[i] == '~' || name.at[i] == '/') {
			xylem_buffer_text(out, name.at[i] == '~' ? "~0" : "~1");
		} else {
			xylem_buffer_byte(out, name.at[i]);
		}
	}
}

void json_pointer_write_token(struct xylem_buffer *out, struct xylem_span name)
{
	xylem_buffer_byte(out, '/');
	token_escape(out, name);
}

void json_pointer_write(const struct xylem_json_pointer *pointer, size_t count, struct xylem_buffer *out)
{
	for (size_t i = 0; i < count; i++) {
		json_pointer_write_token(out, pointer->tokens[i].name);
	}
}

/* Control characters, which only escapes can bring in, stay escaped: a line of a log stays one line. */
static void member_write(struct xylem_buffer *out, struct xylem_span name)
{
	struct json_pieces pieces = json_pieces_over(name);
	xylem_buffer_byte(out, '/');
	while (json_pieces_next(&pieces)) {
		if ((unsigned char)pieces.piece.at[0] < 0x20) {
			xylem_buffer_format(out, "\\u%04x", (unsigned char)pieces.piece.at[0]);
		} else {
			token_escape(out, pieces.piece);
		}
	}
}

void xylem_json_place(struct xylem_span text, const char *at, struct xylem_buffer *out)
{
	struct xylem_json_iterator iterator;
	size_t index = 0;
	xylem_json_iterate(&iterator, text);
	while (xylem_json_next(&iterator)) {
		struct xylem_span value = iterator.value;
		if (at < value.at || at >= value.at + value.n) {
			index++;
			continue;
		}
		if (iterator.object) {
			member_write(out, iterator.name);
		} else {
			xylem_buffer_format(out, "/%zu", index);
		}
		xylem_json_iterate(&iterator, value);
		index = 0;
	}
}
