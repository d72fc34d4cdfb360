/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session hears: libstrophe's stanzas as trees of ours (xmpp_tree.c), told
 * apart. Answers go to who asked; presence and the roster to the roster; IQs that
 * every client answers are answered here; all else goes to the endpoint.
 */
#include <connectors/xmpp_session_body.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <connectors/xmpp_tree.h>
#include <xylem/log.h>

/* --- IQs that every client answers ---------------------------------------------------- */

static void post(struct session *session, struct xylem_buffer *out)
{
	if (!xylem_buffer_failed(out)) {
		session_post(session, xylem_buffer_borrow(out));
	}
}

static const char *const common[] = { NS_DISCO_INFO, NS_VERSION, NS_PING, NS_RECEIPTS };

#define COMMON (sizeof(common) / sizeof(common[0]))

static void write_info(struct session *session, struct xylem_buffer *out, const struct xml_node *query)
{
	xylem_buffer_text(out, "<query xmlns='" NS_DISCO_INFO "'");
	xml_write_attribute(out, "node", xml_attribute(query, "node"));
	xylem_buffer_text(out, "><identity category='client' type='bot' name='xylem'/>");
	for (size_t i = 0; i < COMMON; i++) {
		xylem_buffer_format(out, "<feature var='%s'/>", common[i]);
	}
	for (const char *const *f = session->features; f != NULL && *f != NULL; f++) {
		xylem_buffer_text(out, "<feature");
		xml_write_attribute(out, "var", xylem_span_of(*f));
		xylem_buffer_text(out, "/>");
	}
	xylem_buffer_text(out, "</query>");
}

/* True: answered. */
static bool answer_get(struct session *session, const struct xml_node *iq)
{
	const struct xml_node *payload = xml_child(iq, NULL, NULL);
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (!xml_is(payload, NS_PING, NULL) && !xml_is(payload, NS_DISCO_INFO, "query") &&
		!xml_is(payload, NS_VERSION, "query")) {
		return false;
	}
	stanza_open(
		&out, "iq", "result", XYLEM_SPAN_NONE, xml_attribute(iq, "from"), xml_attribute(iq, "id"));
	xylem_buffer_byte(&out, '>');
	if (xml_is(payload, NS_DISCO_INFO, NULL)) {
		write_info(session, &out, payload);
	} else if (xml_is(payload, NS_VERSION, NULL)) {
		xylem_buffer_text(&out, "<query xmlns='" NS_VERSION "'><name>Xylem</name></query>");
	}
	xylem_buffer_text(&out, "</iq>");
	post(session, &out);
	return true;
}

/* True: the account itself, its server, or somebody who may know that it is online. */
static bool may_ask(struct session *session, const char *bare)
{
	return strcmp(bare, session->jid) == 0 || strcmp(bare, session->domain) == 0 ||
	       session->options.may_ask(session->options.context, bare);
}

/* True: it was dealt with. */
static bool take_question(struct session *session, const struct xml_node *iq, bool set)
{
	char bare[JID_SIZE];
	bool ours = !xylem_span_present(xml_attribute(iq, "from"));
	bool readable = ours || jid_normalise(xml_attribute(iq, "from"), bare);

	if (set && xml_child(iq, "jabber:iq:roster", "query") != NULL && readable &&
		(ours || strcmp(bare, session->jid) == 0)) {
		roster_push(session->roster, iq);
		return true;
	}
	const struct xml_node *payload = xml_child(iq, NULL, NULL);
	bool one = payload != NULL && xml_next(payload, NULL, NULL) == NULL; /* RFC 6120, 8.2.3 */
	if (!readable || !one || !(ours || may_ask(session, bare))) {
		return false;
	}
	return set ? session->options.stanza(session->options.context, iq) : answer_get(session, iq);
}

static void take_iq(struct session *session, const struct xml_node *iq)
{
	struct xylem_span type = xml_attribute(iq, "type");
	bool get = xylem_span_is(type, "get"), set = xylem_span_is(type, "set");

	if (!get && !set) {
		session_answered(session, iq);
		return;
	}
	if (take_question(session, iq, set)) {
		return;
	}
	XYLEM_BUFFER_SCOPED out = { 0 };
	const struct stanza_error unavailable = { "cancel", "service-unavailable", NULL, NULL };
	if (stanza_error(&out, iq, &unavailable)) {
		post(session, &out);
	}
}

/* --- Messages and presence -------------------------------------------------------------- */

static struct xylem_span condition_of(const struct xml_node *error)
{
	for (const struct xml_node *c = xml_child(error, NS_STANZA_ERROR, NULL); c != NULL;
		c = xml_next(c, NS_STANZA_ERROR, NULL)) {
		if (!xylem_span_is(c->name, "text")) {
			return c->name;
		}
	}
	return XYLEM_SPAN_NONE;
}

