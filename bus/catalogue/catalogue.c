/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: one SQLite database behind one commit thread.
 *
 * Lanes, hospital and topics change a few rows for every batch of messages; a
 * transaction for each would be a disk flush for each. So a change is a job:
 * the commit thread takes all that wait, runs each in a savepoint of one
 * transaction, and tells all of them after one COMMIT. A job that fails rolls
 * back alone. Readers have connections of their own (WAL: they see the last
 * commit and hold nobody up).
 *
 * The rule not to break: `done` is called with 0 only after COMMIT returned
 * SQLITE_OK at synchronous=FULL, which is after the WAL was synced. After an
 * error that SQLite cannot recover from, nothing is written any more: what the
 * disk has then is known only after a restart. Locks: `mutex` guards the queue
 * and the state, `pool_mutex` the idle readers; neither is held while SQL runs
 * or a callback is called, and they are never held together. `provider_mutex` is
 * held while the provider of the acknowledged end is asked, so that it is not
 * asked any more once it was taken away.
 */
#include "catalogue.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/crash.h>
#include <base/thread.h>

#include "connection.h"
#include "presence.h"
#include "schema.h"
#include "vfs.h"

#define CATALOGUE_MAGIC 0x43415441
#define READERS 4
#define INTERVAL_US 5000
#define STACK_BYTES (1024 * 1024) /* SQLite's parser and B-tree walk are deep */

struct job {
	struct job *next;
	catalogue_work work;
	catalogue_done done;
	void *context;
	int error;
	struct xylem_reason reason;
};

struct catalogue {
	uint32_t magic;
	char *path;
	int64_t interval_us;
	char instance[XYLEM_UUID_SIZE];
	struct xylem_position acknowledged_end; /* as it was at open */
	char vfs[VFS_NAME_SIZE];                /* empty: the system's */
	pthread_t thread;
	bool started;

	/* The commit thread's own. */
	struct connection *writer;
	struct xylem_position saved_end;

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t wake;   /* the commit thread waits here */
	struct job *first, **last;
	int64_t due_us; /* when the first one must be committed */
	bool urgent, stopping;
	struct catalogue_state state;
	void (*changed)(void *context);
	void *changed_context;

	pthread_mutex_t provider_mutex;
	catalogue_acknowledged provider;
	void *provider_context;

	pthread_mutex_t pool_mutex; /* guards `idle` */
	pthread_cond_t pool_wake;
	struct connection *idle[READERS];
	size_t idle_count;
};

/* --- The commit thread ---------------------------------------------------- */

static struct job *wait_for_jobs(struct catalogue *catalogue)
{
	pthread_mutex_lock(&catalogue->mutex);
	while (!catalogue->first && !catalogue->stopping) {
		pthread_cond_wait(&catalogue->wake, &catalogue->mutex);
	}
	while (!catalogue->urgent && !catalogue->stopping && clock_mono_us() < catalogue->due_us) {
		struct timespec due = clock_timespec(catalogue->due_us);
		pthread_cond_clockwait(&catalogue->wake, &catalogue->mutex, CLOCK_MONOTONIC, &due);
	}
	struct job *jobs = catalogue->first;
	catalogue->first = NULL;
	catalogue->last = &catalogue->first;
	catalogue->urgent = false;
	pthread_mutex_unlock(&catalogue->mutex);
	return jobs;
}

/* From now on nothing is written; says so once. */
static void fail(struct catalogue *catalogue, const char *why)
{
	pthread_mutex_lock(&catalogue->mutex);
	bool first = !catalogue->state.failed;
	catalogue->state.failed = true;
	if (first) {
		snprintf(catalogue->state.failure, sizeof(catalogue->state.failure), "%s", why);
	}
	void (*changed)(void *context) = catalogue->changed;
	void *context = catalogue->changed_context;
	pthread_mutex_unlock(&catalogue->mutex);
	if (first && changed) {
		changed(context);
	}
}

