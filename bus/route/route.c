/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route of one generation, and the ring of its last evaluated batches. Lanes
 * that are near one another ask for batches at the same positions; the first
 * to ask evaluates, the others wait for it and share the result. A lane far
 * behind finds nothing in the ring and evaluates again: steps are pure.
 *
 * A batch that nobody holds any more goes back to the route's pool with its
 * memory: giving a megabyte to the system and taking it back, for every few
 * hundred messages, costs more than their steps.
 *
 * Locks: `ring_lock` of the route, held only to look at the ring, never while
 * reading or evaluating; `lock` of the pool, a leaf.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <route/evaluation.h>

#define ROUTE_MAGIC 0x726f7574U
#define RING 4
#define BATCH_COUNT 512
/* Read at once, and copied whether or not BATCH_COUNT is reached before it. */
#define BATCH_BYTES ((size_t)256 * 1024)
/* Batches kept with their memory, and how much one may keep. */
#define SPARES 2
#define SPARE_BYTES ((size_t)1024 * 1024)
/* What the steps may take for one batch. Beyond it, messages fail one by one instead of the process as a whole. */
#define ARENA_LIMIT ((size_t)256 * 1024 * 1024)

struct batch {
	struct route_batch face; /* first: what lanes see */
	struct pool *pool;
	_Atomic int references;
	struct journal_batch *records;
	struct xylem_arena *arena;
};

/* Lives as long as its route, and as the batches that lanes still hold after it. */
struct pool {
	_Atomic int references;
	pthread_mutex_t lock;
	struct batch *spares[SPARES];
	size_t n;
	bool closed; /* the route has ended: nothing is kept */
};

/* A slot is empty, being evaluated (`busy`), or has a batch. */
struct slot {
	struct batch *batch;
	struct xylem_position from;
	bool busy;
};

struct route {
	uint32_t magic;
	_Atomic int references;
	struct journal *journal;
	struct config *config;
	const struct config_route *plan;
	struct pool *pool;
	pthread_mutex_t ring_lock;
	pthread_cond_t evaluated;
	struct slot ring[RING];
	unsigned turn;
};

struct route_worker {
	struct route *route;
	void **steps;
};

/* --- The pool ------------------------------------------------------------- */

static struct pool *pool_new(void)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (pool) {
		pool->references = 1;
		pthread_mutex_init(&pool->lock, NULL);
	}
	return pool;
}

static struct pool *pool_unref(struct pool *pool)
{
	if (pool && atomic_fetch_sub(&pool->references, 1) == 1) {
		assert(pool->n == 0);
		pthread_mutex_destroy(&pool->lock);
		free(pool);
	}
	return NULL;
}

static struct batch *batch_free(struct batch *batch)
{
	journal_batch_free(batch->records);
	xylem_arena_free(batch->arena);
	free(batch);
	return NULL;
}

static struct batch *pool_take(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct batch *batch = pool->n > 0 ? pool->spares[--pool->n] : NULL;
	pthread_mutex_unlock(&pool->lock);
	return batch;
}

/* Keeps the batch, or frees it. */
static void pool_give(struct pool *pool, struct batch *batch)
{
	bool small = journal_batch_room(batch->records) <= SPARE_BYTES;
	if (small) {
		xylem_arena_reset(batch->arena);
	}
	pthread_mutex_lock(&pool->lock);
	bool kept = small && !pool->closed && pool->n < SPARES;
	if (kept) {
		pool->spares[pool->n++] = batch;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!kept) {
		batch_free(batch);
	}
}

static void pool_close(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	pthread_mutex_unlock(&pool->lock);
	for (struct batch *batch; (batch = pool_take(pool));) {
		batch_free(batch);
	}
	pool_unref(pool);
}

/* --- Life ----------------------------------------------------------------- */

struct route *route_new(struct journal *journal, struct config *config, const struct config_route *plan)
{
	struct route *route = calloc(1, sizeof(*route));
	struct pool *pool = route ? pool_new() : NULL;
	if (!pool) {
		free(route);
		return NULL;
	}
	route->magic = ROUTE_MAGIC;
	route->references = 1;
	route->journal = journal;
	route->config = config_ref(config);
	route->plan = plan;
	route->pool = pool;
	pthread_mutex_init(&route->ring_lock, NULL);
	pthread_cond_init(&route->evaluated, NULL);
	return route;
}

