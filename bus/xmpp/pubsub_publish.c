/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing (XEP-0060, 7.1): one item or several, all or none, checked against
 * the node's configuration and the publish-options, which are preconditions. A
 * node that is not there is made for those who may make nodes, of the options.
 *
 * The answer comes when the items are on disk and can be retrieved.
 */
#include <stdlib.h>
#include <string.h>

#include <message/envelope.h>
#include <xylem/json.h>
#include <xmpp/payload.h>
#include <xmpp/pubsub.h>

/* Everything lies in the arena, since a node may have to be made first. */
struct publishing {
	struct xylem_arena *arena;
	struct topics *topics;
	struct deferred *deferred;
	char *name;
	struct xylem_message *messages;
	size_t n;
	bool ids; /* the answer names them: not for a node without items */
};

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_CONFLICT, "cancel", "conflict", "node-full" },
	{ 0, NULL, NULL, NULL },
};

/* --- What is published ---------------------------------------------------- */

/* What a node takes (XEP-0060, 4.3). */
struct takes {
	bool items, payloads;
};

/* Words beside the payload, which no event has a place for. */
static bool has_words(const struct xml_node *item)
{
	for (const struct xml_node *child = item != NULL ? item->first : NULL; child != NULL;
		child = child->next) {
		if (!xylem_span_present(child->name) && xylem_json_trim(child->text).n > 0) {
			return true;
		}
	}
	return false;
}

static const char *check_form(
	const struct takes *takes, const struct xml_node *item, const struct xml_node *payload)
{
	if (!takes->items && item != NULL) {
		return "item-forbidden";
	}
	if (takes->items && item == NULL) {
		return "item-required";
	}
	if (takes->payloads && payload == NULL) {
		return "payload-required";
	}
	bool two = payload != NULL && xml_next(payload, NULL, NULL) != NULL;
	return two || has_words(item) ? "invalid-payload" : NULL;
}

static bool type_fits(const char *type, const struct xml_node *payload)
{
	if (type[0] == '\0' || payload == NULL) {
		return true;
	}
	if (atom_type(type)) {
		return xml_is(payload, NS_ATOM, "entry") || xml_is(payload, NS_JSON, "json");
	}
	return xylem_span_is(payload->namespace, type);
}

static int read_payload(const struct xmpp_request *request, struct publishing *publishing,
	const struct xml_node *payload, struct xylem_span id, struct xylem_message *message,
	struct xylem_reason *reason)
{
	const struct payload_defaults defaults = { .id = id,
		.type = XYLEM_SPAN_LITERAL(PUBSUB_ITEM_TYPE),
		.source = xylem_span_of(xylem_arena_format(publishing->arena, "xmpp:%s", request->sender)) };
	if (payload != NULL) {
		return payload_read(payload, &defaults, publishing->arena, message, reason);
	}
	char uuid[XYLEM_UUID_SIZE];
	*message = (struct xylem_message){ .kind = XYLEM_MESSAGE,
		.id = id.n > 0 ? id : xylem_span_of(xylem_uuid_new(uuid)),
		.type = defaults.type,
		.source = defaults.source };
	message->id = xylem_arena_copy(publishing->arena, message->id);
	return message->id.at == NULL ? -XYLEM_E_MEMORY : 0;
}

/* As it would be told and retrieved, so that nothing is taken that nobody could get. False: refused. */
static bool check_size(const struct xmpp_request *request, const struct topic_settings *settings,
	const struct xylem_message *message)
{
	XYLEM_BUFFER_SCOPED item = { 0 };
	struct xylem_reason reason;
	const struct link *link = xmpp_service_link(request->service);

	if (settings->max_payload > 0 && message->data.n > (size_t)settings->max_payload) {
		xylem_reason_set(&reason, "%zu bytes; the node's max_payload_size is %lld", message->data.n,
			(long long)settings->max_payload);
		pubsub_refuse_code(request, NULL, -XYLEM_E_TOO_LARGE, reason.text);
		return false;
	}
	pubsub_write_item(&item, settings, message, true);
	if (item.n > pubsub_item_most(link)) {
		xylem_reason_set(&reason,
			"the item takes %zu bytes of a stanza; with xmpp.max_stanza %zu, the bus tells at "
			"most %zu",
			item.n, link_max_stanza(link), pubsub_item_most(link));
		pubsub_refuse_code(request, NULL, -XYLEM_E_TOO_LARGE, reason.text);
		return false;
	}
	return true;
}