/* True while the transaction stands: SQLite ends it by itself on some errors. */
static bool transaction_stands(struct catalogue *catalogue)
{
	return !connection_failure(catalogue->writer) &&
	       !sqlite3_get_autocommit(connection_database(catalogue->writer));
}

static int run_job(struct catalogue *catalogue, struct job *job, struct xylem_reason *reason)
{
	struct connection *writer = catalogue->writer;
	connection_enter(writer);
	int r = connection_run(writer, "SAVEPOINT job", reason);
	if (r == 0) {
		job->error = job->work(connection_database(writer), job->context, &job->reason);
	}
	connection_leave(writer);
	if (r < 0 || !transaction_stands(catalogue)) {
		xylem_reason_set(reason, "%s", job->reason.text);
		return r < 0 ? r : -XYLEM_E_DEAD;
	}
	connection_enter(writer);
	if (job->error < 0) {
		r = connection_run(writer, "ROLLBACK TO job", reason);
	}
	if (r == 0) {
		r = connection_run(writer, "RELEASE job", reason);
	}
	connection_leave(writer);
	return r;
}

static int save_acknowledged_end(struct catalogue *catalogue, struct xylem_reason *reason)
{
	struct xylem_position end = catalogue->saved_end;
	pthread_mutex_lock(&catalogue->provider_mutex);
	if (catalogue->provider) {
		end = catalogue->provider(catalogue->provider_context);
	}
	pthread_mutex_unlock(&catalogue->provider_mutex);
	if (end.partition == catalogue->saved_end.partition && end.offset == catalogue->saved_end.offset) {
		return 0;
	}
	sqlite3 *database = connection_database(catalogue->writer);
	sqlite3_stmt *statement = catalogue_statement(
		database, "UPDATE meta SET acknowledged_partition = ?1, acknowledged_offset = ?2", reason);
	if (!statement) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(statement, 1, end.partition);
	sqlite3_bind_int64(statement, 2, (int64_t)end.offset);
	int r = catalogue_step_done(database, statement, reason);
	if (r == 0) {
		catalogue->saved_end = end;
	}
	return r;
}

static int run_transaction(struct catalogue *catalogue, struct job *jobs, struct xylem_reason *reason)
{
	connection_enter(catalogue->writer);
	int r = connection_run(catalogue->writer, "BEGIN IMMEDIATE", reason);
	connection_leave(catalogue->writer);
	for (struct job *job = jobs; r == 0 && job; job = job->next) {
		r = run_job(catalogue, job, reason);
	}
	if (r < 0) {
		return r;
	}
	connection_enter(catalogue->writer);
	r = save_acknowledged_end(catalogue, reason);
	crash_point("catalogue-before");
	if (r == 0) {
		r = connection_run(catalogue->writer, "COMMIT", reason);
	}
	crash_point("catalogue-after");
	connection_leave(catalogue->writer);
	return r;
}

static void answer(struct job *jobs, bool dead, const char *why)
{
	while (jobs) {
		struct job *job = jobs;
		jobs = job->next;
		if (dead) {
			job->error = -XYLEM_E_DEAD;
			xylem_reason_set(&job->reason, "the catalogue failed: %s", why);
		}
		if (job->done) {
			job->done(job->context, job->error, &job->reason);
		}
		free(job);
	}
}

static void commit(struct catalogue *catalogue, struct job *jobs)
{
	pthread_mutex_lock(&catalogue->mutex);
	bool failed = catalogue->state.failed;
	pthread_mutex_unlock(&catalogue->mutex);
	struct xylem_reason reason = { "" };
	int64_t begun = clock_mono_us();
	if (!failed && run_transaction(catalogue, jobs, &reason) < 0) {
		const char *failure = connection_failure(catalogue->writer);
		fail(catalogue, failure ? failure : reason.text);
		connection_execute(catalogue->writer, "ROLLBACK", NULL);
		failed = true;
	}
	uint64_t n = 0;
	for (struct job *job = jobs; job; job = job->next) {
		n++;
	}
	pthread_mutex_lock(&catalogue->mutex);
	if (!failed) {
		catalogue->state.commits++;
		catalogue->state.jobs += n;
		catalogue->state.last_commit_us = clock_mono_us() - begun;
	}
	pthread_mutex_unlock(&catalogue->mutex);
	/* `failure` is written once, by this thread. */
	answer(jobs, failed, catalogue->state.failure);
}

