/* SPDX-License-Identifier: Apache-2.0 */
/* data: the payload of one message, byte for byte as it stands in the journal. */
#include <console/handle.h>
#include <console/operations/table.h>
#include <console/view.h>
#include <journal/journal.h>

struct arguments {
	const char *handle;
};

static const struct xylem_option options[] = {
	{ .name = "handle",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct arguments, handle),
		.since = "0.1",
		.summary = "The message's handle: partition and offset.",
		.example = "0-1234" },
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
	struct journal_batch *batch = journal_batch_new();
	error = batch ? journal_get(bus_journal(bus), at, batch) : -XYLEM_E_MEMORY;
	if (!error) {
		*ret_result = view_data(batch->messages[0].datacontenttype, batch->messages[0].data);
	} else {
		xylem_reason_set(reason, "message %s: %s", arguments->handle, xylem_error_row(error)->text);
	}
	journal_batch_free(batch);
	return error;
}

const struct operation operation_message_data = {
	.name = "message-data",
	.words = "data",
	.method = "GET",
	.path = "messages/{handle}/data",
	.role = ROLE_PAYLOAD_VIEWER,
	.payload = true,
	.summary = "Gives the data of one message, byte for byte.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
