/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command by which an owner asks for what is pending (XEP-0060, 8.7): first
 * the nodes that have such, then, for one of them, the questions again. Where
 * there is nothing to choose from, that is the answer. It keeps nothing between
 * the two.
 */
#include <stdlib.h>
#include <string.h>

#include <xmpp/pubsub.h>

#define SESSION "pubsub-get-pending"

static void open_command(const struct xmpp_request *request, struct xylem_buffer *out, const char *status)
{
	stanza_result_open(out, request->iq);
	xylem_buffer_format(out,
		"<command xmlns='" NS_COMMANDS "' node='" PUBSUB_GET_PENDING "' sessionid='" SESSION
		"' status='%s'>",
		status);
}

static void close_command(const struct xmpp_request *request, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</command>");
	stanza_result_close(out);
	request_answer(request, out);
}

bool pubsub_owns_any(const struct xmpp_request *request)
{
	struct topics *topics = service_topics(request->service);
	struct topic_affiliated *list = NULL;
	size_t n = 0;
	bool owns = false;
	if (topics == NULL || topic_affiliations(topics, NULL, request->sender, &list, &n) != 0) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		owns = owns || list[i].affiliation == TOPIC_OWNER;
	}
	free(list);
	return owns;
}

/* The nodes of the asker with something pending, each once: the list is sorted by topic. */
static void write_nodes(const struct xmpp_request *request, struct xylem_buffer *out)
{
	struct topics *topics = service_topics(request->service);
	struct topic_subscription *list = NULL;
	const char *last = "";
	size_t n = 0;
	if (topic_subscriptions(topics, NULL, NULL, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bool asked = list[i].pending && strcmp(last, list[i].topic) != 0 &&
			     topic_check(topics, list[i].topic, request->sender, TOPIC_OWN) == 0;
		if (asked) {
			last = list[i].topic;
			xylem_buffer_text(out, "<option><value>");
			xml_escape_text(out, xylem_span_of(last));
			xylem_buffer_text(out, "</value></option>");
		}
	}
	free(list);
}

static void answer_nodes(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	XYLEM_BUFFER_SCOPED nodes = { 0 };

	write_nodes(request, &nodes);
	bool some = nodes.n > 0;
	out.failed = nodes.failed;
	open_command(request, &out, some ? "executing" : "completed");
	if (some) {
		xylem_buffer_text(&out, "<actions execute='complete'><complete/></actions>");
		form_open(&out, "form", FORM_AUTHORIZE);
		xylem_buffer_text(
			&out, "<field var='pubsub#node' type='list-single' label='Node'><required/>");
		xylem_buffer_span(&out, xylem_buffer_borrow(&nodes));
		xylem_buffer_text(&out, "</field>");
		form_close(&out);
	} else {
		xylem_buffer_text(&out, "<note type='info'>nobody waits for an answer</note>");
	}
	close_command(request, &out);
}

static void ask_again(const struct xmpp_request *request, const char *name)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct topics *topics = service_topics(request->service);
	size_t n;
	int error = topic_check(topics, name, request->sender, TOPIC_OWN);
	error = error != 0 ? error : topic_ask_pending(topics, name, request->sender, &n);
	if (error != 0) {
		pubsub_refuse_code(request, NULL, error, NULL);
		return;
	}
	open_command(request, &out, "completed");
	close_command(request, &out);
}

static void cancel_command(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	open_command(request, &out, "canceled");
	close_command(request, &out);
}

void pubsub_get_pending(const struct xmpp_request *request)
{
	bool cancel;
	const struct xml_node *form = form_find(request->payload, &cancel);
	struct xylem_span node = form != NULL ? form_get(form, "node", request->arena) : XYLEM_SPAN_NONE;

	if (!pubsub_owns_any(request)) {
		pubsub_refuse(request, "auth", "forbidden", NULL);
	} else if (cancel || xylem_span_is(xml_attribute(request->payload, "action"), "cancel")) {
		cancel_command(request);
	} else if (form == NULL) {
		answer_nodes(request);
	} else {
		const char *name = node.n > 0 ? xylem_arena_text(request->arena, node) : NULL;
		if (name == NULL) {
			pubsub_refuse(request, "modify", "bad-request", "nodeid-required");
		} else {
			ask_again(request, name);
		}
	}
}
