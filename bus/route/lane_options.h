/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_LANE_OPTIONS_H
#define ROUTE_LANE_OPTIONS_H

#include <xylem/option.h>

enum lane_order { LANE_ORDER_KEY, LANE_ORDER_STRICT, LANE_ORDER_NONE };
enum lane_on_case { LANE_ON_CASE_CONTINUE, LANE_ON_CASE_HOLD_KEY, LANE_ON_CASE_STOP };
enum lane_overflow { LANE_OVERFLOW_HOLD, LANE_OVERFLOW_HOSPITAL, LANE_OVERFLOW_DROP };

/* How a route delivers to one destination: `deliver:` of the route, overlaid by the destination's own mapping. */
struct lane_options {
	int order;
	int64_t parallel;
	int64_t window;      /* messages taken up but not settled, at most */
	int64_t batch_count; /* 0: what the connector likes */
	int64_t batch_bytes;
	int64_t batch_wait_us; /* how long to wait for a batch to fill */
	int64_t timeout_us;    /* of one delivery */
	int64_t attempts;      /* of `busy` failures, before a case */
	int64_t backoff_us, backoff_max_us;
	int64_t probe_us;  /* between probes of an open circuit, grows to backoff_max */
	int64_t expire_us; /* 0: never */
	int on_case;
	int overflow;
	int64_t max_backlog; /* bytes of journal that this lane may keep from being trimmed; 0: only journal.max */
	const char *
		otherwise; /* where what the destination turned away goes: a connector or `topic:NAME`; NULL: nowhere */
	const char *start; /* "end", "earliest" or an RFC 3339 time */
};

extern const struct xylem_option lane_options_table[];

#endif
