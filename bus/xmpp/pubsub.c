/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PubSub (XEP-0060) on the bus's domain: the nodes are the topics. This file
 * finds the operation and says what all have in common; each feature is a file
 * of its own: subscribing, options, publishing, retrieving, retracting, creating,
 * configuring, affiliating, managing. What changes something is answered when it
 * is on disk, from the thread that wrote it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xmpp/pubsub.h>
#include <xmpp/rsm.h>

/* --- Refusals ------------------------------------------------------------- */

/* What the codes of the topics mean in PubSub, where a feature does not say otherwise. */
static const struct pubsub_refusal common[] = {
	{ -XYLEM_E_NOT_FOUND, "cancel", "item-not-found", NULL },
	{ -XYLEM_E_METHOD, "cancel", "not-allowed", "closed-node" },
	{ -XYLEM_E_FORBIDDEN, "auth", "forbidden", NULL },
	{ -XYLEM_E_UNAUTHORIZED, "auth", "not-authorized", "not-subscribed" },
	{ -XYLEM_E_LIMIT, "wait", "policy-violation", "too-many-subscriptions" },
	{ -XYLEM_E_TOO_LARGE, "modify", "not-acceptable", "payload-too-big" },
	{ 0, NULL, NULL, NULL },
};

static const struct pubsub_refusal *find_refusal(const struct pubsub_refusal *table, int code)
{
	for (; table != NULL && table->code != 0; table++) {
		if (table->code == code) {
			return table;
		}
	}
	return NULL;
}

/* The error of a code; its condition is written to `application`. */
static struct stanza_error error_of(
	const struct pubsub_refusal *table, int code, const char *text, char application[192])
{
	const struct pubsub_refusal *row = find_refusal(table, code);
	row = row != NULL ? row : find_refusal(common, code);
	if (row == NULL) {
		const struct xylem_error_row *other = xylem_error_row(code);
		return (struct stanza_error){ other->xmpp_type, other->xmpp_condition, text, NULL };
	}
	if (row->pubsub != NULL) {
		bool feature = strncmp(row->pubsub, "unsupported ", 12) == 0;
		snprintf(application, 192,
			feature ? "<unsupported xmlns='" NS_PUBSUB_ERRORS "' feature='%s'/>"
				: "<%s xmlns='" NS_PUBSUB_ERRORS "'/>",
			feature ? row->pubsub + 12 : row->pubsub);
	}
	return (struct stanza_error){ row->type, row->condition, text,
		row->pubsub != NULL ? application : NULL };
}

void pubsub_refuse(
	const struct xmpp_request *request, const char *type, const char *condition, const char *pubsub)
{
	const struct pubsub_refusal table[] = { { 1, type, condition, pubsub }, { 0, NULL, NULL, NULL } };
	char application[192];
	struct stanza_error error = error_of(table, 1, NULL, application);
	request_refuse(request, &error);
}

void pubsub_refuse_unsupported(const struct xmpp_request *request, const char *feature)
{
	char pubsub[96];
	snprintf(pubsub, sizeof(pubsub), "unsupported %s", feature);
	pubsub_refuse(request, "cancel", "feature-not-implemented", pubsub);
}

void pubsub_refuse_code(
	const struct xmpp_request *request, const struct pubsub_refusal *table, int code, const char *text)
{
	char application[192];
	struct stanza_error error = error_of(
		table, code, text != NULL && text[0] != '\0' ? text : NULL, application);
	request_refuse(request, &error);
}

struct deferred *pubsub_defer(const struct xmpp_request *request)
{
	struct deferred *deferred = deferred_new(request->service, request->iq);
	if (deferred == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
	}
	return deferred;
}

void pubsub_fail(struct deferred *deferred, const struct pubsub_refusal *table, int code)
{
	char application[192];
	struct stanza_error error = error_of(table, code, NULL, application);
	deferred_refuse(deferred, &error);
}

void pubsub_done(void *context, int error)
{
	struct deferred *deferred = context;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		pubsub_fail(deferred, NULL, error);
		return;
	}
	stanza_result_open(&out, &deferred->iq);
	stanza_result_close(&out);
	deferred_answer(deferred, &out);
}

/* --- Parts of requests ---------------------------------------------------- */

const char *pubsub_optional_node(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct xylem_span node = xml_attribute(operation, "node");
	return node.n == 0 ? NULL : xylem_arena_text(request->arena, node);
}

const char *pubsub_node(const struct xmpp_request *request, const struct xml_node *operation)
{
	const char *name = pubsub_optional_node(request, operation);
	if (name == NULL) {
		pubsub_refuse(request, "modify", "bad-request", "nodeid-required");
	}
	return name;
}

const char *pubsub_address(const struct xmpp_request *request, struct xylem_span jid)
{
	char bare[JID_SIZE];
	if (!jid_normalise(jid, bare)) {
		return NULL;
	}
	struct xylem_span resource = xylem_span(jid.at + jid_bare(jid).n, jid.n - jid_bare(jid).n);
	return xylem_arena_format(request->arena, "%s%.*s", bare, (int)resource.n, resource.at);
}

const char *pubsub_subscriber(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct xylem_span jid = xml_attribute(operation, "jid");
	if (!xylem_span_present(jid)) {
		pubsub_refuse(request, "modify", "bad-request", "jid-required");
		return NULL;
	}
	const char *address = pubsub_address(request, jid);
	if (address == NULL || !xylem_span_is(jid_bare(xylem_span_of(address)), request->sender)) {
		pubsub_refuse(request, "modify", "bad-request", "invalid-jid");
		return NULL;
	}
	return address;
}