/* False: refused. */
static bool read_item(const struct xmpp_request *request, struct publishing *publishing,
	const struct topic_settings *settings, const struct xml_node *item)
{
	static const struct pubsub_refusal invalid[] = { { 1, "modify", "bad-request", "invalid-payload" },
		{ 0, NULL, NULL, NULL } };
	struct takes takes = { settings->persist || settings->deliver_payloads, settings->deliver_payloads };
	const struct xml_node *payload = item != NULL ? xml_child(item, NULL, NULL) : NULL;
	struct xylem_span id = item != NULL ? xml_attribute(item, "id") : XYLEM_SPAN_NONE;
	struct xylem_message *message = &publishing->messages[publishing->n];
	struct xylem_reason reason = { "" };

	const char *wrong = check_form(&takes, item, payload);
	if (wrong != NULL) {
		pubsub_refuse(request, "modify", "bad-request", wrong);
		return false;
	}
	if (!type_fits(settings->type, payload) ||
		read_payload(request, publishing, payload, id, message, &reason) != 0) {
		pubsub_refuse_code(request, invalid, 1, reason.text);
		return false;
	}
	if (id.n > 0 && !xylem_span_equal(id, message->id)) {
		pubsub_refuse_code(request, invalid, 1, "the item's id and the event's id differ");
		return false;
	}
	/* What one publisher sends keeps its order. The id is needed after the stanza has gone. */
	message->key = xylem_span_of(xylem_arena_text(publishing->arena, xylem_span_of(request->sender)));
	message->id = xylem_arena_copy(publishing->arena, message->id);
	if (!check_size(request, settings, message)) {
		return false;
	}
	publishing->n++;
	return true;
}

static bool read_items(const struct xmpp_request *request, struct publishing *publishing,
	const struct topic_settings *settings, const struct xml_node *operation)
{
	size_t n = 0;
	const struct xml_node *item = xml_child(operation, NS_PUBSUB, "item");
	for (const struct xml_node *one = item; one != NULL; one = xml_next(one, NS_PUBSUB, "item")) {
		n++;
	}
	/* More than the node keeps would be published and gone (XEP-0060, 12.11). */
	if (n > TOPIC_BATCH_MOST || (n > 1 && settings->max_items > 0 && n > (size_t)settings->max_items)) {
		pubsub_refuse(request, "cancel", "not-allowed", "max-items-exceeded");
		return false;
	}
	publishing->messages = xylem_arena_zero(publishing->arena, (n + 1) * sizeof(*publishing->messages));
	publishing->ids = item != NULL;
	if (publishing->messages == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
		return false;
	}
	do {
		if (!read_item(request, publishing, settings, item)) {
			return false;
		}
		item = item != NULL ? xml_next(item, NS_PUBSUB, "item") : NULL;
	} while (item != NULL);
	return true;
}

/* --- Publishing ----------------------------------------------------------- */

static void write_published(const struct publishing *publishing, struct xylem_buffer *out)
{
	stanza_result_open(out, &publishing->deferred->iq);
	xylem_buffer_text(out, "<pubsub xmlns='" NS_PUBSUB "'><publish");
	xml_write_attribute(out, "node", xylem_span_of(publishing->name));
	xylem_buffer_byte(out, '>');
	for (size_t i = 0; i < publishing->n && publishing->ids; i++) {
		xylem_buffer_text(out, "<item");
		xml_write_attribute(out, "id", publishing->messages[i].id);
		xylem_buffer_text(out, "/>");
	}
	xylem_buffer_text(out, "</publish></pubsub>");
	stanza_result_close(out);
}

static void published(void *context, int error)
{
	struct publishing *publishing = context;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0) {
		pubsub_fail(publishing->deferred, refusals, error);
	} else {
		write_published(publishing, &out);
		deferred_answer(publishing->deferred, &out);
	}
	xylem_arena_free(publishing->arena);
}

static void submit(struct publishing *publishing)
{
	struct xylem_reason reason = { "" };
	int error = topic_publish(publishing->topics, publishing->name, publishing->messages, publishing->n,
		published, publishing, &reason);
	if (error != 0) {
		published(publishing, error);
	}
}

/* Somebody else may have been quicker, and may have made it a topic of their own. */
static void created(void *context, int error)
{
	struct publishing *publishing = context;
	if (error == -XYLEM_E_CONFLICT) {
		const char *sender = xylem_arena_text(publishing->arena, publishing->messages[0].key);
		error = sender == NULL
				? -XYLEM_E_MEMORY
				: topic_check(publishing->topics, publishing->name, sender, TOPIC_PUBLISH);
	}
	if (error != 0) {
		published(publishing, error);
	} else {
		submit(publishing);
	}
}

/* --- The node ------------------------------------------------------------- */

