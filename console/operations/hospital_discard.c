/* SPDX-License-Identifier: Apache-2.0 */
/* hospital discard: puts a case away; `hospital restore` takes it back. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int64_t n, version;
	const char *note;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	CASE_VERSION_ARGUMENT(AT(version)),
	{ .name = "note",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(note),
		.maximum = 4096,
		.since = "0.1",
		.summary = "Why, for those who come after.",
		.example = "test order" },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	return hospital_discard(bus_hospital(bus), (uint64_t)arguments->n, (uint64_t)arguments->version,
		arguments->note, caller->name, ret_result, reason);
}

const struct operation operation_hospital_discard = {
	.name = "hospital-discard",
	.words = "hospital discard",
	.also = "discard",
	.method = "POST",
	.path = "hospital/cases/{n}/discard",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Puts a case away without delivering it; it can be restored.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
