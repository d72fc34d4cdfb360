/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: few, named, with small stacks, deaf to signals (main takes them).
 */
#include <signal.h>
#include <stdio.h>

#include <base/thread.h>
#include <xylem/error.h>

#define STACK_DEFAULT ((size_t)256 * 1024)

int thread_start(pthread_t *ret_thread, const char *name, size_t stack, void *(*run)(void *), void *context)
{
	pthread_attr_t attributes;
	if (pthread_attr_init(&attributes) != 0) {
		return -XYLEM_E_MEMORY;
	}
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_setstacksize(&attributes, stack ? stack : STACK_DEFAULT);
	pthread_t thread;
	int failed = pthread_create(&thread, &attributes, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (failed) {
		return -XYLEM_E_MEMORY;
	}
	char cut[16];
	snprintf(cut, sizeof(cut), "%.15s", name);
	pthread_setname_np(thread, cut);
	*ret_thread = thread;
	return 0;
}
