/* SPDX-License-Identifier: Apache-2.0 */
/* routes: from where, through which steps, to where, and where each stands in the configuration. */
#include <console/operations/table.h>
#include <console/view.h>
#include <route/lane_options.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static json_t *steps_view(const struct config_route *route)
{
	json_t *list = json_array();
	for (size_t i = 0; i < route->step_count; i++) {
		const struct config_step *step = &route->steps[i];
		json_array_append_new(list, json_string(step->kind ? step->kind->name : "where"));
	}
	return list;
}

/* What gets every message; a destination that only `otherwise` names is in the other member. */
static json_t *to_view(const struct config_route *route)
{
	json_t *to = json_array();
	for (size_t i = 0; i < route->lane_count; i++) {
		if (!route->lanes[i].otherwise_only) {
			json_array_append_new(to, json_string(route->lanes[i].destination));
		}
	}
	return to;
}

/* Destination -> where what it turns away goes; NULL: no destination has that. */
static json_t *otherwise_view(const struct config_route *route)
{
	json_t *otherwise = NULL;
	for (size_t i = 0; i < route->lane_count; i++) {
		const struct config_lane *lane = &route->lanes[i];
		if (lane->options->otherwise) {
			otherwise = otherwise ? otherwise : json_object();
			json_object_set_new(
				otherwise, lane->destination, json_string(lane->options->otherwise));
		}
	}
	return otherwise;
}

static json_t *route_view(const struct config_route *route)
{
	return json_pack("{s:s, s:o, s:b, s:o, s:o, s:o*, s:o}", "name", route->name, "from",
		view_strings(&route->from), "where", route->where != NULL, "steps", steps_view(route), "to",
		to_view(route), "otherwise", otherwise_view(route), "place", view_place(&route->place));
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct config *config = bus_config(bus);
	const struct config_view *view = config_view(config);
	json_t *list = json_array();
	for (size_t i = 0; i < view->route_count; i++) {
		json_array_append_new(list, route_view(&view->routes[i]));
	}
	config_unref(config);
	*ret_result = json_pack("{s:o}", "routes", list);
	return 0;
}

const struct operation operation_routes = {
	.name = "routes",
	.words = "routes",
	.method = "GET",
	.path = "routes",
	.role = ROLE_VIEWER,
	.summary = "Lists the routes: from where, through which steps, to where.",
	.arguments = options,
	.run = run,
};
