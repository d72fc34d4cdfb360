/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to the server: all addresses of a name in turn, within a deadline,
 * until another thread wants an end of it.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <xmpp/socket.h>

#define HOST_SIZE 256

/* HOST:PORT, [V6]:PORT: the last colon parts them. */
static bool split_address(const char *address, char host[HOST_SIZE], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	if (colon == NULL || colon[1] == '\0') {
		return false;
	}
	size_t n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (n == 0 || n >= HOST_SIZE) {
		return false;
	}
	memcpy(host, address, n);
	host[n] = '\0';
	*ret_port = colon + 1;
	return true;
}

static void set_options(int fd)
{
	int one = 1, idle = 60, interval = 30, probes = 3;
	unsigned timeout_ms = 150000;

	/* A kernel that refuses one of these still carries the stream. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

/* Waits for the outcome of a connect under way: 0, an errno, or -1 when woken. */
static int await_connect(int fd, int wake_fd, int64_t deadline)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT }, { .fd = wake_fd, .events = POLLIN } };

	while (true) {
		int64_t left = deadline - clock_mono_us();
		int n = left <= 0 ? 0 : poll(fds, 2, (int)(left / 1000) + 1);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n == 0 ? ETIMEDOUT : errno;
		}
		if (fds[1].revents != 0) {
			return -1;
		}
		int error = 0;
		socklen_t size = sizeof(error);
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
	}
}

static int connect_one(const struct addrinfo *info, int64_t deadline, int wake_fd, int *ret_errno)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*ret_errno = errno;
		return -1;
	}
	set_options(fd);
	int error = connect(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
	if (error == EINPROGRESS) {
		error = await_connect(fd, wake_fd, deadline);
	}
	if (error == 0) {
		return fd;
	}
	close(fd);
	*ret_errno = error;
	return -1;
}

int socket_connect(const char *address, int64_t timeout_us, int wake_fd, struct xylem_reason *reason)
{
	char host[HOST_SIZE];
	const char *port;
	if (!split_address(address, host, &port)) {
		xylem_reason_set(reason, "%s: not HOST:PORT", address);
		return -XYLEM_E_INVALID;
	}
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG
	};
	const struct addrinfo numeric = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST
	};
	struct addrinfo *list = NULL;
	int failed = getaddrinfo(host, port, &numeric, &list);
	failed = failed != 0 ? getaddrinfo(host, port, &hints, &list) : 0;
	if (failed != 0) {
		xylem_reason_set(reason, "%s: %s", address, gai_strerror(failed));
		return -XYLEM_E_UNREACHABLE;
	}
	int64_t deadline = clock_mono_us() + timeout_us;
	int fd = -1, error = ETIMEDOUT;
	for (const struct addrinfo *info = list; info != NULL && fd < 0 && error != -1;
		info = info->ai_next) {
		fd = connect_one(info, deadline, wake_fd, &error);
	}
	freeaddrinfo(list);
	if (fd < 0) {
		xylem_reason_set(reason, "%s: %s", address, error == -1 ? "interrupted" : strerror(error));
		return error == -1 ? -XYLEM_E_INTERRUPTED : -XYLEM_E_UNREACHABLE;
	}
	return fd;
}
