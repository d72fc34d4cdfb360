/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of parts: connector.NAME, route.NAME, topic.NAME. Names of topics
 * may hold a slash and, if clients made them, anything: escaped as XEP-0106
 * says.
 */
#include <stdio.h>
#include <string.h>

#include <console/noun.h>
#include <console/xmpp/scope.h>

static const char *const prefixes[] = { "", "connector.", "route.", "topic." };

/* What may not stand in a local part (XEP-0106, 4.1), and the escape itself. */
static const char escaped[] = " \"&'/:<>@\\";

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unescape(struct xylem_span text, char *name, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		int value = text.at[i] == '\\' && i + 2 < text.n && hex(text.at[i + 1]) >= 0 &&
					    hex(text.at[i + 2]) >= 0
				    ? hex(text.at[i + 1]) * 16 + hex(text.at[i + 2])
				    : 0;
		bool is_escape = value != 0 && strchr(escaped, value) != NULL;
		if (n + 1 >= size) {
			return false;
		}
		name[n++] = is_escape ? (char)value : text.at[i];
		i += is_escape ? 2 : 0;
	}
	name[n] = '\0';
	return n > 0;
}

bool scope_read(struct xylem_span local, struct scope *ret_scope)
{
	*ret_scope = (struct scope){ .kind = SCOPE_BUS };
	if (!xylem_span_present(local)) {
		return true;
	}
	for (int kind = SCOPE_CONNECTOR; kind <= SCOPE_TOPIC; kind++) {
		size_t n = strlen(prefixes[kind]);
		if (local.n > n && memcmp(local.at, prefixes[kind], n) == 0) {
			ret_scope->kind = (enum scope_kind)kind;
			return unescape(xylem_span(local.at + n, local.n - n), ret_scope->name, SCOPE_NAME);
		}
	}
	return false;
}

void scope_write(const struct scope *scope, char ret_local[SCOPE_LOCAL])
{
	size_t n = (size_t)snprintf(ret_local, SCOPE_LOCAL, "%s", prefixes[scope->kind]);
	for (const char *at = scope->name; *at != '\0' && n + 4 < SCOPE_LOCAL; at++) {
		if (strchr(escaped, *at) != NULL) {
			n += (size_t)snprintf(ret_local + n, SCOPE_LOCAL - n, "\\%02x", (unsigned char)*at);
		} else {
			ret_local[n++] = *at;
		}
	}
	ret_local[n] = '\0';
}

bool scope_fixes(const struct scope *scope, const struct operation *operation,
	const struct xylem_option *option, char ret_value[SCOPE_LOCAL])
{
	enum operation_noun noun = operation_noun(operation, option);
	bool fixed = (scope->kind == SCOPE_CONNECTOR && (noun == NOUN_CONNECTOR || noun == NOUN_INGRESS)) ||
		     (scope->kind == SCOPE_ROUTE && noun == NOUN_ROUTE) ||
		     (scope->kind == SCOPE_TOPIC && (noun == NOUN_TOPIC || noun == NOUN_INGRESS));
	if (fixed) {
		bool topic = noun == NOUN_INGRESS && scope->kind == SCOPE_TOPIC;
		snprintf(ret_value, SCOPE_LOCAL, "%s%s", topic ? "topic:" : "", scope->name);
	}
	return fixed;
}

bool scope_has(const struct scope *scope, const struct operation *operation)
{
	char value[SCOPE_LOCAL];
	if (scope->kind == SCOPE_BUS) {
		return true;
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		enum operation_noun noun = operation_noun(operation, option);
		if (scope_fixes(scope, operation, option, value) ||
			(scope->kind == SCOPE_ROUTE && (noun == NOUN_LANE || noun == NOUN_CASE))) {
			return true;
		}
	}
	return false;
}
