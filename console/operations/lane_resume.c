/* SPDX-License-Identifier: Apache-2.0 */
/* resume lane: the opposite of pause, and a push for a lane that waits for its next try. */
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
	int error = bus_lane_resume(bus, arguments->lane, caller->name, reason);
	if (error) {
		return error;
	}
	*ret_result = json_pack("{s:s, s:s}", "lane", arguments->lane, "done", "resume");
	return 0;
}

const struct operation operation_lane_resume = {
	.name = "lane-resume",
	.words = "resume lane",
	.method = "POST",
	.path = "lanes/{lane}/resume",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Resumes a paused or stopped lane; one whose circuit is open tries again at once.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
