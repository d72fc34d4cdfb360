/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_ENDPOINT_H
#define CONNECTORS_XMPP_ENDPOINT_H

#include <xylem/connector.h>
#include <xmpp/delivery.h>
#include <xmpp/link.h>
#include <xmpp/xml.h>

/*
 * An XMPP address as source and sink: messages of people, a room, published
 * events, whatever carries the stanzas: the bus's component link (xmpp.c) or an
 * account's session (xmpp_client.c). Stanzas are trees in the namespace
 * NS_COMPONENT, whoever received them.
 */
struct endpoint;

/* --- Options -------------------------------------------------------------- */

enum endpoint_body { BODY_DATA, BODY_EVENT, BODY_NONE };
enum endpoint_confirm { CONFIRM_SERVER, CONFIRM_OFFERED, CONFIRM_RECEIPT };
enum endpoint_offline { OFFLINE_STORE, OFFLINE_HOLD, OFFLINE_DISCARD, OFFLINE_FALLBACK };

struct endpoint_options {
	struct xylem_strings allow;
	const char *type_in;

	struct xylem_strings to;
	const char *address; /* a pointer into the event; NULL: none */
	bool reply;
	int type;
	int body;
	const char *text, *subject; /* templates; NULL: none */
	bool event;
	int confirm;
	int offline;
	struct xylem_strings fallback;

	const char *room, *nick;
	const struct xylem_secret *room_password;
	bool room_create;
	int64_t room_ping_us;

	struct xylem_strings published, publishers;
};

extern const char *const endpoint_types[], *const endpoint_bodies[], *const endpoint_confirms[],
									     *const endpoint_offlines[];

