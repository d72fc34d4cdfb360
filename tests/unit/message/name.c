/* SPDX-License-Identifier: Apache-2.0 */
/* What a message is called: its handle, and the id that it gets when it brings none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <base/clock.h>
#include <xylem/message.h>

static void handles_round_trip(void **state)
{
	static const struct xylem_position positions[] = { { 0, 0 }, { 0, 42 }, { UINT32_MAX, UINT64_MAX } };
	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		char text[XYLEM_HANDLE_SIZE];
		struct xylem_position read;
		xylem_handle_format(positions[i], text);
		assert_int_equal(xylem_handle_parse(xylem_span_of(text), &read), 0);
		assert_int_equal(read.partition, positions[i].partition);
		assert_int_equal(read.offset, positions[i].offset);
	}
}

static void other_text_is_no_handle(void **state)
{
	static const char *const texts[] = { "", "-", "0", "0-", "-0", "00-1", "0-01", "0-1 ", " 0-1", "+0-1",
		"0--1", "0-1-2", "4294967296-0", "0-18446744073709551616", "0-99999999999999999999", "a-1" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct xylem_position read = { 7, 7 };
		assert_int_equal(xylem_handle_parse(xylem_span_of(texts[i]), &read), -XYLEM_E_INVALID);
		assert_int_equal(read.offset, 7);
	}
	struct xylem_position read;
	assert_int_equal(xylem_handle_parse(XYLEM_SPAN_NONE, &read), -XYLEM_E_INVALID);
}

static void uuids_are_version_7_and_ordered(void **state)
{
	char before[XYLEM_UUID_SIZE] = "", text[XYLEM_UUID_SIZE];
	int64_t start = clock_wall_us() / 1000;
	for (int i = 0; i < 100000; i++) {
		xylem_uuid_new(text);
		assert_int_equal(strlen(text), 36);
		assert_true(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
		assert_int_equal(text[14], '7');
		assert_non_null(strchr("89ab", text[19]));
		assert_int_equal(strspn(text, "0123456789abcdef-"), 36);
		assert_true(strcmp(before, text) < 0);
		memcpy(before, text, sizeof(before));
	}
	char hex[13];
	memcpy(hex, text, 8);
	memcpy(hex + 8, text + 9, 4);
	hex[12] = '\0';
	int64_t stamped = (int64_t)strtoull(hex, NULL, 16);
	assert_true(stamped >= start);
	assert_true(stamped <= clock_wall_us() / 1000 + 1000); /* the counter may borrow a little */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handles_round_trip),
		cmocka_unit_test(other_text_is_no_handle),
		cmocka_unit_test(uuids_are_version_7_and_ordered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
