/* SPDX-License-Identifier: Apache-2.0 */
/* Who is online: the full addresses that are available, sorted, so that the resources of one person stand together. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <xmpp/online.h>

#define RESOURCES_OF_PERSON 64U
#define RESOURCES_MOST 20000U
#define FULL_SIZE 3072 /* RFC 7622, 3.1: three parts of at most 1023 bytes */

struct shown {
	char *address;
	bool aside;
};

struct online {
	pthread_mutex_t lock;
	struct shown *shown;
	size_t n, room;
};

struct online *online_new(void)
{
	struct online *online = calloc(1, sizeof(*online));
	if (online != NULL) {
		pthread_mutex_init(&online->lock, NULL);
	}
	return online;
}

struct online *online_free(struct online *online)
{
	if (online != NULL) {
		online_clear(online);
		free(online->shown);
		pthread_mutex_destroy(&online->lock);
		free(online);
	}
	return NULL;
}

void online_clear(struct online *online)
{
	pthread_mutex_lock(&online->lock);
	while (online->n > 0) {
		free(online->shown[--online->n].address);
	}
	pthread_mutex_unlock(&online->lock);
}

/* Under the lock. */
static size_t place(const struct online *online, const char *address)
{
	size_t low = 0, high = online->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(online->shown[middle].address, address) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* Those that begin with `prefix` stand from place() on. Under the lock. */
static size_t count(const struct online *online, const char *prefix)
{
	size_t n = strlen(prefix), from = place(online, prefix), to = from;
	while (to < online->n && strncmp(online->shown[to].address, prefix, n) == 0) {
		to++;
	}
	return to - from;
}

static bool grow(struct online *online)
{
	if (online->n < online->room) {
		return true;
	}
	size_t room = online->room == 0 ? 64 : online->room * 2;
	struct shown *grown = realloc(online->shown, room * sizeof(*grown));
	if (grown == NULL) {
		return false;
	}
	online->shown = grown;
	online->room = room;
	return true;
}

/* Under the lock. */
static bool add(struct online *online, size_t at, const char *bare, const char *full, bool aside)
{
	char prefix[FULL_SIZE];
	snprintf(prefix, sizeof(prefix), "%s/", bare);
	if (online->n >= RESOURCES_MOST || count(online, prefix) >= RESOURCES_OF_PERSON || !grow(online)) {
		return false;
	}
	char *copy = strdup(full);
	if (copy == NULL) {
		return false;
	}
	memmove(online->shown + at + 1, online->shown + at, (online->n - at) * sizeof(*online->shown));
	online->shown[at] = (struct shown){ copy, aside };
	online->n++;
	return true;
}

static void drop(struct online *online, size_t at)
{
	free(online->shown[at].address);
	online->n--;
	memmove(online->shown + at, online->shown + at + 1, (online->n - at) * sizeof(*online->shown));
}

/* An account that is gone altogether says so from its bare address. Under the lock. */
static bool drop_all(struct online *online, const char *bare)
{
	char prefix[FULL_SIZE];
	snprintf(prefix, sizeof(prefix), "%s/", bare);
	size_t n = count(online, prefix), at = place(online, prefix);
	for (size_t i = 0; i < n; i++) {
		drop(online, at);
	}
	return n > 0;
}

bool online_set(struct online *online, const char *bare, struct xylem_span resource, enum online_as as)
{
	bool available = as != ONLINE_NOT;
	char full[FULL_SIZE];
	if (strlen(bare) + resource.n + 2 > sizeof(full)) {
		return false;
	}
	snprintf(full, sizeof(full), "%s%s%.*s", bare, resource.n > 0 ? "/" : "", (int)resource.n,
		resource.n > 0 ? resource.at : "");
	pthread_mutex_lock(&online->lock);
	size_t at = place(online, full);
	bool there = at < online->n && strcmp(online->shown[at].address, full) == 0, changed = false;
	if (available && !there) {
		changed = add(online, at, bare, full, as == ONLINE_ASIDE);
	} else if (available) {
		changed = online->shown[at].aside != (as == ONLINE_ASIDE);
		online->shown[at].aside = as == ONLINE_ASIDE;
	} else if (there) {
		drop(online, at);
		changed = true;
	}
	if (!available && resource.n == 0) {
		changed = drop_all(online, bare) || changed;
	}
	pthread_mutex_unlock(&online->lock);
	return changed;
}

/* Does one of those that begin with `prefix` get what is sent to the bare address? Under the lock. */
static bool any(const struct online *online, const char *prefix)
{
	size_t n = count(online, prefix), from = place(online, prefix);

	for (size_t i = 0; i < n; i++) {
		if (!online->shown[from + i].aside) {
			return true;
		}
	}
	return false;
}

bool online_has(struct online *online, const char *jid)
{
	char prefix[FULL_SIZE];
	bool bare = strchr(jid, '/') == NULL;

	if (strlen(jid) + 2 > sizeof(prefix)) {
		return false;
	}
	snprintf(prefix, sizeof(prefix), "%s/", jid);
	pthread_mutex_lock(&online->lock);
	size_t at = place(online, jid);
	bool found = (at < online->n && strcmp(online->shown[at].address, jid) == 0) ||
		     (bare && any(online, prefix));
	pthread_mutex_unlock(&online->lock);
	return found;
}

/* As one block of strings, so that nothing is called under the lock. */
static char *copy_all(struct online *online, const char *prefix, size_t *ret_n)
{
	size_t bytes = 0, at = place(online, prefix), n = count(online, prefix);
	for (size_t i = 0; i < n; i++) {
		bytes += strlen(online->shown[at + i].address) + 1;
	}
	char *copy = malloc(bytes + 1), *to = copy;
	for (size_t i = 0; copy != NULL && i < n; i++) {
		to = stpcpy(to, online->shown[at + i].address) + 1;
	}
	*ret_n = copy != NULL ? n : 0;
	return copy;
}

void online_each(
	struct online *online, const char *bare, void (*each)(void *context, const char *full), void *context)
{
	char prefix[FULL_SIZE];
	size_t n;

	if (strlen(bare) + 2 > sizeof(prefix)) {
		return;
	}
	snprintf(prefix, sizeof(prefix), "%s/", bare);
	pthread_mutex_lock(&online->lock);
	char *copy = copy_all(online, prefix, &n);
	pthread_mutex_unlock(&online->lock);
	for (const char *full = copy; n > 0; n--, full += strlen(full) + 1) {
		each(context, full);
	}
	free(copy);
}
