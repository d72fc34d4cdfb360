/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte form of a message. It is written once for each message that the
 * journal takes in and read once for each lane that is behind, so both are one
 * pass over the bytes without allocation.
 *
 *     byte     version, 1
 *     byte     kind
 *     2 bytes  which of the optional parts are present, little-endian bits
 *     varint   parent partition, offset (kinds DERIVED and REPLAY only)
 *     varint   number of extensions
 *     parts    each present one: varint length, bytes, in the order of the bits
 *     pairs    each extension: name and value, both varint length, bytes
 *     data     varint length, bytes (when its bit is set)
 *
 * A varint is LEB128 in its shortest form, so that one message has one byte
 * form and reading what was written gives it back exactly. Data stands last:
 * what precedes it is small and stays in one or two cache lines.
 *
 * The rule not to break: version 1 never changes. A new layout is a new
 * version byte, and the old reader stays.
 *
 * What it does not do: it holds neither position nor journal time (the
 * journal's record has both), and it has no checksum of its own.
 */
#include "message/envelope.h"

#include <stdint.h>

enum { VERSION = 1, HEAD = 4, PART_COUNT = 9, DATA_BIT = 1 << PART_COUNT, KNOWN_BITS = (DATA_BIT << 1) - 1 };

/* The optional parts in the order of their bits. Never reordered. */
static const size_t part_offsets[PART_COUNT] = {
	offsetof(struct xylem_message, ingress),
	offsetof(struct xylem_message, key),
	offsetof(struct xylem_message, id),
	offsetof(struct xylem_message, source),
	offsetof(struct xylem_message, type),
	offsetof(struct xylem_message, subject),
	offsetof(struct xylem_message, time),
	offsetof(struct xylem_message, datacontenttype),
	offsetof(struct xylem_message, dataschema),
};

static struct xylem_span part_get(const struct xylem_message *message, size_t index)
{
	return *(const struct xylem_span *)(const void *)((const char *)message + part_offsets[index]);
}

static void part_set(struct xylem_message *message, size_t index, struct xylem_span span)
{
	*(struct xylem_span *)(void *)((char *)message + part_offsets[index]) = span;
}

/* --- Writing ------------------------------------------------------------ */

static size_t varint_size(uint64_t number)
{
	size_t n = 1;
	for (; number >= 0x80; number >>= 7) {
		n++;
	}
	return n;
}

static char *varint_write(char *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7) {
		*at++ = (char)(number | 0x80);
	}
	*at++ = (char)number;
	return at;
}

static size_t span_size(struct xylem_span span)
{
	return varint_size(span.n) + span.n;
}

static char *span_write(char *at, struct xylem_span span)
{
	at = varint_write(at, span.n);
	if (span.n > 0) {
		memcpy(at, span.at, span.n);
	}
	return at + span.n;
}

static bool has_parent(enum xylem_message_kind kind)
{
	return kind == XYLEM_DERIVED || kind == XYLEM_REPLAY;
}

size_t envelope_size(const struct xylem_message *message)
{
	size_t n = HEAD + varint_size(message->extension_count);
	if (has_parent(message->kind)) {
		n += varint_size(message->parent.partition) + varint_size(message->parent.offset);
	}
	for (size_t i = 0; i < PART_COUNT; i++) {
		struct xylem_span part = part_get(message, i);
		n += xylem_span_present(part) ? span_size(part) : 0;
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		n += span_size(message->extensions[i].name) + span_size(message->extensions[i].value);
	}
	return n + (xylem_span_present(message->data) ? span_size(message->data) : 0);
}

void envelope_write(const struct xylem_message *message, char *bytes)
{
	unsigned bits = xylem_span_present(message->data) ? DATA_BIT : 0;
	char *at = bytes + HEAD;
	if (has_parent(message->kind)) {
		at = varint_write(at, message->parent.partition);
		at = varint_write(at, message->parent.offset);
	}
	at = varint_write(at, message->extension_count);
	for (size_t i = 0; i < PART_COUNT; i++) {
		struct xylem_span part = part_get(message, i);
		if (xylem_span_present(part)) {
			bits |= 1u << i;
			at = span_write(at, part);
		}
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		at = span_write(at, message->extensions[i].name);
		at = span_write(at, message->extensions[i].value);
	}
	if (xylem_span_present(message->data)) {
		span_write(at, message->data);
	}
	bytes[0] = VERSION;
	bytes[1] = (char)message->kind;
	bytes[2] = (char)(bits & 0xff);
	bytes[3] = (char)(bits >> 8);
}

/* --- Reading ------------------------------------------------------------ */

struct reader {
	const unsigned char *at, *end;
};

static bool varint_read(struct reader *reader, uint64_t *ret_number)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		unsigned char byte = *reader->at++;
		if (shift == 63 && byte > 1) {
			return false; /* more than 64 bits */
		}
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_number = number;
			return byte != 0 || shift == 0; /* else not the shortest form */
		}
	}
	return false;
}

