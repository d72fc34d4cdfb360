/* SPDX-License-Identifier: Apache-2.0 */
/* data: the payload of one message, byte for byte as it stands in the journal. */
#include <console/handle.h>
#include <console/operations/arguments.h>
#include <console/operations/table.h>
#include <console/view.h>

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
	struct journal_batch *batch;
	int error = handle_fetch(bus_journal(bus), arguments->handle, &batch, reason);
	if (error) {
		return error;
	}
	*ret_result = view_data(batch->messages[0].datacontenttype, batch->messages[0].data);
	journal_batch_free(batch);
	return 0;
}

const struct operation operation_message_data = {
	.name = "message-data",
	.words = "data",
	.method = "GET",
	.path = "messages/{handle}/data",
	.role = ROLE_PAYLOAD_VIEWER,
	.payload = true,
	.bytes = true,
	.summary = "Gives the data of one message, byte for byte.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
