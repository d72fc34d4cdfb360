/* SPDX-License-Identifier: Apache-2.0 */
/* lane: one lane by its name, ROUTE/DESTINATION. */
#include <stdlib.h>

#include <console/operations/arguments.h>
#include <console/operations/table.h>
#include <console/view.h>

struct arguments {
	const char *lane;
};

static const struct xylem_option options[] = {
	LANE_ARGUMENT(offsetof(struct arguments, lane)),
	XYLEM_OPTIONS_END,
};

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
	error = -XYLEM_E_NOT_FOUND;
	for (size_t i = 0; i < n && error; i++) {
		if (strcmp(lanes[i].name, arguments->lane) == 0) {
			*ret_result = view_lane(&lanes[i]);
			error = 0;
		}
	}
	free(lanes);
	if (error) {
		xylem_reason_set(reason, "there is no lane `%s`: a lane is ROUTE/DESTINATION, see `lanes`",
			arguments->lane);
	}
	return error;
}

const struct operation operation_lane = {
	.name = "lane",
	.words = "lane",
	.method = "GET",
	.path = "lanes/{lane}",
	.role = ROLE_VIEWER,
	.summary = "Shows one lane.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
