/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker load: orders by HTTP POST at a steady rate, and the oracle log of
 * what was acknowledged.
 *
 * Keys are dealt out to connections and a connection has one request in flight,
 * so a key has one in flight too and the order of its acknowledgements is the
 * order of its sequence numbers. When a connection breaks, its message is sent
 * again with the same id until it is acknowledged, or, by chance (--abandon),
 * given up and written down as "maybe".
 *
 * The rule not to break: a line of the oracle is written for each id that any
 * byte of was sent, `A` only after a 202.
 */
#include <checker/checker.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <checker/http_head.h>
#include <checker/record.h>

#define AGAIN_US 20000     /* before a new connection, or after "try again" */
#define ANSWER_US 20000000 /* a request without an answer for this long is given up with its connection */
#define STATUS_US 20000
#define REQUEST_ROOM 16384

enum state { CLOSED, CONNECTING, IDLE, WAITING };

struct connection {
	int descriptor;
	enum state state;
	int64_t due_us; /* CLOSED: connect then; IDLE with a message: send then; WAITING: give up then */
	struct connection *next_idle;
	bool in_idle;
	/* The message under way. */
	bool has_message;
	struct record record;
	int64_t sent_us; /* the first time */
	size_t customer; /* whose turn it is next, in steps of the number of connections */
	char request[REQUEST_ROOM];
	size_t request_n, written;
	char answer[4096];
	size_t answer_n;
};

static struct {
	struct sockaddr_in address;
	char host[64], path[128], run[16];
	double rate;
	size_t keys, connections, pad;
	unsigned abandon; /* per cent */
	double seconds, drain;
	FILE *oracle;
	int status;
} options = { .rate = 5000,
	.keys = 240,
	.connections = 120,
	.pad = 200,
	.abandon = 10,
	.seconds = 1e9,
	.drain = 30,
	.status = -1 };

static struct connection *connections;
static uint64_t *sequences; /* of each key */
static struct connection *idle_first, **idle_last = &idle_first;
static int poller;
static uint64_t sent, acknowledged, maybe, again, refused, highest, numbers;
static volatile sig_atomic_t stopping;

static int64_t mono_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- The oracle ----------------------------------------------------------- */

static void oracle_maybe(struct connection *connection)
{
	const struct record *record = &connection->record;
	fprintf(options.oracle, "M %s %s %llu %s %lld - -\n", record->id, record->key,
		(unsigned long long)record->sequence, record->hash, (long long)connection->sent_us);
	connection->has_message = false;
	maybe++;
}

static void oracle_acknowledged(struct connection *connection, const char *handle)
{
	const struct record *record = &connection->record;
	fprintf(options.oracle, "A %s %s %llu %s %lld %lld %s\n", record->id, record->key,
		(unsigned long long)record->sequence, record->hash, (long long)connection->sent_us,
		(long long)record_now_us(), handle);
	connection->has_message = false;
	acknowledged++;
	const char *dash = strchr(handle, '-');
	uint64_t offset = dash ? strtoull(dash + 1, NULL, 10) : 0;
	highest = offset > highest ? offset : highest;
}

/* One line: sent, acknowledged, maybe, sent again, highest acknowledged offset. */
static void status_write(void)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "%020llu %020llu %020llu %020llu %020llu\n",
		(unsigned long long)sent, (unsigned long long)acknowledged, (unsigned long long)maybe,
		(unsigned long long)again, (unsigned long long)highest);
	if (options.status >= 0 && pwrite(options.status, line, (size_t)n, 0) != n) {
		perror("checker load: the status file");
	}
}

/* --- Connections ---------------------------------------------------------- */

static void idle_add(struct connection *connection)
{
	if (!connection->in_idle) {
		connection->in_idle = true;
		connection->next_idle = NULL;
		*idle_last = connection;
		idle_last = &connection->next_idle;
	}
}

