/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request whose answer comes later, from another thread: after a COMMIT or a
 * sync. Only its addresses are kept.
 */
#include <stdlib.h>
#include <string.h>

#include <xmpp/feature.h>

struct deferred *deferred_new(struct xmpp_service *service, const struct xml_node *stanza)
{
	static const char *const names[] = { "from", "to", "id", "type" };
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		n += xml_attribute(stanza, names[i]).n;
	}
	struct deferred *deferred = malloc(sizeof(*deferred) + n + 1);
	if (deferred == NULL) {
		return NULL;
	}
	memset(deferred, 0, sizeof(*deferred));
	deferred->service = service;
	/* The name is one of three words; point it at a literal. */
	deferred->iq.name = xml_is(stanza, NULL, "message") ? XYLEM_SPAN_LITERAL("message")
							    : XYLEM_SPAN_LITERAL("iq");
	char *at = deferred->text;
	struct xml_attribute **end = &deferred->iq.attributes;
	for (size_t i = 0; i < 4; i++) {
		struct xylem_span value = xml_attribute(stanza, names[i]);
		if (!xylem_span_present(value)) {
			continue;
		}
		memcpy(at, value.at, value.n);
		deferred->attributes[i].name = xylem_span_of(names[i]);
		deferred->attributes[i].value = xylem_span(at, value.n);
		*end = &deferred->attributes[i];
		end = &deferred->attributes[i].next;
		at += value.n;
	}
	xmpp_service_pending(service, true);
	return deferred;
}

void deferred_answer(struct deferred *deferred, struct xylem_buffer *out)
{
	struct xmpp_service *service = deferred->service;

	if (!xylem_buffer_failed(out) && out->n > 0) {
		link_answer(xmpp_service_link(service), xylem_buffer_borrow(out));
	}
	free(deferred);
	xmpp_service_pending(service, false);
}

void deferred_refuse(struct deferred *deferred, const struct stanza_error *error)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	(void)stanza_error(&out, &deferred->iq, error);
	deferred_answer(deferred, &out);
}
