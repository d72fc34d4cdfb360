/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User Avatar (XEP-0084): the picture of the card once more, as the two nodes
 * that an account has for it, for clients that look there. Its id is the hash
 * that presence names (XEP-0153, XEP-0398), so that a client that knows the one
 * does not ask for the other.
 *
 * Every address of the bus answers retrieving; the picture is the state's, so
 * nobody can publish one; who asks for it is told of changes (avatar_event.c). The rule: each picture there is can be retrieved by its
 * id, also when the state has changed since its name was read.
 */
#include <stdlib.h>

#include <xmpp/picture.h>
#include <xmpp/presence_body.h>
#include <xmpp/pubsub.h>

void avatar_write(struct xylem_buffer *out, const struct picture *picture, bool metadata)
{
	xylem_buffer_format(out, "<item id='%s'>", picture->sha1);
	if (metadata) {
		xylem_buffer_format(out,
			"<metadata xmlns='" AVATAR_METADATA "'><info bytes='%zu' id='%s' type='%s' "
			"width='%u' height='%u'/></metadata>",
			picture->bytes, picture->sha1, picture->type, PICTURE_SIDE, PICTURE_SIDE);
	} else {
		xylem_buffer_format(out, "<data xmlns='" AVATAR_DATA "'>%s</data>", picture->base64);
	}
	xylem_buffer_text(out, "</item>");
}

/* The one of that id; absent: the one that shows. NULL: there is none. */
static const struct picture *find(const struct xmpp_request *request, struct xylem_span id)
{
	if (!xylem_span_present(id)) {
		return picture_of(presence_show_of(service_presence(request->service), request->local));
	}
	for (enum presence_show show = SHOW_AVAILABLE; show <= SHOW_XA; show++) {
		const struct picture *picture = picture_of(show);
		if (picture != NULL && xylem_span_is(id, picture->sha1)) {
			return picture;
		}
	}
	return NULL;
}

/* The items that are asked for by id, those there are; or the current one. */
static void write_items(const struct xmpp_request *request, const struct xml_node *items, bool metadata,
	struct xylem_buffer *out)
{
	const struct xml_node *item = xml_child(items, NS_PUBSUB, "item");
	size_t room = pubsub_room(request);
	do {
		struct xylem_span id = item != NULL ? xml_attribute(item, "id") : XYLEM_SPAN_NONE;
		const struct picture *picture = find(request, id);
		if (picture != NULL && out->n < room) {
			avatar_write(out, picture, metadata);
		}
		item = item != NULL ? xml_next(item, NS_PUBSUB, "item") : NULL;
	} while (item != NULL);
}

bool avatar_take(const struct xmpp_request *request, const struct xml_node *operation)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_span node = operation != NULL ? xml_attribute(operation, "node") : XYLEM_SPAN_NONE;
	bool metadata = xylem_span_is(node, AVATAR_METADATA);

	if (request->set || operation == NULL || !xml_is(operation, NS_PUBSUB, "items") ||
		(!metadata && !xylem_span_is(node, AVATAR_DATA))) {
		return false;
	}
	pubsub_open(request, &out, NS_PUBSUB);
	xylem_buffer_format(&out, "<items node='%s'>", metadata ? AVATAR_METADATA : AVATAR_DATA);
	write_items(request, operation, metadata, &out);
	xylem_buffer_text(&out, "</items>");
	pubsub_close(request, &out);
	return true;
}

/* Of PubSub, parts and endpoints have this and nothing else. */
static void answer(const struct xmpp_request *request)
{
	static const struct stanza_error unavailable = { "cancel", "service-unavailable", NULL, NULL };

	if (!avatar_take(request, xml_child(request->payload, NULL, NULL))) {
		request_refuse(request, &unavailable);
	}
}

const struct xmpp_feature feature_avatar = {
	.namespace = NS_PUBSUB, .name = "pubsub", .endpoints = true, .answer = answer
};
