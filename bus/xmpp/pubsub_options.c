/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscription options (XEP-0060, 6.3, 6.4): whether and when a subscriber gets
 * notifications, with a text or without, and until when.
 */
#include <string.h>

#include <base/clock.h>
#include <xmpp/pubsub.h>

static const struct {
	const char *name, *label;
	unsigned bit;
} shows[] = { { "online", "Available", TOPIC_SHOW_ONLINE }, { "chat", "Free for chat", TOPIC_SHOW_CHAT },
	{ "away", "Away", TOPIC_SHOW_AWAY }, { "xa", "Extended away", TOPIC_SHOW_XA },
	{ "dnd", "Do not disturb", TOPIC_SHOW_DND } };
#define SHOWS (sizeof(shows) / sizeof(shows[0]))

/* --- The form ------------------------------------------------------------- */

static void write_shows(struct xylem_buffer *out, unsigned set)
{
	xylem_buffer_text(out, "<field var='pubsub#show-values' type='list-multi' "
			       "label='The presence in which notifications are delivered'>");
	for (size_t i = 0; i < SHOWS; i++) {
		xylem_buffer_format(
			out, "<option label='%s'><value>%s</value></option>", shows[i].label, shows[i].name);
	}
	for (size_t i = 0; i < SHOWS; i++) {
		if (set & shows[i].bit) {
			xylem_buffer_format(out, "<value>%s</value>", shows[i].name);
		}
	}
	xylem_buffer_text(out, "</field>");
}

void options_write_form(
	struct xylem_buffer *out, const struct topic_subscription_options *options, const char *type)
{
	char text[CLOCK_TEXT_SIZE];
	const char *expire = options->temporary        ? "presence"
			     : options->expires_us > 0 ? clock_format(options->expires_us, text)
						       : NULL;
	form_open(out, type, FORM_OPTIONS);
	form_write(out, "deliver", "boolean", "Whether to deliver notifications",
		xylem_span_of(options->deliver ? "1" : "0"));
	form_write(out, "include_body", "boolean", "Whether to put a text beside the payload",
		xylem_span_of(options->body ? "1" : "0"));
	form_write(out, "expire", "text-single",
		"The time at which the subscription ends, or `presence`: when the subscriber goes offline",
		xylem_span_of(expire));
	write_shows(out, options->show);
	form_close(out);
}

static int read_flag(struct xylem_span value, bool *ret_flag)
{
	bool yes = xylem_span_is(value, "1") || xylem_span_is(value, "true");
	if (!yes && !xylem_span_is(value, "0") && !xylem_span_is(value, "false")) {
		return -XYLEM_E_INVALID;
	}
	*ret_flag = yes;
	return 0;
}

static int read_expire(struct xylem_span value, struct topic_subscription_options *options)
{
	options->temporary = xylem_span_is(value, "presence");
	options->expires_us = 0;
	if (value.n == 0 || options->temporary) {
		return 0;
	}
	int error = clock_parse(value.at, value.n, &options->expires_us);
	return error == 0 && options->expires_us <= clock_wall_us() ? -XYLEM_E_INVALID : error;
}

static int read_shows(
	const struct xml_node *field, struct topic_subscription_options *options, struct xylem_arena *arena)
{
	options->show = 0;
	for (const struct xml_node *value = xml_child(field, NS_DATA, "value"); value != NULL;
		value = xml_next(value, NS_DATA, "value")) {
		size_t i = 0;
		while (i < SHOWS && !xylem_span_is(xml_text(value, arena), shows[i].name)) {
			i++;
		}
		if (i == SHOWS) {
			return -XYLEM_E_INVALID;
		}
		options->show |= shows[i].bit;
	}
	return 0;
}

/* Those that are not offered but stand in the XEP: only their default is true. */
static int read_other(struct xylem_span name, struct xylem_span value)
{
	bool flag = false;
	if (xylem_span_is(name, "digest")) {
		return read_flag(value, &flag) != 0 || flag ? -XYLEM_E_INVALID : 0;
	}
	if (xylem_span_is(name, "subscription_type")) {
		return xylem_span_is(value, "items") ? 0 : -XYLEM_E_INVALID;
	}
	return 0;
}

int options_read_form(struct topic_subscription_options *options, const struct xml_node *form,
	struct xylem_arena *arena, struct xylem_reason *reason)
{
	struct xylem_span name;
	int error = form_is(form, FORM_OPTIONS, arena) ? 0 : -XYLEM_E_INVALID;
	for (const struct xml_node *field = form_field(form, NULL, &name); field != NULL && error == 0;
		field = form_field(form, field, &name)) {
		struct xylem_span value = form_value(field, arena);
		error = xylem_span_is(name, "deliver")        ? read_flag(value, &options->deliver)
			: xylem_span_is(name, "include_body") ? read_flag(value, &options->body)
			: xylem_span_is(name, "expire")       ? read_expire(value, options)
			: xylem_span_is(name, "show-values")  ? read_shows(field, options, arena)
							      : read_other(name, value);
		if (error != 0) {
			xylem_reason_set(reason, "%.*s cannot be that", (int)name.n, name.at);
		}
	}
	return error;
}

