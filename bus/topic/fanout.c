/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fan-out: a sink inside the bus, fed by the internal route of each topic.
 *
 *     messages -> rows of the items' index -> notifications to the outlet -> confirmed -> delivered
 *
 * A batch is entered as a whole, notified as a whole, and each is waited for once. What fails
 * here is never the message's fault, so that every failure says `down`: the
 * lane waits and tries again, and no item becomes a case. A subscriber who
 * refuses is the outlet's business.
 *
 * The rule not to break: after deliver() has returned, nobody holds its
 * counters; what did not complete in time is forgotten first.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <topic/state.h>
#include <xylem/log.h>

#define WORKER_MAGIC 0x66616e6fU
#define INGRESS "topic:"

struct worker;

/* One message of a delivery. */
struct part {
	struct worker *worker;
	bool waiting; /* its notifications are not confirmed yet */
	int error;
};

/* Counted by the worker and by the catalogue's job, which may come back late. */
struct worker {
	uint32_t magic;
	int64_t timeout_us;
	_Atomic bool interrupted;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct part *parts;
	size_t waiting;
	struct entry_job *job; /* NULL: none; the worker's thread only */
	bool job_finished;
};

struct entry_job {
	struct worker *worker; /* NULL: it has gone on without */
	pthread_mutex_t lock;
	bool finished;
	int error;
};

/* --- Life ----------------------------------------------------------------- */

static int fanout_open(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	*ret_instance = host; /* it keeps nothing: topics are found by the messages' ingress */
	return 0;
}

static void fanout_close(void *instance)
{
}

static int fanout_sink_open(
	void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	if (worker == NULL) {
		return -XYLEM_E_MEMORY;
	}
	worker->magic = WORKER_MAGIC;
	worker->timeout_us = timeout_us;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	*ret_worker = worker;
	return 0;
}

static void fanout_sink_close(void *context)
{
	struct worker *worker = context;
	if (worker != NULL) {
		assert(worker->magic == WORKER_MAGIC);
		pthread_mutex_destroy(&worker->lock);
		pthread_cond_destroy(&worker->changed);
		worker->magic = 0;
		free(worker);
	}
}

