/* SPDX-License-Identifier: Apache-2.0 */
/* hospital groups: the cases by what they have in common, which is what a person repairs at once. */
#include <console/operations/table.h>

struct arguments {
	int state;
};

/* The first means: open and replaying. */
static const char *const states[] = { "active", "open", "replaying", "resolved", "discarded", NULL };

static const struct xylem_option options[] = {
	{ .name = "state",
		.type = XYLEM_OPTION_ENUM,
		.offset = offsetof(struct arguments, state),
		.default_value = "active",
		.choices = states,
		.since = "0.1",
		.summary = "Which cases count; `active` is open and replaying." },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	const char *state = arguments->state ? states[arguments->state] : NULL;
	json_t *groups = NULL;
	int error = hospital_groups(bus_hospital(bus), state, &groups, reason);
	if (error) {
		return error;
	}
	*ret_result = json_is_array(groups) ? json_pack("{s:o}", "groups", groups) : groups;
	return 0;
}

const struct operation operation_hospital_groups = {
	.name = "hospital-groups",
	.words = "hospital groups",
	.also = "hospital",
	.method = "GET",
	.path = "hospital/groups",
	.role = ROLE_VIEWER,
	.summary = "Lists the groups of the hospital: cases that failed in the same way.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
