/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp_line: each message as one line of JSON over TCP, acknowledged by a line.
 *
 *     connectors:
 *       printer: { tcp_line: { address: "127.0.0.1:9100" } }
 *
 * A sample of a connector that lives outside the tree. It sends the whole event in the
 * CloudEvents JSON format, and a newline; the other side answers each, in order, with a line:
 *
 *     ok               it has it
 *     busy TEXT        try again later
 *     wrong TEXT       never this one
 *
 * A delivery sends all its messages, then reads as many answers. What was sent and not
 * answered is not delivered and comes again: the other side must bear a repeated id.
 *
 * The rule not to break: "delivered" is the answer `ok`, never "written to the socket".
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xylem/xylem.h>

#define MAGIC 0x6c696e65
#define LINE_MAX_BYTES 1024

struct options {
	const char *address;
};

struct instance {
	unsigned magic;
	struct xylem_host *host;
	const struct options *options;
};

struct worker {
	unsigned magic;
	const struct instance *instance;
	int64_t timeout_us;
	int64_t deadline; /* of this call */
	int socket;       /* -1: none */
	int wake;         /* eventfd: readable while interrupted */
	char line[LINE_MAX_BYTES];
	size_t line_n; /* bytes read and not used yet */
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the instance: nothing but options ---- */

static int line_open(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (instance == NULL) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	*instance = (struct instance){ MAGIC, host, options };
	*ret_instance = instance;
	return 0;
}

static void line_close(void *given)
{
	struct instance *instance = given;

	assert(instance == NULL || instance->magic == MAGIC);
	free(instance);
}

/* ---- the connection ---- */

static void hang_up(struct worker *worker)
{
	if (worker->socket >= 0) {
		close(worker->socket);
	}
	worker->socket = -1;
	worker->line_n = 0;
}

/* Waits for the socket, the deadline or the interrupt. 0, or negative with the failure. */
static int await(
	struct worker *worker, short events, enum xylem_failure late, struct xylem_result *ret_failure)
{
	for (;;) {
		struct pollfd ready[2] = { { .fd = worker->socket, .events = events },
			{ .fd = worker->wake, .events = POLLIN } };
		int64_t left = worker->deadline - now_us();
		int n = left > 0 ? poll(ready, 2, (int)(left / 1000) + 1) : 0;

		if (n > 0 && ready[1].revents) {
			xylem_result_fail(ret_failure, XYLEM_FAILURE_BUSY, "interrupted",
				"stopped before it was acknowledged");
			return -XYLEM_E_INTERRUPTED;
		}
		if (n > 0) {
			return 0;
		}
		if (left <= 0) {
			xylem_result_fail(ret_failure, late, "timeout", "%s does not answer",
				worker->instance->options->address);
			return -XYLEM_E_TIMEOUT;
		}
	}
}

static int fail_errno(struct worker *worker, struct xylem_result *ret_failure)
{
	xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "connection", "%s: %s",
		worker->instance->options->address, strerror(errno));
	return -XYLEM_E_UNREACHABLE;
}

