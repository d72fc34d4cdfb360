/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One HTTP listener for many paths, on libmicrohttpd: one thread with epoll a
 * listener, shared by all connectors that name the address. A request is read
 * (headers, then the body into memory up to what its handler asked for), given
 * to the handler of its path, and may be put aside until something, usually
 * the journal's sync, wakes it.
 *
 * Everything that can be refused is refused at the headers. A small body is
 * then read and thrown away, so that the connection stays usable; before a
 * large one the answer goes out at once and the connection ends.
 *
 * libmicrohttpd of Debian 12 (0.9.75) leaves to us what newer ones refuse by
 * themselves (request smuggling, CWE-444): a request that says its length in
 * two ways, or twice, is refused here and its connection closed.
 *
 * The rule not to break: after http_route_close() nothing may touch the
 * route's context. That is why a request that was put aside answers from its
 * own state, and why calls into a handler are bracketed by route_enter() and
 * route_leave().
 *
 * It does no TLS (a reverse proxy does), no static files, no ranges.
 */

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include <base/clock.h>
#include <base/thread.h>
#include <connectors/http_server.h>
#include <xylem/buffer.h>
#include <xylem/json.h>
#include <xylem/log.h>

#define SERVER_MAGIC 0x68747376
#define REQUEST_MAGIC 0x68747271
#define BODY_KEPT (64 * 1024)      /* of a request that is over, for the next one */
#define BODY_DISCARDED (64 * 1024) /* a refused body up to this size is read and dropped */
#define TOMBSTONE_US (10 * 1000000LL)
#define DRAIN_US (5 * 1000000LL)
#define TURN_MS 1000
#define STACK_BYTES ((size_t)1024 * 1024)

struct http_route {
	struct http_route *next;
	struct http_server *server;
	char *path;
	size_t path_n;
	bool below;
	const struct http_handler *handler;
	void *context;
	int64_t closed_us; /* 0: open */
};

struct http_server {
	uint32_t magic;
	struct http_server *next; /* of all servers, under servers_lock */
	unsigned users;           /* under servers_lock */
	char *address;
	unsigned port;
	struct MHD_Daemon *daemon;
	pthread_t thread;
	int events; /* epoll of the daemon */
	int wake;   /* eventfd: a request was resumed, or the server ends */
	atomic_bool woken, stopping;

	pthread_mutex_t lock; /* below servers_lock */
	pthread_cond_t changed;
	struct http_route *routes;        /* under lock; longest path first */
	const struct http_route *entered; /* under lock; whose handler runs now */
	size_t active, held;              /* under lock; requests under way, and put aside */

	struct http_request *spare; /* the server's thread only */
};

enum request_stage { READING, DISCARDING, HELD, ANSWERED };

struct header {
	struct xylem_span name, value;
};

struct http_request {
	uint32_t magic;
	enum request_stage stage;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct http_route *route;
	const struct http_handler *handler;
	void *state;
	struct xylem_span method, path;
	struct header headers[HTTP_SERVER_HEADERS];
	size_t header_count;
	bool too_many_headers;
	int64_t length;
	int64_t begun_us;
	size_t body_limit;
	char *body;
	size_t body_n, body_room;
	struct MHD_Response *answer;
	unsigned status;
	struct http_request *next_spare;
};

static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct http_server *servers;

/* --- Requests ---------------------------------------------------------- */

static struct http_request *request_new(struct http_server *server)
{
	struct http_request *request = server->spare;
	if (request) {
		server->spare = request->next_spare;
		char *body = request->body;
		size_t room = request->body_room;
		memset(request, 0, offsetof(struct http_request, headers));
		memset(&request->header_count, 0,
			sizeof(*request) - offsetof(struct http_request, header_count));
		request->body = body;
		request->body_room = room;
	} else {
		request = calloc(1, sizeof(*request));
		if (!request) {
			return NULL;
		}
	}
	request->magic = REQUEST_MAGIC;
	request->server = server;
	return request;
}

static void request_free(struct http_request *request)
{
	free(request->body);
	free(request);
}

static void request_release(struct http_request *request)
{
	struct http_server *server = request->server;
	if (request->handler && request->handler->released && request->state) {
		request->handler->released(request->state);
	}
	if (request->answer) {
		MHD_destroy_response(request->answer);
		request->answer = NULL;
	}
	if (request->body_room > BODY_KEPT) {
		free(request->body);
		request->body = NULL;
		request->body_room = 0;
	}
	request->magic = 0;
	request->next_spare = server->spare;
	server->spare = request;
}

