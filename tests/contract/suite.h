/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_SUITE_H
#define TESTS_CONTRACT_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include <xylem/message.h>
#include <xylem/visible.h>

#include "peer.h"

struct config;
struct config_connector;
struct instance;
struct intake;
struct journal;
struct xmpp_service;
struct xylem_arena;
struct xylem_connector;

#define SECOND 1000000LL
#define PATIENCE 30 /* seconds that anything may take before it counts as never */

struct suite {
	char folder[64];
	struct peer peer;
	bool has_peer;
	struct config *config;
	const struct config_connector *connector;
	const struct xylem_connector *kind;
	struct journal *journal;
	struct xmpp_service *xmpp;
	struct intake *intake;
	struct instance *instance;
	void *worker;
	struct xylem_position read; /* in the journal: what was not looked at yet */
	unsigned made;              /* messages for sinks so far */
	struct xylem_arena *arena;
	char why[1024];
};

/*
 * A case returns NULL when the connector has passed it, `suite_skip` when it cannot be
 * tried (the reason is in `why`), and otherwise what is wrong. So do the functions below.
 */
extern const char suite_skip[];

/* Writes `why` and returns it. */
const char *suite_failed(struct suite *suite, const char *format, ...) XYLEM_PRINTF(2, 3);

/* Between two tries of something that gives no event. */
void suite_pause(int milliseconds);

const char *suite_instance_open(struct suite *suite);
/* Closes worker and instance; neither need be there. */
void suite_instance_drop(struct suite *suite);
/* A worker of the instance, which is opened when there is none; one that is there already is closed before. */
const char *suite_worker_open(struct suite *suite, int64_t timeout_us);

/* Tells the peer its mode (README.md); `suite_skip` when it has no such mode. */
const char *suite_peer_mode(struct suite *suite, const char *name);

#endif
