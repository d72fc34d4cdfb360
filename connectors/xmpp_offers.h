/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_OFFERS_H
#define CONNECTORS_XMPP_OFFERS_H

#include <connectors/xmpp_endpoint.h>

/*
 * Which clients of people who are online give receipts: asked by disco#info when
 * a resource shows itself, or known by its caps (XEP-0115). At most 10,000 resources.
 */
struct offers;

struct offers *offers_new(struct endpoint *endpoint);
/* Forgets the carrier's answers that are still to come. */
struct offers *offers_free(struct offers *offers);

/* A presence, on the carrier's thread. */
void offers_presence(struct offers *offers, const struct xml_node *presence);
/* The carrier went down: nobody is known. */
void offers_clear(struct offers *offers);
/* Does a client of this bare address give receipts? Waits at most 2 s for one that was asked and has not answered. */
bool offers_receipts(struct offers *offers, const char *bare);

#endif
