/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds since the Unix epoch (may jump) and of CLOCK_MONOTONIC (never does). All waiting uses the second. */
int64_t clock_wall_us(void);
int64_t clock_mono_us(void);

/* Absolute CLOCK_MONOTONIC time for pthread_cond_clockwait, from microseconds. */
struct timespec clock_timespec(int64_t mono_us);

/* RFC 3339 UTC with milliseconds, 25 bytes with terminator: 2026-11-21T09:30:00.125Z */
#define CLOCK_TEXT_SIZE 25
const char *clock_format(int64_t wall_us, char text[CLOCK_TEXT_SIZE]);
/* RFC 3339 with any offset; -XYLEM_E_INVALID. */
int clock_parse(const char *text, size_t n, int64_t *ret_wall_us);

#endif
