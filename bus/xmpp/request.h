/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_REQUEST_H
#define XMPP_REQUEST_H

#include <base/jid.h>
#include <xmpp/service.h>
#include <xmpp/stanza.h>

/* A stanza to the domain or to NAME@domain, and who asks. For the link's thread, while it is dealt with. */
struct xmpp_request {
	struct xmpp_service *service;
	const struct xml_node *iq;      /* or message, or presence */
	const struct xml_node *payload; /* the IQ's child */
	bool set;
	struct xylem_span local;   /* of the address asked; absent: the bus's domain */
	char sender[JID_SIZE];     /* normalised, bare */
	bool admitted;             /* one of the users or of `allow` */
	bool entitled;             /* admitted, or may subscribe to some topic, or known to the endpoint */
	struct xylem_arena *arena; /* for the time of the request */
};

/* Sends `out`, the answer. */
void request_answer(const struct xmpp_request *request, struct xylem_buffer *out);
void request_refuse(const struct xmpp_request *request, const struct stanza_error *error);
void request_refuse_code(const struct xmpp_request *request, int code, const char *text);

/*
 * The face by which people operate the bus: what the domain and the parts
 * (connector.NAME@, route.NAME@, topic.NAME@) answer beyond what is XMPP's own.
 * It stands above this room and is registered by main while the bus can be
 * operated. All on the link's thread, which must not wait.
 */
struct xmpp_face {
	/* An IQ set of a <command/> (XEP-0050), from somebody admitted; answers it, now or later. */
	void (*command)(void *context, const struct xmpp_request *request);
	/* Writes the <item/>s of the commands that the asker may run here. */
	void (*list)(void *context, const struct xmpp_request *request, struct xylem_buffer *out);
	/* The name of a command that the asker may run here; NULL: there is none. */
	const char *(*name)(void *context, const struct xmpp_request *request, struct xylem_span node);
	/* A message that is not of type error, groupchat or headline, from somebody admitted. */
	void (*message)(void *context, const struct xmpp_request *request);
	/* A resource of somebody went offline. */
	void (*gone)(void *context, const char *full);
	void *context;
};
/* NULL takes it away, and waits for a call under way. Not on the link's thread. The face is copied. */
void xmpp_service_face(struct xmpp_service *service, const struct xmpp_face *face);

#endif
