/* SPDX-License-Identifier: Apache-2.0 */
/* What a start makes of files that are cut off, changed or gone. */
#include "workspace.h"

#include <base/hash.h>
#include <journal/layout.h>
#include <journal/record.h>
#include <journal/segment.h>

enum { SIZE = 40 };

static int setup(void **state)
{
	(void)state;
	workspace_clear();
	return 0;
}

/* A journal of one segment: batches of 3, 4 and 5; ends at offset 13. Where each batch begins. */
struct three {
	char *bytes;
	size_t n;
	size_t begin[4];
};

static void three_make(struct three *three)
{
	struct journal *journal = open_plain();
	append_numbers(journal, 1, 3, SIZE);
	append_numbers(journal, 4, 4, SIZE);
	append_numbers(journal, 8, 5, SIZE);
	journal_close(journal);
	three->bytes = file_load(segment_name(1), &three->n);
	three->begin[0] = SEGMENT_DATA;
	for (size_t i = 0; i < 3; i++) {
		three->begin[i + 1] = three->begin[i] + MARKER_SIZE +
				      get_u64(three->bytes + three->begin[i] + 16);
	}
	assert_int_equal(three->begin[3], three->n);
}

/* The folder with this one file, as a crash may leave it. */
static void three_put(const char *bytes, size_t n)
{
	workspace_clear();
	assert_int_equal(mkdir(in_workspace("journal"), 0700), 0);
	file_store(segment_name(1), bytes, n);
}

static int try_open(uint64_t acknowledged, bool accept, struct journal **ret_journal,
	struct journal_recovery *ret_recovery, struct xylem_reason *reason)
{
	struct journal_options options = options_make(io_system());
	options.acknowledged_end = at_offset(acknowledged);
	options.accept_gap = accept;
	return journal_open(ret_journal, &options, ret_recovery, reason);
}

/* --- The tail ---------------------------------------------------------------- */

/* Cut at every byte of the last batch: it goes as a whole, the rest is intact, and appending goes on. */
static void cuts_a_torn_tail(void **state)
{
	(void)state;
	struct three three;
	three_make(&three);
	for (size_t cut = three.begin[2]; cut < three.n; cut++) {
		three_put(three.bytes, cut);
		struct journal *journal;
		struct journal_recovery found;
		struct xylem_reason reason;
		assert_int_equal(try_open(8, false, &journal, &found, &reason), 0);
		assert_int_equal(found.records, 7);
		assert_int_equal(found.damaged_batches, 0);
		assert_int_equal(found.torn_bytes >= 4, cut - three.begin[2] >= 4);
		assert_int_equal(journal_end(journal).offset, 8);
		append_numbers(journal, 8, 2, SIZE);
		expect_numbers(journal, 1, 10, SIZE);
		journal_close(journal);
		journal = open_plain();
		expect_numbers(journal, 1, 10, SIZE);
		journal_close(journal);
	}
	free(three.bytes);
}

/* The same where the file has its full size: any 512-byte sectors of the last write are missing. */
static void cuts_a_tail_with_holes(void **state)
{
	(void)state;
	struct three three;
	three_make(&three);
	size_t full = three.n + 8192;
	for (size_t hole = three.begin[2] & ~(size_t)511; hole < three.n; hole += 512) {
		char *bytes = calloc(1, full);
		memcpy(bytes, three.bytes, three.n);
		size_t from = hole < three.begin[2] ? three.begin[2] : hole;
		size_t upto = hole + 512 < three.n ? hole + 512 : three.n;
		memset(bytes + from, 0, upto - from);
		three_put(bytes, full);
		free(bytes);
		struct journal *journal;
		struct journal_recovery found;
		struct xylem_reason reason;
		assert_int_equal(try_open(8, false, &journal, &found, &reason), 0);
		assert_int_equal(found.records, 7);
		assert_int_equal(found.damaged_batches, 0);
		assert_true(found.torn_bytes > 0);
		append_numbers(journal, 8, 1, SIZE);
		expect_numbers(journal, 1, 9, SIZE);
		journal_close(journal);
		/* What the hole has left must not come back behind the new end. */
		assert_int_equal(try_open(9, false, &journal, &found, &reason), 0);
		assert_int_equal(journal_end(journal).offset, 9);
		journal_close(journal);
	}
	free(three.bytes);
}

