/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients offer. A receipt can only be waited for where one will come, so
 * each resource that shows itself is asked once (XEP-0030), and what one with the
 * same caps has said counts for the next. Answers are matched by their sender,
 * which the server stamps.
 */
#include <connectors/xmpp_offers.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/hash.h>
#include <connectors/xmpp_endpoint_body.h>

#define RESOURCES_MAX 10000
#define CAPS_KEPT 256
#define ASK_US ((int64_t)10 * 1000000)
#define PATIENCE_US ((int64_t)2 * 1000000)

enum offer { OFFER_ASKED, OFFER_NONE, OFFER_RECEIPTS };

struct resource {
	struct resource *next;
	enum offer offer;
	uint64_t caps; /* hash of its caps; 0: none */
	size_t bare_n; /* bytes of `full` before the resource */
	char full[];
};

struct offers {
	struct endpoint *endpoint;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct resource *resources;
	size_t n;
	struct {
		uint64_t caps;
		bool receipts;
	} known[CAPS_KEPT];
	size_t known_next;
};

struct offers *offers_new(struct endpoint *endpoint)
{
	struct offers *offers = calloc(1, sizeof(*offers));
	if (offers != NULL) {
		offers->endpoint = endpoint;
		pthread_mutex_init(&offers->lock, NULL);
		pthread_cond_init(&offers->answered, NULL);
	}
	return offers;
}

void offers_clear(struct offers *offers)
{
	pthread_mutex_lock(&offers->lock);
	while (offers->resources != NULL) {
		struct resource *resource = offers->resources;
		offers->resources = resource->next;
		free(resource);
	}
	offers->n = 0;
	pthread_cond_broadcast(&offers->answered);
	pthread_mutex_unlock(&offers->lock);
}

struct offers *offers_free(struct offers *offers)
{
	if (offers != NULL) {
		offers->endpoint->carrier->delivery->forget(offers->endpoint->link, offers);
		offers_clear(offers);
		pthread_mutex_destroy(&offers->lock);
		pthread_cond_destroy(&offers->answered);
		free(offers);
	}
	return NULL;
}

/* --- Under the lock ----------------------------------------------------------- */

static struct resource **find(struct offers *offers, struct xylem_span full)
{
	struct resource **at = &offers->resources;
	while (*at != NULL && !xylem_span_is(full, (*at)->full)) {
		at = &(*at)->next;
	}
	return at;
}

static void drop(struct offers *offers, struct xylem_span full)
{
	struct resource **at = find(offers, full);
	struct resource *gone = *at;
	if (gone != NULL) {
		*at = gone->next;
		offers->n--;
		free(gone);
	}
}

static struct resource *add(struct offers *offers, struct xylem_span full)
{
	struct resource *resource = offers->n < RESOURCES_MAX ? calloc(1, sizeof(*resource) + full.n + 1)
							      : NULL;
	if (resource != NULL) {
		memcpy(resource->full, full.at, full.n);
		resource->bare_n = jid_bare(full).n;
		resource->next = offers->resources;
		offers->resources = resource;
		offers->n++;
	}
	return resource;
}

static bool look_up(const struct offers *offers, struct resource *resource)
{
	for (size_t i = 0; resource->caps != 0 && i < CAPS_KEPT; i++) {
		if (offers->known[i].caps == resource->caps) {
			resource->offer = offers->known[i].receipts ? OFFER_RECEIPTS : OFFER_NONE;
			return true;
		}
	}
	return false;
}

static uint64_t caps_of(const struct xml_node *presence)
{
	const struct xml_node *caps = xml_child(presence, "http://jabber.org/protocol/caps", "c");
	struct xylem_span ver = xml_attribute(caps, "ver"), node = xml_attribute(caps, "node");
	return ver.n == 0 ? 0 : (hash_bytes(ver.at, ver.n) * 31 + hash_bytes(node.at, node.n)) | 1;
}

/* --- Asking --------------------------------------------------------------------- */

