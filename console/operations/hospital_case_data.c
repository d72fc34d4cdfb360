/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospital data: the data of a case, byte for byte: as it failed, the draft that was made of
 * it, or the original.
 */
#include <console/operations/arguments.h>
#include <console/operations/table.h>
#include <console/view.h>

struct arguments {
	int64_t n;
	int which;
};

#define AT(member) offsetof(struct arguments, member)

static const char *const whiches[] = { "failing", "draft", "original", NULL };

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	{ .name = "which",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(which),
		.default_value = "failing",
		.choices = whiches,
		.since = "0.1",
		.summary = "The data at the failing step, the draft if there is one, or the original." },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	XYLEM_BUFFER_SCOPED data = { 0 };
	char contenttype[128] = "";
	int error = hospital_case_data(bus_hospital(bus), (uint64_t)arguments->n, whiches[arguments->which],
		&data, contenttype, reason);
	if (error) {
		return error;
	}
	struct xylem_span type = contenttype[0] ? xylem_span_of(contenttype) : XYLEM_SPAN_NONE;
	*ret_result = view_data(type, xylem_buffer_borrow(&data));
	return 0;
}

const struct operation operation_hospital_case_data = {
	.name = "hospital-case-data",
	.words = "hospital data",
	.method = "GET",
	.path = "hospital/cases/{n}/data",
	.role = ROLE_PAYLOAD_VIEWER,
	.payload = true,
	.bytes = true,
	.summary = "Gives the data of a case: as it failed, its draft, or as it came in.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