/* Somebody was told of it: then it is damage, and what is whole of it is kept. */
static void refuses_to_cut_what_was_acknowledged(void **state)
{
	(void)state;
	struct three three;
	three_make(&three);
	size_t third = three.begin[2] + MARKER_SIZE + 2 * (three.n - three.begin[2] - MARKER_SIZE) / 5;
	three.bytes[third + RECORD_HEADER_SIZE + 5] ^= 1;
	three_put(three.bytes, three.n);
	struct journal *journal;
	struct journal_recovery found;
	struct xylem_reason reason;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(try_open(13, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
		assert_non_null(strstr(reason.text, "0-10 to 0-10"));
		assert_non_null(strstr(reason.text, ".segment at byte "));
		assert_non_null(strstr(reason.text, "--accept-gap"));
		assert_true(found.damaged_bytes > 0);
		assert_int_equal(found.torn_bytes, 0);
		assert_true(file_there(found.quarantine));
	}
	assert_int_equal(try_open(13, true, &journal, &found, &reason), 0);
	assert_int_equal(journal_end(journal).offset, 13);
	expect_numbers(journal, 1, 10, SIZE);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_read(journal, at_offset(10), 5, 5000, batch), -XYLEM_E_DAMAGED);
	assert_int_equal(batch->next.offset, 11);
	assert_int_equal(journal_get(journal, at_offset(10), batch), -XYLEM_E_DAMAGED);
	journal_batch_free(batch);
	expect_numbers(journal, 11, 13, SIZE);
	append_numbers(journal, 13, 2, SIZE);
	expect_numbers(journal, 11, 15, SIZE);
	journal_close(journal);
	/* It was accepted once: no second question. */
	assert_int_equal(try_open(15, false, &journal, &found, &reason), 0);
	expect_numbers(journal, 11, 15, SIZE);
	journal_close(journal);
	free(three.bytes);
}