static struct addrinfo *resolve(const char *address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(address, ':');
	struct addrinfo *found = NULL;
	char host[256];
	size_t n = colon ? (size_t)(colon - address) : 0;

	if (n == 0 || n >= sizeof(host)) {
		return NULL;
	}
	if (address[0] == '[' && address[n - 1] == ']') { /* [V6]:PORT */
		address++;
		n -= 2;
	}
	memcpy(host, address, n);
	host[n] = '\0';
	return getaddrinfo(host, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static int dial(struct worker *worker, struct xylem_result *ret_failure)
{
	struct addrinfo *found = resolve(worker->instance->options->address);
	socklen_t size = sizeof(errno);
	int error = 0, status = 0;

	if (found == NULL) {
		xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "dns", "%s is not known",
			worker->instance->options->address);
		return -XYLEM_E_UNREACHABLE;
	}
	worker->socket = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (worker->socket < 0 ||
		(connect(worker->socket, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)) {
		status = fail_errno(worker, ret_failure);
	}
	freeaddrinfo(found);
	status = status ? status : await(worker, POLLOUT, XYLEM_FAILURE_DOWN, ret_failure);
	if (status == 0 && getsockopt(worker->socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
		error != 0) {
		errno = error;
		status = fail_errno(worker, ret_failure);
	}
	if (status != 0) {
		hang_up(worker);
	}
	xylem_host_health(worker->instance->host, status == 0, "%s",
		status == 0 ? "connected" : ret_failure->reason.text);
	return status;
}

/* A connection that the other side has closed meanwhile is no connection. */
static bool still_there(struct worker *worker)
{
	char byte;

	if (worker->socket >= 0 && recv(worker->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		(errno == EAGAIN || errno == EWOULDBLOCK)) {
		return true;
	}
	hang_up(worker);
	return false;
}

static int send_all(struct worker *worker, struct xylem_span bytes, struct xylem_result *ret_failure)
{
	while (bytes.n > 0) {
		ssize_t n = send(worker->socket, bytes.at, bytes.n, MSG_NOSIGNAL);
		int status = 0;

		if (n >= 0) {
			bytes = xylem_span(bytes.at + n, bytes.n - (size_t)n);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			status = await(worker, POLLOUT, XYLEM_FAILURE_BUSY, ret_failure);
		} else if (errno != EINTR) {
			status = fail_errno(worker, ret_failure);
		}
		if (status != 0) {
			return status;
		}
	}
	return 0;
}

/* The next answer, without its newline, terminated; valid until the next call. */
static int read_line(struct worker *worker, char answer[LINE_MAX_BYTES], struct xylem_result *ret_failure)
{
	for (;;) {
		char *end = memchr(worker->line, '\n', worker->line_n);
		ssize_t n;
		int status;

		if (end != NULL) {
			size_t length = (size_t)(end - worker->line);

			memcpy(answer, worker->line, length);
			answer[length] = '\0';
			worker->line_n -= length + 1;
			memmove(worker->line, end + 1, worker->line_n);
			return 0;
		}
		if (worker->line_n == sizeof(worker->line)) {
			xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "protocol",
				"an answer is longer than %d bytes", LINE_MAX_BYTES);
			return -XYLEM_E_INVALID;
		}
		status = await(worker, POLLIN, XYLEM_FAILURE_BUSY, ret_failure);
		if (status != 0) {
			return status;
		}
		n = recv(worker->socket, worker->line + worker->line_n, sizeof(worker->line) - worker->line_n,
			0);
		if (n == 0) {
			xylem_result_fail(ret_failure, XYLEM_FAILURE_DOWN, "connection",
				"%s closed the connection", worker->instance->options->address);
			return -XYLEM_E_UNREACHABLE;
		}
		if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
			return fail_errno(worker, ret_failure);
		}
		worker->line_n += n > 0 ? (size_t)n : 0;
	}
}

/* ---- the sink ---- */

/* 0 with the message's own result set, or negative when the connection is of no further use. */
static int take_answer(struct worker *worker, struct xylem_result *result)
{
	char answer[LINE_MAX_BYTES];
	int status = read_line(worker, answer, result);

	if (status != 0 || strcmp(answer, "ok") == 0) {
		return status;
	}
	if (strncmp(answer, "busy ", 5) == 0) {
		xylem_result_fail(result, XYLEM_FAILURE_BUSY, "busy", "%s", answer + 5);
	} else if (strncmp(answer, "wrong ", 6) == 0) {
		xylem_result_fail(result, XYLEM_FAILURE_WRONG, "wrong", "%s", answer + 6);
	} else {
		xylem_result_fail(
			result, XYLEM_FAILURE_DOWN, "protocol", "neither ok, busy nor wrong: %.100s", answer);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static void line_deliver(
	void *given, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = given;
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_result failure = { 0 };
	uint64_t wakes;
	size_t i = 0;
	int status;

	assert(worker->magic == MAGIC);
	(void)!read(worker->wake, &wakes, sizeof(wakes)); /* an interrupt of before is over now */
	worker->deadline = now_us() + worker->timeout_us;
	for (i = 0; i < n; i++) {
		xylem_message_write_json(messages[i], &out);
		xylem_buffer_byte(&out, '\n');
	}
	i = 0;
	if (xylem_buffer_failed(&out)) {
		xylem_result_fail(&failure, XYLEM_FAILURE_BUSY, "memory", "no memory for the lines");
		status = -XYLEM_E_MEMORY;
	} else {
		status = still_there(worker) ? 0 : dial(worker, &failure);
	}
	status = status ? status : send_all(worker, xylem_buffer_borrow(&out), &failure);
	while (status == 0 && i < n) {
		status = take_answer(worker, &results[i]);
		if (status != 0) {
			failure = results[i];
		} else {
			i++;
		}
	}
	if (status != 0) {
		hang_up(worker); /* an answer that comes late would be taken for that of another message */
	}
	for (; i < n; i++) {
		results[i] = failure;
	}
}

static void line_interrupt(void *given)
{
	struct worker *worker = given;

	(void)!write(worker->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void line_sink_close(void *given)
{
	struct worker *worker = given;

	if (worker == NULL) {
		return;
	}
	hang_up(worker);
	if (worker->wake >= 0) {
		close(worker->wake);
	}
	free(worker);
}

static int line_sink_open(void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker != NULL) {
		worker->magic = MAGIC;
		worker->instance = instance;
		worker->timeout_us = timeout_us;
		worker->socket = -1;
		worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	if (worker == NULL || worker->wake < 0) {
		xylem_reason_set(reason, "out of memory or descriptors");
		line_sink_close(worker);
		return -XYLEM_E_MEMORY;
	}
	*ret_worker = worker;
	return 0;
}

static const struct xylem_option options[] = {
	{ .name = "address",
		.type = XYLEM_OPTION_ADDRESS,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct options, address),
		.since = "1.0",
		.summary = "Where the lines go.",
		.example = "127.0.0.1:9100" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_connector xylem_connector_tcp_line;
const struct xylem_connector xylem_connector_tcp_line = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags =
		XYLEM_CONNECTOR_SINK, /* not ORDERED: what follows a refused message is delivered all the same */
	.name = "tcp_line",
	.summary = "Writes messages as lines of JSON over TCP and waits for a line each.",
	.options = options,
	.options_size = sizeof(struct options),
	.batch = { .count = 100, .bytes = 1 << 20 },
	.open = line_open,
	.close = line_close,
	.sink_open = line_sink_open,
	.deliver = line_deliver,
	.interrupt = line_interrupt,
	.sink_close = line_sink_close,
};
