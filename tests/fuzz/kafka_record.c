/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a Kafka record: lines `NAME:VALUE` are its headers, what follows
 * an empty line is its value. Whatever it is, it becomes a valid event, the
 * same each time; an event that is written as a record in binary mode and read
 * again is the same event.
 */
#include <assert.h>
#include <stdint.h>

#include <connectors/kafka_record.h>
#include <connectors/lines.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define HEADERS 100

static struct kafka_header headers[HEADERS];

static struct kafka_input input_of(struct xylem_span bytes)
{
	struct kafka_input input = { .topic = "orders",
		.partition = 3,
		.offset = 77,
		.timestamp_ms = 1700000000000,
		.value = XYLEM_SPAN_NONE,
		.headers = headers,
		.max_message = 4096 };
	while (bytes.n > 0) {
		const char *end = memchr(bytes.at, '\n', bytes.n);
		struct xylem_span line = xylem_span(bytes.at, end ? (size_t)(end - bytes.at) : bytes.n);
		bytes = end ? xylem_span(end + 1, bytes.n - line.n - 1) : xylem_span(bytes.at + line.n, 0);
		if (line.n == 0) {
			input.value = bytes;
			break;
		}
		const char *colon = memchr(line.at, ':', line.n);
		if (input.header_count < HEADERS) {
			struct kafka_header *header = &headers[input.header_count++];
			header->name = colon ? xylem_span(line.at, (size_t)(colon - line.at)) : line;
			header->value = colon ? xylem_span(colon + 1, line.n - header->name.n - 1)
					      : XYLEM_SPAN_NONE;
		}
	}
	return input;
}

static bool same(struct xylem_span a, struct xylem_span b)
{
	return xylem_span_present(a) == xylem_span_present(b) && (!a.at || xylem_span_equal(a, b));
}

/* Written in binary mode and read again. */
static void round_trip(const struct xylem_message *message, struct xylem_arena *arena)
{
	struct kafka_record record;
	XYLEM_BUFFER_SCOPED scratch = { 0 };
	assert(kafka_record_make(&record, message, KAFKA_BINARY, &scratch) == 0);
	struct kafka_input input = { .topic = "again",
		.headers = headers,
		.value = record.value,
		.key = message->key,
		.max_message = 1 << 20 };
	const char *name;
	const void *value;
	size_t size;
	while (input.header_count < HEADERS && rd_kafka_header_get_all(record.headers, input.header_count,
						       &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		headers[input.header_count++] = (struct kafka_header){ xylem_span_of(name),
			xylem_span(value, size) };
	}
	struct xylem_message again;
	assert(kafka_record_read(&input, arena, &again));
	assert(same(message->id, again.id) && same(message->source, again.source) &&
		same(message->type, again.type) && same(message->subject, again.subject) &&
		same(message->time, again.time) && same(message->datacontenttype, again.datacontenttype) &&
		same(message->data, again.data) && message->extension_count == again.extension_count);
	rd_kafka_headers_destroy(record.headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct kafka_input input = input_of(xylem_span((const char *)bytes, n));
	struct xylem_message message;
	struct xylem_reason reason;
	assert(kafka_record_read(&input, arena, &message));
	assert(xylem_message_check(&message, &reason) == 0);
	round_trip(&message, arena);
	xylem_arena_free(arena);
	return 0;
}
