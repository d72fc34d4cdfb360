/* SPDX-License-Identifier: Apache-2.0 */
/* show: everything that happened to one message, on every lane. */
#include <console/handle.h>
#include <console/operations/arguments.h>
#include <console/operations/table.h>
#include <trace/trace.h>

struct arguments {
	const char *handle;
};

static const struct xylem_option options[] = {
	HANDLE_ARGUMENT(offsetof(struct arguments, handle)),
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	struct xylem_position at;
	int error = handle_read(arguments->handle, &at, reason);
	if (error) {
		return error;
	}
	return trace_show(bus_journal(bus), bus_catalogue(bus), at, ret_result, reason);
}

const struct operation operation_message = {
	.name = "message",
	.words = "show",
	.method = "GET",
	.path = "messages/{handle}",
	.role = ROLE_VIEWER,
	.summary = "Shows one message: attributes, family, and what each lane did with it and when.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
