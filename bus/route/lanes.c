/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of lanes. A generation is turned into wishes first (lane_wishes.c),
 * all of them, which may fail and then changes nothing; then the lanes that are
 * to be otherwise are stopped together and started again one by one.
 *
 * A thread of its own, `lanes`, tells the journal what is released, sets the
 * gauges, and looks after full backlogs and held keys.
 *
 * Lock: `lock` of the set, taken before any lane's; held while lanes change,
 * not while they work.
 */
#include <stdlib.h>

#include <base/clock.h>
#include <base/thread.h>
#include <route/lane_wishes.h>
#include <topic/derive.h>
#include <xylem/log.h>

#define TICK_US ((int64_t)100000)
/* Held keys are compared with the open cases every so many ticks. */
#define KEYS_EVERY 10
/* How long a delivery under way may last before a change of its lane cuts it short. */
#define CHANGE_GRACE_US ((int64_t)500000)

struct lanes {
	const struct lane_services *services;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct lane **items; /* by number */
	size_t n;
	pthread_t thread;
	bool ticking, ending;
	uint64_t ticks;
};

/* --- Finding ---------------------------------------------------------------- */

static struct lane *find(const struct lanes *lanes, const char *route, const char *destination)
{
	for (size_t i = 0; i < lanes->n; i++) {
		const struct lane_record *record = &lanes->items[i]->record;
		if (strcmp(record->route, route) == 0 && strcmp(record->destination, destination) == 0) {
			return lanes->items[i];
		}
	}
	return NULL;
}

static struct lane *find_named(const struct lanes *lanes, const char *name)
{
	for (size_t i = 0; i < lanes->n; i++) {
		if (strcmp(lanes->items[i]->name, name) == 0) {
			return lanes->items[i];
		}
	}
	return NULL;
}

static int not_found(struct xylem_reason *reason, const char *name)
{
	xylem_reason_set(reason, "there is no lane \"%s\"; a lane is named ROUTE/DESTINATION", name);
	return -XYLEM_E_NOT_FOUND;
}

static int add(struct lanes *lanes, const struct lane_record *record)
{
	struct lane **items = realloc(lanes->items, (lanes->n + 1) * sizeof(*items));
	if (!items) {
		return -XYLEM_E_MEMORY;
	}
	lanes->items = items;
	struct lane *lane = lane_new(lanes->services, record);
	if (!lane) {
		return -XYLEM_E_MEMORY;
	}
	lanes->items[lanes->n++] = lane;
	return 0;
}

/* --- Applying ---------------------------------------------------------------- */

static int create(struct lanes *lanes, struct lane_wish *wish, struct xylem_reason *reason)
{
	struct lane_record record = { 0 };
	memcpy(record.route, wish->route, sizeof(record.route));
	memcpy(record.destination, wish->destination, sizeof(record.destination));
	int error = lane_wish_begin(wish, lanes->services->journal, &record.cursor, reason);
	record.journal_end = record.cursor.offset;
	error = error ? error : lane_record_create(lanes->services->catalogue, &record, reason);
	error = error ? error : add(lanes, &record);
	if (!error) {
		wish->lane = lanes->items[lanes->n - 1];
	}
	return error;
}

/* What was made for a generation that cannot be had goes again: it would hold the journal, and be retired by the next. */
static void take_back(struct lanes *lanes, size_t n)
{
	while (lanes->n > n) {
		struct lane *lane = lanes->items[--lanes->n];
		struct xylem_reason reason = { "" };
		if (lane_record_drop(lanes->services->catalogue, lane->record.number, &reason) != 0) {
			xylem_log(XYLEM_LOG_WARNING, "lane",
				"%s was made for a configuration that was refused, and stays: %s", lane->name,
				reason.text);
		}
		lane_free(lane);
	}
}

static int derive_instance(struct lanes *lanes, struct lane_wish *wish, struct xylem_reason *reason)
{
	struct derive_options options = { wish->topic, wish->route, lanes->services->journal,
		wish->lane->record.journal_end };
	struct instance_options instance = {
		.name = wish->destination, .kind = &topic_derive, .options = &options
	};
	return instance_open(&wish->plan.sink, &instance, reason);
}

