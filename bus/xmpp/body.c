/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies as clients send them: beside what was written, most of them carry words
 * for clients that know less, and elements about the message. This file knows
 * which is which, for all who read messages: data of an endpoint, words to the
 * bus.
 *
 * The rule not to break: positions of a fallback are a stranger's numbers, in
 * characters of the text (XEP-0426); what lies outside of it is cut at its end.
 */
#include <xmpp/body.h>

#include <string.h>

#include <xmpp/stanza.h>

#define NS_FALLBACK "urn:xmpp:fallback:0"
#define NS_REPLY "urn:xmpp:reply:0"

/* What a body may stand for as a whole without having been written. */
static const char *const unwritten[] = { "urn:xmpp:reactions:0", "urn:xmpp:message-retract:1",
	"urn:xmpp:message-retract:0", "urn:xmpp:jingle-message:0", "urn:xmpp:call-invites:0", NULL };

/* Namespaces of what stands beside the content; longest prefixes where there are versions. */
static const char *const decorations[] = { NS_COMPONENT, NS_RECEIPTS, NS_SID, NS_DELAY, NS_REPLY, NS_FALLBACK,
	NS_SHIM, "http://jabber.org/protocol/address", "http://jabber.org/protocol/amp",
	"http://jabber.org/protocol/caps", "http://jabber.org/protocol/chatstates",
	"http://jabber.org/protocol/muc#user", "http://jabber.org/protocol/nick",
	"http://jabber.org/protocol/xhtml-im", "jabber:x:conference", "jabber:x:delay", "jabber:x:event",
	"jabber:x:signed", "urn:xmpp:attention:0", "urn:xmpp:bob", "urn:xmpp:call-invites:0",
	"urn:xmpp:carbons:2", "urn:xmpp:chat-markers:0", "urn:xmpp:eme:0", "urn:xmpp:fasten:0",
	"urn:xmpp:hints", "urn:xmpp:jingle-message:0", "urn:xmpp:markup:0", "urn:xmpp:message-attaching:1",
	"urn:xmpp:message-correct:0", "urn:xmpp:message-moderate:0", "urn:xmpp:message-moderate:1",
	"urn:xmpp:message-retract:0", "urn:xmpp:message-retract:1", "urn:xmpp:occupant-id:0",
	"urn:xmpp:reactions:0", "urn:xmpp:reference:0", "urn:xmpp:spoiler:0", "urn:xmpp:styling:0",
	"urn:xmpp:thumbs:1", NULL };

static const struct {
	const char *namespace, *name; /* NULL: any */
} ciphers[] = { { "urn:xmpp:eme:0", "encryption" }, { "eu.siacs.conversations.axolotl", "encrypted" },
	{ "urn:xmpp:omemo:2", "encrypted" }, { "urn:xmpp:omemo:1", "encrypted" },
	{ "jabber:x:encrypted", "x" }, { "urn:xmpp:openpgp:0", "openpgp" } };

static bool listed(const char *const *list, struct xylem_span namespace)
{
	for (size_t i = 0; list[i] != NULL; i++) {
		if (xylem_span_is(namespace, list[i])) {
			return true;
		}
	}
	return false;
}

bool body_is_decoration(const struct xml_node *child)
{
	return listed(decorations, child->namespace);
}

/* Pidgin's and Adium's (XEP-0364): all that there is of it stands in the body. */
static bool is_otr(const struct xml_node *body)
{
	struct xylem_span text = body != NULL && body->first != NULL ? body->first->text : XYLEM_SPAN_NONE;

	return text.n >= 4 && memcmp(text.at, "?OTR", 4) == 0;
}

bool body_is_encrypted(const struct xml_node *message)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (xml_child(message, ciphers[i].namespace, ciphers[i].name) != NULL) {
			return true;
		}
	}
	return is_otr(xml_child(message, NS_COMPONENT, "body"));
}

struct xylem_span body_answers(const struct xml_node *message)
{
	return xml_attribute(xml_child(message, NS_REPLY, "reply"), "id");
}

