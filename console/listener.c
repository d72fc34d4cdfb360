/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of the console. It is opened here rather than by libmicrohttpd,
 * so that port 0, Unix sockets and a message that names the address all work.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <console/listener.h>

#define BACKLOG 128

static int fail(int descriptor, const char *verb, const char *address, struct xylem_reason *reason)
{
	xylem_reason_set(reason, "console.listen: cannot %s %s: %s", verb, address, strerror(errno));
	if (descriptor >= 0) {
		close(descriptor);
	}
	return -XYLEM_E_IO;
}

static int open_unix(struct listener *listener, const char *path, struct xylem_reason *reason)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(name.sun_path)) {
		xylem_reason_set(reason, "console.listen: the path of a Unix socket has at most %zu bytes",
			sizeof(name.sun_path) - 1);
		return -XYLEM_E_INVALID;
	}
	strcpy(name.sun_path, path);
	struct stat status;
	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
		unlink(path); /* left by a bus that was killed; a running one has the data folder locked */
	}
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0 || bind(descriptor, (const struct sockaddr *)&name, sizeof(name)) ||
		chmod(path, 0600) || listen(descriptor, BACKLOG)) {
		return fail(descriptor, "listen on", path, reason);
	}
	listener->descriptor = descriptor;
	listener->loopback = true;
	strcpy(listener->path, path);
	strcpy(listener->host, "localhost");
	snprintf(listener->url, sizeof(listener->url), "unix:%s", path);
	return 0;
}

static bool is_loopback(const struct sockaddr *name)
{
	if (name->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)name;
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *v6 = (const void *)name;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void describe(struct listener *listener)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);
	char host[64] = "", port[8] = "";
	getsockname(listener->descriptor, (struct sockaddr *)&name, &size);
	getnameinfo((struct sockaddr *)&name, size, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV);
	listener->loopback = is_loopback((struct sockaddr *)&name);
	snprintf(listener->host, sizeof(listener->host), strchr(host, ':') ? "[%s]" : "%s", host);
	snprintf(listener->url, sizeof(listener->url), "http://%s:%s", listener->host, port);
}

static int bind_first(const struct addrinfo *list)
{
	int descriptor = -1;
	for (const struct addrinfo *info = list; info; info = info->ai_next) {
		int one = 1;
		descriptor = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (descriptor < 0) {
			continue;
		}
		setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(descriptor, info->ai_addr, info->ai_addrlen) == 0 &&
			listen(descriptor, BACKLOG) == 0) {
			return descriptor;
		}
		int saved = errno;
		close(descriptor);
		errno = saved;
		descriptor = -1;
	}
	return descriptor;
}

static int open_tcp(struct listener *listener, const char *address, struct xylem_reason *reason)
{
	char host[128];
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	if (!n || n >= sizeof(host)) {
		xylem_reason_set(
			reason, "console.listen: `%s` is not HOST:PORT, [V6]:PORT or unix:PATH", address);
		return -XYLEM_E_INVALID;
	}
	bool brackets = address[0] == '[' && address[n - 1] == ']';
	snprintf(host, sizeof(host), "%.*s", (int)(n - 2 * brackets), address + brackets);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV },
			*list;
	int failed = getaddrinfo(host, colon + 1, &hints, &list);
	if (failed) {
		xylem_reason_set(reason, "console.listen: %s: %s", address, gai_strerror(failed));
		return -XYLEM_E_INVALID;
	}
	listener->descriptor = bind_first(list);
	freeaddrinfo(list);
	if (listener->descriptor < 0) {
		return fail(-1, "listen on", address, reason);
	}
	describe(listener);
	return 0;
}

int listener_open(struct listener *ret_listener, const char *address, struct xylem_reason *reason)
{
	struct listener listener = { .descriptor = -1 };
	int error = strncmp(address, "unix:", 5) == 0 ? open_unix(&listener, address + 5, reason)
						      : open_tcp(&listener, address, reason);
	if (!error) {
		*ret_listener = listener;
	}
	return error;
}

void listener_close(struct listener *listener)
{
	if (listener->descriptor >= 0) {
		close(listener->descriptor);
		listener->descriptor = -1;
	}
	if (listener->path[0]) {
		unlink(listener->path);
		listener->path[0] = '\0';
	}
}