static void *commit_thread(void *context)
{
	struct catalogue *catalogue = context;
	assert(catalogue->magic == CATALOGUE_MAGIC);
	for (;;) {
		struct job *jobs = wait_for_jobs(catalogue);
		if (!jobs) {
			return NULL; /* stopping, and nothing waits */
		}
		commit(catalogue, jobs);
	}
}

/* --- Jobs ----------------------------------------------------------------- */

static int refusal(const struct catalogue *catalogue)
{
	if (catalogue->state.failed) {
		return -XYLEM_E_DEAD;
	}
	return catalogue->stopping ? -XYLEM_E_STOPPING : 0;
}

int catalogue_submit(
	struct catalogue *catalogue, catalogue_work work, catalogue_done done, void *context, bool urgent)
{
	struct job *job = calloc(1, sizeof(*job));
	if (!job) {
		return -XYLEM_E_MEMORY;
	}
	job->work = work;
	job->done = done;
	job->context = context;
	pthread_mutex_lock(&catalogue->mutex);
	int r = refusal(catalogue);
	if (r == 0) {
		bool first = !catalogue->first;
		if (first) {
			catalogue->due_us = clock_mono_us() + catalogue->interval_us;
		}
		*catalogue->last = job;
		catalogue->last = &job->next;
		bool more_urgent = urgent && !catalogue->urgent;
		catalogue->urgent |= urgent;
		if (first || more_urgent) {
			pthread_cond_signal(&catalogue->wake);
		}
	}
	pthread_mutex_unlock(&catalogue->mutex);
	if (r < 0) {
		free(job);
	}
	return r;
}

struct waiter {
	catalogue_work work;
	void *context;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool over;
	int error;
	struct xylem_reason reason;
};

static int waiter_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct waiter *waiter = context;
	return waiter->work(database, waiter->context, reason);
}

static void waiter_done(void *context, int error, const struct xylem_reason *reason)
{
	struct waiter *waiter = context;
	pthread_mutex_lock(&waiter->mutex);
	waiter->over = true;
	waiter->error = error;
	waiter->reason = *reason;
	pthread_cond_signal(&waiter->wake);
	pthread_mutex_unlock(&waiter->mutex);
}

int catalogue_write(
	struct catalogue *catalogue, catalogue_work work, void *context, struct xylem_reason *reason)
{
	assert(!pthread_equal(pthread_self(), catalogue->thread)); /* it would wait for itself */
	struct waiter waiter = { .work = work, .context = context };
	pthread_mutex_init(&waiter.mutex, NULL);
	pthread_cond_init(&waiter.wake, NULL);
	int r = catalogue_submit(catalogue, waiter_work, waiter_done, &waiter, true);
	if (r == 0) {
		pthread_mutex_lock(&waiter.mutex);
		while (!waiter.over) {
			pthread_cond_wait(&waiter.wake, &waiter.mutex);
		}
		pthread_mutex_unlock(&waiter.mutex);
		r = waiter.error;
	} else {
		xylem_reason_set(
			&waiter.reason, "the catalogue takes no changes: %s", xylem_error_row(r)->text);
	}
	if (r < 0) {
		xylem_reason_set(reason, "%s", waiter.reason.text);
	}
	pthread_cond_destroy(&waiter.wake);
	pthread_mutex_destroy(&waiter.mutex);
	return r;
}

/* --- Reading -------------------------------------------------------------- */

static struct connection *reader_take(struct catalogue *catalogue)
{
	pthread_mutex_lock(&catalogue->pool_mutex);
	while (catalogue->idle_count == 0) {
		pthread_cond_wait(&catalogue->pool_wake, &catalogue->pool_mutex);
	}
	struct connection *reader = catalogue->idle[--catalogue->idle_count];
	pthread_mutex_unlock(&catalogue->pool_mutex);
	return reader;
}

