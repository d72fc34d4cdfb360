/* SPDX-License-Identifier: Apache-2.0 */
/* reload: reads the configuration again and swaps it, all or nothing. */
#include <console/operations/table.h>
#include <console/view.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static int refused(
	int error, const struct config_report *report, json_t **ret_result, struct xylem_reason *reason)
{
	*ret_result = view_report(report);
	const struct config_problem *first = report->problems, *end = first + report->n;
	while (first < end && first->warning) {
		first++;
	}
	if (first < end) {
		xylem_reason_set(reason,
			"the configuration was not changed: %zu error%s, the first at %s:%d:%d: %s",
			report->errors, report->errors == 1 ? "" : "s",
			first->place.file ? first->place.file : "?", first->place.line, first->place.column,
			first->text);
	} else {
		xylem_reason_set(
			reason, "the configuration was not changed: %s", xylem_error_row(error)->text);
	}
	return error;
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct config_report report = { 0 };
	int error = bus_reload(bus, &report);
	if (error) {
		error = refused(error, &report, ret_result, reason);
	} else {
		struct config *config = bus_config(bus);
		*ret_result = json_pack("{s:s, s:o}", "generation", config_view(config)->generation,
			"warnings", view_report(&report));
		config_unref(config);
	}
	config_report_finish(&report);
	return error;
}

const struct operation operation_config_reload = {
	.name = "config-reload",
	.words = "reload",
	.method = "POST",
	.path = "config/reload",
	.role = ROLE_DEPLOYER,
	.unsafe = true,
	.bulk = true,
	.summary = "Reads the configuration again and swaps it, all or nothing.",
	.arguments = options,
	.run = run,
};
