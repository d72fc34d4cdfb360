/* SPDX-License-Identifier: Apache-2.0 */
/* Appending, reading, waiting and holding back, on a sound disk. */
#include "workspace.h"

#include <pthread.h>

#include <journal/layout.h>

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

/* --- One call, one batch ---------------------------------------------------- */

struct answers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	size_t n;
	int error;
	uint64_t first[64];
	size_t counts[64];
	pthread_t thread;
};

static void answer_take(void *context, int error, const struct xylem_position *positions, size_t n)
{
	struct answers *answers = context;
	pthread_mutex_lock(&answers->lock);
	answers->error = error;
	answers->first[answers->n] = positions ? positions[0].offset : 0;
	answers->counts[answers->n++] = n;
	answers->thread = pthread_self();
	pthread_cond_signal(&answers->more);
	pthread_mutex_unlock(&answers->lock);
}

static void answers_wait(struct answers *answers, size_t n)
{
	pthread_mutex_lock(&answers->lock);
	while (answers->n < n) {
		pthread_cond_wait(&answers->more, &answers->lock);
	}
	pthread_mutex_unlock(&answers->lock);
}

static void answers_each_call_once_in_order(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	struct answers answers = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };
	struct sample samples[3];
	struct xylem_message messages[3];
	for (size_t i = 0; i < 3; i++) {
		sample_make(&samples[i], i + 1, 10);
		messages[i] = samples[i].message;
	}
	for (size_t i = 0; i < 60; i++) {
		assert_int_equal(
			journal_append(journal, messages, 1 + i % 3, false, answer_take, &answers), 0);
	}
	answers_wait(&answers, 60);
	uint64_t next = 1;
	for (size_t i = 0; i < 60; i++) {
		assert_int_equal(answers.first[i], next);
		assert_int_equal(answers.counts[i], 1 + i % 3);
		next += 1 + i % 3;
	}
	assert_int_equal(answers.error, 0);
	assert_int_equal(journal_end(journal).offset, next);
	struct journal_state now;
	journal_state(journal, &now);
	assert_int_equal(now.appended, next - 1);
	assert_true(now.commits >= 1 && now.commits <= 60);
	journal_close(journal);
}

static void close_answers_what_was_appended(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	struct answers answers = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };
	struct sample sample;
	sample_make(&sample, 1, 10);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(
			journal_append(journal, &sample.message, 1, false, answer_take, &answers), 0);
	}
	assert_null(journal_close(journal));
	assert_int_equal(answers.n, 64);
	assert_int_equal(answers.error, 0);
	assert_null(journal_close(NULL));
	assert_null(journal_batch_free(NULL));
	assert_null(journal_waiter_free(NULL));
}

static void keeps_every_field(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	struct xylem_extension extensions[2] = {
		{ XYLEM_SPAN_LITERAL("a"), XYLEM_SPAN_LITERAL("1") },
		{ XYLEM_SPAN_LITERAL("b"), XYLEM_SPAN_LITERAL("") },
	};
	struct xylem_message message = {
		.kind = XYLEM_REPLAY,
		.parent = { 0, 77 },
		.ingress = XYLEM_SPAN_LITERAL("topic:x"),
		.id = XYLEM_SPAN_LITERAL("i"),
		.source = XYLEM_SPAN_LITERAL("s"),
		.type = XYLEM_SPAN_LITERAL("t"),
		.subject = XYLEM_SPAN_LITERAL("u"),
		.time = XYLEM_SPAN_LITERAL("2026-11-21T00:00:00Z"),
		.datacontenttype = XYLEM_SPAN_LITERAL("text/plain"),
		.extensions = extensions,
		.extension_count = 2,
	};
	int64_t before = clock_wall_us();
	assert_int_equal(journal_append_wait(journal, &message, 1, false, NULL), 0);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_get(journal, at_offset(1), batch), 0);
	const struct xylem_message *got = &batch->messages[0];
	assert_int_equal(got->kind, XYLEM_REPLAY);
	assert_int_equal(got->parent.offset, 77);
	assert_false(xylem_span_present(got->key));
	assert_false(xylem_span_present(got->data));
	assert_true(xylem_span_equal(got->subject, message.subject));
	assert_true(xylem_span_equal(got->time, message.time));
	assert_int_equal(got->extension_count, 2);
	assert_true(xylem_span_is(got->extensions[1].name, "b"));
	assert_true(got->journal_time_us >= before && got->journal_time_us <= clock_wall_us());
	journal_batch_free(batch);
	journal_close(journal);
}

