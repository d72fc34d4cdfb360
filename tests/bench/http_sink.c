/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the bench: takes every request, answers 202 at once, and
 * counts. A GET is answered with what was counted, as JSON: requests, orders
 * (by their member "number", so that a batch counts as what is in it), the
 * monotonic time of the first and of the last. One epoll thread.
 *
 *     bench-http-sink PORT
 *
 * It takes bodies with a Content-Length and no others; it is for the loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM_FIRST = 8192, ROOM_MAX = 16 * 1024 * 1024 };
static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

struct connection {
	int socket;
	char *bytes;
	size_t n, room;
};

static struct {
	uint64_t requests, orders;
	int64_t first_us, last_us;
} counted;

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "bench-http-sink: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void connection_close(struct connection *connection)
{
	close(connection->socket);
	free(connection->bytes);
	free(connection);
}

static void answer(struct connection *connection, const char *text, size_t n)
{
	/* Answers are far smaller than the socket's room, and one is under way at a time. */
	if (send(connection->socket, text, n, MSG_NOSIGNAL) != (ssize_t)n) {
		fprintf(stderr, "bench-http-sink: an answer was not taken\n");
	}
}

static void answer_counted(struct connection *connection)
{
	char body[256], text[512];
	int n = snprintf(body, sizeof(body),
		"{\"requests\":%" PRIu64 ",\"orders\":%" PRIu64 ",\"first_us\":%" PRId64
		",\"last_us\":%" PRId64 "}",
		counted.requests, counted.orders, counted.first_us, counted.last_us);
	int all = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, body);
	answer(connection, text, (size_t)all);
}

static void count(const char *body, size_t n)
{
	static const char name[] = "\"number\":";
	const char *end = body + n;
	counted.requests++;
	while ((body = memmem(body, (size_t)(end - body), name, sizeof(name) - 1))) {
		counted.orders++;
		body += sizeof(name) - 1;
	}
	counted.last_us = now_us();
	if (!counted.first_us) {
		counted.first_us = counted.last_us;
	}
}

/* How many bytes of the connection's were one whole request; 0: it is not whole yet. */
static size_t request_take(struct connection *connection)
{
	connection->bytes[connection->n] = '\0';
	char *end = strstr(connection->bytes, "\r\n\r\n");
	if (!end) {
		return 0;
	}
	char *length = strcasestr(connection->bytes, "\r\ncontent-length:");
	size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	size_t whole = (size_t)(end + 4 - connection->bytes) + body;
	if (connection->n < whole) {
		return 0;
	}
	if (connection->bytes[0] == 'G') {
		answer_counted(connection);
	} else {
		count(end + 4, body);
		answer(connection, accepted, sizeof(accepted) - 1);
	}
	return whole;
}

static bool room_make(struct connection *connection)
{
	if (connection->n + 1 < connection->room) {
		return true;
	}
	size_t room = connection->room ? connection->room * 2 : ROOM_FIRST;
	char *bytes = room <= ROOM_MAX ? realloc(connection->bytes, room) : NULL;
	if (bytes) {
		connection->bytes = bytes;
		connection->room = room;
	}
	return bytes != NULL;
}

/* False: the connection is over. */
static bool connection_read(struct connection *connection)
{
	if (!room_make(connection)) {
		return false;
	}
	ssize_t n = recv(connection->socket, connection->bytes + connection->n,
		connection->room - 1 - connection->n, 0);
	if (n <= 0) {
		return n < 0 && errno == EAGAIN;
	}
	connection->n += (size_t)n;
	for (size_t taken; connection->n > 0 && (taken = request_take(connection)) > 0;) {
		connection->n -= taken;
		memmove(connection->bytes, connection->bytes + taken, connection->n);
	}
	return true;
}

static void accept_one(int listener, int poll)
{
	int yes = 1, socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *connection = socket < 0 ? NULL : calloc(1, sizeof(*connection));
	if (!connection) {
		return;
	}
	setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	connection->socket = socket;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
	if (epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) != 0) {
		connection_close(connection);
	}
}

static int listen_on(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(listener, 1024) != 0) {
		die("listen");
	}
	return listener;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: bench-http-sink PORT\n");
		return 2;
	}
	int listener = listen_on(atoi(argv[1])), poll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[256] = { { .events = EPOLLIN, .data.ptr = NULL } };
	if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &events[0]) != 0) {
		die("epoll");
	}
	for (;;) {
		int n = epoll_wait(poll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			struct connection *connection = events[i].data.ptr;
			if (!connection) {
				accept_one(listener, poll);
			} else if (!connection_read(connection)) {
				connection_close(connection);
			}
		}
	}
}
