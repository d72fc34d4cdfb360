/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages: what each route makes of one message, step by step, as the routes
 * are configured now. It is computed on the spot, which is possible because
 * steps are pure; nothing is sent and nothing is kept. Where a route was another
 * when the message came in, the answer says so.
 */
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <console/handle.h>
#include <console/operations/table.h>
#include <console/view.h>
#include <journal/journal.h>
#include <route/alone.h>
#include <trace/generation.h>

#define ARENA_LIMIT ((size_t)256 * 1024 * 1024) /* as for a batch of a route */
#define SHOWN_LIMIT ((size_t)16 * 1024 * 1024)  /* bytes of data in the answer; what is beyond is left out */
#define EVENTS_MOST 100                         /* shown of one stage */

struct arguments {
	const char *handle;
	const char *route;
};

static const struct xylem_option options[] = {
	{ .name = "handle",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct arguments, handle),
		.since = "0.2",
		.summary = "The message's handle: partition and offset.",
		.example = "0-1234" },
	{ .name = "route",
		.type = XYLEM_OPTION_STRING,
		.offset = offsetof(struct arguments, route),
		.since = "0.2",
		.summary = "Only this route.",
		.example = "orders" },
	XYLEM_OPTIONS_END,
};

struct showing {
	struct catalogue *catalogue;
	struct xylem_arena *arena;
	const struct xylem_message *message;
	size_t shown; /* bytes of data so far */
};

static json_t *text(struct xylem_span span)
{
	return json_stringn(span.at, span.n);
}

static void attribute_add(json_t *event, const char *name, struct xylem_span value)
{
	if (xylem_span_present(value)) {
		json_object_set_new(event, name, text(value));
	}
}

/* Attributes as strings; data as text, so that no digit changes on the way, or in base64. */
static json_t *event_show(struct showing *showing, const struct xylem_message *message)
{
	json_t *event = json_object();
	attribute_add(event, "id", message->id);
	attribute_add(event, "source", message->source);
	attribute_add(event, "type", message->type);
	attribute_add(event, "subject", message->subject);
	attribute_add(event, "time", message->time);
	attribute_add(event, "datacontenttype", message->datacontenttype);
	attribute_add(event, "dataschema", message->dataschema);
	for (size_t i = 0; i < message->extension_count; i++) {
		const struct xylem_extension *extension = &message->extensions[i];
		char name[32];
		snprintf(name, sizeof(name), "%.*s", (int)extension->name.n, extension->name.at);
		attribute_add(event, name, extension->value);
	}
	showing->shown += message->data.n;
	if (showing->shown > SHOWN_LIMIT) {
		json_object_set_new(event, "data_left_out", json_true());
	} else if (xylem_span_present(message->data)) {
		json_t *data = view_data(message->datacontenttype, message->data);
		json_object_del(data, "contenttype");
		json_object_del(data, "size");
		json_object_update(event, data);
		json_decref(data);
	}
	return event;
}

static json_t *failure_show(const struct step_failure *failure)
{
	if (!failure) {
		return json_pack("{s:s,s:s}", "code", "memory", "reason", "out of memory");
	}
	return json_pack("{s:s,s:i,s:s,s:s}", "stage", failure->stage, "step", failure->step + 1, "code",
		failure->code, "reason", failure->reason.text);
}

static json_t *stage_show(struct showing *showing, const struct config_route *plan, size_t steps,
	const struct evaluated *evaluated)
{
	char name[64] = "where";
	json_t *events = json_array();
	if (steps) {
		const struct xylem_transform *kind = plan->steps[steps - 1].kind;
		snprintf(name, sizeof(name), "step %zu %s", steps, kind ? kind->name : "where");
	}
	for (size_t i = 0; i < evaluated->part_count && i < EVENTS_MOST; i++) {
		json_array_append_new(events, event_show(showing, &evaluated->parts[i]));
	}
	return json_pack("{s:s,s:I,s:I,s:o}", "stage", name, "step", (json_int_t)steps, "count",
		(json_int_t)evaluated->part_count, "events", events);
}

static const char *outcome_of(enum verdict verdict)
{
	return verdict == VERDICT_DELIVER ? "delivered" : verdict == VERDICT_FILTERED ? "filtered" : "case";
}

