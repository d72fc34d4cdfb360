/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PUBSUB_H
#define XMPP_PUBSUB_H

#include <xmpp/feature.h>

/*
 * Inside the room only: what the files of PubSub (XEP-0060) share. Each feature
 * is a file; its operations are rows of the table in pubsub.c.
 */

struct pubsub_operation {
	const char *namespace; /* of the <pubsub/> */
	const char *name;      /* of its child */
	bool set;
	void (*run)(const struct xmpp_request *request, const struct xml_node *operation);
};
extern const struct pubsub_operation pubsub_subscribing[], pubsub_options[], pubsub_publishing[],
	pubsub_retrieving[], pubsub_retracting[], pubsub_creating[], pubsub_configuring[],
	pubsub_affiliating[], pubsub_managing[]; /* each ended by a NULL name */

/* --- Refusals ------------------------------------------------------------- */

/* How a code of the topics is said; tables end with code 0. */
struct pubsub_refusal {
	int code;
	const char *type, *condition, *pubsub; /* NULL: no condition of PubSub's own */
};
void pubsub_refuse(
	const struct xmpp_request *request, const char *type, const char *condition, const char *pubsub);
/* `feature-not-implemented` with the feature's name. */
void pubsub_refuse_unsupported(const struct xmpp_request *request, const char *feature);
/* By the table (NULL: none), else as PubSub says it everywhere. */
void pubsub_refuse_code(
	const struct xmpp_request *request, const struct pubsub_refusal *table, int code, const char *text);

/* --- Parts of requests ---------------------------------------------------- */

/* The operation's node; NULL: there is none, it was refused (`nodeid-required`). */
const char *pubsub_node(const struct xmpp_request *request, const struct xml_node *operation);
/* As it is; NULL: none is named. */
const char *pubsub_optional_node(const struct xmpp_request *request, const struct xml_node *operation);
/* The address in `jid`, one's own, bare or full, normalised; NULL: refused. */
const char *pubsub_subscriber(const struct xmpp_request *request, const struct xml_node *operation);
/* Anybody's, normalised; NULL: it is none. In the request's arena. */
const char *pubsub_address(const struct xmpp_request *request, struct xylem_span jid);
/* The node, if the asker may `right`; NULL: refused. */
const char *pubsub_entitled(
	const struct xmpp_request *request, const struct xml_node *operation, enum topic_right right);

/* --- Answers -------------------------------------------------------------- */

/* `<iq type='result'...><pubsub xmlns='...'>`, and its end, sent. */
void pubsub_open(const struct xmpp_request *request, struct xylem_buffer *out, const char *namespace);
void pubsub_close(const struct xmpp_request *request, struct xylem_buffer *out);
/*
 * The answer `<pubsub><ELEMENT node=''>ROWS</ELEMENT><set/></pubsub>` with the page that was asked for, or as
 * much as a stanza takes. `node` NULL: none.
 */
struct rsm_list;
void pubsub_answer_list(const struct xmpp_request *request, const char *namespace, const char *element,
	const char *node, const struct rsm_list *list);
/* How large an answer may grow while rows are added to it. */
size_t pubsub_room(const struct xmpp_request *request);
/* Ids of lists of subscriptions, and a row: rsm_list with an array of struct topic_subscription. */
struct xylem_span pubsub_subscription_id(const void *subscriptions, size_t i);
void pubsub_write_subscription_row(const void *subscriptions, size_t i, struct xylem_buffer *out);
/* `<subscription .../>` */
void pubsub_write_subscription(struct xylem_buffer *out, const struct topic_subscription *subscription);

/*
 * A request that is answered when the catalogue has it. NULL: refused. Then
 * either pubsub_done() (a topic_done) with it, or pubsub_fail().
 */
struct deferred *pubsub_defer(const struct xmpp_request *request);
void pubsub_done(void *deferred, int error);
void pubsub_fail(struct deferred *deferred, const struct pubsub_refusal *table, int code);

/* --- Forms (XEP-0004) ----------------------------------------------------- */

#define FORM_CONFIG NS_PUBSUB "#node_config"
#define FORM_OPTIONS NS_PUBSUB "#subscribe_options"
#define FORM_PUBLISH NS_PUBSUB "#publish-options"
#define FORM_AUTHORIZE NS_PUBSUB "#subscribe_authorization"

/* The form inside `parent`; NULL: none. `*ret_cancel`: it takes itself back. */
const struct xml_node *form_find(const struct xml_node *parent, bool *ret_cancel);
/* Is it of this type? A form that does not say counts as one. */
bool form_is(const struct xml_node *form, const char *form_type, struct xylem_arena *arena);
bool form_says(const struct xml_node *form, const char *form_type, struct xylem_arena *arena);
/* The fields one after another; NULL first. `*ret_name` without `pubsub#`; FORM_TYPE is passed over. */
const struct xml_node *form_field(
	const struct xml_node *form, const struct xml_node *before, struct xylem_span *ret_name);
