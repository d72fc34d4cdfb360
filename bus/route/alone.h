/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_ALONE_H
#define ROUTE_ALONE_H

#include <route/route.h>

/*
 * What a route makes of one message, without a journal, lanes or a ring: for
 * tests and for showing stages. Results lie in the arena. `steps`: how many of
 * the route's steps are run. -XYLEM_E_MEMORY.
 */
int route_evaluate_alone(const struct config_route *plan, size_t steps, const struct xylem_message *message,
	struct xylem_arena *arena, struct evaluated *ret_evaluated);

#endif
