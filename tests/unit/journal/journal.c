/* SPDX-License-Identifier: Apache-2.0 */
/* Appending, reading, waiting, holding and trimming, on a sound disk. */
#include "workspace.h"

#include <pthread.h>

static int setup(void **state)
{
	(void)state;
	workspace_clear();
	return 0;
}

static void starts_empty(void **state)
{
	(void)state;
	struct journal_recovery found = { .records = 7 };
	struct journal_options options = options_make(io_system());
	struct journal *journal = open_with(&options, &found);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(found.records, 0);
	assert_int_equal(journal_begin(journal).offset, 1);
	assert_int_equal(journal_end(journal).offset, 1);
	assert_int_equal(journal_read(journal, at_offset(1), 10, 1000, batch), 0);
	assert_int_equal(batch->n, 0);
	assert_int_equal(batch->next.offset, 1);
	assert_int_equal(journal_get(journal, at_offset(1), batch), -XYLEM_E_NOT_FOUND);
	journal_batch_free(batch);
	journal_close(journal);
}

static void gives_back_what_was_appended(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	static const size_t sizes[] = { 1, 2, 100, 1, 999 };
	uint64_t next = 1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		append_numbers(journal, next, sizes[i], 100);
		next += sizes[i];
		assert_int_equal(journal_end(journal).offset, next);
	}
	expect_numbers(journal, 1, next, 100);
	struct journal_batch *batch = journal_batch_new();
	for (uint64_t at = 1; at < next; at += 37) {
		assert_int_equal(journal_get(journal, at_offset(at), batch), 0);
		sample_check(&batch->messages[0], at, 100);
	}
	assert_int_equal(journal_get(journal, at_offset(next), batch), -XYLEM_E_NOT_FOUND);
	assert_int_equal(journal_read(journal, at_offset(0), 1, 1, batch), -XYLEM_E_GONE);
	assert_int_equal(batch->next.offset, 1);
	journal_batch_free(batch);
	journal_close(journal);

	struct journal_recovery found;
	struct journal_options options = options_make(io_system());
	options.acknowledged_end = at_offset(next);
	journal = open_with(&options, &found);
	assert_int_equal(found.records, next - 1);
	assert_int_equal(found.torn_bytes, 0);
	assert_int_equal(found.damaged_batches, 0);
	expect_numbers(journal, 1, next, 100);
	append_numbers(journal, next, 5, 100);
	expect_numbers(journal, 1, next + 5, 100);
	journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(starts_empty, setup),
		cmocka_unit_test_setup(gives_back_what_was_appended, setup),
	};
	workspace_make();
	int failed = cmocka_run_group_tests_name("journal", tests, NULL, NULL);
	workspace_remove();
	return failed;
}