static void refuses_an_end_below_the_acknowledged(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	append_numbers(journal, 1, 9, SIZE);
	journal_close(journal);
	struct journal_recovery found;
	struct xylem_reason reason;
	assert_int_equal(try_open(20, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
	assert_non_null(strstr(reason.text, "0-10 to 0-19"));
	assert_int_equal(try_open(20, true, &journal, &found, &reason), 0);
	assert_int_equal(journal_end(journal).offset, 20);
	append_numbers(journal, 20, 1, SIZE);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_read(journal, at_offset(12), 5, 5000, batch), -XYLEM_E_DAMAGED);
	assert_int_equal(batch->next.offset, 20);
	journal_batch_free(batch);
	expect_numbers(journal, 20, 21, SIZE);
	journal_close(journal);
	assert_int_equal(try_open(21, false, &journal, &found, &reason), 0);
	journal_close(journal);

	/* Nothing is left at all. */
	workspace_clear();
	assert_int_equal(try_open(20, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
	assert_non_null(strstr(reason.text, "0-1 to 0-19"));
	assert_int_equal(try_open(20, true, &journal, &found, &reason), 0);
	assert_int_equal(journal_end(journal).offset, 20);
	append_numbers(journal, 20, 1, SIZE);
	journal_close(journal);
	assert_int_equal(try_open(21, false, &journal, &found, &reason), 0);
	journal_close(journal);
}

/* --- Below the tail ---------------------------------------------------------- */

static const struct field {
	const char *name;
	size_t at;      /* in the second batch */
	uint64_t first; /* lost: [first, end) */
	uint64_t end;
} fields[] = {
	{ "marker magic", 0, 4, 4 },
	{ "marker count", 4, 4, 4 },
	{ "marker first", 8, 4, 4 },
	{ "marker length", 16, 4, 4 },
	{ "marker time", 24, 4, 4 },
	{ "marker sum", 32, 4, 4 },
	{ "marker zero", 40, 4, 4 },
	{ "marker crc", 44, 4, 4 },
	{ "record magic", MARKER_SIZE, 4, 5 },
	{ "record kind", MARKER_SIZE + 2, 4, 5 },
	{ "record length", MARKER_SIZE + 4, 4, 5 },
	{ "record offset", MARKER_SIZE + 8, 4, 5 },
	{ "record time", MARKER_SIZE + 16, 4, 5 },
	{ "record header crc", MARKER_SIZE + 24, 4, 5 },
	{ "record body crc", MARKER_SIZE + 28, 4, 5 },
	{ "record body", MARKER_SIZE + 32, 4, 5 },
};

static void names_each_damaged_field(void **state)
{
	(void)state;
	struct three three;
	three_make(&three);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *field = &fields[i];
		three_put(three.bytes, three.n);
		file_flip(segment_name(1), three.begin[1] + field->at);
		struct journal *journal = NULL;
		struct journal_recovery found;
		struct xylem_reason reason;
		assert_int_equal(try_open(13, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
		assert_null(journal);
		assert_int_equal(found.damaged_batches, 1);
		assert_true(found.damaged_bytes > 0);
		assert_true(file_there(found.quarantine));
		assert_int_equal(try_open(13, true, &journal, &found, &reason), 0);
		expect_numbers(journal, 1, field->first, SIZE);
		if (field->first < field->end) {
			struct journal_batch *batch = journal_batch_new();
			assert_int_equal(journal_read(journal, at_offset(field->first), 9, 9999, batch),
				-XYLEM_E_DAMAGED);
			assert_int_equal(batch->n, 0);
			assert_int_equal(batch->next.offset, field->end);
			journal_batch_free(batch);
		}
		expect_numbers(journal, field->end, 13, SIZE);
		/* From anywhere, without the hint of a read before. */
		for (uint64_t at = field->end; at < 13; at++) {
			expect_numbers(journal, at, at + 1, SIZE);
		}
		append_numbers(journal, 13, 1, SIZE);
		journal_close(journal);
		assert_int_equal(try_open(14, false, &journal, &found, &reason), 0);
		journal_close(journal);
	}
	free(three.bytes);
}

/* Every single bit of a batch: found at the start, and never given out as good. */
static void finds_every_flipped_byte(void **state)
{
	(void)state;
	struct three three;
	three_make(&three);
	for (size_t at = three.begin[1]; at < three.begin[2]; at++) {
		three_put(three.bytes, three.n);
		file_flip(segment_name(1), at);
		struct journal *journal = NULL;
		struct journal_recovery found;
		struct xylem_reason reason;
		int error = try_open(13, false, &journal, &found, &reason);
		if (error == 0) {
			/* Only padding may change without a word. */
			assert_int_equal(three.bytes[at], 0);
			expect_numbers(journal, 1, 13, SIZE);
			journal_close(journal);
			continue;
		}
		assert_int_equal(error, -XYLEM_E_DAMAGED);
	}
	free(three.bytes);
}

static void keeps_a_segment_whose_header_is_lost(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	for (uint64_t i = 0; i < 20; i++) {
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	journal_close(journal);
	file_flip(segment_name(1), 33);
	struct journal_recovery found;
	struct xylem_reason reason;
	assert_int_equal(try_open(1001, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
	assert_non_null(strstr(reason.text, "no message is lost"));
	assert_int_equal(try_open(1001, true, &journal, &found, &reason), 0);
	expect_numbers(journal, 1, 1001, 700);
	journal_close(journal);

	/* Alone, its epoch is not to be told from anywhere. */
	workspace_clear();
	journal = open_plain();
	append_numbers(journal, 1, 9, SIZE);
	journal_close(journal);
	file_flip(segment_name(1), 33);
	assert_int_equal(try_open(10, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
	assert_non_null(strstr(reason.text, "0-1 to 0-9"));
	assert_int_equal(try_open(10, true, &journal, &found, &reason), 0);
	append_numbers(journal, 10, 1, SIZE);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_read(journal, at_offset(1), 5, 5000, batch), -XYLEM_E_DAMAGED);
	assert_int_equal(batch->next.offset, 10);
	journal_batch_free(batch);
	journal_close(journal);
	assert_int_equal(try_open(11, false, &journal, &found, &reason), 0);
	journal_close(journal);
}

static void names_a_missing_file(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	for (uint64_t i = 0; i < 40; i++) {
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	journal_close(journal);
	struct journal_batch *batch = journal_batch_new();
	uint64_t second = 2, third;
	while (!file_there(segment_name(second))) {
		second++;
	}
	third = second + 1;
	while (!file_there(segment_name(third))) {
		third++;
	}
	unlink(segment_name(second));
	struct journal_recovery found;
	struct xylem_reason reason;
	char range[64];
	snprintf(range, sizeof(range), "0-%" PRIu64 " to 0-%" PRIu64, second, third - 1);
	assert_int_equal(try_open(2001, false, &journal, &found, &reason), -XYLEM_E_DAMAGED);
	assert_non_null(strstr(reason.text, range));
	assert_int_equal(try_open(2001, true, &journal, &found, &reason), 0);
	expect_numbers(journal, 1, second, 700);
	assert_int_equal(journal_read(journal, at_offset(second), 5, 5000, batch), -XYLEM_E_DAMAGED);
	assert_int_equal(batch->next.offset, third);
	assert_int_equal(journal_read(journal, at_offset(second + 7), 5, 5000, batch), -XYLEM_E_DAMAGED);
	assert_int_equal(batch->next.offset, third);
	expect_numbers(journal, third, 2001, 700);
	journal_batch_free(batch);
	journal_close(journal);
	assert_int_equal(try_open(2001, false, &journal, &found, &reason), 0);
	journal_close(journal);
}

/* Damage that comes while the bus runs is found by whoever reads. */
static void finds_damage_while_reading(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	for (uint64_t i = 0; i < 5; i++) {
		append_numbers(journal, 1 + i * 10, 10, SIZE);
	}
	size_t n;
	char *bytes = file_load(segment_name(1), &n);
	char *at = memmem(bytes, n, "n23", 3);
	assert_non_null(at);
	file_flip(segment_name(1), (uint64_t)(at - bytes));
	free(bytes);
	expect_numbers(journal, 1, 23, SIZE);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_read(journal, at_offset(20), 10, 5000, batch), 0);
	assert_int_equal(batch->n, 3);
	assert_int_equal(batch->next.offset, 23);
	assert_int_equal(journal_read(journal, batch->next, 10, 5000, batch), -XYLEM_E_DAMAGED);
	assert_int_equal(batch->next.offset, 24);
	assert_int_equal(journal_read(journal, batch->next, 10, 5000, batch), 0);
	journal_batch_free(batch);
	expect_numbers(journal, 24, 51, SIZE);
	append_numbers(journal, 51, 1, SIZE);
	journal_close(journal);
}

static void refuses_another_format(void **state)
{
	(void)state;
	struct three three;
	three_make(&three);
	struct segment_header header;
	assert_int_equal(journal_segment_header_read(three.bytes, three.n, &header), 0);
	assert_int_equal(header.base, 1);
	put_u32(three.bytes + 8, 2);
	put_u32(three.bytes + 60, crc32c(0, three.bytes, 60));
	three_put(three.bytes, three.n);
	struct journal *journal;
	struct xylem_reason reason;
	assert_int_equal(try_open(13, true, &journal, NULL, &reason), -XYLEM_E_UNSUPPORTED);
	assert_non_null(strstr(reason.text, "format version 2"));
	free(three.bytes);
}

/* Stale blocks: another epoch's batch in the right place with the right offset is not a record of this one. */
static void ignores_another_epoch(void **state)
{
	(void)state;
	struct three old, new;
	three_make(&old);
	workspace_clear();
	three_make(&new);
	memcpy(new.bytes + new.begin[2], old.bytes + old.begin[2], old.n - old.begin[2]);
	three_put(new.bytes, new.n);
	struct journal *journal;
	struct journal_recovery found;
	struct xylem_reason reason;
	assert_int_equal(try_open(8, false, &journal, &found, &reason), 0);
	assert_int_equal(journal_end(journal).offset, 8);
	journal_close(journal);
	free(old.bytes);
	free(new.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cuts_a_torn_tail, setup),
		cmocka_unit_test_setup(cuts_a_tail_with_holes, setup),
		cmocka_unit_test_setup(ignores_another_epoch, setup),
		cmocka_unit_test_setup(refuses_to_cut_what_was_acknowledged, setup),
		cmocka_unit_test_setup(refuses_an_end_below_the_acknowledged, setup),
		cmocka_unit_test_setup(names_each_damaged_field, setup),
		cmocka_unit_test_setup(finds_every_flipped_byte, setup),
		cmocka_unit_test_setup(keeps_a_segment_whose_header_is_lost, setup),
		cmocka_unit_test_setup(names_a_missing_file, setup),
		cmocka_unit_test_setup(finds_damage_while_reading, setup),
		cmocka_unit_test_setup(refuses_another_format, setup),
	};
	workspace_make();
	int failed = cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
	workspace_remove();
	return failed;
}
