/* SPDX-License-Identifier: Apache-2.0 */
/* REST over a real socket: who gets in, what is refused before the body, repetition, the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <console/openapi.h>
#include <console/rest.h>
#include <console/stream.h>
#include <metrics/metrics.h>

#include "test_bus.h"

#define DEADLINE_MS 10000

static struct bus *bus;
static struct rest *rest;
static char admin[128];

static int setup(void **state)
{
	bus = test_bus_new("listen: '127.0.0.1:0', max_body: 64KiB");
	struct xylem_reason reason = { .text = "" };
	if (rest_new(&rest, bus, &reason)) {
		print_error("%s\n", reason.text);
		return -1;
	}
	char path[128];
	snprintf(path, sizeof(path), "%s/data/admin.token", bus->folder);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(admin, sizeof(admin), file));
	fclose(file);
	admin[strcspn(admin, "\n")] = '\0';
	return 0;
}

static int teardown(void **state)
{
	rest = rest_free(rest);
	test_bus_free(bus);
	return 0;
}

/* --- A client that sends exactly what it is told -------------------------------- */

static int dial(void)
{
	int port = atoi(strrchr(rest_url(rest), ':') + 1);
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
	return descriptor;
}

static void say(int descriptor, const char *text)
{
	assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `until` is there, or the end. */
static void hear(int descriptor, char *out, size_t size, const char *until)
{
	size_t n = strlen(out);
	struct pollfd ready = { descriptor, POLLIN, 0 };
	while (!(until && strstr(out, until)) && n + 1 < size) {
		assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
		ssize_t got = recv(descriptor, out + n, size - 1 - n, 0);
		if (got <= 0) {
			break;
		}
		n += (size_t)got;
		out[n] = '\0';
	}
}

struct answer {
	int status;
	char text[65536]; /* head and body */
	const char *body;
};

static void ask_raw(const char *request, struct answer *answer)
{
	int descriptor = dial();
	say(descriptor, request);
	answer->text[0] = '\0';
	hear(descriptor, answer->text, sizeof(answer->text), NULL);
	close(descriptor);
	answer->status = strncmp(answer->text, "HTTP/1.1 ", 9) == 0 ? atoi(answer->text + 9) : 0;
	const char *end = strstr(answer->text, "\r\n\r\n");
	answer->body = end ? end + 4 : "";
}

/* `headers`: lines with \r\n; a Host and `Connection: close` are added, and the length of a body. */
static void ask(const char *method, const char *path, const char *token, const char *headers,
	const char *body, struct answer *answer)
{
	char request[8192], length[64] = "", authorization[256] = "";
	if (body) {
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	}
	if (token) {
		snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s\r\n", token);
	}
	snprintf(request, sizeof(request),
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s\r\n%s", method, path,
		authorization, length, headers ? headers : "", body ? body : "");
	ask_raw(request, answer);
}

#define JSON "Content-Type: application/json\r\n"

/* --- Tests ------------------------------------------------------------------------ */

static void the_way_in(void **state)
{
	static const struct {
		const char *method, *path, *token, *headers, *body;
		int status;
		const char *part; /* of the answer */
	} rows[] = {
		{ "GET", "/livez", NULL, NULL, NULL, 200, "live" },
		{ "GET", "/readyz", NULL, NULL, NULL, 200, "ready" },
		{ "HEAD", "/livez", NULL, NULL, NULL, 200, "" },
		{ "POST", "/livez", NULL, NULL, NULL, 405, "Allow: GET, HEAD" },
		{ "GET", "/metrics", NULL, NULL, NULL, 401, "WWW-Authenticate: Bearer" },
		{ "GET", "/metrics", TOKEN_VIEWER, NULL, NULL, 200, "text/plain; version=0.0.4" },
		{ "GET", "/", NULL, NULL, NULL, 404, "\"code\":\"not-found\"" },
		{ "GET", "/api/v1/bus", NULL, NULL, NULL, 401, "application/problem+json" },
		{ "GET", "/api/v1/nosuch", NULL, NULL, NULL, 401, "" },
		{ "GET", "/api/v1/bus", "wrong", NULL, NULL, 401, "\"code\":\"unauthorized\"" },
		{ "GET", "/api/v1/bus", TOKEN_VIEWER, NULL, NULL, 200, "\"ready\":true" },
		{ "HEAD", "/api/v1/bus", TOKEN_VIEWER, NULL, NULL, 200, "nosniff" },
		{ "GET", "/api/v1/nosuch", TOKEN_VIEWER, NULL, NULL, 404, "openapi.json" },
		{ "DELETE", "/api/v1/bus", TOKEN_VIEWER, NULL, NULL, 405, "Allow: GET, HEAD" },
		{ "GET", "/api/v1/publish", TOKEN_VIEWER, NULL, NULL, 405, "Allow: POST" },
		{ "GET", "/api/openapi.json", NULL, NULL, NULL, 401, "" },
		{ "GET", "/api/openapi.json", TOKEN_VIEWER, NULL, NULL, 200, "\"openapi\":\"3.1.0\"" },
		{ "GET", "/api/v1/lanes", TOKEN_VIEWER, NULL, NULL, 200, "connection refused" },
		{ "GET", "/api/v1/lanes/orders/topic:a/b", TOKEN_VIEWER, NULL, NULL, 200, "\"idle\"" },
		{ "GET", "/api/v1/lanes/orders%2Ferp", TOKEN_VIEWER, NULL, NULL, 200, "\"down\"" },
		{ "GET", "/api/v1/lanes/orders/nosuch", TOKEN_VIEWER, NULL, NULL, 404, "ROUTE/DESTINATION" },
		{ "POST", "/api/v1/lanes/orders/erp/pause", TOKEN_VIEWER, NULL, NULL, 403, "operator" },
		{ "POST", "/api/v1/lanes/orders/erp/pause", TOKEN_OPERATOR, NULL, NULL, 200, "\"pause\"" },
		{ "POST", "/api/v1/lanes/orders/erp/pause", TOKEN_OPERATOR, JSON, "{}", 200, "" },
		{ "POST", "/api/v1/lanes/orders/erp/pause", TOKEN_OPERATOR, JSON, "{\"lane\": \"x/y\"}", 400,
			"stands in the path" },
		{ "POST", "/api/v1/lanes/orders/erp/drop", TOKEN_OPERATOR, NULL, NULL, 409, "\"conflict\"" },
		{ "POST", "/api/v1/lanes/orders/erp/pause?x=1", TOKEN_OPERATOR, NULL, NULL, 400,
			"in the body" },
		{ "POST", "/api/v1/publish", TOKEN_OPERATOR, "Content-Type: text/plain\r\n", "{}", 415,
			"application/json" },
		{ "POST", "/api/v1/publish", TOKEN_OPERATOR, NULL, "{}", 415, "" },
		{ "POST", "/api/v1/publish", TOKEN_OPERATOR, JSON, "{", 400, "not valid JSON" },
		{ "POST", "/api/v1/publish", TOKEN_OPERATOR, JSON, "{}", 400, "\"pointer\":\"/ingress\"" },
		{ "POST", "/api/v1/publish", TOKEN_OPERATOR,
			"Content-Type: Application/JSON; charset=utf-8\r\n",
			"{\"ingress\": \"shop\", \"data\": {\"a\": 1.10}}", 200, "\"handle\":\"" },
		{ "GET", "/api/v1/bus", TOKEN_VIEWER, NULL, "x", 400, "no body" },
		{ "GET", "/api/v1/messages?limit=5&after=0-9&since=1h", TOKEN_VIEWER, NULL, NULL, 200,
			"\"limit\":5" },
		{ "GET", "/api/v1/messages?limit=0", TOKEN_VIEWER, NULL, NULL, 400,
			"\"pointer\":\"/limit\"" },
		{ "GET", "/api/v1/messages?nosuch=0", TOKEN_VIEWER, NULL, NULL, 400, "nosuch" },
		{ "GET", "/api/v1/messages?kye=k", TOKEN_VIEWER, NULL, NULL, 400, "did you mean `key`?" },
		{ "GET", "/api/v1/messages?kye=k", TOKEN_VIEWER, NULL, NULL, 400, "\"pointer\":\"/kye\"" },
		{ "GET", "/api/v1/messages?limit=1&limit=2", TOKEN_VIEWER, NULL, NULL, 400, "twice" },
		{ "GET", "/api/v1/messages?text=x", TOKEN_VIEWER, NULL, NULL, 403, "payload-viewer" },
		{ "GET", "/api/v1/messages/0-99999/data", TOKEN_VIEWER, NULL, NULL, 403, "payload-viewer" },
		{ "GET", "/api/v1/messages/0-99999/data", TOKEN_PAYLOAD, NULL, NULL, 404, "" },
		{ "GET", "/api/v1/%00", TOKEN_VIEWER, NULL, NULL, 400, "" },
		{ "GET", "/api/v1/config", TOKEN_OPERATOR, NULL, NULL, 403, "deployer" },
		{ "GET", "/api/v1/config", TOKEN_DEPLOYER, NULL, NULL, 200, "\"vera\"" },
		{ "GET", "/api/v1/bus", TOKEN_VIEWER, "Origin: http://evil.test\r\n", NULL, 403,
			"another site" },
		{ "GET", "/api/v1/bus", TOKEN_VIEWER, "Origin: http://localhost\r\n", NULL, 200, "" },
		{ "GET", "/api/v1/bus", TOKEN_VIEWER, "Sec-Fetch-Site: cross-site\r\n", NULL, 403, "" },
		{ "POST", "/api/v1/lanes/orders/erp/pause", TOKEN_OPERATOR, "Idempotency-Key: a b\r\n", NULL,
			400, "Idempotency-Key" },
	};
	static struct answer answer;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(rows[i].method, rows[i].path, rows[i].token, rows[i].headers, rows[i].body, &answer);
		if (answer.status != rows[i].status || !strstr(answer.text, rows[i].part)) {
			print_error("%s %s: %s\n", rows[i].method, rows[i].path, answer.text);
			fail();
		}
		assert_non_null(strstr(answer.text, "X-Content-Type-Options: nosniff"));
		assert_non_null(strstr(answer.text, "Cache-Control: no-store"));
	}
}

