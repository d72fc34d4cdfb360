/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that listen: HOST:PORT, [V6]:PORT, unix:PATH.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <connectors/http_server_body.h>

static int listen_unix(const char *path, struct xylem_reason *reason)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address.sun_path)) {
		xylem_reason_set(reason, "unix:%s: longer than a socket's name may be (107 bytes)", path);
		return -XYLEM_E_INVALID;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path); /* one of a bus that was killed; a living one holds the lock of its data folder */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0) {
		xylem_reason_set(reason, "cannot listen on unix:%s: %s", path, strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return -XYLEM_E_IO;
	}
	return fd;
}

static int listen_on(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, 1024) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* HOST:PORT or [V6]:PORT into its parts; the buffers are as long as the text. */
static bool address_split(const char *address, char *host, char *port)
{
	const char *colon = strrchr(address, ':');
	if (!colon) {
		return false;
	}
	size_t n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	memcpy(host, address, n);
	host[n] = '\0';
	strcpy(port, colon + 1);
	return *port != '\0';
}

static int listen_tcp(const char *text, struct xylem_reason *reason)
{
	char host[256], port[256];
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	if (strlen(text) >= sizeof(host) || !address_split(text, host, port)) {
		xylem_reason_set(reason, "\"%s\" is no address to listen on: write HOST:PORT", text);
		return -XYLEM_E_INVALID;
	}
	int failed = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (failed) {
		xylem_reason_set(reason, "cannot listen on %s: %s", text, gai_strerror(failed));
		return -XYLEM_E_INVALID;
	}
	int fd = listen_on(found);
	freeaddrinfo(found);
	if (fd < 0) {
		xylem_reason_set(reason, "cannot listen on %s: %s", text, strerror(errno));
		return -XYLEM_E_IO;
	}
	return fd;
}

unsigned http_listen_port(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t n = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &n) < 0) {
		return 0;
	}
	switch (address.ss_family) {
	case AF_INET:
		return ntohs(((struct sockaddr_in *)&address)->sin_port);
	case AF_INET6:
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	default:
		return 0;
	}
}

int http_listen(const char *address, struct xylem_reason *reason)
{
	return strncmp(address, "unix:", 5) == 0 ? listen_unix(address + 5, reason)
						 : listen_tcp(address, reason);
}