struct route *route_new_unrouted(struct journal *journal, struct config *config)
{
	static const struct config_route plan = { .name = ROUTE_UNROUTED };
	return route_new(journal, config, &plan);
}

struct route *route_ref(struct route *route)
{
	assert(route->magic == ROUTE_MAGIC);
	atomic_fetch_add(&route->references, 1);
	return route;
}

struct route *route_unref(struct route *route)
{
	if (route && atomic_fetch_sub(&route->references, 1) == 1) {
		assert(route->magic == ROUTE_MAGIC);
		for (int i = 0; i < RING; i++) {
			route_batch_unref(route->ring[i].batch ? &route->ring[i].batch->face : NULL);
		}
		pool_close(route->pool);
		pthread_mutex_destroy(&route->ring_lock);
		pthread_cond_destroy(&route->evaluated);
		config_unref(route->config);
		route->magic = 0;
		free(route);
	}
	return NULL;
}

const struct config_route *route_plan(const struct route *route)
{
	return route->plan;
}

const char *route_generation(const struct route *route)
{
	return config_view(route->config)->generation;
}

struct route_worker *route_worker_new(struct route *route)
{
	struct route_worker *worker = calloc(1, sizeof(*worker));
	size_t n = route->plan->step_count;
	if (!worker) {
		return NULL;
	}
	worker->route = route_ref(route);
	worker->steps = calloc(n ? n : 1, sizeof(*worker->steps));
	for (size_t i = 0; worker->steps && i < n; i++) {
		const struct config_step *step = &route->plan->steps[i];
		if (step->kind && step->kind->worker_new &&
			step->kind->worker_new(step->program, &worker->steps[i]) != 0) {
			return route_worker_free(worker);
		}
	}
	return worker->steps ? worker : route_worker_free(worker);
}

struct route_worker *route_worker_free(struct route_worker *worker)
{
	if (worker) {
		const struct config_route *plan = worker->route->plan;
		for (size_t i = 0; worker->steps && i < plan->step_count; i++) {
			if (worker->steps[i]) {
				plan->steps[i].kind->worker_free(worker->steps[i]);
			}
		}
		free(worker->steps);
		route_unref(worker->route);
		free(worker);
	}
	return NULL;
}

/* --- Batches -------------------------------------------------------------- */

struct route_batch *route_batch_ref(struct route_batch *face)
{
	atomic_fetch_add(&((struct batch *)face)->references, 1);
	return face;
}

struct route_batch *route_batch_unref(struct route_batch *face)
{
	struct batch *batch = (struct batch *)face;
	if (batch && atomic_fetch_sub(&batch->references, 1) == 1) {
		struct pool *pool = batch->pool;
		pool_give(pool, batch);
		pool_unref(pool);
	}
	return NULL;
}

static struct batch *batch_new(struct pool *pool)
{
	struct batch *batch = pool_take(pool);
	if (!batch) {
		batch = calloc(1, sizeof(*batch));
		if (!batch) {
			return NULL;
		}
		batch->records = journal_batch_new();
		batch->arena = xylem_arena_new(ARENA_LIMIT);
		if (!batch->records || !batch->arena) {
			return batch_free(batch);
		}
	}
	batch->face = (struct route_batch){ 0 };
	batch->references = 1;
	batch->pool = pool;
	atomic_fetch_add(&pool->references, 1);
	return batch;
}

/* The batch before this one, if it is still in the ring, knows the place in the file. */
static void batch_follow(struct route *route, struct batch *batch, struct xylem_position from)
{
	pthread_mutex_lock(&route->ring_lock);
	for (int i = 0; i < RING; i++) {
		const struct batch *before = route->ring[i].batch;
		if (before && before->records->next.offset == from.offset) {
			journal_batch_follow(batch->records, before->records);
			break;
		}
	}
	pthread_mutex_unlock(&route->ring_lock);
}

static int batch_evaluate(struct batch *batch, const struct route_worker *worker)
{
	const struct config_route *plan = worker->route->plan;
	struct evaluated *items = xylem_arena_take(batch->arena, (batch->records->n + 1) * sizeof(*items));
	if (!items) {
		return -XYLEM_E_MEMORY;
	}
	bool unrouted = strcmp(plan->name, ROUTE_UNROUTED) == 0;
	size_t n = 0;
	for (size_t i = 0; i < batch->records->n; i++) {
		const struct xylem_message *record = &batch->records->messages[i];
		if (unrouted) {
			evaluate_unrouted(
				config_view(worker->route->config), record, batch->arena, &items[n]);
		} else {
			evaluate(plan, worker->steps, record, batch->arena, &items[n]);
		}
		if (items[n].verdict != VERDICT_NOT_MINE) {
			n++;
		}
	}
	batch->face.items = items;
	batch->face.n = n;
	return 0;
}

