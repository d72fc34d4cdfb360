/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscribing (XEP-0060, 6.1, 6.2) and the list of one's subscriptions (5.6).
 * One address has one subscription, which a repeat gives again; with other
 * options it gets another one, told apart by its subid.
 */
#include <stdlib.h>

#include <xmpp/pubsub.h>
#include <xmpp/rsm.h>

static void answer(
	struct deferred *deferred, int error, const struct topic_subscription *subscription, bool options)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		pubsub_fail(deferred, NULL, error);
		return;
	}
	stanza_result_open(&out, &deferred->iq);
	xylem_buffer_text(&out, "<pubsub xmlns='" NS_PUBSUB "'>");
	pubsub_write_subscription(&out, subscription);
	if (options) {
		xylem_buffer_text(&out, "<options>");
		options_write_form(&out, &subscription->options, "result");
		xylem_buffer_text(&out, "</options>");
	}
	xylem_buffer_text(&out, "</pubsub>");
	stanza_result_close(&out);
	deferred_answer(deferred, &out);
}

static void subscribed(void *context, int error, const struct topic_subscription *subscription)
{
	answer(context, error, subscription, false);
}

/* Who said options hears which they are now (6.3.7). */
static void subscribed_so(void *context, int error, const struct topic_subscription *subscription)
{
	answer(context, error, subscription, true);
}

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_CONFLICT, "auth", "not-authorized", "pending-subscription" },
	{ -XYLEM_E_UNSUPPORTED, "cancel", "feature-not-implemented", "unsupported subscribe" },
	{ 0, NULL, NULL, NULL },
};

/*
 * Options beside a request belong to its node and address, and have no such attributes
 * (6.3.7). There are clients, aioxmpp one of them, that say the same once more, and that
 * is understood; another node or address is not.
 */
static bool is_repeated(const struct xml_node *options, const struct xml_node *subscribe, const char *name)
{
	struct xylem_span value = xml_attribute(options, name);
	return value.n == 0 || xylem_span_equal(value, xml_attribute(subscribe, name));
}

/* The options beside the request (6.3.7); NULL: none. False: refused. */
static bool read_options(const struct xmpp_request *request, const struct xml_node *subscribe,
	struct topic_subscription_options *options, const struct topic_subscription_options **ret_options)
{
	static const struct pubsub_refusal invalid[] = { { 1, "modify", "bad-request", "invalid-options" },
		{ 0, NULL, NULL, NULL } };
	bool cancel;
	struct xylem_reason reason = { "" };
	const struct xml_node *beside = xml_child(request->payload, NS_PUBSUB, "options");
	const struct xml_node *form = form_find(beside, &cancel);

	if (!is_repeated(beside, subscribe, "node") || !is_repeated(beside, subscribe, "jid")) {
		request_refuse_code(request, -XYLEM_E_INVALID, "options of another subscription");
		return false;
	}
	*ret_options = NULL;
	if (form == NULL || cancel) {
		return true;
	}
	topic_subscription_default(options);
	if (options_read_form(options, form, request->arena, &reason) != 0) {
		pubsub_refuse_code(request, invalid, 1, reason.text);
		return false;
	}
	*ret_options = options;
	return true;
}

static void subscribe(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_subscription_options options;
	const struct topic_subscription_options *given;
	const char *jid = pubsub_subscriber(request, operation);
	const char *name = jid == NULL ? NULL : pubsub_node(request, operation);
	if (name == NULL || !read_options(request, operation, &options, &given)) {
		return;
	}
	struct deferred *deferred = pubsub_defer(request);
	if (deferred == NULL) {
		return;
	}
	int error = topic_subscribe(service_topics(request->service), name, jid, given,
		given != NULL ? subscribed_so : subscribed, deferred);
	if (error != 0) {
		pubsub_fail(deferred, refusals, error);
	}
}

static void unsubscribe(const struct xmpp_request *request, const struct xml_node *operation)
{
	static const struct pubsub_refusal not_there[] = {
		{ -XYLEM_E_CONFLICT, "cancel", "unexpected-request", "not-subscribed" },
		{ -XYLEM_E_INVALID, "modify", "bad-request", "subid-required" },
		{ -XYLEM_E_UNPROCESSABLE, "modify", "not-acceptable", "invalid-subid" },
		{ 0, NULL, NULL, NULL },
	};
	struct xylem_span jid = xml_attribute(operation, "jid");
	const char *name = pubsub_node(request, operation);
	if (name == NULL) {
		return;
	}
	if (!xylem_span_present(jid)) {
		pubsub_refuse(request, "modify", "bad-request", "jid-required");
		return;
	}
	const char *address = pubsub_address(request, jid);
	if (address == NULL || !xylem_span_is(jid_bare(xylem_span_of(address)), request->sender)) {
		pubsub_refuse(request, "auth", "forbidden", NULL);
		return;
	}
	struct deferred *deferred = pubsub_defer(request);
	int error = deferred == NULL ? 0
				     : topic_unsubscribe(service_topics(request->service), name, address,
					       xml_attribute(operation, "subid"), pubsub_done, deferred);
	if (error != 0) {
		pubsub_fail(deferred, not_there, error);
	}
}

static void list(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_subscription *found = NULL;
	size_t n = 0;
	int error = topic_subscriptions(service_topics(request->service),
		pubsub_optional_node(request, operation), request->sender, &found, &n);
	if (error != 0) {
		request_refuse_code(request, error, NULL);
		return;
	}
	const struct rsm_list rows = { n, pubsub_subscription_id, pubsub_write_subscription_row, found };
	pubsub_answer_list(
		request, NS_PUBSUB, "subscriptions", pubsub_optional_node(request, operation), &rows);
	free(found);
}

const struct pubsub_operation pubsub_subscribing[] = {
	{ NS_PUBSUB, "subscribe", true, subscribe },
	{ NS_PUBSUB, "unsubscribe", true, unsubscribe },
	{ NS_PUBSUB, "subscriptions", false, list },
	{ NULL, NULL, false, NULL },
};