static bool request_room(struct http_request *request, size_t n)
{
	if (n <= request->body_room) {
		return true;
	}
	size_t room = request->body_room ? request->body_room : 4096;
	while (room < n) {
		room *= 2; /* n is bounded by the handler's limit */
	}
	char *body = realloc(request->body, room);
	if (!body) {
		return false;
	}
	request->body = body;
	request->body_room = room;
	return true;
}

struct xylem_span http_request_method(const struct http_request *request)
{
	return request->method;
}

struct xylem_span http_request_path(const struct http_request *request)
{
	return request->path;
}

struct xylem_span http_request_header(const struct http_request *request, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < request->header_count; i++) {
		const struct header *header = &request->headers[i];
		if (header->name.n == n && strncasecmp(header->name.at, name, n) == 0) {
			return header->value;
		}
	}
	return XYLEM_SPAN_NONE;
}

bool http_request_header_at(const struct http_request *request, size_t i, struct xylem_span *ret_name,
	struct xylem_span *ret_value)
{
	if (i >= request->header_count) {
		return false;
	}
	*ret_name = request->headers[i].name;
	*ret_value = request->headers[i].value;
	return true;
}

int64_t http_request_length(const struct http_request *request)
{
	return request->length;
}

void http_request_take_body(struct http_request *request, size_t limit)
{
	request->body_limit = limit;
}

struct xylem_span http_request_body(const struct http_request *request)
{
	return xylem_span(request->body ? request->body : "", request->body_n);
}

void http_request_attach(struct http_request *request, void *state)
{
	request->state = state;
}

void *http_request_state(const struct http_request *request)
{
	return request->state;
}

void http_request_hold(struct http_request *request)
{
	assert(request->magic == REQUEST_MAGIC && request->stage == READING);
	struct http_server *server = request->server;
	pthread_mutex_lock(&server->lock);
	server->held++;
	pthread_mutex_unlock(&server->lock);
	request->stage = HELD;
	MHD_suspend_connection(request->connection);
}

static void server_wake(struct http_server *server)
{
	if (!atomic_exchange(&server->woken, true)) {
		eventfd_write(server->wake, 1);
	}
}

void http_request_wake(struct http_request *request)
{
	assert(request->magic == REQUEST_MAGIC);
	struct http_server *server = request->server;
	/* Counted after the resume: a server that ends waits for `held`, and must not end within this call. */
	MHD_resume_connection(request->connection);
	server_wake(server);
	pthread_mutex_lock(&server->lock);
	if (--server->held == 0) {
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
}

/* --- Answers ----------------------------------------------------------- */

static void answer_set(
	struct http_request *request, unsigned status, const char *content_type, struct MHD_Response *answer)
{
	assert(!request->answer);
	if (answer && content_type) {
		MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	}
	request->answer = answer; /* NULL: no memory; the connection is dropped */
	request->status = status;
}

void http_request_answer(
	struct http_request *request, unsigned status, const char *content_type, struct xylem_span body)
{
	/* libmicrohttpd copies what it is told to copy; its prototype is not const. */
	void *bytes = (void *)(uintptr_t)(body.n ? body.at : "");
	answer_set(request, status, body.n ? content_type : NULL,
		MHD_create_response_from_buffer(body.n, bytes, MHD_RESPMEM_MUST_COPY));
}

void http_request_answer_take(
	struct http_request *request, unsigned status, const char *content_type, char *body, size_t n)
{
	struct MHD_Response *answer = MHD_create_response_from_buffer(n, body, MHD_RESPMEM_MUST_FREE);
	if (!answer) {
		free(body);
	}
	answer_set(request, status, content_type, answer);
}

void http_request_answer_header(struct http_request *request, const char *name, const char *value)
{
	if (request->answer) {
		MHD_add_response_header(request->answer, name, value);
	}
}

static void problem_write(struct http_request *request, unsigned status, const char *name, const char *title,
	const char *detail)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	xylem_buffer_format(&out, "{\"type\":\"urn:xylem:error:%s\",\"title\":", name);
	xylem_json_write_string(&out, xylem_span_of(title));
	xylem_buffer_format(&out, ",\"status\":%u,\"code\":\"%s\",\"detail\":", status, name);
	xylem_json_write_string(&out, xylem_span_of(detail));
	xylem_buffer_text(&out, "}\n");
	size_t n = 0;
	char *text = xylem_buffer_take(&out, &n);
	http_request_answer_take(request, status, "application/problem+json", text, text ? n : 0);
}