/* --- Requests ------------------------------------------------------------- */

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_CONFLICT, "modify", "unexpected-request", "not-subscribed" },
	{ -XYLEM_E_INVALID, "modify", "bad-request", "subid-required" },
	{ -XYLEM_E_UNPROCESSABLE, "modify", "not-acceptable", "invalid-subid" },
	{ 0, NULL, NULL, NULL },
};

/*
 * The subscription that a request is about. The address must be the asker's own
 * (XEP-0060, 6.3.4.1: forbidden). False: refused.
 */
static bool find(const struct xmpp_request *request, const struct xml_node *operation,
	struct topic_subscription *ret_found)
{
	struct xylem_span jid = xml_attribute(operation, "jid");
	const char *name = pubsub_node(request, operation);
	if (name == NULL) {
		return false;
	}
	if (!xylem_span_present(jid)) {
		pubsub_refuse(request, "modify", "bad-request", "jid-required");
		return false;
	}
	const char *address = pubsub_address(request, jid);
	if (address == NULL || !xylem_span_is(jid_bare(xylem_span_of(address)), request->sender)) {
		pubsub_refuse(request, "auth", "forbidden", NULL);
		return false;
	}
	int error = topic_subscription(service_topics(request->service), name, address,
		xml_attribute(operation, "subid"), ret_found);
	if (error != 0) {
		pubsub_refuse_code(request, refusals, error, NULL);
	}
	return error == 0;
}

static void get(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct topic_subscription found;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (!find(request, operation, &found)) {
		return;
	}
	pubsub_open(request, &out, NS_PUBSUB);
	xylem_buffer_text(&out, "<options");
	xml_write_attribute(&out, "node", xylem_span_of(found.topic));
	xml_write_attribute(&out, "jid", xylem_span_of(found.jid));
	xml_write_attribute(&out, "subid", xylem_span_of(found.subid));
	xylem_buffer_byte(&out, '>');
	options_write_form(&out, &found.options, "form");
	xylem_buffer_text(&out, "</options>");
	pubsub_close(request, &out);
}

static void submit(const struct xmpp_request *request, const struct topic_subscription *found)
{
	struct deferred *deferred = pubsub_defer(request);
	if (deferred == NULL) {
		return;
	}
	int error = topic_subscription_set(service_topics(request->service), found->topic, found->jid,
		xylem_span_of(found->subid), &found->options, pubsub_done, deferred);
	if (error != 0) {
		pubsub_fail(deferred, refusals, error);
	}
}

static void set(const struct xmpp_request *request, const struct xml_node *operation)
{
	bool cancel;
	struct topic_subscription found;
	struct xylem_reason reason = { "" };
	const struct xml_node *form = form_find(operation, &cancel);

	if (!find(request, operation, &found)) {
		return;
	}
	if (form == NULL ||
		(!cancel && options_read_form(&found.options, form, request->arena, &reason) != 0)) {
		static const struct pubsub_refusal invalid[] = {
			{ 1, "modify", "bad-request", "invalid-options" }, { 0, NULL, NULL, NULL }
		};
		pubsub_refuse_code(request, invalid, 1, reason.text);
	} else if (cancel) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		stanza_result_open(&out, request->iq);
		stanza_result_close(&out);
		request_answer(request, &out);
	} else {
		submit(request, &found);
	}
}

static void get_default(const struct xmpp_request *request, const struct xml_node *operation)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct topic_subscription_options options;
	const char *name = pubsub_optional_node(request, operation);

	int error = name == NULL
			    ? 0
			    : topic_check(service_topics(request->service), name, request->sender, TOPIC_SEE);
	if (error != 0) {
		pubsub_refuse_code(request, NULL, error, NULL);
		return;
	}
	topic_subscription_default(&options);
	pubsub_open(request, &out, NS_PUBSUB);
	xylem_buffer_text(&out, "<default");
	xml_write_attribute(&out, "node", xml_attribute(operation, "node"));
	xylem_buffer_byte(&out, '>');
	options_write_form(&out, &options, "form");
	xylem_buffer_text(&out, "</default>");
	pubsub_close(request, &out);
}

const struct pubsub_operation pubsub_options[] = {
	{ NS_PUBSUB, "options", false, get },
	{ NS_PUBSUB, "options", true, set },
	{ NS_PUBSUB, "default", false, get_default },
	{ NULL, NULL, false, NULL },
};
