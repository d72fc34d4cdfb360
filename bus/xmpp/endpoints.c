/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints NAME@domain: a list of the faces that connectors have claimed,
 * the latest first, since a reload opens the new instance of a name before it
 * closes the old one.
 *
 * The rule not to break: an endpoint is called with the lock held. This is what
 * lets release and settle promise that no call is under way when they return;
 * so an endpoint must neither wait nor claim or release from inside a call.
 *
 * Not here: who may write to an endpoint, and what is answered where it takes
 * nothing (service.c).
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <xmpp/endpoints.h>

struct endpoint {
	struct endpoint *next;
	char *local;
	struct xmpp_endpoint face;
};

struct endpoints {
	pthread_mutex_t lock; /* held while an endpoint is called */
	struct endpoint *first;
};

struct endpoints *endpoints_new(void)
{
	struct endpoints *endpoints = calloc(1, sizeof(*endpoints));
	if (endpoints != NULL) {
		pthread_mutex_init(&endpoints->lock, NULL);
	}
	return endpoints;
}

static void endpoint_forget(struct endpoint *endpoint)
{
	if (endpoint != NULL) {
		free(endpoint->local);
		free(endpoint);
	}
}

struct endpoints *endpoints_free(struct endpoints *endpoints)
{
	if (endpoints == NULL) {
		return NULL;
	}
	while (endpoints->first != NULL) {
		struct endpoint *gone = endpoints->first;
		endpoints->first = gone->next;
		endpoint_forget(gone);
	}
	pthread_mutex_destroy(&endpoints->lock);
	free(endpoints);
	return NULL;
}

/* --- Claiming --------------------------------------------------------------- */

int xmpp_service_claim(struct xmpp_service *service, const char *local, const struct xmpp_endpoint *face)
{
	struct endpoints *endpoints = service_endpoints(service);
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	char *name = strdup(local);
	if (endpoint == NULL || name == NULL) {
		free(endpoint);
		free(name);
		return -XYLEM_E_MEMORY;
	}
	endpoint->local = name;
	endpoint->face = *face;
	pthread_mutex_lock(&endpoints->lock);
	endpoint->next = endpoints->first;
	endpoints->first = endpoint;
	pthread_mutex_unlock(&endpoints->lock);
	return 0;
}

void xmpp_service_release(struct xmpp_service *service, const char *local, const void *context)
{
	struct endpoints *endpoints = service_endpoints(service);
	struct endpoint *gone = NULL;

	pthread_mutex_lock(&endpoints->lock);
	for (struct endpoint **at = &endpoints->first; *at != NULL; at = &(*at)->next) {
		if (strcmp((*at)->local, local) == 0 && (*at)->face.context == context) {
			gone = *at;
			*at = gone->next;
			break;
		}
	}
	pthread_mutex_unlock(&endpoints->lock);
	endpoint_forget(gone);
}

void xmpp_service_settle(struct xmpp_service *service)
{
	struct endpoints *endpoints = service_endpoints(service);

	/* Every call is made with the lock held. */
	pthread_mutex_lock(&endpoints->lock);
	pthread_mutex_unlock(&endpoints->lock);
}

/* --- Asking ----------------------------------------------------------------- */

/* Locked. Absent is the domain, which is no endpoint. */
static const struct xmpp_endpoint *find(const struct endpoints *endpoints, struct xylem_span local)
{
	for (const struct endpoint *e = endpoints->first; e != NULL; e = e->next) {
		if (xylem_span_is(local, e->local)) {
			return &e->face;
		}
	}
	return NULL;
}

bool endpoints_have(struct endpoints *endpoints, struct xylem_span local)
{
	pthread_mutex_lock(&endpoints->lock);
	bool have = find(endpoints, local) != NULL;
	pthread_mutex_unlock(&endpoints->lock);
	return have;
}

bool endpoints_know(struct endpoints *endpoints, struct xylem_span local, const char *bare)
{
	pthread_mutex_lock(&endpoints->lock);
	const struct xmpp_endpoint *face = find(endpoints, local);
	bool known = face != NULL && face->known != NULL && face->known(face->context, bare);
	pthread_mutex_unlock(&endpoints->lock);
	return known;
}

void xmpp_service_features(struct xmpp_service *service, struct xylem_span local,
	void (*visit)(void *context, const char *const *features), void *context)
{
	struct endpoints *endpoints = service_endpoints(service);

	pthread_mutex_lock(&endpoints->lock);
	const struct xmpp_endpoint *face = find(endpoints, local);
	if (face != NULL) {
		visit(context, face->features);
	}
	pthread_mutex_unlock(&endpoints->lock);
}

/* --- Handing over ----------------------------------------------------------- */

bool endpoints_take(
	struct endpoints *endpoints, struct xylem_span local, const struct xml_node *stanza, int violation)
{
	pthread_mutex_lock(&endpoints->lock);
	const struct xmpp_endpoint *face = find(endpoints, local);
	bool taken = face != NULL && face->stanza(face->context, stanza, violation);
	pthread_mutex_unlock(&endpoints->lock);
	return taken;
}

bool endpoints_converse(struct endpoints *endpoints, struct xylem_span local, const struct xml_node *stanza)
{
	pthread_mutex_lock(&endpoints->lock);
	const struct xmpp_endpoint *face = find(endpoints, local);
	bool taken = face != NULL && face->conversation != NULL && face->conversation(face->context, stanza);
	pthread_mutex_unlock(&endpoints->lock);
	return taken;
}

void endpoints_link(struct endpoints *endpoints, bool up, const char *why)
{
	pthread_mutex_lock(&endpoints->lock);
	for (const struct endpoint *e = endpoints->first; e != NULL; e = e->next) {
		if (e->face.changed != NULL) {
			e->face.changed(e->face.context, up, why);
		}
	}
	pthread_mutex_unlock(&endpoints->lock);
}
