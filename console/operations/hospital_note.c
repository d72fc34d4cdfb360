/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospital note: a sentence on a case for those who come after. It changes nothing else, so it
 * names no version.
 */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

struct arguments {
	int64_t n;
	const char *text;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	{ .name = "text",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(text),
		.minimum = 1,
		.maximum = 4096,
		.since = "0.1",
		.summary = "The note.",
		.example = "asked the shop" },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	return hospital_note(
		bus_hospital(bus), (uint64_t)arguments->n, arguments->text, caller->name, ret_result, reason);
}

const struct operation operation_hospital_note = {
	.name = "hospital-note",
	.words = "hospital note",
	.also = "note",
	.method = "POST",
	.path = "hospital/cases/{n}/notes",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Adds a note to a case.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
