/* SPDX-License-Identifier: Apache-2.0 */
/* hospital edit: keeps edited data as the draft of a case; a replay sends it. The original stays as it is. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>
#include <console/data_argument.h>

struct arguments {
	int64_t n, version;
	struct data_argument payload;
};

#define AT(member) offsetof(struct arguments, member)

static const struct xylem_option options[] = {
	CASE_ARGUMENT(AT(n)),
	CASE_VERSION_ARGUMENT(AT(version)),
	DATA_ARGUMENT_OPTIONS(struct arguments, payload),
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	struct xylem_arena *arena = xylem_arena_new(0);
	if (!arena) {
		return -XYLEM_E_MEMORY;
	}
	struct xylem_span data;
	int error = data_argument_read(&arguments->payload, arena, &data, reason);
	if (!error && !xylem_span_present(data)) {
		xylem_reason_set(
			reason, "the edited data is missing: give `data`, `data_text` or `data_base64`");
		error = -XYLEM_E_INVALID;
	}
	if (!error) {
		error = hospital_draft(bus_hospital(bus), (uint64_t)arguments->n,
			(uint64_t)arguments->version, data, caller->name, ret_result, reason);
	}
	xylem_arena_free(arena);
	return error;
}

const struct operation operation_hospital_draft = {
	.name = "hospital-draft",
	.words = "hospital edit",
	.also = "edit",
	.method = "POST",
	.path = "hospital/cases/{n}/draft",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Keeps edited data as the draft of a case; a replay then sends that.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
