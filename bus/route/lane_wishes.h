/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_LANE_WISHES_H
#define ROUTE_LANE_WISHES_H

/* What lanes are to be, of one generation; for lanes.c only. */

#include <route/lanes.h>

struct lane_wish {
	char route[128], destination[128];
	struct lane_plan plan;
	const struct config_route *config; /* NULL: a lane of the bus's own */
	const char *topic; /* delivers to it, by a sink that lanes.c opens; NULL: it does not */
	struct lane *lane; /* set by lanes.c: the lane of that name as it is */
	bool keep;         /* likewise: it stays as it is */
};

/* Begins as zeros. */
struct lane_wishes {
	struct lane_wish *items;
	size_t n, room;
};

/*
 * Adds every lane that `config` has, and those of the bus's own. The wishes lie
 * in the generation, which their routes reference. -XYLEM_E_MEMORY; what was
 * added until then is there and is to be finished.
 */
int lane_wishes_make(struct lane_wishes *wishes, struct journal *journal, struct config *config,
	const struct lanes_sinks *sinks);
/* Plans that were taken over are zeros by then. */
void lane_wishes_finish(struct lane_wishes *wishes);

/* Is the lane one of those that are wished for (by `lane`)? */
bool lane_wishes_have(const struct lane_wishes *wishes, const struct lane *lane);
/* Does its lane run, and run as wished? */
bool lane_wish_unchanged(const struct lane_wish *wish);
/* Where a new lane begins, as its `start` says. -XYLEM_E_INVALID with a reason. */
int lane_wish_begin(const struct lane_wish *wish, struct journal *journal,
	struct xylem_position *ret_position, struct xylem_reason *reason);

#endif