static struct connection *idle_take(void)
{
	struct connection *first = idle_first;
	if (first) {
		idle_first = first->next_idle;
		idle_last = idle_first ? idle_last : &idle_first;
		first->in_idle = false;
	}
	return first;
}

static void connection_close(struct connection *connection)
{
	if (connection->state != CLOSED) {
		close(connection->descriptor);
		connection->state = CLOSED;
	}
	connection->due_us = mono_us() + AGAIN_US;
	if (connection->has_message && (unsigned)(rand() % 100) < options.abandon) {
		oracle_maybe(connection);
	}
}

static void watch(struct connection *connection, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = connection };
	if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->descriptor, &event) != 0) {
		epoll_ctl(poller, EPOLL_CTL_ADD, connection->descriptor, &event);
	}
}

static void connection_open(struct connection *connection)
{
	int one = 1;
	connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->descriptor < 0) {
		connection->due_us = mono_us() + AGAIN_US;
		return;
	}
	setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->state = CONNECTING;
	connection->answer_n = 0;
	if (connect(connection->descriptor, (struct sockaddr *)&options.address, sizeof(options.address)) !=
			0 &&
		errno != EINPROGRESS) {
		close(connection->descriptor);
		connection->state = CLOSED;
		connection->due_us = mono_us() + AGAIN_US;
		return;
	}
	watch(connection, EPOLLOUT);
}

static void request_write(struct connection *connection)
{
	while (connection->written < connection->request_n) {
		ssize_t n = send(connection->descriptor, connection->request + connection->written,
			connection->request_n - connection->written, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			watch(connection, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0) {
			connection_close(connection);
			return;
		}
		connection->written += (size_t)n;
	}
	watch(connection, EPOLLIN);
}

static void request_send(struct connection *connection)
{
	connection->state = WAITING;
	connection->due_us = mono_us() + ANSWER_US;
	connection->written = 0;
	connection->answer_n = 0;
	sent++;
	request_write(connection);
}

static void message_make(struct connection *connection)
{
	size_t key = connection->customer;
	struct record *record = &connection->record;
	connection->customer += options.connections;
	if (connection->customer >= options.keys) {
		connection->customer = (size_t)(connection - connections);
	}
	snprintf(record->id, sizeof(record->id), "%s-%llu", options.run, (unsigned long long)++numbers);
	snprintf(record->key, sizeof(record->key), "c%zu", key);
	record->sequence = ++sequences[key];
	char payload[REQUEST_ROOM / 2];
	size_t n = record_payload(
		payload, sizeof(payload), record->id, record->key, record->sequence, options.pad);
	record_hash(payload, n, record->hash);
	int head = snprintf(connection->request, sizeof(connection->request),
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nce-specversion: 1.0\r\n"
		"ce-id: %s\r\nce-source: /checker\r\nce-type: order.created\r\nContent-Length: %zu\r\n\r\n",
		options.path, options.host, record->id, n);
	memcpy(connection->request + head, payload, n);
	connection->request_n = (size_t)head + n;
	connection->has_message = true;
	connection->sent_us = record_now_us();
}

/* --- Answers -------------------------------------------------------------- */

static void handle_find(const struct http_head *head, const char *body, char handle[RECORD_HANDLE_SIZE])
{
	const char *at = memmem(body, head->length, "\"handles\":[\"", 12);
	const char *end = at ? memchr(at + 12, '"', head->length - (size_t)(at + 12 - body)) : NULL;
	strcpy(handle, "-");
	if (end && record_word(at + 12, (size_t)(end - at - 12), RECORD_HANDLE_SIZE)) {
		memcpy(handle, at + 12, (size_t)(end - at - 12));
		handle[end - at - 12] = '\0';
	}
}

static void answered(struct connection *connection, const struct http_head *head)
{
	int code = head->first_n > 12 ? atoi(head->first + 9) : 0;
	connection->state = IDLE;
	connection->answer_n = 0;
	if (code == 202) {
		char handle[RECORD_HANDLE_SIZE];
		handle_find(head, connection->answer + head->body, handle);
		oracle_acknowledged(connection, handle);
		idle_add(connection);
		return;
	}
	if (code != 429 && code < 500) {
		if (refused++ == 0) {
			fprintf(stderr, "checker load: refused: %.*s\n", (int)(head->body + head->length),
				connection->answer);
		}
		oracle_maybe(connection);
		idle_add(connection);
		return;
	}
	connection->due_us = mono_us() + 5 * AGAIN_US;
}

static void answer_read(struct connection *connection)
{
	ssize_t n = recv(connection->descriptor, connection->answer + connection->answer_n,
		sizeof(connection->answer) - connection->answer_n, 0);
	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n <= 0) {
		connection_close(connection);
		return;
	}
	connection->answer_n += (size_t)n;
	struct http_head head;
	int whole = http_head_read(connection->answer, connection->answer_n, &head);
	if (whole < 0 || connection->state != WAITING ||
		(whole == 0 && connection->answer_n == sizeof(connection->answer))) {
		connection_close(connection);
	} else if (whole) {
		answered(connection, &head);
	}
}