static void fanout_interrupt(void *context)
{
	struct worker *worker = context;

	pthread_mutex_lock(&worker->lock);
	atomic_store(&worker->interrupted, true);
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

/* --- The index ------------------------------------------------------------ */

static void job_done(void *context, int error)
{
	struct entry_job *job = context;

	pthread_mutex_lock(&job->lock);
	struct worker *worker = job->worker;
	job->finished = true;
	job->error = error;
	if (worker != NULL) {
		pthread_mutex_lock(&worker->lock);
		worker->job_finished = true;
		pthread_cond_broadcast(&worker->changed);
		pthread_mutex_unlock(&worker->lock);
	}
	pthread_mutex_unlock(&job->lock);
	if (worker == NULL) {
		pthread_mutex_destroy(&job->lock);
		free(job);
	}
}

/* Takes the result, or leaves the job to its completion. */
static int job_leave(struct entry_job *job)
{
	pthread_mutex_lock(&job->lock);
	bool finished = job->finished;
	int error = finished ? job->error : -XYLEM_E_TIMEOUT;
	job->worker = NULL;
	pthread_mutex_unlock(&job->lock);
	if (finished) {
		pthread_mutex_destroy(&job->lock);
		free(job);
	}
	return error;
}

static const char *topic_of(const struct xylem_message *message, char name[128])
{
	size_t prefix = sizeof(INGRESS) - 1;
	struct xylem_span ingress = message->ingress;
	if (ingress.n <= prefix || ingress.n - prefix >= 128 || memcmp(ingress.at, INGRESS, prefix) != 0) {
		return NULL;
	}
	memcpy(name, ingress.at + prefix, ingress.n - prefix);
	name[ingress.n - prefix] = '\0';
	return name;
}

struct target {
	char name[128];
	bool exists;
	struct roster *roster;
	int64_t max_items;
};

static void find_target(struct topics *topics, const struct xylem_message *message, struct target *target)
{
	if (topic_of(message, target->name) == NULL) {
		return;
	}
	pthread_mutex_lock(&topics->lock);
	struct node *node = topics_find(topics, target->name);
	if (node != NULL && node->configured != NULL) {
		target->exists = true;
		target->roster = roster_ref(node->roster);
		target->max_items = node->configured->max_items;
	}
	pthread_mutex_unlock(&topics->lock);
}

static int start_job(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, const struct target *targets, size_t n)
{
	struct item_entry *entries = calloc(n, sizeof(*entries));
	struct entry_job *job = calloc(1, sizeof(*job));
	size_t count = 0;

	for (size_t i = 0; entries != NULL && i < n; i++) {
		if (targets[i].exists) {
			entries[count++] = (struct item_entry){ .topic = targets[i].name,
				.id = messages[i]->id,
				.position = messages[i]->position,
				.time_us = messages[i]->journal_time_us,
				.max_items = targets[i].max_items };
		}
	}
	int error = entries == NULL || job == NULL ? -XYLEM_E_MEMORY : 0;
	if (error == 0 && count > 0) {
		pthread_mutex_init(&job->lock, NULL);
		job->worker = worker;
		worker->job = job;
		worker->job_finished = false; /* nobody else sees it before the job is handed in */
		error = items_enter(topics, entries, count, job_done, job);
		if (error != 0) {
			worker->job = NULL;
			pthread_mutex_destroy(&job->lock);
		}
	}
	if (worker->job == NULL) {
		free(job);
	}
	free(entries);
	return error;
}

/* --- Notifications -------------------------------------------------------- */

static void part_done(void *context, int error)
{
	struct part *part = context;
	struct worker *worker = part->worker;

	pthread_mutex_lock(&worker->lock);
	part->waiting = false;
	part->error = error;
	worker->waiting--;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

static int notify(struct worker *worker, const struct topic_outlet *outlet, const struct target *target,
	const struct xylem_message *message, struct part *part, int64_t deadline)
{
	if (outlet == NULL || target->roster == NULL || target->roster->n == 0) {
		return 0;
	}
	pthread_mutex_lock(&worker->lock);
	part->waiting = true;
	worker->waiting++;
	pthread_mutex_unlock(&worker->lock);
	int error = outlet->notify(outlet->outlet, target->name, message, target->roster->jids,
		target->roster->n, deadline, &worker->interrupted, part_done, part);
	if (error != 0) {
		pthread_mutex_lock(&worker->lock);
		part->waiting = false;
		worker->waiting--;
		pthread_mutex_unlock(&worker->lock);
	}
	return error;
}

/* Under the lock. */
static bool complete(const struct worker *worker)
{
	return worker->waiting == 0 && (worker->job == NULL || worker->job_finished);
}

static void await(struct worker *worker, int64_t deadline)
{
	struct timespec until = clock_timespec(deadline);

	pthread_mutex_lock(&worker->lock);
	while (!complete(worker) && !atomic_load(&worker->interrupted) && clock_mono_us() < deadline) {
		pthread_cond_clockwait(&worker->changed, &worker->lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&worker->lock);
}

static void forget(struct worker *worker, const struct topic_outlet *outlet, size_t n)
{
	for (size_t i = 0; i < n && outlet != NULL; i++) {
		struct part *part = &worker->parts[i];
		pthread_mutex_lock(&worker->lock);
		bool waiting = part->waiting;
		pthread_mutex_unlock(&worker->lock);
		if (waiting) {
			outlet->forget(outlet->outlet, part);
		}
		/* It may have come just before it was forgotten. */
		pthread_mutex_lock(&worker->lock);
		if (part->waiting) {
			part->waiting = false;
			part->error = -XYLEM_E_TIMEOUT;
			worker->waiting--;
		}
		pthread_mutex_unlock(&worker->lock);
	}
}

/* --- Delivering ----------------------------------------------------------- */

static void report(struct worker *worker, int index_error, size_t n, struct xylem_result *results)
{
	bool failed = false;

	for (size_t i = 0; i < n; i++) {
		int error = index_error != 0 ? index_error : worker->parts[i].error;
		if (failed) {
			results[i].failure = XYLEM_NOT_TRIED;
		} else if (error != 0) {
			failed = true;
			const char *code = index_error != 0 ? "catalogue" : "xmpp-link";
			xylem_result_fail(&results[i], XYLEM_FAILURE_DOWN, code, "notifying subscribers: %s",
				xylem_error_row(error)->text);
		}
	}
}

static void count(
	struct topics *topics, const struct target *targets, const struct xylem_result *results, size_t n)
{
	pthread_mutex_lock(&topics->lock);
	for (size_t i = 0; i < n; i++) {
		struct node *node = targets[i].exists ? topics_find(topics, targets[i].name) : NULL;
		if (node != NULL && results[i].failure == XYLEM_DELIVERED) {
			node->items++;
		}
	}
	pthread_mutex_unlock(&topics->lock);
}

static void notify_all(struct worker *worker, const struct topic_outlet *outlet,
	const struct xylem_message *const *messages, const struct target *targets, size_t n, int64_t deadline)
{
	int error = 0;

	for (size_t i = 0; i < n; i++) {
		worker->parts[i].worker = worker;
		/* After a failure nothing further goes out: order is kept. */
		error = error != 0 ? error
				   : notify(worker, outlet, &targets[i], messages[i], &worker->parts[i],
					     deadline);
		worker->parts[i].error = error;
	}
	if (outlet != NULL) {
		outlet->flush(outlet->outlet);
	}
}

static const struct topic_outlet *outlet_take(struct topics *topics)
{
	pthread_mutex_lock(&topics->lock);
	const struct topic_outlet *outlet = topics->outlet;
	topics->outlet_uses++;
	pthread_mutex_unlock(&topics->lock);
	return outlet;
}

static void outlet_release(struct topics *topics)
{
	pthread_mutex_lock(&topics->lock);
	if (--topics->outlet_uses == 0) {
		pthread_cond_broadcast(&topics->quiet);
	}
	pthread_mutex_unlock(&topics->lock);
}

/* Whoever is notified may ask for the item at once: the row is there first. */
static int enter_index(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, const struct target *targets, size_t n, int64_t deadline)
{
	int error = start_job(worker, topics, messages, targets, n);
	if (worker->job == NULL) {
		return error;
	}
	await(worker, deadline);
	error = job_leave(worker->job);
	worker->job = NULL;
	return error;
}

static void deliver_to(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, struct target *targets, size_t n,
	struct xylem_result *results)
{
	int64_t deadline = clock_mono_us() + worker->timeout_us;

	for (size_t i = 0; i < n; i++) {
		find_target(topics, messages[i], &targets[i]);
	}
	int error = enter_index(worker, topics, messages, targets, n, deadline);
	if (error == 0) {
		const struct topic_outlet *outlet = outlet_take(topics);
		notify_all(worker, outlet, messages, targets, n, deadline);
		await(worker, deadline);
		forget(worker, outlet, n);
		outlet_release(topics);
	}
	report(worker, error, n, results);
	count(topics, targets, results, n);
	for (size_t i = 0; i < n; i++) {
		roster_unref(targets[i].roster);
	}
}

static void fanout_deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = context;
	assert(worker->magic == WORKER_MAGIC);
	struct topics *topics = topics_current();

	atomic_store(&worker->interrupted, false);
	struct target *targets = calloc(n, sizeof(*targets));
	worker->parts = calloc(n, sizeof(*worker->parts));
	if (topics == NULL || targets == NULL || worker->parts == NULL) {
		for (size_t i = 0; i < n; i++) {
			results[i].failure = i == 0 ? XYLEM_FAILURE_DOWN : XYLEM_NOT_TRIED;
		}
		xylem_result_fail(&results[0], XYLEM_FAILURE_DOWN, "topics", "%s",
			topics == NULL ? "the topics are not running" : "out of memory");
	} else {
		deliver_to(worker, topics, messages, targets, n, results);
	}
	free(targets);
	free(worker->parts);
	worker->parts = NULL;
}

static const struct xylem_option no_options[] = { XYLEM_OPTIONS_END };

const struct xylem_connector topic_fanout = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED,
	.name = "subscribers",
	.summary = "Notifies the subscribers of topics; made by the bus for each topic.",
	.options = no_options,
	.batch = { .count = 100, .bytes = 1 << 20 },
	.open = fanout_open,
	.close = fanout_close,
	.sink_open = fanout_sink_open,
	.deliver = fanout_deliver,
	.interrupt = fanout_interrupt,
	.sink_close = fanout_sink_close,
};
