/* SPDX-License-Identifier: Apache-2.0 */
/* status: the whole bus at a glance: is it ready, what waits, what failed. */
#include <stdlib.h>

#include <base/clock.h>
#include <console/operations/table.h>
#include <console/view.h>
#include <metrics/build_info.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static json_t *journal_view(struct journal *journal)
{
	struct journal_state state;
	journal_state(journal, &state);
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b, s:b, s:b, s:s}", "begin",
		view_position(journal_begin(journal)), "end", view_position(journal_end(journal)), "bytes",
		(json_int_t)state.bytes, "segments", (json_int_t)state.segments, "unreleased_bytes",
		(json_int_t)state.unreleased_bytes, "hold_bytes", (json_int_t)state.hold_bytes, "appended",
		(json_int_t)state.appended, "commits", (json_int_t)state.commits, "last_sync_ms",
		(double)state.last_sync_us / 1000.0, "held", state.held, "full", state.full, "failed",
		state.failed, "failure", state.failure);
}

static json_t *catalogue_view(struct catalogue *catalogue)
{
	struct catalogue_state state;
	catalogue_state(catalogue, &state);
	return json_pack("{s:b, s:s, s:I, s:I, s:f}", "failed", state.failed, "failure", state.failure,
		"commits", (json_int_t)state.commits, "jobs", (json_int_t)state.jobs, "last_commit_ms",
		(double)state.last_commit_us / 1000.0);
}

static json_t *hospital_view(struct hospital *hospital)
{
	struct hospital_state state;
	hospital_state(hospital, &state);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "open", (json_int_t)state.open, "replaying",
		(json_int_t)state.replaying, "discarded", (json_int_t)state.discarded, "groups",
		(json_int_t)state.groups, "bytes", (json_int_t)state.bytes, "max_cases",
		(json_int_t)state.max_cases, "max_bytes", (json_int_t)state.max_bytes);
}

/* How many lanes are in each state, and the longest backlog and wait. */
static json_t *lanes_view(struct bus *bus)
{
	struct lane_state *lanes;
	size_t n;
	if (bus_lanes(bus, &lanes, &n)) {
		return json_null();
	}
	json_int_t counts[LANE_RETIRED + 1] = { 0 };
	uint64_t backlog = 0;
	int64_t oldest_us = 0;
	for (size_t i = 0; i < n; i++) {
		counts[lanes[i].condition]++;
		backlog = lanes[i].backlog > backlog ? lanes[i].backlog : backlog;
		oldest_us = lanes[i].oldest_us > oldest_us ? lanes[i].oldest_us : oldest_us;
	}
	free(lanes);
	json_t *view = json_pack("{s:I, s:I, s:f}", "total", (json_int_t)n, "longest_backlog",
		(json_int_t)backlog, "oldest_s", (double)oldest_us / 1e6);
	for (int i = 0; i <= LANE_RETIRED; i++) {
		json_object_set_new(view, lane_condition_name(i), json_integer(counts[i]));
	}
	return view;
}

static json_t *connectors_view(struct bus *bus)
{
	struct connector_state *connectors;
	size_t n;
	if (bus_connectors(bus, &connectors, &n)) {
		return json_null();
	}
	json_int_t up = 0, held = 0;
	for (size_t i = 0; i < n; i++) {
		up += connectors[i].up;
		held += connectors[i].held;
	}
	free(connectors);
	return json_pack("{s:I, s:I, s:I}", "total", (json_int_t)n, "up", up, "held", held);
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	char text[256];
	const char *obstacle = bus_not_ready(bus, text);
	struct config *config = bus_config(bus);
	const struct config_view *view = config_view(config);
	*ret_result = json_pack("{s:s, s:s, s:s, s:o, s:f, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
		view->bus->name, "version", XYLEM_VERSION, "revision", XYLEM_REVISION, "started",
		view_time(bus_started_us(bus)), "uptime_s",
		(double)(clock_wall_us() - bus_started_us(bus)) / 1e6, "generation", view->generation,
		"ready", obstacle == NULL, "obstacle",
		obstacle ? view_text(xylem_span_of(obstacle)) : json_null(), "lanes", lanes_view(bus),
		"connectors", connectors_view(bus), "hospital", hospital_view(bus_hospital(bus)), "journal",
		journal_view(bus_journal(bus)), "catalogue", catalogue_view(bus_catalogue(bus)));
	config_unref(config);
	return 0;
}

const struct operation operation_bus_status = {
	.name = "bus-status",
	.words = "status",
	.method = "GET",
	.path = "bus",
	.role = ROLE_VIEWER,
	.summary =
		"Shows the bus at a glance: whether it is ready, its lanes, connectors, hospital and stores.",
	.arguments = options,
	.run = run,
};
