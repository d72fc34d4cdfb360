/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data that comes in beside arguments, in one of three notations.
 * The rule: JSON data is never parsed and printed again; its bytes are what
 * the caller wrote.
 */
#include <console/data_argument.h>
#include <message/base64.h>

int data_argument_read(const struct data_argument *payload, struct xylem_arena *arena,
	struct xylem_span *ret_data, struct xylem_reason *reason)
{
	bool json = xylem_span_present(payload->json);
	if (json + (payload->text != NULL) + (payload->base64 != NULL) > 1) {
		xylem_reason_set(reason, "give one of `data`, `data_text` and `data_base64`, not several");
		return -XYLEM_E_INVALID;
	}
	if (payload->base64) {
		int error = message_base64_read(xylem_span_of(payload->base64), arena, ret_data);
		if (error) {
			xylem_reason_set(reason, "`data_base64` is not base64 with padding (RFC 4648, 4)");
		}
		return error;
	}
	*ret_data = json ? payload->json : xylem_span_of(payload->text);
	return 0;
}
