/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_CLOUDEVENTS_HTTP_H
#define CONNECTORS_CLOUDEVENTS_HTTP_H

#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/message.h>
#include <xylem/span.h>

/* The HTTP protocol binding of CloudEvents 1.0 (bindings/http-protocol-binding.md). */

enum cloudevents_mode {
	CLOUDEVENTS_NONE,        /* no CloudEvents media type: binary mode, or no event at all */
	CLOUDEVENTS_STRUCTURED,  /* application/cloudevents+json */
	CLOUDEVENTS_BATCH,       /* application/cloudevents-batch+json */
	CLOUDEVENTS_UNSUPPORTED, /* another event format: XML, Protobuf, Avro */
};

/* By the media type's beginning, without case, `-batch` tested first (3. HTTP Message Mapping). */
enum cloudevents_mode cloudevents_mode_of(struct xylem_span content_type);

/*
 * A header's value as attribute text (3.1.3.2): undoes a double-quoted string,
 * then one round of percent-encoding. Borrowed where nothing was encoded, else
 * in the arena. -XYLEM_E_INVALID for a broken quote or escape, for control
 * characters and for what is not UTF-8.
 */
int cloudevents_header_decode(struct xylem_span value, struct xylem_arena *arena, struct xylem_span *ret_text,
	struct xylem_reason *reason);

/* Attribute text as a header's value: space, `"`, `%` and all outside U+0021..U+007E percent-encoded. */
void cloudevents_header_encode(struct xylem_buffer *out, struct xylem_span text);

#endif
