/* SPDX-License-Identifier: Apache-2.0 */
/* hospital cases: the failed messages, by number. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int state;
	const char *route, *destination, *code;
	int64_t group, after, limit;
};

#define AT(member) offsetof(struct arguments, member)

/* The first means: open and replaying. */
static const char *const states[] = { "active", "open", "replaying", "resolved", "discarded", NULL };

static const struct xylem_option options[] = {
	{ .name = "state",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(state),
		.default_value = "active",
		.choices = states,
		.since = "0.1",
		.summary = "Which cases; `active` is open and replaying." },
	{ .name = "group",
		.type = XYLEM_OPTION_INTEGER,
		.offset = AT(group),
		.default_value = "0",
		.minimum = 0,
		.maximum = INT64_MAX,
		.since = "0.1",
		.summary = "Only the cases of this group; 0: of all.",
		.example = "3" },
	{ .name = "route",
		.type = XYLEM_OPTION_NAME,
		.offset = AT(route),
		.since = "0.1",
		.summary = "Only the cases of this route.",
		.example = "orders" },
	{ .name = "destination",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(destination),
		.since = "0.1",
		.summary = "Only the cases of lanes to this destination.",
		.example = "erp" },
	{ .name = "code",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(code),
		.since = "0.1",
		.summary = "Only the cases with this code.",
		.example = "http-422" },
	AFTER_ARGUMENT(AT(after)),
	LIMIT_ARGUMENT(AT(limit), "cases"),
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	struct hospital_filter filter = { .state = arguments->state ? states[arguments->state] : NULL,
		.route = arguments->route,
		.destination = arguments->destination,
		.code = arguments->code,
		.group = (uint64_t)arguments->group,
		.after = (uint64_t)arguments->after,
		.limit = (size_t)arguments->limit };
	return hospital_cases(bus_hospital(bus), &filter, ret_result, reason);
}

const struct operation operation_hospital_cases = {
	.name = "hospital-cases",
	.words = "hospital cases",
	.also = "cases",
	.method = "GET",
	.path = "hospital/cases",
	.role = ROLE_VIEWER,
	.summary = "Lists the cases of the hospital, by number.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
