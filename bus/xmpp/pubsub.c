/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PubSub (XEP-0060) on the bus's domain, first form: the nodes are the topics
 * of the configuration. Subscribe, unsubscribe, list one's subscriptions and
 * affiliations, retrieve items, publish. What is not offered says so by
 * `feature-not-implemented` with the feature's name.
 *
 * Each operation is one row of a table. Subscribing and publishing answer when
 * it is on disk, from the thread that wrote it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xmpp/feature.h>
#include <xmpp/pubsub_item.h>

/* --- Refusals ------------------------------------------------------------- */

static void refuse(
	const struct xmpp_request *request, const char *type, const char *condition, const char *pubsub)
{
	char application[160];

	snprintf(application, sizeof(application), "<%s xmlns='" NS_PUBSUB_ERRORS "'/>",
		pubsub != NULL ? pubsub : "");
	request_refuse(request,
		&(struct stanza_error){ type, condition, NULL, pubsub != NULL ? application : NULL });
}

static void refuse_unsupported(const struct xmpp_request *request, const char *feature)
{
	char application[192];

	snprintf(application, sizeof(application), "<unsupported xmlns='" NS_PUBSUB_ERRORS "' feature='%s'/>",
		feature);
	request_refuse(
		request, &(struct stanza_error){ "cancel", "feature-not-implemented", NULL, application });
}

/* The errors of topic_check() and its like, as XEP-0060 has them. */
static void refuse_code(const struct xmpp_request *request, int error)
{
	switch (error) {
	case -XYLEM_E_NOT_FOUND:
		refuse(request, "cancel", "item-not-found", NULL);
		break;
	case -XYLEM_E_METHOD:
		refuse(request, "cancel", "not-allowed", "closed-node");
		break;
	case -XYLEM_E_LIMIT:
		refuse(request, "wait", "policy-violation", "too-many-subscriptions");
		break;
	default:
		request_refuse_code(request, error, NULL);
	}
}

/* --- Parts of requests ---------------------------------------------------- */

/* The operation's node; NULL (refused already): there is none. */
static const char *node_of(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct xylem_span node = xml_attribute(operation, "node");
	if (node.n == 0) {
		refuse(request, "modify", "bad-request", "nodeid-required");
		return NULL;
	}
	char *name = xylem_arena_text(request->arena, node);
	if (name == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
	}
	return name;
}

/* The subscriber: bare or full, but one's own; NULL: refused already. */
static const char *subscriber_of(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct xylem_span jid = xml_attribute(operation, "jid");
	char bare[JID_SIZE];

	if (!xylem_span_present(jid)) {
		refuse(request, "modify", "bad-request", "jid-required");
		return NULL;
	}
	if (!jid_normalise(jid, bare) || strcmp(bare, request->sender) != 0) {
		refuse(request, "modify", "bad-request", "invalid-jid");
		return NULL;
	}
	struct xylem_span resource = xylem_span(jid.at + jid_bare(jid).n, jid.n - jid_bare(jid).n);
	char *subscriber = xylem_arena_format(request->arena, "%s%.*s", bare, (int)resource.n, resource.at);
	if (subscriber == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
	}
	return subscriber;
}

/* --- Subscribe and unsubscribe -------------------------------------------- */

struct subscribing {
	struct deferred *deferred;
	bool subscribe;
	char *jid; /* behind the name */
	char name[];
};

static void subscribing_done(void *context, int error)
{
	struct subscribing *subscribing = context;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		(void)stanza_error_code(&out, &subscribing->deferred->iq, error, NULL);
	} else {
		stanza_result_open(&out, &subscribing->deferred->iq);
		if (subscribing->subscribe) {
			xylem_buffer_text(&out, "<pubsub xmlns='" NS_PUBSUB "'><subscription");
			xml_write_attribute(&out, "node", xylem_span_of(subscribing->name));
			xml_write_attribute(&out, "jid", xylem_span_of(subscribing->jid));
			xylem_buffer_text(&out, " subscription='subscribed'/></pubsub>");
		}
		stanza_result_close(&out);
	}
	deferred_answer(subscribing->deferred, &out);
	free(subscribing);
}

static struct subscribing *subscribing_new(
	const struct xmpp_request *request, const char *name, const char *jid, bool subscribe)
{
	size_t name_n = strlen(name) + 1, jid_n = strlen(jid) + 1;
	struct subscribing *subscribing = malloc(sizeof(*subscribing) + name_n + jid_n);
	if (subscribing == NULL) {
		return NULL;
	}
	subscribing->subscribe = subscribe;
	subscribing->jid = subscribing->name + name_n;
	memcpy(subscribing->name, name, name_n);
	memcpy(subscribing->jid, jid, jid_n);
	subscribing->deferred = deferred_new(request->service, request->iq);
	if (subscribing->deferred == NULL) {
		free(subscribing);
		return NULL;
	}
	return subscribing;
}

