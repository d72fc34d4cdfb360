/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_CALL_H
#define XMPP_CALL_H

#include <xmpp/xml.h>

/*
 * Does the message offer a call (XEP-0353, XEP-0482)? Then the answer that rejects it is appended: `from` whom
 * (absent where the server stamps it), and with which `id`. False: it is something else, and nothing is written.
 */
bool call_reject(const struct xml_node *message, struct xylem_span from, struct xylem_span id,
	struct xylem_buffer *out);

#endif
