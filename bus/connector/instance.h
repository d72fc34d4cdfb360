/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTOR_INSTANCE_H
#define CONNECTOR_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include <config/config.h>
#include <intake/intake.h>
#include <xylem/connector.h>

/*
 * An instance of a connector: a named connector of the configuration, open.
 * Counted: the bus holds one reference, each lane that delivers to it another,
 * so that a reload may change it under running lanes. It holds the generation
 * that its options lie in. Any thread.
 */
struct instance;

typedef void (*instance_changed)(void *context, struct instance *instance);

struct instance_options {
	const char *name;
	const struct xylem_connector *kind;
	const void *options;
	struct config *config;    /* keeps `options` alive; may be NULL for internal ones */
	const char *data;         /* DATA: folders of instances are below DATA/connectors/ */
	instance_changed changed; /* health went up or down; may be NULL */
	void *context;
};
int instance_open(
	struct instance **ret_instance, const struct instance_options *options, struct xylem_reason *reason);
struct instance *instance_ref(struct instance *instance);
/* The last one closes the connector. */
struct instance *instance_unref(struct instance *instance);

const char *instance_name(const struct instance *instance);
const struct xylem_connector *instance_kind(const struct instance *instance);

/* Source side. Starting twice or stopping what is not started does nothing. */
int instance_start(struct instance *instance, struct intake *intake, struct xylem_reason *reason);
void instance_stop(struct instance *instance);
/* Holds are counted; nothing happens to what is no source or not started. */
void instance_hold(struct instance *instance, bool hold);

/* Sink side. */
int instance_sink_open(
	struct instance *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason);

int instance_probe(struct instance *instance, int64_t timeout_us, struct xylem_result *ret_result);

struct instance_state {
	bool source, sink, up, held;
	char why[256];
	uint64_t received;
};
void instance_state(struct instance *instance, struct instance_state *ret_state);
/* Grows when the connector says that its other side is there again. */
uint64_t instance_ready(const struct instance *instance);
/* As xylem_host_health(), for what lanes see of it. */
void instance_health(struct instance *instance, bool up, const char *why);

#endif
