/* SPDX-License-Identifier: Apache-2.0 */
/* hospital restore: takes a discarded case back. */
#include <console/operations/table.h>

struct arguments {
	int64_t n, version;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	{ .name = "n",
		.type = XYLEM_OPTION_INTEGER,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(n),
		.minimum = 1,
		.maximum = INT64_MAX,
		.since = "0.1",
		.summary = "The number of the case.",
		.example = "7" },
	{ .name = "version",
		.type = XYLEM_OPTION_INTEGER,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(version),
		.minimum = 0,
		.maximum = INT64_MAX,
		.since = "0.1",
		.summary = "The version of the case that the change was decided on; another one refuses it.",
		.example = "1" },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	return hospital_restore(bus_hospital(bus), (uint64_t)arguments->n, (uint64_t)arguments->version,
		caller->name, ret_result, reason);
}

const struct operation operation_hospital_restore = {
	.name = "hospital-restore",
	.words = "hospital restore",
	.also = "restore",
	.method = "POST",
	.path = "hospital/cases/{n}/restore",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Takes a discarded case back: it is open again.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
