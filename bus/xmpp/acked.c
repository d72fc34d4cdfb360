/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a connection has come, which tells a slow server from one that is
 * gone: what waits in the kernel for the first goes on, if slowly.
 *
 * A file of its own, because the kernel's header and the C library's do not go together.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/tcp.h>

#include <xmpp/acked.h>

uint64_t acked_bytes(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 ? info.tcpi_bytes_acked : 0;
}
