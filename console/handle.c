/* SPDX-License-Identifier: Apache-2.0 */
/* Handles of messages, with a sentence for the person who mistyped one. */
#include <console/handle.h>

int handle_read(const char *text, struct xylem_position *ret_position, struct xylem_reason *reason)
{
	int error = xylem_handle_parse(xylem_span_of(text), ret_position);
	if (error) {
		xylem_reason_set(reason,
			"`%s` is no handle: one is partition and offset, such as 0-1234 (find events by id "
			"with `search`)",
			text);
	}
	return error;
}

int handle_fetch(struct journal *journal, const char *text, struct journal_batch **ret_batch,
	struct xylem_reason *reason)
{
	struct xylem_position at;
	int error = handle_read(text, &at, reason);
	if (error) {
		return error;
	}
	struct journal_batch *batch = journal_batch_new();
	error = batch ? journal_get(journal, at, batch) : -XYLEM_E_MEMORY;
	if (error) {
		xylem_reason_set(reason, "message %s: %s", text, xylem_error_row(error)->text);
		journal_batch_free(batch);
		return error;
	}
	*ret_batch = batch;
	return 0;
}
