/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables in scalars. This happens after the YAML is parsed, so
 * that the value of a variable can never add a key or close a quote.
 */
#include <stdlib.h>
#include <string.h>

#include <config/interpolate.h>
#include <config/text.h>

bool interpolate_needed(const char *text)
{
	return strstr(text, "${") || strstr(text, "$$");
}

static size_t name_length(const char *at)
{
	size_t n = 0;
	while (at[n] == '_' || (at[n] >= 'A' && at[n] <= 'Z') || (at[n] >= 'a' && at[n] <= 'z') ||
		(n && at[n] >= '0' && at[n] <= '9')) {
		n++;
	}
	return n;
}

#define NAME_SIZE 128

/* What stands between `${` and `}`: a name, then nothing, `:-` or `:?` with text up to `rest_end`. */
static int variable_put(const char *name, const char *rest, const char *rest_end, struct xylem_buffer *out,
	struct xylem_reason *reason)
{
	const char *value = getenv(name);
	bool defaulted = strncmp(rest, ":-", 2) == 0, demanded = strncmp(rest, ":?", 2) == 0;
	if (rest != rest_end && !defaulted && !demanded) {
		xylem_reason_set(reason,
			"`${%s` is followed by something unknown; write `${%s}`, `${%s:-default}` or "
			"`${%s:?text}`",
			name, name, name, name);
		return -XYLEM_E_INVALID;
	}
	bool empty = !value || !*value;
	if (defaulted && empty) {
		xylem_buffer_append(out, rest + 2, (size_t)(rest_end - rest) - 2);
		return 0;
	}
	if (demanded && empty) {
		xylem_reason_set(reason, "the environment variable %s is not set: %.*s", name,
			(int)(rest_end - rest - 2), rest + 2);
		return -XYLEM_E_INVALID;
	}
	if (!value) {
		xylem_reason_set(reason,
			"the environment variable %s is not set; set it, or write `${%s:-default}`", name,
			name);
		return -XYLEM_E_INVALID;
	}
	if (!text_is_utf8(xylem_span_of(value))) {
		xylem_reason_set(reason, "the environment variable %s is not UTF-8; set it to text", name);
		return -XYLEM_E_INVALID;
	}
	xylem_buffer_text(out, value);
	return 0;
}

/* `at` is behind `${`; on success it is moved behind `}`. */
static int braces_put(const char **at, struct xylem_buffer *out, struct xylem_reason *reason)
{
	char name[NAME_SIZE];
	size_t n = name_length(*at);
	const char *end = strchr(*at, '}');
	if (!n || n >= sizeof(name) || !end) {
		xylem_reason_set(reason,
			"`${` does not begin a variable such as `${HOME}`; for a dollar sign write `$$`");
		return -XYLEM_E_INVALID;
	}
	memcpy(name, *at, n);
	name[n] = '\0';
	int error = variable_put(name, *at + n, end, out, reason);
	*at = end + 1;
	return error;
}

int interpolate(const char *text, struct xylem_buffer *out, size_t *ret_offset, struct xylem_reason *reason)
{
	const char *at = text;
	for (const char *dollar = strchr(at, '$'); dollar; dollar = strchr(at, '$')) {
		xylem_buffer_append(out, at, (size_t)(dollar - at));
		at = dollar + 1;
		if (*at == '{') {
			at++;
			int error = braces_put(&at, out, reason);
			if (error) {
				*ret_offset = (size_t)(dollar - text);
				return error;
			}
		} else {
			xylem_buffer_byte(out, '$');
			at += *at == '$';
		}
	}
	xylem_buffer_text(out, at);
	return xylem_buffer_failed(out) ? -XYLEM_E_MEMORY : 0;
}
