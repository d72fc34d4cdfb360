/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_LISTENER_H
#define CONSOLE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include <xylem/error.h>

/* A listening socket and how it is called. */
struct listener {
	int descriptor;
	bool loopback;  /* reachable from this machine only, or a Unix socket */
	char host[128]; /* as in a URL: `127.0.0.1`, `[::1]`; `localhost` for a Unix socket */
	char url[256];  /* `http://127.0.0.1:7070`, `unix:/run/xylem.sock` */
	char path[108]; /* of a Unix socket, to remove at the end; else empty */
};

/*
 * `HOST:PORT`, `[V6]:PORT` or `unix:PATH` (mode 0600); port 0 takes a free one.
 * -XYLEM_E_INVALID, -XYLEM_E_IO.
 */
int listener_open(struct listener *ret_listener, const char *address, struct xylem_reason *reason);
void listener_close(struct listener *listener);

#endif
