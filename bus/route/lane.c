/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one route toward one destination, with its own cursor, order,
 * retries, circuit and pause, so that a slow or dead destination holds up
 * nothing else. Its worker threads are alike: each takes messages up, delivers
 * what is ready, and hands what is settled to the catalogue.
 *
 * A lane is stopped to change its plan: what was settled is committed, what was
 * not is forgotten and taken up again by the new plan from the cursor. That is
 * the same path as a restart of the process, so there is only one to get right.
 *
 * Lock: `lock` of the lane; taken before the hospital's and the metrics' own,
 * never while a sink, the journal or a step runs.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/reason.h>
#include <base/thread.h>
#include <route/lane_body.h>
#include <xylem/log.h>

/* Workers look around at least this often: for commits that were put off, and for what no wake-up tells. */
#define TICK_US ((int64_t)500000)
#define TAKES 8 /* batches of the journal before a look at everything else */
#define NO_POSITION ((struct xylem_position){ UINT32_MAX, UINT64_MAX })
/* The stack of a worker: sinks and steps run on it (libjq recurses on its programs). */
#define WORKER_STACK ((size_t)1024 * 1024)

static const char *const condition_names[] = { "running", "idle", "down", "misconfigured", "paused",
	"stopped", "retired" };

const char *lane_condition_name(enum lane_condition condition)
{
	return condition_names[condition];
}

void lane_plan_finish(struct lane_plan *plan)
{
	plan->route = route_unref(plan->route);
	plan->sink = instance_unref(plan->sink);
}

/* --- Life ----------------------------------------------------------------- */

struct lane *lane_new(const struct lane_services *services, const struct lane_record *record)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	if (!lane) {
		return NULL;
	}
	lane->magic = LANE_MAGIC;
	lane->services = services;
	lane->record = *record;
	lane->record.holes = (struct xylem_buffer){ 0 };
	xylem_buffer_span(&lane->record.holes, xylem_buffer_borrow(&record->holes));
	lane->read = record->cursor;
	snprintf(lane->name, sizeof(lane->name), "%.126s/%.126s", record->route, record->destination);
	lane->condition = record->retired ? LANE_RETIRED : LANE_IDLE;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->idle, NULL);
	for (int i = 0; i < 7; i++) {
		lane->metric_attempts[i] = metric_series(METRIC_ATTEMPTS, record->route, record->destination,
			i == XYLEM_DELIVERED ? "none" : xylem_failure_name(i));
	}
	for (int i = OUTCOME_DELIVERED; i <= OUTCOME_DIVERTED; i++) {
		lane->metric_outcomes[i] = metric_series(
			METRIC_OUTCOMES, record->route, record->destination, outcome_name(i));
	}
	lane->metric_end_to_end = metric_series(METRIC_END_TO_END, record->route, record->destination, NULL);
	return lane;
}

struct lane *lane_free(struct lane *lane)
{
	if (lane) {
		assert(lane->magic == LANE_MAGIC && lane->worker_count == 0);
		lane_plan_finish(&lane->plan);
		lane_record_finish(&lane->record);
		pthread_mutex_destroy(&lane->lock);
		pthread_cond_destroy(&lane->idle);
		free(lane->past);
		lane->magic = 0;
		free(lane);
	}
	return NULL;
}

/* --- Workers -------------------------------------------------------------- */

void lane_wake(struct lane *lane)
{
	for (size_t i = 0; i < lane->worker_count; i++) {
		if (lane->workers[i].waiter) {
			journal_wake(lane->workers[i].waiter);
		}
	}
}

/* Enough to fill two picks is taken up ahead; behind an open circuit, only what a probe needs. */
static bool wants_more(const struct lane *lane, int64_t now)
{
	if (lane->stopping || lane->stopped || lane->record.paused || lane->blocked_until_us > now) {
		return false;
	}
	if (lane_shedding(lane)) {
		return true;
	}
	return lane->circuit.open ? lane->window.unsettled == 0 : lane->window.ready < 2 * lane->pick_count;
}

