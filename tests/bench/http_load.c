/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a fixed number of orders by HTTP POST over keep-alive connections, as
 * fast as they are answered: one request under way on each connection, one
 * epoll thread. Prints one line of JSON: how many were answered 202, the time
 * from the first request to the last answer, latencies. The body is a 512-byte
 * order, or an array of --batch of them; only the order's number differs.
 *
 *     bench-http-load --port P [--path /p] [--connections 64] [--count N] [--batch 1] [--body 512]
 *
 * It is a tool of the bench on the loopback: it takes answers with a
 * Content-Length and no others, and gives up at the first that is not 202.
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

enum { NUMBER_DIGITS = 12, ANSWER_MAX = 65536 };
static const char number_name[] = "\"number\":";

static struct {
	const char *path;
	int port;
	size_t connections, batch, body;
	uint64_t requests;
} options = { "/orders", 0, 64, 1, 512, 100000 };

struct connection {
	int socket;
	char *request;
	size_t request_n, sent;
	char *numbers[10000]; /* where the digits of each order are */
	char answer[ANSWER_MAX];
	size_t answer_n;
	int64_t begun_ns;
};

static uint64_t begun, answered, next_number = 100000000000;
static uint32_t *latencies_us;

static void die(const char *what)
{
	fprintf(stderr, "bench-http-load: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* --- Requests ------------------------------------------------------------- */

/* One order of `options.body` bytes; the number's digits are written later. */
static size_t order_write(char *to, size_t room)
{
	int n = snprintf(to, room, "{%s%0*d,\"customer\":\"c17\",\"total\":19.99,\"note\":\"", number_name,
		NUMBER_DIGITS, 0);
	size_t at = (size_t)n;
	for (; at + 2 < options.body; at++) {
		to[at] = (char)('a' + at % 26);
	}
	to[at++] = '"';
	to[at++] = '}';
	return at;
}

static void request_make(struct connection *connection)
{
	size_t room = options.batch * (options.body + 128) + 1024;
	char *body = malloc(room), *request = malloc(room);
	if (!body || !request) {
		die("memory");
	}
	size_t n = 0;
	for (size_t i = 0; i < options.batch; i++) {
		if (options.batch > 1) {
			body[n++] = i == 0 ? '[' : ',';
		}
		n += order_write(body + n, room - n);
	}
	if (options.batch > 1) {
		body[n++] = ']';
	}
	int head = snprintf(request, room,
		"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		options.path, options.port, n);
	memcpy(request + head, body, n);
	free(body);
	connection->request = request;
	connection->request_n = (size_t)head + n;
	char *at = request + head;
	for (size_t i = 0; i < options.batch; i++) {
		at = memmem(
			at, connection->request_n - (size_t)(at - request), number_name, strlen(number_name));
		at += strlen(number_name);
		connection->numbers[i] = at;
	}
}

static void number_write(char *at, uint64_t number)
{
	for (int i = NUMBER_DIGITS; i-- > 0; number /= 10) {
		at[i] = (char)('0' + number % 10);
	}
}

static void request_send(struct connection *connection)
{
	while (connection->sent < connection->request_n) {
		ssize_t n = send(connection->socket, connection->request + connection->sent,
			connection->request_n - connection->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			return; /* EPOLLOUT is edge-triggered and comes */
		}
		if (n < 0) {
			die("send");
		}
		connection->sent += (size_t)n;
	}
}

/* False: none is left to begin. */
static bool request_begin(struct connection *connection)
{
	if (begun == options.requests) {
		return false;
	}
	begun++;
	for (size_t i = 0; i < options.batch; i++) {
		number_write(connection->numbers[i], next_number++);
	}
	connection->sent = connection->answer_n = 0;
	connection->begun_ns = now_ns();
	request_send(connection);
	return true;
}

/* --- Answers -------------------------------------------------------------- */

/* True: the whole answer is here. */
static bool answer_whole(struct connection *connection)
{
	connection->answer[connection->answer_n] = '\0';
	char *end = strstr(connection->answer, "\r\n\r\n");
	if (!end) {
		return false;
	}
	if (strncmp(connection->answer, "HTTP/1.1 202", 12) != 0) {
		fprintf(stderr, "bench-http-load: after %" PRIu64 " answers: %s\n", answered,
			connection->answer);
		exit(1);
	}
	char *length = strcasestr(connection->answer, "\r\ncontent-length:");
	size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	return connection->answer_n >= (size_t)(end + 4 - connection->answer) + body;
}

static void connection_step(struct connection *connection)
{
	if (connection->sent < connection->request_n) {
		request_send(connection);
	}
	for (;;) {
		ssize_t n = recv(connection->socket, connection->answer + connection->answer_n,
			ANSWER_MAX - 1 - connection->answer_n, 0);
		if (n < 0 && errno == EAGAIN) {
			return;
		}
		if (n <= 0) {
			die("the server closed a connection");
		}
		connection->answer_n += (size_t)n;
		if (answer_whole(connection)) {
			latencies_us[answered++] = (uint32_t)((now_ns() - connection->begun_ns) / 1000);
			request_begin(connection);
			return; /* one is under way at a time: nothing more can be there yet */
		}
	}
}

/* --- Around it ------------------------------------------------------------ */

static void connection_open(struct connection *connection, int poll)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)options.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int yes = 1;
	connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->socket < 0 ||
		connect(connection->socket, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		die("connect");
	}
	setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	fcntl(connection->socket, F_SETFL, O_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection };
	if (epoll_ctl(poll, EPOLL_CTL_ADD, connection->socket, &event) != 0) {
		die("epoll");
	}
	request_make(connection);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return (left > right) - (left < right);
}

static void arguments(int argc, char **argv)
{
	uint64_t count = 100000;
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		if (strcmp(name, "--port") == 0) {
			options.port = atoi(value);
		} else if (strcmp(name, "--path") == 0) {
			options.path = value;
		} else if (strcmp(name, "--connections") == 0) {
			options.connections = strtoul(value, NULL, 10);
		} else if (strcmp(name, "--count") == 0) {
			count = strtoull(value, NULL, 10);
		} else if (strcmp(name, "--batch") == 0) {
			options.batch = strtoul(value, NULL, 10);
		} else if (strcmp(name, "--body") == 0) {
			options.body = strtoul(value, NULL, 10);
		} else {
			options.port = 0;
			break;
		}
	}
	if (options.port == 0 || options.batch == 0 || options.batch > 10000 || options.connections == 0 ||
		options.body > 1048576 || count == 0) {
		fprintf(stderr, "usage: bench-http-load --port P [--path /p] [--connections 64] [--count N]"
				" [--batch 1] [--body 512]\n");
		exit(2);
	}
	options.requests = (count + options.batch - 1) / options.batch;
}

