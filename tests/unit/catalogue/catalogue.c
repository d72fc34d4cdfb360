/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue on real SQLite files: jobs, savepoints, answers, readers, restart, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <pthread.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include <catalogue/catalogue.h>

struct place {
	char folder[64];
	char path[96];
	struct catalogue *catalogue;
};

static struct catalogue_options options_of(struct place *place)
{
	return (struct catalogue_options){ .path = place->path, .io = io_system() };
}

static void reopen(struct place *place)
{
	place->catalogue = catalogue_close(place->catalogue);
	struct catalogue_options options = options_of(place);
	struct xylem_reason reason = { "" };
	int r = catalogue_open(&place->catalogue, &options, &reason);
	if (r < 0) {
		print_error("%s\n", reason.text);
	}
	assert_int_equal(r, 0);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	strcpy(place->folder, "/tmp/xylem-catalogue-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/catalogue.db", place->folder);
	reopen(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	catalogue_close(place->catalogue);
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* --- Work ----------------------------------------------------------------- */

static int add_lane(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(
		database, "INSERT INTO lanes (route, destination, created_us) VALUES (?1, 'erp', 0)", reason);
	catalogue_bind_text(insert, 1, xylem_span_of(context));
	return catalogue_step_done(database, insert, reason);
}

static int add_lane_and_refuse(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	int r = add_lane(database, context, reason);
	assert_int_equal(r, 0);
	xylem_reason_set(reason, "on second thoughts, no");
	return -XYLEM_E_UNPROCESSABLE;
}

static int write_bad_sql(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	assert_null(catalogue_statement(database, "INSERT INTO no_such_table VALUES (1)", reason));
	return -XYLEM_E_INTERNAL;
}

static int count_lanes(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *count = catalogue_statement(database, "SELECT count(*) FROM lanes", reason);
	assert_int_equal(catalogue_step_row(database, count, reason), 1);
	*(int *)context = sqlite3_column_int(count, 0);
	return 0;
}

static int lanes(struct catalogue *catalogue)
{
	int n = -1;
	struct xylem_reason reason;
	assert_int_equal(catalogue_read(catalogue, count_lanes, &n, &reason), 0);
	return n;
}

static int try_to_write(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return add_lane(database, context, reason);
}

/* --- Tests ---------------------------------------------------------------- */

static void what_was_written_is_there_after_a_restart(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	assert_int_equal(lanes(place->catalogue), 0);
	assert_int_equal(catalogue_write(place->catalogue, add_lane, "orders", &reason), 0);
	assert_int_equal(lanes(place->catalogue), 1);
	char instance[64];
	snprintf(instance, sizeof(instance), "%s", catalogue_instance(place->catalogue));
	assert_int_equal(strlen(instance), 36);
	reopen(place);
	assert_int_equal(lanes(place->catalogue), 1);
	assert_string_equal(catalogue_instance(place->catalogue), instance);
	catalogue_close(NULL);
}

static void a_failed_write_says_why_and_changes_nothing(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	assert_int_equal(catalogue_write(place->catalogue, add_lane_and_refuse, "orders", &reason),
		-XYLEM_E_UNPROCESSABLE);
	assert_string_equal(reason.text, "on second thoughts, no");
	assert_int_equal(catalogue_write(place->catalogue, write_bad_sql, NULL, &reason), -XYLEM_E_INTERNAL);
	assert_non_null(strstr(reason.text, "no_such_table"));
	assert_int_equal(catalogue_write(place->catalogue, add_lane, "a", &reason), 0);
	assert_int_equal(catalogue_write(place->catalogue, add_lane, "a", &reason), -XYLEM_E_CONFLICT);
	assert_int_equal(lanes(place->catalogue), 1);
	struct catalogue_state now;
	catalogue_state(place->catalogue, &now);
	assert_false(now.failed);
}

/* Counts answers; the commit thread writes, the test waits. */
struct answers {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	int good, bad;
};

static void count_answer(void *context, int error, const struct xylem_reason *reason)
{
	struct answers *answers = context;
	pthread_mutex_lock(&answers->mutex);
	error == 0 ? answers->good++ : answers->bad++;
	pthread_cond_signal(&answers->wake);
	pthread_mutex_unlock(&answers->mutex);
}

static void wait_for(struct answers *answers, int n)
{
	pthread_mutex_lock(&answers->mutex);
	while (answers->good + answers->bad < n) {
		pthread_cond_wait(&answers->wake, &answers->mutex);
	}
	pthread_mutex_unlock(&answers->mutex);
}

struct numbered {
	struct answers *answers;
	char route[32];
	bool refuse;
};

static int numbered_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct numbered *numbered = context;
	return (numbered->refuse ? add_lane_and_refuse : add_lane)(database, numbered->route, reason);
}

static void numbered_done(void *context, int error, const struct xylem_reason *reason)
{
	struct numbered *numbered = context;
	count_answer(numbered->answers, error, reason);
}

/* Every third job fails in the middle of a shared transaction; the others stand. */
static void a_failed_job_rolls_back_alone(void **state)
{
	struct place *place = *state;
	struct answers answers = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
	static struct numbered jobs[300];
	for (int i = 0; i < 300; i++) {
		jobs[i] = (struct numbered){ .answers = &answers, .refuse = i % 3 == 1 };
		snprintf(jobs[i].route, sizeof(jobs[i].route), "route-%d", i);
		assert_int_equal(
			catalogue_submit(place->catalogue, numbered_work, numbered_done, &jobs[i], false), 0);
	}
	wait_for(&answers, 300);
	assert_int_equal(answers.good, 200);
	assert_int_equal(answers.bad, 100);
	assert_int_equal(lanes(place->catalogue), 200);
	struct catalogue_state now;
	catalogue_state(place->catalogue, &now);
	assert_int_equal(now.jobs, 300);
	assert_in_range(now.commits, 1, 299); /* shared transactions */
}

static void closing_commits_what_waits(void **state)
{
	struct place *place = *state;
	place->catalogue = catalogue_close(place->catalogue);
	struct catalogue_options options = options_of(place);
	options.interval_us = 3600 * INT64_C(1000000);
	struct xylem_reason reason;
	assert_int_equal(catalogue_open(&place->catalogue, &options, &reason), 0);
	struct answers answers = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
	struct numbered job = { .answers = &answers, .route = "late" };
	assert_int_equal(catalogue_submit(place->catalogue, numbered_work, numbered_done, &job, false), 0);
	reopen(place);
	assert_int_equal(answers.good, 1);
	assert_int_equal(lanes(place->catalogue), 1);
}

static void readers_cannot_write(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	assert_true(catalogue_read(place->catalogue, try_to_write, "x", &reason) < 0);
	assert_int_equal(lanes(place->catalogue), 0);
}

static struct xylem_position some_end(void *context)
{
	return *(struct xylem_position *)context;
}

static void the_acknowledged_end_is_saved_with_every_commit(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	assert_int_equal(catalogue_acknowledged_end(place->catalogue).offset, 0);
	struct xylem_position end = { 0, 4711 };
	catalogue_acknowledged_provider(place->catalogue, some_end, &end);
	assert_int_equal(catalogue_write(place->catalogue, add_lane, "a", &reason), 0);
	end.offset = 4712;
	assert_int_equal(catalogue_write(place->catalogue, add_lane, "b", &reason), 0);
	end.offset = 9999; /* no commit after this */
	reopen(place);
	assert_int_equal(catalogue_acknowledged_end(place->catalogue).offset, 4712);
}

struct many {
	struct place *place;
	int number;
};

static void *write_and_read(void *context)
{
	struct many *many = context;
	struct xylem_reason reason;
	for (int i = 0; i < 40; i++) {
		char route[32];
		snprintf(route, sizeof(route), "%d-%d", many->number, i);
		if (catalogue_write(many->place->catalogue, add_lane, route, &reason) < 0 ||
			lanes(many->place->catalogue) < i + 1) {
			return NULL;
		}
	}
	return many;
}

/* More threads than readers, all writing and reading; each sees its own writes. */
static void many_threads_at_once(void **state)
{
	struct many many[8];
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) {
		many[i] = (struct many){ *state, i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &many[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		assert_non_null(result);
	}
	assert_int_equal(lanes(((struct place *)*state)->catalogue), 320);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_written_is_there_after_a_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_failed_write_says_why_and_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_job_rolls_back_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_commits_what_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readers_cannot_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_acknowledged_end_is_saved_with_every_commit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_threads_at_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