void http_request_problem(struct http_request *request, int error, const char *format, ...)
{
	struct xylem_reason detail;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(detail.text, sizeof(detail.text), format, arguments);
	va_end(arguments);

	const struct xylem_error_row *row = xylem_error_row(error);
	problem_write(request, (unsigned)row->http_status, row->name, row->text, detail.text);
	if (row->http_status == 503 || row->http_status == 429) {
		http_request_answer_header(request, "Retry-After", "1");
	}
}

void http_request_problem_status(
	struct http_request *request, unsigned status, const char *name, const char *format, ...)
{
	struct xylem_reason detail;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(detail.text, sizeof(detail.text), format, arguments);
	va_end(arguments);
	problem_write(request, status, name, name, detail.text);
}

static enum MHD_Result answer_queue(struct http_request *request)
{
	if (!request->answer) {
		return MHD_NO;
	}
	request->stage = ANSWERED;
	return MHD_queue_response(request->connection, request->status, request->answer);
}

/* --- Routes ------------------------------------------------------------ */

static bool route_matches(const struct http_route *route, struct xylem_span path)
{
	return route->below ? path.n >= route->path_n && memcmp(path.at, route->path, route->path_n) == 0
			    : xylem_span_equal(path, xylem_span(route->path, route->path_n));
}

/* The open route of a path, or a closed one that still answers; under the lock. */
static struct http_route *route_find(struct http_server *server, struct xylem_span path)
{
	struct http_route *closed = NULL;
	for (struct http_route *route = server->routes; route; route = route->next) {
		if (!route_matches(route, path)) {
			continue;
		}
		if (!route->closed_us) {
			return route;
		}
		closed = closed ? closed : route;
	}
	return closed && clock_mono_us() - closed->closed_us < TOMBSTONE_US ? closed : NULL;
}

/* False: closed meanwhile. True: a close waits until route_leave(). */
static bool route_enter(struct http_server *server, struct http_route *route)
{
	pthread_mutex_lock(&server->lock);
	bool open = !route->closed_us;
	if (open) {
		server->entered = route;
	}
	pthread_mutex_unlock(&server->lock);
	return open;
}

static void route_leave(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	bool waited_for = server->entered->closed_us != 0;
	server->entered = NULL;
	if (waited_for) {
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
}

static struct http_route *route_new(struct http_server *server, const char *path)
{
	struct http_route *route = calloc(1, sizeof(*route));
	if (!route || !(route->path = strdup(path))) {
		free(route);
		return NULL;
	}
	route->server = server;
	route->path_n = strlen(path);
	route->below = path[route->path_n - 1] == '/';
	return route;
}

static void route_free(struct http_route *route)
{
	free(route->path);
	free(route);
}

/*
 * Puts the route where its length belongs. Closed routes stay in the list
 * until the server ends: a request under way may still point at one, and there
 * are no more of them than configurations were loaded.
 */
static int route_insert(struct http_server *server, struct http_route *route)
{
	struct http_route **place = &server->routes;
	for (; *place && (*place)->path_n >= route->path_n; place = &(*place)->next) {
		if (!(*place)->closed_us && strcmp((*place)->path, route->path) == 0) {
			return -XYLEM_E_CONFLICT;
		}
	}
	route->next = *place;
	*place = route;
	return 0;
}

int http_route_open(struct http_route **ret_route, struct http_server *server, const char *path,
	const struct http_handler *handler, void *context, struct xylem_reason *reason)
{
	if (path[0] != '/') {
		xylem_reason_set(reason, "path \"%s\": a path begins with /", path);
		return -XYLEM_E_INVALID;
	}
	struct http_route *route = route_new(server, path);
	if (!route) {
		return -XYLEM_E_MEMORY;
	}
	route->handler = handler;
	route->context = context;
	pthread_mutex_lock(&server->lock);
	int error = route_insert(server, route);
	pthread_mutex_unlock(&server->lock);
	if (error) {
		xylem_reason_set(reason,
			"path %s on %s is taken by another connector: give this one a path of its own", path,
			server->address);
		route_free(route);
		return error;
	}
	*ret_route = route;
	return 0;
}

struct http_route *http_route_close(struct http_route *route)
{
	if (route) {
		struct http_server *server = route->server;
		pthread_mutex_lock(&server->lock);
		route->closed_us = clock_mono_us();
		while (server->entered == route) {
			pthread_cond_wait(&server->changed, &server->lock);
		}
		pthread_mutex_unlock(&server->lock);
	}
	return NULL;
}

/* --- From the headers to the answer (the server's thread) -------------- */

static enum MHD_Result header_collect(void *context, enum MHD_ValueKind kind, const char *name, size_t name_n,
	const char *value, size_t value_n)
{
	struct http_request *request = context;
	if (request->header_count == HTTP_SERVER_HEADERS) {
		request->too_many_headers = true;
		return MHD_NO;
	}
	request->headers[request->header_count++] = (struct header){ xylem_span(name, name_n),
		xylem_span(value ? value : "", value ? value_n : 0) };
	return MHD_YES;
}

static size_t header_times(const struct http_request *request, const char *name)
{
	size_t times = 0;
	for (size_t i = 0; i < request->header_count; i++) {
		times += request->headers[i].name.n == strlen(name) &&
			 strncasecmp(request->headers[i].name.at, name, strlen(name)) == 0;
	}
	return times;
}

static bool controls_within(struct xylem_span text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char byte = (unsigned char)text.at[i];
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
			return true;
		}
	}
	return false;
}