const char *pubsub_entitled(
	const struct xmpp_request *request, const struct xml_node *operation, enum topic_right right)
{
	const char *name = pubsub_node(request, operation);
	int error = name == NULL
			    ? 0
			    : topic_check(service_topics(request->service), name, request->sender, right);
	if (error != 0) {
		pubsub_refuse_code(request, NULL, error, NULL);
		return NULL;
	}
	return name;
}

/* --- Answers -------------------------------------------------------------- */

void pubsub_open(const struct xmpp_request *request, struct xylem_buffer *out, const char *namespace)
{
	stanza_result_open(out, request->iq);
	xylem_buffer_format(out, "<pubsub xmlns='%s'>", namespace);
}

void pubsub_close(const struct xmpp_request *request, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</pubsub>");
	stanza_result_close(out);
	request_answer(request, out);
}

void pubsub_write_subscription(struct xylem_buffer *out, const struct topic_subscription *subscription)
{
	xylem_buffer_text(out, "<subscription");
	xml_write_attribute(out, "node", xylem_span_of(subscription->topic));
	xml_write_attribute(out, "jid", xylem_span_of(subscription->jid));
	xml_write_attribute(out, "subid", xylem_span_of(subscription->subid));
	xylem_buffer_format(out, " subscription='%s'/>", subscription->pending ? "pending" : "subscribed");
}

/* Room for one row more, which may be long, and for what closes the stanza. */
#define ROW_ROOM ((size_t)3 * JID_SIZE)

size_t pubsub_room(const struct xmpp_request *request)
{
	size_t most = link_max_stanza(xmpp_service_link(request->service));
	return most > 2 * ROW_ROOM ? most - ROW_ROOM : most / 2;
}

void pubsub_answer_list(const struct xmpp_request *request, const char *namespace, const char *element,
	const char *node, const struct rsm_list *list)
{
	struct rsm rsm;
	struct rsm_part part;
	XYLEM_BUFFER_SCOPED out = { 0 };

	int error = rsm_read(request->payload, &rsm, request->arena);
	pubsub_open(request, &out, namespace);
	xylem_buffer_format(&out, "<%s", element);
	xml_write_attribute(&out, "node", xylem_span_of(node));
	xylem_buffer_byte(&out, '>');
	error = error != 0 ? error : rsm_write_rows(&rsm, list, pubsub_room(request), &out, &part);
	if (error != 0) {
		request_refuse_code(request, error, NULL);
		return;
	}
	xylem_buffer_format(&out, "</%s>", element);
	rsm_write_part(&out, list, &part);
	pubsub_close(request, &out);
}

struct xylem_span pubsub_subscription_id(const void *subscriptions, size_t i)
{
	const struct topic_subscription *list = subscriptions;
	return xylem_span_of(list[i].subid);
}

void pubsub_write_subscription_row(const void *subscriptions, size_t i, struct xylem_buffer *out)
{
	const struct topic_subscription *list = subscriptions;
	pubsub_write_subscription(out, &list[i]);
}

/* --- The table ------------------------------------------------------------ */

static const struct pubsub_operation *const tables[] = { pubsub_subscribing, pubsub_options,
	pubsub_publishing, pubsub_retrieving, pubsub_retracting, pubsub_creating, pubsub_configuring,
	pubsub_affiliating, pubsub_managing };

/*
 * It is the wrapper that says whether a subscriber asks or an owner: programs on
 * xmpp4r write what is inside in the namespace of a subscriber's, whatever it is.
 */
static const struct pubsub_operation *find_operation(
	const struct xmpp_request *request, const struct xml_node *child)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct pubsub_operation *row = tables[i]; row->name != NULL; row++) {
			if (xml_is(request->payload, row->namespace, "pubsub") &&
				xml_is(child, NULL, row->name) && row->set == request->set) {
				return row;
			}
		}
	}
	return NULL;
}

/* A <set/> (XEP-0059), or what nobody here knows, may stand before it. */
static const struct xml_node *find_child(const struct xml_node *pubsub)
{
	const struct xml_node *child = xml_child(pubsub, NULL, NULL);
	while (child != NULL && !xylem_span_is(child->namespace, NS_PUBSUB) &&
		!xylem_span_is(child->namespace, NS_PUBSUB_OWNER)) {
		child = xml_next(child, NULL, NULL);
	}
	return child;
}

/* A second one beside it, which would be passed over in silence; options belong to a subscription. */
static bool is_alone(const struct xmpp_request *request, const struct xml_node *child)
{
	while ((child = xml_next(child, NULL, NULL)) != NULL) {
		if (find_operation(request, child) != NULL && !xml_is(child, NULL, "options")) {
			return false;
		}
	}
	return true;
}

static void answer(const struct xmpp_request *request)
{
	const struct xml_node *child = find_child(request->payload);
	if (avatar_take(request, child)) {
		return;
	}
	if (service_topics(request->service) == NULL) {
		request_refuse_code(request, -XYLEM_E_UNSUPPORTED, NULL);
		return;
	}
	const struct pubsub_operation *operation = child != NULL ? find_operation(request, child) : NULL;
	if (operation == NULL) {
		request_refuse_code(request, -XYLEM_E_INVALID, "no such PubSub operation");
	} else if (!is_alone(request, child)) {
		request_refuse_code(request, -XYLEM_E_INVALID, "one operation a request");
	} else {
		operation->run(request, child);
	}
}

const struct xmpp_feature feature_pubsub = { .namespace = NS_PUBSUB, .name = "pubsub", .answer = answer };
const struct xmpp_feature feature_pubsub_owner = {
	.namespace = NS_PUBSUB_OWNER, .name = "pubsub", .answer = answer
};
