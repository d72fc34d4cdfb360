/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_WEBHOOK_BODY_H
#define CONNECTORS_WEBHOOK_BODY_H

#include <stdbool.h>

#include <connectors/pick.h>
#include <xylem/arena.h>
#include <xylem/error.h>
#include <xylem/message.h>

/* How a request's body becomes messages; no I/O, no HTTP library. */

enum webhook_form {
	WEBHOOK_SINGLE = 1 << 0,            /* any body, one message */
	WEBHOOK_ARRAY = 1 << 1,             /* application/json: each element of the array is a message */
	WEBHOOK_NDJSON = 1 << 2,            /* application/x-ndjson: each line is a message */
	WEBHOOK_CLOUDEVENT_BINARY = 1 << 3, /* ce- headers, the body is the data */
	WEBHOOK_CLOUDEVENT = 1 << 4,        /* application/cloudevents+json */
	WEBHOOK_CLOUDEVENTS = 1 << 5,       /* application/cloudevents-batch+json */
};

/* What a connector's options say; read-only, shared. */
struct webhook_rules {
	const char *source;       /* of plain messages */
	const char *type;         /* of plain messages, where `pick_type` gives none */
	const char *content_type; /* the only one taken; NULL: any */
	unsigned forms;           /* enum webhook_form taken */
	size_t max_batch;
	bool carry_trace; /* traceparent and tracestate become extensions */
	struct pick pick_id, pick_type, pick_subject, pick_key;
};

/* A request, as far as this room needs it. */
struct webhook_request {
	const void *context;
	struct xylem_span (*header)(const void *context, const char *name);
	bool (*header_at)(
		const void *context, size_t i, struct xylem_span *ret_name, struct xylem_span *ret_value);
	struct xylem_span body;
};

/* By the headers alone. -XYLEM_E_UNSUPPORTED with what this path takes. */
int webhook_form_of(const struct webhook_rules *rules, const struct webhook_request *request,
	enum webhook_form *ret_form, struct xylem_reason *reason);

/*
 * All messages of the body, or none. Spans borrow the request, the rules and
 * the arena. -XYLEM_E_INVALID (which element, what), -XYLEM_E_LIMIT (more than
 * max_batch: answered as 413), -XYLEM_E_MEMORY.
 */
int webhook_messages(const struct webhook_rules *rules, const struct webhook_request *request,
	enum webhook_form form, struct xylem_arena *arena, struct xylem_message **ret_messages, size_t *ret_n,
	struct xylem_reason *reason);

#endif
