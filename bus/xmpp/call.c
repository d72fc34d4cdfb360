/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nobody picks up here. A call is offered by a message before there is a session
 * (XEP-0353; an invitation by XEP-0482), and as long as no answer comes, the
 * caller's client rings. So an offer is rejected at once, from the address that
 * was called. What belongs to a call that is over (taken back, finished, answered on
 * another device) needs no answer; sessions themselves are IQs, which are refused
 * as every IQ of a protocol that is not spoken here.
 *
 * Strangers are not answered, as nowhere else.
 */
#include <string.h>

#include <xmpp/feature.h>
#include <xmpp/service.h>
#include <xmpp/stanza.h>

#define NS_CALL "urn:xmpp:jingle-message:0"
#define NS_INVITE "urn:xmpp:call-invites:0"
#define REASON                                                                                          \
	"<reason xmlns='urn:xmpp:jingle:1'><unsupported-applications/><text>this is a message bus: it " \
	"takes "                                                                                        \
	"no calls</text></reason>"

static const struct {
	const char *namespace, *offer, *inside;
} offers[] = {
	{ NS_CALL, "propose", REASON },
	{ NS_INVITE, "invite", "" },
};

/* What names the call: its id, or that of the message, where an invitation has none. */
static struct xylem_span name_of(const struct xmpp_request *request, const struct xml_node *offer)
{
	struct xylem_span id = xml_attribute(offer, "id");
	return xylem_span_present(id) ? id : xml_attribute(request->iq, "id");
}

static void reject(
	const struct xmpp_request *request, const char *namespace, struct xylem_span id, const char *inside)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char name[LINK_ID_SIZE];
	struct link *link = xmpp_service_link(request->service);

	stanza_open(&out, "message", "chat", xml_attribute(request->iq, "to"),
		xml_attribute(request->iq, "from"), xylem_span_of(link_id(link, name)));
	xylem_buffer_format(&out, "><reject xmlns='%s'", namespace);
	xml_write_attribute(&out, "id", id);
	xylem_buffer_format(&out, ">%s</reject><store xmlns='urn:xmpp:hints'/></message>", inside);
	if (!xylem_buffer_failed(&out)) {
		link_answer(link, xylem_buffer_borrow(&out));
	}
}

bool call_take(const struct xmpp_request *request)
{
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		const struct xml_node *offer = xml_child(request->iq, offers[i].namespace, offers[i].offer);
		if (offer != NULL) {
			reject(request, offers[i].namespace, name_of(request, offer), offers[i].inside);
			return true;
		}
	}
	return false;
}
