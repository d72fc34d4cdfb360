/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_BODY_H
#define XMPP_BODY_H

#include <xmpp/xml.h>

/*
 * What somebody wrote in a message: its body without what his client put there
 * for clients that know less (XEP-0428, fallback indication).
 *
 * The quotation before an answer (XEP-0461) is cut out. A body that is nothing
 * but the words for a reaction, a retraction or a call (XEP-0444, 0424, 0353)
 * was not written by anybody: absent, as where there is no body at all. Other
 * fallbacks (a file's address) are what there is to read, and stay.
 */
struct xylem_span body_written(const struct xml_node *message, struct xylem_arena *arena);
/* The child of that name in the message's own language, of several (RFC 6121, 5.2.3): `body`, `subject`. NULL: none. */
const struct xml_node *body_own(const struct xml_node *message, const char *name);
/* Does it have such a body? */
bool body_is_written(const struct xml_node *message);

/* XEP-0461: the id of the message that this one answers; empty: none. */
struct xylem_span body_answers(const struct xml_node *message);

/* Is it something about a message, a call or a client, and no content: chat states, markers, reactions, hints ...? */
bool body_is_decoration(const struct xml_node *child);
/* Can nobody but its receiver's key read the message (XEP-0380 and the kinds before it)? */
bool body_is_encrypted(const struct xml_node *message);

#endif
