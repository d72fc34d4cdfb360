/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request from its headers to its answer, on the server's thread.
 *
 * Everything that can be refused is refused at the headers. A small body is
 * then read and thrown away, so that the connection stays usable; before a
 * large one the answer goes out at once and the connection ends.
 *
 * libmicrohttpd of Debian 12 (0.9.75) leaves to us what newer ones refuse by
 * themselves (request smuggling, CWE-444): a request that says its length in
 * two ways, or twice, is refused here and its connection closed.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include <base/clock.h>
#include <connectors/http_server_body.h>

#define BODY_DISCARDED (64 * 1024) /* a refused body up to this size is read and dropped */

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
	request->route = http_route_find(server, request->path);
	pthread_mutex_unlock(&server->lock);
	if (!request->route && http_claim_has(server->address, request->path)) {
		http_request_problem(request, -XYLEM_E_BUSY, "the connector is starting: try again");
		return;
	}
	if (!request->route) {
		http_request_problem(
			request, -XYLEM_E_NOT_FOUND, "no connector takes the path %.200s", request->path.at);
		return;
	}
	if (!http_route_enter(server, request->route)) {
		http_request_problem(
			request, -XYLEM_E_STOPPING, "the connector is being reloaded: try again");
		return;
	}
	request->handler = request->route->handler;
	request->handler->begin(request->route->context, request);
	http_route_leave(server);
	if (!request->answer && request->length > 0 && (uint64_t)request->length > request->body_limit) {
		http_request_problem(request, -XYLEM_E_TOO_LARGE,
			"the body has %lld bytes; this path takes %zu", (long long)request->length,
			request->body_limit);
	}
}

static enum MHD_Result request_begin(struct http_server *server, struct MHD_Connection *connection,
	const char *url, const char *method, void **request_slot)
{
	struct http_request *request = http_request_new(server);
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
		return http_request_queue(request);
	}
	if (wrong) {
		http_request_problem(request, -XYLEM_E_INVALID, "%s", wrong);
		refuse_and_close(request);
		return http_request_queue(request);
	}
	request_route(request);
	if (!request->answer) {
		return MHD_YES;
	}
	bool awaits = xylem_span_present(http_request_header(request, "Expect"));
	if (request->length == 0) {
		return http_request_queue(request);
	}
	if (request->length < 0 || request->length > BODY_DISCARDED || awaits) {
		refuse_and_close(request);
		return http_request_queue(request);
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
	} else if (!http_request_room(request, request->body_n + n)) {
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
		if (http_route_enter(server, request->route)) {
			request->handler->complete(request->route->context, request);
			http_route_leave(server);
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
	return http_request_queue(request);
}

enum MHD_Result http_exchange(void *context, struct MHD_Connection *connection, const char *url,
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

void http_exchange_completed(void *context, struct MHD_Connection *connection, void **request_slot,
	enum MHD_RequestTerminationCode code)
{
	struct http_server *server = context;
	struct http_request *request = *request_slot;
	if (!request) {
		return;
	}
	*request_slot = NULL;
	http_request_release(request);
	pthread_mutex_lock(&server->lock);
	if (--server->active == 0) {
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
}
