/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Affiliations: one's own (XEP-0060, 5.7), and those of a node for its owners
 * (8.9). Each of several is a change of its own; what could not be changed is
 * listed as it is in the error, and the others are changed.
 */
#include <stdlib.h>
#include <string.h>

#include <xmpp/pubsub.h>
#include <xmpp/pubsub_many.h>
#include <xmpp/rsm.h>

static void write_one(
	struct xylem_buffer *out, const char *node, const char *jid, enum topic_affiliation affiliation)
{
	xylem_buffer_text(out, "<affiliation");
	xml_write_attribute(out, "node", xylem_span_of(node));
	xml_write_attribute(out, "jid", xylem_span_of(jid));
	xylem_buffer_format(out, " affiliation='%s'/>", topic_affiliation_name(affiliation));
}

/* One's own are told apart by node, a node's by address. */
static struct xylem_span own_id(const void *context, size_t i)
{
	const struct topic_affiliated *list = context;
	return xylem_span_of(list[i].topic);
}

static void write_own(const void *context, size_t i, struct xylem_buffer *out)
{
	const struct topic_affiliated *list = context;
	write_one(out, list[i].topic, NULL, list[i].affiliation);
}

static struct xylem_span id_of(const void *context, size_t i)
{
	const struct topic_affiliated *list = context;
	return xylem_span_of(list[i].jid);
}

static void write_row(const void *context, size_t i, struct xylem_buffer *out)
{
	const struct topic_affiliated *list = context;
	write_one(out, NULL, list[i].jid, list[i].affiliation);
}

static void answer_list(
	const struct xmpp_request *request, const char *namespace, const char *name, const char *bare)
{
	struct topic_affiliated *list = NULL;
	size_t n = 0;
	int error = topic_affiliations(service_topics(request->service), name, bare, &list, &n);
	if (error != 0) {
		request_refuse_code(request, error, NULL);
		return;
	}
	const struct rsm_list own = { n, own_id, write_own, list }, all = { n, id_of, write_row, list };
	pubsub_answer_list(request, namespace, "affiliations", name, bare != NULL ? &own : &all);
	free(list);
}

static void get_own(const struct xmpp_request *request, const struct xml_node *operation)
{
	answer_list(request, NS_PUBSUB, pubsub_optional_node(request, operation), request->sender);
}

static void get(const struct xmpp_request *request, const struct xml_node *operation)
{
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	if (name != NULL) {
		answer_list(request, NS_PUBSUB_OWNER, name, NULL);
	}
}

/* --- Changing ------------------------------------------------------------- */

static void write_unchanged(
	struct topics *topics, const char *topic, const struct many_entry *entry, struct xylem_buffer *out)
{
	char bare[JID_SIZE];
	bool valid = jid_normalise(xylem_span_of(entry->jid), bare);
	write_one(out, NULL, entry->jid, valid ? topic_affiliation(topics, topic, bare) : TOPIC_NONE);
}

static int start(struct topics *topics, const char *topic, struct many_entry *entry)
{
	char bare[JID_SIZE];
	enum topic_affiliation affiliation;
	if (!jid_normalise(xylem_span_of(entry->jid), bare) ||
		!topic_affiliation_of(xylem_span_of(entry->word), &affiliation)) {
		return -XYLEM_E_INVALID;
	}
	return topic_affiliate(topics, topic, bare, affiliation, many_done, entry);
}

static const struct many_kind kind = {
	.element = "affiliations", .item = "affiliation", .start = start, .write_unchanged = write_unchanged
};

static void set(const struct xmpp_request *request, const struct xml_node *operation)
{
	const char *name = pubsub_entitled(request, operation, TOPIC_OWN);
	if (name != NULL) {
		many_run(request, operation, name, &kind);
	}
}

const struct pubsub_operation pubsub_affiliating[] = {
	{ NS_PUBSUB, "affiliations", false, get_own },
	{ NS_PUBSUB_OWNER, "affiliations", false, get },
	{ NS_PUBSUB_OWNER, "affiliations", true, set },
	{ NULL, NULL, false, NULL },
};
