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