static void run(int poll)
{
	struct epoll_event events[256];
	while (answered < options.requests) {
		int n = epoll_wait(poll, events, 256, 30000);
		if (n == 0) {
			errno = ETIMEDOUT;
		}
		if (n == 0 || (n < 0 && errno != EINTR)) {
			die("waiting for answers");
		}
		for (int i = 0; i < n; i++) {
			connection_step(events[i].data.ptr);
		}
	}
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	int poll = epoll_create1(EPOLL_CLOEXEC);
	struct connection *connections = calloc(options.connections, sizeof(*connections));
	latencies_us = calloc(options.requests, sizeof(*latencies_us));
	if (poll < 0 || !connections || !latencies_us) {
		die("memory");
	}
	for (size_t i = 0; i < options.connections; i++) {
		connection_open(&connections[i], poll);
	}
	int64_t begin = now_ns();
	for (size_t i = 0; i < options.connections; i++) {
		request_begin(&connections[i]);
	}
	run(poll);
	int64_t end = now_ns();
	qsort(latencies_us, answered, sizeof(*latencies_us), compare);
	printf("{\"requests\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"begin_us\":%" PRId64
	       ",\"end_us\":%" PRId64 ",\"p50_us\":%u,\"p99_us\":%u}\n",
		answered, answered * options.batch, begin / 1000, end / 1000, latencies_us[answered / 2],
		latencies_us[answered * 99 / 100]);
	for (size_t i = 0; i < options.connections; i++) {
		close(connections[i].socket);
		free(connections[i].request);
	}
	free(connections);
	free(latencies_us);
	return 0;
}
