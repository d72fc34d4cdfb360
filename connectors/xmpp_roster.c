/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is online, for an account. The server keeps the roster; this is the copy
 * of it that lasts as long as the stream, which may be resumed, with the resources that have shown
 * themselves: contacts', and those of the account's other clients. Somebody is asked to show his
 * presence once a stream, when a message for him is the reason.
 */
#include <connectors/xmpp_session_body.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>

#define CONTACTS_MAX 10000
#define RESOURCES_MAX 64
#define SHOWN_US (5 * SECOND_US) /* after that long, who has not shown himself is offline */
#define ROSTER_US (30 * SECOND_US)
#define NS_ROSTER "jabber:iq:roster"

struct resource {
	struct resource *next;
	char name[];
};

struct contact {
	struct contact *next;
	bool shows; /* we see his presence */
	bool asked;
	struct resource *resources;
	size_t n;
	char bare[];
};

struct roster {
	struct session *session;
	pthread_mutex_t lock;
	bool up;
	int64_t up_us;
	struct contact *contacts;
	size_t n;
};

struct roster *roster_new(struct session *session)
{
	struct roster *roster = calloc(1, sizeof(*roster));
	if (roster != NULL) {
		roster->session = session;
		pthread_mutex_init(&roster->lock, NULL);
	}
	return roster;
}

static void drop_resources(struct contact *contact)
{
	while (contact->resources != NULL) {
		struct resource *resource = contact->resources;
		contact->resources = resource->next;
		free(resource);
	}
	contact->n = 0;
}

void roster_down(struct roster *roster)
{
	pthread_mutex_lock(&roster->lock);
	roster->up = false;
	pthread_mutex_unlock(&roster->lock);
}

void roster_clear(struct roster *roster)
{
	pthread_mutex_lock(&roster->lock);
	while (roster->contacts != NULL) {
		struct contact *contact = roster->contacts;
		roster->contacts = contact->next;
		drop_resources(contact);
		free(contact);
	}
	roster->n = 0;
	pthread_mutex_unlock(&roster->lock);
}

struct roster *roster_free(struct roster *roster)
{
	if (roster != NULL) {
		roster_clear(roster);
		pthread_mutex_destroy(&roster->lock);
		free(roster);
	}
	return NULL;
}

/* --- Under the lock ---------------------------------------------------------------- */

/* Made where it is not there yet; NULL: too many. */
static struct contact *contact_of(struct roster *roster, const char *bare)
{
	for (struct contact *c = roster->contacts; c != NULL; c = c->next) {
		if (strcmp(c->bare, bare) == 0) {
			return c;
		}
	}
	size_t n = strlen(bare) + 1;
	struct contact *contact = roster->n < CONTACTS_MAX ? calloc(1, sizeof(*contact) + n) : NULL;
	if (contact != NULL) {
		memcpy(contact->bare, bare, n);
		contact->next = roster->contacts;
		roster->contacts = contact;
		roster->n++;
	}
	return contact;
}

static void show(struct contact *contact, struct xylem_span name, bool available)
{
	struct resource **at = &contact->resources;

	while (*at != NULL && !xylem_span_is(name, (*at)->name)) {
		at = &(*at)->next;
	}
	if (available && *at == NULL && contact->n < RESOURCES_MAX) {
		struct resource *resource = calloc(1, sizeof(*resource) + name.n + 1);
		if (resource != NULL) {
			memcpy(resource->name, name.at, name.n);
			*at = resource;
			contact->n++;
		}
	} else if (!available && *at != NULL) {
		struct resource *gone = *at;
		*at = gone->next;
		contact->n--;
		free(gone);
	}
}

static void take_items(struct roster *roster, const struct xml_node *query)
{
	char bare[JID_SIZE];

	for (const struct xml_node *i = xml_child(query, NS_ROSTER, "item"); i != NULL;
		i = xml_next(i, NS_ROSTER, "item")) {
		struct xylem_span how = xml_attribute(i, "subscription");
		struct contact *contact = jid_normalise(xml_attribute(i, "jid"), bare)
						  ? contact_of(roster, bare)
						  : NULL;
		if (contact != NULL) {
			contact->shows = xylem_span_is(how, "to") || xylem_span_is(how, "both");
			contact->asked = contact->asked ||
					 xylem_span_is(xml_attribute(i, "ask"), "subscribe");
		}
	}
}

/* --- The roster ----------------------------------------------------------------------- */

static void on_roster(void *context, const struct xml_node *answer)
{
	struct roster *roster = context;

	pthread_mutex_lock(&roster->lock);
	take_items(roster, xml_child(answer, NS_ROSTER, "query"));
	pthread_mutex_unlock(&roster->lock);
}

void roster_up(struct roster *roster)
{
	struct session *session = roster->session;
	struct xylem_reason ignored;
	char id[XYLEM_UUID_SIZE];
	XYLEM_BUFFER_SCOPED iq = { 0 };

	pthread_mutex_lock(&roster->lock);
	roster->up = true;
	roster->up_us = clock_mono_us();
	pthread_mutex_unlock(&roster->lock);
	stanza_open(&iq, "iq", "get", XYLEM_SPAN_NONE, xylem_span_of(session->jid),
		xylem_span_of(xylem_uuid_new(id)));
	xylem_buffer_text(&iq, "><query xmlns='" NS_ROSTER "'/></iq>");
	if (!xylem_buffer_failed(&iq)) {
		(void)session_request(session, xylem_buffer_borrow(&iq), id, session->jid, ROSTER_US,
			on_roster, roster, &ignored);
	}
}

