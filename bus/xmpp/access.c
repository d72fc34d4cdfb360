/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may talk to the bus over XMPP. A person is who the server says: an
 * address with `@domain` in `allow` trusts that domain's server. Occupants of
 * rooms are never persons: their address is the room's.
 */
#include <pthread.h>
#include <stdlib.h>

#include <base/jid.h>
#include <xmpp/access.h>

struct person {
	const char *jid;
	int role;
};

struct access {
	pthread_mutex_t lock;
	struct xylem_arena *arena; /* of what follows */
	struct person *people;
	size_t people_count;
	struct xylem_strings allow;
};

struct access *access_new(void)
{
	struct access *access = calloc(1, sizeof(*access));
	if (access != NULL) {
		pthread_mutex_init(&access->lock, NULL);
	}
	return access;
}

struct access *access_free(struct access *access)
{
	if (access != NULL) {
		xylem_arena_free(access->arena);
		pthread_mutex_destroy(&access->lock);
		free(access);
	}
	return NULL;
}

static bool copy_people(struct access *next, const struct config_view *view)
{
	size_t n = 0;
	for (size_t i = 0; i < view->user_count; i++) {
		n += view->users[i].jids.n;
	}
	next->people = xylem_arena_zero(next->arena, (n + 1) * sizeof(*next->people));
	for (size_t i = 0; next->people != NULL && i < view->user_count; i++) {
		const struct config_user *user = &view->users[i];
		for (size_t j = 0; j < user->jids.n; j++) {
			struct person *person = &next->people[next->people_count++];
			person->jid = xylem_arena_text(next->arena, xylem_span_of(user->jids.items[j]));
			person->role = user->role;
			if (person->jid == NULL) {
				return false;
			}
		}
	}
	return next->people != NULL;
}

static bool copy_allow(struct access *next, const struct config_view *view)
{
	struct xylem_strings from = view->xmpp != NULL ? view->xmpp->allow : (struct xylem_strings){ 0 };
	const char **items = xylem_arena_zero(next->arena, (from.n + 1) * sizeof(*items));
	if (items == NULL) {
		return false;
	}
	for (size_t i = 0; i < from.n; i++) {
		items[i] = xylem_arena_text(next->arena, xylem_span_of(from.items[i]));
		if (items[i] == NULL) {
			return false;
		}
	}
	next->allow = (struct xylem_strings){ items, from.n };
	return true;
}

int access_apply(struct access *access, const struct config_view *view)
{
	struct access next = { .arena = xylem_arena_new(0) };
	if (next.arena == NULL || !copy_people(&next, view) || !copy_allow(&next, view)) {
		xylem_arena_free(next.arena);
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_lock(&access->lock);
	struct xylem_arena *before = access->arena;
	access->arena = next.arena;
	access->people = next.people;
	access->people_count = next.people_count;
	access->allow = next.allow;
	pthread_mutex_unlock(&access->lock);
	xylem_arena_free(before);
	return 0;
}

/* Under the lock. */
static int role_of(const struct access *access, const char *bare)
{
	for (size_t i = 0; i < access->people_count; i++) {
		const char *const one[] = { access->people[i].jid };
		if (jid_listed((struct xylem_strings){ one, 1 }, bare)) {
			return access->people[i].role;
		}
	}
	return ROLE_NONE;
}

bool access_admits(struct access *access, const char *bare)
{
	pthread_mutex_lock(&access->lock);
	bool result = role_of(access, bare) != ROLE_NONE || jid_listed(access->allow, bare);
	pthread_mutex_unlock(&access->lock);
	return result;
}

int access_role(struct access *access, const char *bare)
{
	pthread_mutex_lock(&access->lock);
	int role = role_of(access, bare);
	pthread_mutex_unlock(&access->lock);
	return role;
}
