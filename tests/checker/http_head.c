/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP message. Bodies have a Content-Length or there is none: chunks are not read. */
#include <checker/http_head.h>

#include <string.h>
#include <strings.h>

#define LENGTH_MAX ((size_t)64 << 20)

const char *http_head_field(const struct http_head *head, const char *name, size_t *ret_n)
{
	size_t name_n = strlen(name);
	const char *at = head->fields, *end = head->fields + head->fields_n;
	while (at < end) {
		const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
		line_end = line_end ? line_end : end;
		if ((size_t)(line_end - at) > name_n && at[name_n] == ':' &&
			strncasecmp(at, name, name_n) == 0) {
			const char *value = at + name_n + 1;
			while (value < line_end && *value == ' ') {
				value++;
			}
			*ret_n = (size_t)(line_end - value);
			return value;
		}
		at = line_end + 2;
	}
	return NULL;
}

static int read_length(struct http_head *head)
{
	size_t n = 0;
	if (http_head_field(head, "Transfer-Encoding", &n)) {
		return -1;
	}
	const char *text = http_head_field(head, "Content-Length", &n);
	head->length = 0;
	for (size_t i = 0; text && i < n; i++) {
		if (text[i] < '0' || text[i] > '9' || head->length > LENGTH_MAX) {
			return -1;
		}
		head->length = head->length * 10 + (size_t)(text[i] - '0');
	}
	return 0;
}

int http_head_read(const char *bytes, size_t n, struct http_head *ret_head)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);
	if (!end) {
		return n > 65536 ? -1 : 0;
	}
	const char *line_end = memmem(bytes, n, "\r\n", 2);
	struct http_head head = { .first = bytes, .first_n = (size_t)(line_end - bytes) };
	head.fields = line_end < end ? line_end + 2 : end;
	head.fields_n = (size_t)(end - head.fields);
	head.body = (size_t)(end - bytes) + 4;
	if (read_length(&head)) {
		return -1;
	}
	*ret_head = head;
	return n - head.body >= head.length;
}
