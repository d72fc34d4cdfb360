/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants to hear of pictures (XEP-0084, 4.2; XEP-0163, 6): each resource of a
 * contact that comes online is asked once what it supports, and one that says
 * `urn:xmpp:avatar:metadata+notify` is told the picture of each address that its
 * person has as a contact; later, when a state changes, the other picture.
 *
 * The rule: nobody is told who has not asked for it, and who asked hears of no
 * address that he may not see. What is lost on the way (a link that goes down) is
 * not sent again: everybody is asked anew when it is up.
 */
#include <stdlib.h>
#include <string.h>

#include <xmpp/contacts.h>
#include <xmpp/picture.h>
#include <xmpp/presence_body.h>
#include <xmpp/pubsub.h>

#define NOTIFY AVATAR_METADATA "+notify"
#define ASK_US ((int64_t)10 * 1000000)
#define ASKS_MOST 1000U /* at a time: others ask on the link, too; who comes beyond that is told of nothing */

static void write_event(
	struct presence *presence, struct xylem_buffer *out, const char *local, const char *to)
{
	char id[LINK_ID_SIZE];
	struct xylem_span address = xylem_span_of(local[0] != '\0' ? local : NULL);
	const struct picture *picture = picture_of(presence_show_of(presence, address));
	if (picture == NULL) {
		return;
	}
	xylem_buffer_text(out, "<message type='headline' from='");
	if (local[0] != '\0') {
		xml_escape_attribute(out, address);
		xylem_buffer_byte(out, '@');
	}
	xylem_buffer_format(out, "%s'", service_options(presence->service)->domain);
	xml_write_attribute(out, "to", xylem_span_of(to));
	xylem_buffer_format(out,
		" id='%s'><event xmlns='" NS_PUBSUB_EVENT "'><items node='" AVATAR_METADATA "'>",
		link_id(xmpp_service_link(presence->service), id));
	avatar_write(out, picture, true);
	xylem_buffer_text(out, "</items></event></message>");
}

/* --- Who has asked ---------------------------------------------------------- */

static bool asks_for_it(const struct xml_node *answer)
{
	const struct xml_node *query = xml_child(answer, NS_DISCO_INFO, "query");
	const struct xml_node *feature = query != NULL ? xml_child(query, NS_DISCO_INFO, "feature") : NULL;
	while (feature != NULL && !xylem_span_is(xml_attribute(feature, "var"), NOTIFY)) {
		feature = xml_next(feature, NS_DISCO_INFO, "feature");
	}
	return feature != NULL;
}

/* Of everything that the person has as a contact, to the one resource. */
static void tell_all(struct presence *presence, const char *bare, const char *full)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct contact *list = NULL;
	size_t n = 0;

	if (contacts_list(presence->contacts, NULL, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct xylem_span address = xylem_span_of(list[i].local[0] != '\0' ? list[i].local : NULL);
		if (!list[i].watches || strcmp(list[i].jid, bare) != 0 ||
			!service_may_see(presence->service, address, bare)) {
			continue;
		}
		xylem_buffer_clear(&out);
		write_event(presence, &out, list[i].local, full);
		if (out.n > 0 && !xylem_buffer_failed(&out)) {
			link_answer(xmpp_service_link(presence->service), xylem_buffer_borrow(&out));
		}
	}
	free(list);
}

/* On the link's thread; NULL: none came. */
static void answered(void *context, const struct xml_node *answer)
{
	char bare[JID_SIZE];
	struct jid from;
	struct presence *presence = context;
	struct xylem_span full = xml_attribute(answer, "from");

	presence->asking--;
	if (answer == NULL || !asks_for_it(answer) || !jid_normalise(full, bare) || !jid_split(full, &from)) {
		return;
	}
	XYLEM_BUFFER_SCOPED to = { 0 };
	xylem_buffer_format(&to, "%s/%.*s", bare, (int)from.resource.n, from.resource.at);
	xylem_buffer_byte(&to, '\0');
	/* It may have gone meanwhile. */
	if (!xylem_buffer_failed(&to) && online_has(presence->online, to.bytes) &&
		online_set(presence->pictured, bare, from.resource, ONLINE_HERE)) {
		tell_all(presence, bare, to.bytes);
	}
}

static void ask(struct presence *presence, const char *full)
{
	char id[LINK_ID_SIZE];
	struct xylem_reason ignored;
	XYLEM_BUFFER_SCOPED iq = { 0 };
	struct link *link = xmpp_service_link(presence->service);

	stanza_open(&iq, "iq", "get", xylem_span_of(service_options(presence->service)->domain),
		xylem_span_of(full), xylem_span_of(link_id(link, id)));
	xylem_buffer_text(&iq, "><query xmlns='" NS_DISCO_INFO "'/></iq>");
	if (!xylem_buffer_failed(&iq) && presence->asking < ASKS_MOST &&
		link_request(link, xylem_buffer_borrow(&iq), id, full, ASK_US, answered, presence,
			&ignored) == 0) {
		presence->asking++;
	}
}

void avatar_see(struct presence *presence, const struct xmpp_request *request, bool available, bool changed)
{
	struct jid from;
	struct xylem_span address = xml_attribute(request->iq, "from");

	if (!changed || !jid_split(address, &from)) {
		return;
	}
	if (!available) {
		(void)online_set(presence->pictured, request->sender, from.resource, ONLINE_NOT);
		return;
	}
	const char *full = xylem_arena_text(request->arena, address);
	if (full != NULL) {
		ask(presence, full);
	}
}

/* --- A picture has changed --------------------------------------------------- */

struct telling {
	struct presence *presence;
	const char *local;
	bool (*send)(struct presence *presence, struct xylem_buffer *out);
	bool more;
};

static void tell_one(void *context, const char *full)
{
	struct telling *telling = context;
	XYLEM_BUFFER_SCOPED out = { 0 };

	write_event(telling->presence, &out, telling->local, full);
	if (telling->more && out.n > 0 && !xylem_buffer_failed(&out)) {
		telling->more = telling->send(telling->presence, &out);
	}
}

bool avatar_tell(struct presence *presence, const char *local, const char *bare,
	bool (*send)(struct presence *presence, struct xylem_buffer *out))
{
	struct telling telling = { presence, local, send, true };

	online_each(presence->pictured, bare, tell_one, &telling);
	return telling.more;
}