static void refuses_what_is_too_large(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	struct sample sample;
	sample_make(&sample, 1, 10);
	size_t n = (size_t)33 * 1024 * 1024;
	char *data = calloc(1, n);
	sample.message.data = xylem_span(data, n);
	assert_int_equal(journal_append_wait(journal, &sample.message, 1, false, NULL), -XYLEM_E_TOO_LARGE);
	assert_int_equal(journal_append_wait(journal, &sample.message, 0, false, NULL), -XYLEM_E_INVALID);
	/* Larger than a segment is not too large. */
	sample.message.data = xylem_span(data, (size_t)3 * 1024 * 1024);
	assert_int_equal(journal_append_wait(journal, &sample.message, 1, false, NULL), 0);
	struct journal_batch *batch = journal_batch_new();
	assert_int_equal(journal_read(journal, at_offset(1), 10, 100, batch), 0);
	assert_int_equal(batch->n, 1);
	assert_int_equal(batch->messages[0].data.n, 3 * 1024 * 1024);
	journal_batch_free(batch);
	free(data);
	journal_close(journal);
}

static void has_one_owner(void **state)
{
	(void)state;
	struct journal *journal = open_plain(), *second = NULL;
	struct journal_options options = options_make(io_system());
	struct xylem_reason reason;
	assert_int_equal(journal_open(&second, &options, NULL, &reason), -XYLEM_E_BUSY);
	assert_null(second);
	assert_non_null(strstr(reason.text, "another process"));
	append_numbers(journal, 1, 3, 10);
	journal_close(journal);
	journal_close(open_plain());
}

/* --- Waiting ---------------------------------------------------------------- */

static void *append_later(void *context)
{
	append_numbers(context, 1, 1, 10);
	return NULL;
}

static void *wake_later(void *context)
{
	journal_wake(context);
	return NULL;
}

static void wakes_who_waits(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	struct journal_waiter *waiter = journal_waiter_new(journal);
	pthread_t thread;
	journal_wait(waiter, at_offset(1), clock_mono_us()); /* a deadline that has passed */

	assert_int_equal(pthread_create(&thread, NULL, append_later, journal), 0);
	while (journal_end(journal).offset == 1) {
		journal_wait(waiter, at_offset(1), in_seconds(60));
	}
	pthread_join(thread, NULL);
	journal_wait(waiter, at_offset(1), in_seconds(3600)); /* is there already */

	int64_t before = clock_mono_us();
	assert_int_equal(pthread_create(&thread, NULL, wake_later, waiter), 0);
	journal_wait(waiter, at_offset(2), in_seconds(3600));
	pthread_join(thread, NULL);
	journal_wake(waiter); /* before the wait: kept */
	journal_wait(waiter, at_offset(2), in_seconds(3600));
	assert_true(clock_mono_us() - before < 600 * 1000000LL);
	journal_waiter_free(waiter);
	journal_close(journal);
}

/* --- Time ------------------------------------------------------------------- */

static void finds_a_time(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	int64_t times[40];
	for (uint64_t i = 0; i < 40; i++) {
		/* Distinct times: the clock has microseconds. */
		for (times[i] = clock_wall_us(); i > 0 && times[i] <= times[i - 1];) {
			times[i] = clock_wall_us();
		}
		append_numbers(journal, 1 + i * 50, 50, 700);
	}
	assert_int_equal(journal_seek_time(journal, 0).offset, 1);
	assert_int_equal(journal_seek_time(journal, INT64_MAX).offset, 2001);
	struct journal_batch *batch = journal_batch_new();
	for (uint64_t i = 0; i < 40; i++) {
		uint64_t found = journal_seek_time(journal, times[i]).offset;
		assert_int_equal(found, 1 + i * 50);
		assert_int_equal(journal_get(journal, at_offset(found), batch), 0);
		assert_true(batch->messages[0].journal_time_us >= times[i]);
	}
	journal_batch_free(batch);
	struct journal_state now;
	journal_state(journal, &now);
	assert_true(now.segments > 3);
	journal_close(journal);
	/* The same after a restart, by the side files and by reading. */
	journal = open_plain();
	for (uint64_t i = 0; i < 40; i++) {
		assert_int_equal(journal_seek_time(journal, times[i]).offset, 1 + i * 50);
	}
	journal_close(journal);
}

/* --- Holding back ------------------------------------------------------------ */

struct notices {
	struct journal *journal;
	_Atomic int held, freed;
};

