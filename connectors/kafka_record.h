/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_KAFKA_RECORD_H
#define CONNECTORS_KAFKA_RECORD_H

#include <librdkafka/rdkafka.h>

#include <xylem/xylem.h>

#include "kafka_client.h"

/*
 * Events as Kafka records and back: CloudEvents Kafka protocol binding 1.0.2
 * (cloudevents/spec, bindings/kafka-protocol-binding.md), plus records that are no events.
 */

/* A record to be produced. `value` that is absent makes a tombstone. */
struct kafka_record {
	rd_kafka_headers_t *headers; /* owned, until a producer takes them; may be NULL */
	struct xylem_span value;     /* borrowed from the message or `scratch` */
};

/* 0 or -XYLEM_E_MEMORY. `scratch` is used for the structured form and must outlive the record. */
int kafka_record_make(struct kafka_record *ret_record, const struct xylem_message *message,
	enum kafka_format format, struct xylem_buffer *scratch);

/* What a consumed record is made of. Spans are borrowed from the record. */
struct kafka_input {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms;         /* -1: none */
	struct xylem_span key, value; /* absent: null */
	const struct kafka_header *headers;
	size_t header_count;
	size_t max_message;
};
struct kafka_header {
	struct xylem_span name, value;
};

/*
 * The event that a record is: binary or structured mode by its headers, else a plain record, which becomes an event
 * of type `kafka.record` and id TOPIC-PARTITION-OFFSET. A record that claims to be an event and is not a valid one becomes a plain
 * one with the extension `ingesterror`; one whose value is over max_message becomes one without data, with `dataref`.
 * So every record becomes a valid event. False: out of memory.
 */
bool kafka_record_read(
	const struct kafka_input *input, struct xylem_arena *arena, struct xylem_message *ret_message);

#endif
