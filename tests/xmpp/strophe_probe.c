/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the component link is our own: what libstrophe does with a component
 * connection and with what it receives. Each probe is a child process of its
 * own (probe_test.py starts it), because some end the process.
 *
 *     strophe_probe component HOST PORT DOMAIN [workaround]   secret in PROBE_SECRET
 *     strophe_probe descriptors HOST PORT DOMAIN              the socket's number is 1024 or more
 *
 * Prints `connected`, then for the first message that comes its text as
 * libstrophe sees it, and ends. docs/decisions/0070-component-link.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <strophe.h>

struct probe {
	xmpp_ctx_t *ctx;
	int done, connected;
};

static int on_message(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *context)
{
	struct probe *probe = context;
	char *text;
	size_t n;

	if (xmpp_stanza_to_text(stanza, &text, &n) == XMPP_EOK) {
		printf("message %s\n", text);
		fflush(stdout);
		xmpp_free(probe->ctx, text);
	}
	probe->done = 1;
	return 1;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error,
	xmpp_stream_error_t *stream_error, void *context)
{
	struct probe *probe = context;

	if (event == XMPP_CONN_CONNECT) {
		probe->connected = 1;
		xmpp_handler_add(conn, on_message, NULL, "message", NULL, probe);
		printf("connected\n");
	} else if (event != XMPP_CONN_RAW_CONNECT) {
		printf("disconnected\n");
		probe->done = 1;
	}
	fflush(stdout);
}

static void take_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (open("/dev/null", O_RDONLY) < 1100) {
	}
}

int main(int argc, char **argv)
{
	struct probe probe = { 0 };
	const char *secret = getenv("PROBE_SECRET");

	if (argc < 5 || secret == NULL) {
		fprintf(stderr, "usage: PROBE_SECRET=... strophe_probe component|descriptors HOST PORT "
				"DOMAIN [workaround]\n");
		return 2;
	}
	xmpp_initialize();
	probe.ctx = xmpp_ctx_new(NULL, NULL);
	xmpp_conn_t *conn = xmpp_conn_new(probe.ctx);
	xmpp_conn_set_jid(conn, argv[4]);
	xmpp_conn_set_pass(conn, secret);
	if (argc > 5) {
		/* A failing client connection leaves behind what the component connection forgets to make. */
		(void)xmpp_connect_client(conn, "", 1, on_connection, &probe);
	}
	if (strcmp(argv[1], "descriptors") == 0) {
		take_descriptors();
	}
	if (xmpp_connect_component(conn, argv[2], (unsigned short)atoi(argv[3]), on_connection, &probe) !=
		XMPP_EOK) {
		return 1;
	}
	time_t deadline = time(NULL) + 10;
	while (!probe.done && time(NULL) < deadline) {
		xmpp_run_once(probe.ctx, 50);
	}
	/* Nothing is taken down: what is looked for has happened. */
	return probe.connected ? 0 : 1;
}