static void start(struct lanes *lanes, struct lane_wish *wish)
{
	struct lane *lane = wish->lane;
	struct xylem_reason reason = { "" };
	int error = 0;
	if (lane->record.retired) {
		error = lane_record_set_retired(
			lanes->services->catalogue, lane->record.number, false, &reason);
	}
	if (!error && wish->topic) {
		/* Its names lie in this generation, which the route holds. */
		error = derive_instance(lanes, wish, &reason);
	}
	if (!error) {
		error = lane_start(lane, &wish->plan, &reason);
		wish->plan = (struct lane_plan){ 0 };
	}
	if (error) {
		lane_cannot_start(lane, reason.text[0] ? reason.text : xylem_error_row(error)->text);
	}
}

static void retire(struct lanes *lanes, struct lane *lane)
{
	struct xylem_reason reason;
	lane_stop(lane, CHANGE_GRACE_US);
	lane->stopped = false;
	if (lane->record.retired) {
		return;
	}
	lane->record.retired = true;
	if (lane_record_set_retired(lanes->services->catalogue, lane->record.number, true, &reason) != 0) {
		xylem_log(XYLEM_LOG_ERROR, "lane", "%s: retired, but not in the catalogue: %s", lane->name,
			reason.text);
	}
	xylem_log(XYLEM_LOG_NOTICE, "lane",
		"%s is retired; its backlog waits until the name returns or it is dropped", lane->name);
}

static void change(struct lanes *lanes, struct lane_wishes *wishes)
{
	for (size_t i = 0; i < lanes->n; i++) {
		if (lane_running(lanes->items[i]) && !lane_wishes_have(wishes, lanes->items[i])) {
			lane_ask_stop(lanes->items[i]);
		}
	}
	for (size_t i = 0; i < wishes->n; i++) {
		struct lane_wish *wish = &wishes->items[i];
		wish->keep = lane_wish_unchanged(wish);
		if (!wish->keep && lane_running(wish->lane)) {
			lane_ask_stop(wish->lane);
		}
	}
	for (size_t i = 0; i < wishes->n; i++) {
		struct lane_wish *wish = &wishes->items[i];
		if (!wish->keep) {
			lane_stop(wish->lane, CHANGE_GRACE_US);
			start(lanes, wish);
		}
	}
	for (size_t i = 0; i < lanes->n; i++) {
		if (!lane_wishes_have(wishes, lanes->items[i])) {
			retire(lanes, lanes->items[i]);
		}
	}
}

int lanes_apply(struct lanes *lanes, struct config *config, const struct lanes_sinks *sinks,
	struct xylem_reason *reason)
{
	struct lane_wishes wishes = { 0 };
	pthread_mutex_lock(&lanes->lock);
	size_t before = lanes->n;
	int error = lane_wishes_make(&wishes, lanes->services->journal, config, sinks);
	for (size_t i = 0; i < wishes.n && !error; i++) {
		struct lane_wish *wish = &wishes.items[i];
		wish->lane = find(lanes, wish->route, wish->destination);
		error = wish->lane ? 0 : create(lanes, wish, reason);
	}
	if (!error) {
		change(lanes, &wishes);
	} else {
		take_back(lanes, before);
	}
	lane_wishes_finish(&wishes);
	pthread_mutex_unlock(&lanes->lock);
	return error;
}

/* --- The thread --------------------------------------------------------------- */

static void gauges_set(const struct lane_state *state)
{
	metric_set(metric_series(METRIC_LANE_BACKLOG, state->route, state->destination, NULL),
		(double)state->backlog);
	metric_set(metric_series(METRIC_LANE_OLDEST, state->route, state->destination, NULL),
		(double)state->oldest_us / 1e6);
	for (int i = LANE_RUNNING; i <= LANE_RETIRED; i++) {
		metric_set(metric_series(METRIC_LANE_STATE, state->route, state->destination,
				   lane_condition_name(i)),
			state->condition == (enum lane_condition)i);
	}
}

/*
 * How many bytes a lane may leave waiting; 0: any number. A lane without a
 * limit of its own is over it while the journal is held and it is what holds it.
 */
static uint64_t backlog_limit(const struct lane *lane, const struct journal_state *journal)
{
	const struct lane_options *options = lane->plan.options;
	if (options->max_backlog > 0) {
		return (uint64_t)options->max_backlog;
	}
	return options->overflow != LANE_OVERFLOW_HOLD && journal->held ? journal->hold_bytes * 8 / 10 : 0;
}