/* What the tables of both connectors have in common; `own` is the struct, with a member `endpoint`. `allow` is theirs. */
#define ENDPOINT_OPTIONS(own)                                                                                \
	{ .name = "event_type",                                                                              \
		.type = XYLEM_OPTION_STRING,                                                                 \
		.offset = offsetof(own, endpoint.type_in),                                                   \
		.default_value = "xmpp.message",                                                             \
		.minimum = 1,                                                                                \
		.maximum = 256,                                                                              \
		.since = "0.1",                                                                              \
		.summary = "The event type of messages that come in and are not CloudEvents themselves." },  \
		{ .name = "to",                                                                              \
			.type = XYLEM_OPTION_LIST,                                                           \
			.offset = offsetof(own, endpoint.to),                                                \
			.since = "0.1",                                                                      \
			.summary = "Whom messages of the routes go to; each gets every message.",            \
			.example = "[ops@acme.test]" },                                                      \
		{ .name = "address",                                                                         \
			.type = XYLEM_OPTION_STRING,                                                         \
			.offset = offsetof(own, endpoint.address),                                           \
			.minimum = 1,                                                                        \
			.maximum = 1024,                                                                     \
			.since = "0.1",                                                                      \
			.summary = "Where in the event the address stands that it goes to, beside `to`; it " \
				   "has to "                                                                 \
				   "be one that may send here.",                                             \
			.example = "/data/customer/jid" },                                                   \
		{ .name = "reply",                                                                           \
			.type = XYLEM_OPTION_BOOL,                                                           \
			.offset = offsetof(own, endpoint.reply),                                             \
			.default_value = "false",                                                            \
			.since = "0.1",                                                                      \
			.summary = "Whether a message goes back to who sent the one that the event was "     \
				   "made of, in "                                                            \
				   "the same thread, or into the room where it was said." },                 \
		{ .name = "type",                                                                            \
			.type = XYLEM_OPTION_ENUM,                                                           \
			.offset = offsetof(own, endpoint.type),                                              \
			.default_value = "chat",                                                             \
			.choices = endpoint_types,                                                           \
			.since = "0.1",                                                                      \
			.summary = "The type of messages that go out; a server drops `headline` for "        \
				   "whoever is "                                                             \
				   "offline." },                                                             \
		{ .name = "body",                                                                            \
			.type = XYLEM_OPTION_ENUM,                                                           \
			.offset = offsetof(own, endpoint.body),                                              \
			.default_value = "data",                                                             \
			.choices = endpoint_bodies,                                                          \
			.since = "0.1",                                                                      \
			.summary = "The text that people see: the data as it stands (a JSON string as its "  \
				   "text), the "                                                             \
				   "whole CloudEvent as JSON, or none." },                                   \
		{ .name = "text",                                                                            \
			.type = XYLEM_OPTION_STRING,                                                         \
			.offset = offsetof(own, endpoint.text),                                              \
			.minimum = 1,                                                                        \
			.maximum = 4096,                                                                     \
			.since = "0.1",                                                                      \
			.summary = "A text in place of `body`, where {/data/...} and {/NAME} stand for "     \
				   "what the "                                                               \
				   "event has there.",                                                       \
			.example = "\"order {/data/id} of {/data/customer}\"" },                             \
		{ .name = "subject",                                                                         \
			.type = XYLEM_OPTION_STRING,                                                         \
			.offset = offsetof(own, endpoint.subject),                                           \
			.minimum = 1,                                                                        \
			.maximum = 1024,                                                                     \
			.since = "0.1",                                                                      \
			.summary = "The subject of messages to people, with places as in `text`.",           \
			.example = "\"{/type}\"" },                                                          \
		{ .name = "event",                                                                           \
			.type = XYLEM_OPTION_BOOL,                                                           \
			.offset = offsetof(own, endpoint.event),                                             \
			.default_value = "false",                                                            \
			.since = "0.1",                                                                      \
			.summary = "Whether the CloudEvent goes along for programs, as JSON in an element "  \
				   "of its "                                                                 \
				   "own." },                                                                 \
		{ .name = "confirm",                                                                         \
			.type = XYLEM_OPTION_ENUM,                                                           \
			.offset = offsetof(own, endpoint.confirm),                                           \
			.default_value = "server",                                                           \
			.choices = endpoint_confirms,                                                        \
			.since = "0.1",                                                                      \
			.summary = "What makes a message to a person delivered: that the server took it, a " \
				   "receipt "                                                                \
				   "(XEP-0184) where a client offers them, or a receipt always." },          \
		{ .name = "offline",                                                                         \
			.type = XYLEM_OPTION_ENUM,                                                           \
			.offset = offsetof(own, endpoint.offline),                                           \
			.default_value = "store",                                                            \
			.choices = endpoint_offlines,                                                        \
			.since = "0.1",                                                                      \
			.summary = "What happens to a message for somebody who is not online: left to the "  \
				   "server, "                                                                \
				   "held back until they are, discarded, or sent to `fallback`." },          \
		{ .name = "fallback",                                                                        \
			.type = XYLEM_OPTION_LIST,                                                           \
			.offset = offsetof(own, endpoint.fallback),                                          \
			.since = "0.1",                                                                      \
			.summary = "Where a message for somebody who is not online goes instead: "           \
				   "addresses, or the "                                                      \
				   "endpoint's room.",                                                       \
			.example = "[ops@rooms.acme.test]" },                                                \
		{ .name = "room.jid",                                                                        \
			.type = XYLEM_OPTION_JID,                                                            \
			.offset = offsetof(own, endpoint.room),                                              \
			.since = "0.1",                                                                      \
			.summary = "A room to be in: what is said there comes in, messages of the routes "   \
				   "are said "                                                               \
				   "there.",                                                                 \
			.example = "ops@rooms.acme.test" },                                                  \
		{ .name = "room.nick",                                                                       \
			.type = XYLEM_OPTION_STRING,                                                         \
			.offset = offsetof(own, endpoint.nick),                                              \
			.minimum = 1,                                                                        \
			.maximum = 128,                                                                      \
			.since = "0.1",                                                                      \
			.summary = "The nickname in the room; without it, the connector's name. One that "   \
				   "is taken "                                                               \
				   "gets a number behind it.",                                               \
			.example = "bus" },                                                                  \
		{ .name = "room.password",                                                                   \
			.type = XYLEM_OPTION_SECRET,                                                         \
			.offset = offsetof(own, endpoint.room_password),                                     \
			.since = "0.1",                                                                      \
			.summary = "The password of the room.",                                              \
			.example = "{ file: room.password }" },                                              \
		{ .name = "room.create",                                                                     \
			.type = XYLEM_OPTION_BOOL,                                                           \
			.offset = offsetof(own, endpoint.room_create),                                       \
			.default_value = "false",                                                            \
			.since = "0.1",                                                                      \
			.summary =                                                                           \
				"Whether a room that does not exist is made, with the server's defaults." }, \
		{ .name = "room.ping",                                                                       \
			.type = XYLEM_OPTION_DURATION,                                                       \
			.offset = offsetof(own, endpoint.room_ping_us),                                      \
			.default_value = "5m",                                                               \
			.minimum = 1000000,                                                                  \
			.maximum = 86400000000,                                                              \
			.since = "0.1",                                                                      \
			.summary = "How often the room is asked whether the endpoint is still in it "        \
				   "(XEP-0410)." },                                                          \
		{ .name = "published.nodes",                                                                 \
			.type = XYLEM_OPTION_LIST,                                                           \
			.offset = offsetof(own, endpoint.published),                                         \
			.since = "0.1",                                                                      \
			.summary = "Nodes of people's own published events (XEP-0163) that come in; they "   \
				   "have to let "                                                            \
				   "this address see their presence.",                                       \
			.example = "[\"http://jabber.org/protocol/tune\"]" },                                \
	{                                                                                                    \
		.name = "published.of", .type = XYLEM_OPTION_LIST,                                           \
		.offset = offsetof(own, endpoint.publishers), .since = "0.1",                                \
		.summary = "Whose published events come in; they are asked to show their presence.",         \
		.example = "[alice@acme.test]"                                                               \
	}

