/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_FEATURE_H
#define XMPP_FEATURE_H

#include <xmpp/deferred.h>
#include <xmpp/request.h>

/*
 * Inside the room only: a feature is one IQ payload that the service answers,
 * one file each. The table is in service.c.
 */
struct xmpp_feature {
	const char *namespace, *name;
	bool strangers; /* answered to anybody */
	bool endpoints; /* answered at the endpoints' addresses too */
	void (*answer)(const struct xmpp_request *request);
};

extern const struct xmpp_feature feature_disco_info, feature_disco_items, feature_ping, feature_version;
extern const struct xmpp_feature feature_last, feature_time, feature_pubsub, feature_pubsub_owner;
extern const struct xmpp_feature feature_command, feature_vcard, feature_avatar;
extern const struct xmpp_feature feature_mam, feature_mam_metadata;

/* What disco#info says of an address (disco.c). Texts are static or of the service, or of the local part. */
#define DISCO_FEATURES 96
struct disco_identity {
	const char *category, *type, *name;
};
struct disco {
	struct disco_identity identities[2]; /* sorted */
	size_t identity_count;
	const char *features[DISCO_FEATURES];
	size_t feature_count;
	char name[128];
};
/* Of an address that exists; absent: the domain. */
void disco_describe(struct xmpp_service *service, struct xylem_span local, struct disco *ret_disco);
/* The answer's <query/> with the node that was asked for; its end sends it. */
void disco_open(const struct xmpp_request *request, struct xylem_buffer *out, const char *namespace);
void disco_close(const struct xmpp_request *request, struct xylem_buffer *out);

/* XEP-0115 (caps.c): <c/> for presence of that address; is the node one of our hashes? */
#define CAPS_NODE "urn:xylem:bus"
void caps_write(struct xmpp_service *service, struct xylem_span local, struct xylem_buffer *out);
bool caps_is_node(struct xylem_span node);

const struct xmpp_options *service_options(const struct xmpp_service *service);
struct topics *service_topics(const struct xmpp_service *service);
/* Is there such an address (absent: the domain), and may this one have it as a contact? */
bool service_may_see(struct xmpp_service *service, struct xylem_span local, const char *bare);
/* The face, held until service_face_release(): NULL where there is none, which needs no release. */
const struct xmpp_face *service_face_hold(struct xmpp_service *service);
void service_face_release(struct xmpp_service *service);
/* Does this address take commands: the domain, or a part? */
bool service_operated(const struct xmpp_request *request);
/* disco#info and #items of a node of commands (command.c). False: the node is no such. */
bool command_info(const struct xmpp_request *request);
bool command_items(const struct xmpp_request *request);
struct presence;
struct presence *service_presence(const struct xmpp_service *service);

/* Notifications (pubsub_event.c). */
struct event_outlet;
struct event_outlet *event_outlet_new(struct link *link);
struct event_outlet *event_outlet_free(struct event_outlet *outlet);
const struct topic_outlet *event_outlet_face(struct event_outlet *outlet);

#endif
