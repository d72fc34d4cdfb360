/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_REQUEST_H
#define CONSOLE_REQUEST_H

#include <microhttpd.h>

#include <console/guard.h>
#include <console/idempotency.h>
#include <console/listener.h>
#include <console/operation.h>
#include <console/stream.h>
#include <console/worker.h>

/*
 * One request on its way through the console's listener. Inside this room only.
 *
 *   headers ── checks, who, what ──┬── refused: answered before the body is read
 *                                  └── body ── worker ── answer
 *
 * The listener's thread owns it, except between workers_submit() and
 * MHD_resume_connection(), when a worker does.
 */
struct rest {
	struct bus *bus;
	struct MHD_Daemon *daemon;
	struct listener listener;
	struct admin_token admin;
	struct guard guard;
	struct workers *workers;
	struct streams *streams;
	struct idempotency *idempotency;
	char *openapi;
	char place[2][512]; /* files that tell xylemctl where we are */
	pthread_mutex_t lock;
	pthread_cond_t less;
	size_t requests; /* begun and not completed; under `lock` */
};

enum request_stage { REQUEST_HEADERS, REQUEST_BODY, REQUEST_WORKING, REQUEST_ANSWERED };

/* What a request is for. */
enum request_aim { AIM_NOTHING, AIM_LIVE, AIM_READY, AIM_METRICS, AIM_OPENAPI, AIM_EVENTS, AIM_OPERATION };

struct reply {
	int status;
	const char *content_type;
	struct xylem_buffer body;
	const char *allow; /* of 405 */
	int retry_after_s;
	bool attachment; /* for saving, never for showing */
	bool repeated;   /* by Idempotency-Key */
};

struct request {
	struct work work; /* first: workers hand it back */
	struct rest *rest;
	struct MHD_Connection *connection;
	enum request_stage stage;
	enum request_aim aim;
	char *path;    /* decoded; NULL: the target was not valid */
	json_t *query; /* decoded names and values; a doubled name is an error */
	const char *target_problem;
	const char *method; /* `GET` also for HEAD */
	char address[64];
	struct operation_caller caller;
	const struct operation *operation;
	struct xylem_span value; /* of the path's {placeholder} */
	bool denied;             /* the role does not do: for the audit, the body unread */
	bool json_wanted;        /* Accept: application/json */
	struct xylem_span key;   /* Idempotency-Key */
	size_t body_max;
	size_t thrown_away; /* of a body that is too large */
	struct xylem_buffer body;
	struct reply reply;
};

/* From the raw target of the request line. NULL: no memory. */
struct request *request_new(struct rest *rest, struct MHD_Connection *connection, const char *target);
struct request *request_free(struct request *request);

/*
 * Everything that can be said before the body is read: form, names of this
 * host, who asks, what for. 0: go on; else the reply is set.
 */
int request_admit(struct request *request, const char *method);

/* Runs what was asked for and sets the reply. On a worker; waits for disks. */
void request_run(struct request *request);

/* Sets a problem as the reply. Returns `error`. `errors` is borrowed. */
int request_problem(struct request *request, int error, const char *detail, const json_t *errors);

/* Decodes %XX (and + in a query) in place; false: not valid, or a NUL or control character. */
bool target_decode(char *text, bool query);

#endif
