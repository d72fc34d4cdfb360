/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_ROSTER_H
#define CONNECTORS_XMPP_ROSTER_H

#include <connectors/xmpp_endpoint.h>

/*
 * The account's contacts (RFC 6121, 2 to 4): who shows us their presence, and
 * which of their resources are online. At most 10,000 contacts, 64 resources each.
 */
struct roster;
struct session;

struct roster *roster_new(struct session *session);
struct roster *roster_free(struct roster *roster);

/* On the session's thread. Connected: the roster is fetched. Gone: what is known is kept, and of no use. */
void roster_up(struct roster *roster);
void roster_down(struct roster *roster);
/* Nobody is known to be online: the stream is a new one. */
void roster_clear(struct roster *roster);
/* A change of the roster, an IQ of the server's: answered. */
void roster_push(struct roster *roster, const struct xml_node *iq);
/* Presence, and requests to see ours: granted to friends, and asked of them in turn. */
void roster_presence(struct roster *roster, const struct xml_node *presence);

/* Any thread. Is no other client of the account there? */
bool roster_alone(struct roster *roster);
enum endpoint_sight roster_sight(struct roster *roster, const char *bare);

#endif
