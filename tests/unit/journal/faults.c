/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal on a disk that fails, fills up or loses its power. What was
 * acknowledged has to be there afterwards, in every case; and without syncs it
 * must not be, or these tests would prove nothing.
 */
#include "workspace.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <base/io_fault.h>

enum { SIZE = 300 };

static int setup(void **state)
{
	(void)state;
	workspace_clear();
	return 0;
}

/* --- Dead -------------------------------------------------------------------- */

static void count_change(void *context)
{
	++*(_Atomic int *)context;
}

/* How many calls of `op` opening and two appends take. */
static uint64_t calls_of(const char *op)
{
	struct io *io = io_fault_new(io_system(), op, UINT64_MAX, false, EIO);
	struct journal_options options = options_make(io);
	struct journal *journal = open_with(&options, NULL);
	append_numbers(journal, 1, 5, SIZE);
	append_numbers(journal, 6, 5, SIZE);
	uint64_t calls = io_fault_calls(io);
	journal_close(journal);
	io_fault_free(io);
	workspace_clear();
	return calls;
}

static void dies_of_a_failed_write_or_sync(void **state)
{
	(void)state;
	static const char *const ops[] = { "pwrite", "fdatasync" };
	for (size_t i = 0; i < 2; i++) {
		workspace_clear();
		/* The third append's; the disk is well again right after it. */
		struct io *io = io_fault_new(io_system(), ops[i], calls_of(ops[i]) + 1, false, EIO);
		struct journal_options options = options_make(io);
		struct journal *journal = open_with(&options, NULL);
		_Atomic int changes = 0;
		journal_on_change(journal, count_change, &changes);
		append_numbers(journal, 1, 5, SIZE);
		append_numbers(journal, 6, 5, SIZE);
		assert_int_equal(append_try(journal, 11, 5, SIZE, false), -XYLEM_E_DEAD);
		assert_true(io_fault_fired(io));
		assert_int_equal(append_try(journal, 11, 5, SIZE, false), -XYLEM_E_DEAD);
		assert_int_equal(append_try(journal, 11, 5, SIZE, true), -XYLEM_E_DEAD);
		struct journal_state now;
		journal_state(journal, &now);
		assert_true(now.failed);
		assert_non_null(strstr(now.failure, "Input/output error"));
		assert_int_equal(journal_end(journal).offset, 11);
		expect_numbers(journal, 1, 11, SIZE);
		journal_close(journal);
		assert_int_equal(changes, 1);
		io_fault_free(io);

		options = options_make(io_system());
		options.acknowledged_end = at_offset(11);
		journal = open_with(&options, NULL);
		expect_numbers(journal, 1, journal_end(journal).offset, SIZE);
		journal_close(journal);
	}
}

/* --- Full -------------------------------------------------------------------- */

static void until_full_is(struct journal *journal, bool full)
{
	struct journal_state now;
	struct journal_waiter *waiter = journal_waiter_new(journal);
	int64_t deadline = clock_mono_us() + 60 * 1000000LL;
	for (journal_state(journal, &now); now.full != full; journal_state(journal, &now)) {
		assert_true(clock_mono_us() < deadline);
		journal_wait(waiter, at_offset(UINT64_MAX), clock_mono_us() + 5000);
	}
	journal_waiter_free(waiter);
}

static void full_is_not_dead(struct journal *journal, void (*make_room)(void *context), void *context)
{
	uint64_t next = 1;
	int error;
	while ((error = append_try(journal, next, 20, SIZE, false)) == 0) {
		next += 20;
		assert_true(next < 100000);
	}
	assert_int_equal(error, -XYLEM_E_FULL);
	assert_int_equal(append_try(journal, next, 1, SIZE, false), -XYLEM_E_FULL);
	struct journal_state now;
	journal_state(journal, &now);
	assert_true(now.full);
	assert_false(now.failed);
	assert_int_equal(journal_end(journal).offset, next);
	/* The reserve is for what settles. */
	assert_int_equal(append_try(journal, next, 20, SIZE, true), 0);
	next += 20;
	assert_int_equal(append_try(journal, next, 20, SIZE, false), -XYLEM_E_FULL);
	expect_numbers(journal, 1, next, SIZE);

	make_room(context);
	until_full_is(journal, false);
	append_numbers(journal, next, 20, SIZE);
	next += 20;
	expect_numbers(journal, 1, next, SIZE);
}

