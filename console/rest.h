/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_REST_H
#define CONSOLE_REST_H

#include <stdint.h>

#include <main/bus.h>

/*
 * The HTTP face of the bus on `console.listen`: the operations under /api/v1,
 * the stream of events, /api/openapi.json, and /livez /readyz /metrics.
 * docs/api.md.
 */
struct rest;

/*
 * Starts to listen, with the configuration that the bus has now; users and
 * their tokens are looked up at each request, so a reload reaches them. Makes
 * DATA/admin.token if there is none, and DATA/console.json with the address
 * for xylemctl (and the same under the user's runtime folder). -XYLEM_E_INVALID
 * for a listener off loopback without `console.hosts`; -XYLEM_E_IO when the
 * address cannot be had.
 */
int rest_new(struct rest **ret_rest, struct bus *bus, struct xylem_reason *reason);
/*
 * Takes no new connection, ends the streams, answers what is under way, and
 * closes. Before the bus goes.
 */
struct rest *rest_free(struct rest *rest);

/* Where it listens: `http://127.0.0.1:7070`; with the port that `:0` got. Valid as long as it. */
const char *rest_url(const struct rest *rest);

#endif
