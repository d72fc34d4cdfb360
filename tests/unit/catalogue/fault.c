/* SPDX-License-Identifier: Apache-2.0 */
/* What the catalogue says and does when the disk fails, is full, forgets or was changed behind its back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

#include <base/io_fault.h>
#include <catalogue/catalogue.h>

struct place {
	char folder[64];
	char path[96];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	strcpy(place->folder, "/tmp/xylem-catalogue-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/catalogue.db", place->folder);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static int open_with(
	struct place *place, struct io *io, struct catalogue **ret_catalogue, struct xylem_reason *reason)
{
	struct catalogue_options options = { .path = place->path, .io = io };
	return catalogue_open(ret_catalogue, &options, reason);
}

static struct catalogue *open_or_fail(struct place *place, struct io *io)
{
	struct catalogue *catalogue = NULL;
	struct xylem_reason reason = { "" };
	int r = open_with(place, io, &catalogue, &reason);
	if (r < 0) {
		print_error("%s\n", reason.text);
	}
	assert_int_equal(r, 0);
	return catalogue;
}

static int add_lane(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(
		database, "INSERT INTO lanes (route, destination, created_us) VALUES ('r', ?1, 0)", reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int(insert, 1, *(int *)context);
	return catalogue_step_done(database, insert, reason);
}

static int count_lanes(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *count = catalogue_statement(database, "SELECT count(*) FROM lanes", reason);
	int r = count ? catalogue_step_row(database, count, reason) : -XYLEM_E_INTERNAL;
	if (r == 1) {
		*(int *)context = sqlite3_column_int(count, 0);
	}
	return r < 0 ? r : 0;
}

static int lanes(struct catalogue *catalogue)
{
	int n = -1;
	struct xylem_reason reason = { "" };
	assert_int_equal(catalogue_read(catalogue, count_lanes, &n, &reason), 0);
	return n;
}

static void count_change(void *context)
{
	++*(_Atomic int *)context;
}

/* --- Faults --------------------------------------------------------------- */

/* Whatever call fails: what was answered with 0 is there after the restart; after the failure nothing is. */
static void fail_each_call(struct place *place, const char *op, int error)
{
	for (uint64_t nth = 1;; nth++) {
		struct io *io = io_fault_new(io_system(), op, nth, true, error);
		struct catalogue *catalogue = NULL;
		struct xylem_reason reason = { "" };
		int r = open_with(place, io, &catalogue, &reason), good = 0;
		_Atomic int changes = 0;
		if (r < 0) {
			assert_string_not_equal(reason.text, "");
		} else {
			catalogue_on_change(catalogue, count_change, &changes);
			for (int i = 0; i < 5; i++) {
				int written = catalogue_write(catalogue, add_lane, &i, &reason);
				assert_true(written == 0 ? good == i : true);
				good += written == 0;
			}
			struct catalogue_state now;
			catalogue_state(catalogue, &now);
			assert_int_equal(now.failed, good < 5);
			assert_int_equal(changes, good < 5);
			assert_true(!now.failed || now.failure[0]);
			if (now.failed) {
				int i = 99;
				assert_int_equal(
					catalogue_write(catalogue, add_lane, &i, &reason), -XYLEM_E_DEAD);
			}
		}
		catalogue_close(catalogue);
		bool fired = io_fault_fired(io);
		io_fault_free(io);
		catalogue = open_or_fail(place, io_system());
		assert_true(lanes(catalogue) >= good);
		catalogue_close(catalogue);
		char command[128];
		snprintf(command, sizeof(command), "rm -f '%s'*", place->path);
		assert_int_equal(system(command), 0);
		if (!fired) {
			return;
		}
		assert_in_range(nth, 1, 2000);
	}
}

static void a_failed_sync_is_the_end(void **state)
{
	fail_each_call(*state, "fdatasync", EIO);
}

static void a_failed_write_is_the_end(void **state)
{
	fail_each_call(*state, "pwrite", EIO);
}

static void a_full_disk_is_the_end(void **state)
{
	fail_each_call(*state, "pwrite", ENOSPC);
}

static void a_failed_read_is_an_error(void **state)
{
	fail_each_call(*state, "pread", EIO);
}

/* --- Power loss ----------------------------------------------------------- */

static int count_after_power_loss(struct place *place, bool nosync, uint64_t seed, int n)
{
	struct io *io = io_volatile_new(nosync);
	struct catalogue *catalogue = open_or_fail(place, io);
	struct xylem_reason reason;
	for (int i = 0; i < n; i++) {
		assert_int_equal(catalogue_write(catalogue, add_lane, &i, &reason), 0);
	}
	/* A close would checkpoint: the power goes while it is open, in a copy of what the disk has. */
	char command[512];
	snprintf(command, sizeof(command), "mkdir -p '%s/lost' && cp '%s'* '%s/lost/'", place->folder,
		place->path, place->folder);
	assert_int_equal(system(command), 0);
	catalogue_close(catalogue);
	io_volatile_lose(io, seed);
	io_volatile_free(io);
	struct place lost;
	snprintf(lost.path, sizeof(lost.path), "%s/lost/catalogue.db", place->folder);
	int found = 0;
	if (open_with(&lost, io_system(), &catalogue, &reason) == 0) {
		found = lanes(catalogue);
		catalogue_close(catalogue);
	}
	return found;
}

