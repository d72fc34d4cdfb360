/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people publish about themselves. Their servers send it to whoever sees
 * their presence and says in his caps that he wants to hear of the node
 * (`NODE+notify`, XEP-0163, 6).
 *
 * The rule not to break: an event counts as of the account that it comes from,
 * which has to be listed; a forwarded one is none.
 */
#include <connectors/xmpp_endpoint_body.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <connectors/xmpp_published.h>

const char **published_features(const struct endpoint_options *options)
{
	struct xylem_strings nodes = options->published;
	const char **features = calloc(nodes.n + 1, sizeof(*features));

	for (size_t i = 0; features != NULL && i < nodes.n; i++) {
		size_t n = strlen(nodes.items[i]) + sizeof("+notify");
		char *feature = malloc(n);
		if (feature == NULL) {
			break;
		}
		snprintf(feature, n, "%s+notify", nodes.items[i]);
		features[i] = feature;
	}
	return features;
}

static bool is_followed(const struct endpoint *endpoint, struct xylem_span node)
{
	struct xylem_strings nodes = endpoint->options->published;
	for (size_t i = 0; i < nodes.n; i++) {
		if (xylem_span_is(node, nodes.items[i])) {
			return true;
		}
	}
	return false;
}

/* Ids like `current` name a place and not an event: such an item gets an id of its own. */
static struct xylem_span id_of(const struct xml_node *item)
{
	struct xylem_span id = xml_attribute(item, "id");
	return xylem_span_is(id, "current") ? XYLEM_SPAN_NONE : id;
}

/* Under the lock. */
static void take_item(struct endpoint *endpoint, const struct xml_node *stanza, const struct xml_node *item,
	const char *bare, struct xylem_span node)
{
	const struct xml_node *payload = xml_child(item, NULL, NULL);
	bool retracted = xml_is(item, NULL, "retract");
	const char *from = xylem_arena_text(endpoint->arena, xml_attribute(stanza, "from"));

	if (endpoint->source == NULL || from == NULL || (payload == NULL && !retracted)) {
		return;
	}
	intake_said(endpoint, &(struct said){ .stanza = stanza,
				      .content = payload,
				      .from = from,
				      .source = bare,
				      .key = bare,
				      .type = retracted ? "xmpp.retracted" : "xmpp.published",
				      .id = retracted ? XYLEM_SPAN_NONE : id_of(item),
				      .subject = node,
				      .item = xml_attribute(item, "id"),
				      .kind = "published",
				      .silent = true });
}

bool published_stanza(struct endpoint *endpoint, const struct xml_node *stanza)
{
	const struct xml_node *event = xml_child(stanza, NS_PUBSUB_EVENT, "event");
	const struct xml_node *items = xml_child(event, NS_PUBSUB_EVENT, "items");
	struct xylem_span node = xml_attribute(items, "node");
	char bare[JID_SIZE];

	if (event == NULL || endpoint->options->published.n == 0 ||
		!jid_normalise(xml_attribute(stanza, "from"), bare) ||
		!jid_listed(endpoint->options->publishers, bare)) {
		return false;
	}
	if (items == NULL || !is_followed(endpoint, node)) {
		return true;
	}
	pthread_mutex_lock(&endpoint->lock);
	for (const struct xml_node *item = xml_child(items, NS_PUBSUB_EVENT, NULL); item != NULL;
		item = xml_next(item, NS_PUBSUB_EVENT, NULL)) {
		take_item(endpoint, stanza, item, bare, node);
	}
	pthread_mutex_unlock(&endpoint->lock);
	return true;
}
