/* SPDX-License-Identifier: Apache-2.0 */
/* A source looks back at what it handed in, on a real journal. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <intake/intake.h>

#define MESSAGES 9000 /* more than two reads of the journal */

struct place {
	char folder[64];
	struct journal *journal;
	struct intake *intake;
	struct xylem_source *mine, *other;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char folder[128];
	struct xylem_reason reason = { "" };
	strcpy(place->folder, "/tmp/xylem-recall-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(folder, sizeof(folder), "%s/journal", place->folder);
	struct journal_options options = { .folder = folder,
		.io = io_system(),
		.segment_size = 1 << 20,
		.retain_bytes = 1 << 30,
		.retain_us = INT64_C(86400000000),
		.hold_bytes = 1 << 30 };
	struct journal_recovery recovery;
	assert_int_equal(journal_open(&place->journal, &options, &recovery, &reason), 0);
	place->intake = intake_new(place->journal, 1 << 20);
	place->mine = intake_source_new(place->intake, "mine");
	place->other = intake_source_new(place->intake, "other");
	*state = place;
	return 0;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct place *place = *state;
	intake_source_free(place->mine);
	intake_source_free(place->other);
	intake_free(place->intake);
	journal_close(place->journal);
	nftw(place->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(place);
	return 0;
}

/* Every third message is another source's; returns the position of the n-th of mine. */
static struct xylem_position fill(struct place *place, size_t n)
{
	struct xylem_position at = { 0, 0 };
	struct xylem_reason reason;
	for (size_t i = 0, mine = 0; i < MESSAGES; i += 300) {
		struct xylem_message messages[300];
		struct xylem_receipt receipts[300];
		char ids[300][16];
		bool other = i / 300 % 3 == 2;
		for (size_t j = 0; j < 300; j++) {
			snprintf(ids[j], sizeof(ids[j]), "%zu", other ? 0 : mine + j);
			messages[j] = (struct xylem_message){ .id = xylem_span_of(ids[j]),
				.source = XYLEM_SPAN_LITERAL("/test"),
				.type = XYLEM_SPAN_LITERAL("test") };
		}
		struct xylem_source *source = other ? place->other : place->mine;
		assert_int_equal(xylem_source_submit_wait(source, messages, 300, receipts, &reason), 0);
		if (!other && n >= mine && n < mine + 300) {
			at = receipts[n - mine].position;
		}
		mine += other ? 0 : 300;
	}
	return at;
}

struct seen {
	size_t next, count, most;
};

static bool each(void *context, const struct xylem_message *message)
{
	struct seen *seen = context;
	char id[32];
	snprintf(id, sizeof(id), "%zu", seen->next);
	assert_true(xylem_span_is(message->ingress, "mine"));
	assert_true(xylem_span_is(message->id, id));
	seen->next++;
	return ++seen->count < seen->most;
}

static void what_is_mine_comes_in_order(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	struct xylem_position at = fill(place, 4567);
	const struct {
		struct xylem_position from;
		size_t first, most, count;
	} rows[] = {
		{ { 0, 0 }, 0, SIZE_MAX, 6000 }, { at, 4567, SIZE_MAX, 1433 }, { at, 4567, 1, 1 },
		{ { 0, 1u << 30 }, 0, SIZE_MAX, 0 }, /* beyond the end */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen seen = { rows[i].first, 0, rows[i].most };
		struct xylem_position end = { 0, 0 };
		assert_int_equal(
			xylem_source_recall(place->mine, rows[i].from, each, &seen, &end, &reason), 0);
		assert_int_equal(seen.count, rows[i].count);
		if (rows[i].most == SIZE_MAX) {
			struct xylem_position from = rows[i].from, last = journal_end(place->journal);
			assert_int_equal(end.offset, from.offset > last.offset ? from.offset : last.offset);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_mine_comes_in_order, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
