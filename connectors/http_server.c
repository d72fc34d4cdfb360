/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP listener for many paths, on libmicrohttpd: one thread with epoll a
 * listener, shared by all connectors that name the address. A request is read
 * (http_exchange.c), given to the handler of its path (http_route.c), and may
 * be put aside until something, usually the journal's sync, wakes it
 * (http_request.c).
 *
 * It does no TLS (a reverse proxy does), no static files, no ranges.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/thread.h>
#include <connectors/http_server_body.h>
#include <xylem/log.h>

#define DRAIN_US (5 * 1000000LL)
#define TURN_MS 1000
#define STACK_BYTES ((size_t)1024 * 1024)

static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct http_server *servers;

void http_server_wake(struct http_server *server)
{
	if (!atomic_exchange(&server->woken, true)) {
		eventfd_write(server->wake, 1);
	}
}

static void server_log(void *context, const char *format, va_list arguments)
{
	struct http_server *server = context;
	char text[256];
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	xylem_log(XYLEM_LOG_DEBUG, "http", "%s: %s", server->address, text);
}

/*
 * The thread is ours and not libmicrohttpd's: 0.9.75 takes events in lots of
 * 128 and waits for more, with its whole timeout, when a lot was full. With
 * exactly 128 or 256 clients that all wait for their answers, that is a stall
 * of the idle timeout. MHD_run() never waits; poll() does it here.
 */
static void *server_run(void *context)
{
	struct http_server *server = context;
	while (!atomic_load(&server->stopping)) {
		MHD_UNSIGNED_LONG_LONG due = TURN_MS;
		bool timed = MHD_get_timeout(server->daemon, &due) == MHD_YES;
		struct pollfd wait[] = { { .fd = server->events, .events = POLLIN },
			{ .fd = server->wake, .events = POLLIN } };
		poll(wait, 2, timed && due < TURN_MS ? (int)due : TURN_MS);
		eventfd_t count;
		if (wait[1].revents && eventfd_read(server->wake, &count) == 0) {
			atomic_store(&server->woken, false);
		}
		MHD_run(server->daemon);
	}
	return NULL;
}

static struct MHD_Daemon *daemon_start(struct http_server *server, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO,
		0, NULL, NULL, http_exchange, server, MHD_OPTION_EXTERNAL_LOGGER, server_log, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT,
		HTTP_SERVER_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		HTTP_SERVER_CONNECTIONS_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_SERVER_IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_SERVER_CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_COMPLETED, http_exchange_completed, server, MHD_OPTION_END);
}

static void server_free(struct http_server *server)
{
	for (struct http_route *route = server->routes, *next; route; route = next) {
		next = route->next;
		http_route_free(route);
	}
	for (struct http_request *request = server->spare, *next; request; request = next) {
		next = request->next_spare;
		http_request_free(request);
	}
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	if (server->wake >= 0) {
		close(server->wake);
	}
	free(server->address);
	server->magic = 0;
	free(server);
}

static int server_start(struct http_server *server, struct xylem_reason *reason)
{
	int fd = http_listen(server->address, reason);
	if (fd < 0) {
		return fd;
	}
	server->port = http_listen_port(fd);
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->daemon = server->wake < 0 ? NULL : daemon_start(server, fd);
	if (!server->daemon) {
		close(fd);
		xylem_reason_set(
			reason, "cannot listen on %s: the HTTP server did not start", server->address);
		return -XYLEM_E_IO;
	}
	server->events = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	int error = thread_start(&server->thread, "http-server", STACK_BYTES, server_run, server);
	if (error) {
		MHD_stop_daemon(server->daemon);
		xylem_reason_set(reason, "cannot listen on %s: no thread", server->address);
	}
	return error;
}

static int server_new(struct http_server **ret_server, const char *address, struct xylem_reason *reason)
{
	struct http_server *server = calloc(1, sizeof(*server));
	if (!server || !(server->address = strdup(address))) {
		free(server);
		return -XYLEM_E_MEMORY;
	}
	server->magic = SERVER_MAGIC;
	server->wake = -1;
	server->users = 1;
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	int error = server_start(server, reason);
	if (error) {
		server_free(server);
		return error;
	}
	*ret_server = server;
	return 0;
}

int http_server_open(struct http_server **ret_server, const char *address, struct xylem_reason *reason)
{
	int error = 0;
	pthread_mutex_lock(&servers_lock);
	struct http_server *server = servers;
	while (server && strcmp(server->address, address) != 0) {
		server = server->next;
	}
	if (server) {
		server->users++;
	} else {
		error = server_new(&server, address, reason);
		if (!error) {
			server->next = servers;
			servers = server;
		}
	}
	pthread_mutex_unlock(&servers_lock);
	if (!error) {
		*ret_server = server;
	}
	return error;
}

unsigned http_server_port(const struct http_server *server)
{
	return server->port;
}

static void server_drain(struct http_server *server)
{
	struct timespec end = clock_timespec(clock_mono_us() + DRAIN_US);
	pthread_mutex_lock(&server->lock);
	while (server->held > 0) {
		pthread_cond_wait(&server->changed, &server->lock);
	}
	while (server->active > 0) {
		if (pthread_cond_timedwait(&server->changed, &server->lock, &end) == ETIMEDOUT) {
			break;
		}
	}
	pthread_mutex_unlock(&server->lock);
}

static void server_end(struct http_server *server)
{
	MHD_socket fd = MHD_quiesce_daemon(server->daemon);
	server_drain(server);
	atomic_store(&server->stopping, true);
	http_server_wake(server);
	pthread_join(server->thread, NULL);
	MHD_stop_daemon(server->daemon);
	if (fd != MHD_INVALID_SOCKET) {
		close(fd);
	}
	if (strncmp(server->address, "unix:", 5) == 0) {
		unlink(server->address + 5);
	}
	server_free(server);
}

/*
 * The lock over all servers is held to the end: whoever opens the address
 * again meanwhile waits until it is free.
 */
struct http_server *http_server_unref(struct http_server *server)
{
	if (!server) {
		return NULL;
	}
	assert(server->magic == SERVER_MAGIC);
	pthread_mutex_lock(&servers_lock);
	if (--server->users == 0) {
		struct http_server **place = &servers;
		while (*place != server) {
			place = &(*place)->next;
		}
		*place = server->next;
		server_end(server);
	}
	pthread_mutex_unlock(&servers_lock);
	return NULL;
}
