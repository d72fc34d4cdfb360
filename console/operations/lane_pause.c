/* SPDX-License-Identifier: Apache-2.0 */
/* pause lane: what is in flight ends; the rest waits in the journal. */
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
	int error = bus_lane_pause(bus, arguments->lane, caller->name, reason);
	if (error) {
		return error;
	}
	*ret_result = json_pack("{s:s, s:s}", "lane", arguments->lane, "done", "pause");
	return 0;
}

const struct operation operation_lane_pause = {
	.name = "lane-pause",
	.words = "pause lane",
	.method = "POST",
	.path = "lanes/{lane}/pause",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Pauses a lane: it takes up nothing more until it is resumed, also after a restart.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
