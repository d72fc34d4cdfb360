/* SPDX-License-Identifier: Apache-2.0 */

/* The listener over real sockets: raw requests, and the status that each is answered with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <connectors/http_server.h>

#define BODY_LIMIT 1000

static struct http_server *server;
static struct http_route *route;
static struct xylem_reason reason;

/* --- A handler that answers with how many bytes it was sent ------------ */

struct held {
	struct http_request *request;
	pthread_t waker;
};
static int released_count;

static void begin(void *context, struct http_request *request)
{
	if (xylem_span_is(http_request_method(request), "GET")) {
		http_request_problem(request, -XYLEM_E_METHOD, "only POST");
		return;
	}
	if (xylem_span_is(http_request_header(request, "x-token"), "wrong")) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED, "the token");
		return;
	}
	http_request_take_body(request, BODY_LIMIT);
}

static void *wake(void *context)
{
	http_request_wake(context);
	return NULL;
}

static void complete(void *context, struct http_request *request)
{
	if (xylem_span_present(http_request_header(request, "X-Hold"))) {
		struct held *held = calloc(1, sizeof(*held));
		http_request_attach(request, held);
		http_request_hold(request);
		pthread_create(&held->waker, NULL, wake, request);
		return;
	}
	char text[32];
	snprintf(text, sizeof(text), "%zu", http_request_body(request).n);
	http_request_answer(request, 200, "text/plain", xylem_span_of(text));
}

static void resumed(struct http_request *request, void *state)
{
	http_request_answer(request, 202, "text/plain", XYLEM_SPAN_LITERAL("later"));
}

static void released(void *state)
{
	struct held *held = state;
	pthread_join(held->waker, NULL);
	free(held);
	__atomic_add_fetch(&released_count, 1, __ATOMIC_SEQ_CST);
}

static const struct http_handler handler = {
	.begin = begin, .complete = complete, .resumed = resumed, .released = released
};

static int setup(void **state)
{
	int error = http_server_open(&server, "127.0.0.1:0", &reason);
	return error ? error : http_route_open(&route, server, "/in", &handler, NULL, &reason);
}

static int teardown(void **state)
{
	route = http_route_close(route);
	server = http_server_unref(server);
	return 0;
}

/* --- A client that sends bytes ----------------------------------------- */