static void change(const struct xmpp_request *request, const char *name, const char *jid, bool subscribe)
{
	struct subscribing *subscribing = subscribing_new(request, name, jid, subscribe);
	if (subscribing == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
		return;
	}
	struct topics *topics = service_topics(request->service);
	int error = subscribe ? topic_subscribe(topics, name, jid, subscribing_done, subscribing)
			      : topic_unsubscribe(topics, name, jid, subscribing_done, subscribing);
	if (error == 0) {
		return;
	}
	XYLEM_BUFFER_SCOPED nothing = { 0 };
	deferred_answer(subscribing->deferred, &nothing);
	free(subscribing);
	if (error == -XYLEM_E_CONFLICT) {
		refuse(request, "cancel", "unexpected-request", "not-subscribed");
	} else {
		refuse_code(request, error);
	}
}

static void subscribe_or_not(
	const struct xmpp_request *request, const struct xml_node *operation, bool subscribe)
{
	const char *jid = subscriber_of(request, operation);
	const char *name = jid == NULL ? NULL : node_of(request, operation);
	if (name != NULL) {
		change(request, name, jid, subscribe);
	}
}

static void subscribe(const struct xmpp_request *request, const struct xml_node *operation)
{
	subscribe_or_not(request, operation, true);
}

static void unsubscribe(const struct xmpp_request *request, const struct xml_node *operation)
{
	subscribe_or_not(request, operation, false);
}

/* --- Lists of one's own --------------------------------------------------- */

static void open_pubsub(const struct xmpp_request *request, struct xylem_buffer *out)
{
	stanza_result_open(out, request->iq);
	xylem_buffer_text(out, "<pubsub xmlns='" NS_PUBSUB "'>");
}

static void close_pubsub(const struct xmpp_request *request, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</pubsub>");
	stanza_result_close(out);
	request_answer(request, out);
}

static const char *optional_node(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct xylem_span node = xml_attribute(operation, "node");
	return node.n == 0 ? NULL : xylem_arena_text(request->arena, node);
}

static void subscriptions(const struct xmpp_request *request, const struct xml_node *operation)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct topic_subscription *list = NULL;
	size_t n = 0;
	int error = topic_subscriptions(service_topics(request->service), optional_node(request, operation),
		request->sender, &list, &n);
	if (error != 0) {
		request_refuse_code(request, error, NULL);
		return;
	}
	open_pubsub(request, &out);
	xylem_buffer_text(&out, "<subscriptions");
	xml_write_attribute(&out, "node", xml_attribute(operation, "node"));
	xylem_buffer_byte(&out, '>');
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_text(&out, "<subscription");
		xml_write_attribute(&out, "node", xylem_span_of(list[i].topic));
		xml_write_attribute(&out, "jid", xylem_span_of(list[i].jid));
		xylem_buffer_text(&out, " subscription='subscribed'/>");
	}
	free(list);
	xylem_buffer_text(&out, "</subscriptions>");
	close_pubsub(request, &out);
}

/* --- Items ---------------------------------------------------------------- */

static void items_all(const struct xmpp_request *request, const char *name, const struct xml_node *operation)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct pubsub_items items;
	struct xylem_reason reason = { "" };
	int error = pubsub_items_read(&items, request, name, operation, &reason);

	if (error == -XYLEM_E_INVALID) {
		request_refuse_code(request, error, reason.text);
	} else if (error != 0) {
		refuse_code(request, error);
	} else {
		open_pubsub(request, &out);
		xylem_buffer_text(&out, "<items");
		xml_write_attribute(&out, "node", xylem_span_of(name));
		xylem_buffer_byte(&out, '>');
		pubsub_items_write(&items, &out);
		xylem_buffer_text(&out, "</items>");
		close_pubsub(request, &out);
	}
	pubsub_items_finish(&items);
}

static void items(const struct xmpp_request *request, const struct xml_node *operation)
{
	const char *name = node_of(request, operation);
	if (name == NULL) {
		return;
	}
	int error = topic_check(service_topics(request->service), name, request->sender, TOPIC_SUBSCRIBE);
	if (error != 0) {
		refuse_code(request, error);
	} else {
		items_all(request, name, operation);
	}
}

/* --- Publish -------------------------------------------------------------- */

struct publishing {
	struct deferred *deferred;
	char *id; /* behind the name */
	char name[];
};