/* Sheds the oldest of a backlog that is too long, or asks for its sources to be held. */
static void backlog_look(
	struct lane *lane, const struct lane_state *state, const struct journal_state *journal)
{
	uint64_t limit = backlog_limit(lane, journal);
	uint64_t waiting = limit ? journal_distance(lane->services->journal, state->cursor) : 0;
	bool hold = lane->plan.options->overflow == LANE_OVERFLOW_HOLD;
	/* Held until a fifth of it is free again, so that sources do not flutter. */
	lane->over = hold && waiting > (lane->over ? limit * 8 / 10 : limit);
	if (hold || waiting <= limit) {
		return;
	}
	/* By the mean size: what is too much is gone after a few looks. */
	uint64_t excess = (uint64_t)((double)state->backlog * (double)(waiting - limit * 9 / 10) /
				     (double)waiting);
	pthread_mutex_lock(&lane->lock);
	lane->shed_below = state->cursor.offset + excess;
	lane_wake(lane);
	pthread_mutex_unlock(&lane->lock);
}

/* The sink says that somebody is there again: what waits is tried now. */
static void ready_look(struct lane *lane)
{
	uint64_t ready = instance_ready(lane->plan.sink);
	if (ready == lane->ready_seen) {
		return;
	}
	lane->ready_seen = ready;
	pthread_mutex_lock(&lane->lock);
	circuit_hurry(&lane->circuit, clock_mono_us());
	lane_wake(lane);
	pthread_mutex_unlock(&lane->lock);
}

static void tick(struct lanes *lanes)
{
	struct journal_state journal;
	journal_state(lanes->services->journal, &journal);
	bool look_at_keys = ++lanes->ticks % KEYS_EVERY == 0;
	for (size_t i = 0; i < lanes->n; i++) {
		struct lane *lane = lanes->items[i];
		struct lane_state state;
		lane_get_state(lane, &state);
		gauges_set(&state);
		if (lane_running(lane)) {
			backlog_look(lane, &state, &journal);
			ready_look(lane);
		}
		if (look_at_keys && lane_running(lane) && lane_holds_keys(lane)) {
			lane_held_refresh(lane);
		}
	}
}

bool lanes_hold(struct lanes *lanes, const char *connector)
{
	bool hold = false;
	pthread_mutex_lock(&lanes->lock);
	for (size_t i = 0; i < lanes->n && !hold; i++) {
		const struct lane *lane = lanes->items[i];
		hold = lane_running(lane) && lane->over &&
		       route_takes_from(route_plan(lane->plan.route), xylem_span_of(connector));
	}
	pthread_mutex_unlock(&lanes->lock);
	return hold;
}

struct xylem_position lanes_released(struct lanes *lanes)
{
	struct xylem_position lowest = journal_end(lanes->services->journal);
	pthread_mutex_lock(&lanes->lock);
	for (size_t i = 0; i < lanes->n; i++) {
		struct lane *lane = lanes->items[i];
		pthread_mutex_lock(&lane->lock);
		if (lane->record.cursor.offset < lowest.offset) {
			lowest = lane->record.cursor;
		}
		pthread_mutex_unlock(&lane->lock);
	}
	pthread_mutex_unlock(&lanes->lock);
	return lowest;
}

static void *lanes_run(void *context)
{
	struct lanes *lanes = context;
	pthread_mutex_lock(&lanes->lock);
	while (!lanes->ending) {
		tick(lanes);
		pthread_mutex_unlock(&lanes->lock);
		journal_release(lanes->services->journal, lanes_released(lanes));
		struct timespec until = clock_timespec(clock_mono_us() + TICK_US);
		pthread_mutex_lock(&lanes->lock);
		if (!lanes->ending) {
			pthread_cond_clockwait(&lanes->ended, &lanes->lock, CLOCK_MONOTONIC, &until);
		}
	}
	pthread_mutex_unlock(&lanes->lock);
	return NULL;
}

/* --- Life --------------------------------------------------------------------- */

