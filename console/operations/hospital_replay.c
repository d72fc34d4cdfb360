/* SPDX-License-Identifier: Apache-2.0 */
/* hospital replay: sends a case again, with its draft if it has one, through the configuration of today. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int64_t n, version;
	int from;
	const char *destination;
};

#define AT(member) offsetof(struct arguments, member)

static const char *const froms[] = { "step", "start", NULL };

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	CASE_VERSION_ARGUMENT(AT(version)),
	{ .name = "from",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(from),
		.default_value = "step",
		.choices = froms,
		.since = "0.1",
		.summary = "Start at the step that failed, or at the first one." },
	{ .name = "destination",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(destination),
		.since = "0.1",
		.summary = "Another destination of the route than the one where it failed.",
		.example = "erp" },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	return hospital_replay(bus_hospital(bus), (uint64_t)arguments->n, (uint64_t)arguments->version,
		froms[arguments->from], arguments->destination, caller->name, ret_result, reason);
}

const struct operation operation_hospital_replay = {
	.name = "hospital-replay",
	.words = "hospital replay",
	.also = "replay",
	.method = "POST",
	.path = "hospital/cases/{n}/replay",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary =
		"Sends a case again, from the failing step or from the start, with its draft if it has one.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
