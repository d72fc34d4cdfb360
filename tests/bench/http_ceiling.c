/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ceiling of the webhook figures: libmicrohttpd reading the body and
 * answering 202 at once, with nothing kept and nothing sent on.
 *
 *     bench-http-ceiling PORT
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

static struct MHD_Response *response;

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *data_n, void **state)
{
	static int begun;
	(void)context;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*state) {
		*state = &begun;
		return MHD_YES;
	}
	if (*data_n > 0) {
		*data_n = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_ACCEPTED, response);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: bench-http-ceiling PORT\n");
		return 2;
	}
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle,
		NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)128 * 1024, MHD_OPTION_END);
	if (!response || !daemon) {
		fprintf(stderr, "bench-http-ceiling: cannot listen on %s\n", argv[1]);
		return 1;
	}
	pause();
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}
