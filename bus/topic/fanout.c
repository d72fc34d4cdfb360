/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fan-out: a sink inside the bus, fed by the internal route `bus.topics` from every topic.
 *
 *     messages -> rows of the items' index -> notifications to the outlet -> confirmed -> delivered
 *
 * A batch goes in chunks: while one chunk's notifications are queued, the rows
 * of the next are committed, so that the server is never left idle for a disk. All
 * is waited for once, in the end, and for as long as confirmations come. Items
 * whose notifications would be too many for one call are left for the next.
 * What fails here is never the message's fault, so that every failure says
 * `down`: the lane waits and tries again, and no item becomes a case. A
 * subscriber who refuses is the outlet's business.
 *
 * The rules not to break: after deliver() has returned, nobody holds its
 * counters; what did not complete in time is forgotten first. Whoever is
 * notified may ask for the item at once: its row is there first.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <metrics/metrics.h>
#include <topic/state.h>
#include <xylem/log.h>

#define WORKER_MAGIC 0x66616e6fU
#define CHUNK 1000U      /* rows that are committed together */
#define FIRST_CHUNK 250U /* of these, since nothing is sent before them */
#define STANZAS 20000U   /* notifications of one call, unless one item has more subscribers */

struct worker;

/* One message of a delivery. */
struct part {
	struct worker *worker;
	bool waiting; /* its notifications are not confirmed yet */
	bool indexed;
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
	struct entry_job *job; /* NULL: none; the worker's thread only, as the next two */
	struct target *job_targets;
	size_t job_count;
	bool job_finished;
};