static void heal(void *context)
{
	io_fault_heal(context);
}

static void holds_back_when_no_segment_can_be_made(void **state)
{
	(void)state;
	struct io *io = io_fault_new(io_system(), "allocate", 5, true, ENOSPC);
	struct journal_options options = options_make(io);
	options.segment_size = (uint64_t)32 * 1024;
	options.reserve_bytes = (uint64_t)32 * 1024;
	struct journal *journal = open_with(&options, NULL);
	full_is_not_dead(journal, heal, io);
	journal_close(journal);
	io_fault_free(io);
	journal = open_plain();
	assert_true(journal_end(journal).offset > 41);
	journal_close(journal);
}

static void remove_ballast(void *context)
{
	assert_int_equal(unlink(context), 0);
}

static void holds_back_on_a_disk_that_is_full(void **state)
{
	(void)state;
	char path[1024], ballast[1100];
	snprintf(path, sizeof(path), "%s/small", workspace);
	snprintf(ballast, sizeof(ballast), "%s/ballast", path);
	mkdir(path, 0700);
	if (mount("tmpfs", path, "tmpfs", 0, "size=1m") != 0) {
		rmdir(path);
		skip(); /* needs root */
	}
	char *bytes = calloc(1, (size_t)400 * 1024);
	file_store(ballast, bytes, (size_t)400 * 1024);
	free(bytes);
	struct journal_options options = options_make(io_system());
	char folder[1100];
	snprintf(folder, sizeof(folder), "%s/journal", path);
	options.folder = folder;
	options.segment_size = (uint64_t)64 * 1024;
	options.reserve_bytes = (uint64_t)64 * 1024;
	struct journal *journal = open_with(&options, NULL);
	full_is_not_dead(journal, remove_ballast, ballast);
	journal_close(journal);
	assert_int_equal(umount(path), 0);
	rmdir(path);
}

/* --- A fixed scenario -------------------------------------------------------- */

struct life {
	uint64_t acknowledged; /* end of what was */
	uint64_t released;
};

/*
 * Opens, appends in small segments, releases, reads, closes; goes on through
 * errors as a bus would. Says what was acknowledged.
 */
static void life_run(struct io *io, struct life *life, size_t batches)
{
	struct journal_options options = options_make(io);
	options.segment_size = (uint64_t)16 * 1024;
	options.reserve_bytes = (uint64_t)16 * 1024;
	options.retain_bytes = (uint64_t)32 * 1024;
	options.acknowledged_end = at_offset(life->acknowledged);
	struct journal *journal;
	struct xylem_reason reason = { 0 };
	int error = journal_open(&journal, &options, NULL, &reason);
	if (error) {
		assert_true(reason.text[0] != '\0');
		assert_int_not_equal(error, -XYLEM_E_DAMAGED);
		return;
	}
	journal_release(journal, at_offset(life->released));
	struct journal_batch *batch = journal_batch_new();
	for (size_t i = 0; i < batches; i++) {
		uint64_t next = journal_end(journal).offset;
		if (append_try(journal, next, 1 + i % 12, SIZE, i % 5 == 0) == 0) {
			life->acknowledged = journal_end(journal).offset;
		}
		assert_true(journal_end(journal).offset >= life->acknowledged || life->acknowledged == 0);
		if (i % 7 == 6) {
			life->released = journal_end(journal).offset - 20;
			journal_release(journal, at_offset(life->released));
		}
		journal_read(journal, journal_begin(journal), 5, 2000, batch);
		for (size_t k = 0; k < batch->n; k++) {
			sample_check(&batch->messages[k], batch->messages[k].position.offset, SIZE);
		}
	}
	journal_batch_free(batch);
	journal_close(journal);
}

/* On a sound disk everything that was acknowledged and is still kept is there. Changes nothing on it. */
static void life_check(const struct life *life)
{
	struct io *disk = io_volatile_new(false);
	struct journal_options options = options_make(disk);
	options.acknowledged_end = at_offset(life->acknowledged);
	struct journal *journal = open_with(&options, NULL);
	uint64_t begin = journal_begin(journal).offset, end = journal_end(journal).offset;
	assert_true(end >= life->acknowledged);
	assert_true(begin <= life->released || life->released == 0);
	expect_numbers(journal, begin, end, SIZE);
	journal_close(journal);
	io_volatile_free(disk);
}

