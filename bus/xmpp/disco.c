/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service discovery (XEP-0030) with the meta-data of topics (XEP-0128, XEP-0060
 * 5.4). Announced is what works, no more: clients cache and believe it.
 *
 * Clients of PubSub walk the domain's items as nodes, so that only topics stand
 * there, and only those that the asker may subscribe to.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <xmpp/presence_body.h>
#include <xmpp/pubsub.h>
#include <xmpp/rsm.h>

static const char *const domain_features[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION, NS_LAST,
	NS_TIME, NS_COMMANDS, NS_RECEIPTS, "vcard-temp" };

static const char *const pubsub_features[] = { NS_PUBSUB, NS_RSM, NS_MAM, NS_MAM "#extended", NS_SHIM,
	NS_SHIM "#SubID", NS_PUBSUB "#access-authorize", NS_PUBSUB "#access-open",
	NS_PUBSUB "#access-whitelist", NS_PUBSUB "#auto-create", NS_PUBSUB "#config-node",
	NS_PUBSUB "#config-node-max", NS_PUBSUB "#create-and-configure", NS_PUBSUB "#create-nodes",
	NS_PUBSUB "#delete-items", NS_PUBSUB "#delete-nodes", NS_PUBSUB "#get-pending",
	NS_PUBSUB "#instant-nodes", NS_PUBSUB "#item-ids", NS_PUBSUB "#last-published",
	NS_PUBSUB "#leased-subscription", NS_PUBSUB "#manage-subscriptions", NS_PUBSUB "#member-affiliation",
	NS_PUBSUB "#meta-data", NS_PUBSUB "#modify-affiliations", NS_PUBSUB "#multi-items",
	NS_PUBSUB "#outcast-affiliation", NS_PUBSUB "#persistent-items", NS_PUBSUB "#presence-notifications",
	NS_PUBSUB "#publish", NS_PUBSUB "#publish-node-full", NS_PUBSUB "#publish-only-affiliation",
	NS_PUBSUB "#publish-options", NS_PUBSUB "#publisher-affiliation", NS_PUBSUB "#purge-nodes",
	NS_PUBSUB "#retract-items", NS_PUBSUB "#retrieve-affiliations", NS_PUBSUB "#retrieve-default",
	NS_PUBSUB "#retrieve-default-sub", NS_PUBSUB "#retrieve-items", NS_PUBSUB "#retrieve-subscriptions",
	NS_PUBSUB "#rsm", NS_PUBSUB "#subscribe", NS_PUBSUB "#subscription-notifications",
	NS_PUBSUB "#subscription-options" };

/* The archive is that of the items: a node that keeps none has none. */
static const char *const node_features[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_PUBSUB "#rsm",
	NS_MAM, NS_MAM "#extended" };

static const char *const endpoint_features[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION, NS_TIME,
	NS_LAST, NS_RECEIPTS, "vcard-temp" };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

void disco_open(const struct xmpp_request *request, struct xylem_buffer *out, const char *namespace)
{
	stanza_result_open(out, request->iq);
	xylem_buffer_format(out, "<query xmlns='%s'", namespace);
	xml_write_attribute(out, "node", xml_attribute(request->payload, "node"));
	xylem_buffer_byte(out, '>');
}

void disco_close(const struct xmpp_request *request, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</query>");
	stanza_result_close(out);
	request_answer(request, out);
}

static void write_identity(struct xylem_buffer *out, const char *category, const char *type, const char *name)
{
	xylem_buffer_format(out, "<identity category='%s' type='%s'", category, type);
	xml_write_attribute(out, "name", xylem_span_of(name));
	xylem_buffer_text(out, "/>");
}

static void write_features(struct xylem_buffer *out, const char *const *features, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_format(out, "<feature var='%s'/>", features[i]);
	}
}

static void write_field(struct xylem_buffer *out, const char *name, const char *value)
{
	if (value[0] != '\0') {
		xylem_buffer_format(out, "<field var='%s'><value>", name);
		xml_escape_text(out, xylem_span_of(value));
		xylem_buffer_text(out, "</value></field>");
	}
}

/* A field of several values, one a line. */
static void write_lines(struct xylem_buffer *out, const char *name, struct xylem_span lines)
{
	struct xylem_span line;
	if (lines.n == 0) {
		return;
	}
	xylem_buffer_format(out, "<field var='%s' type='jid-multi'>", name);
	while (topic_setting_line(&lines, &line)) {
		xylem_buffer_text(out, "<value>");
		xml_escape_text(out, line);
		xylem_buffer_text(out, "</value>");
	}
	xylem_buffer_text(out, "</field>");
}

static void write_number(struct xylem_buffer *out, const char *name, uint64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	write_field(out, name, text);
}

