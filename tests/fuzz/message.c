/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an envelope, and as an event in the JSON format. What reads as
 * an envelope writes back to the very same bytes. What reads as an event is
 * written, read and written again to the same text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <message/envelope.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void envelope_try(struct xylem_span bytes)
{
	struct xylem_extension *room = calloc(envelope_extensions(bytes) + 1, sizeof(*room));
	struct xylem_message message = { 0 };
	if (envelope_read(bytes, &message, room) == 0) {
		assert(envelope_size(&message) == bytes.n);
		char *again = malloc(bytes.n);
		envelope_write(&message, again);
		assert(memcmp(again, bytes.at, bytes.n) == 0);
		free(again);
		struct xylem_arena *arena = xylem_arena_new(0);
		assert(envelope_size(message_copy(&message, arena)) == bytes.n);
		xylem_message_check(&message, NULL);
		xylem_arena_free(arena);
	}
	free(room);
}

static void event_try(struct xylem_span json)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_message message;
	struct xylem_reason reason;
	if (xylem_message_read_json(&message, arena, json, &reason) == 0) {
		struct xylem_buffer first = { 0 }, second = { 0 };
		struct xylem_message again;
		xylem_message_check(&message, &reason);
		xylem_message_write_json(&message, &first);
		assert(xylem_message_read_json(&again, arena, xylem_buffer_borrow(&first), &reason) == 0);
		assert(xylem_span_present(again.data) == xylem_span_present(message.data));
		assert(xylem_span_equal(again.data, message.data));
		xylem_message_write_json(&again, &second);
		assert(xylem_span_equal(xylem_buffer_borrow(&first), xylem_buffer_borrow(&second)));
		xylem_buffer_finish(&first);
		xylem_buffer_finish(&second);
	}
	xylem_arena_free(arena);
}

static void handle_try(struct xylem_span text)
{
	struct xylem_position position;
	char again[XYLEM_HANDLE_SIZE];
	if (xylem_handle_parse(text, &position) == 0) {
		assert(xylem_span_is(text, xylem_handle_format(position, again)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct xylem_span text = xylem_span((const char *)bytes, n);
	envelope_try(text);
	event_try(text);
	handle_try(text);
	return 0;
}
