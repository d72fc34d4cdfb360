/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_WORKER_H
#define CONSOLE_WORKER_H

#include <stddef.h>

/*
 * A few threads that do what must not be done on the thread of the listener:
 * everything that waits for a disk or another machine.
 */
struct workers;

/* One piece of work, embedded in its owner; it lives until `run` begins. */
struct work {
	void (*run)(struct work *work);
	struct work *next;
};

/* `limit`: most pieces that may wait. NULL: no memory or no thread. */
struct workers *workers_new(size_t threads, size_t limit);
/* Returns after everything that was handed in has run; nothing more is taken. */
void workers_stop(struct workers *workers);
struct workers *workers_free(struct workers *workers);
/* 0, -XYLEM_E_BUSY when too much waits, -XYLEM_E_STOPPING. Any thread. */
int workers_submit(struct workers *workers, struct work *work);

#endif
