/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_STREAM_H
#define XMPP_STREAM_H

#include <xylem/error.h>
#include <xmpp/xml.h>

/*
 * Reads an XML stream (RFC 6120, 4): bytes in, one tree a stanza out. A DTD, a
 * comment or a processing instruction ends it (RFC 6120, 11.1).
 */
struct stream;

#define STREAM_DEPTH 32      /* elements inside one another, the stanza itself is the first */
#define STREAM_ATTRIBUTES 64 /* of one element; as many declarations */

struct stream_events {
	/* The opening element; stays valid until stream_free(). */
	void (*header)(void *context, const struct xml_node *header);
	/*
	 * One stanza, valid until the call returns. `violation` 0; or -XYLEM_E_TOO_LARGE
	 * or -XYLEM_E_LIMIT (depth, attributes): the stanza is cut down to its own
	 * attributes without children, so that its sender can be told and nobody
	 * else is affected.
	 */
	void (*stanza)(void *context, const struct xml_node *stanza, int violation);
	/* The closing tag. */
	void (*end)(void *context);
};

/* `limit`: bytes of one stanza as it comes over the wire. NULL without memory. */
struct stream *stream_new(size_t limit, const struct stream_events *events, void *context);
struct stream *stream_free(struct stream *stream);

/*
 * The next bytes. -XYLEM_E_INVALID: not well-formed, or something that a stream
 * must not have; -XYLEM_E_TOO_LARGE: a single tag beyond the limit;
 * -XYLEM_E_MEMORY. After a failure only stream_free() is left.
 */
int stream_feed(struct stream *stream, struct xylem_span bytes, struct xylem_reason *reason);

#endif