static bool announces_receipts(const struct xml_node *answer)
{
	const struct xml_node *query = xml_child(answer, NS_DISCO_INFO, "query");
	for (const struct xml_node *f = xml_child(query, NS_DISCO_INFO, "feature"); f != NULL;
		f = xml_next(f, NS_DISCO_INFO, "feature")) {
		if (xylem_span_is(xml_attribute(f, "var"), NS_RECEIPTS)) {
			return true;
		}
	}
	return false;
}

/* On the carrier's thread; NULL when none came: whoever waits gives up by himself. */
static void on_answer(void *context, const struct xml_node *answer)
{
	struct offers *offers = context;
	if (answer == NULL) {
		return;
	}
	bool receipts = announces_receipts(answer);
	pthread_mutex_lock(&offers->lock);
	struct resource *resource = *find(offers, xml_attribute(answer, "from"));
	if (resource != NULL) {
		resource->offer = receipts ? OFFER_RECEIPTS : OFFER_NONE;
		if (resource->caps != 0) {
			offers->known[offers->known_next].caps = resource->caps;
			offers->known[offers->known_next].receipts = receipts;
			offers->known_next = (offers->known_next + 1) % CAPS_KEPT;
		}
		pthread_cond_broadcast(&offers->answered);
	}
	pthread_mutex_unlock(&offers->lock);
}

static void ask(struct offers *offers, struct xylem_span full)
{
	struct endpoint *endpoint = offers->endpoint;
	struct xylem_arena *arena = endpoint->arena;
	struct xylem_reason ignored;
	char id[XYLEM_UUID_SIZE];
	const char *to = xylem_arena_text(arena, full);
	XYLEM_BUFFER_SCOPED iq = { 0 };

	stanza_open(&iq, "iq", "get", endpoint_from(endpoint, false, arena), full,
		xylem_span_of(xylem_uuid_new(id)));
	xylem_buffer_text(&iq, "><query xmlns='" NS_DISCO_INFO "'/></iq>");
	if (to != NULL && !xylem_buffer_failed(&iq)) {
		(void)endpoint->carrier->request(endpoint->link, xylem_buffer_borrow(&iq), id, to, ASK_US,
			on_answer, offers, &ignored);
	}
}

/* Under the lock. True: it has to be asked, being new or having become another. */
static bool show(struct offers *offers, struct xylem_span full, uint64_t caps)
{
	struct resource *resource = *find(offers, full);
	if (resource != NULL && resource->caps == caps) {
		return false;
	}
	resource = resource != NULL ? resource : add(offers, full);
	if (resource == NULL) {
		return false;
	}
	resource->caps = caps;
	resource->offer = OFFER_ASKED;
	return !look_up(offers, resource);
}

void offers_presence(struct offers *offers, const struct xml_node *presence)
{
	struct xylem_span full = xml_attribute(presence, "from"), type = xml_attribute(presence, "type");
	struct jid jid;

	if (!jid_split(full, &jid) || !xylem_span_present(jid.resource)) {
		return;
	}
	bool asks = false;
	pthread_mutex_lock(&offers->lock);
	if (xylem_span_is(type, "unavailable") || stanza_is_aside(presence)) {
		drop(offers, full);
	} else if (!xylem_span_present(type)) {
		asks = show(offers, full, caps_of(presence));
	}
	pthread_mutex_unlock(&offers->lock);
	if (asks) {
		ask(offers, full);
	}
}

/* Under the lock. */
static bool any(const struct offers *offers, struct xylem_span bare, enum offer offer)
{
	for (const struct resource *r = offers->resources; r != NULL; r = r->next) {
		if (r->offer == offer && xylem_span_equal(bare, xylem_span(r->full, r->bare_n))) {
			return true;
		}
	}
	return false;
}

bool offers_receipts(struct offers *offers, const char *bare)
{
	struct xylem_span name = xylem_span_of(bare);
	struct timespec until = clock_timespec(clock_mono_us() + PATIENCE_US);

	pthread_mutex_lock(&offers->lock);
	while (!any(offers, name, OFFER_RECEIPTS) && any(offers, name, OFFER_ASKED) &&
		pthread_cond_clockwait(&offers->answered, &offers->lock, CLOCK_MONOTONIC, &until) == 0) {
	}
	bool result = any(offers, name, OFFER_RECEIPTS);
	pthread_mutex_unlock(&offers->lock);
	return result;
}