static void happened(struct connection *connection, uint32_t events)
{
	if (connection->state == CONNECTING) {
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(connection->descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error) {
			close(connection->descriptor);
			connection->state = CLOSED;
			connection->due_us = mono_us() + AGAIN_US;
			return;
		}
		connection->state = IDLE;
		watch(connection, EPOLLIN);
		if (connection->has_message) {
			connection->due_us = 0;
		} else {
			idle_add(connection);
		}
		return;
	}
	if (connection->state != CLOSED && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		answer_read(connection);
	}
	if (connection->state == WAITING && events & EPOLLOUT) {
		request_write(connection);
	}
}

/* --- The loop ------------------------------------------------------------- */

/* What is due; how many messages are under way. */
static size_t upkeep(bool open)
{
	size_t under_way = 0;
	int64_t now = mono_us();
	for (size_t i = 0; i < options.connections; i++) {
		struct connection *connection = &connections[i];
		bool due = now >= connection->due_us;
		if (connection->state == CLOSED && due && (open || connection->has_message)) {
			connection_open(connection);
		} else if (connection->state == IDLE && connection->has_message && due) {
			again++;
			request_send(connection);
		} else if (connection->state == WAITING && due) {
			connection_close(connection);
		}
		under_way += connection->has_message;
	}
	return under_way;
}

static void send_new(double *tokens)
{
	while (*tokens >= 1) {
		struct connection *connection = idle_take();
		if (!connection) {
			return;
		}
		if (connection->state == IDLE && !connection->has_message) {
			*tokens -= 1;
			message_make(connection);
			request_send(connection);
		}
	}
}

static void wait_events(void)
{
	struct epoll_event events[256];
	int n = epoll_wait(poller, events, 256, 1);
	for (int i = 0; i < n; i++) {
		happened(events[i].data.ptr, events[i].events);
	}
}

static void run(void)
{
	int64_t begun = mono_us(), before = begun, upkeep_us = 0, status_us = 0,
		end = begun + (int64_t)(options.seconds * 1e6);
	int64_t last = 0;
	size_t under_way = 0;
	double tokens = 0;
	for (;;) {
		int64_t now = mono_us();
		bool open = !stopping && now < end;
		if (!open && !last) {
			last = now + (int64_t)(options.drain * 1e6);
		}
		if (now - upkeep_us >= 2000) {
			under_way = upkeep(open);
			upkeep_us = now;
			if (!open && (under_way == 0 || now >= last)) {
				break;
			}
		}
		if (now - status_us >= STATUS_US) {
			status_write();
			status_us = now;
		}
		tokens += (double)(now - before) * options.rate / 1e6;
		/* What could not be sent while the server was down is caught up for a second at most. */
		tokens = tokens > options.rate ? options.rate : tokens;
		before = now;
		if (open) {
			send_new(&tokens);
		}
		wait_events();
	}
	for (size_t i = 0; i < options.connections; i++) {
		if (connections[i].has_message) {
			oracle_maybe(&connections[i]);
		}
	}
	status_write();
	double seconds = (double)(mono_us() - begun) / 1e6;
	printf("sent %llu acknowledged %llu maybe %llu again %llu refused %llu seconds %.1f rate %.0f\n",
		(unsigned long long)sent, (unsigned long long)acknowledged, (unsigned long long)maybe,
		(unsigned long long)again, (unsigned long long)refused, seconds,
		(double)acknowledged / seconds);
}

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

