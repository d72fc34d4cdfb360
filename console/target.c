/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target of a request: path and query, decoded once, by us, from the raw
 * request line, so that %00 and doubled names are errors and not surprises.
 */
#include <stdlib.h>
#include <string.h>

#include <console/request.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool target_decode(char *text, bool query)
{
	char *out = text;
	for (const char *at = text; *at; at++) {
		char c = *at;
		if (c == '%') {
			int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);
			if (low < 0) {
				return false;
			}
			c = (char)(high << 4 | low);
			at += 2;
		} else if (c == '+' && query) {
			c = ' ';
		}
		if ((unsigned char)c < ' ' || c == 0x7f) {
			return false;
		}
		*out++ = c;
	}
	*out = '\0';
	return true;
}

static const char *read_query(json_t *query, char *text)
{
	char *rest = text;
	for (char *pair = strsep(&rest, "&"); pair; pair = strsep(&rest, "&")) {
		char *value = pair;
		char *name = strsep(&value, "=");
		if (!*pair && !value) {
			continue;
		}
		if (!target_decode(name, true) || (value && !target_decode(value, true))) {
			return "the query has a % that two hexadecimal digits do not follow, or a control "
			       "character";
		}
		if (json_object_get(query, name)) {
			return "the query has an argument twice";
		}
		if (json_object_set_new(query, name, json_string(value ? value : ""))) {
			return "the query is not UTF-8";
		}
	}
	return NULL;
}

static bool read_target(struct request *request, const char *target)
{
	request->path = strdup(target);
	request->query = json_object();
	if (!request->path || !request->query) {
		return false;
	}
	char *query = strchr(request->path, '?');
	if (query) {
		*query++ = '\0';
		request->target_problem = read_query(request->query, query);
	}
	json_t *text = target_decode(request->path, false) ? json_string(request->path) : NULL;
	if (request->path[0] != '/' || !text) {
		request->target_problem =
			"the path is not a valid one: / first, UTF-8, no control characters";
	}
	json_decref(text);
	return true;
}

struct request *request_new(struct rest *rest, struct MHD_Connection *connection, const char *target)
{
	struct request *request = calloc(1, sizeof(*request));
	if (!request) {
		return NULL;
	}
	request->rest = rest;
	request->connection = connection;
	if (!read_target(request, target)) {
		return request_free(request);
	}
	return request;
}

struct request *request_free(struct request *request)
{
	if (request) {
		free(request->path);
		json_decref(request->query);
		xylem_buffer_finish(&request->body);
		xylem_buffer_finish(&request->reply.body);
		free(request);
	}
	return NULL;
}