static int dial(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Sends and reads to the end of the connection or the first answer; the status, 0 if there was no answer. */
static int status_of(const char *bytes, size_t n, char *answer, size_t room)
{
	int fd = dial();
	size_t got = 0;
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
	while (got < room - 1) {
		ssize_t more = recv(fd, answer + got, room - 1 - got, 0);
		if (more <= 0) {
			break;
		}
		got += (size_t)more;
		answer[got] = '\0';
		char *end = strstr(answer, "\r\n\r\n");
		char *length = strcasestr(answer, "Content-Length:");
		if (end && length && strlen(end + 4) >= strtoul(length + 15, NULL, 10)) {
			break;
		}
	}
	answer[got] = '\0';
	close(fd);
	return got > 12 ? atoi(answer + 9) : 0;
}

static int status_of_text(const char *text)
{
	char answer[8192];
	return status_of(text, strlen(text), answer, sizeof(answer));
}

/* --- Tests ------------------------------------------------------------- */

static void requests_get_their_status(void **state)
{
#define POST "POST /in HTTP/1.1\r\nHost: x\r\n"
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ POST "Content-Length: 5\r\n\r\nhello", 200 },
		{ POST "Content-Length: 0\r\n\r\n", 200 },
		{ POST "\r\n", 200 },
		{ POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200 },
		{ POST "Content-Length: 5\r\nX-Hold: 1\r\n\r\nhello", 202 },
		{ "GET /in HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
		{ "POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 404 },
		{ "POST /in/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 404 },
		{ POST "X-Token: wrong\r\nContent-Length: 2\r\n\r\nhi", 401 },
		/* Refused at the headers: the body never comes. */
		{ POST "X-Token: wrong\r\nContent-Length: 999999999\r\n\r\n", 401 },
		{ POST "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413 },
		{ POST "Content-Length: 999999999\r\n\r\n", 413 },
		/* Two lengths, or one twice (CWE-444). */
		{ POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
		{ POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400 },
		{ POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400 },
		{ POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", 400 },
		{ POST "Transfer-Encoding: gzip\r\n\r\n", 400 },
		{ POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400 },
		{ POST "Content-Length: -5\r\n\r\n", 400 },
		{ POST "Content-Length: 5x\r\n\r\nhello", 400 },
		{ POST "Host: y\r\nContent-Length: 5\r\n\r\nhello", 400 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = status_of_text(rows[i].text);
		if (status != rows[i].status) {
			fail_msg("%d instead of %d for\n%s", status, rows[i].status, rows[i].text);
		}
	}
}

static void too_many_headers(void **state)
{
	char text[8192] = POST;
	for (int i = 0; i < 80; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "X-%d: 1\r\n", i);
	}
	strcat(text, "\r\n");
	assert_int_equal(status_of_text(text), 431);
}

/* A small body that turns out too large is still answered; the connection ends. */
static void chunks_past_the_limit(void **state)
{
	char text[4096] = POST "Transfer-Encoding: chunked\r\n\r\n";
	for (int i = 0; i < 3; i++) {
		strcat(text, "1f4\r\n");
		memset(text + strlen(text), 'x', 500);
		strcat(text, "\r\n");
	}
	strcat(text, "0\r\n\r\n");
	char answer[4096];
	assert_int_equal(status_of(text, strlen(text), answer, sizeof(answer)), 413);
	assert_non_null(strcasestr(answer, "Connection: close"));
	assert_non_null(strstr(answer, "application/problem+json"));
	assert_non_null(strstr(answer, "\"code\":\"too-large\""));
	assert_non_null(strstr(answer, "\"type\":\"urn:xylem:problem:too-large\""));
}

/* One connection, one request after the other, a refused one among them. */
static void connections_are_kept(void **state)
{
	static const char text[] = POST "Content-Length: 2\r\n\r\nhi" POST
					"Content-Length: 2\r\nX-Token: wrong\r\n\r\nhi" POST
					"X-Hold: 1\r\nContent-Length: 2\r\n\r\nhi" POST
					"Connection: close\r\nContent-Length: 2\r\n\r\nhi";
	int fd = dial();
	char answer[8192];
	size_t got = 0;
	assert_int_equal(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(text) - 1);
	for (ssize_t more; (more = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0;) {
		got += (size_t)more;
	}
	answer[got] = '\0';
	close(fd);
	static const char *const expected[] = { "HTTP/1.1 200", "HTTP/1.1 401", "HTTP/1.1 202",
		"HTTP/1.1 200" };
	const char *at = answer;
	for (size_t i = 0; i < 4; i++) {
		at = strstr(at, expected[i]);
		assert_non_null(at);
		at++;
	}
}

static void a_closed_route_says_try_again(void **state)
{
	route = http_route_close(route);
	char answer[4096];
	static const char text[] = POST "Content-Length: 2\r\n\r\nhi";
	assert_int_equal(status_of(text, sizeof(text) - 1, answer, sizeof(answer)), 503);
	assert_non_null(strcasestr(answer, "Retry-After: 1"));
	assert_int_equal(http_route_open(&route, server, "/in", &handler, NULL, &reason), 0);
	assert_int_equal(status_of_text(text), 200);
}

static void paths_are_taken_once(void **state)
{
	struct http_route *other = NULL, *below = NULL;
	assert_int_equal(http_route_open(&other, server, "/in", &handler, NULL, &reason), -XYLEM_E_CONFLICT);
	assert_null(other);
	assert_int_equal(http_route_open(&other, server, "in", &handler, NULL, &reason), -XYLEM_E_INVALID);
	assert_int_equal(http_route_open(&below, server, "/in/deep/", &handler, NULL, &reason), 0);
	assert_int_equal(
		status_of_text("POST /in/deep/er HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 200);
	assert_int_equal(
		status_of_text("POST /in/deepest HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 404);
	http_route_close(below);
}

/* Who comes before the path is open, or after it has gone for a while, is told to come again. */
static void a_claimed_path_says_try_again(void **state)
{
	static const char soon[] = "POST /soon/er HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(status_of_text(soon), 404);
	struct http_claim *elsewhere = http_claim_new("127.0.0.1:1", "/soon/"),
			  *exact = http_claim_new("127.0.0.1:0", "/soon");
	assert_int_equal(status_of_text(soon), 404);
	struct http_claim *claim = http_claim_new("127.0.0.1:0", "/soon/");
	assert_int_equal(status_of_text(soon), 503);
	struct http_route *taken = NULL;
	assert_int_equal(http_route_open(&taken, server, "/soon/", &handler, NULL, &reason), 0);
	assert_int_equal(status_of_text(soon), 200);
	http_route_close(taken);
	assert_int_equal(status_of_text(soon), 503);
	assert_null(http_claim_free(claim));
	assert_null(http_claim_free(elsewhere));
	assert_null(http_claim_free(exact));
	assert_null(http_claim_free(NULL));
}

static void addresses_are_shared(void **state)
{
	struct http_server *same = NULL;
	assert_int_equal(http_server_open(&same, "127.0.0.1:0", &reason), 0);
	assert_ptr_equal(same, server);
	http_server_unref(same);
	assert_int_equal(status_of_text(POST "\r\n"), 200);
}

static void addresses_that_are_none(void **state)
{
	struct http_server *none = NULL;
	char taken[64];
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_server_port(server));
	const char *const addresses[] = { "nothing", "127.0.0.1:", "127.0.0.1:x", "256.1.1.1:80",
		"unix:/nowhere/at/all", taken };
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		reason.text[0] = '\0';
		assert_true(http_server_open(&none, addresses[i], &reason) < 0);
		assert_null(none);
		assert_non_null(strstr(reason.text, addresses[i]));
	}
	assert_null(http_server_unref(NULL));
	assert_null(http_route_close(NULL));
}

/* A body that is broken off costs nothing but itself. */
static void broken_off(void **state)
{
	static const char text[] = POST "Content-Length: 100\r\n\r\nhalf";
	for (int i = 0; i < 20; i++) {
		int fd = dial();
		assert_int_equal(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(text) - 1);
		close(fd);
	}
	assert_int_equal(status_of_text(POST "\r\n"), 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(requests_get_their_status), TEST(too_many_headers),
		TEST(chunks_past_the_limit), TEST(connections_are_kept), TEST(a_closed_route_says_try_again),
		TEST(paths_are_taken_once), TEST(a_claimed_path_says_try_again), TEST(addresses_are_shared),
		TEST(addresses_that_are_none), TEST(broken_off) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
