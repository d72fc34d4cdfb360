/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An XMPP address of the bus, whoever carries its stanzas: what comes in is told
 * apart here, and handed to who deals with it.
 *
 *     stanza -> receipt | error | room | published event | data -> intake -> journal -> answer
 *
 * The rules not to break: an error stanza is never read as data, and a stranger
 * leaves nothing behind. `conversation` is asked before it is known who is
 * talking: it takes only what answers something of ours.
 */
#include <connectors/xmpp_endpoint_body.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <connectors/xmpp_offers.h>
#include <connectors/xmpp_published.h>
#include <connectors/xmpp_room.h>
#include <xmpp/body.h>

#define ENDPOINT_MAGIC 0x656e6470U

/* --- Who ---------------------------------------------------------------------- */

bool endpoint_admits(const struct endpoint *endpoint, const char *bare)
{
	struct xylem_strings allow = endpoint->options->allow;
	return allow.n > 0 ? jid_listed(allow, bare) : endpoint->carrier->admits(endpoint->owner, bare);
}

bool endpoint_concerns(const struct endpoint *endpoint, const char *bare)
{
	const struct endpoint_options *options = endpoint->options;
	return endpoint_admits(endpoint, bare) || jid_listed(options->to, bare) ||
	       jid_listed(options->fallback, bare) || jid_listed(options->publishers, bare);
}

bool endpoint_may_ask(const struct endpoint *endpoint, const char *bare)
{
	return endpoint_concerns(endpoint, bare) || (endpoint->room != NULL && room_is(endpoint->room, bare));
}

const char *const *endpoint_features(const struct endpoint *endpoint)
{
	return endpoint->features;
}

/* --- Data --------------------------------------------------------------------- */

