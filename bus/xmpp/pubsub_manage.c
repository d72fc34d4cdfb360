/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owner's view of the subscriptions (XEP-0060, 8.8), and approvals (8.6):
 * the form that asks owners comes back as a message.
 */
#include <stdlib.h>
#include <string.h>

#include <xmpp/pubsub.h>
#include <xmpp/pubsub_many.h>
#include <xmpp/rsm.h>

static void get(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_subscription *list = NULL;
	size_t n = 0;
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	if (name == NULL) {
		return;
	}
	int error = topic_subscriptions(service_topics(request->service), name, NULL, &list, &n);
	if (error != 0) {
		request_refuse_code(request, error, NULL);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		list[i].topic = NULL; /* it stands above */
	}
	const struct rsm_list rows = { n, pubsub_subscription_id, pubsub_write_subscription_row, list };
	pubsub_answer_list(request, NS_PUBSUB_OWNER, "subscriptions", name, &rows);
	free(list);
}

/* --- Changing ------------------------------------------------------------- */

static const char *normalised(const char *jid, char address[JID_SIZE + 1024])
{
	struct xylem_span whole = xylem_span_of(jid);
	char bare[JID_SIZE];
	if (!jid_normalise(whole, bare) || whole.n >= JID_SIZE) {
		return NULL;
	}
	size_t n = strlen(bare);
	memcpy(address, bare, n);
	strcpy(address + n, jid + jid_bare(whole).n);
	return address;
}

static void write_unchanged(
	struct topics *topics, const char *topic, const struct many_entry *entry, struct xylem_buffer *out)
{
	struct topic_subscription found;
	char address[JID_SIZE + 1024];
	const char *jid = normalised(entry->jid, address);
	int error = jid == NULL ? -XYLEM_E_INVALID
				: topic_subscription(topics, topic, jid, XYLEM_SPAN_NONE, &found);
	xylem_buffer_text(out, "<subscription");
	xml_write_attribute(out, "jid", xylem_span_of(entry->jid));
	xylem_buffer_format(out, " subscription='%s'/>",
		error != 0      ? "none"
		: found.pending ? "pending"
				: "subscribed");
}

/* Whom an owner subscribes to a whitelist is on it from then on. */
static int admit(struct topics *topics, const char *topic, const char *jid)
{
	struct topic_state state;
	char bare[JID_SIZE];
	bool listed = topic_state(topics, topic, &state) != 0 || state.settings.access != ACCESS_WHITELIST ||
		      !jid_normalise(xylem_span_of(jid), bare) ||
		      topic_affiliation(topics, topic, bare) != TOPIC_NONE;
	return listed ? 0 : topic_affiliate(topics, topic, bare, TOPIC_MEMBER, NULL, NULL);
}

static int start(struct topics *topics, const char *topic, struct many_entry *entry)
{
	char address[JID_SIZE + 1024];
	const char *jid = normalised(entry->jid, address);
	bool subscribed = strcmp(entry->word, "subscribed") == 0;
	if (jid == NULL || (!subscribed && strcmp(entry->word, "none") != 0)) {
		return -XYLEM_E_INVALID;
	}
	int error = subscribed ? admit(topics, topic, jid) : 0;
	return error != 0 ? error
			  : topic_subscription_decide(topics, topic, jid, xylem_span_of(entry->subid),
				    subscribed, many_done, entry);
}

static const struct many_kind kind = {
	.element = "subscriptions", .item = "subscription", .start = start, .write_unchanged = write_unchanged
};

static void set(const struct xmpp_request *request, const struct xml_node *operation)
{
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	if (name != NULL) {
		many_run(request, operation, name, &kind);
	}
}

const struct pubsub_operation pubsub_managing[] = {
	{ NS_PUBSUB_OWNER, "subscriptions", false, get },
	{ NS_PUBSUB_OWNER, "subscriptions", true, set },
	{ NULL, NULL, false, NULL },
};

/* --- Approvals ------------------------------------------------------------ */

bool pubsub_take_approval(const struct xmpp_request *request)
{
	bool cancel;
	const struct xml_node *form = form_find(request->iq, &cancel);
	struct xylem_arena *arena = request->arena;
	struct topics *topics = service_topics(request->service);
	if (form == NULL || topics == NULL || !form_says(form, FORM_AUTHORIZE, arena)) {
		return false;
	}
	if (cancel) { /* the subscription stays pending */
		return true;
	}
	struct xylem_span allow = form_get(form, "allow", arena);
	struct xylem_span subid = form_get(form, "subid", arena);
	const char *name = xylem_arena_text(arena, form_get(form, "node", arena));
	const char *jid = pubsub_address(request, form_get(form, "subscriber_jid", arena));
	bool yes = xylem_span_is(allow, "1") || xylem_span_is(allow, "true");
	bool no = xylem_span_is(allow, "0") || xylem_span_is(allow, "false");
	if (name == NULL || jid == NULL || yes == no) {
		request_refuse_code(
			request, -XYLEM_E_INVALID, "the form lacks node, subscriber_jid or allow");
		return true;
	}
	struct topic_subscription found;
	int error = topic_check(topics, name, request->sender, TOPIC_OWN);
	/* Without an id, or with one: what is not there any more was decided by another owner. */
	subid = subid.n > 0 ? subid : XYLEM_SPAN_NONE;
	error = error != 0 ? error : topic_subscription(topics, name, jid, subid, &found);
	if (error == 0 && found.pending) {
		error = topic_subscription_decide(topics, name, jid, subid, yes, NULL, NULL);
	}
	if (error == -XYLEM_E_CONFLICT || error == -XYLEM_E_UNPROCESSABLE) {
		pubsub_refuse(request, "cancel", "item-not-found", NULL);
	} else if (error != 0) {
		pubsub_refuse_code(request, NULL, error, NULL);
	}
	return true;
}
