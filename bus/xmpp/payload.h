/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PAYLOAD_H
#define XMPP_PAYLOAD_H

#include <xylem/message.h>
#include <xmpp/xml.h>

/*
 * Messages in XML. What an element carries becomes the message's data:
 *
 *   <json xmlns='urn:xmpp:json:0'>  a CloudEvent (an object with `specversion`)
 *                                   is the message; other JSON is the data,
 *                                   byte for byte, application/json
 *   any other element               its XML is the data, application/xml
 *
 * Sets id, type, source where the payload does not: `defaults` has them. All in
 * the arena. -XYLEM_E_INVALID with the reason; -XYLEM_E_MEMORY.
 */
struct payload_defaults {
	struct xylem_span id; /* absent: a new one */
	struct xylem_span type;
	struct xylem_span source;
};
int payload_read(const struct xml_node *payload, const struct payload_defaults *defaults,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason);
/* The same for a message's text: a CloudEvent, other objects and arrays as JSON, else text/plain. */
int payload_read_text(struct xylem_span text, const struct payload_defaults *defaults,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason);

/*
 * JSON as XML text: escaped, and U+FFFE and U+FFFF, which XML cannot have, as
 * JSON escapes (they can only stand in strings, where these mean the same).
 */
void payload_write_json(struct xylem_buffer *out, struct xylem_span json);

#endif
