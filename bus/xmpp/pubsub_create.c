/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making nodes (XEP-0060, 8.1): by name, or instant, with a name that the bus
 * makes; with the default or with a configuration beside the request. Users from
 * role `deployer` on may, and those of `xmpp.create`; everybody else is
 * forbidden, which tells clients that probe for instant nodes that there are
 * none for them.
 */
#include <stdlib.h>
#include <string.h>

#include <xmpp/pubsub.h>

struct creating {
	struct deferred *deferred;
	char name[TOPIC_NAME_SIZE];
};

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_CONFLICT, "cancel", "conflict", NULL },
	{ -XYLEM_E_INVALID, "modify", "not-acceptable", NULL },
	{ -XYLEM_E_LIMIT, "wait", "resource-constraint", NULL },
	{ 0, NULL, NULL, NULL },
};

static void created(void *context, int error)
{
	struct creating *creating = context;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		pubsub_fail(creating->deferred, refusals, error);
	} else {
		stanza_result_open(&out, &creating->deferred->iq);
		xylem_buffer_text(&out, "<pubsub xmlns='" NS_PUBSUB "'><create");
		xml_write_attribute(&out, "node", xylem_span_of(creating->name));
		xylem_buffer_text(&out, "/></pubsub>");
		stanza_result_close(&out);
		deferred_answer(creating->deferred, &out);
	}
	free(creating);
}

/* A collection (XEP-0248): asked for by the attribute of old, or by the form. */
static bool asks_collection(const struct xmpp_request *request, const struct xml_node *operation)
{
	bool cancel;
	const struct xml_node *form = form_find(xml_child(request->payload, NS_PUBSUB, "configure"), &cancel);
	struct xylem_span by_form = form != NULL ? form_get(form, "node_type", request->arena)
						 : XYLEM_SPAN_NONE;
	return xylem_span_is(xml_attribute(operation, "type"), "collection") ||
	       xylem_span_is(by_form, "collection");
}

/* False: refused. */
static bool read_configuration(const struct xmpp_request *request, struct topic_settings *settings)
{
	static const struct pubsub_refusal bad[] = {
		{ -XYLEM_E_UNSUPPORTED, "modify", "not-acceptable", "unsupported-access-model" },
		{ -XYLEM_E_INVALID, "modify", "not-acceptable", NULL },
		{ 0, NULL, NULL, NULL },
	};
	bool cancel;
	struct xylem_reason reason = { "" };
	const struct xml_node *configure = xml_child(request->payload, NS_PUBSUB, "configure");
	const struct xml_node *form = form_find(configure, &cancel);

	/* The node is that of <create/> (8.1.3). */
	if (xml_attribute(configure, "node").n > 0) {
		request_refuse_code(request, -XYLEM_E_INVALID, "<configure/> beside <create/> has no node");
		return false;
	}
	topics_new_settings(service_topics(request->service), settings);
	if (form == NULL || cancel) {
		return true;
	}
	int error = form_is(form, FORM_CONFIG, request->arena)
			    ? settings_read_form(settings, form, false, request->arena, &reason)
			    : -XYLEM_E_INVALID;
	if (error != 0) {
		pubsub_refuse_code(request, bad, error, reason.text);
	}
	return error == 0;
}

static struct creating *creating_new(const struct xmpp_request *request, struct xylem_span node)
{
	char uuid[XYLEM_UUID_SIZE];
	struct xylem_span name = node.n > 0 ? node : xylem_span_of(xylem_uuid_new(uuid));
	struct creating *creating = name.n < TOPIC_NAME_SIZE ? calloc(1, sizeof(*creating)) : NULL;
	if (creating == NULL) {
		pubsub_refuse_code(request, refusals,
			name.n < TOPIC_NAME_SIZE ? -XYLEM_E_MEMORY : -XYLEM_E_INVALID, "a shorter name");
		return NULL;
	}
	memcpy(creating->name, name.at, name.n);
	creating->deferred = pubsub_defer(request);
	if (creating->deferred == NULL) {
		free(creating);
		return NULL;
	}
	return creating;
}

static void create(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_settings settings;
	struct topics *topics = service_topics(request->service);

	if (!topics_may_create(topics, request->sender)) {
		pubsub_refuse(request, "auth", "forbidden", NULL);
		return;
	}
	if (asks_collection(request, operation)) {
		pubsub_refuse_unsupported(request, "collections");
		return;
	}
	struct creating *creating = read_configuration(request, &settings)
					    ? creating_new(request, xml_attribute(operation, "node"))
					    : NULL;
	if (creating == NULL) {
		return;
	}
	int error = topic_create(topics, creating->name, request->sender, &settings, created, creating);
	if (error != 0) {
		created(creating, error);
	}
}

const struct pubsub_operation pubsub_creating[] = {
	{ NS_PUBSUB, "create", true, create },
	{ NULL, NULL, false, NULL },
};