static void message_refused(struct session *session, const struct xml_node *message)
{
	const struct xml_node *error = xml_child(message, NULL, "error");
	struct xylem_span text = xml_text(xml_child(error, NS_STANZA_ERROR, "text"), session->arena);

	pthread_mutex_lock(&session->lock);
	outbox_refused(session->outbox, xml_attribute(message, "id"), xml_attribute(message, "from"),
		xml_attribute(error, "type"), condition_of(error), text);
	pthread_mutex_unlock(&session->lock);
}

static void take(struct session *session, const struct xml_node *stanza)
{
	bool presence = xml_is(stanza, NS_COMPONENT, "presence");

	if (xml_is(stanza, NS_COMPONENT, "iq")) {
		take_iq(session, stanza);
		return;
	}
	if (xylem_span_is(xml_attribute(stanza, "type"), "error") && !presence) {
		message_refused(session, stanza);
	}
	if (session->options.conversation(session->options.context, stanza)) {
		return;
	}
	if (presence) {
		roster_presence(session->roster, stanza);
	} else if (!xylem_span_is(xml_attribute(stanza, "type"), "error")) {
		(void)session->options.stanza(session->options.context, stanza);
	}
}

static int on_stanza(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *context)
{
	struct session *session = context;
	const struct xml_node *tree = tree_of(stanza, session->arena);

	session->heard_us = clock_mono_us();
	if (tree != NULL) {
		take(session, tree);
	}
	xylem_arena_reset(session->arena);
	return 1;
}

/* --- What it announces ------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

/* XEP-0115, 5.1. */
static void hash_caps(struct session *session, const char **all, size_t n)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	unsigned char sum[XMPP_SHA1_DIGEST_SIZE];

	qsort(all, n, sizeof(*all), by_bytes);
	xylem_buffer_text(&text, "client/bot//xylem<");
	for (size_t i = 0; i < n; i++) {
		xylem_buffer_text(&text, all[i]);
		xylem_buffer_byte(&text, '<');
	}
	if (xylem_buffer_failed(&text)) {
		return;
	}
	xmpp_sha1_digest((const unsigned char *)text.bytes, text.n, sum);
	char *base64 = xmpp_base64_encode(session->ctx, sum, sizeof(sum));
	if (base64 != NULL) {
		snprintf(session->caps, sizeof(session->caps), "%s", base64);
		xmpp_free(session->ctx, base64);
	}
}

void session_announce(struct session *session, const char *const *features)
{
	size_t n = COMMON;

	for (const char *const *f = features; *f != NULL; f++) {
		n++;
	}
	const char **all = calloc(n, sizeof(*all));
	session->features = features;
	if (all != NULL) {
		memcpy(all, common, sizeof(common));
		memcpy(all + COMMON, features, (n - COMMON) * sizeof(*all));
		hash_caps(session, all, n);
		free(all);
	}
}

/* --- Up -------------------------------------------------------------------------------------- */

static void say_hello(struct session *session)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	xylem_buffer_format(
		&out, "<presence><priority>%lld</priority>", (long long)session->options.priority);
	if (session->caps[0] != '\0') {
		xylem_buffer_format(&out,
			"<c xmlns='" NS_CAPS "' hash='sha-1' node='" NS_CLIENT_NODE "' ver='%s'/>",
			session->caps);
	}
	xylem_buffer_text(&out, "</presence>");
	post(session, &out);
}

void session_went_up(struct session *session)
{
	session->logged_in = true;
	session->heard_us = session->up_us = clock_mono_us();
	/* One for all: libstrophe adds no function a second time. */
	xmpp_handler_add(session->conn, on_stanza, NULL, NULL, NULL, session);
	pthread_mutex_lock(&session->lock);
	session->up = true;
	session->why[0] = '\0';
	pthread_mutex_unlock(&session->lock);
	/* Of a resumed stream the server does not tell again who is online. */
	if (!session->resumed) {
		roster_clear(session->roster);
	}
	roster_up(session->roster);
	say_hello(session);
	xylem_log(XYLEM_LOG_NOTICE, "xmpp", "%s: connected%s", session->jid,
		session->resumed ? ", the stream was resumed" : "");
	session->options.changed(session->options.context, true,
		session->resumed ? "connected, the stream resumed" : "connected");
}

bool session_alone(struct session *session)
{
	return roster_alone(session->roster);
}

bool session_resumed(const struct session *session)
{
	return session->resumed;
}

enum endpoint_sight session_sight(struct session *session, const char *bare)
{
	return roster_sight(session->roster, bare);
}