/* --- Fallbacks ---------------------------------------------------------------- */

/* A position in characters; false: it is none. */
static bool read_position(struct xylem_span text, size_t *ret_position)
{
	size_t position = 0;

	if (text.n == 0 || text.n > 9) {
		return false;
	}
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < '0' || text.at[i] > '9') {
			return false;
		}
		position = position * 10 + (size_t)(text.at[i] - '0');
	}
	*ret_position = position;
	return true;
}

/* Where that character begins, in bytes; the end where there are fewer. */
static size_t offset_of(struct xylem_span text, size_t position)
{
	size_t at = 0;

	while (at < text.n && position > 0) {
		at++;
		while (at < text.n && ((unsigned char)text.at[at] & 0xc0) == 0x80) {
			at++;
		}
		position--;
	}
	return at;
}

/* Does a fallback speak for the whole body: without a range, for something that nobody writes? */
static bool is_whole(const struct xml_node *fallback)
{
	const struct xml_node *range = xml_child(fallback, NS_FALLBACK, "body");
	const struct xml_node *subject = xml_child(fallback, NS_FALLBACK, "subject");

	return listed(unwritten, xml_attribute(fallback, "for")) &&
	       (range != NULL ? !xylem_span_present(xml_attribute(range, "start")) : subject == NULL);
}

bool body_is_written(const struct xml_node *message)
{
	if (xml_child(message, NS_COMPONENT, "body") == NULL) {
		return false;
	}
	for (const struct xml_node *f = xml_child(message, NS_FALLBACK, "fallback"); f != NULL;
		f = xml_next(f, NS_FALLBACK, "fallback")) {
		if (is_whole(f)) {
			return false;
		}
	}
	return true;
}

/* The range of the quotation, in bytes; false: there is none. */
static bool quotation(
	const struct xml_node *message, struct xylem_span text, size_t *ret_start, size_t *ret_end)
{
	for (const struct xml_node *f = xml_child(message, NS_FALLBACK, "fallback"); f != NULL;
		f = xml_next(f, NS_FALLBACK, "fallback")) {
		const struct xml_node *range = xml_child(f, NS_FALLBACK, "body");
		size_t start, end;
		if (xylem_span_is(xml_attribute(f, "for"), NS_REPLY) && range != NULL &&
			read_position(xml_attribute(range, "start"), &start) &&
			read_position(xml_attribute(range, "end"), &end) && start < end) {
			*ret_start = offset_of(text, start);
			*ret_end = offset_of(text, end);
			return true;
		}
	}
	return false;
}

static bool has_language(const struct xml_node *node)
{
	for (const struct xml_attribute *a = node->attributes; a != NULL; a = a->next) {
		if (xylem_span_is(a->name, "lang") && xylem_span_is(a->prefix, "xml")) {
			return true;
		}
	}
	return false;
}

/* The others are its translations. */
const struct xml_node *body_own(const struct xml_node *message, const char *name)
{
	const struct xml_node *first = xml_child(message, NS_COMPONENT, name), *own = first;

	while (own != NULL && has_language(own)) {
		own = xml_next(own, NS_COMPONENT, name);
	}
	return own != NULL ? own : first;
}

struct xylem_span body_written(const struct xml_node *message, struct xylem_arena *arena)
{
	const struct xml_node *body = body_own(message, "body");
	size_t start, end;

	if (!body_is_written(message)) {
		return XYLEM_SPAN_NONE;
	}
	struct xylem_span text = xml_text(body, arena);
	if (!quotation(message, text, &start, &end)) {
		return text;
	}
	if (start == 0) {
		return xylem_span(text.at + end, text.n - end);
	}
	char *rest = xylem_arena_format(
		arena, "%.*s%.*s", (int)start, text.at, (int)(text.n - end), text.at + end);
	return rest != NULL ? xylem_span_of(rest) : XYLEM_SPAN_NONE;
}
