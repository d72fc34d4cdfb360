/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nobody picks up here. A call is offered by a message before there is a session
 * (XEP-0353; an invitation by XEP-0482), and as long as no answer comes, the
 * caller's client rings. So an offer is rejected at once, from the address that
 * was called. What belongs to a call that is over (taken back, finished, answered on
 * another device) needs no answer; sessions themselves are IQs, which are refused
 * as every IQ of a protocol that is not spoken here.
 *
 * Whose offers are answered is for those who read messages to say: strangers' are not, as nowhere else.
 */
#include <xmpp/call.h>
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
static struct xylem_span name_of(const struct xml_node *message, const struct xml_node *offer)
{
	struct xylem_span id = xml_attribute(offer, "id");
	return xylem_span_present(id) ? id : xml_attribute(message, "id");
}

static void reject(struct xylem_buffer *out, const char *namespace, struct xylem_span id, const char *inside)
{
	xylem_buffer_format(out, "><reject xmlns='%s'", namespace);
	xml_write_attribute(out, "id", id);
	xylem_buffer_format(out, ">%s</reject><store xmlns='urn:xmpp:hints'/></message>", inside);
}

bool call_reject(const struct xml_node *message, struct xylem_span from, struct xylem_span id,
	struct xylem_buffer *out)
{
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		const struct xml_node *offer = xml_child(message, offers[i].namespace, offers[i].offer);
		if (offer != NULL) {
			stanza_open(out, "message", "chat", from, xml_attribute(message, "from"), id);
			reject(out, offers[i].namespace, name_of(message, offer), offers[i].inside);
			return true;
		}
	}
	return false;
}