static int load(struct lanes *lanes, struct xylem_reason *reason)
{
	struct lane_record *records = NULL;
	size_t n = 0;
	int error = lane_records_load(lanes->services->catalogue, &records, &n, reason);
	for (size_t i = 0; i < n; i++) {
		error = error ? error : add(lanes, &records[i]);
		lane_record_finish(&records[i]);
	}
	free(records);
	return error;
}

int lanes_new(struct lanes **ret_lanes, const struct lane_services *services, struct xylem_reason *reason)
{
	struct lanes *lanes = calloc(1, sizeof(*lanes));
	if (!lanes) {
		return -XYLEM_E_MEMORY;
	}
	lanes->services = services;
	pthread_mutex_init(&lanes->lock, NULL);
	pthread_cond_init(&lanes->ended, NULL);
	int error = load(lanes, reason);
	if (!error) {
		error = thread_start(&lanes->thread, "lanes", 0, lanes_run, lanes);
		lanes->ticking = !error;
	}
	if (error) {
		lanes_free(lanes, 0);
		return error;
	}
	*ret_lanes = lanes;
	return 0;
}

struct lanes *lanes_free(struct lanes *lanes, int64_t grace_us)
{
	if (!lanes) {
		return NULL;
	}
	if (lanes->ticking) {
		pthread_mutex_lock(&lanes->lock);
		lanes->ending = true;
		pthread_cond_signal(&lanes->ended);
		pthread_mutex_unlock(&lanes->lock);
		pthread_join(lanes->thread, NULL);
	}
	int64_t until = clock_mono_us() + grace_us;
	for (size_t i = 0; i < lanes->n; i++) {
		lane_ask_stop(lanes->items[i]);
	}
	for (size_t i = 0; i < lanes->n; i++) {
		int64_t left = until - clock_mono_us();
		lane_stop(lanes->items[i], left > 0 ? left : 0);
		lane_free(lanes->items[i]);
	}
	free(lanes->items);
	pthread_mutex_destroy(&lanes->lock);
	pthread_cond_destroy(&lanes->ended);
	free(lanes);
	return NULL;
}

/* --- For operators -------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lane_state *)a)->name, ((const struct lane_state *)b)->name);
}

int lanes_list(struct lanes *lanes, struct lane_state **ret_states, size_t *ret_n)
{
	pthread_mutex_lock(&lanes->lock);
	size_t n = lanes->n;
	struct lane_state *states = calloc(n ? n : 1, sizeof(*states));
	for (size_t i = 0; states && i < n; i++) {
		lane_get_state(lanes->items[i], &states[i]);
	}
	pthread_mutex_unlock(&lanes->lock);
	if (!states) {
		return -XYLEM_E_MEMORY;
	}
	qsort(states, n, sizeof(*states), by_name);
	*ret_states = states;
	*ret_n = n;
	return 0;
}

int lanes_pause(struct lanes *lanes, const char *name, const char *why, struct xylem_reason *reason)
{
	pthread_mutex_lock(&lanes->lock);
	struct lane *lane = find_named(lanes, name);
	int error = lane ? 0 : not_found(reason, name);
	if (!error) {
		error = lane_record_set_paused(lanes->services->catalogue, lane->record.number, why, reason);
	}
	if (!error) {
		lane_pause(lane, why);
	}
	pthread_mutex_unlock(&lanes->lock);
	return error;
}

int lanes_drop(struct lanes *lanes, const char *name, struct xylem_reason *reason)
{
	pthread_mutex_lock(&lanes->lock);
	struct lane *lane = find_named(lanes, name);
	int error = lane ? 0 : not_found(reason, name);
	if (!error && (!lane->record.retired || lane->stopped)) {
		xylem_reason_set(
			reason, "lane %s is in the configuration; only a retired lane can be dropped", name);
		error = -XYLEM_E_CONFLICT;
	}
	error = error ? error : lane_record_drop(lanes->services->catalogue, lane->record.number, reason);
	for (size_t i = 0; i < lanes->n && !error; i++) {
		if (lanes->items[i] == lane) {
			lane_free(lane);
			memmove(&lanes->items[i], &lanes->items[i + 1],
				(lanes->n - i - 1) * sizeof(*lanes->items));
			lanes->n--;
			break;
		}
	}
	pthread_mutex_unlock(&lanes->lock);
	return error;
}
