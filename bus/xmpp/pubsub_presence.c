/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Presence as topics need it (XEP-0060, 12.1, 12.4): who of the subscribers is
 * online, and how. The presence is that which people show to the bus, by a
 * subscription or by sending it there.
 */
#include <xmpp/presence.h>
#include <xmpp/pubsub.h>

static unsigned show_of(const struct xml_node *presence, struct xylem_arena *arena)
{
	static const struct {
		const char *name;
		unsigned show;
	} shows[] = { { "chat", TOPIC_SHOW_CHAT }, { "away", TOPIC_SHOW_AWAY }, { "xa", TOPIC_SHOW_XA },
		{ "dnd", TOPIC_SHOW_DND } };
	const struct xml_node *show = xml_child(presence, NULL, "show");
	struct xylem_span text = show != NULL ? xml_text(show, arena) : XYLEM_SPAN_NONE;
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
		if (xylem_span_is(text, shows[i].name)) {
			return shows[i].show;
		}
	}
	return TOPIC_SHOW_ONLINE;
}

static void seen(void *context, const char *bare, struct xylem_span resource, const struct xml_node *presence)
{
	struct xylem_span type = xml_attribute(presence, "type");
	struct xylem_arena *arena = xylem_arena_new(0);
	const char *full = arena == NULL ? NULL
			   : resource.n == 0
				   ? bare
				   : xylem_arena_format(arena, "%s/%.*s", bare, (int)resource.n, resource.at);
	if (full != NULL && type.n == 0 && resource.n > 0) {
		topics_presence(context, full, show_of(presence, arena));
	} else if (full != NULL && xylem_span_is(type, "unavailable")) {
		topics_presence(context, full, 0);
	}
	xylem_arena_free(arena);
}

int pubsub_watch(struct xmpp_service *service)
{
	struct topics *topics = service_topics(service);
	return topics != NULL ? xmpp_presence_listen(service, seen, topics) : 0;
}

void pubsub_unwatch(struct xmpp_service *service)
{
	if (service_topics(service) != NULL) {
		xmpp_presence_unlisten(service, service_topics(service));
	}
}
