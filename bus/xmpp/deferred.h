/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_DEFERRED_H
#define XMPP_DEFERRED_H

#include <xmpp/service.h>
#include <xmpp/stanza.h>

/*
 * A request whose answer comes later, from another thread: the addresses are
 * kept in one allocation, and xmpp_service_stop() waits for all of them.
 */
struct deferred {
	struct xmpp_service *service;
	struct xml_node iq; /* its attributes only: enough for stanza_result_open() and stanza_error() */
	struct xml_attribute attributes[4];
	char text[];
};
struct deferred *deferred_new(struct xmpp_service *service, const struct xml_node *stanza);
/* Sends `out` (may be empty) and frees. */
void deferred_answer(struct deferred *deferred, struct xylem_buffer *out);
void deferred_refuse(struct deferred *deferred, const struct stanza_error *error);

#endif
