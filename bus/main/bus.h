/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_BUS_H
#define MAIN_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include <catalogue/catalogue.h>
#include <config/config.h>
#include <hospital/hospital.h>
#include <journal/journal.h>
#include <route/lane.h>

/*
 * The whole bus: a start table walked forward, and backward to stop. Faces
 * (REST, CLI, XMPP) reach everything through the operations of console/, and
 * those through this. Any thread, unless a call says otherwise.
 */
struct bus;

/* The current generation; the caller unrefs it. */
struct config *bus_config(struct bus *bus);
struct journal *bus_journal(struct bus *bus);
struct catalogue *bus_catalogue(struct bus *bus);
struct hospital *bus_hospital(struct bus *bus);
struct topics;
struct topics *bus_topics(struct bus *bus);
int64_t bus_started_us(struct bus *bus); /* wall time */

/* NULL: ready. Otherwise what is in the way ("journal: fdatasync failed: EIO"), in `text`. */
const char *bus_not_ready(struct bus *bus, char text[256]);

/* Loads and swaps the generation, all or nothing; the report has every problem. */
int bus_reload(struct bus *bus, struct config_report *report);

/* A new message by an operator or program; waits for the disk. `ingress`: a connector name or `topic:NAME`. */
int bus_publish(struct bus *bus, const char *ingress, const struct xylem_message *messages, size_t n,
	struct xylem_position *ret_positions, struct xylem_reason *reason);

/* Lanes, sorted by name; the caller frees the array with free(). */
int bus_lanes(struct bus *bus, struct lane_state **ret_lanes, size_t *ret_n);
/* -XYLEM_E_NOT_FOUND; pause and resume survive a restart. `who` goes to the audit. */
int bus_lane_pause(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason);
int bus_lane_resume(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason);
/* A retired lane and its backlog; -XYLEM_E_CONFLICT for one that is in the configuration. */
int bus_lane_drop(struct bus *bus, const char *name, const char *who, struct xylem_reason *reason);

struct connector_state {
	char name[128];
	char kind[64];
	bool source, sink;
	bool up;
	bool held; /* sources: held back now */
	char why[256];
	uint64_t received; /* sources: messages since start */
};
int bus_connectors(struct bus *bus, struct connector_state **ret_connectors, size_t *ret_n);
int bus_connector_probe(struct bus *bus, const char *name, int64_t timeout_us,
	struct xylem_result *ret_result, struct xylem_reason *reason);

/*
 * Things that happen, for `tail` and SSE: a callback on the thread where it
 * happened, which must not block. `json` is one line.
 */
enum bus_event {
	BUS_EVENT_ACCEPTED,
	BUS_EVENT_SETTLED,
	BUS_EVENT_CASE,
	BUS_EVENT_LANE,
	BUS_EVENT_CONNECTOR,
	BUS_EVENT_RELOAD
};
typedef void (*bus_listener)(void *context, enum bus_event event, struct xylem_span json);
/* `events`: a bit (1 << event) of each that is wanted. What nobody wants costs one load. */
#define BUS_EVENTS_ALL ~0U
uint64_t bus_listen(struct bus *bus, unsigned events, bus_listener listener, void *context);
void bus_unlisten(struct bus *bus, uint64_t listener);

#endif
