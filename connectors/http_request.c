/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of the HTTP server, as its handler sees it: headers, body, the
 * state that the handler keeps with it, being put aside and woken, the answer.
 *
 * Requests are used again, with up to 64 KiB of body memory each, since a busy
 * listener would otherwise spend its time in malloc.
 *
 * The rule not to break: http_request_wake() touches nothing of the request
 * after it has given back `held`; the server may end from then on.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>

#include <connectors/http_server_body.h>
#include <xylem/buffer.h>
#include <xylem/json.h>

#define BODY_KEPT (64 * 1024) /* of a request that is over, for the next one */

struct http_request *http_request_new(struct http_server *server)
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

void http_request_free(struct http_request *request)
{
	free(request->body);
	free(request);
}

void http_request_release(struct http_request *request)
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

bool http_request_room(struct http_request *request, size_t n)
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

void http_request_wake(struct http_request *request)
{
	assert(request->magic == REQUEST_MAGIC);
	struct http_server *server = request->server;
	/* Counted after the resume: a server that ends waits for `held`, and must not end within this call. */
	MHD_resume_connection(request->connection);
	http_server_wake(server);
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
	xylem_buffer_format(&out, "{\"type\":\"urn:xylem:problem:%s\",\"title\":", name);
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
	xylem_reason_vset(&detail, format, arguments);
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
	xylem_reason_vset(&detail, format, arguments);
	va_end(arguments);
	problem_write(request, status, name, name, detail.text);
}

enum MHD_Result http_request_queue(struct http_request *request)
{
	if (!request->answer) {
		return MHD_NO;
	}
	request->stage = ANSWERED;
	return MHD_queue_response(request->connection, request->status, request->answer);
}