/* Those who have the affiliation, as a field of several values. */
static void write_affiliated(struct xylem_buffer *out, const char *name, const struct topic_affiliated *list,
	size_t n, enum topic_affiliation affiliation)
{
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		if (list[i].affiliation == affiliation) {
			xylem_buffer_format(
				out, any ? "<value>" : "<field var='%s' type='jid-multi'><value>", name);
			xml_escape_text(out, xylem_span_of(list[i].jid));
			xylem_buffer_text(out, "</value>");
			any = true;
		}
	}
	xylem_buffer_text(out, any ? "</field>" : "");
}

static void write_people(
	const struct xmpp_request *request, struct xylem_buffer *out, const struct topic_state *topic)
{
	struct topic_affiliated *list = NULL;
	size_t n = 0;
	if (topic_affiliations(service_topics(request->service), topic->name, NULL, &list, &n) == 0) {
		write_affiliated(out, "pubsub#owner", list, n, TOPIC_OWNER);
		write_affiliated(out, "pubsub#publisher", list, n, TOPIC_PUBLISHER);
		free(list);
	}
}

static void write_meta_data(
	const struct xmpp_request *request, struct xylem_buffer *out, const struct topic_state *topic)
{
	static const char *const settings[] = { "title", "description", "type", "language", "access_model",
		"publish_model", "max_items" };
	char stamp[CLOCK_TEXT_SIZE], name[64];

	form_open(out, "result", NS_PUBSUB_METADATA);
	for (size_t i = 0; i < COUNT(settings); i++) {
		XYLEM_BUFFER_SCOPED value = { 0 };
		topic_settings_get(&topic->settings, topic_setting_find(xylem_span_of(settings[i])), &value);
		xylem_buffer_byte(&value, '\0');
		snprintf(name, sizeof(name), "pubsub#%s", settings[i]);
		write_field(out, name, value.failed ? "" : value.bytes);
	}
	write_lines(out, "pubsub#contact", xylem_span_of(topic->settings.contact));
	write_number(out, "pubsub#num_subscribers", topic->subscriptions);
	write_field(out, "pubsub#creator", topic->creator);
	write_field(out, "pubsub#creation_date",
		topic->created_us > 0 ? clock_format(topic->created_us, stamp) : "");
	write_people(request, out, topic);
	form_close(out);
}

/*
 * -XYLEM_E_NOT_FOUND; -XYLEM_E_METHOD with the state: it is there, and the asker
 * is not on its list; -XYLEM_E_FORBIDDEN.
 */
static int find_topic(const struct xmpp_request *request, struct topic_state *ret_state)
{
	char *name = xylem_arena_text(request->arena, xml_attribute(request->payload, "node"));
	struct topics *topics = service_topics(request->service);
	if (name == NULL || topics == NULL || topic_state(topics, name, ret_state) != 0) {
		return -XYLEM_E_NOT_FOUND;
	}
	return topic_check(topics, name, request->sender, TOPIC_SEE);
}

static const char *title_of(const struct topic_state *topic)
{
	return topic->settings.title[0] != '\0' ? topic->settings.title : topic->name;
}

/* --- disco#info ----------------------------------------------------------- */

static void info_of_node(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct topic_state topic;

	/* Whom the bus talks to is told of a closed topic what subscribing to it would tell. */
	int right = find_topic(request, &topic);
	if (right != 0 && (right != -XYLEM_E_METHOD || !request->entitled)) {
		request_refuse_code(request, -XYLEM_E_NOT_FOUND, NULL);
		return;
	}
	disco_open(request, &out, NS_DISCO_INFO);
	write_identity(&out, "pubsub", "leaf", right == 0 ? title_of(&topic) : topic.name);
	write_features(&out, node_features, topic.settings.persist ? COUNT(node_features) : 3);
	if (right == 0) {
		write_meta_data(request, &out, &topic);
	}
	disco_close(request, &out);
}

static void describe(struct disco *disco, const char *const *features, size_t n)
{
	for (size_t i = 0; i < n && disco->feature_count < DISCO_FEATURES; i++) {
		disco->features[disco->feature_count++] = features[i];
	}
}

/* The texts are in tables of the connector's kind. */
static void describe_own(void *disco, const char *const *features)
{
	for (size_t i = 0; features != NULL && features[i] != NULL; i++) {
		describe(disco, &features[i], 1);
	}
}