static void survives_the_nth_fault(void **state)
{
	(void)state;
	static const int errors[] = { EIO, ENOSPC };
	for (size_t i = 0; i < 4; i++) {
		bool fired = true;
		uint64_t nth = 1;
		for (; fired; nth++) {
			workspace_clear();
			struct life life = { 0 };
			struct io *disk = io_volatile_new(false);
			struct io *io = io_fault_new(disk, "any", nth, i >= 2, errors[i % 2]);
			life_run(io, &life, 20);
			life_run(io, &life, 4);
			fired = io_fault_fired(io);
			io_fault_free(io);
			io_volatile_lose(disk, nth);
			io_volatile_free(disk);
			life_check(&life);
		}
		assert_true(nth > 50);
	}
}

/* --- Power loss -------------------------------------------------------------- */

static uint64_t random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 33;
}

/*
 * The disk stops at some call, and of what it had not synced by then it keeps
 * what it likes. Four lives one after the other, so that segments are trimmed
 * and written over.
 */
static void power_lost_at(uint64_t seed)
{
	uint64_t random = seed;
	struct life life = { 0 };
	workspace_clear();
	for (int lives = 0; lives < 4; lives++) {
		struct io *disk = io_volatile_new(false);
		uint64_t stop = 1 + random_next(&random) % 250;
		struct io *io = io_fault_new(disk, "any", stop, true, EIO);
		life_run(io, &life, 60);
		io_fault_free(io);
		io_volatile_lose(disk, random_next(&random) % 8 == 0 ? 0 : random_next(&random) | 1);
		io_volatile_free(disk);
		life_check(&life);
	}
}

static void keeps_what_was_acknowledged_when_the_power_goes(void **state)
{
	(void)state;
	const char *seeds = getenv("XYLEM_TEST_SEEDS");
	uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 60;
	for (uint64_t seed = 1; seed <= n; seed++) {
		power_lost_at(seed);
	}
}

/* The negative control: with syncs that do nothing, the same suite has to fail. */
static void loses_without_syncs(void **state)
{
	(void)state;
	struct life life = { 0 };
	struct io *disk = io_volatile_new(true);
	life_run(disk, &life, 20);
	assert_true(life.acknowledged > 20);
	io_volatile_lose(disk, 0);
	io_volatile_free(disk);
	struct journal_options options = options_make(io_system());
	options.acknowledged_end = at_offset(life.acknowledged);
	struct journal *journal;
	struct xylem_reason reason;
	assert_int_equal(journal_open(&journal, &options, NULL, &reason), -XYLEM_E_DAMAGED);
}

/* The same from outside: a process is killed at its n-th sync. */
static void keeps_what_was_acknowledged_when_killed(void **state)
{
	(void)state;
	struct life life = { 0 };
	for (unsigned nth = 1; nth < 12; nth++) {
		int told[2];
		assert_int_equal(pipe(told), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			char spec[64];
			snprintf(spec, sizeof(spec), "volatile,fault:fdatasync:%u:KILL", nth);
			struct journal_options options = options_make(io_parse(spec));
			struct journal *journal;
			if (journal_open(&journal, &options, NULL, NULL) != 0) {
				_exit(1);
			}
			for (;;) {
				uint64_t next = journal_end(journal).offset;
				if (append_try(journal, next, 3, SIZE, false) != 0) {
					_exit(1);
				}
				next += 3;
				if (write(told[1], &next, sizeof(next)) != (ssize_t)sizeof(next)) {
					_exit(1);
				}
			}
		}
		close(told[1]);
		uint64_t next;
		while (read(told[0], &next, sizeof(next)) == (ssize_t)sizeof(next)) {
			life.acknowledged = next;
		}
		close(told[0]);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		life_check(&life);
	}
	assert_true(life.acknowledged > 10);
}

/* --- The seam itself --------------------------------------------------------- */

