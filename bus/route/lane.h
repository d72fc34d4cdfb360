/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_LANE_H
#define ROUTE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include <xylem/message.h>

/*
 * What a lane shows of itself. A lane is one route toward one destination:
 * ROUTE/DESTINATION. docs/routes.md.
 */
enum lane_condition {
	LANE_RUNNING,
	LANE_IDLE,          /* nothing to do */
	LANE_DOWN,          /* circuit open: the destination cannot be reached */
	LANE_MISCONFIGURED, /* circuit open with an alarm: credentials, address, schema */
	LANE_PAUSED,        /* by an operator */
	LANE_STOPPED,       /* on_case: stop, a full hospital, a failed catalogue, a gap */
	LANE_RETIRED,       /* no longer in the configuration; kept until its name returns or it is dropped */
};
const char *lane_condition_name(enum lane_condition condition);

struct lane_state {
	uint32_t number; /* in the catalogue */
	char name[256];  /* ROUTE/DESTINATION */
	char route[128], destination[128];
	enum lane_condition condition;
	char why[256];                /* last failure or reason of the condition; empty if none */
	struct xylem_position cursor; /* first unsettled, committed */
	uint64_t backlog;             /* journal offsets from the cursor to the end: at most this many wait */
	int64_t oldest_us;            /* age of the oldest unsettled message; 0: none */
	uint64_t in_flight, waiting;  /* in delivery; held for a retry */
	uint64_t delivered, filtered, expired, hospitalised, discarded, diverted, attempts, failed_attempts;
	int64_t next_try_us; /* wall time of the next probe or retry; 0: none */
	uint32_t blocked_keys;
};

#endif
