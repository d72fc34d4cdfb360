/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_LANE_BODY_H
#define ROUTE_LANE_BODY_H

/* The inside of a lane, for the files of this room only. */

#include <pthread.h>

#include <catalogue/catalogue.h>
#include <connector/instance.h>
#include <hospital/hospital.h>
#include <metrics/metrics.h>
#include <route/circuit.h>
#include <route/divert.h>
#include <route/lane.h>
#include <route/lane_record.h>
#include <route/window.h>

#define LANE_MAGIC 0x6c616e65U

/* What lanes need of the bus; the same for all. */
struct lane_services {
	struct journal *journal;
	struct catalogue *catalogue;
	struct hospital *hospital;
	/* Told of changes of condition and of settled messages; may be NULL; must not block. `lane` is locked. */
	void (*changed)(void *context, const char *lane, enum lane_condition condition, const char *why);
	void (*settled)(void *context, const char *lane, struct xylem_position position, enum outcome outcome,
		uint32_t attempts);
	/* Told of each case that is in the catalogue now, on its commit thread; a case may come more than once. */
	void (*admitted)(void *context, uint64_t number, const struct hospital_admission *admission);
	void *context;
};

/* What a lane does, of one generation. */
struct lane_plan {
	struct route *route;                /* referenced */
	struct instance *sink;              /* referenced */
	const struct lane_options *options; /* in the route's generation */
	enum outcome on_delivery;           /* OUTCOME_DELIVERED; UNROUTED for the lane that only counts */
	bool topic;                         /* delivers to one */
	const char *otherwise; /* in the route's generation; NULL: what the sink turns away is discarded */
	bool otherwise_only;   /* takes only what another lane diverts to it */
};
void lane_plan_finish(struct lane_plan *plan);

struct lane_worker {
	struct lane *lane;
	pthread_t thread;
	bool started;
	void *sink;
	struct route_worker *route;
	struct journal_waiter *waiter;
	struct unit **units; /* room for a pick */
	const struct xylem_message **messages;
	struct xylem_result *results;
	const struct xylem_message **diverted; /* room for a pick, as are the positions */
	struct xylem_position *positions;
	bool delivering;
	uint64_t appends_from; /* while it delivers: where the journal ended when it began */
};

struct lane_counters {
	uint64_t delivered, filtered, expired, hospitalised, discarded, diverted, attempts, failed_attempts;
};

/* A failed message on its way to the hospital, and a replay that was settled: both go with the next commit. */
struct lane_case {
	struct route_batch *batch; /* keeps both messages alive */
	const struct xylem_message *original, *failing;
	bool whole_route; /* failed in a step */
	char stage[64];
	int step;
	uint32_t attempts;
	struct xylem_result result;
	uint64_t number; /* set by the commit */
};
struct lane_replay {
	struct route_batch *batch;
	const struct xylem_message *original;
	enum outcome outcome;
};

struct lane {
	uint32_t magic;
	char name[256];
	struct lane_record record; /* as it stands in the catalogue; cursor: committed */
	const struct lane_services *services;
	struct lane_plan plan;
	size_t pick_count;

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t idle;  /* a worker left, or a commit ended */
	struct window window;
	struct circuit circuit;
	struct divert *divert;      /* of `otherwise`; NULL: none. Does not change while workers run */
	struct xylem_position read; /* where the journal is read next */
	struct route_batch *batch;  /* taken up to `batch_index` */
	size_t batch_index;
	bool taking;                /* one worker reads at a time */
	struct outcome_entry *past; /* settled above the cursor before this start, by offset */
	size_t past_count, past_index;

	struct lane_case *cases;
	size_t case_count, case_room;
	struct lane_replay *replays;
	size_t replay_count, replay_room;
	bool dirty; /* something to commit besides a moved cursor */
	bool committing;
	int64_t committed_us;        /* CLOCK_MONOTONIC, of the last commit */
	struct lane_commit *refused; /* a commit that failed and is tried again */
	int64_t refused_until_us;

	char **held_keys; /* by open cases: `on_case: hold_key` */
	size_t held_count;
	uint64_t shed_below; /* what lies below is settled undelivered: the backlog is too long */

	bool stopping;
	bool stopped;             /* `on_case: stop`, a fault; until resumed */
	int64_t blocked_until_us; /* a full hospital, an unreadable journal: tried again then */
	char why[256];
	enum lane_condition condition;
	int64_t picked_us; /* CLOCK_MONOTONIC when something became ready, for batch.wait; 0: nothing */
	int64_t oldest_us;
	uint64_t ready_seen; /* of the lanes' own thread: what the sink had said */

	struct lane_counters counters;
	struct metric *metric_delivered, *metric_attempts[7], *metric_end_to_end, *metric_outcomes[8];

	struct lane_worker *workers;
	size_t worker_count;

	bool over; /* its backlog is too long and its sources are to be held; of the `lanes` thread, under the set's lock */
};

/* lane.c */
struct lane *lane_new(const struct lane_services *services, const struct lane_record *record);
struct lane *lane_free(struct lane *lane); /* stopped */
/* Takes the plan over. The lane is stopped. */
int lane_start(struct lane *lane, const struct lane_plan *plan, struct xylem_reason *reason);
/* Shown as stopped, with the reason; it is configured, and not running. */
void lane_cannot_start(struct lane *lane, const char *why);
void lane_ask_stop(struct lane *lane);
/* Waits for the workers (interrupting them after `grace_us`) and for the last commit. */
void lane_stop(struct lane *lane, int64_t grace_us);
void lane_pause(struct lane *lane, const char *why); /* NULL: resumed */
void lane_get_state(struct lane *lane, struct lane_state *ret_state);
bool lane_running(const struct lane *lane);
/* Locked: */
void lane_wake(struct lane *lane);
void lane_show(struct lane *lane); /* recomputes the condition and tells a change */
void lane_block(struct lane *lane, int64_t us, const char *format, ...) XYLEM_PRINTF(3, 4);

/* lane_take.c; locked, unlocks while it reads. True: something was taken up. */
bool lane_take(struct lane *lane, struct lane_worker *worker);
struct xylem_position lane_cursor(const struct lane *lane);
void lane_past_set(struct lane *lane, struct xylem_span holes);

/* lane_deliver.c; locked, unlocks while it delivers. True: something was delivered. */
bool lane_deliver(struct lane *lane, struct lane_worker *worker, int64_t *ret_wait_until_us);
/* Locked. A message is settled. */
void lane_note_settled(struct lane *lane, struct entry *entry);
/* Locked. Becomes a case; false: the hospital has no room, nothing is noted. */
bool lane_note_case(struct lane *lane, const struct lane_case *lane_case);

/* lane_hold.c */
bool lane_holds_keys(const struct lane *lane);
void lane_held_load(struct lane *lane); /* before the workers start */
void lane_held_forget(struct lane *lane);
void lane_held_refresh(struct lane *lane);                     /* not locked */
bool lane_note_held(struct lane *lane, struct xylem_span key); /* locked */

/* lane_shed.c; locked. */
bool lane_shedding(const struct lane *lane);
bool lane_shed(struct lane *lane); /* true: something was settled */

/* lane_commit.c; locked. Hands what is new to the catalogue, unless a commit is under way. */
void lane_commit(struct lane *lane, bool urgent);
/* Forgets what was not committed; the lane is stopped. */
void lane_commit_drop(struct lane *lane);

#endif
