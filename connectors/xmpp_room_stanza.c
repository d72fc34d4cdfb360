/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a room sends: who is in it and who is shown out, what is said, and
 * invitations.
 *
 * The rule not to break: history and our own words are never read as data. Our
 * own words that come back are the proof that they were said.
 */
#include <connectors/xmpp_room_body.h>

#include <assert.h>
#include <string.h>

#include <xmpp/body.h>

/* --- Its presence ------------------------------------------------------------------------ */

static bool has_status(const struct xml_node *x, const char *code)
{
	for (const struct xml_node *s = xml_child(x, NS_MUC_USER, "status"); s != NULL;
		s = xml_next(s, NS_MUC_USER, "status")) {
		if (xylem_span_is(xml_attribute(s, "code"), code)) {
			return true;
		}
	}
	return false;
}

/* XEP-0045, 15.6.2. */
static struct leaving departure(const struct xml_node *x)
{
	return xml_child(x, NS_MUC_USER, "destroy") != NULL
		       ? (struct leaving){ XYLEM_FAILURE_MISCONFIGURED, "destroyed", "it was destroyed" }
	       : has_status(x, "301")
		       ? (struct leaving){ XYLEM_FAILURE_MISCONFIGURED, "banned", "this address was banned" }
	       : has_status(x, "307") ? (struct leaving){ XYLEM_FAILURE_DOWN, "kicked", "kicked out" }
	       : has_status(x, "321") || has_status(x, "322") ? (struct leaving){ XYLEM_FAILURE_MISCONFIGURED,
			 "members", "it is for members only now" }
	       : has_status(x, "332")
		       ? (struct leaving){ XYLEM_FAILURE_DOWN, "shutdown", "its service shuts down" }
		       : (struct leaving){ XYLEM_FAILURE_DOWN, "left", "shown out" };
}

static void our_departure(struct room *room, const struct xml_node *x)
{
	struct xylem_span nick = xml_attribute(xml_child(x, NS_MUC_USER, "item"), "nick");

	if (has_status(x, "303") && nick.n > 0) { /* another nickname: still in */
		room_entered(room, nick);
		return;
	}
	struct leaving leaving = departure(x);
	pthread_mutex_lock(&room->lock);
	bool concerns = room->phase == ROOM_IN || room->phase == ROOM_ASKING;
	room->destroyed = room->destroyed || strcmp(leaving.condition, "destroyed") == 0;
	pthread_mutex_unlock(&room->lock);
	if (concerns) {
		room_leave(room, &leaving);
	}
}

static void take_presence(struct room *room, const struct xml_node *stanza, struct xylem_span nick)
{
	const struct xml_node *x = xml_child(stanza, NS_MUC_USER, "x");
	struct xylem_span type = xml_attribute(stanza, "type");

	if (xylem_span_is(type, "error")) {
		room_refused(room, stanza);
	} else if (!has_status(x, "110") && !room_is_ours(room, nick)) {
		return; /* of others */
	} else if (xylem_span_is(type, "unavailable")) {
		our_departure(room, x);
	} else if (has_status(x, "110")) {
		if (has_status(x, "201")) {
			room_open_new(room);
		}
		room_entered(room, nick);
	}
}

/* --- What is said -------------------------------------------------------------------------- */

/* A nickname may hold anything; a URI may not (RFC 5122). */
static const char *source_of(struct room *room, struct xylem_span nick)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	xylem_buffer_format(&out, "%s/", room->jid);
	for (size_t i = 0; i < nick.n; i++) {
		unsigned char byte = (unsigned char)nick.at[i];
		if (byte <= 0x20 || byte >= 0x7f || strchr("\"<>\\^`{|}%#?", byte) != NULL) {
			xylem_buffer_format(&out, "%%%02X", byte);
		} else {
			xylem_buffer_byte(&out, (char)byte);
		}
	}
	return xylem_arena_text(room->endpoint->arena, xylem_buffer_borrow(&out));
}

static void hand_in(struct room *room, const struct xml_node *stanza, struct xylem_span nick)
{
	struct endpoint *endpoint = room->endpoint;
	const struct xml_node *content = intake_content(stanza);
	const char *from = xylem_arena_text(endpoint->arena, xml_attribute(stanza, "from"));
	const char *source = source_of(room, nick);

	if (content == NULL || from == NULL || source == NULL || body_is_encrypted(stanza)) {
		return; /* a new subject, a changed configuration; what cannot be read */
	}
	pthread_mutex_lock(&endpoint->lock);
	if (endpoint->source != NULL) {
		intake_said(endpoint, &(struct said){ .stanza = stanza,
					      .content = content,
					      .from = from,
					      .source = source,
					      .key = room->jid, /* a room has one order */
					      .type = endpoint->options->type_in,
					      .id = intake_id(stanza),
					      .kind = "groupchat",
					      .silent = true });
	}
	pthread_mutex_unlock(&endpoint->lock);
}

