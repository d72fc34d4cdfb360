/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_STREAM_H
#define CONSOLE_STREAM_H

#include <microhttpd.h>

#include <main/bus.h>

/*
 * The stream of events (SSE, WHATWG HTML 9.2) for any number of clients: one
 * ring of the last STREAM_RING events, in which each client has its place. A
 * client that falls out of the ring is told how much it missed.
 */
#define STREAM_RING 4096
#define STREAM_CLIENTS 64
#define STREAM_CLIENTS_PER_USER 16
#define STREAM_HEARTBEAT_US 15000000

struct streams;

struct streams *streams_new(struct bus *bus);
/* Lets every client end; no new ones. Returns at once: the listener's thread ends them. */
void streams_stop(struct streams *streams);
/* After the daemon has stopped. */
struct streams *streams_free(struct streams *streams);

/*
 * A response that streams to this connection. `types`: names of events with
 * commas between, NULL or empty: all. `last_id`: Last-Event-ID, or NULL.
 * -XYLEM_E_LIMIT, -XYLEM_E_INVALID (an unknown type), -XYLEM_E_STOPPING.
 */
int stream_open(struct streams *streams, struct MHD_Connection *connection, const char *user,
	const char *types, const char *last_id, struct MHD_Response **ret_response,
	struct xylem_reason *reason);

/* Names of events, in the order of enum bus_event; NULL at the end. */
extern const char *const stream_event_names[];

#endif
