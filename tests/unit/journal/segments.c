/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: when they go, when they stay, and what stands beside them, on a sound disk. */
#include "workspace.h"

#include <base/hash.h>
#include <journal/layout.h>

static int setup(void **state)
{
	(void)state;
	workspace_clear();
	return 0;
}

static bool name_has(const char *prefix, const char *suffix)
{
	DIR *stream = opendir(in_workspace("journal"));
	bool found = false;
	for (const struct dirent *entry; stream && (entry = readdir(stream));) {
		size_t n = strlen(entry->d_name), m = strlen(suffix);
		found |= strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && n >= m &&
			 strcmp(entry->d_name + n - m, suffix) == 0;
	}
	closedir(stream);
	return found;
}

static bool is_trimmed(const struct journal_state *state)
{
	return state->segments == 2; /* what retain_bytes allows; it stays so */
}

static void trims_what_is_released_only(void **state)
{
	(void)state;
	struct journal_options options = options_make(io_system());
	options.retain_bytes = 2 * options.segment_size;
	struct journal *journal = open_with(&options, NULL);
	for (uint64_t i = 0; i < 40; i++) {
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	struct journal_state now;
	journal_state(journal, &now);
	assert_int_equal(journal_begin(journal).offset, 1);
	assert_true(now.segments > 5);
	expect_numbers(journal, 1, 2001, 700);

	journal_release(journal, at_offset(1001));
	append_numbers(journal, 2001, 1, 700);
	uint64_t begin = journal_begin(journal).offset;
	assert_true(begin <= 1001);
	expect_numbers(journal, begin < 1001 ? 1001 : begin, 2002, 700);

	journal_release(journal, journal_end(journal));
	until_state(journal, is_trimmed);
	begin = journal_begin(journal).offset;
	assert_true(begin > 1001 && begin < 2002);
	expect_numbers(journal, begin, 2002, 700);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_read(journal, at_offset(1), 1, 1, batch), -XYLEM_E_GONE);
	assert_int_equal(batch->next.offset, begin);
	journal_batch_free(batch);
	journal_close(journal);
	assert_true(name_has("spare-", ""));
	/* Files that are written over hold old records with right sums. */
	journal = open_with(&options, NULL);
	for (uint64_t i = 0; i < 10; i++) {
		append_numbers(journal, 2002 + i * 50, 50, 700);
	}
	begin = journal_begin(journal).offset;
	expect_numbers(journal, begin, 2502, 700);
	journal_close(journal);
	struct journal_recovery found;
	journal = open_with(&options, &found);
	assert_int_equal(found.damaged_batches, 0);
	assert_int_equal(found.torn_bytes, 0);
	assert_int_equal(journal_end(journal).offset, 2502);
	expect_numbers(journal, begin, 2502, 700);
	journal_close(journal);
}

/* With a guard nothing goes before it was let go, and the guard hears what would. */
static void guarded_segments_stay(void **state)
{
	(void)state;
	struct xylem_position before;
	struct journal_options options = options_make(io_system());
	options.retain_bytes = 2 * options.segment_size;
	struct journal *journal = open_with(&options, NULL);
	journal_guard(journal);
	for (uint64_t i = 0; i < 40; i++) {
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	assert_false(journal_leaving(journal, &before)); /* lanes need it */
	journal_release(journal, at_offset(1001));
	assert_true(journal_leaving(journal, &before));
	assert_true(before.offset > 1 && before.offset <= 1001);
	journal_release(journal, journal_end(journal));
	append_numbers(journal, 2001, 1, 700); /* its commit looks at what may go */
	assert_int_equal(journal_begin(journal).offset, 1);
	assert_true(journal_leaving(journal, &before));
	assert_true(before.offset > 1001);
	journal_let_go(journal, before);
	until_state(journal, is_trimmed);
	assert_int_equal(journal_begin(journal).offset, before.offset);
	assert_false(journal_leaving(journal, &before));
	expect_numbers(journal, before.offset, 2002, 700);
	journal_close(journal);
}

static bool is_short(const struct journal_state *state)
{
	return state->segments == 1;
}

static void trims_by_age(void **state)
{
	(void)state;
	struct journal_options options = options_make(io_system());
	options.retain_us = 1;
	struct journal *journal = open_with(&options, NULL);
	for (uint64_t i = 0; i < 20; i++) {
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	assert_int_equal(journal_begin(journal).offset, 1);
	journal_release(journal, journal_end(journal));
	until_state(journal, is_short);
	assert_true(journal_begin(journal).offset > 500);
	journal_close(journal);
}

static void rebuilds_side_files(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	for (uint64_t i = 0; i < 20; i++) {
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	journal_close(journal);
	char side[1024];
	size_t n, again;
	snprintf(side, sizeof(side), "%s/journal/%020d.index", workspace, 1);
	char *bytes = file_load(side, &n);
	for (int round = 0; round < 3; round++) {
		if (round == 0) {
			unlink(side);
		} else if (round == 1) {
			file_flip(side, n / 2);
		} else {
			file_store(side, bytes, n - 5);
		}
		journal = open_plain();
		expect_numbers(journal, 1, 1001, 700);
		journal_close(journal);
		char *rebuilt = file_load(side, &again);
		assert_true(again > 64);
		assert_int_equal(crc32c(0, rebuilt, again - 4), get_u32(rebuilt + again - 4));
		free(rebuilt);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(trims_what_is_released_only, setup),
		cmocka_unit_test_setup(guarded_segments_stay, setup),
		cmocka_unit_test_setup(trims_by_age, setup),
		cmocka_unit_test_setup(rebuilds_side_files, setup),
	};
	workspace_make();
	int failed = cmocka_run_group_tests_name("segments", tests, NULL, NULL);
	workspace_remove();
	return failed;
}
