/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP face of the bus, on libmicrohttpd: one thread for all connections
 * (epoll), a few workers for everything that waits. A request is admitted from
 * its headers (admit.c), its body read, run on a worker (run.c) while the
 * connection is suspended, and answered.
 *
 * The rule not to break: nothing on the listener's thread waits for a disk, a
 * lock that is held during one, or another machine. TLS is the reverse
 * proxy's; what listens off loopback must be told its names (console.hosts).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <console/openapi.h>
#include <console/place.h>
#include <console/request.h>
#include <console/rest.h>
#include <metrics/metrics.h>
#include <xylem/log.h>

#define WORKERS 4
#define WORKERS_WAITING 256
#define CONNECTIONS 512
#define CONNECTIONS_PER_ADDRESS 256
#define CONNECTION_MEMORY (32 * 1024)
#define CONNECTION_TIMEOUT_S 30u
/* How much of a body that is too large is read and thrown away before the connection is cut. */
#define OVERSIZE_PATIENCE (1024 * 1024)
/* How long stopping waits for slow clients to take their answers. */
#define STOP_PATIENCE_US 3000000

/* --- Answers -------------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, const struct reply *reply)
{
	char text[16];
	if (reply->content_type) {
		MHD_add_response_header(response, "Content-Type", reply->content_type);
	}
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(
		response, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
	if (reply->attachment) {
		MHD_add_response_header(response, "Content-Disposition", "attachment");
	}
	if (reply->status == 401) {
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"xylem\"");
	}
	if (reply->allow) {
		MHD_add_response_header(response, "Allow", reply->allow);
	}
	if (reply->repeated) {
		MHD_add_response_header(response, "Idempotency-Replayed", "true");
	}
	if (reply->retry_after_s) {
		snprintf(text, sizeof(text), "%d", reply->retry_after_s);
		MHD_add_response_header(response, "Retry-After", text);
	}
}

static void count(int status)
{
	char code[8];
	snprintf(code, sizeof(code), "%d", status);
	metric_add(metric_series(METRIC_HTTP_REQUESTS, code, NULL, NULL), 1);
}

static enum MHD_Result answer_with(struct request *request, struct MHD_Response *response)
{
	if (!response) {
		return MHD_NO;
	}
	add_headers(response, &request->reply);
	enum MHD_Result queued = MHD_queue_response(
		request->connection, (unsigned)request->reply.status, response);
	MHD_destroy_response(response);
	request->stage = REQUEST_ANSWERED;
	count(request->reply.status);
	return queued;
}

static enum MHD_Result answer(struct request *request)
{
	if (xylem_buffer_failed(&request->reply.body)) {
		return MHD_NO;
	}
	size_t n = 0;
	char *text = xylem_buffer_take(&request->reply.body, &n);
	return answer_with(request, MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result answer_text(struct request *request, int status, const char *text)
{
	request->reply.status = status;
	request->reply.content_type = "text/plain; charset=utf-8";
	xylem_buffer_text(&request->reply.body, text);
	return answer(request);
}

static enum MHD_Result answer_ready(struct request *request)
{
	char text[256], line[272];
	const char *obstacle = bus_not_ready(request->rest->bus, text);
	snprintf(line, sizeof(line), "%s\n", obstacle ? obstacle : "ready");
	request->reply.retry_after_s = obstacle ? 1 : 0;
	return answer_text(request, obstacle ? 503 : 200, line);
}

static enum MHD_Result answer_events(struct request *request)
{
	struct MHD_Response *response = NULL;
	struct xylem_reason reason = { .text = "" };
	const char *last_id = MHD_lookup_connection_value(
		request->connection, MHD_HEADER_KIND, "Last-Event-ID");
	int error = stream_open(request->rest->streams, request->connection, request->caller.name,
		json_string_value(json_object_get(request->query, "types")), last_id, &response, &reason);
	if (error) {
		request_problem(request, error, reason.text[0] ? reason.text : NULL, NULL);
		return answer(request);
	}
	request->reply.status = 200;
	return answer_with(request, response);
}

/* --- The way of a request ----------------------------------------------------------- */

