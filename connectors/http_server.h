/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_HTTP_SERVER_H
#define CONNECTORS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xylem/error.h>
#include <xylem/span.h>

/*
 * One HTTP listener for many paths. Servers are shared by address and counted:
 * whoever opens `127.0.0.1:8080` gets the one that is there. Every callback of
 * a handler runs on the server's one thread and must not block.
 */
struct http_server;
struct http_route;   /* a path taken on a server */
struct http_claim;   /* a path that is going to be taken */
struct http_request; /* one request, from its headers to its answer's last byte */

/* The limits of every listener (docs/webhooks.md has the table). */
#define HTTP_SERVER_CONNECTIONS 2000
#define HTTP_SERVER_CONNECTIONS_PER_ADDRESS 1000
#define HTTP_SERVER_HEADERS 64
/* Headers live in it; libmicrohttpd clears all of it after each request, so that twice the size costs a microsecond. */
#define HTTP_SERVER_CONNECTION_MEMORY (24 * 1024)
#define HTTP_SERVER_IDLE_SECONDS 30
#define HTTP_SERVER_REQUEST_SECONDS 120

struct http_handler {
	/*
	 * The headers are in, the body is not. Either answers (a refusal), or
	 * returns with http_request_take_body() called or not: without it a body
	 * is a 413.
	 */
	void (*begin)(void *context, struct http_request *request);
	/* The body is in: answers, or http_request_hold() and answers in `resumed`. */
	void (*complete)(void *context, struct http_request *request);
	/*
	 * After http_request_wake(): answers. The route may be closed by now, and
	 * its context gone; only `state` may be used.
	 */
	void (*resumed)(struct http_request *request, void *state);
	/* The request is over, answered or broken off. `state` is what the handler attached; may be NULL. */
	void (*released)(void *state);
};

/* `address`: HOST:PORT, [V6]:PORT or unix:PATH. -XYLEM_E_INVALID, -XYLEM_E_IO (in use, not ours). */
int http_server_open(struct http_server **ret_server, const char *address, struct xylem_reason *reason);
/*
 * One user less; the last one ends it: no new connections, requests under way
 * are answered (at most 5 s; those held, as long as they take). NULL is fine.
 */
struct http_server *http_server_unref(struct http_server *server);
/* The port that was really taken (for port 0); 0 for a Unix socket. */
unsigned http_server_port(const struct http_server *server);

/*
 * Takes a path: exactly this one, or all below it when it ends in `/`. The
 * longest match wins. -XYLEM_E_CONFLICT when it is taken.
 */
int http_route_open(struct http_route **ret_route, struct http_server *server, const char *path,
	const struct http_handler *handler, void *context, struct xylem_reason *reason);
/*
 * Gives the path back; when it returns no callback with the route's context
 * runs or will run. For 10 s the path answers 503 with Retry-After, so that a
 * reload is not a 404 to anybody. NULL is fine.
 */
struct http_route *http_route_close(struct http_route *route);

/*
 * Says that a path of an address is going to be taken, before or while anybody
 * listens there: until http_route_open(), and after http_route_close(),
 * requests for it are answered 503 with Retry-After instead of 404. NULL
 * without memory. Any thread.
 */
struct http_claim *http_claim_new(const char *address, const char *path);
struct http_claim *http_claim_free(struct http_claim *claim); /* NULL is fine */

/* --- Inside callbacks -------------------------------------------------- */

struct xylem_span http_request_method(const struct http_request *request);
struct xylem_span http_request_path(const struct http_request *request); /* decoded, without the query */
/* The header's value as it came; absent if there is none. Names without case. Valid until `released`. */
struct xylem_span http_request_header(const struct http_request *request, const char *name);
/* The i-th header, false past the last. */
bool http_request_header_at(const struct http_request *request, size_t i, struct xylem_span *ret_name,
	struct xylem_span *ret_value);
/* Bytes announced; -1: not announced (chunked). */
int64_t http_request_length(const struct http_request *request);
/* The body is wanted, up to `limit` bytes; more is a 413. In `begin`. */
void http_request_take_body(struct http_request *request, size_t limit);
/* The whole body, in `complete` and `resumed`. Valid until `released`. */
struct xylem_span http_request_body(const struct http_request *request);
/* What the handler keeps with the request. */
void http_request_attach(struct http_request *request, void *state);
void *http_request_state(const struct http_request *request);

/* Puts the request aside, in `complete` only; one http_request_wake() must follow, from any thread. */
void http_request_hold(struct http_request *request);
void http_request_wake(struct http_request *request);

/* The answer; once a request. `body` is copied; the second form takes memory of malloc. */
void http_request_answer(
	struct http_request *request, unsigned status, const char *content_type, struct xylem_span body);
void http_request_answer_take(
	struct http_request *request, unsigned status, const char *content_type, char *body, size_t n);
/* A header more, after the answer and before the callback returns. */
void http_request_answer_header(struct http_request *request, const char *name, const char *value);
/*
 * A refusal as RFC 9457 (application/problem+json): `error` of the error table
 * gives status, title and type; the text says what, where and what to do.
 */
void http_request_problem(struct http_request *request, int error, const char *format, ...)
	XYLEM_PRINTF(3, 4);
/* The same with a status of its own. */
void http_request_problem_status(struct http_request *request, unsigned status, const char *name,
	const char *format, ...) XYLEM_PRINTF(4, 5);

#endif
