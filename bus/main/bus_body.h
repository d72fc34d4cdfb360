/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_BUS_BODY_H
#define MAIN_BUS_BODY_H

/* The inside of the bus, for the files of this room only. */

#include <pthread.h>
#include <stdatomic.h>

#include <connector/instance.h>
#include <intake/intake.h>
#include <main/bus.h>
#include <route/lanes.h>
#include <topic/topic.h>
#include <xmpp/service.h>

#include "console/rest.h"
#include "console/xmpp/face.h"

/* The open connectors of a generation, sorted as it lists them. */
struct instances {
	struct instance **items;
	unsigned char (*hashes)[32];
	bool *held;    /* for a lane's backlog; the keeper's */
	bool *sources; /* takes messages in (config_takes_in) */
	size_t n;
};

struct listener {
	uint64_t number;
	unsigned events;
	bus_listener call;
	void *context;
};

/* A door for what is published by people and programs, by ingress. */
struct door {
	struct door *next;
	char ingress[160];
	struct xylem_source *source;
};

struct bus {
	const char *path; /* of the configuration */
	bool accept_gap;
	int64_t started_us;

	pthread_mutex_t generation_lock; /* `config`, `instances` */
	struct config *config;
	struct instances instances;
	pthread_mutex_t reload_lock; /* one reload at a time; taken before every other */

	struct catalogue *catalogue;
	struct journal *journal;
	struct hospital *hospital;
	struct intake *intake;
	struct topics *topics;
	struct xmpp_service *xmpp;
	struct instance *fanout, *unrouted;
	struct lane_services lane_services;
	struct lanes *lanes;
	struct rest *rest;
	/* NULL: no XMPP, or not yet, or not any more; used under listeners_lock, so that it stays. */
	_Atomic(struct face *) face;

	pthread_mutex_t doors_lock;
	struct door *doors;

	pthread_rwlock_t listeners_lock;
	struct listener *listeners;
	size_t listener_count;
	uint64_t listener_next;
	_Atomic unsigned listened; /* the events that somebody wants */

	/* The cases that were alerted last; of the catalogue's commit thread alone. */
	uint64_t alerted[256];
	size_t alerted_next;

	/* The keeper: a thread that does what callbacks must not. */
	pthread_t keeper;
	bool keeping;
	pthread_mutex_t keeper_lock;
	pthread_cond_t keeper_wake;
	bool keeper_ending, journal_changed;
	bool holding;           /* sources are held for the journal; keeper's own */
	unsigned alarm_percent; /* 0, 50 or 80: how full the journal was said to be */
};

/* bus.c: the start table, forward and backward. `ret_bus` only when everything runs. */
int bus_start(struct bus **ret_bus, const char *path, bool accept_gap, struct xylem_reason *reason);
struct bus *bus_stop(struct bus *bus);
/* Makes the lanes be those of `config`, delivering to `instances` (lanes_apply). At the start, or under reload_lock. */
int bus_lanes_apply(
	struct bus *bus, struct config *config, struct instances *instances, struct xylem_reason *reason);

/* generations.c: notes what the routes are from now on. At the start, or under reload_lock. */
int bus_generations_note(struct bus *bus, struct xylem_reason *reason);

/* instances.c */
/* The instances of `config`: those of `before` that did not change, new ones for the rest. */
int instances_open(struct bus *bus, struct config *config, const struct instances *before,
	struct instances *ret_instances, struct xylem_reason *reason);
void instances_finish(struct instances *instances);
struct instance *instances_find(const struct instances *instances, const char *name);
bool instances_has(const struct instances *instances, const struct instance *instance);
/* Starts the sources that do not run yet, and stops what is none any more. The first error is returned, the others are logged. */
int instances_start(struct bus *bus, const struct instances *instances, struct xylem_reason *reason);
void instances_stop(const struct instances *instances);
void instances_hold(const struct instances *instances, bool hold);

/* keeper.c */
int keeper_start(struct bus *bus, struct xylem_reason *reason);
void keeper_stop(struct bus *bus);

/* publish.c */
int publish_submit(void *bus, const char *ingress, const struct xylem_message *messages, size_t n,
	xylem_submit_done done, void *context, struct xylem_reason *reason);
void doors_close(struct bus *bus);

/* events.c */
void events_accepted(void *bus, const char *ingress, const struct xylem_position *positions, size_t n);
void events_settled(
	void *bus, const char *lane, struct xylem_position position, enum outcome outcome, uint32_t attempts);
void events_lane(void *bus, const char *lane, enum lane_condition condition, const char *why);
void events_connector(void *bus, struct instance *instance);
void events_reload(struct bus *bus, bool ok, const char *generation);

/* alerts.c */
void alerts_admitted(void *bus, uint64_t number, const struct hospital_admission *admission);

/* unrouted.c: the sink of what no route takes. */
extern const struct xylem_connector unrouted_sink;

#endif
