/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search: finds messages, newest first, by what their envelope says, what became of them, or
 * bytes anywhere in them. A search by text reads the data of messages, so it asks for the
 * right to see payload.
 */
#include <base/clock.h>
#include <console/operations/arguments.h>
#include <console/operations/table.h>
#include <console/since.h>
#include <console/view.h>
#include <trace/trace.h>

/* How long one page may search; the answer then says how far it got, and `next` goes on from there. */
#define SEARCH_US 5000000

struct arguments {
	const char *id, *key, *source, *type, *text, *route, *destination, *ingress;
	const char *since, *until, *after;
	int outcome;
	int64_t limit;
};

#define AT(member) offsetof(struct arguments, member)

/* In the order of enum outcome. */
static const char *const outcomes[] = { "any", "delivered", "filtered", "expired", "hospitalised",
	"discarded", "unrouted", "diverted", NULL };

static const struct xylem_option options[] = {
	{ .name = "id",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(id),
		.since = "0.1",
		.summary = "The event's id, exactly.",
		.example = "order-17" },
	{ .name = "key",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(key),
		.since = "0.1",
		.summary = "The ordering key, exactly.",
		.example = "customer-4" },
	{ .name = "source",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(source),
		.since = "0.1",
		.summary = "The event's source, exactly.",
		.example = "shop" },
	{ .name = "type",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(type),
		.since = "0.1",
		.summary = "The event's type, exactly.",
		.example = "order.created" },
	{ .name = "text",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(text),
		.since = "0.1",
		.summary = "These bytes anywhere in attributes or data; needs the role payload-viewer.",
		.example = "4711" },
	{ .name = "ingress",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(ingress),
		.since = "0.1",
		.summary = "The connector or `topic:NAME` it came in by.",
		.example = "shop" },
	{ .name = "route",
		.type = XYLEM_OPTION_NAME,
		.offset = AT(route),
		.since = "0.1",
		.summary = "Taken by this route.",
		.example = "orders" },
	{ .name = "destination",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(destination),
		.since = "0.1",
		.summary = "On the lane to this destination.",
		.example = "erp" },
	{ .name = "outcome",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(outcome),
		.default_value = "any",
		.choices = outcomes,
		.since = "0.1",
		.summary = "What a lane did with it." },
	{ .name = "since",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(since),
		.since = "0.1",
		.summary = "Journaled at or after this: RFC 3339, or as long ago as `15m`, `2h`, `7d`.",
		.example = "2026-11-21T09:00:00Z" },
	{ .name = "until",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(until),
		.since = "0.1",
		.summary = "Journaled before this, in the same notation.",
		.example = "15m" },
	{ .name = "after",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(after),
		.since = "0.1",
		.summary = "The page after this one: `next` of the last answer.",
		.example = "0-1234" },
	LIMIT_ARGUMENT(AT(limit), "messages"),
	XYLEM_OPTIONS_END,
};

static int read_times(
	const struct arguments *arguments, struct trace_filter *filter, struct xylem_reason *reason)
{
	int error = since_read(arguments->since, "since", &filter->since_us, reason);
	return error ? error : since_read(arguments->until, "until", &filter->until_us, reason);
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	if (arguments->text && caller->role < ROLE_PAYLOAD_VIEWER) {
		xylem_reason_set(reason, "a search by `text` reads data: it needs the role %s, %s is %s",
			config_role_name(ROLE_PAYLOAD_VIEWER), caller->name, config_role_name(caller->role));
		return -XYLEM_E_FORBIDDEN;
	}
	struct trace_filter filter = { .id = arguments->id,
		.key = arguments->key,
		.source = arguments->source,
		.type = arguments->type,
		.text = arguments->text,
		.route = arguments->route,
		.destination = arguments->destination,
		.ingress = arguments->ingress,
		.outcome = arguments->outcome,
		.limit = (size_t)arguments->limit,
		.deadline_mono_us = clock_mono_us() + SEARCH_US };
	int error = read_times(arguments, &filter, reason);
	if (error) {
		return error;
	}
	if (arguments->after && xylem_handle_parse(xylem_span_of(arguments->after), &filter.before)) {
		xylem_reason_set(reason, "`after` is `next` of an earlier answer, such as 0-1234; not `%s`",
			arguments->after);
		return -XYLEM_E_INVALID;
	}
	return trace_search(bus_journal(bus), bus_catalogue(bus), &filter, ret_result, reason);
}

const struct operation operation_messages = {
	.name = "messages",
	.words = "search",
	.method = "GET",
	.path = "messages",
	.role = ROLE_VIEWER,
	.summary = "Finds messages, newest first.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
