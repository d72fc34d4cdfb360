/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an owner does with a node as a whole (XEP-0060, 8.2 to 8.5): configure
 * it, see the default configuration, delete it, purge it. What the
 * configuration file declares of a topic is changed there and nowhere else.
 */
#include <xmpp/pubsub.h>

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_METHOD, "cancel", "not-allowed", NULL },
	{ -XYLEM_E_UNSUPPORTED, "modify", "not-acceptable", "unsupported-access-model" },
	{ -XYLEM_E_INVALID, "modify", "not-acceptable", NULL },
	{ 0, NULL, NULL, NULL },
};

static void answer_form(
	const struct xmpp_request *request, const char *name, const struct topic_settings *settings)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	const char *element = name != NULL ? "configure" : "default";

	pubsub_open(request, &out, NS_PUBSUB_OWNER);
	xylem_buffer_format(&out, "<%s", element);
	xml_write_attribute(&out, "node", xylem_span_of(name));
	xylem_buffer_byte(&out, '>');
	settings_write_form(&out, settings, "form", pubsub_item_most(xmpp_service_link(request->service)));
	xylem_buffer_format(&out, "</%s>", element);
	pubsub_close(request, &out);
}

static void get(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_state state;
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	if (name != NULL && topic_state(service_topics(request->service), name, &state) == 0) {
		answer_form(request, name, &state.settings);
	}
}

static void answer_empty(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	stanza_result_open(&out, request->iq);
	stanza_result_close(&out);
	request_answer(request, &out);
}

static void submit(
	const struct xmpp_request *request, const char *name, const struct topic_settings *settings)
{
	struct deferred *deferred = pubsub_defer(request);
	int error = deferred == NULL ? 0
				     : topic_configure(service_topics(request->service), name, settings,
					       pubsub_done, deferred);
	if (error != 0) {
		pubsub_fail(deferred, refusals, error);
	}
}

static void set(const struct xmpp_request *request, const struct xml_node *operation)
{
	bool cancel;
	struct topic_state state;
	struct xylem_reason reason = { "" };
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	if (name == NULL || topic_state(service_topics(request->service), name, &state) != 0) {
		return;
	}
	const struct xml_node *form = form_find(operation, &cancel);
	if (form == NULL) {
		request_refuse_code(request, -XYLEM_E_INVALID, "a form is missing");
		return;
	}
	if (cancel) {
		answer_empty(request);
		return;
	}
	int error = form_is(form, FORM_CONFIG, request->arena)
			    ? settings_read_form(&state.settings, form, false, request->arena, &reason)
			    : -XYLEM_E_INVALID;
	if (error != 0) {
		pubsub_refuse_code(request, refusals, error, reason.text);
	} else {
		submit(request, name, &state.settings);
	}
}

static void get_default(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_settings settings;
	if (!topics_may_create(service_topics(request->service), request->sender)) {
		pubsub_refuse(request, "auth", "forbidden", NULL);
		return;
	}
	if (xylem_span_is(xml_attribute(operation, "type"), "collection")) {
		pubsub_refuse_unsupported(request, "collections");
		return;
	}
	topics_new_settings(service_topics(request->service), &settings);
	answer_form(request, NULL, &settings);
}

/* Deleting and purging. */
static void submit_whole(const struct xmpp_request *request, const struct xml_node *operation,
	int (*run)(struct topics *topics, const char *name, topic_done done, void *context),
	const struct pubsub_refusal *table)
{
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	struct deferred *deferred = name == NULL ? NULL : pubsub_defer(request);
	int error = deferred == NULL ? 0 : run(service_topics(request->service), name, pubsub_done, deferred);
	if (error != 0) {
		pubsub_fail(deferred, table, error);
	}
}

static void delete_node(const struct xmpp_request *request, const struct xml_node *operation)
{
	submit_whole(request, operation, topic_delete, refusals);
}

static void purge_node(const struct xmpp_request *request, const struct xml_node *operation)
{
	static const struct pubsub_refusal no_items[] = {
		{ -XYLEM_E_UNSUPPORTED, "cancel", "feature-not-implemented", "unsupported persistent-items" },
		{ 0, NULL, NULL, NULL },
	};
	submit_whole(request, operation, topic_purge, no_items);
}

const struct pubsub_operation pubsub_configuring[] = {
	{ NS_PUBSUB_OWNER, "configure", false, get },
	{ NS_PUBSUB_OWNER, "configure", true, set },
	{ NS_PUBSUB_OWNER, "default", false, get_default },
	{ NS_PUBSUB_OWNER, "delete", true, delete_node },
	{ NS_PUBSUB_OWNER, "purge", true, purge_node },
	{ NULL, NULL, false, NULL },
};
