/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include <config/config.h>
#include <journal/journal.h>
#include <xylem/transform.h>

/*
 * A route of one generation: from -> where -> steps, evaluated once for a
 * batch of the journal and shared by the route's lanes while they are near one
 * another. Counted; any thread.
 */
struct route;

/* What a route makes of one record. */
enum verdict {
	VERDICT_NOT_MINE, /* from elsewhere, or a replay for another route */
	VERDICT_DELIVER,  /* `parts` go to the lanes */
	VERDICT_FILTERED,
	VERDICT_FAILED, /* one case of the route */
};

struct step_failure {
	int step;       /* index; -1: the route's own `where` */
	char stage[64]; /* "where", "step 2 validate" */
	char code[32];
	struct xylem_reason reason;
	struct xylem_message message; /* as it was before the failing step */
};

struct evaluated {
	const struct xylem_message *original; /* in the batch's records */
	enum verdict verdict;
	const struct xylem_message *parts; /* one, or several after a split */
	size_t part_count;
	const struct step_failure *failure; /* of FAILED */
	struct xylem_span only;             /* a replay for one destination, or diverted to it; absent: all */
};

/* A stretch of the journal as a route sees it. Counted; immutable. */
struct route_batch {
	struct xylem_position from, next; /* covers [from, next) */
	const struct evaluated *items;    /* not NOT_MINE ones */
	size_t n;
	/* -XYLEM_E_DAMAGED or -XYLEM_E_GONE: nothing can be read at `from`; `next` says where it goes on. */
	int gap;
};

/* `config` is referenced as long as the route lives; `plan` lies in it. */
struct route *route_new(struct journal *journal, struct config *config, const struct config_route *plan);
/* In `from` of a plan of the bus's own: every topic. */
#define ROUTE_ANY_TOPIC "topic:*"
/*
 * The route that no configuration names: it takes what none of the others
 * does. Its plan has only a name.
 */
#define ROUTE_UNROUTED "bus.unrouted"
struct route *route_new_unrouted(struct journal *journal, struct config *config);
struct route *route_ref(struct route *route);
struct route *route_unref(struct route *route);
const struct config_route *route_plan(const struct route *route);
const char *route_generation(const struct route *route);

/* What one thread needs to run the steps of a route; belongs to one thread, made on first use. */
struct route_worker;
struct route_worker *route_worker_new(struct route *route);
struct route_worker *route_worker_free(struct route_worker *worker);

/*
 * The batch that starts at `from`: from the ring if another lane has just had
 * it, evaluated now otherwise. 0 with *ret_batch (unref it); 0 with NULL: the
 * journal has nothing there yet; -XYLEM_E_IO, -XYLEM_E_MEMORY.
 */
int route_read(struct route *route, struct route_worker *worker, struct xylem_position from,
	struct route_batch **ret_batch);
struct route_batch *route_batch_ref(struct route_batch *batch);
struct route_batch *route_batch_unref(struct route_batch *batch);

/* True when the route's `from` names this ingress. */
bool route_takes_from(const struct config_route *plan, struct xylem_span ingress);

#endif