/* IQ payloads of protocols that are not spoken here are not data. */
static bool is_protocol(const struct xml_node *payload)
{
	struct xylem_span ns = payload->namespace;
	static const char *const prefixes[] = { "jabber:", "http://jabber.org/",
		"urn:ietf:", "urn:xmpp:", "vcard-temp" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (ns.n >= strlen(prefixes[i]) && memcmp(ns.at, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return ns.n == 0;
}

static bool is_data(const struct xml_node *stanza, const struct xml_node *content)
{
	struct xylem_span type = xml_attribute(stanza, "type");

	if (content == NULL) {
		return false;
	}
	if (xml_is(stanza, NS_COMPONENT, "iq")) {
		/* `json` alone has no wrapper, as it should, but no other meaning either. */
		return xylem_span_is(type, "set") &&
		       (!is_protocol(content) || xml_is(content, NS_JSON, "json"));
	}
	/* Any type that is not known is `normal` (RFC 6121, 5.2.2). */
	return !xylem_span_is(type, "error") && !xylem_span_is(type, "groupchat") &&
	       !xylem_span_is(type, "headline");
}

static void refuse(struct endpoint *endpoint, const struct xml_node *stanza, const char *type,
	const char *condition, const char *text)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (stanza_error(&out, stanza, &(struct stanza_error){ type, condition, text, NULL }) &&
		!xylem_buffer_failed(&out)) {
		endpoint->carrier->post(endpoint->link, xylem_buffer_borrow(&out));
	}
}

/* Under the lock: from somebody who may. */
static void take(struct endpoint *endpoint, const struct xml_node *stanza, const struct xml_node *content,
	const char *bare)
{
	struct xylem_arena *arena = endpoint->arena;
	const char *from = xylem_arena_text(arena, xml_attribute(stanza, "from"));

	if (endpoint->source == NULL) {
		refuse(endpoint, stanza, "cancel", "service-unavailable", "no route reads from this address");
	} else if (body_is_encrypted(stanza)) {
		refuse(endpoint, stanza, "modify", "not-acceptable",
			"this address cannot read encrypted messages: turn encryption off here");
	} else if (from != NULL) {
		intake_said(endpoint, &(struct said){ .stanza = stanza,
					      .content = content,
					      .from = from,
					      .source = bare,
					      .key = bare,
					      .type = endpoint->options->type_in,
					      .id = intake_id(stanza),
					      .subject = xml_text(body_own(stanza, "subject"), arena) });
	}
}

bool endpoint_stanza(struct endpoint *endpoint, const struct xml_node *stanza, int violation)
{
	const struct xml_node *content = intake_content(stanza);
	char bare[JID_SIZE];
	assert(endpoint->magic == ENDPOINT_MAGIC);

	if (!jid_normalise(xml_attribute(stanza, "from"), bare)) {
		return true;
	}
	bool known = endpoint_admits(endpoint, bare);
	if (violation != 0 && (known || endpoint->carrier->answers_strangers)) {
		const struct xylem_error_row *row = xylem_error_row(violation);
		refuse(endpoint, stanza, row->xmpp_type, row->xmpp_condition,
			"the stanza exceeds a limit of the bus");
		return true;
	}
	if (known && content == NULL && xml_child(stanza, NS_XYLEM, "event") != NULL) {
		refuse(endpoint, stanza, "modify", "bad-request", "the element `event` is empty");
		return true;
	}
	if (!is_data(stanza, content)) {
		/* Chat states and receipts need no answer; an IQ gets the carrier's. */
		return xml_is(stanza, NS_COMPONENT, "message");
	}
	if (known) {
		pthread_mutex_lock(&endpoint->lock);
		take(endpoint, stanza, content, bare);
		pthread_mutex_unlock(&endpoint->lock);
	} else if (endpoint->carrier->answers_strangers) {
		refuse(endpoint, stanza, "auth", "forbidden", NULL);
	}
	return true;
}

/* --- Conversations -------------------------------------------------------------- */

/* A receipt for what we sent? Others say nothing to anybody. */
static bool take_receipt(struct endpoint *endpoint, const struct xml_node *stanza)
{
	const struct xml_node *received = xml_child(stanza, NS_RECEIPTS, "received");
	char bare[JID_SIZE];

	if (received == NULL || !jid_normalise(xml_attribute(stanza, "from"), bare)) {
		return false;
	}
	(void)awaited_met(endpoint->awaited, xml_attribute(received, "id"), bare);
	return true;
}

/* Nothing is kept about others. */
static bool concerns(const struct endpoint *endpoint, const struct xml_node *presence)
{
	char bare[JID_SIZE];
	return jid_normalise(xml_attribute(presence, "from"), bare) && endpoint_concerns(endpoint, bare);
}

struct xylem_span endpoint_condition(const struct xml_node *stanza)
{
	const struct xml_node *error = xml_child(stanza, NULL, "error");
	for (const struct xml_node *c = xml_child(error, NS_STANZA_ERROR, NULL); c != NULL;
		c = xml_next(c, NS_STANZA_ERROR, NULL)) {
		if (!xylem_span_is(c->name, "text")) {
			return c->name;
		}
	}
	return XYLEM_SPAN_LITERAL("undefined-condition");
}

static void copy(char *to, size_t room, struct xylem_span text)
{
	snprintf(to, room, "%.*s", (int)(text.n < room ? text.n : room - 1), text.n > 0 ? text.at : "");
}

bool endpoint_refused(struct endpoint *endpoint, const struct xml_node *stanza)
{
	const struct xml_node *error = xml_child(stanza, NULL, "error");
	struct link_outcome outcome = { .error = -XYLEM_E_UNPROCESSABLE };
	char bare[JID_SIZE];

	if (!xml_is(stanza, NS_COMPONENT, "message") || !jid_normalise(xml_attribute(stanza, "from"), bare)) {
		return false;
	}
	copy(outcome.type, sizeof(outcome.type), xml_attribute(error, "type"));
	copy(outcome.condition, sizeof(outcome.condition), endpoint_condition(stanza));
	copy(outcome.text, sizeof(outcome.text),
		xml_text(xml_child(error, NS_STANZA_ERROR, "text"), endpoint->arena));
	return awaited_refused(endpoint->awaited, xml_attribute(stanza, "id"), bare, &outcome);
}

static bool take_conversation(struct endpoint *endpoint, const struct xml_node *stanza)
{
	bool error = xylem_span_is(xml_attribute(stanza, "type"), "error");

	if ((!error && room_invitation(endpoint, stanza)) ||
		(endpoint->room != NULL && room_stanza(endpoint->room, stanza))) {
		return true;
	}
	if (xml_is(stanza, NS_COMPONENT, "presence")) {
		if (endpoint->offers != NULL && concerns(endpoint, stanza)) {
			offers_presence(endpoint->offers, stanza);
		}
		return false; /* others see it too */
	}
	return error ? endpoint_refused(endpoint, stanza)
		     : take_receipt(endpoint, stanza) || published_stanza(endpoint, stanza);
}

bool endpoint_conversation(struct endpoint *endpoint, const struct xml_node *stanza)
{
	assert(endpoint->magic == ENDPOINT_MAGIC);
	bool taken = take_conversation(endpoint, stanza);
	xylem_arena_reset(endpoint->arena);
	return taken;
}

void endpoint_seen(struct endpoint *endpoint, const char *bare)
{
	if (endpoint->options->offline == OFFLINE_HOLD && endpoint_concerns(endpoint, bare)) {
		xylem_host_ready(endpoint->host); /* maybe something is held for him */
	}
}

static void ask_for_presence(struct endpoint *endpoint, struct xylem_strings addresses)
{
	char bare[JID_SIZE];

	for (size_t i = 0; i < addresses.n; i++) {
		if (jid_normalise(xylem_span_of(addresses.items[i]), bare)) {
			(void)endpoint->carrier->sight(endpoint->owner, bare);
		}
	}
}

static bool goes_on(const struct endpoint *endpoint)
{
	const struct endpoint_carrier *carrier = endpoint->carrier;
	return carrier->resumed != NULL && carrier->resumed(endpoint->owner);
}

void endpoint_changed(struct endpoint *endpoint, bool up, const char *why)
{
	const struct endpoint_options *options = endpoint->options;
	assert(endpoint->magic == ENDPOINT_MAGIC);

	if (endpoint->room == NULL) {
		xylem_host_health(endpoint->host, up, "%s", up ? "connected" : why);
	} else {
		room_changed(endpoint->room, up, why);
	}
	if (endpoint->offers != NULL && up && !goes_on(endpoint)) {
		offers_clear(endpoint->offers);
	}
	if (up && (options->offline != OFFLINE_STORE || options->confirm == CONFIRM_OFFERED)) {
		ask_for_presence(endpoint, options->to);
	}
	if (up) {
		ask_for_presence(endpoint, options->publishers);
		xylem_host_ready(endpoint->host);
	}
}

/* --- Source --------------------------------------------------------------------- */

void endpoint_source_start(struct endpoint *endpoint, struct xylem_source *source)
{
	repeats_recall(endpoint->repeats, source, xylem_host_name(endpoint->host));
	pthread_mutex_lock(&endpoint->lock);
	endpoint->source = source;
	pthread_mutex_unlock(&endpoint->lock);
}

void endpoint_source_stop(struct endpoint *endpoint)
{
	pthread_mutex_lock(&endpoint->lock);
	endpoint->source = NULL;
	pthread_mutex_unlock(&endpoint->lock);
}

int endpoint_probe(struct endpoint *endpoint, struct xylem_result *result)
{
	return endpoint->room == NULL ? 0 : room_probe(endpoint->room, result);
}

/* --- Life ------------------------------------------------------------------------- */

struct endpoint *endpoint_free(struct endpoint *endpoint)
{
	if (endpoint == NULL) {
		return NULL;
	}
	assert(endpoint->magic == ENDPOINT_MAGIC);
	room_free(endpoint->room);
	offers_free(endpoint->offers);
	awaited_free(endpoint->awaited);
	repeats_free(endpoint->repeats);
	template_free(endpoint->text);
	template_free(endpoint->subject);
	xylem_arena_free(endpoint->arena);
	for (size_t i = 0; endpoint->features != NULL && endpoint->features[i] != NULL; i++) {
		free((void *)(uintptr_t)endpoint->features[i]);
	}
	free(endpoint->features);
	free(endpoint->address);
	free(endpoint->resource);
	pthread_mutex_destroy(&endpoint->lock);
	endpoint->magic = 0;
	free(endpoint);
	return NULL;
}

static int make_template(struct template **template, const char *text, struct xylem_reason *reason)
{
	return text == NULL ? 0 : template_new(template, text, reason);
}

static int make_parts(
	struct endpoint *endpoint, const struct endpoint_place *place, struct xylem_reason *reason)
{
	const struct endpoint_options *options = endpoint->options;
	int error = make_template(&endpoint->text, options->text, reason);

	error = error != 0 ? error : make_template(&endpoint->subject, options->subject, reason);
	if (error != 0) {
		return error;
	}
	endpoint->address = strdup(place->address);
	endpoint->resource = strdup(place->resource);
	endpoint->arena = xylem_arena_new(0);
	endpoint->awaited = awaited_new();
	endpoint->repeats = repeats_new();
	endpoint->features = published_features(options);
	endpoint->offers = options->confirm == CONFIRM_OFFERED ? offers_new(endpoint) : NULL;
	endpoint->room = options->room == NULL ? NULL : room_new(endpoint);
	bool made = endpoint->address != NULL && endpoint->resource != NULL && endpoint->arena != NULL &&
		    endpoint->awaited != NULL && endpoint->repeats != NULL && endpoint->features != NULL &&
		    (options->confirm != CONFIRM_OFFERED || endpoint->offers != NULL) &&
		    (options->room == NULL || endpoint->room != NULL);
	return made ? 0 : -XYLEM_E_MEMORY;
}

int endpoint_new(struct endpoint **ret_endpoint, struct xylem_host *host,
	const struct endpoint_options *options, const struct endpoint_place *place,
	struct xylem_reason *reason)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	if (endpoint == NULL) {
		return -XYLEM_E_MEMORY;
	}
	endpoint->magic = ENDPOINT_MAGIC;
	pthread_mutex_init(&endpoint->lock, NULL);
	endpoint->host = host;
	endpoint->options = options;
	endpoint->carrier = place->carrier;
	endpoint->link = place->link;
	endpoint->owner = place->owner;
	endpoint->stamp = place->stamp;
	int error = make_parts(endpoint, place, reason);
	if (error != 0) {
		endpoint_free(endpoint);
		return error;
	}
	*ret_endpoint = endpoint;
	return 0;
}