static void work(struct work *work)
{
	struct request *request = (struct request *)work;
	struct MHD_Connection *connection = request->connection;
	request_run(request);
	MHD_resume_connection(connection);
}

static enum MHD_Result hand_over(struct request *request)
{
	request->stage = REQUEST_WORKING;
	request->work.run = work;
	MHD_suspend_connection(request->connection);
	int error = workers_submit(request->rest->workers, &request->work);
	if (error) {
		request->reply.retry_after_s = 1;
		request_problem(request, error, "too many requests wait for the disk", NULL);
		MHD_resume_connection(request->connection);
	}
	return MHD_YES;
}

/* What needs no body; GETs are answered here too, since they have none. */
static enum MHD_Result begin(struct request *request, const char *method)
{
	request->stage = REQUEST_BODY;
	if (request_admit(request, method)) {
		return answer(request);
	}
	return request->denied ? hand_over(request) : MHD_YES;
}

static enum MHD_Result take(struct request *request, const char *bytes, size_t *n)
{
	if (request->thrown_away || request->body.n + *n > request->body_max) {
		request->thrown_away += *n;
	} else {
		xylem_buffer_append(&request->body, bytes, *n);
	}
	*n = 0;
	return request->thrown_away > OVERSIZE_PATIENCE ? MHD_NO : MHD_YES;
}

static enum MHD_Result complete(struct request *request)
{
	if (request->thrown_away || xylem_buffer_failed(&request->body)) {
		request_problem(
			request, -XYLEM_E_TOO_LARGE, "the body is larger than console.max_body", NULL);
		return answer(request);
	}
	switch (request->aim) {
	case AIM_LIVE:
		return answer_text(request, 200, "live\n");
	case AIM_READY:
		return answer_ready(request);
	case AIM_OPENAPI:
		request->reply.status = 200;
		request->reply.content_type = "application/json";
		xylem_buffer_text(&request->reply.body, request->rest->openapi);
		return answer(request);
	case AIM_EVENTS:
		return answer_events(request);
	default:
		return hand_over(request);
	}
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *n, void **ret_request)
{
	struct request *request = *ret_request;
	if (!request) {
		return MHD_NO; /* no memory when it began */
	}
	switch (request->stage) {
	case REQUEST_HEADERS:
		return begin(request, method);
	case REQUEST_BODY:
		return *n ? take(request, bytes, n) : complete(request);
	case REQUEST_WORKING:
		return answer(request);
	case REQUEST_ANSWERED:
		break;
	}
	*n = 0;
	return MHD_YES;
}

static void *request_line(void *context, const char *target, struct MHD_Connection *connection)
{
	struct rest *rest = context;
	struct request *request = request_new(rest, connection, target);
	if (request) {
		pthread_mutex_lock(&rest->lock);
		rest->requests++;
		pthread_mutex_unlock(&rest->lock);
	}
	return request;
}

static void completed(void *context, struct MHD_Connection *connection, void **ret_request,
	enum MHD_RequestTerminationCode code)
{
	struct rest *rest = context;
	if (!*ret_request) {
		return;
	}
	*ret_request = request_free(*ret_request);
	pthread_mutex_lock(&rest->lock);
	rest->requests--;
	pthread_cond_signal(&rest->less);
	pthread_mutex_unlock(&rest->lock);
}

/* Until every request that has begun is answered, or the patience ends. */
static void wait_for_answers(struct rest *rest)
{
	struct timespec until = clock_timespec(clock_mono_us() + STOP_PATIENCE_US);
	pthread_mutex_lock(&rest->lock);
	while (rest->requests && !pthread_cond_clockwait(&rest->less, &rest->lock, CLOCK_MONOTONIC, &until)) {
	}
	pthread_mutex_unlock(&rest->lock);
}

__attribute__((format(printf, 2, 0))) static void log_daemon(
	void *context, const char *format, va_list arguments)
{
	char text[256];
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	xylem_log(XYLEM_LOG_INFO, "console", "%s", text);
}