/* The form of the publish-options, or NULL. False: refused. */
static bool find_options(const struct xmpp_request *request, const struct xml_node **ret_form)
{
	bool cancel;
	const struct xml_node *options = xml_child(request->payload, NS_PUBSUB, "publish-options");
	*ret_form = options != NULL ? form_find(options, &cancel) : NULL;
	if (options != NULL && (*ret_form == NULL || !form_is(*ret_form, FORM_PUBLISH, request->arena))) {
		request_refuse_code(request, -XYLEM_E_INVALID, "publish-options without their form");
		return false;
	}
	return true;
}

static bool same_settings(const struct topic_settings *a, const struct topic_settings *b)
{
	size_t n;
	const struct topic_setting *table = topic_settings_table(&n);
	for (size_t i = 0; i < n; i++) {
		if (!topic_setting_same(a, b, &table[i])) {
			return false;
		}
	}
	return true;
}

/* The settings with the options applied; of a node that exists they must be what they are. False: refused. */
static bool apply_options(const struct xmpp_request *request, const struct xml_node *form, bool exists,
	struct topic_settings *settings)
{
	struct xylem_reason reason = { "" };
	struct topic_settings asked = *settings;
	int error = form == NULL ? 0 : settings_read_form(&asked, form, true, request->arena, &reason);

	if (error == -XYLEM_E_UNSUPPORTED && !exists) {
		pubsub_refuse(request, "modify", "not-acceptable", "unsupported-access-model");
		return false;
	}
	if (error != 0 || (exists && !same_settings(&asked, settings))) {
		pubsub_refuse(request, "cancel", "conflict", "precondition-not-met");
		return false;
	}
	*settings = asked;
	return true;
}

/* The node's settings, or those that it would be made with. False: refused. */
static bool find_node(const struct xmpp_request *request, const char *name, bool *ret_exists,
	struct topic_settings *ret_settings)
{
	struct topic_state state;
	struct topics *topics = service_topics(request->service);
	int error = topic_check(topics, name, request->sender, TOPIC_PUBLISH);

	*ret_exists = error != -XYLEM_E_NOT_FOUND;
	if (error == -XYLEM_E_NOT_FOUND && topics_may_create(topics, request->sender)) {
		topics_new_settings(topics, ret_settings);
		return true;
	}
	error = error != 0 ? error : topic_state(topics, name, &state);
	if (error != 0) {
		pubsub_refuse_code(request, NULL, error, NULL);
		return false;
	}
	*ret_settings = state.settings;
	return true;
}

static struct publishing *publishing_new(const struct xmpp_request *request, const char *name)
{
	struct xylem_arena *arena = xylem_arena_new((size_t)64 << 20);
	struct publishing *publishing = arena == NULL ? NULL : xylem_arena_zero(arena, sizeof(*publishing));
	if (publishing == NULL || (publishing->name = xylem_arena_text(arena, xylem_span_of(name))) == NULL) {
		xylem_arena_free(arena);
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
		return NULL;
	}
	publishing->arena = arena;
	publishing->topics = service_topics(request->service);
	return publishing;
}

/* What payload_read() left in the stanza has to outlive it. */
static bool keep(struct publishing *publishing)
{
	for (size_t i = 0; i < publishing->n; i++) {
		struct xylem_message *copy = message_copy(&publishing->messages[i], publishing->arena);
		if (copy == NULL) {
			return false;
		}
		publishing->messages[i] = *copy;
	}
	return true;
}

static void create_first(const struct xmpp_request *request, struct publishing *publishing,
	const struct topic_settings *settings)
{
	if (!keep(publishing)) {
		published(publishing, -XYLEM_E_MEMORY);
		return;
	}
	int error = topic_create(
		publishing->topics, publishing->name, request->sender, settings, created, publishing);
	if (error != 0) {
		created(publishing, error);
	}
}

static void publish(const struct xmpp_request *request, const struct xml_node *operation)
{
	bool exists;
	struct topic_settings settings;
	const struct xml_node *options;
	const char *name = pubsub_node(request, operation);
	if (name == NULL || !find_options(request, &options) ||
		!find_node(request, name, &exists, &settings) ||
		!apply_options(request, options, exists, &settings)) {
		return;
	}
	struct publishing *publishing = publishing_new(request, name);
	if (publishing == NULL) {
		return;
	}
	bool read = read_items(request, publishing, &settings, operation);
	publishing->deferred = read ? pubsub_defer(request) : NULL;
	if (publishing->deferred == NULL) {
		xylem_arena_free(publishing->arena);
	} else if (exists) {
		submit(publishing);
	} else {
		create_first(request, publishing, &settings);
	}
}

const struct pubsub_operation pubsub_publishing[] = {
	{ NS_PUBSUB, "publish", true, publish },
	{ NULL, NULL, false, NULL },
};