/* What the table cannot say. */
int endpoint_check(const struct endpoint_options *options, struct xylem_reason *reason);

/* --- What carries it -------------------------------------------------------- */

enum endpoint_sight { ENDPOINT_UNKNOWN, ENDPOINT_OFFLINE, ENDPOINT_ONLINE };

struct endpoint_carrier {
	const struct delivery_carrier *delivery;
	/* Sends once, without confirmation; dropped when not connected. Any thread. */
	void (*post)(void *link, struct xylem_span stanza);
	/* As link_request(); delivery->forget() with the context ends it. */
	int (*request)(void *link, struct xylem_span iq, const char *id, const char *to, int64_t timeout_us,
		link_answered answered, void *context, struct xylem_reason *reason);
	/* Is this bare address online? Where it is not seen yet, it is asked to show its presence. Any thread. */
	enum endpoint_sight (*sight)(void *owner, const char *bare);
	/* May this normalised bare address send here, where the option `allow` does not say? */
	bool (*admits)(void *owner, const char *bare);
	/* An answer that is still to come: the carrier does not end before. May be NULL. */
	void (*pending)(void *owner, bool more);
	/*
	 * Did what is up now go on where the connection before it ended? Then presence that was seen
	 * before counts still. NULL: never.
	 */
	bool (*resumed)(void *owner);
	/* What refuses a stranger's message: an error, or (NULL says so) silence. */
	bool answers_strangers;
};

/* `address`: ours, bare; `resource`: of it; both copied. `stamp`: is `from` written into stanzas? */
struct endpoint_place {
	const struct endpoint_carrier *carrier;
	void *link, *owner; /* what the carrier's functions are given */
	const char *address, *resource;
	bool stamp;
};

int endpoint_new(struct endpoint **ret_endpoint, struct xylem_host *host,
	const struct endpoint_options *options, const struct endpoint_place *place,
	struct xylem_reason *reason);
/* No call of it may come any more, but for the carrier's answers, which are forgotten here. */
struct endpoint *endpoint_free(struct endpoint *endpoint);

/* --- Coming in: on the carrier's thread --------------------------------------- */

/* A message, or an IQ of type set that nobody else answers. True: it was dealt with. */
bool endpoint_stanza(struct endpoint *endpoint, const struct xml_node *stanza, int violation);
/* Messages and presence of conversations that the endpoint takes part in. True: it was one. */
bool endpoint_conversation(struct endpoint *endpoint, const struct xml_node *stanza);
/* Somebody's presence changed, and `sight` knows it. */
void endpoint_seen(struct endpoint *endpoint, const char *bare);
/* The carrier came up or went down. */
void endpoint_changed(struct endpoint *endpoint, bool up, const char *why);
bool endpoint_admits(const struct endpoint *endpoint, const char *bare);
/* Somebody whom it may talk with: one who may send here, or whom messages go to, or whose events it follows. */
bool endpoint_concerns(const struct endpoint *endpoint, const char *bare);
/* One of those, or the endpoint's room. */
bool endpoint_may_ask(const struct endpoint *endpoint, const char *bare);
/* For disco#info, ended by NULL; valid until endpoint_free(). */
const char *const *endpoint_features(const struct endpoint *endpoint);

/* --- The contract's callbacks ------------------------------------------------- */

void endpoint_source_start(struct endpoint *endpoint, struct xylem_source *source);
/* Waits for a message that is being handed in. */
void endpoint_source_stop(struct endpoint *endpoint);

int endpoint_sink_open(
	struct endpoint *endpoint, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason);
void endpoint_deliver(
	void *worker, const struct xylem_message *const *messages, size_t n, struct xylem_result *results);
void endpoint_interrupt(void *worker);
void endpoint_sink_close(void *worker);
/* Beside the link itself: is the room entered? 0, or what a delivery would fail with. */
int endpoint_probe(struct endpoint *endpoint, struct xylem_result *result);

#endif
