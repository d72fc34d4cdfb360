/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a method and a path to an operation. A path of the table has at most
 * one {placeholder}, and its value may hold slashes, since a lane is
 * ROUTE/DESTINATION and a destination may be `topic:a/b`. So the longest
 * literal text wins: POST lanes/orders/erp/pause is `lanes/{lane}/pause`.
 */
#include <string.h>

#include <console/operation.h>

struct template
{
	struct xylem_span before, name, after;
};

static struct template split(const char *path)
{
	const char *open = strchr(path, '{');
	if (!open) {
		return (struct template){ .before = xylem_span_of(path) };
	}
	const char *close = strchr(open, '}');
	return (struct template){ .before = xylem_span(path, (size_t)(open - path)),
		.name = xylem_span(open + 1, (size_t)(close - open - 1)),
		.after = xylem_span_of(close + 1) };
}

/* How much of the path is literal, plus one; 0: it does not match. */
static size_t match(const struct template *template, struct xylem_span path, struct xylem_span *ret_value)
{
	size_t literal = template->before.n + template->after.n;
	if (!xylem_span_present(template->name)) {
		return xylem_span_equal(path, template->before) ? literal + 1 : 0;
	}
	if (path.n <= literal || memcmp(path.at, template->before.at, template->before.n) != 0 ||
		memcmp(path.at + path.n - template->after.n, template->after.at, template->after.n) != 0) {
		return 0;
	}
	*ret_value = xylem_span(path.at + template->before.n, path.n - literal);
	return literal + 1;
}

bool operation_placeholder(const struct operation *operation, struct xylem_span *ret_name)
{
	struct template template = split(operation->path);
	if (!xylem_span_present(template.name)) {
		return false;
	}
	*ret_name = template.name;
	return true;
}

const struct operation *operation_match(
	const char *method, struct xylem_span path, struct xylem_span *ret_value, const char **ret_allow)
{
	size_t n, best = 0, best_other = 0;
	const struct operation *const *table = operations(&n), *found = NULL;
	const char *allow = NULL;
	for (size_t i = 0; i < n; i++) {
		struct template template = split(table[i]->path);
		struct xylem_span value = XYLEM_SPAN_NONE;
		size_t matched = match(&template, path, &value);
		if (strcmp(table[i]->method, method) != 0) {
			if (matched > best_other) {
				best_other = matched;
				allow = table[i]->method;
			}
		} else if (matched > best) {
			best = matched;
			found = table[i];
			*ret_value = value;
		}
	}
	*ret_allow = allow;
	return found;
}