#define TODAYS "computed with the configuration of today"

/* `same`: is the route what it was when the message came in? null: nothing is known of that time. */
static int compare(struct showing *showing, const struct config_route *plan, json_t *route)
{
	struct generation_found then;
	struct xylem_reason reason;
	char changed[CLOCK_TEXT_SIZE];
	int error = generation_find(
		showing->catalogue, plan->name, showing->message->journal_time_us, &then, &reason);
	if (error == -XYLEM_E_NOT_FOUND) {
		json_object_set_new(route, "same", json_null());
		json_object_set_new(route, "note",
			json_string(TODAYS "; what the route was when the message came in is not known"));
		return 0;
	}
	bool same = !error && memcmp(then.hash, plan->steps_hash, sizeof(then.hash)) == 0;
	json_object_set_new(route, "same", json_boolean(same));
	if (!error && !same) {
		json_object_set_new(route, "changed",
			then.changed_us ? json_string(clock_format(then.changed_us, changed)) : json_null());
		json_object_set_new(route, "note",
			json_string(TODAYS ", which differs from that of the message: the route was changed "
					   "after it came in"));
	}
	return error;
}

/* One route: all of its stages, as far as the message gets. */
static int route_show(struct showing *showing, const struct config_route *plan, json_t *routes)
{
	struct evaluated evaluated = { .verdict = VERDICT_DELIVER };
	json_t *stages = json_array();
	int error = 0;
	for (size_t steps = 0; !error && steps <= plan->step_count && evaluated.verdict == VERDICT_DELIVER;
		steps++) {
		error = route_evaluate_alone(plan, steps, showing->message, showing->arena, &evaluated);
		if (!error && evaluated.verdict == VERDICT_DELIVER) {
			json_array_append_new(stages, stage_show(showing, plan, steps, &evaluated));
		}
	}
	if (error || evaluated.verdict == VERDICT_NOT_MINE) {
		json_decref(stages);
		return error;
	}
	json_t *route = json_pack("{s:s,s:s,s:o}", "route", plan->name, "outcome",
		outcome_of(evaluated.verdict), "stages", stages);
	if (evaluated.verdict == VERDICT_FAILED) {
		json_object_set_new(route, "failure", failure_show(evaluated.failure));
	}
	json_array_append_new(routes, route);
	return compare(showing, plan, route);
}

static int routes_show(struct bus *bus, const struct arguments *arguments,
	const struct xylem_message *message, json_t **ret_result)
{
	struct showing showing = {
		.catalogue = bus_catalogue(bus), .message = message, .arena = xylem_arena_new(ARENA_LIMIT)
	};
	struct config *config = bus_config(bus);
	const struct config_view *view = config_view(config);
	json_t *routes = json_array();
	int error = showing.arena ? 0 : -XYLEM_E_MEMORY;
	for (size_t i = 0; !error && i < view->route_count; i++) {
		if (!arguments->route || strcmp(arguments->route, view->routes[i].name) == 0) {
			error = route_show(&showing, &view->routes[i], routes);
		}
	}
	if (!error) {
		*ret_result = json_pack("{s:s,s:s,s:O}", "handle", arguments->handle, "generation",
			view->generation, "routes", routes);
	}
	json_decref(routes);
	xylem_arena_free(showing.arena);
	config_unref(config);
	return error;
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	struct journal_batch *batch;
	int error = handle_fetch(bus_journal(bus), arguments->handle, &batch, reason);
	if (error) {
		return error;
	}
	error = routes_show(bus, arguments, &batch->messages[0], ret_result);
	if (error) {
		xylem_reason_set(reason, "message %s: %s", arguments->handle, xylem_error_row(error)->text);
	}
	journal_batch_free(batch);
	return error;
}

const struct operation operation_message_stages = {
	.name = "message-stages",
	.words = "stages",
	.method = "GET",
	.path = "messages/{handle}/stages",
	.role = ROLE_PAYLOAD_VIEWER,
	.payload = true,
	.summary = "Shows what each route makes of one message, step by step, as it is configured now; "
		   "nothing is "
		   "sent.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