/* RFC 9112, 6.1 and 6.3: one length, said once. Sets request->length; NULL, or what is wrong. */
static const char *framing_check(struct http_request *request)
{
	struct xylem_span length = http_request_header(request, "Content-Length");
	struct xylem_span coding = http_request_header(request, "Transfer-Encoding");
	request->length = -1;
	if (xylem_span_present(length) && xylem_span_present(coding)) {
		return "Content-Length and Transfer-Encoding exclude each other";
	}
	if (header_times(request, "Content-Length") > 1 || header_times(request, "Transfer-Encoding") > 1 ||
		header_times(request, "Host") > 1) {
		return "Content-Length, Transfer-Encoding and Host may stand once";
	}
	if (xylem_span_present(coding)) {
		return coding.n == 7 && strncasecmp(coding.at, "chunked", 7) == 0
			       ? NULL
			       : "the only transfer coding taken is \"chunked\"";
	}
	request->length = 0;
	for (size_t i = 0; i < length.n; i++) {
		if (length.at[i] < '0' || length.at[i] > '9' || i > 15) {
			return "Content-Length is a number of bytes";
		}
		request->length = request->length * 10 + (length.at[i] - '0');
	}
	return xylem_span_present(length) && length.n == 0 ? "Content-Length is a number of bytes" : NULL;
}

static const char *headers_check(struct http_request *request)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (controls_within(request->headers[i].value)) {
			return "a header's value has a control character in it";
		}
	}
	return framing_check(request);
}

