/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Starts a named thread with a stack of `stack` bytes (0: 256 KiB), all signals
 * blocked (main takes them). The name is cut at 15 characters. -XYLEM_E_MEMORY.
 */
int thread_start(pthread_t *ret_thread, const char *name, size_t stack, void *(*run)(void *), void *context);

#endif
