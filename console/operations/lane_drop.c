/* SPDX-License-Identifier: Apache-2.0 */
/* drop lane: only for a lane that no configuration names any more; there is no way back. */
#include <console/operations/arguments.h>
#include <console/operations/table.h>

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
	int error = bus_lane_drop(bus, arguments->lane, caller->name, reason);
	if (error) {
		return error;
	}
	*ret_result = json_pack("{s:s, s:s}", "lane", arguments->lane, "done", "drop");
	return 0;
}

const struct operation operation_lane_drop = {
	.name = "lane-drop",
	.words = "drop lane",
	.method = "POST",
	.path = "lanes/{lane}/drop",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.bulk = true,
	.among = "retired",
	.summary = "Drops a retired lane and its backlog: its messages are not delivered there any more.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