/* The field's first value, empty if it has none. */
struct xylem_span form_value(const struct xml_node *field, struct xylem_arena *arena);
/* The value of a field by its name; absent if the form does not have it. */
struct xylem_span form_get(const struct xml_node *form, const char *name, struct xylem_arena *arena);

void form_open(struct xylem_buffer *out, const char *type, const char *form_type);
/* `type`: text-single, boolean ...; `label` NULL: none; `value` absent: none. Without `pubsub#` in `name`. */
void form_write(struct xylem_buffer *out, const char *name, const char *type, const char *label,
	struct xylem_span value);
void form_close(struct xylem_buffer *out);

/*
 * The settings of a topic as a form, or as the fields that a submission changes.
 * `most`: bytes, what a payload cannot exceed where the topic says nothing; 0: not said.
 */
void settings_write_form(
	struct xylem_buffer *out, const struct topic_settings *settings, const char *type, size_t most);
/*
 * 0; -XYLEM_E_UNSUPPORTED (access model), -XYLEM_E_INVALID (reason); with `strict`
 * -XYLEM_E_NOT_FOUND for an unknown field, which otherwise is passed over.
 */
int settings_read_form(struct topic_settings *settings, const struct xml_node *form, bool strict,
	struct xylem_arena *arena, struct xylem_reason *reason);

/* Subscription options as a form of a type (`form`, `result`), and read from one: -XYLEM_E_INVALID. */
void options_write_form(
	struct xylem_buffer *out, const struct topic_subscription_options *options, const char *type);
int options_read_form(struct topic_subscription_options *options, const struct xml_node *form,
	struct xylem_arena *arena, struct xylem_reason *reason);

/* --- Items ---------------------------------------------------------------- */

/* The type of what is published and is no event itself. */
#define PUBSUB_ITEM_TYPE "xmpp.item"
/*
 * `<item id='' publisher=''>PAYLOAD</item>`. The payload is the event in JSON,
 * or its data where these are XML, or an Atom entry, as the topic's type has it.
 */
void pubsub_write_item(struct xylem_buffer *out, const struct topic_settings *settings,
	const struct xylem_message *message, bool with_payload);
/*
 * The bytes of an item as pubsub_write_item() writes it that every stanza has room for: a notification, an
 * answer. What is larger cannot be published by PubSub, and travels without its payload where it is there.
 */
size_t pubsub_item_most(const struct link *link);
/* The items of a topic as rows of disco#items, by pages where the request asks for them. Errors as topic_items(). */
int pubsub_write_rows(const struct xmpp_request *request, const char *name, struct xylem_buffer *out,
	struct xylem_reason *reason);
/* A text for those who see nothing else; nothing where the payload has none. */
void pubsub_write_body(struct xylem_buffer *out, const struct xylem_message *message);
/* `<event ...><items node=''>ITEM</items></event>` */
void pubsub_write_event(struct xylem_buffer *out, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, bool with_payload);
/* Who published it: its key, where that is an address. */
struct xylem_span pubsub_publisher(const struct xylem_message *message);

/* --- Payloads (pubsub_payload.c, atom.c) ---------------------------------- */

/*
 * The data as one XML element that stands for itself, to `out`; false: they
 * are none, and nothing is written. With `title` (may be NULL) the text of an
 * Atom entry's title is written there.
 */
bool payload_write_xml(
	const struct xylem_message *message, struct xylem_buffer *out, struct xylem_buffer *title);
/* The event as an Atom entry (RFC 4287, XEP-0277). */
void atom_write(struct xylem_buffer *out, const struct xylem_message *message);
/* Is a topic of this type one of Atom entries? */
bool atom_type(const char *type);

/* --- The picture (avatar.c) ------------------------------------------------ */

/* Retrieving from the nodes of XEP-0084, which every address of the bus has. False: it is something else. */
bool avatar_take(const struct xmpp_request *request, const struct xml_node *operation);

/* --- Beside IQs of PubSub -------------------------------------------------- */

/* The command get-pending (pubsub_pending.c); whoever owns a topic may. */
#define PUBSUB_GET_PENDING NS_PUBSUB "#get-pending"
void pubsub_get_pending(const struct xmpp_request *request);
bool pubsub_owns_any(const struct xmpp_request *request);

/* Tells the topics who comes and goes (pubsub_presence.c). Around the link's life. */
int pubsub_watch(struct xmpp_service *service);
void pubsub_unwatch(struct xmpp_service *service);

/* An owner's answer to the question whether somebody may subscribe. False: the message is something else. */
bool pubsub_take_approval(const struct xmpp_request *request);

/* An error stanza to the domain: is it for a notification? */
void pubsub_take_refusal(const struct xmpp_request *request);
/* Any stanza: does it show that its sender is there? */
void pubsub_take_sign(const struct xmpp_request *request);

#endif
