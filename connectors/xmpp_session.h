/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_SESSION_H
#define CONNECTORS_XMPP_SESSION_H

#include <strophe.h>

#include <connectors/xmpp_endpoint.h>

/*
 * An ordinary account's connection to its server, on libstrophe: one thread,
 * one context, reconnecting by itself. The thread owns everything of libstrophe;
 * others put stanzas into the outbox. Confirmation: a ping to the account's
 * server, as on the component link. Stanzas are trees in the namespace
 * NS_COMPONENT, as there; libstrophe has changed foreign XML in them.
 */
struct session;

struct session_options {
	const char *jid; /* bare */
	const char *resource;
	struct xylem_span password;
	const char *server; /* HOST:PORT; NULL: by the domain's SRV records */
	const char *ca;     /* file of certificates; NULL: the system's */
	bool insecure_skip_verify;
	bool plaintext;
	int64_t priority;
	/*
	 * On the session's thread; the stanza is valid until they return. A message or an IQ set; false:
	 * nobody's. And what belongs to a conversation: asked first.
	 */
	bool (*stanza)(void *context, const struct xml_node *stanza);
	bool (*conversation)(void *context, const struct xml_node *stanza);
	/* This address has shown itself, or gone. */
	void (*seen)(void *context, const char *bare);
	/* May this address see our presence, and is asked for its own? */
	bool (*friend)(void *context, const char *bare);
	/* May this address ask by an IQ what we are? To others the account looks as if it were not online. */
	bool (*may_ask)(void *context, const char *bare);
	void (*changed)(void *context, bool up, const char *why);
	void *context;
};

/* Copies what it needs. -XYLEM_E_MEMORY, -XYLEM_E_LIMIT (no descriptor below 1024 is left). */
int session_new(
	struct session **ret_session, const struct session_options *options, struct xylem_reason *reason);
/* Features beside the common ones, ended by NULL; they stay as long as the session. Before session_start(). */
void session_announce(struct session *session, const char *const *features);
int session_start(struct session *session, struct xylem_reason *reason);
/* Sends what is queued (at most 2 s), logs out, ends the thread. */
void session_stop(struct session *session);
struct session *session_free(struct session *session);

/* Sends once, without confirmation; dropped when not connected. Any thread. */
void session_post(struct session *session, struct xylem_span stanza);

/* As link_request(). */
int session_request(struct session *session, struct xylem_span iq, const char *id, const char *to,
	int64_t timeout_us, link_answered answered, void *context, struct xylem_reason *reason);
/* Is this bare address online? Where its presence is not seen yet, it is asked for. */
enum endpoint_sight session_sight(struct session *session, const char *bare);

/* For delivery_new(); `link` is the session. */
extern const struct delivery_carrier session_carrier;

bool session_up(struct session *session, char ret_why[256]);
/* Is no other client of the account online that gets what is sent to its bare address? Buses do not count. */
bool session_alone(struct session *session);
/* Was the stream that is up resumed (XEP-0198)? On the session's thread. */
bool session_resumed(const struct session *session);

#endif
