/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_EVALUATION_H
#define ROUTE_EVALUATION_H

#include <route/route.h>

/*
 * Runs a route's `where` and steps over one record. `workers` has one entry a
 * step (NULL where the transform needs none). All results lie in the arena.
 */
void evaluate(const struct config_route *plan, void *const *workers, const struct xylem_message *original,
	struct xylem_arena *arena, struct evaluated *ret_evaluated);

/* The same for the route of what no route of `view` takes. */
void evaluate_unrouted(const struct config_view *view, const struct xylem_message *original,
	struct xylem_arena *arena, struct evaluated *ret_evaluated);

#endif
