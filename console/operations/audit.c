/* SPDX-License-Identifier: Apache-2.0 */
/* audit: who did what to the bus and when, newest first; refused attempts too. */
#include <catalogue/audit.h>
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int64_t after, limit;
};

static const struct xylem_option options[] = {
	AFTER_ARGUMENT(offsetof(struct arguments, after)),
	LIMIT_ARGUMENT(offsetof(struct arguments, limit), "records"),
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	return audit_list(
		bus_catalogue(bus), (uint64_t)arguments->after, (size_t)arguments->limit, ret_result, reason);
}

const struct operation operation_audit = {
	.name = "audit",
	.words = "audit",
	.method = "GET",
	.path = "audit",
	.role = ROLE_OPERATOR,
	.summary = "Lists who did what to the bus and when, newest first.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
