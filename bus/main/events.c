/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens, told to whoever listens (`tail`, the console), as one line of
 * JSON. With nobody listening it costs one load of a flag.
 */
#include <stdlib.h>

#include <base/clock.h>
#include <main/bus_body.h>
#include <xylem/json.h>

/* Under the lock. */
static void count_wanted(struct bus *bus)
{
	unsigned wanted = 0;
	for (size_t i = 0; i < bus->listener_count; i++) {
		wanted |= bus->listeners[i].events;
	}
	atomic_store(&bus->listened, wanted);
}

uint64_t bus_listen(struct bus *bus, unsigned events, bus_listener listener, void *context)
{
	uint64_t number = 0;
	pthread_rwlock_wrlock(&bus->listeners_lock);
	struct listener *grown = realloc(bus->listeners, (bus->listener_count + 1) * sizeof(*grown));
	if (grown) {
		number = ++bus->listener_next;
		bus->listeners = grown;
		bus->listeners[bus->listener_count++] = (struct listener){ number, events, listener,
			context };
		count_wanted(bus);
	}
	pthread_rwlock_unlock(&bus->listeners_lock);
	return number;
}

void bus_unlisten(struct bus *bus, uint64_t number)
{
	pthread_rwlock_wrlock(&bus->listeners_lock);
	for (size_t i = 0; i < bus->listener_count; i++) {
		if (bus->listeners[i].number == number) {
			bus->listeners[i] = bus->listeners[--bus->listener_count];
			break;
		}
	}
	count_wanted(bus);
	pthread_rwlock_unlock(&bus->listeners_lock);
}

static void begin(struct xylem_buffer *line)
{
	char time[CLOCK_TEXT_SIZE];
	xylem_buffer_format(line, "{\"time\":\"%s\"", clock_format(clock_wall_us(), time));
}

static void text(struct xylem_buffer *line, const char *name, const char *value)
{
	xylem_json_write_name(line, name);
	xylem_json_write_string(line, xylem_span_of(value));
}

static void tell(struct bus *bus, enum bus_event event, struct xylem_buffer *line)
{
	xylem_buffer_byte(line, '}');
	if (xylem_buffer_failed(line)) {
		return;
	}
	pthread_rwlock_rdlock(&bus->listeners_lock);
	for (size_t i = 0; i < bus->listener_count; i++) {
		if (bus->listeners[i].events & 1U << event) {
			bus->listeners[i].call(bus->listeners[i].context, event, xylem_buffer_borrow(line));
		}
	}
	pthread_rwlock_unlock(&bus->listeners_lock);
}

static bool nobody(struct bus *bus, enum bus_event event)
{
	return !(atomic_load_explicit(&bus->listened, memory_order_relaxed) & 1U << event);
}

void events_accepted(void *context, const char *ingress, const struct xylem_position *positions, size_t n)
{
	struct bus *bus = context;
	metric_add(metric_series(METRIC_RECEIVED, ingress, NULL, NULL), n);
	for (size_t i = 0; i < n && !nobody(bus, BUS_EVENT_ACCEPTED); i++) {
		XYLEM_BUFFER_SCOPED line = { 0 };
		char handle[XYLEM_HANDLE_SIZE];
		begin(&line);
		text(&line, "handle", xylem_handle_format(positions[i], handle));
		text(&line, "ingress", ingress);
		tell(bus, BUS_EVENT_ACCEPTED, &line);
	}
}

void events_settled(void *context, const char *lane, struct xylem_position position, enum outcome outcome,
	uint32_t attempts)
{
	struct bus *bus = context;
	enum bus_event event = outcome == OUTCOME_HOSPITALISED ? BUS_EVENT_CASE : BUS_EVENT_SETTLED;
	if (nobody(bus, event)) {
		return;
	}
	XYLEM_BUFFER_SCOPED line = { 0 };
	char handle[XYLEM_HANDLE_SIZE];
	begin(&line);
	text(&line, "handle", xylem_handle_format(position, handle));
	text(&line, "lane", lane);
	text(&line, "outcome", outcome_name(outcome));
	xylem_buffer_format(&line, ",\"attempts\":%u", attempts);
	tell(bus, event, &line);
}

void events_lane(void *context, const char *lane, enum lane_condition condition, const char *why)
{
	struct bus *bus = context;
	if (nobody(bus, BUS_EVENT_LANE)) {
		return;
	}
	XYLEM_BUFFER_SCOPED line = { 0 };
	begin(&line);
	text(&line, "lane", lane);
	text(&line, "condition", lane_condition_name(condition));
	text(&line, "why", why);
	tell(bus, BUS_EVENT_LANE, &line);
}

void events_connector(void *context, struct instance *instance)
{
	struct bus *bus = context;
	if (nobody(bus, BUS_EVENT_CONNECTOR)) {
		return;
	}
	XYLEM_BUFFER_SCOPED line = { 0 };
	struct instance_state state;
	instance_state(instance, &state);
	begin(&line);
	text(&line, "connector", instance_name(instance));
	xylem_buffer_format(&line, ",\"up\":%s", state.up ? "true" : "false");
	text(&line, "why", state.why);
	tell(bus, BUS_EVENT_CONNECTOR, &line);
}

void events_reload(struct bus *bus, bool ok, const char *generation)
{
	metric_set(metric_series(METRIC_RELOAD_OK, NULL, NULL, NULL), ok);
	if (ok) {
		metric_set(
			metric_series(METRIC_RELOAD_TIME, NULL, NULL, NULL), (double)clock_wall_us() / 1e6);
	}
	if (nobody(bus, BUS_EVENT_RELOAD)) {
		return;
	}
	XYLEM_BUFFER_SCOPED line = { 0 };
	begin(&line);
	xylem_buffer_format(&line, ",\"ok\":%s", ok ? "true" : "false");
	text(&line, "generation", generation);
	tell(bus, BUS_EVENT_RELOAD, &line);
}
