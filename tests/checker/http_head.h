/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHECKER_HTTP_HEAD_H
#define CHECKER_HTTP_HEAD_H

#include <stddef.h>

/* One HTTP/1.1 message at the start of a buffer, as much as load and sink need (RFC 9112). */
struct http_head {
	const char *first; /* request or status line, without its end */
	size_t first_n;
	const char *fields; /* the header lines */
	size_t fields_n;
	size_t body;   /* where the body begins */
	size_t length; /* of the body: Content-Length, 0 without */
};

/* 1: a head and its whole body are there; 0: more is to come; -1: not HTTP as we speak it. */
int http_head_read(const char *bytes, size_t n, struct http_head *ret_head);

/* The value of a header in any case of letters, borrowed; NULL where there is none. */
const char *http_head_field(const struct http_head *head, const char *name, size_t *ret_n);

#endif
