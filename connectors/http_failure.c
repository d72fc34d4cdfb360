/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libcurl's codes as failure classes. The one judgement in it: what broke
 * before anything was sent is the other side being away (down), what broke
 * after is an attempt whose end nobody knows (busy: counted, so that a message
 * that kills its receiver every time ends in the hospital).
 */

#include <connectors/http_failure.h>

struct row {
	CURLcode code;
	enum xylem_failure failure;
	const char *name;
};

static const struct row rows[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, XYLEM_FAILURE_DOWN, "dns" },
	{ CURLE_COULDNT_RESOLVE_PROXY, XYLEM_FAILURE_DOWN, "dns" },
	{ CURLE_COULDNT_CONNECT, XYLEM_FAILURE_DOWN, "connect" },
	{ CURLE_INTERFACE_FAILED, XYLEM_FAILURE_DOWN, "connect" },
	{ CURLE_PROXY, XYLEM_FAILURE_DOWN, "proxy" },
	{ CURLE_SSL_CONNECT_ERROR, XYLEM_FAILURE_DOWN, "tls" },
	{ CURLE_SSL_SHUTDOWN_FAILED, XYLEM_FAILURE_DOWN, "tls" },
	{ CURLE_PEER_FAILED_VERIFICATION, XYLEM_FAILURE_MISCONFIGURED, "tls-certificate" },
	{ CURLE_SSL_ISSUER_ERROR, XYLEM_FAILURE_MISCONFIGURED, "tls-certificate" },
	{ CURLE_SSL_INVALIDCERTSTATUS, XYLEM_FAILURE_MISCONFIGURED, "tls-certificate" },
	{ CURLE_SSL_PINNEDPUBKEYNOTMATCH, XYLEM_FAILURE_MISCONFIGURED, "tls-certificate" },
	{ CURLE_SSL_CLIENTCERT, XYLEM_FAILURE_MISCONFIGURED, "tls-client" },
	{ CURLE_SSL_CERTPROBLEM, XYLEM_FAILURE_MISCONFIGURED, "tls-client" },
	{ CURLE_SSL_CACERT_BADFILE, XYLEM_FAILURE_MISCONFIGURED, "tls-ca" },
	{ CURLE_SSL_CIPHER, XYLEM_FAILURE_MISCONFIGURED, "tls-cipher" },
	{ CURLE_SSL_ENGINE_NOTFOUND, XYLEM_FAILURE_MISCONFIGURED, "tls" },
	{ CURLE_USE_SSL_FAILED, XYLEM_FAILURE_MISCONFIGURED, "tls" },
	{ CURLE_URL_MALFORMAT, XYLEM_FAILURE_MISCONFIGURED, "url" },
	{ CURLE_UNSUPPORTED_PROTOCOL, XYLEM_FAILURE_MISCONFIGURED, "url" },
	{ CURLE_WEIRD_SERVER_REPLY, XYLEM_FAILURE_MISCONFIGURED, "not-http" },
	{ CURLE_OUT_OF_MEMORY, XYLEM_FAILURE_BUSY, "memory" },
};

enum xylem_failure http_failure_of_curl(CURLcode code, bool sent, const char **ret_code)
{
	if (code == CURLE_OPERATION_TIMEDOUT) {
		*ret_code = sent ? "timeout" : "connect-timeout";
		return sent ? XYLEM_FAILURE_BUSY : XYLEM_FAILURE_DOWN;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].code == code) {
			*ret_code = rows[i].name;
			return rows[i].failure;
		}
	}
	*ret_code = sent ? "connection-lost" : "connect";
	return sent ? XYLEM_FAILURE_BUSY : XYLEM_FAILURE_DOWN;
}
