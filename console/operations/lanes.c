/* SPDX-License-Identifier: Apache-2.0 */
/* lanes: every lane with its state, backlog and counters, sorted by name. */
#include <stdlib.h>

#include <console/operations/table.h>
#include <console/view.h>

struct arguments {
	const char *route;
	const char *state;
};

static const struct xylem_option options[] = {
	{ .name = "route",
		.type = XYLEM_OPTION_NAME,
		.offset = offsetof(struct arguments, route),
		.since = "0.1",
		.summary = "Only the lanes of this route.",
		.example = "orders" },
	{ .name = "state",
		.type = XYLEM_OPTION_NAME,
		.offset = offsetof(struct arguments, state),
		.since = "0.1",
		.summary = "Only the lanes in this state.",
		.example = "paused" },
	XYLEM_OPTIONS_END,
};

static bool wanted(const struct arguments *arguments, const struct lane_state *lane)
{
	return (!arguments->route || strcmp(arguments->route, lane->route) == 0) &&
	       (!arguments->state || strcmp(arguments->state, lane_condition_name(lane->condition)) == 0);
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	struct lane_state *lanes;
	size_t n;
	int error = bus_lanes(bus, &lanes, &n);
	if (error) {
		xylem_reason_set(reason, "the lanes cannot be listed now");
		return error;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		if (wanted(arguments, &lanes[i])) {
			json_array_append_new(list, view_lane(&lanes[i]));
		}
	}
	free(lanes);
	*ret_result = json_pack("{s:o}", "lanes", list);
	return 0;
}

const struct operation operation_lanes = {
	.name = "lanes",
	.words = "lanes",
	.method = "GET",
	.path = "lanes",
	.role = ROLE_VIEWER,
	.summary = "Lists the lanes: one for each route and destination, with state, backlog and counters.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
