/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes up to the first newline as a `where` expression, and those behind
 * it as the data of an event: the expression is refused with a column inside
 * the text, or it gives an answer, and the same one again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <route/where.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void match_try(struct where *where, struct xylem_span data)
{
	struct xylem_message message = {
		.kind = XYLEM_MESSAGE,
		.id = XYLEM_SPAN_LITERAL("1"),
		.source = XYLEM_SPAN_LITERAL("s"),
		.type = XYLEM_SPAN_LITERAL("order.created"),
		.data = data,
	};
	struct xylem_reason reason;
	bool first = false, second = true;
	int error = where_match(where, &message, &first, &reason);
	assert(error == 0 || error == -XYLEM_E_UNPROCESSABLE);
	assert(where_match(where, &message, &second, &reason) == error);
	assert(error < 0 || first == second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *newline = n ? memchr(bytes, '\n', n) : NULL;
	size_t length = newline ? (size_t)(newline - bytes) : n;
	char *text = calloc(1, length + 1);
	memcpy(text, bytes, length);
	struct where *where;
	struct xylem_reason reason;
	int column = 0;
	int error = where_compile(text, &where, &column, &reason);
	if (error == 0) {
		size_t behind = newline ? length + 1 : length;
		match_try(where, xylem_span((const char *)bytes + behind, n - behind));
		where_free(where);
	} else {
		assert(error == -XYLEM_E_INVALID && column >= 1 && (size_t)column <= length + 1);
	}
	free(text);
	return 0;
}
