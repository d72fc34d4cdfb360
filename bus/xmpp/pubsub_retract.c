/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retracting an item (XEP-0060, 7.2): whoever published it may, and the node's
 * owners.
 */
#include <xmpp/pubsub.h>

struct asker {
	const char *bare;
	bool own;
};

static bool look(void *context, struct xylem_span id, const struct xylem_message *message)
{
	struct asker *asker = context;
	asker->own = xylem_span_is(pubsub_publisher(message), asker->bare);
	return false;
}

/* 0; -XYLEM_E_FORBIDDEN, -XYLEM_E_NOT_FOUND, -XYLEM_E_UNSUPPORTED. */
static int may_retract(const struct xmpp_request *request, const char *name, struct xylem_span id)
{
	struct xylem_reason reason;
	struct asker asker = { request->sender, false };
	struct topics *topics = service_topics(request->service);

	int error = topic_check(topics, name, request->sender, TOPIC_OWN);
	if (error != -XYLEM_E_FORBIDDEN) {
		return error;
	}
	error = topic_check(topics, name, request->sender, TOPIC_PUBLISH);
	error = error != 0 ? error : topic_item_get(topics, name, id, look, &asker, &reason);
	return error == 0 && !asker.own ? -XYLEM_E_FORBIDDEN : error;
}

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_UNSUPPORTED, "cancel", "feature-not-implemented", "unsupported persistent-items" },
	{ 0, NULL, NULL, NULL },
};

static void submit(const struct xmpp_request *request, const char *name, struct xylem_span id, bool notify)
{
	struct deferred *deferred = pubsub_defer(request);
	int error = deferred == NULL ? 0
				     : topic_retract(service_topics(request->service), name, id, notify,
					       pubsub_done, deferred);
	if (error != 0) {
		pubsub_fail(deferred, refusals, error);
	}
}

static void retract(const struct xmpp_request *request, const struct xml_node *operation)
{
	const struct xml_node *item = xml_child(operation, NS_PUBSUB, "item");
	struct xylem_span id = item != NULL ? xml_attribute(item, "id") : XYLEM_SPAN_NONE;
	struct xylem_span notify = xml_attribute(operation, "notify");
	const char *name = pubsub_node(request, operation);

	if (name == NULL) {
		return;
	}
	if (id.n == 0) {
		pubsub_refuse(request, "modify", "bad-request", "item-required");
	} else if (xml_next(item, NS_PUBSUB, "item") != NULL) {
		pubsub_refuse(request, "cancel", "not-allowed", "max-items-exceeded");
	} else {
		int error = may_retract(request, name, id);
		if (error != 0) {
			pubsub_refuse_code(request, refusals, error, NULL);
		} else {
			submit(request, name, id,
				xylem_span_is(notify, "1") || xylem_span_is(notify, "true"));
		}
	}
}

const struct pubsub_operation pubsub_retracting[] = {
	{ NS_PUBSUB, "retract", true, retract },
	{ NULL, NULL, false, NULL },
};
