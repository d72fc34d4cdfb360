/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does for a request: collects the arguments, runs the
 * operation (or reads metrics), and makes the reply. It may wait for disks and
 * other machines; the listener's thread goes on meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <message/base64.h>
#include <console/request.h>
#include <metrics/metrics.h>

static void set_json(struct request *request, int status, json_t *json)
{
	struct reply *reply = &request->reply;
	/* 15 digits: 36.232 s, not 36.232000000000002. */
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
	reply->status = status;
	reply->content_type = "application/json";
	xylem_buffer_text(&reply->body, text ? text : "{}");
	xylem_buffer_byte(&reply->body, '\n');
	free(text);
}

/* Data as bytes. The type is only passed on where no browser could run it. */
static void set_bytes(struct request *request, const json_t *view)
{
	struct reply *reply = &request->reply;
	const char *type = json_string_value(json_object_get(view, "contenttype"));
	const json_t *text = json_object_get(view, "data_text");
	const json_t *base64 = json_object_get(view, "data_base64");
	reply->status = 200;
	reply->attachment = true;
	reply->content_type = type && xylem_content_type_is_json(xylem_span_of(type))
				      ? "application/json"
				      : "application/octet-stream";
	if (text) {
		xylem_buffer_append(&reply->body, json_string_value(text), json_string_length(text));
		return;
	}
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_span bytes = XYLEM_SPAN_NONE;
	if (arena && base64 &&
		message_base64_read(xylem_span_of(json_string_value(base64)), arena, &bytes) == 0) {
		xylem_buffer_span(&reply->body, bytes);
	}
	xylem_arena_free(arena);
}

/* The value in the path is an argument like the others; it may not stand in the body too. */
static int add_path_value(
	struct request *request, json_t *arguments, json_t **ret_errors, struct xylem_reason *reason)
{
	struct xylem_span name;
	if (!operation_placeholder(request->operation, &name)) {
		return 0;
	}
	char text[64];
	snprintf(text, sizeof(text), "%.*s", (int)name.n, name.at);
	if (json_object_get(arguments, text)) {
		xylem_reason_set(reason, "`%s` stands in the path: leave it out of the arguments", text);
		return -XYLEM_E_INVALID;
	}
	json_object_set_new(arguments, text, json_stringn(request->value.at, request->value.n));
	return 0;
}

static int read_arguments(struct request *request, struct xylem_span body, json_t **ret_arguments,
	json_t **ret_errors, struct xylem_reason *reason)
{
	json_t *arguments = NULL;
	int error = 0;
	if (body.n && !request->denied) {
		error = operation_read_body(request->operation, body, &arguments, ret_errors, reason);
	} else {
		arguments = json_deep_copy(request->query);
	}
	if (!error) {
		error = add_path_value(request, arguments, ret_errors, reason);
	}
	if (error) {
		json_decref(arguments);
		return error;
	}
	*ret_arguments = arguments;
	return 0;
}

static void run_operation(struct request *request)
{
	json_t *arguments = NULL, *result = NULL, *errors = NULL;
	struct xylem_reason reason = { .text = "" };
	struct xylem_span body = xylem_buffer_borrow(&request->body);
	int error = read_arguments(request, body, &arguments, &errors, &reason);
	if (!error) {
		error = operation_run_report(request->rest->bus, request->operation, &request->caller,
			arguments, body, &result, &errors, &reason);
	}
	if (error) {
		request_problem(request, error, reason.text, errors);
		request->reply.retry_after_s = xylem_error_row(error)->http_status == 503 ? 1 : 0;
	} else if (request->operation->bytes && !request->json_wanted) {
		set_bytes(request, result);
	} else {
		set_json(request, 200, result);
	}
	json_decref(arguments);
	json_decref(result);
	json_decref(errors);
}

static void run_once(struct request *request)
{
	struct idempotency_request once;
	struct xylem_reason reason;
	struct reply *reply = &request->reply;
	idempotency_name(&once, request->caller.name, request->path, request->key,
		xylem_buffer_borrow(&request->body));
	int done = idempotency_begin(
		request->rest->idempotency, &once, &reply->status, &reply->body, &reason);
	if (done < 0) {
		request_problem(request, done, reason.text, NULL);
	} else if (done == 1) {
		reply->repeated = true;
		reply->content_type = reply->status < 400 ? "application/json" : "application/problem+json";
	} else {
		run_operation(request);
		idempotency_end(
			request->rest->idempotency, &once, reply->status, xylem_buffer_borrow(&reply->body));
	}
}

void request_run(struct request *request)
{
	if (request->aim == AIM_METRICS) {
		metrics_write(&request->reply.body);
		request->reply.status = 200;
		request->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
	} else if (request->key.n && !request->denied) {
		run_once(request);
	} else {
		run_operation(request);
	}
}
