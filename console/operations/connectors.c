/* SPDX-License-Identifier: Apache-2.0 */
/* connectors: each link to an outside system, whether it is up, and what it said last. */
#include <stdlib.h>

#include <console/operations/table.h>
#include <console/view.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static json_t *connector_view(const struct connector_state *connector)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:I}", "name", connector->name, "kind",
		connector->kind, "source", connector->source, "sink", connector->sink, "up", connector->up,
		"held", connector->held, "why",
		connector->why[0] ? view_text(xylem_span_of(connector->why)) : json_null(), "received",
		(json_int_t)connector->received);
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct connector_state *connectors;
	size_t n;
	int error = bus_connectors(bus, &connectors, &n);
	if (error) {
		xylem_reason_set(reason, "the connectors cannot be listed now");
		return error;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, connector_view(&connectors[i]));
	}
	free(connectors);
	*ret_result = json_pack("{s:o}", "connectors", list);
	return 0;
}

const struct operation operation_connectors = {
	.name = "connectors",
	.words = "connectors",
	.method = "GET",
	.path = "connectors",
	.role = ROLE_VIEWER,
	.summary = "Lists the connectors with their health.",
	.arguments = options,
	.run = run,
};
