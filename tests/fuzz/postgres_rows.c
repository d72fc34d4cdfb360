/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the data of messages for a table of five columns, one message a
 * line: a row comes out or a reason; what is encoded has the length it says,
 * and holds no zero byte.
 */
#include <assert.h>
#include <endian.h>
#include <stdint.h>

#include <connectors/lines.h>
#include <connectors/postgres_rows.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define ROWS 16
#define COLUMNS 5

static struct column columns[COLUMNS] = {
	{ .name = (char[]){ "id" },
		.quoted = (char[]){ "\"id\"" },
		.type = (char[]){ "bigint" },
		.key = true },
	{ .name = (char[]){ "text" }, .quoted = (char[]){ "\"text\"" }, .type = (char[]){ "text" } },
	{ .name = (char[]){ "doc" },
		.quoted = (char[]){ "\"doc\"" },
		.type = (char[]){ "jsonb" },
		.kind = COLUMN_JSON },
	{ .name = (char[]){ "list" },
		.quoted = (char[]){ "\"list\"" },
		.type = (char[]){ "text[]" },
		.kind = COLUMN_ARRAY },
	{ .name = (char[]){ "made" },
		.quoted = (char[]){ "\"made\"" },
		.type = (char[]){ "text" },
		.computed = true },
};
static const struct table table = { .quoted = (char[]){ "\"orders\"" }, .columns = columns, .n = COLUMNS };

static uint32_t number_at(const struct xylem_buffer *buffer, size_t at)
{
	uint32_t number;
	assert(at + sizeof(number) <= buffer->n);
	memcpy(&number, buffer->bytes + at, sizeof(number));
	return be32toh(number);
}

/* array_recv: dimensions, flags, type, length, lower bound, then each value's length and bytes. */
static void check_array(const struct xylem_buffer *buffer, size_t n)
{
	size_t at = 20;
	assert(number_at(buffer, 0) == 1 && number_at(buffer, 12) == n);
	for (size_t i = 0; i < n; i++) {
		uint32_t length = number_at(buffer, at);
		at += 4;
		if (length != UINT32_MAX) {
			assert(length <= buffer->n - at && !memchr(buffer->bytes + at, '\0', length));
			at += length;
		}
	}
	assert(at == buffer->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_span rest = xylem_span((const char *)bytes, n), line;
	struct row rows[ROWS];
	size_t count = 0;
	while (count < ROWS && lines_next(&rest, &line)) {
		struct xylem_message message = { .data = line };
		struct xylem_result failure = { 0 };
		int status = row_map(&rows[count], &table, &message, n % 2, arena, &failure);
		assert(status == 0 || failure.failure);
		count += status == 0;
	}
	assert(rows_link(rows, count, &table, arena) == 0);
	for (size_t i = 0; i < COLUMNS && count > 0; i++) {
		size_t run = 1;
		while (run < count && rows_same_shape(&rows[0], &rows[run], &table)) {
			run++;
		}
		if (column_present(rows[0].present, i)) {
			XYLEM_BUFFER_SCOPED out = { 0 };
			rows_encode(rows, run, i, &out);
			check_array(&out, run);
		}
	}
	xylem_arena_free(arena);
	return 0;
}
