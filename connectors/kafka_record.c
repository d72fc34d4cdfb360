/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events and Kafka records.
 *
 * Out: binary mode puts each attribute into a header `ce_NAME` and the media type
 * into `content-type`; structured mode makes the value the JSON form of the whole
 * event; plain mode leaves the attributes away. An event without data is a null
 * value in binary and plain mode: a tombstone on a compacted topic.
 *
 * In: whatever a record holds, it becomes a valid event, because a source may
 * neither lose a record nor let one record hold up its partition. Ids of plain records are
 * made of topic, partition and offset, so a record read twice has the same id.
 *
 * The rule not to break: kafka_record_read() never refuses.
 */
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "kafka_record.h"

#define EXTENSIONS 64 /* of one event; a record with more becomes a plain one */

/* ---- out ---- */

static bool begins(struct xylem_span text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text.n >= n && strncasecmp(text.at, prefix, n) == 0;
}

static void add_header(
	rd_kafka_headers_t *headers, const char *prefix, struct xylem_span name, struct xylem_span value)
{
	char text[64];

	if (xylem_span_present(value)) {
		int n = snprintf(text, sizeof(text), "%s%.*s", prefix, (int)name.n, name.at);

		rd_kafka_header_add(headers, text, n, value.at, (ssize_t)value.n);
	}
}

static void add_attribute(rd_kafka_headers_t *headers, const char *name, struct xylem_span value)
{
	add_header(headers, "", xylem_span_of(name), value);
}

static void add_attributes(rd_kafka_headers_t *headers, const struct xylem_message *message)
{
	size_t i;

	add_attribute(headers, "ce_specversion", XYLEM_SPAN_LITERAL("1.0"));
	add_attribute(headers, "ce_id", message->id);
	add_attribute(headers, "ce_source", message->source);
	add_attribute(headers, "ce_type", message->type);
	add_attribute(headers, "ce_subject", message->subject);
	add_attribute(headers, "ce_time", message->time);
	add_attribute(headers, "ce_dataschema", message->dataschema);
	for (i = 0; i < message->extension_count; i++) {
		add_header(headers, "ce_", message->extensions[i].name, message->extensions[i].value);
	}
}

int kafka_record_make(struct kafka_record *ret_record, const struct xylem_message *message,
	enum kafka_format format, struct xylem_buffer *scratch)
{
	struct kafka_record record = { .headers = rd_kafka_headers_new(8 + message->extension_count),
		.value = message->data };

	if (record.headers == NULL) {
		return -XYLEM_E_MEMORY;
	}
	if (format == KAFKA_BINARY && begins(message->datacontenttype, "application/cloudevents")) {
		/* Its data is itself an event, and by its type would be taken for this one. */
		format = KAFKA_STRUCTURED;
	}
	if (format == KAFKA_STRUCTURED) {
		add_attribute(record.headers, "content-type",
			XYLEM_SPAN_LITERAL("application/cloudevents+json; charset=UTF-8"));
		xylem_buffer_clear(scratch);
		xylem_message_write_json(message, scratch);
		record.value = xylem_buffer_borrow(scratch);
	} else {
		add_attribute(record.headers, "content-type", message->datacontenttype);
	}
	if (format == KAFKA_BINARY) {
		add_attributes(record.headers, message);
	}
	if (format == KAFKA_STRUCTURED && xylem_buffer_failed(scratch)) {
		rd_kafka_headers_destroy(record.headers);
		return -XYLEM_E_MEMORY;
	}
	*ret_record = record;
	return 0;
}

/* ---- in ---- */

static struct xylem_span header(const struct kafka_input *input, const char *name)
{
	size_t i = input->header_count;

	while (i-- > 0) { /* of several the last one counts, as in rd_kafka_header_get_last */
		const struct kafka_header *found = &input->headers[i];

		if (found->name.n == strlen(name) && strncasecmp(found->name.at, name, found->name.n) == 0) {
			return found->value;
		}
	}
	return XYLEM_SPAN_NONE;
}

static int read_binary(const struct kafka_input *input, struct xylem_arena *arena,
	struct xylem_message *message, struct xylem_reason *reason)
{
	size_t room = input->header_count < EXTENSIONS ? input->header_count : EXTENSIONS;
	struct xylem_extension *extensions = xylem_arena_take(arena, room * sizeof(*extensions));
	struct {
		const char *name;
		struct xylem_span *field;
	} fields[] = {
		{ "id", &message->id },
		{ "source", &message->source },
		{ "type", &message->type },
		{ "subject", &message->subject },
		{ "time", &message->time },
		{ "dataschema", &message->dataschema },
	};
	size_t i, k;

	if (extensions == NULL) {
		return -XYLEM_E_MEMORY;
	}
	message->extensions = extensions;
	for (i = 0; i < input->header_count; i++) {
		struct xylem_span name = input->headers[i].name, value = input->headers[i].value;

		if (!begins(name, "ce_") || !xylem_span_present(value) || begins(name, "ce_specversion")) {
			continue;
		}
		name = xylem_span(name.at + 3, name.n - 3);
		for (k = 0; k < sizeof(fields) / sizeof(fields[0]) && !xylem_span_is(name, fields[k].name);
			k++) {
		}
		if (k < sizeof(fields) / sizeof(fields[0])) {
			*fields[k].field = value;
		} else if (message->extension_count < room) {
			extensions[message->extension_count++] = (struct xylem_extension){ name, value };
		} else {
			xylem_reason_set(reason, "more than %d extensions", EXTENSIONS);
			return -XYLEM_E_INVALID;
		}
	}
	message->datacontenttype = header(input, "content-type");
	message->data = input->value;
	return 0;
}

