/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOSPITAL_HOSPITAL_H
#define HOSPITAL_HOSPITAL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <catalogue/catalogue.h>
#include <journal/journal.h>
#include <xylem/connector.h>
#include <xylem/message.h>

/*
 * Failed messages, where a person inspects, edits and replays them. A case
 * holds a copy of the original record and of the data at the failing stage, so
 * it pins no segment. Cases that share a fingerprint are a group. Numbers of
 * both are small and never reused. docs/hospital.md.
 */
struct hospital;

struct hospital_options {
	struct catalogue *catalogue;
	struct journal *journal;
	uint64_t max_cases;
	uint64_t max_bytes;
};
/* Loads the counts; re-appends replays that were intended but are not in the journal. */
int hospital_open(
	struct hospital **ret_hospital, const struct hospital_options *options, struct xylem_reason *reason);
struct hospital *hospital_close(struct hospital *hospital);

/*
 * False when the open and replaying cases reach hospital.max: lanes stop rather
 * than lose. Resolved and discarded cases make room by themselves, oldest first.
 * Cheap, any thread; a lane that admits all the same is never refused.
 */
bool hospital_has_room(struct hospital *hospital);

/* What a lane or a route admits. All borrowed for the call; copied into the catalogue. */
struct hospital_admission {
	const char *route;
	const char *destination; /* NULL: failed in a step, for every destination of the route */
	const char *stage;       /* "where", "step 2 validate", "deliver" */
	int step;                /* index of the failing step from 0; the number of steps for `deliver` */
	enum xylem_failure failure;
	const char *code; /* "schema", "http-422", "23503", ... */
	const char *reason;
	uint32_t attempts;
	const struct xylem_message *original; /* as it stands in the journal */
	const struct xylem_message *failing;  /* as it was at the failing stage */
	const char *generation;               /* hex hash of the configuration that it failed under */
};
/*
 * Inside a catalogue job of the caller's (one commit with its cursor). A replay
 * that fails again (original->kind == XYLEM_REPLAY) reopens its case. The same
 * (position, route, destination) twice is the same case. *ret_case: its number.
 * The lanes of the route are taken from the catalogue's table `lanes`.
 */
int hospital_admit(struct hospital *hospital, sqlite3 *database, const struct hospital_admission *admission,
	uint64_t *ret_case, struct xylem_reason *reason);
/*
 * A lane settled a replay otherwise: delivered, filtered, expired, discarded.
 * Same kind of call. When every lane of the case's replays delivered or
 * filtered, the case is resolved; any other outcome opens it again.
 */
int hospital_settle_replay(struct hospital *hospital, sqlite3 *database, const struct xylem_message *replay,
	const char *route, const char *destination, int outcome, struct xylem_reason *reason);

/*
 * A replay record in the journal (kind XYLEM_REPLAY, `parent` = the original)
 * carries where it goes as extension attributes named below; the route takes
 * them off before steps and sinks see the event. Lanes deduplicate on (case, number).
 */
#define REPLAY_CASE "xylemcase"     /* case number */
#define REPLAY_NUMBER "xylemreplay" /* 1, 2, ... of that case */
#define REPLAY_ROUTE "xylemroute"   /* the route that takes it */
#define REPLAY_LANE "xylemlane"     /* one destination of it; absent: all */
#define REPLAY_STEP "xylemstep"     /* first step to run, from 0 */
struct replay {
	uint64_t case_number;
	uint32_t number;
	struct xylem_span route;
	struct xylem_span destination; /* absent: all */
	int step;
};
int replay_read(const struct xylem_message *message, struct replay *ret_replay);

/* The ordering keys of the open cases of a lane, each once; borrowed for the call of `key`. */
int hospital_open_keys(struct hospital *hospital, const char *route, const char *destination,
	void (*key)(void *context, struct xylem_span key), void *context, struct xylem_reason *reason);

/* --- For operations; results are JSON objects owned by the caller -------- */

struct hospital_filter {
	const char *state; /* "open", "replaying", "resolved", "discarded"; NULL: open and replaying */
	const char *route, *destination, *code;
	uint64_t group;
	uint64_t after; /* case number: cursor paging */
	size_t limit;
};
int hospital_groups(
	struct hospital *hospital, const char *state, json_t **ret_groups, struct xylem_reason *reason);
int hospital_cases(struct hospital *hospital, const struct hospital_filter *filter, json_t **ret_page,
	struct xylem_reason *reason);
int hospital_case(struct hospital *hospital, uint64_t number, json_t **ret_case, struct xylem_reason *reason);
/* `which`: "failing" (the data at the failing stage; also NULL), "draft", "original". -XYLEM_E_NOT_FOUND. */
int hospital_case_data(struct hospital *hospital, uint64_t number, const char *which,
	struct xylem_buffer *out, char content_type[128], struct xylem_reason *reason);

/*
 * Changes name the version they saw; -XYLEM_E_CONFLICT when it has moved on, or
 * when the case's state does not allow it. `who` is kept with the change (the
 * audit record is the operation's). A draft replaces the data at the failing
 * stage until the case fails at another one.
 */
int hospital_draft(struct hospital *hospital, uint64_t number, uint64_t version, struct xylem_span data,
	const char *who, json_t **ret_case, struct xylem_reason *reason);
/*
 * `from`: "step" (the failing one, default) or "start"; `destination`: another
 * lane of the same route, or NULL for every lane where it failed. From the start
 * a draft is used only if the first stage is the one that failed: it replaces
 * the data of its stage. Waits for the disk.
 */
int hospital_replay(struct hospital *hospital, uint64_t number, uint64_t version, const char *from,
	const char *destination, const char *who, json_t **ret_case, struct xylem_reason *reason);
int hospital_discard(struct hospital *hospital, uint64_t number, uint64_t version, const char *note,
	const char *who, json_t **ret_case, struct xylem_reason *reason);
int hospital_restore(struct hospital *hospital, uint64_t number, uint64_t version, const char *who,
	json_t **ret_case, struct xylem_reason *reason);

int hospital_note(struct hospital *hospital, uint64_t number, const char *text, const char *who,
	json_t **ret_case, struct xylem_reason *reason);

struct hospital_state {
	uint64_t open, replaying, discarded, groups, bytes, max_cases, max_bytes;
};
void hospital_state(struct hospital *hospital, struct hospital_state *ret_state);

#endif