void roster_push(struct roster *roster, const struct xml_node *iq)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	pthread_mutex_lock(&roster->lock);
	take_items(roster, xml_child(iq, NS_ROSTER, "query"));
	pthread_mutex_unlock(&roster->lock);
	stanza_open(
		&out, "iq", "result", XYLEM_SPAN_NONE, xml_attribute(iq, "from"), xml_attribute(iq, "id"));
	xylem_buffer_text(&out, "/>");
	if (!xylem_buffer_failed(&out)) {
		session_post(roster->session, xylem_buffer_borrow(&out));
	}
}

/* --- Presence ----------------------------------------------------------------------------- */

static void say(struct roster *roster, const char *type, const char *bare)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	stanza_open(&out, "presence", type, XYLEM_SPAN_NONE, xylem_span_of(bare), XYLEM_SPAN_NONE);
	xylem_buffer_text(&out, "/>");
	if (!xylem_buffer_failed(&out)) {
		session_post(roster->session, xylem_buffer_borrow(&out));
	}
}

static void ask(struct roster *roster, const char *bare)
{
	pthread_mutex_lock(&roster->lock);
	struct contact *contact = roster->up ? contact_of(roster, bare) : NULL;
	bool asks = contact != NULL && !contact->shows && !contact->asked;
	if (asks) {
		contact->asked = true;
	}
	pthread_mutex_unlock(&roster->lock);
	if (asks) {
		say(roster, "subscribe", bare);
	}
}

/* Somebody's client that gets what is sent to the bare address: no other bus, no negative priority. */
static bool takes_calls(const struct xml_node *presence)
{
	struct xylem_span node = xml_attribute(xml_child(presence, NS_CAPS, "c"), "node");
	return !xylem_span_present(xml_attribute(presence, "type")) && !stanza_is_aside(presence) &&
	       !xylem_span_is(node, NS_CLIENT_NODE);
}

/* Of the account's own: of this connection, or of another client. */
static void take_own(struct roster *roster, const struct xml_node *presence, struct xylem_span resource)
{
	const struct session *session = roster->session;

	if (!xylem_span_present(resource) || xylem_span_is(resource, session->options.resource)) {
		return;
	}
	pthread_mutex_lock(&roster->lock);
	struct contact *own = contact_of(roster, session->jid);
	if (own != NULL) {
		show(own, resource, takes_calls(presence));
	}
	pthread_mutex_unlock(&roster->lock);
}

bool roster_alone(struct roster *roster)
{
	pthread_mutex_lock(&roster->lock);
	const struct contact *own = contact_of(roster, roster->session->jid);
	bool alone = own == NULL || own->n == 0;
	pthread_mutex_unlock(&roster->lock);
	return alone;
}

void roster_presence(struct roster *roster, const struct xml_node *presence)
{
	struct xylem_span type = xml_attribute(presence, "type");
	struct session *session = roster->session;
	struct jid jid;
	char bare[JID_SIZE];

	if (!jid_split(xml_attribute(presence, "from"), &jid) ||
		!jid_normalise(xml_attribute(presence, "from"), bare)) {
		return;
	}
	if (strcmp(bare, session->jid) == 0) {
		take_own(roster, presence, jid.resource);
		return;
	}
	if (xylem_span_is(type, "subscribe")) {
		bool friend = session->options.friend(session->options.context, bare);
		if (friend) {
			say(roster, "subscribed", bare);
			ask(roster, bare);
		}
		return; /* others hear nothing: an answer would tell that the account is read by somebody */
	}
	bool available = !xylem_span_present(type);
	if (available || xylem_span_is(type, "unavailable")) {
		bool friend = session->options.friend(session->options.context, bare);
		pthread_mutex_lock(&roster->lock);
		struct contact *contact = friend ? contact_of(roster, bare)
						 : NULL; /* nothing is kept of others */
		if (contact != NULL && xylem_span_present(jid.resource)) {
			contact->shows = contact->shows || available;
			show(contact, jid.resource, available && !stanza_is_aside(presence));
		} else if (contact != NULL && !available) {
			drop_resources(contact);
		}
		pthread_mutex_unlock(&roster->lock);
		session->options.seen(session->options.context, bare);
	}
}

enum endpoint_sight roster_sight(struct roster *roster, const char *bare)
{
	pthread_mutex_lock(&roster->lock);
	const struct contact *contact = roster->up ? contact_of(roster, bare) : NULL;
	bool shows = contact != NULL && contact->shows, online = contact != NULL && contact->n > 0;
	bool late = clock_mono_us() - roster->up_us > SHOWN_US;
	pthread_mutex_unlock(&roster->lock);
	if (!shows) {
		ask(roster, bare);
	}
	return online ? ENDPOINT_ONLINE : shows && late ? ENDPOINT_OFFLINE : ENDPOINT_UNKNOWN;
}
