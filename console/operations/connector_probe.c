/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: asks a connector now whether its other side is there and willing. An unwilling one is
 * an answer, no error.
 */
#include <base/clock.h>
#include <console/operations/table.h>
#include <console/view.h>

struct arguments {
	const char *name;
	int64_t timeout_us;
};

static const struct xylem_option options[] = {
	{ .name = "name",
		.type = XYLEM_OPTION_NAME,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct arguments, name),
		.since = "0.1",
		.summary = "The connector.",
		.example = "erp" },
	{ .name = "timeout",
		.type = XYLEM_OPTION_DURATION,
		.offset = offsetof(struct arguments, timeout_us),
		.default_value = "5s",
		.minimum = 100000,
		.maximum = 30000000,
		.since = "0.1",
		.summary = "How long to wait for the other side." },
	XYLEM_OPTIONS_END,
};

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	const struct arguments *arguments = given;
	struct xylem_result result = { 0 };
	int64_t begun = clock_mono_us();
	int error = bus_connector_probe(bus, arguments->name, arguments->timeout_us, &result, reason);
	if (error && result.failure == XYLEM_DELIVERED) {
		return error;
	}
	bool up = result.failure == XYLEM_DELIVERED;
	*ret_result = json_pack("{s:s, s:b, s:s, s:o, s:o, s:f}", "name", arguments->name, "up", up,
		"failure", up ? "none" : xylem_failure_name(result.failure), "code",
		up ? json_null() : view_text(xylem_span_of(result.code)), "why",
		up ? json_null() : view_text(xylem_span_of(result.reason.text)), "took_ms",
		(double)(clock_mono_us() - begun) / 1000.0);
	return 0;
}

const struct operation operation_connector_probe = {
	.name = "connector-probe",
	.words = "probe",
	.method = "POST",
	.path = "connectors/{name}/probe",
	.role = ROLE_OPERATOR,
	.unsafe = true,
	.summary = "Asks a connector now whether its other side is there and willing.",
	.arguments = options,
	.arguments_size = sizeof(struct arguments),
	.run = run,
};
