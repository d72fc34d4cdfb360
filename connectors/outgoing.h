/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_OUTGOING_H
#define CONNECTORS_OUTGOING_H

#include <stdbool.h>

#include <curl/curl.h>

#include <connectors/signature.h>
#include <xylem/buffer.h>
#include <xylem/message.h>

/* Messages as the headers and body of one HTTP request; no I/O. */

enum outgoing_form {
	OUTGOING_CLOUDEVENT_BINARY, /* ce- headers, the data as the body; one message */
	OUTGOING_CLOUDEVENT,        /* application/cloudevents+json; one message */
	OUTGOING_CLOUDEVENTS,       /* application/cloudevents-batch+json; many */
	OUTGOING_DATA,              /* the data and its content type; one message */
	OUTGOING_ARRAY,             /* a JSON array of the data; many */
	OUTGOING_NDJSON,            /* the data as lines; many */
};
bool outgoing_form_is_batch(enum outgoing_form form);

/* How all requests of a worker are made. */
struct outgoing_rules {
	enum outgoing_form form;
	struct curl_slist *fixed;          /* headers that every request has; borrowed */
	struct signature_key *const *keys; /* Standard Webhooks; newest first */
	size_t key_count;
};

/* Room for one request at a time, used again and again. `{0}` is empty. */
struct outgoing {
	struct xylem_buffer text; /* the headers, one after the other, terminated */
	struct xylem_buffer room; /* a body that was made */
	struct curl_slist *lines; /* an array whose items point into `text` */
	size_t line_room, line_count;
	/* What to send; valid until the next outgoing_make. */
	struct curl_slist *headers;
	struct xylem_span body;
};
void outgoing_finish(struct outgoing *outgoing);

/*
 * Can this message be sent in this form? 0, or -XYLEM_E_INVALID with a short
 * code ("not-json", "header-unsafe") and the reason.
 */
int outgoing_check(enum outgoing_form form, const struct xylem_message *message, const char **ret_code,
	struct xylem_reason *reason);

/* Makes the request of messages that passed the check; `now_s` dates the signature. -XYLEM_E_MEMORY. */
int outgoing_make(struct outgoing *outgoing, const struct outgoing_rules *rules,
	const struct xylem_message *const *messages, size_t n, int64_t now_s);

#endif
