/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_ENDPOINT_BODY_H
#define CONNECTORS_XMPP_ENDPOINT_BODY_H

#include <pthread.h>

#include <base/jid.h>
#include <connectors/xmpp_awaited.h>
#include <connectors/xmpp_endpoint.h>
#include <connectors/xmpp_repeats.h>
#include <connectors/xmpp_template.h>
#include <xmpp/stanza.h>

/* The inside of an endpoint, for its own files only. */

#define NS_REPLY "urn:xmpp:reply:0"
#define NS_MUC "http://jabber.org/protocol/muc"
#define NS_MUC_USER "http://jabber.org/protocol/muc#user"

#define ID_SIZE (XYLEM_HANDLE_SIZE + 8)

struct room;
struct offers;

struct endpoint {
	uint32_t magic;
	struct xylem_host *host;
	const struct endpoint_options *options;
	const struct endpoint_carrier *carrier;
	void *link, *owner;
	char *address, *resource;
	bool stamp;

	struct template *text, *subject;
	struct awaited *awaited;
	struct offers *offers; /* which clients give receipts; NULL: of no interest */
	struct room *room;     /* NULL: none */
	const char **features; /* ended by NULL */

	struct repeats *repeats;   /* what was taken lately */
	struct xylem_arena *arena; /* of the carrier's thread */
	pthread_mutex_t lock;      /* held while a message is handed in: stopping waits for it */
	struct xylem_source *source;
};

/* --- xmpp_intake.c ------------------------------------------------------------ */

/* Hands a message in that was said by `sender`; answers the stanza after the sync, unless `silent`. Under the lock. */
struct said {
	const struct xml_node *stanza;
	const struct xml_node *content;
	const char *from;   /* full, as the server stamped it */
	const char *source; /* bare, or the occupant of a room */
	const char *key;
	const char *type; /* the event's */
	struct xylem_span id, subject;
	struct xylem_span item; /* of PubSub, which it is or which is gone; or absent */
	const char *kind;       /* "groupchat", "published", or NULL */
	bool silent;
};
void intake_said(struct endpoint *endpoint, const struct said *said);
/* What carries the data: our wrapper, a foreign element, or the body. NULL: nothing. */
const struct xml_node *intake_content(const struct xml_node *stanza);
struct xylem_span intake_id(const struct xml_node *stanza);

/* --- xmpp_compose.c ------------------------------------------------------------- */

/* The whole stanza of a message; `room`: as said there. */
struct letter {
	const struct xylem_message *message;
	const char *id, *to;
	bool room;
	bool receipt; /* is one asked for? */
};
void compose(const struct endpoint *endpoint, const struct letter *letter, struct xylem_arena *arena,
	struct xylem_buffer *out);

/* The condition of an error stanza (RFC 6120, 8.3.3); `undefined-condition` where it says none. */
struct xylem_span endpoint_condition(const struct xml_node *stanza);
/* An error that came after the server's word, while the delivery waits for a receipt or a reflection. False: it does not. */
bool endpoint_refused(struct endpoint *endpoint, const struct xml_node *stanza);
/* `from` of what we send: bare, or full in a room; absent where the server stamps. In the arena. */
struct xylem_span endpoint_from(const struct endpoint *endpoint, bool full, struct xylem_arena *arena);

#endif
