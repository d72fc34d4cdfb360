/* SPDX-License-Identifier: Apache-2.0 */
/* hospital restore: takes a discarded case back. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int64_t n, version;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	CASE_VERSION_ARGUMENT(AT(version)),
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
	.among = "discarded",
	.summary = "Takes a discarded case back: it is open again.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
