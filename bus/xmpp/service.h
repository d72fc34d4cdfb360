/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_SERVICE_H
#define XMPP_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <config/config.h>
#include <topic/topic.h>
#include <xmpp/link.h>
#include <xmpp/xml.h>

/*
 * What the bus is on XMPP: the link, the service on the bus's domain (disco,
 * ping, version, time, last activity, PubSub), and the endpoints NAME@domain
 * that connectors claim. docs/xmpp.md.
 */
struct xmpp_service;

struct xmpp_options {
	const char *server, *domain;
	struct xylem_span secret;
	size_t max_stanza;
	const char *name; /* of the bus */
	const char *version;
	struct topics *topics;       /* NULL: no PubSub */
	struct catalogue *catalogue; /* keeps who has us as a contact; NULL: forgotten at the end */
};

int xmpp_service_new(
	struct xmpp_service **ret_service, const struct xmpp_options *options, struct xylem_reason *reason);
/* Connects in the background; attaches the topics' outlet. */
int xmpp_service_start(struct xmpp_service *service, struct xylem_reason *reason);
/* After the lanes and sources have stopped. Sends what is queued for at most `drain_us`, disconnects. */
void xmpp_service_stop(struct xmpp_service *service, int64_t drain_us);
struct xmpp_service *xmpp_service_free(struct xmpp_service *service);

/*
 * Who may talk to the bus: `users:` and `xmpp.allow` of a generation, copied. Any
 * thread. -XYLEM_E_MEMORY changes nothing. What contacts have of it ends only with
 * xmpp_service_review(), which cannot be taken back.
 */
int xmpp_service_apply(struct xmpp_service *service, const struct config_view *view);
void xmpp_service_review(struct xmpp_service *service);

/* The process's service, for connectors; set by main before connectors are opened. NULL: no `xmpp:`. */
struct xmpp_service *xmpp_service_current(void);
void xmpp_service_make_current(struct xmpp_service *service);

struct link *xmpp_service_link(struct xmpp_service *service);

/* --- Endpoints ----------------------------------------------------------- */

/* An address NAME@domain. Called on the link's thread, which must not wait. */
struct xmpp_endpoint {
	/*
	 * A message or an IQ get/set of a namespace the service does not answer
	 * for every address. True: it was dealt with (answered, now or later);
	 * false: the service answers service-unavailable to an IQ.
	 */
	bool (*stanza)(void *context, const struct xml_node *stanza, int violation);
	/*
	 * What belongs to a conversation that the endpoint itself takes part in: rooms that it is in, receipts and
	 * errors for what it sent, presence and events of people it follows. Messages and presence are offered here
	 * first, whoever sent them; false: they go on as if this were not there. NULL: none.
	 */
	bool (*conversation)(void *context, const struct xml_node *stanza);
	/* Features that disco#info of this address has beside the common ones, ended by NULL; NULL: none. */
	const char *const *features;
	/* May this address (normalised, bare) see that the endpoint exists? NULL: those that the service admits. */
	bool (*known)(void *context, const char *bare);
	/* The link came up or went down. NULL: of no interest. */
	void (*changed)(void *context, bool up, const char *why);
	void *context;
};
/*
 * Where a name is claimed twice (a reload opens the new instance before it
 * closes the old one), the later has it. -XYLEM_E_MEMORY.
 */
int xmpp_service_claim(struct xmpp_service *service, const char *local, const struct xmpp_endpoint *endpoint);
/* After it returns, this endpoint is not called any more. Not on the link's thread. */
void xmpp_service_release(struct xmpp_service *service, const char *local, const void *context);
/* Calls `visit` with the endpoint's features (may be NULL), if it is there, under the lock of the endpoints. */
void xmpp_service_features(struct xmpp_service *service, struct xylem_span local,
	void (*visit)(void *context, const char *const *features), void *context);
/* Waits until no endpoint is being called. Not on the link's thread. */
void xmpp_service_settle(struct xmpp_service *service);

/* Is the normalised bare address one of `users:` or of `xmpp.allow`? */
bool xmpp_service_admits(struct xmpp_service *service, const char *bare);
/* The role of the user with this address; ROLE_NONE: a stranger or only allowed. */
enum config_role xmpp_service_role(struct xmpp_service *service, const char *bare);

/* Counts what is to be answered later, up or down: xmpp_service_stop() waits for it. */
void xmpp_service_pending(struct xmpp_service *service, bool more);

int64_t xmpp_service_uptime_us(struct xmpp_service *service);

#endif
