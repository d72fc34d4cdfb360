/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_LANES_H
#define ROUTE_LANES_H

#include <config/config.h>
#include <route/lane_body.h>

/*
 * All lanes of the bus: made, changed and retired as the configuration says.
 * One of them, `bus.unrouted/count`, takes what no route takes; another,
 * `bus.topics/subscribers`, tells the subscribers of all topics.
 */
struct lanes;

/* Reads the lanes' rows; nothing runs before lanes_apply(). */
int lanes_new(struct lanes **ret_lanes, const struct lane_services *services, struct xylem_reason *reason);
/* Stops all, in parallel, within `grace_us`, and commits what they settled. */
struct lanes *lanes_free(struct lanes *lanes, int64_t grace_us);

/* What lanes deliver to, of one generation: the instance of a connector by its name; borrowed. */
struct lanes_sinks {
	struct instance *(*connector)(void *context, const char *name);
	struct instance *fanout; /* the `subscribers` sink; NULL: topics have no subscribers to tell */
	struct instance *unrouted;
	void *context;
};
/*
 * Makes the lanes be those of this generation: new ones begin where their
 * `start` says, changed ones keep their cursor, those that are gone are
 * retired. Unchanged ones do not notice. On an error nothing has changed yet.
 * One caller at a time.
 */
int lanes_apply(struct lanes *lanes, struct config *config, const struct lanes_sinks *sinks,
	struct xylem_reason *reason);

/* Sorted by name; the caller frees the array. */
int lanes_list(struct lanes *lanes, struct lane_state **ret_states, size_t *ret_n);
/* Paused, with who or what did it (`why`, shown with the state, also after a restart); NULL: resumed. */
int lanes_pause(struct lanes *lanes, const char *name, const char *why, struct xylem_reason *reason);
/* -XYLEM_E_CONFLICT for one that is in the configuration. */
int lanes_drop(struct lanes *lanes, const char *name, struct xylem_reason *reason);
/* Should this source be held, because a lane that it feeds has as much waiting as it may (`overflow: hold`)? */
bool lanes_hold(struct lanes *lanes, const char *connector);
/* The lowest committed cursor of all: below it the journal may be trimmed. */
struct xylem_position lanes_released(struct lanes *lanes);

#endif