/* A batch of the journal is often less than one of the sink: a few are taken up before the sink is called. */
static bool take_up(struct lane *lane, struct lane_worker *worker, int64_t now)
{
	bool moved = wants_more(lane, now) && lane_take(lane, worker);
	for (int i = 1; moved && i < TAKES && lane->window.ready < lane->pick_count; i++) {
		if (!wants_more(lane, now) || !lane_take(lane, worker)) {
			break;
		}
	}
	return moved;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* One look at everything; true: something moved, look again at once. */
static bool look(struct lane *lane, struct lane_worker *worker, int64_t *ret_until)
{
	int64_t now = clock_mono_us();
	*ret_until = sooner(now + TICK_US, window_wake(&lane->window, now));
	if (lane->blocked_until_us > now) {
		*ret_until = sooner(*ret_until, lane->blocked_until_us);
	}
	bool moved = take_up(lane, worker, now);
	moved = lane_shed(lane) || moved;
	int64_t until = INT64_MAX;
	moved = lane_deliver(lane, worker, &until) || moved;
	*ret_until = sooner(*ret_until, until);
	lane_commit(lane, false);
	lane_show(lane);
	return moved;
}

static void *worker_run(void *context)
{
	struct lane_worker *worker = context;
	struct lane *lane = worker->lane;
	assert(lane->magic == LANE_MAGIC);
	pthread_mutex_lock(&lane->lock);
	while (!lane->stopping) {
		int64_t until;
		if (look(lane, worker, &until)) {
			continue;
		}
		/* Growth of the journal wakes only those who could take more up. */
		bool hungry = wants_more(lane, clock_mono_us()) && !lane->taking &&
			      window_room(&lane->window) > 0;
		struct xylem_position from = hungry && !lane->batch ? lane->read : NO_POSITION;
		pthread_mutex_unlock(&lane->lock);
		journal_wait(worker->waiter, from, until);
		pthread_mutex_lock(&lane->lock);
	}
	pthread_cond_broadcast(&lane->idle);
	pthread_mutex_unlock(&lane->lock);
	return NULL;
}

static int worker_open(struct lane_worker *worker, struct lane *lane, struct xylem_reason *reason)
{
	size_t n = lane->pick_count;
	worker->lane = lane;
	worker->units = calloc(n, sizeof(*worker->units));
	worker->messages = calloc(n, sizeof(*worker->messages));
	worker->results = calloc(n, sizeof(*worker->results));
	worker->diverted = calloc(n, sizeof(*worker->diverted));
	worker->positions = calloc(n, sizeof(*worker->positions));
	worker->route = route_worker_new(lane->plan.route);
	worker->waiter = journal_waiter_new(lane->services->journal);
	if (!worker->units || !worker->messages || !worker->results || !worker->diverted ||
		!worker->positions || !worker->route || !worker->waiter) {
		return -XYLEM_E_MEMORY;
	}
	return instance_sink_open(lane->plan.sink, lane->plan.options->timeout_us, &worker->sink, reason);
}

static void worker_close(struct lane_worker *worker)
{
	if (worker->sink) {
		instance_kind(worker->lane->plan.sink)->sink_close(worker->sink);
	}
	journal_waiter_free(worker->waiter);
	route_worker_free(worker->route);
	free(worker->units);
	free(worker->messages);
	free(worker->results);
	free(worker->diverted);
	free(worker->positions);
	*worker = (struct lane_worker){ 0 };
}

static int workers_start(struct lane *lane, struct xylem_reason *reason)
{
	size_t n = (size_t)lane->plan.options->parallel;
	lane->workers = calloc(n, sizeof(*lane->workers));
	if (!lane->workers) {
		return -XYLEM_E_MEMORY;
	}
	int error = 0;
	for (; lane->worker_count < n && !error; lane->worker_count++) {
		error = worker_open(&lane->workers[lane->worker_count], lane, reason);
	}
	char name[16];
	snprintf(name, sizeof(name), "lane-%u", lane->record.number);
	for (size_t i = 0; i < n && !error; i++) {
		struct lane_worker *worker = &lane->workers[i];
		error = thread_start(&worker->thread, name, WORKER_STACK, worker_run, worker);
		worker->started = !error;
	}
	return error;
}

static void workers_end(struct lane *lane)
{
	for (size_t i = 0; i < lane->worker_count; i++) {
		if (lane->workers[i].started) {
			pthread_join(lane->workers[i].thread, NULL);
		}
	}
	/* A commit that ends meanwhile, on the catalogue's thread, looks at the workers that it finds here. */
	pthread_mutex_lock(&lane->lock);
	struct lane_worker *workers = lane->workers;
	size_t n = lane->worker_count;
	lane->workers = NULL;
	lane->worker_count = 0;
	pthread_mutex_unlock(&lane->lock);
	for (size_t i = 0; i < n; i++) {
		worker_close(&workers[i]);
	}
	free(workers);
}

/* --- Start and stop --------------------------------------------------------- */

static size_t pick_count(const struct lane_plan *plan)
{
	size_t count = (size_t)plan->options->batch_count;
	if (count == 0) {
		count = instance_kind(plan->sink)->batch.count;
	}
	size_t window = (size_t)plan->options->window;
	count = count ? count : 1;
	return count < window ? count : window;
}

/* What was diverted since the last commit is in the journal behind both. */
static int divert_start(struct lane *lane, struct xylem_reason *reason)
{
	if (!lane->plan.otherwise) {
		return 0;
	}
	struct divert_options options = { lane->services->journal, lane->record.route,
		lane->record.destination, lane->plan.otherwise, lane->record.cursor };
	if (lane->record.journal_end > options.known_from.offset) {
		options.known_from.offset = lane->record.journal_end;
	}
	int error = divert_new(&lane->divert, &options);
	if (error) {
		xylem_reason_set(reason,
			"the journal cannot be scanned for what was sent on by `otherwise`: %s",
			xylem_error_row(error)->text);
	}
	return error;
}

int lane_start(struct lane *lane, const struct lane_plan *plan, struct xylem_reason *reason)
{
	assert(lane->worker_count == 0);
	lane_plan_finish(&lane->plan);
	lane->plan = *plan;
	lane->pick_count = pick_count(plan);
	bool runs = instance_kind(plan->sink)->flags & XYLEM_SINK_ORDERED;
	int error = window_init(&lane->window, (size_t)plan->options->window, plan->options->order, runs);
	lane->read = lane->record.cursor;
	lane_past_set(lane, xylem_buffer_borrow(&lane->record.holes));
	lane->shed_below = 0;
	if (!error) {
		lane_held_load(lane);
	}
	lane->circuit = (struct circuit){ 0 };
	lane->stopping = lane->stopped = false;
	lane->blocked_until_us = 0;
	lane->why[0] = '\0';
	lane->record.retired = false;
	error = error ? error : divert_start(lane, reason);
	error = error ? error : workers_start(lane, reason);
	if (error) {
		lane_stop(lane, 0);
	}
	return error;
}

void lane_ask_stop(struct lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	lane->stopping = true;
	lane_wake(lane);
	pthread_mutex_unlock(&lane->lock);
}

static bool delivering(const struct lane *lane)
{
	for (size_t i = 0; i < lane->worker_count; i++) {
		if (lane->workers[i].delivering) {
			return true;
		}
	}
	return false;
}

/* Ends deliveries that take longer than the grace: they count as not delivered, and come again. */
static void interrupt_slow(struct lane *lane, int64_t grace_us)
{
	struct timespec until = clock_timespec(clock_mono_us() + grace_us);
	pthread_mutex_lock(&lane->lock);
	while (delivering(lane)) {
		if (pthread_cond_clockwait(&lane->idle, &lane->lock, CLOCK_MONOTONIC, &until) != 0) {
			break;
		}
	}
	const struct xylem_connector *kind = instance_kind(lane->plan.sink);
	for (size_t i = 0; i < lane->worker_count; i++) {
		if (lane->workers[i].delivering && kind->interrupt) {
			kind->interrupt(lane->workers[i].sink);
		}
	}
	pthread_mutex_unlock(&lane->lock);
}

/* What is settled goes to the catalogue; if that cannot take it, it is delivered again later. */
static void commit_last(struct lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	for (int tries = 0; tries < 2; tries++) {
		lane_commit(lane, true);
		while (lane->committing) {
			pthread_cond_wait(&lane->idle, &lane->lock);
		}
	}
	pthread_mutex_unlock(&lane->lock);
}

static void forget(struct lane *lane)
{
	lane_commit_drop(lane);
	lane->batch = route_batch_unref(lane->batch);
	lane->batch_index = 0;
	window_finish(&lane->window);
	lane->divert = divert_free(lane->divert);
	lane_held_forget(lane);
}

void lane_stop(struct lane *lane, int64_t grace_us)
{
	if (lane->worker_count > 0) {
		lane_ask_stop(lane);
		interrupt_slow(lane, grace_us);
		workers_end(lane);
		commit_last(lane);
	}
	forget(lane);
}

void lane_pause(struct lane *lane, const char *why)
{
	pthread_mutex_lock(&lane->lock);
	lane->record.paused = why != NULL;
	snprintf(lane->record.paused_why, sizeof(lane->record.paused_why), "%s", why ? why : "");
	if (!why) {
		lane->stopped = lane->stopped && !lane_running(lane); /* that takes a reload */
		lane->blocked_until_us = 0;
		circuit_hurry(&lane->circuit, clock_mono_us());
	}
	lane_wake(lane);
	lane_show(lane);
	pthread_mutex_unlock(&lane->lock);
}

void lane_cannot_start(struct lane *lane, const char *why)
{
	pthread_mutex_lock(&lane->lock);
	struct xylem_reason whole;
	xylem_reason_set(&whole, "it cannot start: %s; a reload tries again", why);
	reason_copy(lane->why, sizeof(lane->why), whole.text);
	lane->stopped = true;
	lane_show(lane);
	pthread_mutex_unlock(&lane->lock);
}

void lane_block(struct lane *lane, int64_t us, const char *format, ...)
{
	struct xylem_reason why;
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(&why, format, arguments);
	va_end(arguments);
	reason_copy(lane->why, sizeof(lane->why), why.text);
	lane->blocked_until_us = clock_mono_us() + us;
}

/* --- What it shows --------------------------------------------------------- */

bool lane_running(const struct lane *lane)
{
	return lane->worker_count > 0;
}

static enum lane_condition condition_of(const struct lane *lane)
{
	if (lane->stopped) {
		return LANE_STOPPED;
	}
	if (lane->record.retired) {
		return LANE_RETIRED;
	}
	if (lane->record.paused) {
		return LANE_PAUSED;
	}
	if (lane->blocked_until_us > clock_mono_us()) {
		return LANE_STOPPED;
	}
	if (lane->circuit.open) {
		return lane->circuit.failure == XYLEM_FAILURE_MISCONFIGURED ? LANE_MISCONFIGURED : LANE_DOWN;
	}
	return lane->window.unsettled > 0 || lane->batch ? LANE_RUNNING : LANE_IDLE;
}

static const char *why_of(const struct lane *lane, enum lane_condition condition)
{
	switch (condition) {
	case LANE_DOWN:
	case LANE_MISCONFIGURED:
		return lane->circuit.last.reason.text;
	case LANE_STOPPED:
		return lane->why;
	case LANE_PAUSED:
		return lane->record.paused_why;
	default:
		return "";
	}
}

void lane_show(struct lane *lane)
{
	enum lane_condition condition = condition_of(lane);
	if (condition == lane->condition) {
		return;
	}
	/* Between work and rest a lane changes all the time: nobody is told. */
	bool told = condition > LANE_IDLE || lane->condition > LANE_IDLE;
	lane->condition = condition;
	if (told && condition == LANE_STOPPED) {
		xylem_log(XYLEM_LOG_WARNING, "lane", "%s: stopped: %s", lane->name, lane->why);
	}
	if (told && lane->services->changed) {
		lane->services->changed(
			lane->services->context, lane->name, condition, why_of(lane, condition));
	}
}

static int64_t to_wall(int64_t mono_us)
{
	return mono_us == INT64_MAX ? 0 : clock_wall_us() + (mono_us - clock_mono_us());
}

static int64_t oldest_age(const struct lane *lane)
{
	const struct entry *first = window_first(&lane->window);
	const struct xylem_message *oldest = first && first->evaluated ? first->evaluated->original
					     : lane->batch ? lane->batch->items[lane->batch_index].original
							   : NULL;
	int64_t age = oldest ? clock_wall_us() - oldest->journal_time_us : 0;
	return age > 0 ? age : 0;
}

void lane_get_state(struct lane *lane, struct lane_state *ret_state)
{
	struct xylem_position end = journal_end(lane->services->journal);
	pthread_mutex_lock(&lane->lock);
	const struct lane_counters *counters = &lane->counters;
	enum lane_condition condition = condition_of(lane);
	int64_t next = sooner(circuit_next(&lane->circuit),
		lane->window.waiting_first ? lane->window.waiting_first->due_us : INT64_MAX);
	*ret_state = (struct lane_state){
		.number = lane->record.number,
		.condition = condition,
		.cursor = lane->record.cursor,
		.backlog = end.offset > lane->record.cursor.offset ? end.offset - lane->record.cursor.offset
								   : 0,
		.oldest_us = oldest_age(lane),
		.in_flight = lane->window.in_flight,
		.waiting = lane->window.waiting,
		.delivered = counters->delivered,
		.filtered = counters->filtered,
		.expired = counters->expired,
		.hospitalised = counters->hospitalised,
		.discarded = counters->discarded,
		.diverted = counters->diverted,
		.attempts = counters->attempts,
		.failed_attempts = counters->failed_attempts,
		.next_try_us = to_wall(next),
		.blocked_keys = (uint32_t)lane->window.blocked_keys,
	};
	snprintf(ret_state->name, sizeof(ret_state->name), "%s", lane->name);
	memcpy(ret_state->route, lane->record.route, sizeof(ret_state->route));
	memcpy(ret_state->destination, lane->record.destination, sizeof(ret_state->destination));
	reason_copy(ret_state->why, sizeof(ret_state->why), why_of(lane, condition));
	pthread_mutex_unlock(&lane->lock);
}
