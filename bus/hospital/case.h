/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOSPITAL_CASE_H
#define HOSPITAL_CASE_H

#include <stdatomic.h>

#include "hospital.h"

/*
 * Inside the room: the hospital itself, and a case's row as the jobs see it.
 * All of these run inside a catalogue job, or a read, on its connection.
 */
struct hospital {
	uint32_t magic;
	struct catalogue *catalogue;
	struct journal *journal;
	uint64_t max_cases, max_bytes;
	/* As last read from the catalogue: a job that rolls back leaves them wrong until the next look. */
	_Atomic uint64_t open, replaying, resolved, discarded, bytes, held_bytes;
	_Atomic int64_t looked_us; /* monotonic */
};
#define HOSPITAL_MAGIC 0x484f5350

/* Reads the totals of this transaction into the counts. */
int hospital_count(struct hospital *hospital, sqlite3 *database, struct xylem_reason *reason);

/*
 * Cases of this route (route/route.h) are messages that no route took; their
 * replays are offered to every route, and each lane that answers is known by
 * ROUTE/DESTINATION ("ROUTE/": every lane of it).
 */
#define UNROUTED "bus.unrouted"

struct case_row {
	uint64_t number, version;
	char state[16];
	struct xylem_position position;
	int64_t journal_us;
	char route[128], destination[128]; /* destination: "" for a failure of the route */
	int step;                          /* first one to run again; 0 for `where` */
	uint32_t draft;
};
/* -XYLEM_E_NOT_FOUND. */
int case_load(sqlite3 *database, uint64_t number, struct case_row *ret_row, struct xylem_reason *reason);
/* -XYLEM_E_CONFLICT when somebody was faster. */
int case_check_version(const struct case_row *row, uint64_t version, struct xylem_reason *reason);

/* Sets the state by what the lanes say of the case, and moves the version on. */
int case_recompute(sqlite3 *database, uint64_t number, struct xylem_reason *reason);
/* The route and destination that a target of a case names: its own route, but for UNROUTED. */
void case_target(
	const struct case_row *row, const char *target, char ret_route[128], char ret_destination[128]);
/* One line of the case's history. Kinds: schema.c. */
int case_note(sqlite3 *database, uint64_t number, const char *kind, const char *who, const char *text,
	struct xylem_reason *reason);
/* Runs a literal with up to three integers bound; the one-liners of the room. */
int case_run(
	sqlite3 *database, const char *sql, uint64_t a, uint64_t b, uint64_t c, struct xylem_reason *reason);

/* The view after a change; on the caller's thread. */
int case_show(struct hospital *hospital, uint64_t number, json_t **ret_case, struct xylem_reason *reason);

/* At open (replay_resume.c): replays that were intended and are not in the journal are appended now. */
int replay_resume(struct hospital *hospital, struct xylem_reason *reason);

#endif
