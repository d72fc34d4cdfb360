/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the faces ask of a running bus (main/bus.h): its parts, its state, its
 * lanes and connectors. No more is here than to find the part and to hand the
 * question on; what people may do and in which words is the console's.
 *
 * The rule not to break: who asks comes on any thread, so what a reload
 * changes is looked at, copied or counted under generation_lock, and no part is
 * called under it that may wait.
 */
#include <stdio.h>
#include <stdlib.h>

#include <main/bus_body.h>
#include <xylem/log.h>

struct config *bus_config(struct bus *bus)
{
	pthread_mutex_lock(&bus->generation_lock);
	struct config *config = config_ref(bus->config);
	pthread_mutex_unlock(&bus->generation_lock);
	return config;
}

struct journal *bus_journal(struct bus *bus)
{
	return bus->journal;
}

struct catalogue *bus_catalogue(struct bus *bus)
{
	return bus->catalogue;
}

struct hospital *bus_hospital(struct bus *bus)
{
	return bus->hospital;
}

struct topics *bus_topics(struct bus *bus)
{
	return bus->topics;
}

int64_t bus_started_us(struct bus *bus)
{
	return bus->started_us;
}

const char *bus_not_ready(struct bus *bus, char text[256])
{
	struct journal_state journal;
	struct catalogue_state catalogue;
	journal_state(bus->journal, &journal);
	catalogue_state(bus->catalogue, &catalogue);
	if (journal.failed) {
		snprintf(text, 256, "journal: %s", journal.failure);
	} else if (catalogue.failed) {
		snprintf(text, 256, "catalogue: %s", catalogue.failure);
	} else if (journal.full) {
		snprintf(text, 256, "journal: the disk is full; sources are held back");
	} else {
		return NULL;
	}
	return text;
}

int bus_lanes(struct bus *bus, struct lane_state **ret_lanes, size_t *ret_n)
{
	return lanes_list(bus->lanes, ret_lanes, ret_n);
}

int bus_lane_pause(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason)
{
	char why[256];
	snprintf(why, sizeof(why), "paused by %s", who);
	int error = lanes_pause(bus->lanes, name, why, reason);
	if (!error) {
		xylem_log(XYLEM_LOG_NOTICE, "lane", "%s: %s", name, why);
	}
	return error;
}

int bus_lane_resume(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason)
{
	int error = lanes_pause(bus->lanes, name, NULL, reason);
	if (!error) {
		xylem_log(XYLEM_LOG_NOTICE, "lane", "%s: resumed by %s", name, who);
	}
	return error;
}

int bus_lane_drop(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason)
{
	int error = lanes_drop(bus->lanes, name, reason);
	if (!error) {
		xylem_log(XYLEM_LOG_NOTICE, "lane", "%s: dropped with its backlog by %s", name, who);
	}
	return error;
}

int bus_connectors(struct bus *bus, struct connector_state **ret_connectors, size_t *ret_n)
{
	pthread_mutex_lock(&bus->generation_lock);
	size_t n = bus->instances.n;
	struct connector_state *states = calloc(n ? n : 1, sizeof(*states));
	for (size_t i = 0; states && i < n; i++) {
		struct instance *instance = bus->instances.items[i];
		struct instance_state state;
		instance_state(instance, &state);
		snprintf(states[i].name, sizeof(states[i].name), "%s", instance_name(instance));
		snprintf(states[i].kind, sizeof(states[i].kind), "%s", instance_kind(instance)->name);
		memcpy(states[i].why, state.why, sizeof(state.why));
		states[i].source = state.source;
		states[i].sink = state.sink;
		states[i].up = state.up;
		states[i].held = state.held;
		states[i].received = state.received;
	}
	pthread_mutex_unlock(&bus->generation_lock);
	if (!states) {
		return -XYLEM_E_MEMORY;
	}
	*ret_connectors = states;
	*ret_n = n;
	return 0;
}

int bus_connector_probe(struct bus *bus, const char *name, int64_t timeout_us,
	struct xylem_result *ret_result, struct xylem_reason *reason)
{
	pthread_mutex_lock(&bus->generation_lock);
	struct instance *instance = instances_find(&bus->instances, name);
	instance = instance ? instance_ref(instance) : NULL;
	pthread_mutex_unlock(&bus->generation_lock);
	if (!instance) {
		xylem_reason_set(reason, "there is no connector \"%s\"", name);
		return -XYLEM_E_NOT_FOUND;
	}
	int error = instance_probe(instance, timeout_us, ret_result);
	if (error == -XYLEM_E_UNSUPPORTED) {
		xylem_reason_set(reason,
			instance_kind(instance)->flags & XYLEM_CONNECTOR_SINK
				? "a %s connector has no probe; its next delivery shows whether it is there"
				: "a %s connector has no probe: it is the other side that calls",
			instance_kind(instance)->name);
	}
	instance_unref(instance);
	return error;
}