static void take_words(struct room *room, const struct xml_node *stanza, struct xylem_span nick)
{
	struct xylem_span type = xml_attribute(stanza, "type");

	if (xylem_span_is(type, "error")) {
		if (nick.n > 0) {
			return; /* an occupant's, who has no say in what the room did with our words */
		}
		(void)endpoint_refused(room->endpoint, stanza);
		if (xylem_span_is(endpoint_condition(stanza), "not-acceptable")) {
			room_leave(room, &room_forgotten);
		}
	} else if (!xylem_span_is(type, "groupchat") || nick.n == 0 ||
		   xml_child(stanza, NS_DELAY, "delay") != NULL) {
		return; /* whispered, the room's own words, history */
	} else if (room_is_ours(room, nick)) {
		(void)awaited_met(room->endpoint->awaited, xml_attribute(stanza, "id"), room->jid);
	} else {
		hand_in(room, stanza, nick);
	}
}

bool room_is(const struct room *room, const char *bare)
{
	return strcmp(bare, room->jid) == 0;
}

bool room_stanza(struct room *room, const struct xml_node *stanza)
{
	struct xylem_span from = xml_attribute(stanza, "from");
	struct jid jid;
	char bare[JID_SIZE];
	assert(room->magic == ROOM_MAGIC);

	if (!jid_split(from, &jid) || !jid_normalise(from, bare) || !room_is(room, bare)) {
		return false;
	}
	if (xml_is(stanza, NS_COMPONENT, "presence")) {
		take_presence(room, stanza, jid.resource);
	} else if (xml_is(stanza, NS_COMPONENT, "message")) {
		take_words(room, stanza, jid.resource);
	}
	return true;
}

/* --- Invitations ------------------------------------------------------------------------------ */

static void decline(struct endpoint *endpoint, const struct xml_node *stanza, struct xylem_span inviter)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	stanza_open(&out, "message", NULL, endpoint_from(endpoint, false, endpoint->arena),
		xml_attribute(stanza, "from"), XYLEM_SPAN_NONE);
	xylem_buffer_text(&out, "><x xmlns='" NS_MUC_USER "'><decline");
	xml_write_attribute(&out, "to", inviter);
	xylem_buffer_text(&out, "><reason>This address enters only the room of its configuration.</reason>"
				"</decline></x></message>");
	if (!xylem_buffer_failed(&out)) {
		endpoint->carrier->post(endpoint->link, xylem_buffer_borrow(&out));
	}
}

/* Now it will let us in. */
static void enter_now(struct room *room)
{
	pthread_mutex_lock(&room->lock);
	if (room->phase == ROOM_OUT) {
		room->due_us = room->backoff_us = 0;
		room->destroyed = false;
	}
	pthread_cond_signal(&room->wake);
	pthread_mutex_unlock(&room->lock);
}

/* XEP-0249: not by way of the room, so it counts as little as who sends it. What is written beside it is data. */
static void take_direct(struct endpoint *endpoint, const struct xml_node *stanza)
{
	const struct xml_node *invite = xml_child(stanza, "jabber:x:conference", "x");
	char room[JID_SIZE], inviter[JID_SIZE];

	if (invite != NULL && endpoint->room != NULL && jid_normalise(xml_attribute(invite, "jid"), room) &&
		room_is(endpoint->room, room) && jid_normalise(xml_attribute(stanza, "from"), inviter) &&
		endpoint_admits(endpoint, inviter)) {
		enter_now(endpoint->room);
	}
}

bool room_invitation(struct endpoint *endpoint, const struct xml_node *stanza)
{
	const struct xml_node *invite = xml_child(xml_child(stanza, NS_MUC_USER, "x"), NS_MUC_USER, "invite");
	char bare[JID_SIZE], inviter[JID_SIZE];

	if (invite == NULL) {
		take_direct(endpoint, stanza);
		return false;
	}
	if (!jid_normalise(xml_attribute(stanza, "from"), bare) ||
		!jid_normalise(xml_attribute(invite, "from"), inviter)) {
		return true;
	}
	struct room *room = endpoint->room;
	if (room != NULL && room_is(room, bare)) {
		enter_now(room);
	} else if (endpoint->carrier->answers_strangers || endpoint_admits(endpoint, inviter)) {
		decline(endpoint, stanza, xml_attribute(invite, "from"));
	}
	return true;
}