static void reader_give(struct catalogue *catalogue, struct connection *reader)
{
	pthread_mutex_lock(&catalogue->pool_mutex);
	catalogue->idle[catalogue->idle_count++] = reader;
	pthread_cond_signal(&catalogue->pool_wake);
	pthread_mutex_unlock(&catalogue->pool_mutex);
}

int catalogue_read(
	struct catalogue *catalogue, catalogue_work work, void *context, struct xylem_reason *reason)
{
	struct connection *reader = reader_take(catalogue);
	int r = connection_execute(reader, "BEGIN", reason);
	if (r == 0) {
		connection_enter(reader);
		r = work(connection_database(reader), context, reason);
		connection_leave(reader);
		connection_execute(reader, "ROLLBACK", NULL);
	}
	reader_give(catalogue, reader);
	return r;
}

/* --- State ---------------------------------------------------------------- */

void catalogue_state(struct catalogue *catalogue, struct catalogue_state *ret_state)
{
	pthread_mutex_lock(&catalogue->mutex);
	*ret_state = catalogue->state;
	pthread_mutex_unlock(&catalogue->mutex);
}

void catalogue_on_change(struct catalogue *catalogue, void (*changed)(void *context), void *context)
{
	pthread_mutex_lock(&catalogue->mutex);
	catalogue->changed = changed;
	catalogue->changed_context = context;
	pthread_mutex_unlock(&catalogue->mutex);
}

void catalogue_acknowledged_provider(
	struct catalogue *catalogue, catalogue_acknowledged provider, void *context)
{
	pthread_mutex_lock(&catalogue->provider_mutex);
	catalogue->provider = provider;
	catalogue->provider_context = context;
	pthread_mutex_unlock(&catalogue->provider_mutex);
}

struct xylem_position catalogue_acknowledged_end(struct catalogue *catalogue)
{
	return catalogue->acknowledged_end;
}

const char *catalogue_instance(struct catalogue *catalogue)
{
	return catalogue->instance;
}

/* --- Opening and closing -------------------------------------------------- */

static int load_meta(struct catalogue *catalogue, struct xylem_reason *reason)
{
	sqlite3 *database = connection_database(catalogue->writer);
	connection_enter(catalogue->writer);
	sqlite3_stmt *row = catalogue_statement(
		database, "SELECT instance, acknowledged_partition, acknowledged_offset FROM meta", reason);
	int r = row ? catalogue_step_row(database, row, reason) : -XYLEM_E_INTERNAL;
	if (r == 1) {
		snprintf(catalogue->instance, sizeof(catalogue->instance), "%s",
			(const char *)sqlite3_column_text(row, 0));
		catalogue->acknowledged_end.partition = (uint32_t)sqlite3_column_int64(row, 1);
		catalogue->acknowledged_end.offset = (uint64_t)sqlite3_column_int64(row, 2);
		catalogue->saved_end = catalogue->acknowledged_end;
	}
	connection_leave(catalogue->writer);
	return r < 0 ? r : 0;
}

static int open_writer(struct catalogue *catalogue, bool exists, struct xylem_reason *reason)
{
	const char *vfs = catalogue->vfs[0] ? catalogue->vfs : NULL;
	int r = connection_open(&catalogue->writer, catalogue->path, vfs, true, reason);
	if (r == 0 && exists) {
		r = presence_check_bytes(catalogue->writer, reason);
	}
	if (r == 0) {
		r = schema_apply(catalogue->writer, reason);
	}
	return r == 0 ? load_meta(catalogue, reason) : r;
}

static int open_readers(struct catalogue *catalogue, struct xylem_reason *reason)
{
	const char *vfs = catalogue->vfs[0] ? catalogue->vfs : NULL;
	int r = 0;
	while (r == 0 && catalogue->idle_count < READERS) {
		r = connection_open(
			&catalogue->idle[catalogue->idle_count], catalogue->path, vfs, false, reason);
		catalogue->idle_count += r == 0;
	}
	return r;
}

