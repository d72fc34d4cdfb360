/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_ROOM_H
#define CONNECTORS_XMPP_ROOM_H

#include <base/jid.h>
#include <connectors/xmpp_endpoint.h>

/*
 * The room that an endpoint is in (XEP-0045): entered, kept (XEP-0410), entered
 * again. One thread a room, for what has its time.
 */
struct room;

/* NULL without memory or thread. */
struct room *room_new(struct endpoint *endpoint);
/* Leaves it. */
struct room *room_free(struct room *room);

/* The carrier came up or went down. */
void room_changed(struct room *room, bool up, const char *why);
/* Is this bare address the room's? */
bool room_is(const struct room *room, const char *bare);
/* A stanza of the room, on the carrier's thread; false: it is of somebody else. */
bool room_stanza(struct room *room, const struct xml_node *stanza);
/* An invitation to any room, with or without one of one's own. False: it is none. */
bool room_invitation(struct endpoint *endpoint, const struct xml_node *stanza);

/* Our full address in it, which reflections come from; false: not in it, and *result says what a delivery fails with. */
bool room_occupant(struct room *room, char ret_full[JID_SIZE + 512], struct xylem_result *result);
/* A message was refused because we are not in it: it is entered again. */
int room_probe(struct room *room, struct xylem_result *result);

#endif
