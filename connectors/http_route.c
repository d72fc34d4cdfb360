/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths of the HTTP server: who takes which, and giving one back while
 * requests come in.
 *
 * The rule not to break: after http_route_close() nothing touches the route's
 * context. That is why calls into a handler are bracketed by
 * http_route_enter() and http_route_leave().
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <connectors/http_server_body.h>

#define TOMBSTONE_US (10 * 1000000LL)

bool http_path_matches(const char *pattern, struct xylem_span path)
{
	size_t n = strlen(pattern);
	bool below = n > 0 && pattern[n - 1] == '/';
	return (below ? path.n >= n : path.n == n) && memcmp(path.at, pattern, n) == 0;
}

/* The open route of a path, or a closed one that still answers; under the lock. */
struct http_route *http_route_find(struct http_server *server, struct xylem_span path)
{
	struct http_route *closed = NULL;
	for (struct http_route *route = server->routes; route; route = route->next) {
		if (!http_path_matches(route->path, path)) {
			continue;
		}
		if (!route->closed_us) {
			return route;
		}
		closed = closed ? closed : route;
	}
	return closed && clock_mono_us() - closed->closed_us < TOMBSTONE_US ? closed : NULL;
}

/* False: closed meanwhile. True: a close waits until http_route_leave(). */
bool http_route_enter(struct http_server *server, struct http_route *route)
{
	pthread_mutex_lock(&server->lock);
	bool open = !route->closed_us;
	if (open) {
		server->entered = route;
	}
	pthread_mutex_unlock(&server->lock);
	return open;
}

void http_route_leave(struct http_server *server)
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
	return route;
}

void http_route_free(struct http_route *route)
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
		http_route_free(route);
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