static int open_files(
	struct catalogue *catalogue, const struct catalogue_options *options, struct xylem_reason *reason)
{
	int r = presence_find(options, reason);
	bool exists = r > 0;
	if (r >= 0) {
		r = presence_check(options, exists, reason);
	}
	if (r == 0) {
		r = vfs_register(options->io, catalogue->vfs);
	}
	if (r < 0) {
		return r;
	}
	struct xylem_reason inner = { "" };
	r = open_writer(catalogue, exists, &inner);
	if (r == 0) {
		r = open_readers(catalogue, &inner);
	}
	if (r == -XYLEM_E_DAMAGED) {
		xylem_reason_set(reason,
			"%s: %s. Put a backup of it back, or move it away and start with --accept-gap",
			options->path, inner.text);
	} else if (r < 0) {
		xylem_reason_set(reason, "%s: %s", options->path, inner.text);
	}
	return r;
}

static struct catalogue *catalogue_new(const struct catalogue_options *options)
{
	struct catalogue *catalogue = calloc(1, sizeof(*catalogue));
	if (!catalogue) {
		return NULL;
	}
	catalogue->magic = CATALOGUE_MAGIC;
	catalogue->last = &catalogue->first;
	catalogue->interval_us = options->interval_us > 0 ? options->interval_us : INTERVAL_US;
	pthread_mutex_init(&catalogue->mutex, NULL);
	pthread_cond_init(&catalogue->wake, NULL);
	pthread_mutex_init(&catalogue->provider_mutex, NULL);
	pthread_mutex_init(&catalogue->pool_mutex, NULL);
	pthread_cond_init(&catalogue->pool_wake, NULL);
	catalogue->path = strdup(options->path);
	return catalogue->path ? catalogue : catalogue_close(catalogue);
}

/* SQLite counts its memory under a lock of its own for each allocation; nobody here asks for the count. */
static void configure_sqlite(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int catalogue_open(struct catalogue **ret_catalogue, const struct catalogue_options *options,
	struct xylem_reason *reason)
{
	static pthread_once_t configured = PTHREAD_ONCE_INIT;
	pthread_once(&configured, configure_sqlite);
	struct catalogue *catalogue = catalogue_new(options);
	if (!catalogue) {
		return -XYLEM_E_MEMORY;
	}
	int r = open_files(catalogue, options, reason);
	if (r == 0) {
		r = thread_start(&catalogue->thread, "catalogue", STACK_BYTES, commit_thread, catalogue);
		catalogue->started = r == 0;
	}
	if (r < 0) {
		catalogue_close(catalogue);
		return r;
	}
	*ret_catalogue = catalogue;
	return 0;
}

struct catalogue *catalogue_close(struct catalogue *catalogue)
{
	if (!catalogue) {
		return NULL;
	}
	assert(catalogue->magic == CATALOGUE_MAGIC);
	pthread_mutex_lock(&catalogue->mutex);
	catalogue->stopping = true;
	pthread_cond_signal(&catalogue->wake);
	pthread_mutex_unlock(&catalogue->mutex);
	if (catalogue->started) {
		pthread_join(catalogue->thread, NULL);
	}
	assert(catalogue->idle_count == READERS || !catalogue->started); /* a reader is still in use */
	while (catalogue->idle_count > 0) {
		connection_close(catalogue->idle[--catalogue->idle_count]);
	}
	connection_close(catalogue->writer); /* last: it checkpoints the WAL */
	vfs_unregister(catalogue->vfs);
	pthread_cond_destroy(&catalogue->pool_wake);
	pthread_mutex_destroy(&catalogue->pool_mutex);
	pthread_mutex_destroy(&catalogue->provider_mutex);
	pthread_cond_destroy(&catalogue->wake);
	pthread_mutex_destroy(&catalogue->mutex);
	free(catalogue->path);
	catalogue->magic = 0;
	free(catalogue);
	return NULL;
}