/* HOST:PORT/PATH, HOST an IPv4 address. */
static bool target_read(const char *text)
{
	int port = 0;
	char host[48];
	if (sscanf(text, "%47[0-9.]:%d%127s", host, &port, options.path) != 3 || options.path[0] != '/') {
		return false;
	}
	snprintf(options.host, sizeof(options.host), "%s:%d", host, port);
	options.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, host, &options.address.sin_addr) == 1;
}

static bool options_read(int argc, char **argv)
{
	static const struct option table[] = { { "to", 1, NULL, 't' }, { "oracle", 1, NULL, 'o' },
		{ "status", 1, NULL, 's' }, { "rate", 1, NULL, 'r' }, { "keys", 1, NULL, 'k' },
		{ "connections", 1, NULL, 'c' }, { "pad", 1, NULL, 'p' }, { "abandon", 1, NULL, 'a' },
		{ "seconds", 1, NULL, 'S' }, { "drain", 1, NULL, 'd' }, { "run", 1, NULL, 'n' },
		{ NULL, 0, NULL, 0 } };
	bool target = false;
	snprintf(options.run, sizeof(options.run), "%llx",
		(unsigned long long)record_now_us() / 1000 % 0xffffffff);
	for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
		switch (option) {
		case 't':
			target = target_read(optarg);
			break;
		case 'o':
			options.oracle = fopen(optarg, "w");
			break;
		case 's':
			options.status = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			break;
		case 'r':
			options.rate = atof(optarg);
			break;
		case 'k':
			options.keys = (size_t)atoll(optarg);
			break;
		case 'c':
			options.connections = (size_t)atoll(optarg);
			break;
		case 'p':
			options.pad = (size_t)atoll(optarg);
			break;
		case 'a':
			options.abandon = (unsigned)atoi(optarg);
			break;
		case 'S':
			options.seconds = atof(optarg);
			break;
		case 'd':
			options.drain = atof(optarg);
			break;
		case 'n':
			snprintf(options.run, sizeof(options.run), "%s", optarg);
			break;
		default:
			return false;
		}
	}
	return target && options.oracle && options.rate > 0 && options.connections > 0 &&
	       options.keys >= options.connections && options.pad <= 4096;
}

int checker_load(int argc, char **argv)
{
	if (!options_read(argc, argv)) {
		fputs("usage: checker load --to ADDRESS:PORT/PATH --oracle FILE [--status FILE] [--rate N/s] "
		      "[--keys N]\n"
		      "  [--connections N (at most the keys)] [--pad BYTES] [--abandon PERCENT] [--seconds "
		      "S] [--drain S]\n"
		      "  [--run WORD]; SIGTERM ends it: what is under way is still acknowledged, at most for "
		      "--drain\n",
			stderr);
		return 2;
	}
	struct sigaction action = { .sa_handler = stop };
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	poller = epoll_create1(EPOLL_CLOEXEC);
	connections = calloc(options.connections, sizeof(*connections));
	sequences = calloc(options.keys, sizeof(*sequences));
	if (!connections || !sequences || poller < 0) {
		perror("checker load");
		return 1;
	}
	for (size_t i = 0; i < options.connections; i++) {
		connections[i].customer = i;
	}
	run();
	if (fclose(options.oracle) != 0) {
		perror("checker load: the oracle log");
		return 1;
	}
	return 0;
}
