/* SPDX-License-Identifier: Apache-2.0 */
/* The small things everything stands on: errors, buffers, arenas, sums, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <base/clock.h>
#include <base/hash.h>
#include <base/io.h>
#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/error.h>

static void errors_have_rows(void **state)
{
	for (int code = 1; code < XYLEM_ERROR_COUNT; code++) {
		const struct xylem_error_row *row = xylem_error_row(-code);
		assert_non_null(row->name);
		assert_int_equal(xylem_error_by_name(row->name), -code);
		assert_in_range(row->http_status, 400, 599);
	}
	assert_string_equal(xylem_error_row(INT32_MIN)->name, "internal");
	assert_string_equal(xylem_error_row(9999)->name, "internal");
	assert_int_equal(xylem_error_by_name("no such"), -XYLEM_E_INTERNAL);
}

static void reason_is_cut_between_characters(void **state)
{
	char long_text[1024];
	for (size_t i = 0; i + 2 < sizeof(long_text); i += 2) {
		memcpy(long_text + i, "\xC3\xA9", 2);
	}
	long_text[sizeof(long_text) - 2] = '\0';
	struct xylem_reason reason;
	xylem_reason_set(&reason, "x%s", long_text);
	size_t n = strlen(reason.text);
	assert_true(n < sizeof(reason.text));
	assert_string_equal(reason.text + n - 3, "...");
	assert_int_equal((n - 1 - 3) % 2, 0);
	xylem_reason_set(&reason, "%.3s!", reason.text);
	assert_int_equal(strlen(reason.text), 4);
	xylem_reason_set(NULL, "ignored");
	/* What a caller's own limit cut, and what never was a character. */
	static const struct {
		const char *text, *said;
	} rows[] = { { "ab\xc3\xa9", "abé!" }, { "abc\xc3\xa9", "abc!" }, { "ab\xe2\x82\xac", "ab!" },
		{ "\xf0\x9f\x98\x80", "😀!" }, { "a\xf0\x9f\x98\x80", "a!" },
		{ "\x80\xff"
		  "a",
			"??a!" },
		{ "\xed\xa0\x80", "\?\?!" }, { "\xc3(", "(!" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		xylem_reason_set(&reason, "%.4s!", rows[i].text);
		assert_string_equal(reason.text, rows[i].said);
	}
}

static void buffer_grows_and_is_taken(void **state)
{
	struct xylem_buffer buffer = { 0 };
	for (int i = 0; i < 1000; i++) {
		xylem_buffer_format(&buffer, "%d,", i);
	}
	xylem_buffer_cut(&buffer, 4);
	size_t n;
	char *text = xylem_buffer_take(&buffer, &n);
	assert_string_equal(text, "0,1,");
	assert_int_equal(n, 4);
	free(text);
	assert_null(buffer.bytes);
	xylem_buffer_finish(&buffer);
	xylem_buffer_finish(NULL);
}

static void buffer_that_cannot_grow_fails_once_and_for_all(void **state)
{
	struct xylem_buffer buffer = { 0 };
	xylem_buffer_text(&buffer, "abc");
	assert_false(xylem_buffer_reserve(&buffer, SIZE_MAX - 1));
	assert_true(xylem_buffer_failed(&buffer));
	xylem_buffer_text(&buffer, "more");
	assert_int_equal(buffer.n, 0);
	assert_null(xylem_buffer_take(&buffer, NULL));
	assert_false(xylem_buffer_failed(&buffer));
}

static void arena_gives_aligned_pieces_up_to_its_limit(void **state)
{
	struct xylem_arena *arena = xylem_arena_new(64 * 1024);
	assert_non_null(arena);
	for (size_t n = 1; n < 300; n++) {
		char *piece = xylem_arena_take(arena, n);
		assert_non_null(piece);
		assert_int_equal((uintptr_t)piece % 16, 0);
		memset(piece, (int)n, n);
	}
	assert_string_equal(xylem_arena_format(arena, "%d-%s", 7, "x"), "7-x");
	assert_null(xylem_arena_take(arena, 100 * 1024));
	assert_null(xylem_arena_take(arena, SIZE_MAX));
	xylem_arena_reset(arena);
	assert_int_equal(xylem_arena_used(arena), 0);
	assert_non_null(xylem_arena_take(arena, 32 * 1024));
	struct xylem_span none = xylem_arena_copy(arena, XYLEM_SPAN_NONE);
	assert_null(none.at);
	assert_non_null(xylem_arena_copy(arena, xylem_span_of("")).at);
	assert_null(xylem_arena_free(arena));
	assert_null(xylem_arena_free(NULL));
}

static void crc32c_agrees_with_rfc_3720(void **state)
{
	unsigned char bytes[32] = { 0 };
	assert_int_equal(crc32c(0, bytes, 32), 0x8A9136AAU);
	memset(bytes, 0xFF, 32);
	assert_int_equal(crc32c(0, bytes, 32), 0x62A8AB43U);
	for (unsigned char i = 0; i < 32; i++) {
		bytes[i] = i;
	}
	assert_int_equal(crc32c(0, bytes, 32), 0x46DD794EU);
	assert_int_equal(crc32c(crc32c(0, bytes, 13), bytes + 13, 19), 0x46DD794EU);
	assert_int_not_equal(hash_bytes(bytes, 8), hash_bytes(bytes, 9));
}

static void times_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-21T09:30:00.125Z", 1795253400125000 },
		{ "2026-11-21t10:30:00.125999+01:00", 1795253400125999 },
		{ "2024-02-29T23:59:60-00:30", 1709253000000000 },
		{ "1969-12-31T23:59:59.5Z", -500000 },
	};
	static const char *const bad[] = { "", "2026-11-21", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-11-21T24:00:00Z", "2026-11-21T00:00:00", "2026-11-21T00:00:00.Z",
		"2026-11-21T00:00:00Zx", "2026-11-21T00:00:00+1:00", "26-11-21T00:00:00Z" };
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int64_t us = 42;
		assert_int_equal(clock_parse(good[i].text, strlen(good[i].text), &us), 0);
		assert_int_equal(us, good[i].us);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int64_t us = 42;
		assert_int_equal(clock_parse(bad[i], strlen(bad[i]), &us), -XYLEM_E_INVALID);
		assert_int_equal(us, 42);
	}
	char text[CLOCK_TEXT_SIZE];
	assert_string_equal(clock_format(1795253400125000, text), "2026-11-21T09:30:00.125Z");
	assert_string_equal(clock_format(-500000, text), "1969-12-31T23:59:59.500Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_rows),
		cmocka_unit_test(reason_is_cut_between_characters),
		cmocka_unit_test(buffer_grows_and_is_taken),
		cmocka_unit_test(buffer_that_cannot_grow_fails_once_and_for_all),
		cmocka_unit_test(arena_gives_aligned_pieces_up_to_its_limit),
		cmocka_unit_test(crc32c_agrees_with_rfc_3720),
		cmocka_unit_test(times_are_read_and_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