static void notice_take(void *context)
{
	struct notices *notices = context;
	struct journal_state now;
	journal_state(notices->journal, &now);
	if (now.held) {
		notices->held++;
	} else {
		notices->freed++;
	}
}

static bool is_free(const struct journal_state *state)
{
	return !state->held;
}

static void holds_sources_back(void **state)
{
	(void)state;
	struct journal_options options = options_make(io_system());
	options.hold_bytes = (uint64_t)1024 * 1024;
	struct journal *journal = open_with(&options, NULL);
	struct notices notices = { .journal = journal };
	journal_on_change(journal, notice_take, &notices);
	uint64_t next = 1;
	while (append_try(journal, next, 50, 700, false) == 0) {
		next += 50;
		assert_true(next < 10000);
	}
	assert_int_equal(append_try(journal, next, 1, 10, false), -XYLEM_E_BUSY);
	struct journal_state now;
	journal_state(journal, &now);
	assert_true(now.unreleased_bytes >= options.hold_bytes);
	assert_int_equal(append_try(journal, next, 50, 700, true), 0); /* urgent goes through */
	next += 50;
	expect_numbers(journal, 1, next, 700);
	assert_int_equal(notices.held, 1);

	journal_release(journal, at_offset(next / 2));
	until_state(journal, is_free);
	append_numbers(journal, next, 1, 700);
	assert_int_equal(notices.freed, 1);
	journal_close(journal);
}

/* --- Many at once ------------------------------------------------------------ */

struct crowd {
	struct journal *journal;
	uint64_t messages; /* each appender */
	unsigned number;
};

/* Its own numbering in the ids: appender and count. */
static void *crowd_append(void *context)
{
	struct crowd *crowd = context;
	for (uint64_t i = 0; i < crowd->messages; i += 4) {
		int error;
		while ((error = append_try(crowd->journal, crowd->number * 1000000ULL + i, 4, 200, false)) ==
			-XYLEM_E_BUSY) {
		}
		assert_int_equal(error, 0);
	}
	return NULL;
}

/* Everyone's messages, each once and in its appender's order. */
static void *crowd_read(void *context)
{
	struct crowd *crowd = context;
	struct journal_waiter *waiter = journal_waiter_new(crowd->journal);
	struct journal_batch *batch = journal_batch_new();
	struct xylem_position from = at_offset(1);
	uint64_t next[4] = { 0 }, seen = 0;
	while (seen < 4 * crowd->messages) {
		journal_wait(waiter, from, in_seconds(60));
		assert_int_equal(journal_read(crowd->journal, from, 100, 20000, batch), 0);
		for (size_t i = 0; i < batch->n; i++) {
			char id[32];
			snprintf(id, sizeof(id), "%.*s", (int)batch->messages[i].id.n,
				batch->messages[i].id.at);
			uint64_t number = strtoull(id + 1, NULL, 10);
			assert_int_equal(number % 1000000, next[number / 1000000]++);
			sample_check(&batch->messages[i], number, 200);
			seen++;
		}
		from = batch->next;
	}
	journal_batch_free(batch);
	journal_waiter_free(waiter);
	return NULL;
}

static void serves_many_at_once(void **state)
{
	(void)state;
	struct journal *journal = open_plain();
	struct crowd crowds[4];
	pthread_t appenders[4], readers[3];
	for (unsigned i = 0; i < 4; i++) {
		crowds[i] = (struct crowd){ journal, 2000, i };
		assert_int_equal(pthread_create(&appenders[i], NULL, crowd_append, &crowds[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&readers[i], NULL, crowd_read, &crowds[0]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(appenders[i], NULL);
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(readers[i], NULL);
	}
	assert_int_equal(journal_end(journal).offset, 8001);
	journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(starts_empty, setup),
		cmocka_unit_test_setup(gives_back_what_was_appended, setup),
		cmocka_unit_test_setup(keeps_every_field, setup),
		cmocka_unit_test_setup(answers_each_call_once_in_order, setup),
		cmocka_unit_test_setup(close_answers_what_was_appended, setup),
		cmocka_unit_test_setup(refuses_what_is_too_large, setup),
		cmocka_unit_test_setup(has_one_owner, setup),
		cmocka_unit_test_setup(wakes_who_waits, setup),
		cmocka_unit_test_setup(finds_a_time, setup),
		cmocka_unit_test_setup(holds_sources_back, setup),
		cmocka_unit_test_setup(serves_many_at_once, setup),
	};
	workspace_make();
	int failed = cmocka_run_group_tests_name("journal", tests, NULL, NULL);
	workspace_remove();
	return failed;
}
