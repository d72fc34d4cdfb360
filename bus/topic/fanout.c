/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fan-out: a sink inside the bus, fed by the internal route `bus.topics` from every topic.
 *
 *     messages -> rows of the items' index -> notifications to the outlet -> confirmed -> delivered
 *
 * A batch goes in chunks: while one chunk's notifications are queued, the rows
 * of the next are committed, so that the server is never left idle for a disk.
 * Then confirmations are waited for, as long as they come. In a stream the call
 * returns while the newest AHEAD messages are still on their way, and says that
 * these were not tried; the lane gives them again, before new ones, and here
 * they are known by their places and only waited for. So the server has something
 * to do while the lane settles the others. Items whose notifications would be
 * too many for one call are left for the next.
 * What fails here is never the message's fault, so that every failure says
 * `down`: the lane waits and tries again, and no item becomes a case. A
 * subscriber who refuses is the outlet's business.
 *
 * The rules not to break: nobody holds a part that the worker has let go; what
 * did not complete in time is forgotten first. Results are settled from the
 * first on, without a hole. Whoever is notified may ask for the item at once: its row is there first.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <metrics/metrics.h>
#include <topic/flight.h>
#include <xylem/log.h>

#define WORKER_MAGIC 0x66616e6fU
#define CHUNK 1000U      /* rows that are committed together */
#define FIRST_CHUNK 250U /* of these, since nothing is sent before them */
#define STANZAS 20000U   /* notifications of one call, unless one item has more subscribers */
#define AHEAD 1000U      /* messages that may be on their way when a call returns */
#define STREAM 500U      /* new messages in a call, from which on it is a stream */

struct worker {
	uint32_t magic;
	struct flight flight;
	struct entry_job *job; /* NULL: none; the worker's thread only, as the next two */
	struct part **job_parts;
	size_t job_count;
	bool job_finished; /* under the flight's lock, and signalled by its `changed` */
};

/* Counted by the worker and by the catalogue's job, which may come back late. */
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
	flight_init(&worker->flight, timeout_us);
	*ret_worker = worker;
	return 0;
}

static void fanout_sink_close(void *context)
{
	struct worker *worker = context;
	if (worker != NULL) {
		assert(worker->magic == WORKER_MAGIC);
		flight_finish(&worker->flight);
		worker->magic = 0;
		free(worker);
	}
}

static void fanout_interrupt(void *context)
{
	struct worker *worker = context;

	flight_interrupt(&worker->flight);
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
		pthread_mutex_lock(&worker->flight.lock);
		worker->job_finished = true;
		pthread_cond_broadcast(&worker->flight.changed);
		pthread_mutex_unlock(&worker->flight.lock);
	}
	pthread_mutex_unlock(&job->lock);
	if (worker == NULL) {
		pthread_mutex_destroy(&job->lock);
		free(job);
	}
}