static void published(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct publishing *publishing = context;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		(void)stanza_error_code(&out, &publishing->deferred->iq, error, NULL);
	} else {
		stanza_result_open(&out, &publishing->deferred->iq);
		xylem_buffer_text(&out, "<pubsub xmlns='" NS_PUBSUB "'><publish");
		xml_write_attribute(&out, "node", xylem_span_of(publishing->name));
		xylem_buffer_text(&out, "><item");
		xml_write_attribute(&out, "id", xylem_span_of(publishing->id));
		xylem_buffer_text(&out, "/></publish></pubsub>");
		stanza_result_close(&out);
	}
	deferred_answer(publishing->deferred, &out);
	free(publishing);
}

static struct publishing *publishing_new(
	const struct xmpp_request *request, const char *name, const struct xylem_message *message)
{
	size_t name_n = strlen(name) + 1;
	struct publishing *publishing = malloc(sizeof(*publishing) + name_n + message->id.n + 1);
	if (publishing == NULL) {
		return NULL;
	}
	publishing->id = publishing->name + name_n;
	memcpy(publishing->name, name, name_n);
	memcpy(publishing->id, message->id.at, message->id.n);
	publishing->id[message->id.n] = '\0';
	publishing->deferred = deferred_new(request->service, request->iq);
	if (publishing->deferred == NULL) {
		free(publishing);
		return NULL;
	}
	return publishing;
}

static void publish_message(
	const struct xmpp_request *request, const char *name, const struct xylem_message *message)
{
	struct publishing *publishing = publishing_new(request, name, message);
	struct xylem_reason reason = { "" };
	if (publishing == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
		return;
	}
	int error = topic_publish(
		service_topics(request->service), name, message, published, publishing, &reason);
	if (error == 0) {
		return;
	}
	XYLEM_BUFFER_SCOPED nothing = { 0 };
	deferred_answer(publishing->deferred, &nothing);
	free(publishing);
	if (error == -XYLEM_E_TOO_LARGE) {
		refuse(request, "modify", "not-acceptable", "payload-too-big");
	} else {
		request_refuse_code(request, error, reason.text[0] != '\0' ? reason.text : NULL);
	}
}

static void publish(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct xylem_message message = { 0 };
	struct pubsub_refusal refusal = { 0 };
	const char *name = node_of(request, operation);
	if (name == NULL) {
		return;
	}
	int error = topic_check(service_topics(request->service), name, request->sender, TOPIC_PUBLISH);
	if (error != 0) {
		refuse_code(request, error);
	} else if (xml_child(request->payload, NS_PUBSUB, "publish-options") != NULL) {
		refuse_unsupported(request, "publish-options");
	} else if (!pubsub_item_read(request, operation, &message, &refusal)) {
		request_refuse(request, &refusal.error);
	} else {
		publish_message(request, name, &message);
	}
}

/* --- The table ------------------------------------------------------------ */

struct operation {
	const char *name;
	bool set;
	void (*run)(
		const struct xmpp_request *request, const struct xml_node *operation); /* NULL: not offered */
	const char *feature;
};

static const struct operation operations[] = {
	{ "subscribe", true, subscribe, NULL },
	{ "unsubscribe", true, unsubscribe, NULL },
	{ "subscriptions", false, subscriptions, NULL },
	{ "items", false, items, NULL },
	{ "publish", true, publish, NULL },
	{ "affiliations", false, NULL, "retrieve-affiliations" },
	{ "options", false, NULL, "subscription-options" },
	{ "options", true, NULL, "subscription-options" },
	{ "default", false, NULL, "retrieve-default-sub" },
	{ "retract", true, NULL, "delete-items" },
};

static void answer(const struct xmpp_request *request)
{
	const struct xml_node *child = xml_child(request->payload, NS_PUBSUB, NULL);
	if (child == NULL || service_topics(request->service) == NULL) {
		request_refuse_code(request, child == NULL ? -XYLEM_E_INVALID : -XYLEM_E_UNSUPPORTED, NULL);
		return;
	}
	/* Clients probe for instant nodes: `forbidden` tells them that the service makes none for them. */
	if (xml_is(child, NS_PUBSUB, "create")) {
		refuse(request, "auth", "forbidden", NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const struct operation *operation = &operations[i];
		if (xml_is(child, NS_PUBSUB, operation->name) && operation->set == request->set) {
			if (operation->run != NULL) {
				operation->run(request, child);
			} else {
				refuse_unsupported(request, operation->feature);
			}
			return;
		}
	}
	request_refuse_code(request, -XYLEM_E_INVALID, "no such PubSub operation");
}

/* The topics' owner is the configuration. */
static void answer_owner(const struct xmpp_request *request)
{
	refuse(request, "auth", "forbidden", NULL);
}

const struct xmpp_feature feature_pubsub = { .namespace = NS_PUBSUB, .name = "pubsub", .answer = answer };
const struct xmpp_feature feature_pubsub_owner = {
	.namespace = NS_PUBSUB "#owner", .name = "pubsub", .answer = answer_owner
};
