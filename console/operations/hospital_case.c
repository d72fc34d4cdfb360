/* SPDX-License-Identifier: Apache-2.0 */
/* hospital show: one case with its reason, history and links; not its data, which is another right. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int64_t n;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	return hospital_case(bus_hospital(bus), (uint64_t)arguments->n, ret_result, reason);
}

const struct operation operation_hospital_case = {
	.name = "hospital-case",
	.words = "hospital show",
	.also = "show",
	.method = "GET",
	.path = "hospital/cases/{n}",
	.role = ROLE_VIEWER,
	.summary = "Shows one case: why it failed, where, when, and what was done about it.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
