/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Newline-delimited JSON (application/x-ndjson) as lines: a batch's cheapest
 * form, shared by the webhook and the file connector. It does not look into
 * the lines.
 */

#include <connectors/lines.h>

static bool blank(struct xylem_span line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r') {
			return false;
		}
	}
	return true;
}

bool lines_next(struct xylem_span *rest, struct xylem_span *ret_line)
{
	while (rest->n > 0) {
		const char *end = memchr(rest->at, '\n', rest->n);
		struct xylem_span line = xylem_span(rest->at, end ? (size_t)(end - rest->at) : rest->n);
		size_t taken = line.n + (end ? 1 : 0);
		*rest = xylem_span(rest->at + taken, rest->n - taken);
		if (line.n > 0 && line.at[line.n - 1] == '\r') {
			line.n--;
		}
		if (!blank(line)) {
			*ret_line = line;
			return true;
		}
	}
	return false;
}
