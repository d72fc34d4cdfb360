/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes back for notifications: errors, which topics count against an address
 * (topic/refusal.c), and everything else that shows that somebody is there. Errors
 * of other servers come after our own has confirmed the stanza, so they are taken
 * here and not where confirmations are.
 *
 * The rule not to break: an error is looked at and never answered, and of what it
 * brings back nothing is read.
 */
#include <stdio.h>

#include <xmpp/pubsub.h>

static bool is_notification(struct xylem_span id)
{
	return id.n > 5 && memcmp(id.at, "item-", 5) == 0;
}

static void copy_condition(const struct xml_node *error, char ret_condition[40])
{
	struct xylem_span name = XYLEM_SPAN_LITERAL("undefined-condition");
	const struct xml_node *child = xml_child(error, NS_STANZA_ERROR, NULL);
	while (child != NULL && xylem_span_is(child->name, "text")) {
		child = xml_next(child, NS_STANZA_ERROR, NULL);
	}
	name = child != NULL ? child->name : name;
	snprintf(ret_condition, 40, "%.*s", (int)(name.n < 39 ? name.n : 39), name.at);
}

void pubsub_take_refusal(const struct xmpp_request *request)
{
	char condition[40];
	struct topics *topics = service_topics(request->service);
	const struct xml_node *error = xml_child(request->iq, NULL, "error");
	if (topics == NULL || error == NULL || !is_notification(xml_attribute(request->iq, "id"))) {
		return;
	}
	copy_condition(error, condition);
	const char *from = pubsub_address(request, xml_attribute(request->iq, "from"));
	const char *type = xylem_arena_text(request->arena, xml_attribute(error, "type"));
	if (from != NULL && type != NULL) {
		topics_refused(topics, from, type, condition);
	}
}

void pubsub_take_sign(const struct xmpp_request *request)
{
	struct topics *topics = service_topics(request->service);
	struct xylem_span type = xml_attribute(request->iq, "type");
	bool presence = xml_is(request->iq, NS_COMPONENT, "presence");
	/* Servers answer for accounts that are gone by errors, `unavailable` and `unsubscribed`. */
	if (topics != NULL && !xylem_span_is(type, "error") && !(presence && type.n > 0)) {
		topics_alive(topics, request->sender);
	}
}