/* The event in the record by the binding; -XYLEM_E_INVALID with the reason, -XYLEM_E_END: it does not claim to be one. */
static int read_event(const struct kafka_input *input, struct xylem_arena *arena,
	struct xylem_message *message, struct xylem_reason *reason)
{
	struct xylem_span type = header(input, "content-type");
	struct xylem_span version = header(input, "ce_specversion");
	int status;

	if (begins(type, "application/cloudevents")) {
		if (!begins(type, "application/cloudevents+json") || !xylem_span_present(input->value)) {
			xylem_reason_set(reason, "a structured event in a form other than JSON");
			return -XYLEM_E_INVALID;
		}
		status = xylem_message_read_json(message, arena, input->value, reason);
	} else if (!xylem_span_present(version)) {
		return -XYLEM_E_END;
	} else if (!xylem_span_is(version, "1.0")) {
		xylem_reason_set(reason, "ce_specversion is not 1.0");
		return -XYLEM_E_INVALID;
	} else {
		status = read_binary(input, arena, message, reason);
	}
	return status ? status : xylem_message_check(message, reason);
}

static struct xylem_span time_text(int64_t timestamp_ms, struct xylem_arena *arena)
{
	time_t seconds = (time_t)(timestamp_ms / 1000);
	struct tm parts;

	/* Years of more than four digits have no RFC 3339 form. */
	if (timestamp_ms < 0 || gmtime_r(&seconds, &parts) == NULL || parts.tm_year > 8099) {
		return XYLEM_SPAN_NONE;
	}
	return xylem_span_of(xylem_arena_format(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
		parts.tm_sec, (int)(timestamp_ms % 1000)));
}

static void add_extension(
	struct xylem_message *message, struct xylem_arena *arena, const char *name, struct xylem_span value)
{
	if (xylem_span_present(value)) {
		(void)xylem_message_set_attribute(message, arena, xylem_span_of(name), value);
	}
}

/* Text that may stand in an attribute: no control characters, nothing but ASCII. */
static struct xylem_span plain_text(const char *text, struct xylem_arena *arena)
{
	char *copy = xylem_arena_text(arena, xylem_span_of(text));
	char *c;

	for (c = copy; c != NULL && *c != '\0'; c++) {
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	}
	return xylem_span_of(copy);
}

/* The extensions that a plain record may bring along: a trace goes on through the bus. */
static void add_trace(
	const struct kafka_input *input, struct xylem_message *message, struct xylem_arena *arena)
{
	static const char *const names[] = { "traceparent", "tracestate" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct xylem_span value = header(input, names[i]);
		struct xylem_message tried = *message;
		struct xylem_reason ignored;

		add_extension(&tried, arena, names[i], value);
		if (xylem_message_check(&tried, &ignored) == 0) {
			*message = tried;
		}
	}
}

static bool read_plain(
	const struct kafka_input *input, struct xylem_arena *arena, struct xylem_message *message)
{
	struct xylem_message tried;
	struct xylem_reason ignored;

	*message = (struct xylem_message){
		.id = xylem_span_of(xylem_arena_format(
			arena, "%s-%d-%lld", input->topic, (int)input->partition, (long long)input->offset)),
		.source = xylem_span_of(xylem_arena_format(arena, "kafka:%s", input->topic)),
		.type = XYLEM_SPAN_LITERAL("kafka.record"),
		.time = time_text(input->timestamp_ms, arena),
		.data = input->value,
	};
	tried = *message;
	tried.datacontenttype = header(input, "content-type");
	if (!begins(tried.datacontenttype, "application/cloudevents") &&
		xylem_message_check(&tried, &ignored) == 0) {
		*message = tried;
	}
	add_trace(input, message, arena);
	return xylem_span_present(message->id) && xylem_span_present(message->source);
}

/* A record that the bus may not take whole is told of, with where it lies. */
static void leave_data(
	const struct kafka_input *input, struct xylem_arena *arena, struct xylem_message *message)
{
	message->data = XYLEM_SPAN_NONE;
	add_extension(message, arena, "ingesterror",
		xylem_span_of(xylem_arena_format(
			arena, "value of %zu bytes is over bus.max_message", input->value.n)));
	add_extension(message, arena, "dataref",
		xylem_span_of(xylem_arena_format(arena, "kafka:%s/%d/%lld", input->topic,
			(int)input->partition, (long long)input->offset)));
}

bool kafka_record_read(
	const struct kafka_input *input, struct xylem_arena *arena, struct xylem_message *ret_message)
{
	struct xylem_reason reason = { "" };
	struct xylem_message message = { 0 };
	int status = input->value.n > input->max_message ? -XYLEM_E_TOO_LARGE
							 : read_event(input, arena, &message, &reason);

	if (status == -XYLEM_E_MEMORY) {
		return false;
	}
	if (status != 0 && !read_plain(input, arena, &message)) {
		return false;
	}
	if (status == -XYLEM_E_TOO_LARGE) {
		leave_data(input, arena, &message);
	} else if (status != 0 && status != -XYLEM_E_END) {
		add_extension(&message, arena, "ingesterror", plain_text(reason.text, arena));
	}
	message.key = input->key;
	*ret_message = message;
	return true;
}
