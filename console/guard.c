/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands before every request. The console listens on loopback, where a
 * web page in the operator's browser can reach it too; so `Host` and `Origin`
 * are checked beside the token. Wrong tokens cost an allowance for each
 * address (GUARD_BURST at once, one more every GUARD_REFILL_US).
 *
 * The admin token (256 random bits, made by us) is not subject to that: it
 * cannot be guessed, and a script with a stale token on the same address must
 * not lock the operator out.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <base/hash.h>
#include <console/guard.h>

void guard_init(struct guard *guard)
{
	memset(guard, 0, sizeof(*guard));
	pthread_mutex_init(&guard->lock, NULL);
}

void guard_finish(struct guard *guard)
{
	pthread_mutex_destroy(&guard->lock);
}

static size_t slot_of(const char *address)
{
	return (size_t)(hash_bytes(address, strlen(address)) & (GUARD_SLOTS - 1));
}

bool guard_allows(struct guard *guard, const char *address, int64_t now_us, int *ret_wait_s)
{
	pthread_mutex_lock(&guard->lock);
	int64_t missing_us = guard->slots[slot_of(address)].full_us - now_us;
	pthread_mutex_unlock(&guard->lock);
	int64_t over_us = missing_us - (int64_t)(GUARD_BURST - 1) * GUARD_REFILL_US;
	if (over_us <= 0) {
		return true;
	}
	*ret_wait_s = (int)((over_us + 999999) / 1000000);
	return false;
}

void guard_failed(struct guard *guard, const char *address, int64_t now_us)
{
	pthread_mutex_lock(&guard->lock);
	int64_t *full_us = &guard->slots[slot_of(address)].full_us;
	*full_us = (*full_us > now_us ? *full_us : now_us) + GUARD_REFILL_US;
	pthread_mutex_unlock(&guard->lock);
}

/* The name of `NAME:PORT` or `[V6]:PORT`. */
static struct xylem_span name_of(const char *host)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
	end = end ? end + 1 : host + strcspn(host, ":");
	return xylem_span(host, (size_t)(end - host));
}

static bool is_port(const char *text)
{
	return *text == '\0' || (*text == ':' && text[1] && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

static bool same_name(struct xylem_span name, const char *other)
{
	return strlen(other) == name.n && strncasecmp(name.at, other, name.n) == 0;
}

bool guard_host(const char *host, const char *listener_host, const struct xylem_strings *hosts)
{
	static const char *const own[] = { "localhost", "127.0.0.1", "[::1]" };
	struct xylem_span name = name_of(host);
	if (!is_port(host + name.n)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (same_name(name, own[i])) {
			return true;
		}
	}
	for (size_t i = 0; i < hosts->n; i++) {
		if (same_name(name, hosts->items[i])) {
			return true;
		}
	}
	return same_name(name, listener_host);
}

bool guard_origin(const char *origin, const char *host)
{
	const char *rest = strncasecmp(origin, "http://", 7) == 0    ? origin + 7
			   : strncasecmp(origin, "https://", 8) == 0 ? origin + 8
								     : NULL;
	return rest && strcasecmp(rest, host) == 0;
}

struct xylem_span guard_bearer(const char *authorization)
{
	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0) {
		return XYLEM_SPAN_NONE;
	}
	const char *token = authorization + 7 + strspn(authorization + 7, " ");
	size_t n = strlen(token);
	while (n && token[n - 1] == ' ') {
		n--;
	}
	return xylem_span(token, n);
}
