/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as problem details (RFC 9457). Title and status come from the one error table. */
#include <stdlib.h>

#include <console/problem.h>
#include <console/view.h>

int problem_write(
	struct xylem_buffer *out, int error, const char *detail, const char *instance, const json_t *errors)
{
	const struct xylem_error_row *row = xylem_error_row(error);
	json_t *problem = json_pack("{s:s+, s:s, s:i, s:o, s:o, s:s, s:O*}", "type",
		"urn:xylem:problem:", row->name, "title", row->text, "status", row->http_status, "detail",
		view_text(xylem_span_of(detail ? detail : row->text)), "instance",
		view_text(xylem_span_of(instance)), "code", row->name, "errors", errors);
	char *text = json_dumps(problem, JSON_COMPACT);
	xylem_buffer_text(out, text ? text : "{}");
	free(text);
	json_decref(problem);
	return row->http_status;
}
