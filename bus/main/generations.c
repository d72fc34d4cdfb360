/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the catalogue what the routes are from now on: at the start before
 * anything comes in, and after each reload (bus/trace/generation.h).
 */
#include <stdlib.h>

#include <base/clock.h>
#include <main/bus_body.h>
#include <trace/generation.h>

int bus_generations_note(struct bus *bus, struct xylem_reason *reason)
{
	const struct config_view *view = config_view(bus->config);
	struct generation_route *routes = calloc(view->route_count + 1, sizeof(*routes));
	if (!routes) {
		return -XYLEM_E_MEMORY;
	}
	for (size_t i = 0; i < view->route_count; i++) {
		routes[i] = (struct generation_route){ view->routes[i].name, view->routes[i].steps_hash };
	}
	int error = generation_note(bus->catalogue, routes, view->route_count, clock_wall_us(), reason);
	free(routes);
	return error;
}
