/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_HTTP_TRANSFER_H
#define CONNECTORS_HTTP_TRANSFER_H

#include <connectors/address_guard.h>
#include <connectors/outgoing.h>
#include <xylem/connector.h>

/*
 * Many requests to one URL, some of them at a time over kept connections. One
 * worker belongs to one thread; http_worker_interrupt() alone comes from others.
 */
struct http_worker;

/* How to reach the other side; read-only, borrowed by workers. */
struct http_target {
	const char *url;
	const char *method;
	const char *proxy;                  /* NULL: none, whatever the environment says */
	const char *ca, *certificate, *key; /* files; NULL: the system's, none */
	bool verify;                        /* the certificate and the name in it */
	int64_t timeout_us;                 /* of one request */
	int64_t connect_timeout_us;
	unsigned connections;
	struct address_guard guard;
};

/* `timeout_us`: of one http_worker_deliver(). -XYLEM_E_MEMORY. */
int http_worker_new(struct http_worker **ret_worker, const struct http_target *target,
	const struct outgoing_rules *rules, int64_t timeout_us);
struct http_worker *http_worker_free(struct http_worker *worker);

/* The contract's deliver() (connector.h): one result a message. */
void http_worker_deliver(struct http_worker *worker, const struct xylem_message *const *messages, size_t n,
	struct xylem_result *results);
void http_worker_interrupt(struct http_worker *worker);

/* OPTIONS to the URL with the fixed headers, within the time. Any thread. 0, or what stands in *result. */
int http_target_probe(const struct http_target *target, struct curl_slist *headers, int64_t timeout_us,
	struct xylem_result *result);

#endif
