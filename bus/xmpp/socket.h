/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_SOCKET_H
#define XMPP_SOCKET_H

#include <stdint.h>

#include <xylem/error.h>

/*
 * A connected, non-blocking TCP socket to HOST:PORT or [V6]:PORT, with
 * TCP_NODELAY and keepalive; every address of the name is tried. Gives up when
 * `wake_fd` becomes readable. The descriptor; -XYLEM_E_UNREACHABLE,
 * -XYLEM_E_INVALID, -XYLEM_E_INTERRUPTED with the reason.
 */
int socket_connect(const char *address, int64_t timeout_us, int wake_fd, struct xylem_reason *reason);

#endif
