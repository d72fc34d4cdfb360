/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_HTTP_FAILURE_H
#define CONNECTORS_HTTP_FAILURE_H

#include <stdbool.h>

#include <curl/curl.h>

#include <xylem/connector.h>

/*
 * Why a transfer without an HTTP status failed: libcurl's code as a class and
 * a short code of ours. `sent`: some of the request may have reached the other
 * side, so that it may have been done.
 */
enum xylem_failure http_failure_of_curl(CURLcode code, bool sent, const char **ret_code);

#endif