struct entry_job {
	struct worker *worker; /* NULL: it has gone on without */
	pthread_mutex_t lock;
	bool finished;
	int error;
	bool gone[]; /* of each message: it was retracted before it could be told */
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

/* What a message is for. */
struct target {
	struct snapshot *topic;
	bool gone;
};

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
static int job_leave(struct entry_job *job, struct target *targets, size_t n)
{
	pthread_mutex_lock(&job->lock);
	bool finished = job->finished;
	for (size_t i = 0; i < n && finished; i++) {
		targets[i].gone = job->gone[i];
	}
	int error = finished ? job->error : -XYLEM_E_TIMEOUT;
	job->worker = NULL;
	pthread_mutex_unlock(&job->lock);
	if (finished) {
		pthread_mutex_destroy(&job->lock);
		free(job);
	}
	return error;
}

static int start_job(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, struct target *targets, size_t n)
{
	struct item_entry *entries = calloc(n, sizeof(*entries));
	struct entry_job *job = calloc(1, sizeof(*job) + n * sizeof(bool));
	size_t count = 0;

	for (size_t i = 0; entries != NULL && i < n; i++) {
		const struct snapshot *topic = targets[i].topic;
		if (job != NULL && topic->exists && topic->settings.persist) {
			entries[count++] = (struct item_entry){ .topic = topic->name,
				.id = messages[i]->id,
				.position = messages[i]->position,
				.time_us = messages[i]->journal_time_us,
				.max_items = topic->settings.max_items,
				.gone = &job->gone[i] };
		}
	}
	int error = entries == NULL || job == NULL ? -XYLEM_E_MEMORY : 0;
	if (error == 0 && count > 0) {
		pthread_mutex_init(&job->lock, NULL);
		job->worker = worker;
		worker->job = job;
		worker->job_targets = targets;
		worker->job_count = n;
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
	/* One of many wakes nobody: it is the last that is waited for. */
	if (--worker->waiting == 0) {
		pthread_cond_broadcast(&worker->changed);
	}
	pthread_mutex_unlock(&worker->lock);
}

static int notify_recipients(struct worker *worker, const struct topic_outlet *outlet,
	const struct snapshot *topic, const struct xylem_message *message,
	const struct recipients *recipients, struct part *part)
{
	pthread_mutex_lock(&worker->lock);
	part->waiting = true;
	worker->waiting++;
	pthread_mutex_unlock(&worker->lock);
	int error = outlet->notify(outlet->outlet, topic->name, &topic->settings, message, recipients->items,
		recipients->n, worker->timeout_us, &worker->interrupted, part_done, part);
	if (error != 0) {
		pthread_mutex_lock(&worker->lock);
		part->waiting = false;
		worker->waiting--;
		pthread_mutex_unlock(&worker->lock);
	}
	return error;
}

static int notify(struct worker *worker, struct topics *topics, const struct topic_outlet *outlet,
	const struct target *target, const struct xylem_message *message, struct part *part)
{
	const struct snapshot *topic = target->topic;
	struct recipients recipients;
	if (outlet == NULL || topic->roster == NULL || topic->roster->active == 0 || target->gone ||
		!topic->settings.deliver_notifications) {
		return 0;
	}
	if (!recipients_of(topics, &topic->settings, topic->roster, &recipients)) {
		return -XYLEM_E_MEMORY;
	}
	int error = recipients.n == 0 ? 0
				      : notify_recipients(worker, outlet, topic, message, &recipients, part);
	for (size_t i = 0; i < recipients.n && error == 0; i++) {
		refusals_sent(topics, recipients.items[i].jid, clock_wall_us());
	}
	recipients_finish(&recipients);
	return error;
}

/* Until all is back, or nothing more has come back for the lane's timeout: many subscribers take their time. */
static void await(struct worker *worker, const struct topic_outlet *outlet)
{
	int64_t deadline = clock_mono_us() + worker->timeout_us;
	uint64_t seen = outlet != NULL ? outlet->confirmed(outlet->outlet) : 0;

	pthread_mutex_lock(&worker->lock);
	while (worker->waiting > 0 && !atomic_load(&worker->interrupted)) {
		struct timespec until = clock_timespec(deadline);
		if (pthread_cond_clockwait(&worker->changed, &worker->lock, CLOCK_MONOTONIC, &until) !=
			ETIMEDOUT) {
			continue;
		}
		uint64_t now = outlet != NULL ? outlet->confirmed(outlet->outlet) : 0;
		if (now == seen) {
			break;
		}
		seen = now;
		deadline = clock_mono_us() + worker->timeout_us;
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

static void report(struct worker *worker, size_t n, struct xylem_result *results)
{
	bool failed = false;

	for (size_t i = 0; i < n; i++) {
		const struct part *part = &worker->parts[i];
		if (failed) {
			results[i].failure = XYLEM_NOT_TRIED;
		} else if (part->error != 0) {
			failed = true;
			xylem_result_fail(&results[i], XYLEM_FAILURE_DOWN,
				part->indexed ? "xmpp-link" : "catalogue", "notifying subscribers: %s",
				xylem_error_row(part->error)->text);
		}
	}
}

static void node_count(struct node *node)
{
	if (node->counted == NULL) {
		node->counted = metric_series(METRIC_TOPIC_ITEMS, node->name, NULL, NULL);
	}
	metric_add(node->counted, 1);
}

static void count(
	struct topics *topics, const struct target *targets, const struct xylem_result *results, size_t n)
{
	struct node *node = NULL;

	pthread_mutex_lock(&topics->lock);
	for (size_t i = 0; i < n; i++) {
		const struct snapshot *topic = targets[i].topic;
		if (i == 0 || topic != targets[i - 1].topic) {
			node = topic->exists ? topics_find(topics, topic->name) : NULL;
		}
		if (node != NULL && results[i].failure == XYLEM_DELIVERED) {
			node->items++;
			node_count(node);
		}
	}
	pthread_mutex_unlock(&topics->lock);
}

static size_t subscribers_of(const struct target *target)
{
	const struct roster *roster = target->topic->roster;
	return roster != NULL ? roster->n : 0;
}

/* As many messages of the batch as STANZAS notifications take, but one at least. */
static size_t affordable(const struct target *targets, size_t n)
{
	size_t stanzas = 0;

	for (size_t i = 0; i < n; i++) {
		stanzas += subscribers_of(&targets[i]);
		if (stanzas > STANZAS && i > 0) {
			return i;
		}
	}
	return n;
}

/* One call: what is delivered to whom. */
struct call {
	struct worker *worker;
	struct topics *topics;
	const struct topic_outlet *outlet;
	const struct xylem_message *const *messages;
	struct target *targets;
	size_t n;
};

/* Does the message make a row, behind `rows` of its topic in the same chunk? At most so many are kept. */
static bool makes_row(const struct target *target, size_t rows)
{
	const struct topic_settings *settings = &target->topic->settings;
	bool kept = target->topic->exists && settings->persist;
	return kept && (settings->max_items == 0 || rows < (size_t)settings->max_items);
}

/* The chunk that begins at `from` ends before it makes more rows than it may. */
static size_t chunk_end(const struct call *call, size_t from)
{
	size_t rows = 0, of_topic = 0, most = from == 0 ? FIRST_CHUNK : CHUNK;

	for (size_t i = from; i < call->n; i++) {
		const struct target *target = &call->targets[i];
		of_topic = i > from && target->topic == target[-1].topic ? of_topic : 0;
		bool more = makes_row(target, of_topic);
		if (more && rows == most) {
			return i;
		}
		of_topic += more;
		rows += more;
	}
	return call->n;
}

/* Begins to enter the messages from `from` to `to`, if there are any. */
static int begin_chunk(const struct call *call, size_t from, size_t to)
{
	if (from >= to) {
		return 0;
	}
	return start_job(call->worker, call->topics, call->messages + from, call->targets + from, to - from);
}

/* Waits for the rows under way. */
static int await_job(struct worker *worker)
{
	if (worker->job == NULL) {
		return 0;
	}
	struct timespec until = clock_timespec(clock_mono_us() + worker->timeout_us);
	int late = 0;
	pthread_mutex_lock(&worker->lock);
	while (!worker->job_finished && !atomic_load(&worker->interrupted) && late == 0) {
		late = pthread_cond_clockwait(&worker->changed, &worker->lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&worker->lock);
	int error = job_leave(worker->job, worker->job_targets, worker->job_count);
	worker->job = NULL;
	return error;
}

static int notify_chunk(const struct call *call, size_t from, size_t to)
{
	struct worker *worker = call->worker;
	int error = 0;

	for (size_t i = from; i < to && error == 0; i++) {
		worker->parts[i].worker = worker;
		worker->parts[i].indexed = true;
		error = notify(worker, call->topics, call->outlet, &call->targets[i], call->messages[i],
			&worker->parts[i]);
		if (error != 0) { /* else part_done() has the word */
			worker->parts[i].error = error;
		}
	}
	if (call->outlet != NULL) {
		call->outlet->flush(call->outlet->outlet);
	}
	return error;
}

/* Chunk by chunk; after a failure nothing further goes out, so that order is kept. */
static void run_call(const struct call *call)
{
	size_t from = 0, to = chunk_end(call, 0);
	int error = begin_chunk(call, from, to);

	while (error == 0 && from < call->n) {
		error = await_job(call->worker);
		if (error != 0) {
			break;
		}
		size_t next = chunk_end(call, to);
		int next_error = begin_chunk(call, to, next);
		error = notify_chunk(call, from, to);
		error = error != 0 ? error : next_error;
		from = to;
		to = next;
	}
	(void)await_job(call->worker);
	if (error != 0 && from < call->n && call->worker->parts[from].error == 0) {
		call->worker->parts[from].error = error;
	}
}

/* As many messages as there was memory for; the rest is for the next call. */
static size_t find_targets(
	struct topics *topics, const struct xylem_message *const *messages, struct target *targets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		targets[i].topic = snapshot_of(topics, messages[i], i > 0 ? targets[i - 1].topic : NULL);
		if (targets[i].topic == NULL) {
			return i;
		}
	}
	return n;
}

static void deliver_to(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, struct target *targets, size_t n,
	struct xylem_result *results)
{
	topics_fanning(topics, true);
	size_t found = find_targets(topics, messages, targets, n);
	size_t now = affordable(targets, found);
	const struct topic_outlet *outlet = outlet_take(topics);
	const struct call call = { worker, topics, outlet, messages, targets, now };
	run_call(&call);
	topics_fanning(topics, false);
	await(worker, outlet);
	forget(worker, outlet, now);
	outlet_release(topics);
	report(worker, now, results);
	count(topics, targets, results, now);
	for (size_t i = 0; i < n; i++) {
		snapshot_unref(targets[i].topic);
		results[i].failure = i < now ? results[i].failure : XYLEM_NOT_TRIED;
	}
	if (found == 0) {
		xylem_result_fail(&results[0], XYLEM_FAILURE_DOWN, "topics", "out of memory");
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
	.batch = { .count = 2000, .bytes = 4 << 20 },
	.open = fanout_open,
	.close = fanout_close,
	.sink_open = fanout_sink_open,
	.deliver = fanout_deliver,
	.interrupt = fanout_interrupt,
	.sink_close = fanout_sink_close,
};
