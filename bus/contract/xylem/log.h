/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_LOG_H
#define XYLEM_LOG_H

#include <xylem/visible.h>

/*
 * One line a call, to standard error, with time, level, room and text. Control
 * characters are escaped. The same text of the same room more than 10 times in
 * 10 seconds is counted instead of written, and the count is written after.
 */
enum xylem_log_level {
	XYLEM_LOG_ERROR,   /* something is lost or stopped: a person must act */
	XYLEM_LOG_WARNING, /* something is held up or wrong; the bus goes on */
	XYLEM_LOG_NOTICE,  /* start, stop, reload, a connector up or down */
	XYLEM_LOG_INFO,    /* details of normal work; off by default */
	XYLEM_LOG_DEBUG,
};

XYLEM_PUBLIC void xylem_log(enum xylem_log_level level, const char *room, const char *format, ...)
	XYLEM_PRINTF(3, 4);

#endif
