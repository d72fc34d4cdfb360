/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's workers: one queue, a few threads. The queue is bounded: when
 * the disk stalls, further requests are answered 503 at once instead of
 * growing a line that nobody waits for any more.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <base/thread.h>
#include <console/worker.h>
#include <xylem/error.h>

#define STACK (512 * 1024)
#define THREADS_MAX 16

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct work *first, **end;
	size_t waiting, limit;
	bool stopping;
	size_t thread_count;
	pthread_t threads[THREADS_MAX];
};

/* The next piece, waiting for one; NULL: the end. */
static struct work *take(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->stopping) {
		pthread_cond_wait(&workers->more, &workers->lock);
	}
	struct work *work = workers->first;
	if (work) {
		workers->first = work->next;
		workers->waiting--;
		if (!workers->first) {
			workers->end = &workers->first;
		}
	}
	pthread_mutex_unlock(&workers->lock);
	return work;
}

static void *run(void *context)
{
	struct workers *workers = context;
	for (struct work *work = take(workers); work; work = take(workers)) {
		work->run(work);
	}
	return NULL;
}

struct workers *workers_new(size_t threads, size_t limit)
{
	struct workers *workers = calloc(1, sizeof(*workers));
	if (!workers) {
		return NULL;
	}
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->more, NULL);
	workers->end = &workers->first;
	workers->limit = limit;
	while (workers->thread_count < threads && workers->thread_count < THREADS_MAX) {
		if (thread_start(&workers->threads[workers->thread_count], "console", STACK, run, workers)) {
			return workers_free(workers);
		}
		workers->thread_count++;
	}
	return workers;
}

void workers_stop(struct workers *workers)
{
	if (!workers) {
		return;
	}
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->more);
	pthread_mutex_unlock(&workers->lock);
	while (workers->thread_count) {
		pthread_join(workers->threads[--workers->thread_count], NULL);
	}
}

struct workers *workers_free(struct workers *workers)
{
	if (workers) {
		workers_stop(workers);
		pthread_cond_destroy(&workers->more);
		pthread_mutex_destroy(&workers->lock);
		free(workers);
	}
	return NULL;
}

int workers_submit(struct workers *workers, struct work *work)
{
	int error = 0;
	pthread_mutex_lock(&workers->lock);
	if (workers->stopping) {
		error = -XYLEM_E_STOPPING;
	} else if (workers->waiting >= workers->limit) {
		error = -XYLEM_E_BUSY;
	} else {
		work->next = NULL;
		*workers->end = work;
		workers->end = &work->next;
		workers->waiting++;
		pthread_cond_signal(&workers->more);
	}
	pthread_mutex_unlock(&workers->lock);
	return error;
}