static void refuse_and_close(struct http_request *request)
{
	http_request_answer_header(request, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* The handler's look at the headers. */
static void request_route(struct http_request *request)
{
	struct http_server *server = request->server;
	pthread_mutex_lock(&server->lock);
	request->route = route_find(server, request->path);
	bool starting = !server->routes;
	pthread_mutex_unlock(&server->lock);
	if (starting) {
		http_request_problem(request, -XYLEM_E_BUSY, "the bus is starting: try again");
		return;
	}
	if (!request->route) {
		http_request_problem(
			request, -XYLEM_E_NOT_FOUND, "no connector takes the path %.200s", request->path.at);
		return;
	}
	if (!route_enter(server, request->route)) {
		http_request_problem(
			request, -XYLEM_E_STOPPING, "the connector is being reloaded: try again");
		return;
	}
	request->handler = request->route->handler;
	request->handler->begin(request->route->context, request);
	route_leave(server);
	if (!request->answer && request->length > 0 && (uint64_t)request->length > request->body_limit) {
		http_request_problem(request, -XYLEM_E_TOO_LARGE,
			"the body has %lld bytes; this path takes %zu", (long long)request->length,
			request->body_limit);
	}
}

static enum MHD_Result request_begin(struct http_server *server, struct MHD_Connection *connection,
	const char *url, const char *method, void **request_slot)
{
	struct http_request *request = request_new(server);
	if (!request) {
		return MHD_NO;
	}
	*request_slot = request;
	request->connection = connection;
	request->method = xylem_span_of(method);
	request->path = xylem_span_of(url);
	pthread_mutex_lock(&server->lock);
	server->active++;
	pthread_mutex_unlock(&server->lock);

	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, header_collect, request);
	const char *wrong = headers_check(request);
	if (request->too_many_headers) {
		http_request_problem_status(request, 431, "too-many-headers",
			"at most %d header lines are taken", HTTP_SERVER_HEADERS);
		refuse_and_close(request);
		return answer_queue(request);
	}
	if (wrong) {
		http_request_problem(request, -XYLEM_E_INVALID, "%s", wrong);
		refuse_and_close(request);
		return answer_queue(request);
	}
	request_route(request);
	if (!request->answer) {
		return MHD_YES;
	}
	bool awaits = xylem_span_present(http_request_header(request, "Expect"));
	if (request->length == 0) {
		return answer_queue(request);
	}
	if (request->length < 0 || request->length > BODY_DISCARDED || awaits) {
		refuse_and_close(request);
		return answer_queue(request);
	}
	request->stage = DISCARDING;
	return MHD_YES;
}

static void body_refuse(struct http_request *request, int error)
{
	if (error == -XYLEM_E_TOO_LARGE) {
		http_request_problem(request, error,
			"the body has more than the %zu bytes that this path takes", request->body_limit);
	} else {
		http_request_problem(request, error, "no memory for the body");
	}
	refuse_and_close(request);
}

/*
 * A piece of the body. An answer cannot be queued while a body is still coming
 * in, so that what is refused here is dropped to its end; a sender that does
 * not end is cut off.
 */
static enum MHD_Result request_body(struct http_request *request, const char *bytes, size_t n)
{
	if (request->begun_us == 0) {
		request->begun_us = clock_mono_us();
	} else if (clock_mono_us() - request->begun_us > HTTP_SERVER_REQUEST_SECONDS * 1000000LL) {
		return MHD_NO;
	}
	if (request->stage == DISCARDING) {
		request->body_n += n;
		return request->body_n > request->body_limit + BODY_DISCARDED ? MHD_NO : MHD_YES;
	}
	int error = 0;
	if (n > request->body_limit - request->body_n) {
		error = -XYLEM_E_TOO_LARGE;
	} else if (!request_room(request, request->body_n + n)) {
		error = -XYLEM_E_MEMORY;
	}
	if (error) {
		body_refuse(request, error);
		request->stage = DISCARDING;
		return MHD_YES;
	}
	memcpy(request->body + request->body_n, bytes, n);
	request->body_n += n;
	return MHD_YES;
}

static enum MHD_Result request_complete(struct http_request *request)
{
	if (request->stage == READING) {
		struct http_server *server = request->server;
		if (route_enter(server, request->route)) {
			request->handler->complete(request->route->context, request);
			route_leave(server);
		} else {
			http_request_problem(
				request, -XYLEM_E_STOPPING, "the connector is being reloaded: try again");
		}
		if (request->stage == HELD) {
			return MHD_YES;
		}
	} else if (request->stage == HELD) {
		request->handler->resumed(request, request->state);
	}
	return answer_queue(request);
}

static enum MHD_Result server_access(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *n, void **request_slot)
{
	struct http_request *request = *request_slot;
	if (!request) {
		return request_begin(context, connection, url, method, request_slot);
	}
	assert(request->magic == REQUEST_MAGIC);
	if (*n > 0) {
		enum MHD_Result result = request_body(request, bytes, *n);
		*n = 0;
		return result;
	}
	return request_complete(request);
}

static void server_completed(void *context, struct MHD_Connection *connection, void **request_slot,
	enum MHD_RequestTerminationCode code)
{
	struct http_server *server = context;
	struct http_request *request = *request_slot;
	if (!request) {
		return;
	}
	*request_slot = NULL;
	request_release(request);
	pthread_mutex_lock(&server->lock);
	if (--server->active == 0) {
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
}

/* --- The listener ------------------------------------------------------ */

static void server_log(void *context, const char *format, va_list arguments)
{
	struct http_server *server = context;
	char text[256];
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	xylem_log(XYLEM_LOG_DEBUG, "http", "%s: %s", server->address, text);
}

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

static unsigned port_of(int fd)
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
		0, NULL, NULL, server_access, server, MHD_OPTION_EXTERNAL_LOGGER, server_log, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT,
		HTTP_SERVER_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		HTTP_SERVER_CONNECTIONS_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_SERVER_IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_SERVER_CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_COMPLETED, server_completed, server, MHD_OPTION_END);
}

static void server_free(struct http_server *server)
{
	for (struct http_route *route = server->routes, *next; route; route = next) {
		next = route->next;
		route_free(route);
	}
	for (struct http_request *request = server->spare, *next; request; request = next) {
		next = request->next_spare;
		request_free(request);
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
	bool local = strncmp(server->address, "unix:", 5) == 0;
	int fd = local ? listen_unix(server->address + 5, reason) : listen_tcp(server->address, reason);
	if (fd < 0) {
		return fd;
	}
	server->port = port_of(fd);
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
	server_wake(server);
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
