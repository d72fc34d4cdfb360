/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_STANZA_H
#define XMPP_STANZA_H

#include <xmpp/xml.h>

/*
 * Stanzas as they are written and answered (RFC 6120, 8). Names of namespaces
 * that several files use.
 */
#define NS_COMPONENT "jabber:component:accept"
#define NS_STREAM "http://etherx.jabber.org/streams"
#define NS_STANZA_ERROR "urn:ietf:params:xml:ns:xmpp-stanzas"
#define NS_DISCO_INFO "http://jabber.org/protocol/disco#info"
#define NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"
#define NS_PING "urn:xmpp:ping"
#define NS_VERSION "jabber:iq:version"
#define NS_LAST "jabber:iq:last"
#define NS_TIME "urn:xmpp:time"
#define NS_DATA "jabber:x:data"
#define NS_PUBSUB "http://jabber.org/protocol/pubsub"
#define NS_PUBSUB_ERRORS "http://jabber.org/protocol/pubsub#errors"
#define NS_PUBSUB_EVENT "http://jabber.org/protocol/pubsub#event"
#define NS_PUBSUB_METADATA "http://jabber.org/protocol/pubsub#meta-data"
#define NS_PARTS "urn:xylem:parts:0"
#define NS_COMMANDS "http://jabber.org/protocol/commands"
#define NS_PUBSUB_OWNER "http://jabber.org/protocol/pubsub#owner"
#define NS_RSM "http://jabber.org/protocol/rsm"
#define NS_MAM "urn:xmpp:mam:2"
#define NS_FORWARD "urn:xmpp:forward:0"
#define NS_SHIM "http://jabber.org/protocol/shim"
#define NS_ATOM "http://www.w3.org/2005/Atom"
#define NS_RECEIPTS "urn:xmpp:receipts"
#define NS_DELAY "urn:xmpp:delay"
#define NS_SID "urn:xmpp:sid:0"
#define NS_JSON "urn:xmpp:json:0"
#define NS_XYLEM "urn:xylem:message:0"

/* `<NAME type='' from='' to='' id=''`: the caller goes on with attributes or '>'. */
void stanza_open(struct xylem_buffer *out, const char *name, const char *type, struct xylem_span from,
	struct xylem_span to, struct xylem_span id);

/* What an error stanza says. */
struct stanza_error {
	const char *type;      /* cancel, modify, auth, wait */
	const char *condition; /* RFC 6120, 8.3.3 */
	const char *text;      /* for a person; NULL: none */
	const char *
		application; /* a condition of another namespace, as XML: `<closed-node xmlns='...'/>`; NULL */
};

/* The answers to `request`: from its `to`, to its `from`, with its id. */
void stanza_result_open(struct xylem_buffer *out, const struct xml_node *request);
void stanza_result_close(struct xylem_buffer *out);
/* Never for an error or result: false, and nothing is written (RFC 6120, 8.3.1). */
bool stanza_error(struct xylem_buffer *out, const struct xml_node *request, const struct stanza_error *error);
/* The same for a code of the error table. */
bool stanza_error_code(struct xylem_buffer *out, const struct xml_node *request, int code, const char *text);

/* Presence with a negative priority: that client gets only what is sent to its full address (RFC 6121, 8.5.2.1). */
bool stanza_is_aside(const struct xml_node *presence);

#endif
