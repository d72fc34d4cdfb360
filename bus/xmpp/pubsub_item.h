/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PUBSUB_ITEM_H
#define XMPP_PUBSUB_ITEM_H

#include <xmpp/feature.h>

/* Inside the room only: items in requests and results of PubSub. */

/* The items that an answer carries, newest last, as many as a stanza takes. */
struct pubsub_items {
	struct xylem_buffer bytes;
	size_t *starts; /* of each item in `bytes` */
	size_t n, room;
	size_t most; /* bytes */
};
/*
 * Reads what `<items node='' max_items=''>` or its `<item id=''/>` children ask
 * for. pubsub_items_finish() in any case. -XYLEM_E_INVALID (a bad max_items),
 * -XYLEM_E_NOT_FOUND, what topic_items() says.
 */
int pubsub_items_read(struct pubsub_items *items, const struct xmpp_request *request, const char *topic,
	const struct xml_node *operation, struct xylem_reason *reason);
/* The newest that fit, old to new. */
void pubsub_items_write(const struct pubsub_items *items, struct xylem_buffer *out);
void pubsub_items_finish(struct pubsub_items *items);

struct pubsub_refusal {
	struct stanza_error error;
	char application[160];
	struct xylem_reason reason;
};
/*
 * The message that `<publish><item id=''>PAYLOAD</item></publish>` means: a
 * CloudEvent in `<json xmlns='urn:xmpp:json:0'>`, other JSON there as data, any
 * other element as XML data. Everything lies in the request's arena. False:
 * refused, *ret_refusal says why.
 */
bool pubsub_item_read(const struct xmpp_request *request, const struct xml_node *publish,
	struct xylem_message *ret_message, struct pubsub_refusal *ret_refusal);

#endif
