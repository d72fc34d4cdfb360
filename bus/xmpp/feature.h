/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_FEATURE_H
#define XMPP_FEATURE_H

#include <base/jid.h>
#include <xmpp/deferred.h>
#include <xmpp/service.h>
#include <xmpp/stanza.h>

/*
 * Inside the room only: a feature is one IQ payload that the service answers,
 * one file each. The table is in service.c.
 */
struct xmpp_request {
	struct xmpp_service *service;
	const struct xml_node *iq;
	const struct xml_node *payload; /* the IQ's child */
	bool set;
	struct xylem_span local;   /* of the address asked; absent: the bus's domain */
	char sender[JID_SIZE];     /* normalised, bare */
	bool admitted;             /* one of the users or of `allow` */
	bool entitled;             /* admitted, or may subscribe to some topic, or known to the endpoint */
	struct xylem_arena *arena; /* for the time of the request */
};

struct xmpp_feature {
	const char *namespace, *name;
	bool strangers; /* answered to anybody */
	bool endpoints; /* answered at the endpoints' addresses too */
	void (*answer)(const struct xmpp_request *request);
};

extern const struct xmpp_feature feature_disco_info, feature_disco_items, feature_ping, feature_version;
extern const struct xmpp_feature feature_last, feature_time, feature_pubsub, feature_pubsub_owner;

/* Sends `out`, the answer. */
void request_answer(const struct xmpp_request *request, struct xylem_buffer *out);
void request_refuse(const struct xmpp_request *request, const struct stanza_error *error);
void request_refuse_code(const struct xmpp_request *request, int code, const char *text);

const struct xmpp_options *service_options(const struct xmpp_service *service);
struct topics *service_topics(const struct xmpp_service *service);
/* Is the endpoint there, and may this address know it? */
bool service_endpoint_known(struct xmpp_service *service, struct xylem_span local, const char *bare);

/* Is the address one of a connector? */
bool service_endpoint_exists(struct xmpp_service *service, struct xylem_span local);
/* Is there such an address (absent: the domain), and may this one have it as a contact? */
bool service_may_see(struct xmpp_service *service, struct xylem_span local, const char *bare);
struct presence;
struct presence *service_presence(const struct xmpp_service *service);

/* Counts what is deferred, up or down. */
void service_pending(struct xmpp_service *service, bool more);

/* Notifications (pubsub_event.c). */
struct event_outlet;
struct event_outlet *event_outlet_new(struct link *link);
struct event_outlet *event_outlet_free(struct event_outlet *outlet);
const struct topic_outlet *event_outlet_face(struct event_outlet *outlet);

/* `<item id=''><json xmlns='urn:xmpp:json:0'>...</json></item>`, or `<item id=''/>`. */
void pubsub_write_item(struct xylem_buffer *out, const struct xylem_message *message, bool with_payload);

#endif