static bool span_read(struct reader *reader, struct xylem_span *ret_span)
{
	uint64_t n;
	if (!varint_read(reader, &n) || n > (uint64_t)(reader->end - reader->at)) {
		return false;
	}
	*ret_span = xylem_span((const char *)reader->at, (size_t)n);
	reader->at += n;
	return true;
}

/* What stands before the parts: kind, bits, parent, number of extensions. */
static bool head_read(struct reader *reader, struct xylem_message *message, unsigned *ret_bits)
{
	if (reader->end - reader->at < HEAD || reader->at[0] != VERSION || reader->at[1] < XYLEM_MESSAGE ||
		reader->at[1] > XYLEM_REPLAY) {
		return false;
	}
	message->kind = (enum xylem_message_kind)reader->at[1];
	unsigned bits = reader->at[2] | (unsigned)reader->at[3] << 8;
	reader->at += HEAD;
	uint64_t partition = 0, offset = 0, count;
	if (has_parent(message->kind) &&
		(!varint_read(reader, &partition) || !varint_read(reader, &offset))) {
		return false;
	}
	/* An extension takes two bytes at least: a count beyond that is found before anyone sizes by it. */
	if ((bits & ~(unsigned)KNOWN_BITS) || partition > UINT32_MAX || !varint_read(reader, &count) ||
		count > (uint64_t)(reader->end - reader->at) / 2) {
		return false;
	}
	message->parent = (struct xylem_position){ (uint32_t)partition, offset };
	message->extension_count = (size_t)count;
	*ret_bits = bits;
	return true;
}

static bool body_read(
	struct reader *reader, struct xylem_message *message, unsigned bits, struct xylem_extension *room)
{
	for (size_t i = 0; i < PART_COUNT; i++) {
		struct xylem_span part = XYLEM_SPAN_NONE;
		if ((bits & 1u << i) && !span_read(reader, &part)) {
			return false;
		}
		part_set(message, i, part);
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		if (!span_read(reader, &room[i].name) || !span_read(reader, &room[i].value)) {
			return false;
		}
	}
	message->extensions = room;
	if ((bits & DATA_BIT) && !span_read(reader, &message->data)) {
		return false;
	}
	return reader->at == reader->end;
}

static struct reader reader_over(struct xylem_span bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.at;
	return (struct reader){ at, at + bytes.n };
}

size_t envelope_extensions(struct xylem_span bytes)
{
	struct reader reader = reader_over(bytes);
	struct xylem_message message = { 0 };
	unsigned bits;
	return head_read(&reader, &message, &bits) ? message.extension_count : 0;
}

int envelope_read(struct xylem_span bytes, struct xylem_message *ret_message, struct xylem_extension *room)
{
	struct reader reader = reader_over(bytes);
	struct xylem_message message = { 0 };
	unsigned bits;
	if (!head_read(&reader, &message, &bits) || !body_read(&reader, &message, bits, room)) {
		return -XYLEM_E_DAMAGED;
	}
	message.position = ret_message->position;
	message.journal_time_us = ret_message->journal_time_us;
	*ret_message = message;
	return 0;
}

/* --- Copying ------------------------------------------------------------ */

static struct xylem_span span_copy(char **at, struct xylem_span span)
{
	if (!xylem_span_present(span)) {
		return XYLEM_SPAN_NONE;
	}
	struct xylem_span copy = xylem_span(*at, span.n);
	memcpy(*at, span.at, span.n);
	*at += span.n;
	return copy;
}

static size_t copy_size(const struct xylem_message *message)
{
	size_t n = message->data.n;
	for (size_t i = 0; i < PART_COUNT; i++) {
		n += part_get(message, i).n;
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		n += message->extensions[i].name.n + message->extensions[i].value.n;
	}
	return n + 1; /* never nothing: an empty span still points somewhere */
}

struct xylem_message *message_copy(const struct xylem_message *message, struct xylem_arena *arena)
{
	size_t count = message->extension_count;
	struct xylem_message *copy = xylem_arena_take(
		arena, sizeof(*copy) + count * sizeof(struct xylem_extension));
	char *at = xylem_arena_take(arena, copy_size(message));
	if (!copy || !at) {
		return NULL;
	}
	struct xylem_extension *extensions = (struct xylem_extension *)(copy + 1);
	*copy = *message;
	for (size_t i = 0; i < PART_COUNT; i++) {
		part_set(copy, i, span_copy(&at, part_get(message, i)));
	}
	for (size_t i = 0; i < count; i++) {
		extensions[i].name = span_copy(&at, message->extensions[i].name);
		extensions[i].value = span_copy(&at, message->extensions[i].value);
	}
	copy->extensions = count ? extensions : NULL;
	copy->data = span_copy(&at, message->data);
	copy->route = XYLEM_SPAN_NONE; /* its text lives as long as a generation, maybe not as the copy */
	return copy;
}