static void reads_its_notation(void **state)
{
	(void)state;
	static const char *const bad[] = { "volatil", "nosync", "fault:fdatasync", "fault:sync:1:EIO",
		"fault:fdatasync:0:EIO", "fault:fdatasync:1x:EIO", "fault:fdatasync:1:EWHAT",
		"volatile,,nosync" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(io_parse(bad[i]));
	}
	struct io *io = io_parse("fault:open:2+:13");
	assert_non_null(io);
	struct io_file *file;
	assert_int_equal(io->open(io, "/dev/null", O_RDONLY, 0, &file), 0);
	io->close(io, file);
	assert_int_equal(io->open(io, "/dev/null", O_RDONLY, 0, &file), -EACCES);
	assert_int_equal(io->open(io, "/dev/null", O_RDONLY, 0, &file), -EACCES);
	assert_int_equal(io_fault_calls(io), 3);
	io_fault_free(io);
	assert_null(io_fault_free(NULL));
	assert_null(io_volatile_free(NULL));
}

/* What the process sees is as if it were done; what the disk has comes with the syncs. */
static void forgets_what_is_not_synced(void **state)
{
	(void)state;
	char one[1024], two[1024], bytes[10000], got[10000];
	snprintf(one, sizeof(one), "%s/one", workspace);
	snprintf(two, sizeof(two), "%s/two", workspace);
	memset(bytes, 'x', sizeof(bytes));
	struct io *io = io_volatile_new(false);
	struct io_file *file;
	assert_int_equal(io->open(io, one, O_RDWR | O_CREAT, 0600, &file), 0);
	assert_int_equal(io->pwrite(io, file, bytes, 6000, 100), 0);
	assert_int_equal(io->size(io, file), 6100);
	assert_int_equal(io->pread(io, file, got, sizeof(got), 0), 6100);
	assert_int_equal(got[99], 0);
	assert_int_equal(got[6099], 'x');
	struct stat status;
	assert_int_equal(stat(one, &status), 0);
	assert_int_equal(status.st_size, 0);
	assert_int_equal(io->fdatasync(io, file), 0);
	assert_int_equal(stat(one, &status), 0);
	assert_int_equal(status.st_size, 6100);
	assert_int_equal(io->truncate(io, file, 1000), 0);
	assert_int_equal(io->pwrite(io, file, bytes, 10, 3000), 0);
	assert_int_equal(io->pread(io, file, got, sizeof(got), 0), 3010);
	assert_int_equal(got[2000], 0);
	io->close(io, file);

	assert_int_equal(io->rename(io, one, two), 0);
	assert_int_equal(io->open(io, one, O_RDONLY, 0, &file), -ENOENT);
	assert_int_equal(io->open(io, two, O_RDONLY, 0, &file), 0);
	assert_int_equal(io->size(io, file), 3010);
	io->close(io, file);
	assert_true(file_there(one));
	assert_false(file_there(two));
	assert_int_equal(io->sync_folder(io, workspace), 0);
	assert_true(file_there(two));
	assert_int_equal(io->unlink(io, two), 0);
	assert_int_equal(io->open(io, two, O_RDONLY, 0, &file), -ENOENT);
	io_volatile_lose(io, 0);
	assert_int_equal(stat(two, &status), 0);
	assert_int_equal(status.st_size, 6100); /* the truncation and the unlink are forgotten */
	io_volatile_free(io);
	unlink(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_its_notation, setup),
		cmocka_unit_test_setup(forgets_what_is_not_synced, setup),
		cmocka_unit_test_setup(dies_of_a_failed_write_or_sync, setup),
		cmocka_unit_test_setup(holds_back_when_no_segment_can_be_made, setup),
		cmocka_unit_test_setup(holds_back_on_a_disk_that_is_full, setup),
		cmocka_unit_test_setup(survives_the_nth_fault, setup),
		cmocka_unit_test_setup(keeps_what_was_acknowledged_when_the_power_goes, setup),
		cmocka_unit_test_setup(keeps_what_was_acknowledged_when_killed, setup),
		cmocka_unit_test_setup(loses_without_syncs, setup),
	};
	workspace_make();
	int failed = cmocka_run_group_tests_name("faults", tests, NULL, NULL);
	workspace_remove();
	return failed;
}