static void what_was_committed_survives_a_power_loss(void **state)
{
	assert_int_equal(count_after_power_loss(*state, false, 0, 20), 20);
}

/* The negative control: without syncs the same test loses what was committed. */
static void without_syncs_it_does_not(void **state)
{
	assert_int_equal(count_after_power_loss(*state, true, 0, 20), 0);
}

/* Some of what was not synced reaches the disk, some not, also of the checkpoint at close. */
static void any_part_of_the_rest_may_reach_the_disk(void **state)
{
	struct place *place = *state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct io *io = io_volatile_new(false);
		struct catalogue *catalogue = open_or_fail(place, io);
		struct xylem_reason reason;
		int before = lanes(catalogue);
		for (int i = 0; i < 5; i++) {
			int name = (int)seed * 100 + i;
			assert_int_equal(catalogue_write(catalogue, add_lane, &name, &reason), 0);
		}
		catalogue_close(catalogue);
		io_volatile_lose(io, seed);
		io_volatile_free(io);
		catalogue = open_or_fail(place, io_system());
		assert_int_equal(lanes(catalogue), before + 5);
		catalogue_close(catalogue);
	}
}

/* --- Refusals ------------------------------------------------------------- */

static void a_missing_one_beside_a_journal_is_refused(void **state)
{
	struct place *place = *state;
	struct catalogue_options options = { .path = place->path, .io = io_system(), .journal_exists = true };
	struct catalogue *catalogue = NULL;
	struct xylem_reason reason = { "" };
	assert_int_equal(catalogue_open(&catalogue, &options, &reason), -XYLEM_E_DAMAGED);
	assert_null(catalogue);
	assert_non_null(strstr(reason.text, place->path));
	assert_non_null(strstr(reason.text, "--accept-gap"));
	assert_int_equal(
		access(place->path, F_OK), -1); /* and is not made, which would hide it the next time */
	options.accept_gap = true;
	assert_int_equal(catalogue_open(&catalogue, &options, &reason), 0);
	catalogue_close(catalogue);
	options.accept_gap = false;
	assert_int_equal(catalogue_open(&catalogue, &options, &reason), 0);
	catalogue_close(catalogue);
}

static void write_file(const char *path, off_t at, const char *bytes, size_t n)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(pwrite(file, bytes, n, at), n);
	close(file);
}

static void assert_refused(struct place *place, const char *word)
{
	struct catalogue *catalogue = NULL;
	struct xylem_reason reason = { "" };
	assert_int_equal(open_with(place, io_system(), &catalogue, &reason), -XYLEM_E_DAMAGED);
	assert_non_null(strstr(reason.text, place->path));
	assert_non_null(strstr(reason.text, word));
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct place *place = *state;
	char text[2000];
	memset(text, 'x', sizeof(text));
	write_file(place->path, 0, text, sizeof(text));
	assert_refused(place, "not a database");
}

static void damaged_pages_are_refused(void **state)
{
	struct place *place = *state;
	struct catalogue *catalogue = open_or_fail(place, io_system());
	struct xylem_reason reason;
	for (int i = 0; i < 500; i++) {
		assert_int_equal(catalogue_write(catalogue, add_lane, &i, &reason), 0);
	}
	catalogue_close(catalogue);
	char text[3000];
	memset(text, 'x', sizeof(text));
	for (off_t page = 2; page < 12; page++) {
		write_file(place->path, page * 4096, text, sizeof(text));
	}
	assert_refused(place, "--accept-gap");
}

static int run_sql(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return sqlite3_exec(database, context, NULL, NULL, NULL) == SQLITE_OK ? 0 : -XYLEM_E_INTERNAL;
}

static void another_programs_database_is_refused(void **state)
{
	struct place *place = *state;
	sqlite3 *database;
	assert_int_equal(sqlite3_open(place->path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
	assert_refused(place, "not made by xylemd");
}

static void a_newer_programs_database_is_refused(void **state)
{
	struct place *place = *state;
	struct catalogue *catalogue = open_or_fail(place, io_system());
	catalogue_close(catalogue);
	sqlite3 *database;
	assert_int_equal(sqlite3_open(place->path, &database), SQLITE_OK);
	assert_int_equal(run_sql(database, "PRAGMA user_version = 1000", NULL), 0);
	sqlite3_close(database);
	assert_refused(place, "newer");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missing_one_beside_a_journal_is_refused),
		TEST(a_file_that_is_no_database_is_refused),
		TEST(damaged_pages_are_refused),
		TEST(another_programs_database_is_refused),
		TEST(a_newer_programs_database_is_refused),
		TEST(a_failed_sync_is_the_end),
		TEST(a_failed_write_is_the_end),
		TEST(a_full_disk_is_the_end),
		TEST(a_failed_read_is_an_error),
		TEST(what_was_committed_survives_a_power_loss),
		TEST(without_syncs_it_does_not),
		TEST(any_part_of_the_rest_may_reach_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