/* Reads and evaluates; *ret_batch NULL when the journal ends at `from`. */
static int batch_make(struct route *route, const struct route_worker *worker, struct xylem_position from,
	struct batch **ret_batch)
{
	struct batch *batch = batch_new(route->pool);
	if (!batch) {
		return -XYLEM_E_MEMORY;
	}
	batch_follow(route, batch, from);
	int error = journal_read(route->journal, from, BATCH_COUNT, BATCH_BYTES, batch->records);
	if (error == -XYLEM_E_DAMAGED || error == -XYLEM_E_GONE) {
		batch->face.gap = error;
		batch->face.next = error == -XYLEM_E_GONE ? journal_begin(route->journal)
							  : batch->records->next;
		error = 0;
	} else if (!error) {
		batch->face.next = batch->records->next;
		error = batch->records->n > 0 ? batch_evaluate(batch, worker) : 0;
	}
	batch->face.from = from;
	if (error || (batch->records->n == 0 && !batch->face.gap)) {
		route_batch_unref(&batch->face);
		batch = NULL;
	}
	if (!error) {
		*ret_batch = batch;
	}
	return error;
}

/* --- The ring ------------------------------------------------------------- */

static struct slot *ring_find(struct route *route, struct xylem_position from)
{
	for (int i = 0; i < RING; i++) {
		struct slot *slot = &route->ring[i];
		if ((slot->busy || slot->batch) && slot->from.partition == from.partition &&
			slot->from.offset == from.offset) {
			return slot;
		}
	}
	return NULL;
}

/* A slot to evaluate into; NULL when all are busy (then the lane evaluates for itself alone). */
static struct slot *ring_claim(struct route *route, struct xylem_position from)
{
	for (int tried = 0; tried < RING; tried++) {
		struct slot *slot = &route->ring[route->turn++ % RING];
		if (!slot->busy) {
			route_batch_unref(slot->batch ? &slot->batch->face : NULL);
			*slot = (struct slot){ .from = from, .busy = true };
			return slot;
		}
	}
	return NULL;
}

/* The batch of the ring, waiting for whoever evaluates it; NULL: claimed (in *ret_slot) or evaluate alone. */
static struct batch *ring_take(struct route *route, struct xylem_position from, struct slot **ret_slot)
{
	struct batch *batch = NULL;
	struct slot *slot;
	pthread_mutex_lock(&route->ring_lock);
	while ((slot = ring_find(route, from)) && slot->busy) {
		pthread_cond_wait(&route->evaluated, &route->ring_lock);
	}
	if (slot) {
		batch = slot->batch;
		route_batch_ref(&batch->face);
	} else {
		*ret_slot = ring_claim(route, from);
	}
	pthread_mutex_unlock(&route->ring_lock);
	return batch;
}

static void ring_put(struct route *route, struct slot *slot, struct batch *batch)
{
	pthread_mutex_lock(&route->ring_lock);
	slot->busy = false;
	slot->batch = batch;
	if (batch) {
		route_batch_ref(&batch->face);
	}
	pthread_cond_broadcast(&route->evaluated);
	pthread_mutex_unlock(&route->ring_lock);
}

int route_read(struct route *route, struct route_worker *worker, struct xylem_position from,
	struct route_batch **ret_batch)
{
	assert(route->magic == ROUTE_MAGIC);
	struct slot *slot = NULL;
	struct batch *batch = NULL;
	/* Whoever is at the end of the journal need not disturb the ring. */
	struct xylem_position end = journal_end(route->journal);
	if (from.offset >= end.offset) {
		*ret_batch = NULL;
		return 0;
	}
	batch = ring_take(route, from, &slot);
	if (batch) {
		*ret_batch = &batch->face;
		return 0;
	}
	int error = batch_make(route, worker, from, &batch);
	if (slot) {
		ring_put(route, slot, error ? NULL : batch);
	}
	if (!error) {
		*ret_batch = batch ? &batch->face : NULL;
	}
	return error;
}
