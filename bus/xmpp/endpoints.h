/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_ENDPOINTS_H
#define XMPP_ENDPOINTS_H

#include <xmpp/service.h>

/*
 * Inside the room only: the endpoints NAME@domain that connectors have claimed
 * (xmpp_service_claim). Any thread, except where an endpoint is called: that is
 * the link's.
 */
struct endpoints;

struct endpoints *endpoints_new(void);
/* Those that are still claimed are forgotten, and not called again. */
struct endpoints *endpoints_free(struct endpoints *endpoints);

/* Is the local part one of an endpoint? */
bool endpoints_have(struct endpoints *endpoints, struct xylem_span local);
/* Is it there, and does it know this address (normalised, bare) by itself, whomever the bus admits? */
bool endpoints_know(struct endpoints *endpoints, struct xylem_span local, const char *bare);

/* Hands a message or an IQ to the endpoint, as xmpp_endpoint.stanza says. False: there is none, or it did not take it. */
bool endpoints_take(
	struct endpoints *endpoints, struct xylem_span local, const struct xml_node *stanza, int violation);
/* Likewise what may be part of a conversation of its own (xmpp_endpoint.conversation). */
bool endpoints_converse(struct endpoints *endpoints, struct xylem_span local, const struct xml_node *stanza);
/* Tells all that the link came up or went down. */
void endpoints_link(struct endpoints *endpoints, bool up, const char *why);

struct endpoints *service_endpoints(const struct xmpp_service *service);

#endif