/* --- Life ------------------------------------------------------------------------------ */

static int start_daemon(struct rest *rest, struct xylem_reason *reason)
{
	rest->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		handle, rest, MHD_OPTION_EXTERNAL_LOGGER, log_daemon, NULL, MHD_OPTION_LISTEN_SOCKET,
		rest->listener.descriptor, MHD_OPTION_URI_LOG_CALLBACK, request_line, rest,
		MHD_OPTION_NOTIFY_COMPLETED, completed, rest, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_ADDRESS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		CONNECTION_TIMEOUT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!rest->daemon) {
		xylem_reason_set(
			reason, "the console's listener cannot be started on %s", rest->listener.url);
		return -XYLEM_E_IO;
	}
	return 0;
}

static int check_public(
	const struct rest *rest, const struct config_console *console, struct xylem_reason *reason)
{
	if (rest->listener.loopback || console->hosts.n) {
		return 0;
	}
	xylem_reason_set(reason,
		"console.listen: %s can be reached from other machines, and speaks plain HTTP: put a proxy "
		"with TLS in "
		"front, and name in console.hosts what browsers and programs call it",
		console->listen);
	return -XYLEM_E_INVALID;
}

static int open_all(struct rest *rest, const struct config_view *view, struct xylem_reason *reason)
{
	int error = admin_token_init(&rest->admin, view->bus->data, reason);
	if (!error) {
		error = listener_open(&rest->listener, view->console->listen, reason);
	}
	if (!error) {
		error = check_public(rest, view->console, reason);
	}
	if (error) {
		return error;
	}
	json_t *openapi = openapi_new();
	rest->openapi = json_dumps(openapi, JSON_COMPACT);
	json_decref(openapi);
	rest->workers = workers_new(WORKERS, WORKERS_WAITING);
	rest->streams = streams_new(rest->bus);
	rest->idempotency = idempotency_new(bus_catalogue(rest->bus));
	if (!rest->openapi || !rest->workers || !rest->streams || !rest->idempotency) {
		xylem_reason_set(reason, "no memory for the console");
		return -XYLEM_E_MEMORY;
	}
	error = start_daemon(rest, reason);
	if (!error) {
		place_write(rest, view);
	}
	return error;
}

int rest_new(struct rest **ret_rest, struct bus *bus, struct xylem_reason *reason)
{
	struct rest *rest = calloc(1, sizeof(*rest));
	if (!rest) {
		xylem_reason_set(reason, "no memory for the console");
		return -XYLEM_E_MEMORY;
	}
	rest->bus = bus;
	rest->listener.descriptor = -1;
	guard_init(&rest->guard);
	pthread_mutex_init(&rest->lock, NULL);
	pthread_cond_init(&rest->less, NULL);
	struct config *config = bus_config(bus);
	int error = open_all(rest, config_view(config), reason);
	config_unref(config);
	if (error) {
		rest_free(rest);
		return error;
	}
	xylem_log(XYLEM_LOG_NOTICE, "console", "listens on %s", rest->listener.url);
	*ret_rest = rest;
	return 0;
}

struct rest *rest_free(struct rest *rest)
{
	if (!rest) {
		return NULL;
	}
	place_remove(rest);
	if (rest->daemon) {
		MHD_quiesce_daemon(rest->daemon);
	}
	streams_stop(rest->streams);
	workers_stop(rest->workers); /* each resumes its connection */
	if (rest->daemon) {
		wait_for_answers(rest);
		MHD_stop_daemon(rest->daemon);
	}
	workers_free(rest->workers);
	listener_close(&rest->listener);
	streams_free(rest->streams);
	idempotency_free(rest->idempotency);
	guard_finish(&rest->guard);
	pthread_cond_destroy(&rest->less);
	pthread_mutex_destroy(&rest->lock);
	free(rest->openapi);
	free(rest);
	return NULL;
}

const char *rest_url(const struct rest *rest)
{
	return rest->listener.url;
}