void disco_describe(struct xmpp_service *service, struct xylem_span local, struct disco *disco)
{
	const char *name = service_options(service)->name;

	memset(disco, 0, sizeof(*disco));
	if (xylem_span_present(local)) {
		snprintf(disco->name, sizeof(disco->name), "%.*s", (int)local.n, local.at);
		disco->identities[disco->identity_count++] = (struct disco_identity){ "client", "bot",
			disco->name };
		describe(disco, endpoint_features, COUNT(endpoint_features));
		xmpp_service_features(service, local, describe_own, disco);
		if (presence_shown(service_presence(service), local)) {
			describe(disco, (const char *const[]){ NS_COMMANDS }, 1);
		}
		return;
	}
	disco->identities[disco->identity_count++] = (struct disco_identity){ "component", "generic", name };
	describe(disco, domain_features, COUNT(domain_features));
	if (service_topics(service) != NULL) {
		disco->identities[disco->identity_count++] = (struct disco_identity){ "pubsub", "service",
			name };
		describe(disco, pubsub_features, COUNT(pubsub_features));
	}
}

static void info_of_address(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct disco disco;

	disco_describe(request->service, request->local, &disco);
	disco_open(request, &out, NS_DISCO_INFO);
	for (size_t i = 0; i < disco.identity_count; i++) {
		write_identity(&out, disco.identities[i].category, disco.identities[i].type,
			disco.identities[i].name);
	}
	write_features(&out, disco.features, disco.feature_count);
	disco_close(request, &out);
}

static void info(const struct xmpp_request *request)
{
	bool endpoint = xylem_span_present(request->local);

	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
		return;
	}
	struct xylem_span node = xml_attribute(request->payload, "node");
	if (node.n == 0 || caps_is_node(node)) {
		info_of_address(request);
	} else if (!command_info(request)) {
		if (endpoint) {
			request_refuse_code(request, -XYLEM_E_NOT_FOUND, NULL);
		} else {
			info_of_node(request);
		}
	}
}

const struct xmpp_feature feature_disco_info = {
	.namespace = NS_DISCO_INFO, .name = "query", .strangers = true, .endpoints = true, .answer = info
};

/* --- disco#items ---------------------------------------------------------- */

struct topic_list {
	const char *domain;
	struct topic_state *items;
};

static struct xylem_span topic_id(const void *context, size_t i)
{
	const struct topic_list *list = context;
	return xylem_span_of(list->items[i].name);
}

static void write_topic(const void *context, size_t i, struct xylem_buffer *out)
{
	const struct topic_list *list = context;
	xylem_buffer_text(out, "<item");
	xml_write_attribute(out, "jid", xylem_span_of(list->domain));
	xml_write_attribute(out, "node", xylem_span_of(list->items[i].name));
	xml_write_attribute(out, "name", xylem_span_of(title_of(&list->items[i])));
	xylem_buffer_text(out, "/>");
}

/* As many as a stanza takes; the <set/> lets the asker go on (XEP-0059). */
static int write_topics(const struct xmpp_request *request, struct xylem_buffer *out)
{
	struct rsm rsm;
	struct rsm_part part;
	struct topic_list list = { .domain = service_options(request->service)->domain };
	size_t n = 0;
	struct topics *topics = service_topics(request->service);

	int error = rsm_read(request->payload, &rsm, request->arena);
	if (error != 0 || topics == NULL) {
		return error;
	}
	error = topics_list(topics, request->sender, &list.items, &n);
	if (error != 0) {
		return error;
	}
	const struct rsm_list rows = { n, topic_id, write_topic, &list };
	error = rsm_write_rows(&rsm, &rows, pubsub_room(request), out, &part);
	if (error == 0) {
		rsm_write_part(out, &rows, &part);
	}
	free(list.items);
	return error;
}

static void items_of_node(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct topic_state topic;
	struct xylem_reason reason = { "" };

	if (find_topic(request, &topic) != 0) {
		request_refuse_code(request, -XYLEM_E_NOT_FOUND, NULL);
		return;
	}
	disco_open(request, &out, NS_DISCO_ITEMS);
	/* Who may see the topic, but not its items, or a topic that keeps none: an empty list. */
	bool some = topic.settings.persist && topic_check(service_topics(request->service), topic.name,
						      request->sender, TOPIC_READ) == 0;
	int error = some ? pubsub_write_rows(request, topic.name, &out, &reason) : 0;
	if (error != 0) {
		request_refuse_code(request, error, reason.text);
		return;
	}
	disco_close(request, &out);
}

static void items(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
		return;
	}
	bool endpoint = xylem_span_present(request->local);
	if (command_items(request)) {
		return;
	}
	if (xml_attribute(request->payload, "node").n > 0) {
		if (endpoint) {
			request_refuse_code(request, -XYLEM_E_NOT_FOUND, NULL);
		} else {
			items_of_node(request);
		}
		return;
	}
	disco_open(request, &out, NS_DISCO_ITEMS);
	int error = endpoint ? 0 : write_topics(request, &out);
	if (error != 0) {
		request_refuse_code(request, error, NULL);
		return;
	}
	disco_close(request, &out);
}

const struct xmpp_feature feature_disco_items = {
	.namespace = NS_DISCO_ITEMS, .name = "query", .endpoints = true, .answer = items
};
