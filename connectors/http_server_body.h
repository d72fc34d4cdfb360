/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_HTTP_SERVER_BODY_H
#define CONNECTORS_HTTP_SERVER_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include <connectors/http_server.h>

/* What the files of the HTTP server share; nobody else includes it. */

#define SERVER_MAGIC 0x68747376
#define REQUEST_MAGIC 0x68747271

struct http_route {
	struct http_route *next;
	struct http_server *server;
	char *path;
	size_t path_n;
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

/* --- http_request.c ---------------------------------------------------- */

/* A request of the server's own store; NULL without memory. The server's thread only, as all of these. */
struct http_request *http_request_new(struct http_server *server);
/* Over: tells its handler, and puts it back for the next one. */
void http_request_release(struct http_request *request);
void http_request_free(struct http_request *request);
/* Room for a body of `n` bytes; false without memory. */
bool http_request_room(struct http_request *request, size_t n);
/* Hands the answer to libmicrohttpd; MHD_NO drops the connection. */
enum MHD_Result http_request_queue(struct http_request *request);

/* --- http_route.c ------------------------------------------------------ */

/* The open route of a path, or a closed one that still answers; under the server's lock. */
struct http_route *http_route_find(struct http_server *server, struct xylem_span path);
/* False: closed meanwhile. True: a close waits until http_route_leave(). */
bool http_route_enter(struct http_server *server, struct http_route *route);
void http_route_leave(struct http_server *server);
void http_route_free(struct http_route *route);
/* Is it this path, or one below it where it ends in `/`? */
bool http_path_matches(const char *pattern, struct xylem_span path);

/* --- http_claim.c ------------------------------------------------------ */

/* Has somebody said that this path is going to be taken? */
bool http_claim_has(const char *address, struct xylem_span path);

/* --- http_exchange.c --------------------------------------------------- */

/* libmicrohttpd's callbacks: MHD_AccessHandlerCallback and MHD_RequestCompletedCallback. */
enum MHD_Result http_exchange(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *n, void **request_slot);
void http_exchange_completed(void *context, struct MHD_Connection *connection, void **request_slot,
	enum MHD_RequestTerminationCode code);

/* --- http_listen.c ----------------------------------------------------- */

/* A listening, non-blocking socket of HOST:PORT, [V6]:PORT or unix:PATH; -XYLEM_E_INVALID, -XYLEM_E_IO. */
int http_listen(const char *address, struct xylem_reason *reason);
/* The port that was really taken; 0 for a Unix socket. */
unsigned http_listen_port(int fd);

/* --- http_server.c ----------------------------------------------------- */

/* Makes the server's thread look at its connections. Any thread. */
void http_server_wake(struct http_server *server);

#endif