/* Takes the result, or leaves the job to its completion. */
static int job_leave(struct entry_job *job, struct part *const *parts, size_t n)
{
	pthread_mutex_lock(&job->lock);
	bool finished = job->finished;
	for (size_t i = 0; i < n && finished; i++) {
		parts[i]->gone = job->gone[i];
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
	const struct xylem_message *const *messages, struct part **parts, size_t n)
{
	struct item_entry *entries = calloc(n, sizeof(*entries));
	struct entry_job *job = calloc(1, sizeof(*job) + n * sizeof(bool));
	size_t count = 0;

	for (size_t i = 0; entries != NULL && i < n; i++) {
		const struct snapshot *topic = parts[i]->topic;
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
		worker->job_parts = parts;
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

static int notify_recipients(const struct topic_outlet *outlet, const struct xylem_message *message,
	const struct recipients *recipients, struct part *part)
{
	struct flight *flight = part->flight;

	flight_begin(part);
	int error = outlet->notify(outlet->outlet, part->topic->name, &part->topic->settings, message,
		recipients->items, recipients->n, flight->timeout_us, &flight->interrupted, flight_done,
		part);
	if (error != 0) {
		flight_cancel(part);
	}
	return error;
}

static int notify(struct topics *topics, const struct topic_outlet *outlet,
	const struct xylem_message *message, struct part *part)
{
	const struct snapshot *topic = part->topic;
	struct recipients recipients;
	if (outlet == NULL || topic->roster == NULL || topic->roster->active == 0 || part->gone ||
		!topic->settings.deliver_notifications) {
		return 0;
	}
	if (!recipients_of(topics, &topic->settings, topic->roster, &recipients)) {
		return -XYLEM_E_MEMORY;
	}
	int error = recipients.n == 0 ? 0 : notify_recipients(outlet, message, &recipients, part);
	for (size_t i = 0; i < recipients.n && error == 0; i++) {
		refusals_sent(topics, recipients.items[i].jid, clock_wall_us());
	}
	recipients_finish(&recipients);
	return error;
}

/* --- Delivering ----------------------------------------------------------- */

/* Results from the first on; how many are final. The others are to be given again. */
static size_t report(struct part *const *parts, size_t n, struct xylem_result *results)
{
	size_t settled = flight_settled(parts, n);

	for (size_t i = 0; i < settled; i++) {
		if (parts[i]->error != 0) {
			xylem_result_fail(&results[i], XYLEM_FAILURE_DOWN,
				parts[i]->indexed ? "xmpp-link" : "catalogue", "notifying subscribers: %s",
				xylem_error_row(parts[i]->error)->text);
			return i + 1;
		}
	}
	return settled;
}

static void node_count(struct node *node)
{
	if (node->counted == NULL) {
		node->counted = metric_series(METRIC_TOPIC_ITEMS, node->name, NULL, NULL);
	}
	metric_add(node->counted, 1);
}

static void count(
	struct topics *topics, struct part *const *parts, const struct xylem_result *results, size_t n)
{
	struct node *node = NULL;

	pthread_mutex_lock(&topics->lock);
	for (size_t i = 0; i < n; i++) {
		const struct snapshot *topic = parts[i]->topic;
		if (i == 0 || topic != parts[i - 1]->topic) {
			node = topic->exists ? topics_find(topics, topic->name) : NULL;
		}
		if (node != NULL && results[i].failure == XYLEM_DELIVERED) {
			node->items++;
			node_count(node);
		}
	}
	pthread_mutex_unlock(&topics->lock);
}

/* Makes the parts of new messages, as many as STANZAS notifications take, but one at least; how many. */
static size_t make_parts(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, size_t n, struct part **parts)
{
	size_t stanzas = 0;

	for (size_t i = 0; i < n; i++) {
		parts[i] = flight_part(&worker->flight, topics, messages[i], i > 0 ? parts[i - 1] : NULL);
		if (parts[i] == NULL) {
			return i;
		}
		const struct roster *roster = parts[i]->topic->roster;
		stanzas += roster != NULL ? roster->n : 0;
		if (stanzas > STANZAS && i > 0) {
			flight_free(&parts[i], 1);
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
	struct part **parts;
	size_t n;
	bool busy; /* the server has something to do meanwhile */
};

/* Does the message make a row, behind `rows` of its topic in the same chunk? At most so many are kept. */
static bool makes_row(const struct part *part, size_t rows)
{
	const struct topic_settings *settings = &part->topic->settings;
	bool kept = part->topic->exists && settings->persist;
	return kept && (settings->max_items == 0 || rows < (size_t)settings->max_items);
}

/* The chunk that begins at `from` ends before it makes more rows than it may. */
static size_t chunk_end(const struct call *call, size_t from)
{
	size_t rows = 0, of_topic = 0, most = from == 0 && !call->busy ? FIRST_CHUNK : CHUNK;

	for (size_t i = from; i < call->n; i++) {
		struct part *const *part = &call->parts[i];
		of_topic = i > from && part[0]->topic == part[-1]->topic ? of_topic : 0;
		bool more = makes_row(*part, of_topic);
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
	return start_job(call->worker, call->topics, call->messages + from, call->parts + from, to - from);
}

/* Waits for the rows under way. */
static int await_job(struct worker *worker)
{
	if (worker->job == NULL) {
		return 0;
	}
	struct timespec until = clock_timespec(clock_mono_us() + worker->flight.timeout_us);
	int late = 0;
	pthread_mutex_lock(&worker->flight.lock);
	while (!worker->job_finished && !atomic_load(&worker->flight.interrupted) && late == 0) {
		late = pthread_cond_clockwait(
			&worker->flight.changed, &worker->flight.lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&worker->flight.lock);
	int error = job_leave(worker->job, worker->job_parts, worker->job_count);
	worker->job = NULL;
	return error;
}

static int notify_chunk(const struct call *call, size_t from, size_t to)
{
	int error = 0;

	for (size_t i = from; i < to && error == 0; i++) {
		struct part *part = call->parts[i];
		part->indexed = true;
		error = notify(call->topics, call->outlet, call->messages[i], part);
		if (error != 0) { /* else flight_done() has the word */
			part->error = error;
		}
	}
	if (call->outlet != NULL) {
		call->outlet->flush(call->outlet->outlet);
	}
	return error;
}

/* Chunk by chunk; after a failure nothing further goes out, so that order is kept. False: it failed. */
static bool run_call(const struct call *call)
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
	if (error != 0 && from < call->n && call->parts[from]->error == 0) {
		call->parts[from]->error = error;
	}
	return error == 0;
}

/* Tells the results, and keeps what is on its way for the next call. */
static void conclude(const struct call *call, struct xylem_result *results)
{
	size_t final = report(call->parts, call->n, results);
	bool failed = final > 0 && results[final - 1].failure != XYLEM_DELIVERED;

	count(call->topics, call->parts, results, final);
	flight_free(call->parts, final);
	struct part **rest = call->parts + final;
	size_t left = call->n - final;
	if (failed || !flight_keep(&call->worker->flight, call->topics, call->outlet, rest, left)) {
		flight_forget(rest, left, call->outlet);
		flight_free(rest, left);
	}
	for (size_t i = final; i < call->n; i++) {
		results[i].failure = XYLEM_NOT_TRIED;
	}
}

static void deliver_to(struct worker *worker, struct topics *topics,
	const struct xylem_message *const *messages, struct part **parts, size_t n,
	struct xylem_result *results)
{
	const struct topic_outlet *outlet = outlet_take(topics);
	size_t known = flight_take(&worker->flight, outlet, messages, n, parts);

	topics_fanning(topics, true);
	size_t more = make_parts(worker, topics, messages + known, n - known, parts + known);
	const struct call fresh = { worker, topics, outlet, messages + known, parts + known, more,
		known > 0 };
	bool went = run_call(&fresh);
	topics_fanning(topics, false);
	if (!flight_await(&worker->flight, outlet, went && more >= STREAM ? AHEAD : 0)) {
		flight_forget(parts, known + more, outlet);
	}
	const struct call all = { worker, topics, outlet, messages, parts, known + more, known > 0 };
	conclude(&all, results);
	outlet_release(topics);
	for (size_t i = known + more; i < n; i++) {
		results[i].failure = XYLEM_NOT_TRIED;
	}
	if (known + more == 0) {
		xylem_result_fail(&results[0], XYLEM_FAILURE_DOWN, "topics", "out of memory");
	}
}

static void fanout_deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = context;
	assert(worker->magic == WORKER_MAGIC);
	struct topics *topics = topics_current();

	atomic_store(&worker->flight.interrupted, false);
	struct part **parts = calloc(n, sizeof(*parts));
	if (topics == NULL || parts == NULL) {
		for (size_t i = 0; i < n; i++) {
			results[i].failure = i == 0 ? XYLEM_FAILURE_DOWN : XYLEM_NOT_TRIED;
		}
		xylem_result_fail(&results[0], XYLEM_FAILURE_DOWN, "topics", "%s",
			topics == NULL ? "the topics are not running" : "out of memory");
	} else {
		deliver_to(worker, topics, messages, parts, n, results);
	}
	free(parts);
}

static const struct xylem_option no_options[] = { XYLEM_OPTIONS_END };

const struct xylem_connector topic_fanout = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED,
	.name = "subscribers",
	.summary = "Notifies the subscribers of topics; made by the bus for each topic.",
	.options = no_options,
	.batch = { .count = 3000, .bytes = 4 << 20 },
	.open = fanout_open,
	.close = fanout_close,
	.sink_open = fanout_sink_open,
	.deliver = fanout_deliver,
	.interrupt = fanout_interrupt,
	.sink_close = fanout_sink_close,
};
