/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_CIRCUIT_H
#define ROUTE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include <route/lane_options.h>
#include <xylem/connector.h>

/*
 * The circuit of a lane: open while the destination is down or misconfigured,
 * with one probe at a time and growing waits between them. Not locked: the
 * lane's lock covers it. Times are CLOCK_MONOTONIC.
 */
struct circuit {
	bool open, probing;
	enum xylem_failure failure; /* why it is open */
	int64_t opened_us, next_us, wait_us;
	/* Different messages in a row that the destination was `busy` for. */
	uint64_t busy_offsets[8];
	unsigned busy_count;
	int64_t busy_since_us;
	struct xylem_result last;
};

/* True: one delivery may go out (it is the probe when the circuit is open). */
bool circuit_admits(const struct circuit *circuit, int64_t mono_us);
/* When the next probe is due; INT64_MAX while closed or probing. */
int64_t circuit_next(const struct circuit *circuit);
/* The destination answered for a message: it is there. True when that closed the circuit. */
bool circuit_answered(struct circuit *circuit);
/* It failed as a whole (DOWN, MISCONFIGURED). True when that opened the circuit. */
bool circuit_failed(struct circuit *circuit, const struct lane_options *options,
	const struct xylem_result *result, int64_t mono_us);
/*
 * It was BUSY for this message. Several different ones in a row mean that it
 * is down: true when that opened the circuit.
 */
bool circuit_busy(struct circuit *circuit, const struct lane_options *options,
	const struct xylem_result *result, uint64_t offset, int64_t mono_us);
/* An operator wants a probe now. */
void circuit_hurry(struct circuit *circuit, int64_t mono_us);

/* `wait`, plus or minus a fifth, so that many lanes do not come back at once. */
int64_t circuit_jitter(int64_t wait_us);
/* The wait before attempt `attempts` + 1. */
int64_t circuit_backoff(const struct lane_options *options, uint32_t attempts);

#endif
