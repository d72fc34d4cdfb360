/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of PubSub: retrieving them (as many of the newest as one stanza takes)
 * and reading the one that somebody publishes. An item's id is its event's id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xylem/json.h>
#include <xmpp/payload.h>
#include <xmpp/pubsub_item.h>

#define ANSWER_ROOM ((size_t)8 * 1024) /* of a stanza, for what stands around the items */

/* --- Retrieving ----------------------------------------------------------- */

static bool collect(void *context, struct xylem_span id, const struct xylem_message *message)
{
	struct pubsub_items *items = context;

	if (items->n == items->room) {
		size_t room = items->room == 0 ? 64 : items->room * 2;
		size_t *starts = realloc(items->starts, room * sizeof(size_t));
		if (starts == NULL) {
			items->bytes.failed = true;
			return false;
		}
		items->starts = starts;
		items->room = room;
	}
	items->starts[items->n++] = items->bytes.n;
	pubsub_write_item(&items->bytes, message, true);
	return !xylem_buffer_failed(&items->bytes);
}

static int read_some(struct pubsub_items *items, struct topics *topics, const char *topic,
	const struct xml_node *operation, struct xylem_reason *reason)
{
	for (const struct xml_node *one = xml_child(operation, NS_PUBSUB, "item"); one != NULL;
		one = xml_next(one, NS_PUBSUB, "item")) {
		/* One that is not there is left out (XEP-0060, 6.5.8). */
		int error = topic_item_get(topics, topic, xml_attribute(one, "id"), collect, items, reason);
		if (error != 0 && error != -XYLEM_E_NOT_FOUND) {
			return error;
		}
	}
	return 0;
}

int pubsub_items_read(struct pubsub_items *items, const struct xmpp_request *request, const char *topic,
	const struct xml_node *operation, struct xylem_reason *reason)
{
	struct topics *topics = service_topics(request->service);
	struct xylem_span most = xml_attribute(operation, "max_items");
	int64_t count = 0;

	memset(items, 0, sizeof(*items));
	items->most = link_max_stanza(xmpp_service_link(request->service));
	items->most = items->most > 2 * ANSWER_ROOM ? items->most - ANSWER_ROOM : items->most / 2;
	if (xml_child(operation, NS_PUBSUB, "item") != NULL) {
		return read_some(items, topics, topic, operation, reason);
	}
	if (xylem_span_present(most) && (xylem_json_int64(most, &count) != 0 || count < 1)) {
		xylem_reason_set(reason, "max_items is a number from 1");
		return -XYLEM_E_INVALID;
	}
	return topic_items(topics, topic, (size_t)count, collect, items, reason);
}

void pubsub_items_write(const struct pubsub_items *items, struct xylem_buffer *out)
{
	size_t first = items->n;

	while (first > 0 && items->bytes.n - items->starts[first - 1] <= items->most) {
		first--;
	}
	if (first < items->n) {
		size_t at = items->starts[first];
		xylem_buffer_append(out, items->bytes.bytes + at, items->bytes.n - at);
	}
	out->failed = out->failed || items->bytes.failed;
}

void pubsub_items_finish(struct pubsub_items *items)
{
	xylem_buffer_finish(&items->bytes);
	free(items->starts);
	items->starts = NULL;
}

/* --- Publishing ----------------------------------------------------------- */

static bool refuse(struct pubsub_refusal *refusal, const char *type, const char *condition,
	const char *pubsub, const char *text)
{
	snprintf(refusal->application, sizeof(refusal->application), "<%s xmlns='" NS_PUBSUB_ERRORS "'/>",
		pubsub);
	refusal->error = (struct stanza_error){ type, condition, text, refusal->application };
	return false;
}

static bool check_form(
	const struct xml_node *item, const struct xml_node *payload, struct pubsub_refusal *refusal)
{
	if (item == NULL) {
		return refuse(refusal, "modify", "bad-request", "item-required", NULL);
	}
	if (xml_next(item, NS_PUBSUB, "item") != NULL) {
		return refuse(refusal, "cancel", "not-allowed", "max-items-exceeded", "one item at a time");
	}
	if (payload == NULL) {
		return refuse(refusal, "modify", "bad-request", "payload-required", NULL);
	}
	if (xml_next(payload, NULL, NULL) != NULL) {
		return refuse(refusal, "modify", "bad-request", "invalid-payload", "one payload an item");
	}
	return true;
}

bool pubsub_item_read(const struct xmpp_request *request, const struct xml_node *publish,
	struct xylem_message *ret_message, struct pubsub_refusal *ret_refusal)
{
	const struct xml_node *item = xml_child(publish, NS_PUBSUB, "item");
	const struct xml_node *payload = xml_child(item, NULL, NULL);
	struct xylem_span id = xml_attribute(item, "id");

	if (!check_form(item, payload, ret_refusal)) {
		return false;
	}
	const struct payload_defaults defaults = { .id = id,
		.type = XYLEM_SPAN_LITERAL("xmpp.item"),
		.source = xylem_span_of(xylem_arena_format(request->arena, "xmpp:%s", request->sender)) };
	int error = payload_read(payload, &defaults, request->arena, ret_message, &ret_refusal->reason);
	if (error != 0) {
		return refuse(
			ret_refusal, "modify", "bad-request", "invalid-payload", ret_refusal->reason.text);
	}
	if (id.n > 0 && !xylem_span_equal(id, ret_message->id)) {
		return refuse(ret_refusal, "modify", "bad-request", "invalid-payload",
			"the item's id and the event's id differ");
	}
	/* What one publisher sends keeps its order. */
	ret_message->key = xylem_span_of(xylem_arena_text(request->arena, xylem_span_of(request->sender)));
	return true;
}