static void requests_that_proxies_read_differently(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{ "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400 },
		{ "GET /livez HTTP/1.1\r\nHost: a\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400 },
		{ "GET /livez HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n", 403 },
		{ "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
		  "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
			400 },
		{ "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
		  "Content-Length: 6\r\nConnection: close\r\n\r\nabcdef",
			400 },
		{ "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n"
		  "Connection: close\r\n\r\n",
			400 },
	};
	static struct answer answer;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_raw(rows[i].request, &answer);
		if (answer.status != rows[i].status) {
			print_error("%s\n%s\n", rows[i].request, answer.text);
			fail();
		}
	}
}

static void an_oversized_body_is_refused_after_the_headers(void **state)
{
	static struct answer answer;
	static const char *const who[] = { "", "Authorization: Bearer " TOKEN_OPERATOR "\r\n" };
	for (size_t i = 0; i < 2; i++) {
		char request[512];
		snprintf(request, sizeof(request),
			"POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\n%s" JSON
			"Content-Length: 100000000\r\n\r\n",
			who[i]);
		ask_raw(request, &answer); /* not a byte of the body is sent */
		assert_int_equal(answer.status, i == 0 ? 401 : 413);
	}
}

static void a_chunked_body_is_bounded_too(void **state)
{
	static struct answer answer;
	int descriptor = dial();
	char chunk[4096 + 16], size[16];
	say(descriptor,
		"POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN_OPERATOR
		"\r\n" JSON "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
	snprintf(size, sizeof(size), "%x\r\n", 4096);
	memset(chunk, 'x', 4096);
	memcpy(chunk + 4096, "\r\n", 3);
	for (int i = 0; i < 32; i++) {
		say(descriptor, size);
		say(descriptor, chunk);
	}
	say(descriptor, "0\r\n\r\n");
	answer.text[0] = '\0';
	hear(descriptor, answer.text, sizeof(answer.text), NULL);
	close(descriptor);
	assert_int_equal(atoi(answer.text + 9), 413);
}

static void data_comes_back_byte_for_byte(void **state)
{
	static struct answer answer;
	ask("POST", "/api/v1/publish", TOKEN_OPERATOR, JSON,
		"{\"ingress\": \"shop\", \"data\": {\"price\":19.99, "
		"\"id\":12345678901234567890,\"tiny\":1e-400}}",
		&answer);
	assert_int_equal(answer.status, 200);
	json_t *json = json_loads(answer.body, 0, NULL);
	char path[128];
	snprintf(path, sizeof(path), "/api/v1/messages/%s/data",
		json_string_value(json_object_get(json, "handle")));
	json_decref(json);
	ask("GET", path, TOKEN_PAYLOAD, NULL, NULL, &answer);
	assert_string_equal(answer.body, "{\"price\":19.99, \"id\":12345678901234567890,\"tiny\":1e-400}");
	assert_non_null(strstr(answer.text, "Content-Disposition: attachment"));
	assert_non_null(strstr(answer.text, "Content-Type: application/json"));
	ask("GET", path, TOKEN_PAYLOAD, "Accept: application/json\r\n", NULL, &answer);
	assert_non_null(strstr(answer.body, "\"data_text\":\"{\\\"price\\\":19.99"));
	assert_string_equal(last_audit(bus)->who, "paula");
}

static void the_admin_token_lets_in(void **state)
{
	static struct answer answer;
	char path[128];
	snprintf(path, sizeof(path), "%s/data/admin.token", bus->folder);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_memory_equal(admin, "xylem_", 6);
	assert_int_equal(strlen(admin), 6 + 64);
	ask("GET", "/api/v1/config", admin, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
	ask("POST", "/api/v1/config/reload", admin, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(last_audit(bus)->who, "admin");
	assert_non_null(strstr(last_audit(bus)->arguments, "rest 127.0.0.1"));
}

static void denied_attempts_are_audited(void **state)
{
	static struct answer answer;
	size_t before = bus->audit_count;
	ask("POST", "/api/v1/config/reload", TOKEN_OPERATOR, JSON, "{}", &answer);
	assert_int_equal(answer.status, 403);
	assert_int_equal(bus->audit_count, before + 1);
	assert_string_equal(last_audit(bus)->outcome, "forbidden");
	assert_string_equal(last_audit(bus)->who, "otto");
}

static void a_key_makes_a_post_happen_once(void **state)
{
	static struct answer first, second;
	unsigned pauses = bus->pauses;
	const char *path = "/api/v1/lanes/orders/erp/pause";
	ask("POST", path, TOKEN_OPERATOR, JSON "Idempotency-Key: \"once-1\"\r\n", "{}", &first);
	ask("POST", path, TOKEN_OPERATOR, JSON "Idempotency-Key: \"once-1\"\r\n", "{}", &second);
	assert_int_equal(first.status, 200);
	assert_int_equal(second.status, 200);
	assert_string_equal(first.body, second.body);
	assert_null(strstr(first.text, "Idempotency-Replayed"));
	assert_non_null(strstr(second.text, "Idempotency-Replayed: true"));
	assert_int_equal(bus->pauses, pauses + 1);
	ask("POST", path, TOKEN_OPERATOR, JSON "Idempotency-Key: \"once-1\"\r\n", "{ }", &second);
	assert_int_equal(second.status, 422);
	ask("POST", path, admin, JSON "Idempotency-Key: \"once-1\"\r\n", "{}", &second);
	assert_int_equal(second.status, 200);
	assert_null(strstr(second.text, "Idempotency-Replayed"));
	ask("POST", "/api/v1/lanes/x/y/pause", TOKEN_OPERATOR, "Idempotency-Key: once-1\r\n", NULL, &first);
	ask("POST", "/api/v1/lanes/x/y/pause", TOKEN_OPERATOR, "Idempotency-Key: once-1\r\n", NULL, &second);
	assert_int_equal(second.status, 404);
	assert_string_equal(first.body, second.body);
	assert_non_null(strstr(second.text, "application/problem+json"));
}

static void readiness_names_the_obstacle(void **state)
{
	static struct answer answer;
	bus->obstacle = "journal: fdatasync failed: EIO";
	ask("GET", "/readyz", NULL, NULL, NULL, &answer);
	bus->obstacle = NULL;
	assert_int_equal(answer.status, 503);
	assert_string_equal(answer.body, "journal: fdatasync failed: EIO\n");
	ask("GET", "/livez", NULL, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
}

static void requests_are_counted(void **state)
{
	static struct answer answer;
	double before = metric_value(metric_series(METRIC_HTTP_REQUESTS, "404", NULL, NULL));
	ask("GET", "/nosuch", NULL, NULL, NULL, &answer);
	assert_true(metric_value(metric_series(METRIC_HTTP_REQUESTS, "404", NULL, NULL)) == before + 1);
}

static void one_connection_takes_many_requests(void **state)
{
	static struct answer answer;
	int descriptor = dial();
	answer.text[0] = '\0';
	for (int i = 0; i < 50; i++) {
		say(descriptor,
			"GET /api/v1/lanes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN_VIEWER
			"\r\n\r\n");
		answer.text[0] = '\0';
		hear(descriptor, answer.text, sizeof(answer.text), "]}\n");
		assert_int_equal(atoi(answer.text + 9), 200);
	}
	close(descriptor);
}

static void event(enum bus_event type, const char *json)
{
	bus->listener(bus->listener_context, type, xylem_span_of(json));
}

/* What came behind the head already goes to `ret_rest` (1,024 bytes or more). */
static void open_stream(int descriptor, const char *query, const char *headers, char *ret_rest)
{
	char request[512], head[1024] = "";
	snprintf(request, sizeof(request),
		"GET /api/v1/events%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN_VIEWER
		"\r\n%s\r\n",
		query, headers);
	say(descriptor, request);
	hear(descriptor, head, sizeof(head), "retry: 2000\n\n");
	assert_non_null(strstr(head, "HTTP/1.1 200"));
	assert_non_null(strstr(head, "Content-Type: text/event-stream"));
	strcpy(ret_rest, strstr(head, "retry: 2000\n\n") + strlen("retry: 2000\n\n"));
}

static void events_stream(void **state)
{
	int all = dial(), some = dial();
	char heard[8192] = "", filtered[8192] = "";
	open_stream(all, "", "", heard);
	open_stream(some, "?types=case,lane", "", filtered);
	event(BUS_EVENT_SETTLED, "{\"n\":1}");
	event(BUS_EVENT_CASE, "{\"n\":2}");
	hear(all, heard, sizeof(heard), "{\"n\":2}\n\n");
	hear(some, filtered, sizeof(filtered), "{\"n\":2}\n\n");
	assert_non_null(strstr(heard, "event: settled\ndata: {\"n\":1}\n\n"));
	assert_null(strstr(filtered, "settled"));
	assert_non_null(strstr(filtered, "event: case\ndata: {\"n\":2}"));
	/* Another comes, with the id of the first event: it gets the second. */
	char last[128], again[8192] = "";
	const char *id = strstr(heard, "id: ");
	snprintf(last, sizeof(last), "Last-Event-ID: %.*s\r\n", (int)strcspn(id + 4, "\n"), id + 4);
	int third = dial();
	open_stream(third, "", last, again);
	hear(third, again, sizeof(again), "{\"n\":2}\n\n");
	assert_null(strstr(again, "{\"n\":1}"));
	close(all);
	close(some);
	close(third);
	static struct answer answer;
	ask("GET", "/api/v1/events?types=nosuch", TOKEN_VIEWER, NULL, NULL, &answer);
	assert_int_equal(answer.status, 400);
}

static void a_slow_client_is_told_what_it_missed(void **state)
{
	int slow = dial();
	static char tail[65536];
	open_stream(slow, "", "", tail);
	char json[4096];
	memset(json, 'x', sizeof(json));
	memcpy(json, "{\"", 2);
	memcpy(json + sizeof(json) - 6, "\":1}", 5);
	for (int i = 0; i < 4 * STREAM_RING; i++) { /* 64 MiB: more than sockets hold */
		event(BUS_EVENT_SETTLED, json);
	}
	event(BUS_EVENT_CASE, "{\"last\":true}");
	bool dropped = false;
	/* Read on in pieces that overlap, until the last event. */
	for (;;) {
		size_t n = strlen(tail), keep = n < 64 ? n : 64;
		memmove(tail, tail + n - keep, keep);
		tail[keep] = '\0';
		hear(slow, tail, sizeof(tail), "{\"last\":true}");
		dropped |= strstr(tail, "event: dropped\ndata: {\"dropped\":") != NULL;
		if (strstr(tail, "{\"last\":true}")) {
			break;
		}
		assert_int_equal(strlen(tail), sizeof(tail) - 1);
	}
	assert_true(dropped);
	close(slow);
}

static void wrong_tokens_are_slowed_but_the_admin_gets_in(void **state)
{
	static struct answer answer;
	int refused = 0;
	for (int i = 0; i < 30; i++) {
		ask("GET", "/api/v1/bus", "wrong-token", NULL, NULL, &answer);
		refused += answer.status == 429;
	}
	assert_true(refused >= 10);
	assert_int_equal(answer.status, 429);
	assert_non_null(strstr(answer.text, "Retry-After: "));
	ask("GET", "/api/v1/bus", admin, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
}

static void streams_end_when_the_console_stops(void **state)
{
	int descriptor = dial();
	char heard[1024] = "";
	char request[256];
	snprintf(request, sizeof(request),
		"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", admin);
	say(descriptor, request);
	hear(descriptor, heard, sizeof(heard), "retry: 2000\n\n");
	rest = rest_free(rest);
	hear(descriptor, heard, sizeof(heard), NULL);
	close(descriptor);
	assert_null(bus->listener);
	char path[128];
	snprintf(path, sizeof(path), "%s/data/console.json", bus->folder);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_null(rest_free(NULL));
}

static void the_token_stays_and_its_file_is_guarded(void **state)
{
	struct xylem_reason reason = { .text = "" };
	char path[128];
	static struct answer answer;
	snprintf(path, sizeof(path), "%s/data/admin.token", bus->folder);
	chmod(path, 0644);
	assert_int_equal(rest_new(&rest, bus, &reason), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "chmod 600"));
	chmod(path, 0600);
	assert_int_equal(rest_new(&rest, bus, &reason), 0);
	ask("GET", "/api/v1/bus", admin, NULL, NULL, &answer);
	assert_int_equal(answer.status, 200);
	/* What was answered before the restart is kept. */
	ask("POST", "/api/v1/lanes/orders/erp/pause", TOKEN_OPERATOR, JSON "Idempotency-Key: \"once-1\"\r\n",
		"{}", &answer);
	assert_non_null(strstr(answer.text, "Idempotency-Replayed: true"));
	rest = rest_free(rest);
}

static void off_loopback_needs_names(void **state)
{
	struct xylem_reason reason = { .text = "" };
	struct config *old = bus->config;
	test_config(bus, "listen: '0.0.0.0:0'");
	assert_int_equal(rest_new(&rest, bus, &reason), -XYLEM_E_INVALID);
	assert_non_null(strstr(reason.text, "console.hosts"));
	config_unref(bus->config);
	test_config(bus, "listen: '0.0.0.0:0', hosts: [bus.acme.test], public_metrics: true");
	assert_int_equal(rest_new(&rest, bus, &reason), 0);
	static struct answer answer;
	ask_raw("GET /metrics HTTP/1.1\r\nHost: bus.acme.test\r\nConnection: close\r\n\r\n", &answer);
	assert_int_equal(answer.status, 200);
	ask_raw("GET /metrics HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n", &answer);
	assert_int_equal(answer.status, 403);
	rest = rest_free(rest);
	config_unref(bus->config);
	bus->config = old;
}

static void a_unix_socket_serves_too(void **state)
{
	struct xylem_reason reason = { .text = "" };
	struct config *old = bus->config;
	char console[160], path[108];
	snprintf(path, sizeof(path), "%s/socket", bus->folder);
	snprintf(console, sizeof(console), "listen: 'unix:%s'", path);
	test_config(bus, console);
	assert_int_equal(rest_new(&rest, bus, &reason), 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	strcpy(name.sun_path, path);
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
	say(descriptor, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	char heard[1024] = "";
	hear(descriptor, heard, sizeof(heard), NULL);
	assert_non_null(strstr(heard, "HTTP/1.1 200"));
	close(descriptor);
	rest = rest_free(rest);
	assert_int_not_equal(access(path, F_OK), 0);
	config_unref(bus->config);
	bus->config = old;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_in),
		cmocka_unit_test(requests_that_proxies_read_differently),
		cmocka_unit_test(an_oversized_body_is_refused_after_the_headers),
		cmocka_unit_test(a_chunked_body_is_bounded_too),
		cmocka_unit_test(data_comes_back_byte_for_byte),
		cmocka_unit_test(the_admin_token_lets_in),
		cmocka_unit_test(denied_attempts_are_audited),
		cmocka_unit_test(a_key_makes_a_post_happen_once),
		cmocka_unit_test(readiness_names_the_obstacle),
		cmocka_unit_test(requests_are_counted),
		cmocka_unit_test(one_connection_takes_many_requests),
		cmocka_unit_test(events_stream),
		cmocka_unit_test(a_slow_client_is_told_what_it_missed),
		cmocka_unit_test(wrong_tokens_are_slowed_but_the_admin_gets_in),
		cmocka_unit_test(streams_end_when_the_console_stops),
		cmocka_unit_test(the_token_stays_and_its_file_is_guarded),
		cmocka_unit_test(off_loopback_needs_names),
		cmocka_unit_test(a_unix_socket_serves_too),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
