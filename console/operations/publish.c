/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: a new message by a person or program, acknowledged when it is on disk. Either a
 * whole CloudEvent in JSON (`event`), or data with the few attributes that matter. The rule:
 * data is journaled byte for byte as it was written.
 */
#include <console/operations/table.h>
#include <console/data_argument.h>
#include <console/view.h>

struct arguments {
	const char *ingress;
	struct xylem_span event;
	struct data_argument payload;
	const char *id, *source, *type, *subject, *contenttype, *key;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	{ .name = "ingress",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(ingress),
		.since = "0.1",
		.summary = "Where it comes in: a connector's name or `topic:NAME`.",
		.example = "shop" },
	{ .name = "event",
		.type = XYLEM_OPTION_JSON,
		.offset = AT(event),
		.since = "0.1",
		.summary = "A whole CloudEvent in the JSON format, instead of the attributes and data below.",
		.example =
			"{\"specversion\": \"1.0\", \"id\": \"1\", \"source\": \"/shop\", \"type\": \"t\"}" },
	DATA_ARGUMENT_OPTIONS(struct arguments, payload),
	{ .name = "id",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(id),
		.since = "0.1",
		.summary = "The event's id; a new UUID if absent.",
		.example = "order-17" },
	{ .name = "source",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(source),
		.since = "0.1",
		.summary = "The event's source; the ingress if absent.",
		.example = "/shop" },
	{ .name = "type",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(type),
		.default_value = "xylem.published",
		.since = "0.1",
		.summary = "The event's type.",
		.example = "order.created" },
	{ .name = "subject",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(subject),
		.since = "0.1",
		.summary = "The event's subject.",
		.example = "orders/17" },
	{ .name = "contenttype",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(contenttype),
		.since = "0.1",
		.summary = "The data's media type; `application/json` for `data`, else `text/plain` or "
			   "`application/octet-stream`.",
		.example = "application/json" },
	{ .name = "key",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(key),
		.since = "0.1",
		.summary = "The ordering key: messages of one key keep their order.",
		.example = "customer-4" },
	XYLEM_OPTIONS_END,
};

static const char *default_contenttype(const struct data_argument *payload)
{
	if (xylem_span_present(payload->json)) {
		return "application/json";
	}
	return payload->text     ? "text/plain; charset=utf-8"
	       : payload->base64 ? "application/octet-stream"
				 : NULL;
}

static int from_attributes(const struct arguments *arguments, struct xylem_arena *arena,
	struct xylem_message *message, struct xylem_reason *reason)
{
	char uuid[XYLEM_UUID_SIZE];
	const char *id = arguments->id ? arguments->id : xylem_uuid_new(uuid);
	const char *type = arguments->contenttype ? arguments->contenttype
						  : default_contenttype(&arguments->payload);
	message->id = xylem_arena_copy(arena, xylem_span_of(id));
	message->source = xylem_span_of(arguments->source ? arguments->source : arguments->ingress);
	message->type = xylem_span_of(arguments->type);
	message->subject = xylem_span_of(arguments->subject);
	message->datacontenttype = xylem_span_of(type);
	return data_argument_read(&arguments->payload, arena, &message->data, reason);
}

static int from_event(const struct arguments *arguments, struct xylem_arena *arena,
	struct xylem_message *message, struct xylem_reason *reason)
{
	const struct data_argument *payload = &arguments->payload;
	if (xylem_span_present(payload->json) || payload->text || payload->base64 || arguments->id ||
		arguments->source || arguments->subject || arguments->contenttype) {
		xylem_reason_set(reason, "`event` is a whole event: give its attributes and data inside it");
		return -XYLEM_E_INVALID;
	}
	return xylem_message_read_json(message, arena, arguments->event, reason);
}

static int publish(struct bus *bus, const struct arguments *arguments, struct xylem_arena *arena,
	json_t **ret_result, struct xylem_reason *reason)
{
	struct xylem_message message = { .kind = XYLEM_MESSAGE };
	int error = xylem_span_present(arguments->event)
			    ? from_event(arguments, arena, &message, reason)
			    : from_attributes(arguments, arena, &message, reason);
	if (error) {
		return error;
	}
	message.kind = XYLEM_MESSAGE;
	if (arguments->key) {
		message.key = xylem_span_of(arguments->key);
	}
	struct xylem_position at;
	error = bus_publish(bus, arguments->ingress, &message, 1, &at, reason);
	if (!error) {
		*ret_result = json_pack(
			"{s:o, s:o}", "handle", view_position(at), "id", view_text(message.id));
	}
	return error;
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	if (!arena) {
		return -XYLEM_E_MEMORY;
	}
	int error = publish(bus, given, arena, ret_result, reason);
	xylem_arena_free(arena);
	return error;
}

const struct operation operation_publish = {
	.name = "publish",
	.words = "publish",
	.method = "POST",
	.path = "publish",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Hands in a message; the answer comes when it is on disk.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
