/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is decided from the headers alone: whether the request is one, whether
 * it was meant for this host, who asks, what for, and whether its body may be
 * read. The rule not to break: nothing of a body is read, and nothing waits,
 * before this has said yes.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <base/clock.h>
#include <console/problem.h>
#include <console/request.h>
#include <xylem/log.h>

#define API "/api/v1/"

int request_problem(struct request *request, int error, const char *detail, const json_t *errors)
{
	struct reply *reply = &request->reply;
	xylem_buffer_clear(&reply->body);
	reply->status = problem_write(
		&reply->body, error, detail, request->path ? request->path : "", errors);
	reply->content_type = "application/problem+json";
	return error;
}

static const char *header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* --- Form -------------------------------------------------------------------- */

struct counts {
	int host, length, encoding;
};

static enum MHD_Result count_header(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct counts *counts = context;
	counts->host += strcasecmp(name, "Host") == 0;
	counts->length += strcasecmp(name, "Content-Length") == 0;
	counts->encoding += strcasecmp(name, "Transfer-Encoding") == 0;
	return MHD_YES;
}

/* What proxies and servers read in different ways is refused (RFC 9112, 6.3 and 11.2). */
static int check_form(struct request *request)
{
	struct counts counts = { 0 };
	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_header, &counts);
	const char *encoding = header(request, "Transfer-Encoding");
	if (counts.length > 1 || counts.encoding > 1 || (counts.length && counts.encoding)) {
		return request_problem(
			request, -XYLEM_E_INVALID, "Content-Length and Transfer-Encoding disagree", NULL);
	}
	if (encoding && strcasecmp(encoding, "chunked") != 0) {
		return request_problem(
			request, -XYLEM_E_INVALID, "only `chunked` is a known Transfer-Encoding", NULL);
	}
	if (counts.host != 1) {
		return request_problem(request, -XYLEM_E_INVALID, "exactly one Host header is needed", NULL);
	}
	if (request->target_problem) {
		return request_problem(request, -XYLEM_E_INVALID, request->target_problem, NULL);
	}
	return 0;
}

/* --- This host, and no page of another ---------------------------------------- */

static int check_site(struct request *request, const struct config_console *console)
{
	const char *host = header(request, "Host");
	const char *origin = header(request, "Origin");
	const char *site = header(request, "Sec-Fetch-Site");
	if (!guard_host(host, request->rest->listener.host, &console->hosts)) {
		return request_problem(request, -XYLEM_E_FORBIDDEN,
			"the Host header is not a name of this console; console.hosts lists further ones",
			NULL);
	}
	if ((origin && !guard_origin(origin, host)) ||
		(site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)) {
		return request_problem(
			request, -XYLEM_E_FORBIDDEN, "a page of another site may not ask here", NULL);
	}
	return 0;
}

/* --- Who ------------------------------------------------------------------------ */

/* The address for the audit and for counting failures: of IPv6 the network, since a host has many. */
static void read_address(struct request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *name = info ? info->client_addr : NULL;
	snprintf(request->address, sizeof(request->address), "unix");
	if (name && name->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)name)->sin_addr,
			request->address, sizeof(request->address));
	} else if (name && name->sa_family == AF_INET6) {
		struct in6_addr network = ((const struct sockaddr_in6 *)(const void *)name)->sin6_addr;
		if (!IN6_IS_ADDR_LOOPBACK(&network) && !IN6_IS_ADDR_V4MAPPED(&network)) {
			memset(&network.s6_addr[8], 0, 8);
		}
		inet_ntop(AF_INET6, &network, request->address, sizeof(request->address));
	}
}

static void set_caller(struct request *request, const char *name, enum config_role role)
{
	snprintf(request->caller.name, sizeof(request->caller.name), "%s", name);
	snprintf(request->caller.from, sizeof(request->caller.from), "rest %.50s", request->address);
	request->caller.role = role;
}

static int refuse_unknown(struct request *request, const char *detail)
{
	guard_failed(&request->rest->guard, request->address, clock_mono_us());
	xylem_log(XYLEM_LOG_WARNING, "console", "a wrong token from %s", request->address);
	return request_problem(request, -XYLEM_E_UNAUTHORIZED, detail, NULL);
}

static int authenticate(struct request *request, const struct config_view *view)
{
	struct xylem_span token = guard_bearer(header(request, "Authorization"));
	if (!token.n) {
		return request_problem(request, -XYLEM_E_UNAUTHORIZED,
			"a token is needed: Authorization: Bearer TOKEN", NULL);
	}
	if (admin_token_is(&request->rest->admin, token)) {
		set_caller(request, "admin", ROLE_ADMIN);
		return 0;
	}
	if (!guard_allows(&request->rest->guard, request->address, clock_mono_us(),
		    &request->reply.retry_after_s)) {
		return request_problem(
			request, -XYLEM_E_LIMIT, "too many wrong tokens from this address; wait", NULL);
	}
	const struct config_user *user = config_user_by_token(view, token);
	if (!user) {
		return refuse_unknown(request, "this token is not known");
	}
	set_caller(request, user->name, (enum config_role)user->role);
	return 0;
}

