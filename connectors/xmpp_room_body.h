/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_ROOM_BODY_H
#define CONNECTORS_XMPP_ROOM_BODY_H

#include <connectors/xmpp_endpoint_body.h>
#include <connectors/xmpp_room.h>

/* The inside of a room, for its own files: xmpp_room.c (being in it), xmpp_room_stanza.c (what it sends). */

#define ROOM_MAGIC 0x726f6f6dU
#define NICK_SIZE 160

enum phase { ROOM_OUT, ROOM_CHECKING, ROOM_ASKING, ROOM_IN };

struct room {
	uint32_t magic;
	struct endpoint *endpoint;
	char jid[JID_SIZE];
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping, up;
	enum phase phase;
	bool destroyed; /* it was, since we came: not to be made again */
	bool pinging;
	char nick[NICK_SIZE];
	unsigned nicks; /* tried */
	int64_t due_us; /* OUT: the next try; CHECKING, ASKING: the end of patience; IN: the next ping */
	int64_t backoff_us, since_us;
	enum xylem_failure failure; /* of being out */
	char code[32], why[256];
};

/* How it came about that we are not in it, for deliveries and for the people who look. */
struct leaving {
	enum xylem_failure failure;
	const char *condition;
	const char *words;
};

/* We are not in it any more, or were not let in. */
void room_leave(struct room *room, const struct leaving *leaving);
/* We are in it, under this nickname. */
void room_entered(struct room *room, struct xylem_span nick);
/* It did not let us in: with another nickname, or out. */
void room_refused(struct room *room, const struct xml_node *stanza);
/* Of a room that we made: opens it with the server's defaults (XEP-0045, 10.1.2). */
void room_open_new(struct room *room);
/* Is it our nickname? */
bool room_is_ours(struct room *room, struct xylem_span nick);
/* It says that it does not know us. */
extern const struct leaving room_forgotten;

#endif
