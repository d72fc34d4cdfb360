/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retracting items (XEP-0060, 7.2): whoever published them may, and the node's
 * owners. Several at once go all, or none does (12.11).
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

/* The ids of the items; *ret_n 0: refused. */
static struct xylem_span *read_ids(
	const struct xmpp_request *request, const struct xml_node *operation, size_t *ret_n)
{
	size_t n = 0;
	struct xylem_span *ids = xylem_arena_zero(request->arena, TOPIC_BATCH_MOST * sizeof(*ids));
	const struct xml_node *item = xml_child(operation, NS_PUBSUB, "item");

	*ret_n = 0;
	for (; item != NULL && ids != NULL && n < TOPIC_BATCH_MOST;
		item = xml_next(item, NS_PUBSUB, "item")) {
		ids[n] = xml_attribute(item, "id");
		if (ids[n++].n == 0) {
			n = 0;
			break;
		}
	}
	if (ids == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
	} else if (n == 0) {
		pubsub_refuse(request, "modify", "bad-request", "item-required");
	} else if (item != NULL) {
		pubsub_refuse(request, "cancel", "not-allowed", "max-items-exceeded");
	} else {
		*ret_n = n;
	}
	return ids;
}

static void retract(const struct xmpp_request *request, const struct xml_node *operation)
{
	size_t n;
	int error = 0;
	struct xylem_span notify = xml_attribute(operation, "notify");
	const char *name = pubsub_node(request, operation);
	const struct xylem_span *ids = name == NULL ? NULL : read_ids(request, operation, &n);

	for (size_t i = 0; ids != NULL && i < n && error == 0; i++) {
		error = may_retract(request, name, ids[i]);
	}
	if (ids == NULL || n == 0) {
		return;
	}
	if (error != 0) {
		pubsub_refuse_code(request, refusals, error, NULL);
		return;
	}
	struct deferred *deferred = pubsub_defer(request);
	error = deferred == NULL ? 0
				 : topic_retract(service_topics(request->service), name, ids, n,
					   xylem_span_is(notify, "1") || xylem_span_is(notify, "true"),
					   pubsub_done, deferred);
	if (error != 0) {
		pubsub_fail(deferred, refusals, error);
	}
}

const struct pubsub_operation pubsub_retracting[] = {
	{ NS_PUBSUB, "retract", true, retract },
	{ NULL, NULL, false, NULL },
};