/* --- What for --------------------------------------------------------------------- */

static int refuse_method(struct request *request, const char *allow)
{
	request->reply.allow = allow;
	return request_problem(request, -XYLEM_E_METHOD, NULL, NULL);
}

static enum request_aim fixed_aim(const char *path)
{
	static const struct {
		const char *path;
		enum request_aim aim;
	} table[] = { { "/livez", AIM_LIVE }, { "/readyz", AIM_READY }, { "/metrics", AIM_METRICS },
		{ "/api/openapi.json", AIM_OPENAPI }, { API "events", AIM_EVENTS } };
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(path, table[i].path) == 0) {
			return table[i].aim;
		}
	}
	return AIM_NOTHING;
}

static int find_operation(struct request *request)
{
	const char *allow = NULL;
	if (strncmp(request->path, API, strlen(API)) == 0) {
		request->operation = operation_match(
			request->method, xylem_span_of(request->path + strlen(API)), &request->value, &allow);
	}
	if (request->operation) {
		request->aim = AIM_OPERATION;
		return 0;
	}
	if (allow) {
		return refuse_method(request, strcmp(allow, "GET") == 0 ? "GET, HEAD" : allow);
	}
	return request_problem(
		request, -XYLEM_E_NOT_FOUND, "there is nothing at this path; see /api/openapi.json", NULL);
}

static int find_aim(struct request *request)
{
	request->aim = fixed_aim(request->path);
	if (request->aim == AIM_NOTHING) {
		return find_operation(request);
	}
	return strcmp(request->method, "GET") == 0 ? 0 : refuse_method(request, "GET, HEAD");
}

/* --- The body ------------------------------------------------------------------------ */

static bool is_json_type(const char *type)
{
	size_t n = strcspn(type, "; \t");
	return n == strlen("application/json") && strncasecmp(type, "application/json", n) == 0;
}

static int check_body(struct request *request, int64_t max)
{
	const char *length = header(request, "Content-Length");
	const char *type = header(request, "Content-Type");
	unsigned long long n = length ? strtoull(length, NULL, 10) : 0;
	bool any = n > 0 || header(request, "Transfer-Encoding");
	request->body_max = (size_t)max;
	if (any && strcmp(request->method, "POST") != 0) {
		return request_problem(request, -XYLEM_E_INVALID, "a GET takes no body", NULL);
	}
	if (n > (unsigned long long)max) {
		char detail[96];
		snprintf(detail, sizeof(detail), "the body is larger than console.max_body (%lld bytes)",
			(long long)max);
		return request_problem(request, -XYLEM_E_TOO_LARGE, detail, NULL);
	}
	if (any && (!type || !is_json_type(type))) {
		return request_problem(
			request, -XYLEM_E_UNSUPPORTED, "the body must be application/json", NULL);
	}
	return 0;
}

static int check_operation(struct request *request)
{
	if (request->operation->unsafe && json_object_size(request->query)) {
		return request_problem(request, -XYLEM_E_INVALID,
			"what changes something takes its arguments in the body, not in the query", NULL);
	}
	const char *accept = header(request, "Accept");
	request->json_wanted = accept && strcasestr(accept, "application/json");
	request->denied = request->caller.role < request->operation->role;
	const char *key = request->operation->unsafe ? header(request, "Idempotency-Key") : NULL;
	struct xylem_reason reason;
	int error = key ? idempotency_key(key, &request->key, &reason) : 0;
	return error ? request_problem(request, error, reason.text, NULL) : 0;
}

static bool is_public(const struct request *request, const struct config_console *console)
{
	return request->aim == AIM_LIVE || request->aim == AIM_READY ||
	       (request->aim == AIM_METRICS && console->public_metrics);
}

static int admit(struct request *request, const struct config_view *view)
{
	int error = check_form(request);
	if (!error) {
		error = check_site(request, view->console);
	}
	if (error) {
		return error;
	}
	request->aim = fixed_aim(request->path);
	if (!is_public(request, view->console) && strncmp(request->path, "/api/", 5) == 0) {
		error = authenticate(request, view);
	} else if (request->aim == AIM_METRICS && !view->console->public_metrics) {
		error = authenticate(request, view);
	}
	if (!error) {
		error = find_aim(request);
	}
	if (!error) {
		error = check_body(request, view->console->max_body);
	}
	return !error && request->aim == AIM_OPERATION ? check_operation(request) : error;
}

int request_admit(struct request *request, const char *method)
{
	request->method = strcmp(method, "HEAD") == 0 ? "GET" : strcmp(method, "POST") == 0 ? "POST" : method;
	read_address(request);
	struct config *config = bus_config(request->rest->bus);
	int error = admit(request, config_view(config));
	config_unref(config);
	return error;
}
