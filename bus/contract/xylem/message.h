/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_MESSAGE_H
#define XYLEM_MESSAGE_H

#include <stdint.h>

#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/span.h>

/*
 * Where a message stands in the journal. Its text form, the handle, is `p-o`.
 * Offsets of a partition grow, but may have gaps; positions of different
 * partitions are not comparable.
 */
struct xylem_position {
	uint32_t partition;
	uint64_t offset;
};

/* What put a message into the journal. */
enum xylem_message_kind {
	XYLEM_MESSAGE = 1, /* came in through a connector or by `publish` */
	XYLEM_DERIVED = 2, /* delivered to a topic, or diverted; `parent` is what it was made from */
	XYLEM_REPLAY = 3,  /* a replay of a hospital case; `parent` is the original */
};

struct xylem_extension {
	struct xylem_span name;  /* [a-z0-9]{1,20} */
	struct xylem_span value; /* its canonical string form (CloudEvents 1.0.2, type system) */
};

/*
 * A message is a CloudEvent 1.0: context attributes and opaque data bytes.
 * All spans are borrowed; whoever hands a message to a callback keeps them
 * valid until the callback returns (or until the event it names).
 *
 * Attributes that are absent have a NULL span. `specversion` is always "1.0".
 * `key` orders: messages of one key keep their order. It is chosen by the
 * source; absent means that the message has no order.
 */
struct xylem_message {
	struct xylem_position position; /* set by the journal */
	int64_t journal_time_us;        /* Unix time in microseconds at append; what `now` means to a step */
	enum xylem_message_kind kind;
	struct xylem_position parent; /* of DERIVED and REPLAY */
	uint32_t part;                /* of what a step split: 1, 2, ...; 0: whole. Not stored */
	struct xylem_span route;      /* what a sink is given: the route that it comes by. Not stored */

	struct xylem_span ingress; /* the connector's name, `topic:NAME`, `lane:ROUTE/DESTINATION` */
	struct xylem_span key;

	struct xylem_span id;     /* required, non-empty */
	struct xylem_span source; /* required, URI-reference */
	struct xylem_span type;   /* required, non-empty */
	struct xylem_span subject;
	struct xylem_span time; /* RFC 3339, as the producer wrote it */
	struct xylem_span datacontenttype;
	struct xylem_span dataschema;
	const struct xylem_extension *extensions;
	size_t extension_count;

	struct xylem_span data; /* NULL: the event has no data */
};

/*
 * Checks what CloudEvents 1.0 asks of the attributes: required ones present
 * and not empty, names, no control characters, valid UTF-8, `time` by RFC 3339.
 * -XYLEM_E_INVALID with the attribute named.
 */
XYLEM_PUBLIC int xylem_message_check(const struct xylem_message *message, struct xylem_reason *reason);

/* Text of one context attribute by its CloudEvents name; absent span if not set. */
XYLEM_PUBLIC struct xylem_span xylem_message_attribute(
	const struct xylem_message *message, struct xylem_span name);

/*
 * Sets an attribute in place (arena-copies nothing: the value is borrowed).
 * An absent value removes it. -XYLEM_E_INVALID for a name outside the rules or
 * for removing a required one; -XYLEM_E_MEMORY.
 */
XYLEM_PUBLIC int xylem_message_set_attribute(struct xylem_message *message, struct xylem_arena *arena,
	struct xylem_span name, struct xylem_span value);

/*
 * The JSON event format (cloudevents/formats/json-format.md). Writing: data of
 * a JSON content type (or none stated) that is valid JSON is written as it
 * stands, byte for byte; other UTF-8 text as a string; the rest as data_base64.
 * Reading: one object; strings are unescaped into the arena; `data` that is
 * JSON is borrowed from `json` unchanged. -XYLEM_E_INVALID names the member.
 */
XYLEM_PUBLIC void xylem_message_write_json(const struct xylem_message *message, struct xylem_buffer *out);
XYLEM_PUBLIC int xylem_message_read_json(struct xylem_message *ret_message, struct xylem_arena *arena,
	struct xylem_span json, struct xylem_reason *reason);

/* True for application/json, text/json, any +json, and for no type stated. */
XYLEM_PUBLIC bool xylem_content_type_is_json(struct xylem_span datacontenttype);

/* `p-o`; the buffer takes 32 bytes with its terminator. */
#define XYLEM_HANDLE_SIZE 32
XYLEM_PUBLIC const char *xylem_handle_format(struct xylem_position position, char text[XYLEM_HANDLE_SIZE]);
XYLEM_PUBLIC int xylem_handle_parse(struct xylem_span text, struct xylem_position *ret_position);

/* A new UUIDv7 (RFC 9562) as 36 characters and a terminator; ordered within a thread. */
#define XYLEM_UUID_SIZE 37
XYLEM_PUBLIC const char *xylem_uuid_new(char text[XYLEM_UUID_SIZE]);

#endif
