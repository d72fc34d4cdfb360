/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PUBSUB_MANY_H
#define XMPP_PUBSUB_MANY_H

#include <xmpp/pubsub.h>

/*
 * Inside the room only: one request that changes several entries of a node's
 * list, each by itself (XEP-0060, 8.8.2.4, 8.9.2.4). The answer comes when all
 * are through: a result, or an error that lists those that were not changed.
 */
struct many;
struct many_entry {
	struct many *many;
	const char *jid, *word, *subid; /* as the request says; subid NULL: none */
	int error;
};
struct many_kind {
	const char *element,
		*item; /* `affiliations`, `affiliation`; the word is the attribute of that name */
	/* Starts one change: 0, and many_done() comes with the entry; or an error. */
	int (*start)(struct topics *topics, const char *topic, struct many_entry *entry);
	void (*write_unchanged)(struct topics *topics, const char *topic, const struct many_entry *entry,
		struct xylem_buffer *out);
};
void many_run(const struct xmpp_request *request, const struct xml_node *operation, const char *topic,
	const struct many_kind *kind);
/* A topic_done with the entry. */
void many_done(void *entry, int error);

#endif
